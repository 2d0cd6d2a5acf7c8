//! How an event's JSON is stored. Short payloads stand as they are; longer ones
//! are compressed against a fixed sample of typical payloads, because field names
//! and hashes in hex would otherwise outweigh what was said.

use crate::error::ReadError;

/// Marks a payload compressed against [`SAMPLE`]. JSON objects begin with `{`.
const COMPRESSED: u8 = 1;

/// Below this, compression gains nothing.
const SHORTEST: usize = 64;

/// Typical payloads. Part of the format: never change it, add another.
const SAMPLE: &[u8] = include_bytes!("payload.sample");

/// Larger payloads than this are not ours.
const LARGEST: usize = 64 << 20;

/// The bytes to store.
pub(crate) fn encode(json: &str) -> Vec<u8> {
    if json.len() < SHORTEST {
        return json.as_bytes().to_vec();
    }
    let packed = zstd::bulk::Compressor::with_dictionary(6, SAMPLE)
        .and_then(|mut c| {
            c.include_contentsize(true)?;
            c.include_checksum(false)?;
            c.include_dictid(false)?;
            c.compress(json.as_bytes())
        })
        .ok();
    match packed {
        Some(packed) if packed.len() + 1 < json.len() => {
            let mut stored = Vec::with_capacity(packed.len() + 1);
            stored.push(COMPRESSED);
            stored.extend(packed);
            stored
        }
        _ => json.as_bytes().to_vec(),
    }
}

/// The JSON that was stored.
pub(crate) fn decode(stored: &[u8]) -> Result<String, ReadError> {
    let bad = |why: String| ReadError::Damaged(format!("an event's payload is unreadable: {why}"));
    let bytes = match stored.split_first() {
        Some((&COMPRESSED, packed)) => {
            let size = zstd::zstd_safe::get_frame_content_size(packed)
                .ok()
                .flatten()
                .and_then(|n| usize::try_from(n).ok())
                .filter(|n| *n <= LARGEST)
                .ok_or_else(|| bad("its length is missing".to_owned()))?;
            zstd::bulk::Decompressor::with_dictionary(SAMPLE)
                .and_then(|mut d| d.decompress(packed, size))
                .map_err(|e| bad(e.to_string()))?
        }
        _ => stored.to_vec(),
    };
    String::from_utf8(bytes).map_err(|e| bad(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_reads_back() {
        for json in ["{}", &format!("{{\"summary\":\"{}\"}}", "x".repeat(5000))] {
            assert_eq!(decode(&encode(json)).expect("it decodes"), json);
        }
        assert!(encode(&format!("{{\"a\":\"{}\"}}", "x".repeat(5000))).len() < 100);
    }

    #[test]
    fn a_changed_byte_is_an_error_or_another_text() {
        let json = format!("{{\"summary\":\"{}\"}}", "read a file ".repeat(20));
        let mut stored = encode(&json);
        let last = stored.len() - 1;
        stored[last] ^= 0x40;
        assert_ne!(decode(&stored).ok(), Some(json));
    }
}
