//! Tool calls that come in pieces.

use std::collections::{BTreeMap, HashSet};

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::driver::ToolCall;

/// The longest id of a call that OpenAI takes back, and the longest name of a tool.
const LONGEST_ID: usize = 40;
const LONGEST_NAME: usize = 64;

/// The calls of an answer so far, in their order.
#[derive(Debug, Default)]
pub(super) struct Calls {
    all: Vec<Growing>,
    /// Which of them an `index` means now.
    at: BTreeMap<u64, usize>,
}

#[derive(Debug, Default)]
struct Growing {
    id: String,
    name: String,
    arguments: String,
}

impl Calls {
    /// Takes a piece; the name of the tool where it begins a call.
    ///
    /// Pieces belong together by their `index`. Servers that number all calls 0 begin a new
    /// one with a new id; those that number none, with a name.
    pub(super) fn take(&mut self, piece: &Value) -> Option<String> {
        let function = &piece["function"];
        let id = piece["id"].as_str().unwrap_or_default();
        let name = function["name"].as_str().unwrap_or_default();
        let index = piece["index"].as_u64();
        let known = match index {
            Some(index) => self.at.get(&index).copied(),
            None => self.all.len().checked_sub(1),
        };
        let continued = known.filter(|at| {
            let before = &self.all[*at].id;
            let other_id = !id.is_empty() && !before.is_empty() && before != id;
            let unnumbered = index.is_none() && id.is_empty() && !name.is_empty();
            !other_id && !unnumbered
        });
        let at = continued.unwrap_or_else(|| {
            self.all.push(Growing::default());
            self.all.len() - 1
        });
        self.at.insert(index.unwrap_or(u64::MAX), at);
        let call = &mut self.all[at];
        if call.id.is_empty() {
            call.id = id.to_owned();
        }
        // Some repeat the name with every piece.
        let begins = call.name.is_empty() && !name.is_empty();
        if begins {
            call.name = name.to_owned();
        }
        match &function["arguments"] {
            Value::String(more) => call.arguments.push_str(more),
            Value::Null => {}
            // Old servers send the object itself.
            whole => call.arguments = whole.to_string(),
        }
        begins.then(|| call.name.clone())
    }

    /// How much the model wrote for them.
    pub(super) fn bytes(&self) -> usize {
        let bytes = |call: &Growing| call.name.len() + call.arguments.len();
        self.all.iter().map(bytes).sum()
    }

    /// The calls with ids and names that every API takes back, also in a conversation that
    /// has these ids already.
    pub(super) fn end(self, known: &HashSet<String>) -> Vec<Ended> {
        let mut taken = known.clone();
        let named = self.all.into_iter().filter(|call| !call.name.is_empty());
        named
            .map(|call| {
                let fits = !call.id.is_empty() && call.id.len() <= LONGEST_ID;
                let legal = fits && call.id.chars().all(is_plain) && !taken.contains(&call.id);
                let id = match legal {
                    true => call.id,
                    false => format!("call_{}", uuid::Uuid::new_v4().simple()),
                };
                taken.insert(id.clone());
                Ended {
                    id,
                    name: legal_name(&call.name),
                    arguments: call.arguments,
                }
            })
            .collect()
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// Models that lose themselves in their template call `write<|channel|>`; no API takes
/// such a name back.
fn legal_name(name: &str) -> String {
    let plain = |c: char| if is_plain(c) { c } else { '_' };
    name.chars().take(LONGEST_NAME).map(plain).collect()
}

fn is_object(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// A call that is over.
#[derive(Debug)]
pub(super) struct Ended {
    id: String,
    name: String,
    arguments: String,
}

impl Ended {
    /// Whether its arguments are complete.
    pub(super) fn is_whole(&self) -> bool {
        is_object(&self.arguments)
    }

    /// As the conversation keeps it. Arguments that are no JSON cannot be sent back: the
    /// history gets `{}`.
    pub(super) fn block(&self) -> String {
        let input = match self.is_whole() {
            true => self.arguments.trim(),
            false => "{}",
        };
        let (id, name) = (json!(self.id), json!(self.name));
        format!(r#"{{"type":"tool_use","id":{id},"name":{name},"input":{input}}}"#)
    }
}

impl From<Ended> for ToolCall {
    fn from(call: Ended) -> Self {
        let nothing = call.arguments.trim().is_empty();
        Self {
            call_id: call.id,
            name: call.name,
            input: if nothing {
                "{}".to_owned()
            } else {
                call.arguments
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(pieces: &[Value]) -> Vec<(String, String, String)> {
        let mut calls = Calls::default();
        for piece in pieces {
            calls.take(piece);
        }
        let ended = calls.end(&HashSet::from(["known".to_owned()]));
        ended
            .into_iter()
            .map(|call| (call.id, call.name, call.arguments))
            .collect()
    }

    fn found(id: &str, name: &str, arguments: &str) -> (String, String, String) {
        (id.to_owned(), name.to_owned(), arguments.to_owned())
    }

    #[test]
    fn pieces_are_put_together_by_their_index() {
        let pieces = [
            json!({"index": 0, "id": "a", "function": {"name": "read", "arguments": ""}}),
            json!({"index": 0, "function": {"arguments": "{\"n\":"}}),
            json!({"index": 1, "id": "b", "function": {"name": "read", "arguments": "{"}}),
            json!({"index": 0, "function": {"arguments": " 1.50}"}}),
            json!({"index": 1, "id": "b", "function": {"name": "read", "arguments": "}"}}),
        ];
        let expected = [
            found("a", "read", "{\"n\": 1.50}"),
            found("b", "read", "{}"),
        ];
        assert_eq!(calls(&pieces), expected);
    }

    #[test]
    fn servers_that_do_not_number_their_calls_are_understood() {
        let same_number = [
            json!({"index": 0, "id": "a", "function": {"name": "read", "arguments": "{}"}}),
            json!({"index": 0, "id": "b", "function": {"name": "read", "arguments": "{\"x\""}}),
            json!({"index": 0, "id": "b", "function": {"arguments": ":1}"}}),
        ];
        let expected = [found("a", "read", "{}"), found("b", "read", "{\"x\":1}")];
        assert_eq!(calls(&same_number), expected);
        let no_number = [
            json!({"id": "a", "function": {"name": "read", "arguments": {"whole": [1]}}}),
            json!({"id": "b", "function": {"name": "list", "arguments": "{}"}}),
        ];
        let expected = [
            found("a", "read", "{\"whole\":[1]}"),
            found("b", "list", "{}"),
        ];
        assert_eq!(calls(&no_number), expected);
    }

    #[test]
    fn ids_and_names_that_cannot_be_sent_back_are_replaced() {
        let long = "x".repeat(41);
        for id in ["", "known", "a b", long.as_str()] {
            let made = calls(&[
                json!({"index": 0, "id": id, "function": {"name": "read<|x|>", "arguments": "{}"}}),
            ]);
            assert!(
                made[0].0.starts_with("call_") && made[0].0.len() <= 40,
                "{made:?}"
            );
            assert_eq!(made[0].1, "read__x__");
        }
        let twice = [
            json!({"index": 0, "id": "a", "function": {"name": "read", "arguments": "{}"}}),
            json!({"index": 1, "id": "a", "function": {"name": "read", "arguments": "{}"}}),
        ];
        let made = calls(&twice);
        assert_ne!(made[0].0, made[1].0);
    }
}
