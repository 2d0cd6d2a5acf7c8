//! A request out of the conversation, laid out so that as much as possible of it
//! is read from the provider's cache.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use domain::{OpErrorKind, OpOutcome};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Thinking;
use crate::driver::{ChatMessage, Frame, ToolSpec, TurnError, TurnRequest};

/// Bytes that are certainly no fewer than one token's: English is about 4, code
/// about 3, and reservations should rather be too large.
const BYTES_A_TOKEN: usize = 3;

/// A safe guess of how many tokens `bytes` bytes of prompt are.
pub fn estimate_tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(BYTES_A_TOKEN)).unwrap_or(u64::MAX)
}

/// The unchanging front of all requests of a run.
pub fn frame(system: &str, tools: &[ToolSpec]) -> Frame {
    let mut listed: Vec<Value> = tools
        .iter()
        .map(|tool| json!({"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}))
        .collect();
    if let Some(last) = listed.last_mut() {
        last["cache_control"] = json!(CacheControl::EPHEMERAL);
    }
    Frame {
        system: system.to_owned(),
        tools: Value::Array(listed),
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
struct CacheControl {
    #[serde(rename = "type")]
    kind: &'static str,
}

impl CacheControl {
    const EPHEMERAL: Self = Self { kind: "ephemeral" };
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    stream: Streamed,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<UserBlock<'a>>,
    #[serde(skip_serializing_if = "no_tools")]
    tools: &'a Value,
    messages: Vec<Message<'a>>,
}

/// Always `true` on the wire.
struct Streamed;

impl Serialize for Streamed {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bool(true)
    }
}

fn no_tools(tools: &Value) -> bool {
    tools.as_array().is_none_or(Vec::is_empty)
}

#[derive(Serialize)]
#[serde(tag = "role", content = "content", rename_all = "lowercase")]
enum Message<'a> {
    User(Vec<UserBlock<'a>>),
    Assistant(Cow<'a, RawValue>),
}

#[derive(Serialize)]
struct UserBlock<'a> {
    #[serde(flatten)]
    kind: BlockKind<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BlockKind<'a> {
    Text {
        text: &'a str,
    },
    ToolResult {
        tool_use_id: &'a str,
        content: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        is_error: Option<IsError>,
    },
}

/// Always `true` on the wire; left out otherwise.
struct IsError;

impl Serialize for IsError {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bool(true)
    }
}

impl<'a> UserBlock<'a> {
    fn of(kind: BlockKind<'a>) -> Self {
        Self {
            kind,
            cache_control: None,
        }
    }
}

/// The JSON text of a request.
pub(super) fn body(request: &TurnRequest, thinking: Thinking) -> Result<Vec<u8>, TurnError> {
    let wrong = |problem: String| TurnError::refused(OpErrorKind::BadRequest, problem);
    let mut messages = messages(&request.conversation).map_err(|error| {
        wrong(format!(
            "the conversation holds an answer that is no JSON: {error}"
        ))
    })?;
    if messages.is_empty() {
        return Err(wrong(
            "there is nothing to ask: the conversation is empty".to_owned(),
        ));
    }
    mark_for_cache(&mut messages);
    let mut system = Vec::new();
    if !request.frame.system.trim().is_empty() {
        let text = BlockKind::Text {
            text: &request.frame.system,
        };
        system.push(UserBlock {
            kind: text,
            cache_control: Some(CacheControl::EPHEMERAL),
        });
    }
    let adaptive = thinking == Thinking::ByModel && takes_adaptive_thinking(&request.model);
    let body = Body {
        model: &request.model,
        max_tokens: request.max_tokens.max(1),
        stream: Streamed,
        thinking: adaptive.then(|| json!({"type": "adaptive"})),
        system,
        tools: &request.frame.tools,
        messages,
    };
    serde_json::to_vec(&body)
        .map_err(|error| wrong(format!("the request cannot be written: {error}")))
}

/// The conversation as turns: neighbouring results and texts are one user turn,
/// results first (the API wants them at its beginning).
fn messages(conversation: &[ChatMessage]) -> Result<Vec<Message<'_>>, serde_json::Error> {
    let mut messages = Vec::new();
    let (mut results, mut texts) = (Vec::new(), Vec::new());
    for message in conversation {
        match message {
            ChatMessage::User { text, .. } if text.trim().is_empty() => {}
            ChatMessage::User { text, .. } => texts.push(UserBlock::of(BlockKind::Text { text })),
            ChatMessage::ToolResult {
                call_id,
                text,
                outcome,
            } => {
                results.push(UserBlock::of(BlockKind::ToolResult {
                    tool_use_id: call_id,
                    content: if text.is_empty() { "(no output)" } else { text },
                    is_error: (*outcome == OpOutcome::Error).then_some(IsError),
                }));
            }
            ChatMessage::Model { content } => {
                if let Some(blocks) = sendable(content)? {
                    end_user_turn(&mut messages, &mut results, &mut texts);
                    messages.push(Message::Assistant(blocks));
                }
            }
        }
    }
    end_user_turn(&mut messages, &mut results, &mut texts);
    Ok(messages)
}

/// A stored answer as it may be sent: as it came, but for what another API's model thought,
/// which this one does not know. `None` if nothing is left: an answer of nothing (all of it
/// was cut off) cannot be sent back.
fn sendable(content: &str) -> Result<Option<Cow<'_, RawValue>>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(rename = "type", borrow, default)]
        kind: Cow<'a, str>,
    }
    let raw: &RawValue = serde_json::from_str(content)?;
    let blocks: Vec<&RawValue> = serde_json::from_str(raw.get())?;
    let foreign = |block: &&RawValue| {
        serde_json::from_str::<Kind<'_>>(block.get()).is_ok_and(|block| block.kind == "reasoning")
    };
    if !blocks.iter().any(foreign) {
        return Ok((!blocks.is_empty()).then_some(Cow::Borrowed(raw)));
    }
    let own: Vec<&RawValue> = blocks.into_iter().filter(|block| !foreign(block)).collect();
    if own.is_empty() {
        return Ok(None);
    }
    serde_json::value::to_raw_value(&own).map(|own| Some(Cow::Owned(own)))
}

