//! Server-sent events out of a byte stream.

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its `event:` field, empty if it has none.
    pub(crate) event: String,
    /// Its `id:` field, empty if it has none: the cursor.
    pub(crate) id: String,
    /// Its `data:` lines, joined.
    pub(crate) data: String,
}

/// Collects bytes until a message is complete.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    buffer: Vec<u8>,
}

impl Parser {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete message with data. Comments (keep-alives) are skipped.
    pub(crate) fn next(&mut self) -> Option<Message> {
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let mut message = Message::default();
            for line in String::from_utf8_lossy(&block).lines() {
                let (field, value) = line.split_once(':').unwrap_or((line, ""));
                let value = value.strip_prefix(' ').unwrap_or(value);
                match field {
                    "event" => value.clone_into(&mut message.event),
                    "id" => value.clone_into(&mut message.id),
                    "data" if message.data.is_empty() => value.clone_into(&mut message.data),
                    "data" => {
                        message.data.push('\n');
                        message.data.push_str(value);
                    }
                    _ => {}
                }
            }
            if !message.data.is_empty() {
                return Some(message);
            }
        }
        None
    }
}
