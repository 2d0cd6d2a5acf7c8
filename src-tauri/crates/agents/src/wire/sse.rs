//! Server-sent events, byte by byte (WHATWG HTML, "Server-sent events").

/// The longest event taken: far above any content block (requests are limited
/// to 32 MB).
const EVENT_LIMIT: usize = 64 * 1024 * 1024;

/// An event grew beyond [`EVENT_LIMIT`]: this is no event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Cuts a stream of bytes, in whatever pieces it arrives, into the data of its
/// events. Event names are not kept: the API repeats them in the data.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    data: Option<Vec<u8>>,
    /// The last byte was a carriage return: a line feed belongs to it.
    after_return: AfterReturn,
    seen_a_line: SeenALine,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum AfterReturn {
    #[default]
    No,
    Yes,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum SeenALine {
    #[default]
    No,
    Yes,
}

impl Parser {
    /// Takes the next bytes and returns the data of the events they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if after_return == AfterReturn::Yes => {}
                b'\n' => self.end_line(&mut events),
                b'\r' => {
                    self.after_return = AfterReturn::Yes;
                    self.end_line(&mut events);
                }
                other => self.line.push(other),
            }
            if self.line.len() + self.data.as_ref().map_or(0, Vec::len) > EVENT_LIMIT {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self, events: &mut Vec<Vec<u8>>) {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if std::mem::replace(&mut self.seen_a_line, SeenALine::Yes) == SeenALine::No {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            events.extend(self.data.take());
            return;
        }
        let value = match line.strip_prefix(b"data") {
            Some([]) => &[][..],
            Some([b':', b' ', value @ ..] | [b':', value @ ..]) => value,
            // A comment, another field, or a field that merely begins so.
            _ => return,
        };
        match &mut self.data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            None => self.data = Some(value.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Parser;

    fn parse(chunks: &[&[u8]]) -> Vec<String> {
        let mut parser = Parser::default();
        let events = chunks
            .iter()
            .flat_map(|chunk| parser.push(chunk).expect("short events"));
        events
            .map(|data| String::from_utf8(data).expect("UTF-8"))
            .collect()
    }

    const STREAM: &str = "\u{feff}: hello\r\nevent: one\r\ndata: {\"a\":\r\ndata:1}\r\n\r\n\
        id: 7\ndata: zwölf \u{1F600}\n\ndata\n\nretry: 10\n\ndatabase: no\rdata:  two spaces\r\rdata: unfinished\n";

    #[test]
    fn fields_comments_line_ends_and_joined_data_are_understood() {
        let events = parse(&[STREAM.as_bytes()]);
        assert_eq!(
            events,
            ["{\"a\":\n1}", "zwölf \u{1F600}", "", " two spaces"]
        );
    }

    #[test]
    fn any_chunking_gives_the_same_events() {
        let whole = parse(&[STREAM.as_bytes()]);
        for size in 1..=STREAM.len() {
            let chunks: Vec<&[u8]> = STREAM.as_bytes().chunks(size).collect();
            assert_eq!(parse(&chunks), whole, "pieces of {size}");
        }
        for first in 0..STREAM.len() {
            for second in (first..STREAM.len()).step_by(7) {
                let (a, rest) = STREAM.as_bytes().split_at(first);
                let (b, c) = rest.split_at(second - first);
                assert_eq!(parse(&[a, b, &[], c]), whole, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn crlf_stays_one_line_end_when_cut_between() {
        assert_eq!(
            parse(&[b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n"]),
            ["a\nb"]
        );
    }
}
