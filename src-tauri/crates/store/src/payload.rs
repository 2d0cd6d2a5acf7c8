//! How an event's JSON is stored: without what other columns say (the operation's
//! number, the names of its contents), hashes as bytes, the rest compressed.
//! What is hashed is the JSON itself.

use crate::error::ReadError;
use crate::pack::{Against, pack, unpack};

/// Compressed; plain otherwise. JSON as it is begins with `{`.
const PACKED: u8 = 1;
const PLAIN: u8 = 2;

/// Below this, compression gains nothing.
const SHORTEST: usize = 24;

// Marks in the text. JSON has no control characters of its own.
const FIRST: u8 = 1;
const SECOND: u8 = 2;
const HEX_64: u8 = 3;
const HEX_40: u8 = 4;
const HEX_32: u8 = 5;
const UUID: u8 = 6;
const OP: u8 = 7;

/// What other columns of the event's row say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside<'a> {
    pub(crate) op: Option<u32>,
    /// The names of the contents it refers to.
    pub(crate) names: [Option<&'a str>; 2],
}

/// The bytes to store.
pub(crate) fn encode(json: &str, beside: Beside<'_>) -> Vec<u8> {
    let (text, aside) = shorten(json, beside);
    let packed = (text.len() >= SHORTEST)
        .then(|| pack(&text, Against::Payloads).ok())
        .flatten()
        .filter(|packed| packed.len() < text.len());
    let (form, body) = match packed {
        Some(packed) => (PACKED, packed),
        None => (PLAIN, text),
    };
    let mut stored = vec![form, aside.len() as u8];
    stored.extend(aside);
    stored.extend(body);
    if stored.len() < json.len() {
        stored
    } else {
        json.as_bytes().to_vec()
    }
}

/// The JSON that was stored.
pub(crate) fn decode(stored: &[u8], beside: Beside<'_>) -> Result<String, ReadError> {
    let bad = |why: String| ReadError::Damaged(format!("an event's payload is unreadable: {why}"));
    let (form, len, rest) = match stored {
        [form @ (PACKED | PLAIN), len, rest @ ..] => (*form, usize::from(*len), rest),
        _ => return String::from_utf8(stored.to_vec()).map_err(|e| bad(e.to_string())),
    };
    let (aside, body) = rest
        .split_at_checked(len)
        .ok_or_else(|| bad("it is cut short".to_owned()))?;
    let text = match form {
        PACKED => unpack(body, Against::Payloads).map_err(|e| bad(e.to_string()))?,
        _ => body.to_vec(),
    };
    let json =
        lengthen(&text, aside, beside).ok_or_else(|| bad("a part of it is missing".to_owned()))?;
    String::from_utf8(json).map_err(|e| bad(e.to_string()))
}

/// The text with marks, and the bytes some of them stand for (255 at most).
fn shorten(json: &str, beside: Beside<'_>) -> (Vec<u8>, Vec<u8>) {
    let (mut text, mut aside) = (Vec::with_capacity(json.len()), Vec::new());
    let mut rest = json;
    if let Some(after) = beside
        .op
        .and_then(|op| rest.strip_prefix(&format!("{{\"op\":{op}")))
        .filter(|after| after.starts_with([',', '}']))
    {
        text.push(OP);
        rest = after;
    }
    while !rest.is_empty() {
        // A word is what stands between other characters.
        let word = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .unwrap_or(rest.len());
        let (here, after) = rest.split_at(word.max(rest.chars().next().map_or(1, char::len_utf8)));
        match mark_of(here, beside) {
            Some((mark, bytes)) if aside.len() + bytes.len() <= 255 => {
                text.push(mark);
                aside.extend(bytes);
            }
            _ => text.extend(here.as_bytes()),
        }
        rest = after;
    }
    (text, aside)
}

fn mark_of(word: &str, beside: Beside<'_>) -> Option<(u8, Vec<u8>)> {
    if word.len() < 32 {
        return None;
    }
    match beside.names {
        [Some(name), _] if name == word => return Some((FIRST, Vec::new())),
        [_, Some(name)] if name == word => return Some((SECOND, Vec::new())),
        _ => {}
    }
    let (mark, bytes) = match word.len() {
        64 => (HEX_64, from_hex(word)?),
        40 => (HEX_40, from_hex(word)?),
        32 => (HEX_32, from_hex(word)?),
        36 => (UUID, uuid::Uuid::try_parse(word).ok()?.as_bytes().to_vec()),
        _ => return None,
    };
    (from_mark(mark, &bytes)? == word).then_some((mark, bytes))
}

fn lengthen(text: &[u8], mut aside: &[u8], beside: Beside<'_>) -> Option<Vec<u8>> {
    let mut json = Vec::with_capacity(text.len() * 2);
    for byte in text {
        match *byte {
            OP => json.extend(format!("{{\"op\":{}", beside.op?).bytes()),
            FIRST => json.extend(beside.names[0]?.bytes()),
            SECOND => json.extend(beside.names[1]?.bytes()),
            mark @ (HEX_64 | HEX_40 | HEX_32 | UUID) => {
                let (bytes, rest) = aside.split_at_checked(length(mark))?;
                json.extend(from_mark(mark, bytes)?.bytes());
                aside = rest;
            }
            other => json.push(other),
        }
    }
    Some(json)
}

const fn length(mark: u8) -> usize {
    match mark {
        HEX_64 => 32,
        HEX_40 => 20,
        _ => 16,
    }
}

fn from_mark(mark: u8, bytes: &[u8]) -> Option<String> {
    Some(match mark {
        UUID => uuid::Uuid::from_slice(bytes).ok()?.hyphenated().to_string(),
        _ => to_hex(bytes),
    })
}

/// Lowercase hex digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

/// The bytes an even number of hex digits stands for.
pub(crate) fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let value = |c: u8| char::from(c).to_digit(16);
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(value(*high)? << 4 | value(*low)?).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn what_is_stored_reads_back() {
        let long = format!("{{\"summary\":\"{}\"}}", "x".repeat(5000));
        let ids = format!(
            "{{\"op\":7,\"a\":\"{NAME}\",\"b\":\"{}\",\"c\":\"{}\",\"d\":\"{}\",\"e\":\"0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee\",\"f\":\"0199AAAA-bbbb-7ccc-8ddd-eeeeeeeeeeee\",\"é\":\"{}\"}}",
            NAME.replace("00", "1f"),
            &NAME[..40],
            &NAME[..32],
            format!("{} ", &NAME[..32]).repeat(20),
        );
        let beside = Beside {
            op: Some(7),
            names: [Some(NAME), None],
        };
        for json in ["{}", "{\"op\":7}", "{\"op\":77,\"a\":1}", &long, &ids] {
            assert_eq!(
                decode(&encode(json, beside), beside).expect("it decodes"),
                json
            );
        }
        assert!(encode(&long, beside).len() < 100);
        assert_eq!(encode("{\"op\":7}", beside).len(), 4);
    }

    #[test]
    fn a_changed_byte_is_an_error_or_another_text() {
        let json = format!("{{\"summary\":\"{}\"}}", "read a file ".repeat(20));
        let mut stored = encode(&json, Beside::default());
        let last = stored.len() - 1;
        stored[last] ^= 0x40;
        assert_ne!(decode(&stored, Beside::default()).ok(), Some(json));
    }
}
