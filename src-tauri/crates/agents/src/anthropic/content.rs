//! Content blocks as JSON text: what is not understood is kept as it came.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

/// A JSON object whose values are kept as text, in their order. Numbers keep
/// their digits, strings their escapes.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(String, Box<RawValue>)>);

impl Fields {
    pub(super) fn raw(&self, name: &str) -> Option<&RawValue> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| &**value)
    }

    /// A string field, decoded; empty if it is absent or no string.
    pub(super) fn text(&self, name: &str) -> String {
        self.raw(name)
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or_default()
    }

    /// Replaces a field, or adds it at the end.
    pub(super) fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub(super) fn set_text(&mut self, name: &str, value: &str) {
        self.set(
            name,
            serde_json::value::to_raw_value(value).expect("a string is JSON"),
        );
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(key, value)| (key.as_str(), &**value))
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Object)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// A content block while it grows.
#[derive(Debug)]
pub(super) struct Block {
    fields: Fields,
    /// Text that grew by deltas, by field.
    grown: Vec<(&'static str, String)>,
    /// Pieces of `input`; empty if it came whole.
    input: String,
    citations: Vec<Box<RawValue>>,
    /// Whether its end was seen.
    pub(super) end: End,
}

/// Whether a block is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Open,
    Seen,
}

/// A block that is over.
pub(super) struct Finished {
    pub(super) kind: String,
    pub(super) json: String,
    /// The text of a text block.
    pub(super) text: String,
    /// Id, name and input (as received) of a tool call.
    pub(super) call: Option<(String, String, String)>,
    /// Whether the input of a tool call is JSON.
    pub(super) input: Input,
}

/// What became of a tool call's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Whole,
    Broken,
}

impl Block {
    pub(super) fn begin(fields: Fields) -> Self {
        Self {
            fields,
            grown: Vec::new(),
            input: String::new(),
            citations: Vec::new(),
            end: End::Open,
        }
    }

    pub(super) fn kind(&self) -> String {
        self.fields.text("type")
    }

    pub(super) fn name(&self) -> String {
        self.fields.text("name")
    }

    /// Adds to a text field.
    pub(super) fn grow(&mut self, field: &'static str, more: &str) {
        match self.grown.iter_mut().find(|(name, _)| *name == field) {
            Some((_, text)) => text.push_str(more),
            None => self.grown.push((field, self.fields.text(field) + more)),
        }
    }

    /// Replaces a field, as signatures come.
    pub(super) fn replace(&mut self, field: &str, value: &RawValue) {
        self.fields.set(field, value.to_owned());
    }

    pub(super) fn grow_input(&mut self, more: &str) {
        self.input.push_str(more);
    }

    pub(super) fn cite(&mut self, citation: &RawValue) {
        self.citations.push(citation.to_owned());
    }

    pub(super) fn finish(mut self) -> Finished {
        for (field, text) in std::mem::take(&mut self.grown) {
            self.fields.set_text(field, &text);
        }
        self.add_citations();
        let (received, input) = self.settle_input();
        let kind = self.kind();
        let call = (kind == "tool_use").then(|| (self.fields.text("id"), self.name(), received));
        let text = if kind == "text" {
            self.fields.text("text")
        } else {
            String::new()
        };
        let json = serde_json::to_string(&self.fields).expect("raw JSON values serialize");
        Finished {
            kind,
            json,
            text,
            call,
            input,
        }
    }

    fn add_citations(&mut self) {
        if self.citations.is_empty() {
            return;
        }
        let before = self
            .fields
            .raw("citations")
            .and_then(|raw| serde_json::from_str(raw.get()).ok());
        let mut all: Vec<Box<RawValue>> = before.unwrap_or_default();
        all.append(&mut self.citations);
        self.fields.set(
            "citations",
            serde_json::value::to_raw_value(&all).expect("raw JSON values serialize"),
        );
    }

    /// Puts the collected input in its place, and returns it as received. Input
    /// that is no JSON cannot be sent back: the history gets `{}`.
    fn settle_input(&mut self) -> (String, Input) {
        let pieces = std::mem::take(&mut self.input);
        if pieces.trim().is_empty() {
            let whole = self
                .fields
                .raw("input")
                .map_or("{}", RawValue::get)
                .to_owned();
            if self.kind() == "tool_use" && self.fields.raw("input").is_none() {
                self.fields.set("input", raw("{}"));
            }
            return (whole, Input::Whole);
        }
        match RawValue::from_string(pieces.clone()) {
            Ok(input) if input.get().starts_with('{') => {
                self.fields.set("input", input);
                (pieces, Input::Whole)
            }
            _ => {
                self.fields.set("input", raw("{}"));
                (pieces, Input::Broken)
            }
        }
    }
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("a literal is JSON")
}
