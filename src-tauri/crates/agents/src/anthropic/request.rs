//! A request out of the conversation, laid out so that as much as possible of it
//! is read from the provider's cache.

use domain::{OpErrorKind, OpOutcome};
use serde::Serialize;
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
    Assistant(&'a RawValue),
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
                // An answer of nothing (all of it was cut off) cannot be sent back.
                let raw: &RawValue = serde_json::from_str(content)?;
                if !is_empty_list(raw) {
                    end_user_turn(&mut messages, &mut results, &mut texts);
                    messages.push(Message::Assistant(raw));
                }
            }
        }
    }
    end_user_turn(&mut messages, &mut results, &mut texts);
    Ok(messages)
}

fn is_empty_list(raw: &RawValue) -> bool {
    serde_json::from_str::<Vec<&RawValue>>(raw.get()).is_ok_and(|blocks| blocks.is_empty())
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

#[cfg(test)]
mod tests {
    use domain::MessageOrigin;
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn user(text: &str) -> ChatMessage {
        ChatMessage::User {
            origin: MessageOrigin::User,
            text: text.to_owned(),
        }
    }

    fn result(call_id: &str, text: &str, outcome: OpOutcome) -> ChatMessage {
        ChatMessage::ToolResult {
            call_id: call_id.to_owned(),
            text: text.to_owned(),
            outcome,
        }
    }

    fn model(content: &str) -> ChatMessage {
        ChatMessage::Model {
            content: content.to_owned(),
        }
    }

    fn text_of(model: &str, conversation: Vec<ChatMessage>) -> String {
        let tool = ToolSpec {
            name: "look",
            description: "Looks.",
            input_schema: json!({"type": "object"}),
            class: domain::OpClass::Pure,
        };
        let request = TurnRequest {
            model: model.to_owned(),
            frame: frame(
                "be brief",
                &[
                    tool.clone(),
                    ToolSpec {
                        name: "see",
                        ..tool
                    },
                ],
            ),
            conversation,
            max_tokens: 100,
            key: None,
            silence_ms: 1000,
            cancel: CancellationToken::new(),
            agent: None,
        };
        String::from_utf8(body(&request, Thinking::ByModel).expect("a body")).expect("UTF-8")
    }

    fn json_of(conversation: Vec<ChatMessage>) -> Value {
        serde_json::from_str(&text_of("claude-opus-4-5", conversation)).expect("JSON")
    }

    #[test]
    fn results_come_first_in_one_user_turn() {
        let body = json_of(vec![
            user("go"),
            model(r#"[{"type":"tool_use","id":"a","name":"look","input":{}}]"#),
            result("a", "1", OpOutcome::Ok),
            user("and"),
            result("b", "", OpOutcome::Error),
            user("   "),
        ]);
        let turn = &body["messages"][2];
        let kinds: Vec<_> = turn["content"]
            .as_array()
            .expect("blocks")
            .iter()
            .map(|b| b["type"].clone())
            .collect();
        assert_eq!(kinds, ["tool_result", "tool_result", "text"]);
        assert_eq!(turn["content"][0].get("is_error"), None);
        assert_eq!(turn["content"][1]["is_error"], true);
        assert_eq!(turn["content"][1]["content"], "(no output)");
        assert_eq!(body["messages"].as_array().expect("a list").len(), 3);
    }

    #[test]
    fn an_answer_is_sent_back_byte_for_byte() {
        let content = r#"[ {"type":"thinking","thinking":"\u00e9/\/","signature":"x=="},{"n":1.0e400,"k":12345678901234567890123,"n":1} ]"#;
        let text = text_of("m", vec![user("go"), model(content), user("on")]);
        assert!(text.contains(content), "{text}");
    }

    #[test]
    fn an_empty_answer_is_left_out() {
        let body = json_of(vec![user("go"), model(" [ ] "), user("go on")]);
        assert_eq!(body["messages"].as_array().expect("a list").len(), 1);
    }

    #[test]
    fn four_places_are_marked_for_the_cache_and_they_move() {
        let answer = r#"[{"type":"text","text":"x"}]"#;
        let body = json_of(vec![
            user("1"),
            model(answer),
            user("2"),
            model(answer),
            user("3a"),
            user("3b"),
        ]);
        assert_eq!(body.to_string().matches("cache_control").count(), 4);
        assert_eq!(body["system"][0]["cache_control"]["type"], "ephemeral");
        assert_eq!(body["tools"][1]["cache_control"]["type"], "ephemeral");
        assert_eq!(
            body["messages"][2]["content"][0]["cache_control"]["type"],
            "ephemeral"
        );
        assert_eq!(
            body["messages"][4]["content"][1]["cache_control"]["type"],
            "ephemeral"
        );
    }

    #[test]
    fn thinking_is_asked_for_where_it_is_taken_and_sampling_never() {
        for name in [
            "claude-opus-4-6",
            "claude-sonnet-5",
            "claude-haiku-5-5-20261007",
            "eu.anthropic.claude-fable-5-2",
        ] {
            assert!(takes_adaptive_thinking(name), "{name}");
        }
        for name in [
            "claude-opus-4-5-20251101",
            "claude-opus-4-20250514",
            "claude-3-7-sonnet",
            "gpt-6",
            "scripted",
            "claude-",
        ] {
            assert!(!takes_adaptive_thinking(name), "{name}");
        }
        let text = text_of("claude-opus-5-5", vec![user("go")]);
        assert!(text.contains(r#""thinking":{"type":"adaptive"}"#), "{text}");
        assert!(
            !["temperature", "top_p", "top_k"]
                .iter()
                .any(|field| text.contains(field)),
            "{text}"
        );
    }
}
