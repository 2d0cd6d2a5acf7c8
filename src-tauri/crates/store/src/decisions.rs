//! The texts of the `decision` view that no other row has: an operation's
//! parameters and the model's own words before it. They stand in the contents'
//! own rows, as plain text, and what is compressed there leaves them out.

use std::path::Path;

use bytes::Bytes;
use domain::{BlobRef, Event, OpId, OpKind, OpOutcome};
use serde_json::Value;

use crate::blobs::{self, Prepared, Shown};
use crate::chain::{Hash, name_bytes};
use crate::error::WriteError;

/// What the view shows of the model's own words (DESIGN §4).
const REASONING: usize = 2048;

/// What the view shows of an operation's parameters; the whole is a blob.
const PARAMETERS: usize = 512;

/// Larger arguments are not looked for in the answer that asked with them.
const LARGEST_BASE: usize = 64 << 10;

/// What an event shows of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// An operation's arguments.
    Parameters,
    /// A model's answer.
    Answer,
}

impl Role {
    /// The text to show, if there is any.
    pub(crate) fn words(self, bytes: &[u8]) -> Option<String> {
        let words = match self {
            Self::Parameters => clip(std::str::from_utf8(bytes).ok()?, PARAMETERS),
            Self::Answer => clip(&words_in(bytes), REASONING),
        };
        (!words.is_empty()).then_some(words)
    }
}

/// Whether a text is what is shown of a content, in whichever role.
pub(crate) fn is_shown(words: &str, bytes: &[u8]) -> bool {
    [Role::Parameters, Role::Answer]
        .iter()
        .any(|role| role.words(bytes).as_deref() == Some(words))
}

/// Whether [`roles`] needs to know of operations recorded before these events.
pub(crate) fn asks_about_ops(events: &[Event]) -> bool {
    events
        .iter()
        .any(|event| matches!(event, Event::OpFinished { .. }))
}

/// The contents that events show. `is_model` tells whether an operation recorded
/// before these events is a model call.
pub(crate) fn roles(
    events: &[Event],
    mut is_model: impl FnMut(OpId) -> bool,
) -> Vec<(BlobRef, Role)> {
    let mut found = Vec::new();
    let mut calls = Vec::new();
    for event in events {
        match event {
            Event::OpIntended {
                op,
                op_kind: OpKind::Model,
                ..
            } => calls.push(*op),
            Event::OpIntended { args, .. } => found.push((args.clone(), Role::Parameters)),
            Event::OpFinished {
                op,
                outcome: OpOutcome::Ok,
                result,
                ..
            } if calls.contains(op) || is_model(*op) => found.push((result.clone(), Role::Answer)),
            _ => {}
        }
    }
    found
}

/// Makes contents ready to be recorded, arguments before the answers that repeat them.
/// What is known to be stored is only named: the fixed part of a model's requests comes
/// with every one. Blocks.
pub(crate) fn prepare(
    home: &Path,
    contents: &[Bytes],
    roles: &[(BlobRef, Role)],
    is_known: impl Fn(&Hash) -> bool,
) -> Result<Vec<Prepared>, WriteError> {
    let roles: Vec<(Hash, Role)> = roles
        .iter()
        .filter_map(|(name, role)| Some((name_bytes(name)?, *role)))
        .collect();
    let mut answers = Vec::new();
    let mut done = Vec::with_capacity(contents.len());
    let mut parameters: Vec<(Hash, &[u8])> = Vec::new();
    for bytes in contents {
        let hash = *blake3::hash(bytes).as_bytes();
        let role = roles.iter().find(|(h, _)| *h == hash).map(|(_, r)| *r);
        if role == Some(Role::Answer) {
            answers.push(bytes);
            continue;
        }
        // One that comes to be shown may still be without its words.
        if role.is_none() && is_known(&hash) {
            done.push(Prepared::known(hash));
            continue;
        }
        let words = role.and_then(|role| role.words(bytes));
        let blob = blobs::prepare(
            home,
            bytes,
            Shown {
                words,
                ..Shown::default()
            },
        )?;
        if role.is_some() && bytes.len() <= LARGEST_BASE {
            parameters.push((blob.hash, bytes));
        }
        done.push(blob);
    }
    for bytes in answers {
        let shown = Shown {
            words: Role::Answer.words(bytes),
            bases: parameters.clone(),
        };
        done.push(blobs::prepare(home, bytes, shown)?);
    }
    Ok(done)
}

/// The texts of content blocks, whoever's they are: every `text` of a block, or
/// its `thinking` where there is no text.
fn words_in(bytes: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return String::from_utf8_lossy(bytes).into_owned();
    };
    let mut words = String::new();
    collect(&value, &["text", "content"], &mut words);
    if words.is_empty() {
        collect(
            &value,
            &["thinking", "reasoning", "reasoning_content"],
            &mut words,
        );
    }
    words
}

fn collect(value: &Value, keys: &[&str], words: &mut String) {
    match value {
        Value::String(text) => {
            if !words.is_empty() {
                words.push('\n');
            }
            words.push_str(text);
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, keys, words)),
        Value::Object(fields) => {
            for key in keys {
                if let Some(inner) = fields.get(*key) {
                    collect(inner, keys, words);
                }
            }
        }
        _ => {}
    }
}

/// At most `limit` bytes, cut between characters.
fn clip(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit - '…'.len_utf8());
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_either_kind_of_answer() {
        let blocks = br#"[{"type":"thinking","thinking":"hm"},{"type":"text","text":"I look."},{"type":"tool_use","name":"x","input":{"text":"no"}}]"#;
        assert_eq!(words_in(blocks), "I look.");
        let message = br#"{"role":"assistant","content":"I look.","tool_calls":[]}"#;
        assert_eq!(words_in(message), "I look.");
        assert_eq!(words_in(br#"[{"type":"thinking","thinking":"hm"}]"#), "hm");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let cut = clip(&"ü".repeat(2000), REASONING);
        assert!(cut.len() <= REASONING && cut.ends_with("ü…"));
    }
}