fn end_user_turn<'a>(
    messages: &mut Vec<Message<'a>>,
    results: &mut Vec<UserBlock<'a>>,
    texts: &mut Vec<UserBlock<'a>>,
) {
    let mut blocks = std::mem::take(results);
    blocks.append(texts);
    if !blocks.is_empty() {
        messages.push(Message::User(blocks));
    }
}

/// Marks the ends of the last two user turns. The earlier one is where the last
/// request's prefix ended, so this one reads it; the later is where the next will.
/// With those of the frame that makes four, the most the API takes.
fn mark_for_cache(messages: &mut [Message<'_>]) {
    let turns = messages
        .iter_mut()
        .rev()
        .filter_map(|message| match message {
            Message::User(blocks) => blocks.last_mut(),
            Message::Assistant(_) => None,
        });
    for last in turns.take(2) {
        last.cache_control = Some(CacheControl::EPHEMERAL);
    }
}

/// Whether a model takes `thinking: adaptive`: Claude from 4.6 on. The others
/// refuse it.
fn takes_adaptive_thinking(model: &str) -> bool {
    let Some((_, name)) = model.split_once("claude-") else {
        return false;
    };
    // opus-4-6, sonnet-5, haiku-5-5-20261007. Earlier names (3-7-sonnet) begin with
    // the number and are too old.
    let mut parts = name.split(['-', '.', '@', ':']);
    if parts
        .next()
        .is_none_or(|family| !family.starts_with(|c: char| c.is_ascii_alphabetic()))
    {
        return false;
    }
    let mut parts = parts.map(|part| part.parse::<u32>().ok());
    let major = parts.next().flatten();
    // A date after the major version is no minor version.
    let minor = parts
        .next()
        .flatten()
        .filter(|minor| *minor < 100)
        .unwrap_or(0);
    match major {
        Some(4) => minor >= 6,
        Some(major) => (5..100).contains(&major),
        None => false,
    }
}
