//! The byte strings a secret may appear as, and how to find them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter values are ordinary words; removing them would garble everything.
pub(crate) const SHORTEST_SECRET: usize = 8;

/// Between two lines of wrapped text there is no more than this: CR and LF, each
/// escaped as in JSON.
const LONGEST_BREAK: usize = 4;

/// All forms of all known secrets, by first byte.
#[derive(Clone)]
pub(crate) struct Patterns {
    by_first: Vec<Vec<Form>>,
}

/// One way to write a secret.
#[derive(Clone, PartialEq, Eq)]
struct Form {
    bytes: Vec<u8>,
    wraps: Wraps,
}

/// Whether programs break such a text into lines wherever they like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wraps {
    Never,
    Anywhere,
}

/// What stands at one place of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// Secrets, overlapping or touching inside one another, of this length together.
    Secret(usize),
    /// The text ends within what may be a secret.
    Unfinished,
}

impl Patterns {
    pub(crate) fn new() -> Self {
        Self {
            by_first: vec![Vec::new(); 256],
        }
    }

    pub(crate) fn add(&mut self, secret: &str) {
        for form in forms(secret) {
            let bucket = &mut self.by_first[usize::from(form.bytes[0])];
            if form.bytes.len() >= SHORTEST_SECRET && !bucket.contains(&form) {
                bucket.push(form);
            }
        }
    }

    /// What begins at the start of `text`. Overlapping secrets are one find, so
    /// that no tail of the second is left standing.
    pub(crate) fn at_start(&self, text: &[u8]) -> Found {
        let mut end = match self.one_at_start(text) {
            Found::Secret(length) => length,
            other => return other,
        };
        let mut from = 1;
        while from < end {
            match self.one_at_start(&text[from..]) {
                Found::Secret(length) => end = end.max(from + length),
                Found::Unfinished => return Found::Unfinished,
                Found::Nothing => {}
            }
            from += 1;
        }
        Found::Secret(end)
    }

    /// As `at_start`, for a text of which there is no more to come.
    pub(crate) fn at_start_of_last(&self, text: &[u8]) -> Found {
        let mut end = 0;
        let mut from = 0;
        while from == 0 || from < end {
            let forms = text
                .get(from)
                .map_or(&[][..], |first| &self.by_first[usize::from(*first)]);
            let longest = forms
                .iter()
                .filter_map(|form| match form.at_start(&text[from..]) {
                    Found::Secret(length) => Some(length),
                    Found::Nothing | Found::Unfinished => None,
                })
                .max();
            end = end.max(longest.map_or(0, |length| from + length));
            from += 1;
        }
        if end == 0 {
            Found::Nothing
        } else {
            Found::Secret(end)
        }
    }

    fn one_at_start(&self, text: &[u8]) -> Found {
        let Some(first) = text.first() else {
            return Found::Nothing;
        };
        let mut longest = 0;
        for form in &self.by_first[usize::from(*first)] {
            match form.at_start(text) {
                Found::Secret(length) => longest = longest.max(length),
                Found::Unfinished => return Found::Unfinished,
                Found::Nothing => {}
            }
        }
        if longest == 0 {
            Found::Nothing
        } else {
            Found::Secret(longest)
        }
    }
}

impl Form {
    /// Whether the text begins with this form.
    fn at_start(&self, text: &[u8]) -> Found {
        let mut at = 0;
        for (index, byte) in self.bytes.iter().enumerate() {
            if self.wraps == Wraps::Anywhere && index > 0 {
                at += line_break(&text[at..]);
            }
            match text.get(at) {
                Some(found) if found == byte => at += 1,
                // The line break may go on in what is still to come.
                Some(b'\\') if at + 1 == text.len() && self.wraps == Wraps::Anywhere => {
                    return Found::Unfinished;
                }
                Some(_) => return Found::Nothing,
                None => return Found::Unfinished,
            }
        }
        Found::Secret(at)
    }
}

/// How many bytes at the start of a text are a line break.
fn line_break(text: &[u8]) -> usize {
    let mut at = 0;
    while at < LONGEST_BREAK {
        at += match text[at..] {
            [b'\r' | b'\n', ..] => 1,
            [b'\\', b'r' | b'n', ..] => 2,
            _ => break,
        };
    }
    at
}

fn forms(secret: &str) -> Vec<Form> {
    let json = serde_json::Value::from(secret).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let json_again = serde_json::Value::from(json.as_str()).to_string();
    let whole = [
        secret.to_owned(),
        json.replace('/', "\\/"),
        json_again[1..json_again.len() - 1].to_owned(),
        json,
        percent_encoded(secret, "0123456789ABCDEF"),
        percent_encoded(secret, "0123456789abcdef"),
    ];
    let mut wrapped = vec![
        hex(secret, "0123456789abcdef"),
        hex(secret, "0123456789ABCDEF"),
    ];
    // Within a longer text a secret starts at one of three places of a base64
    // group. The characters it shares with its neighbours are left out.
    for before in 0..3 {
        let mut padded = vec![0u8; before];
        padded.extend_from_slice(secret.as_bytes());
        let (start, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            wrapped.push(engine.encode(&padded)[start..end].to_owned());
        }
    }
    let form = |text: String, wraps| Form {
        bytes: text.into_bytes(),
        wraps,
    };
    let whole = whole.into_iter().map(|text| form(text, Wraps::Never));
    let wrapped = wrapped.into_iter().map(|text| form(text, Wraps::Anywhere));
    whole.chain(wrapped).collect()
}

/// As `xxd -p` and `openssl rand -hex` write bytes.
fn hex(secret: &str, digits: &str) -> String {
    let digits = digits.as_bytes();
    secret
        .bytes()
        .flat_map(|byte| {
            [
                digits[usize::from(byte >> 4)],
                digits[usize::from(byte & 15)],
            ]
        })
        .map(char::from)
        .collect()
}

/// RFC 3986: everything but unreserved characters is escaped.
fn percent_encoded(secret: &str, digits: &str) -> String {
    let digits = digits.as_bytes();
    let mut encoded = String::new();
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(digits[usize::from(byte >> 4)]));
            encoded.push(char::from(digits[usize::from(byte & 15)]));
        }
    }
    encoded
}
