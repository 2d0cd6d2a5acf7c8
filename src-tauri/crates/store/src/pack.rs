//! Compression against fixed dictionaries: what a run says is said in small
//! pieces, and a small piece alone has nothing to refer to.
//!
//! A dictionary is part of the format: never change one, add another. Both were made
//! with `zstd --train`: `payload.dict` (8 KB) from made-up events of every common kind,
//! `contents.dict` (32 KB) from this repository's own sources without this crate's,
//! which the growth test says, and from made-up answers and tool outputs.

use std::io;
use std::sync::OnceLock;

use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

/// Typical events, as [`crate::payload`] writes them.
const PAYLOADS: &[u8] = include_bytes!("payload.dict");

/// Typical contents: answers, source code, what tools print.
const CONTENTS: &[u8] = include_bytes!("contents.dict");

/// The knee for pieces of this size: 3.3 KB of source code take 0.08 ms and 1,070 bytes
/// here, 0.54 ms and 1,020 bytes at 15, 0.02 ms and 1,160 bytes at 3.
const LEVEL: i32 = 6;

/// The level where a dictionary is made for a single piece: nearly all of the time goes
/// into making it, 0.13 ms here, 0.23 ms at 9, 2 ms at 15, for 3 and 10 bytes in a hundred.
const LEVEL_ONCE: i32 = 3;

/// Every frame begins with these bytes, so they are not stored.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Larger contents than this are not ours.
const LARGEST: usize = 64 << 20;

/// What a piece is compressed against.
#[derive(Clone, Copy)]
pub(crate) enum Against<'a> {
    /// Typical events.
    Payloads,
    /// Typical contents.
    Contents,
    /// Typical contents, then these bytes, which are known when it is read.
    ContentsAnd(&'a [u8]),
}

fn encoder(against: Against<'_>) -> &'static EncoderDictionary<'static> {
    static ENCODERS: [OnceLock<EncoderDictionary<'static>>; 2] = [OnceLock::new(), OnceLock::new()];
    let (cell, bytes) = match against {
        Against::Payloads => (&ENCODERS[0], PAYLOADS),
        _ => (&ENCODERS[1], CONTENTS),
    };
    cell.get_or_init(|| EncoderDictionary::copy(bytes, LEVEL))
}

fn decoder(against: Against<'_>) -> &'static DecoderDictionary<'static> {
    static DECODERS: [OnceLock<DecoderDictionary<'static>>; 2] = [OnceLock::new(), OnceLock::new()];
    let (cell, bytes) = match against {
        Against::Payloads => (&DECODERS[0], PAYLOADS),
        _ => (&DECODERS[1], CONTENTS),
    };
    cell.get_or_init(|| DecoderDictionary::copy(bytes))
}

/// Compresses a piece.
pub(crate) fn pack(bytes: &[u8], against: Against<'_>) -> io::Result<Vec<u8>> {
    let own;
    let mut compressor = match against {
        Against::ContentsAnd(more) => {
            own = [CONTENTS, more].concat();
            Compressor::with_dictionary(LEVEL_ONCE, &own)?
        }
        _ => Compressor::with_prepared_dictionary(encoder(against))?,
    };
    compressor.include_contentsize(true)?;
    compressor.include_checksum(false)?;
    compressor.include_dictid(false)?;
    let frame = compressor.compress(bytes)?;
    match frame.strip_prefix(&MAGIC) {
        Some(rest) => Ok(rest.to_vec()),
        None => Err(io::Error::other("zstd made no frame")),
    }
}

/// The piece again.
pub(crate) fn unpack(packed: &[u8], against: Against<'_>) -> io::Result<Vec<u8>> {
    let frame = [&MAGIC, packed].concat();
    let size = zstd::zstd_safe::get_frame_content_size(&frame)
        .ok()
        .flatten()
        .and_then(|n| usize::try_from(n).ok())
        .filter(|n| *n <= LARGEST)
        .ok_or_else(|| io::Error::other("its length is missing"))?;
    match against {
        Against::ContentsAnd(more) => {
            Decompressor::with_dictionary(&[CONTENTS, more].concat())?.decompress(&frame, size)
        }
        _ => Decompressor::with_prepared_dictionary(decoder(against))?.decompress(&frame, size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_reads_back_and_is_small() {
        let text = b"fn main() { println!(\"I look at the file first.\"); }".as_slice();
        for against in [
            Against::Payloads,
            Against::Contents,
            Against::ContentsAnd(b"other words"),
        ] {
            let packed = pack(text, against).expect("it packs");
            assert_eq!(unpack(&packed, against).expect("it unpacks"), text);
        }
        let known = pack(text, Against::ContentsAnd(text)).expect("it packs");
        assert!(known.len() < 16, "{}", known.len());
    }
}
