//! Bytes to lines, without ever holding more than one capped line.

/// The longest line kept. Claude Code's own longest (a tool result with a large
/// file, told twice) stay below 3 MB; what is longer is skipped and said so.
pub(crate) const LINE_MAX: usize = 8 * 1024 * 1024;

/// One line, or word of one that was too long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Without its newline.
    Line(Vec<u8>),
    /// Its length in bytes; its content was dropped.
    TooLong(u64),
}

/// Cuts a stream of bytes at its newlines.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    line: Vec<u8>,
    skipped: u64,
}

impl Splitter {
    /// Takes the next bytes and gives the lines they complete.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            self.take(&bytes[..end]);
            pieces.extend(self.finish());
            bytes = &bytes[end + 1..];
        }
        self.take(bytes);
        pieces
    }

    /// The last line, if the stream ended without a newline.
    pub(crate) fn finish(&mut self) -> Option<Piece> {
        let skipped = std::mem::take(&mut self.skipped);
        let line = std::mem::take(&mut self.line);
        match (skipped, line.is_empty()) {
            (0, true) => None,
            (0, false) => Some(Piece::Line(line)),
            (length, _) => Some(Piece::TooLong(length)),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.skipped > 0 {
            self.skipped += bytes.len() as u64;
        } else if self.line.len() + bytes.len() > LINE_MAX {
            self.skipped = (self.line.len() + bytes.len()) as u64;
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_come_in_any_pieces() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.push(b"{\"a\""), []);
        assert_eq!(
            splitter.push(b":1}\n\n{}"),
            [Piece::Line(b"{\"a\":1}".to_vec())]
        );
        assert_eq!(splitter.finish(), Some(Piece::Line(b"{}".to_vec())));
        assert_eq!(splitter.finish(), None);
    }

    #[test]
    fn a_huge_line_is_counted_and_not_held() {
        let mut splitter = Splitter::default();
        let chunk = vec![b'x'; 64 * 1024];
        for _ in 0..800 {
            assert_eq!(splitter.push(&chunk), []);
            assert!(splitter.line.len() <= LINE_MAX);
        }
        assert_eq!(
            splitter.push(b"\nnext\n"),
            [
                Piece::TooLong(800 * 64 * 1024),
                Piece::Line(b"next".to_vec())
            ]
        );
    }
}
