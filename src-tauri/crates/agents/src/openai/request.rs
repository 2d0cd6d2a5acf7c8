//! A chat completions request out of the conversation.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use domain::{OpErrorKind, OpOutcome};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::dialect::{AskUsage, Dialect, LimitField, SendReasoning, Vendor};
use crate::driver::{ChatMessage, TurnError, TurnRequest};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    /// OpenRouter's own word for `stream_options`, which has it add what the call cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum Message<'a> {
    System {
        content: &'a str,
    },
    User {
        content: String,
    },
    Assistant {
        content: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
        #[serde(flatten)]
        reasoning: Map<String, Value>,
    },
    Tool {
        tool_call_id: &'a str,
        content: Cow<'a, str>,
    },
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: String,
    arguments: &'a str,
}

/// A block of a stored answer.
#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    reasoning: Option<Value>,
    #[serde(default)]
    reasoning_content: Option<Value>,
    #[serde(default)]
    reasoning_details: Option<Value>,
}

/// The JSON text of a request to `endpoint`.
pub(super) fn body(
    request: &TurnRequest,
    endpoint: &str,
    dialect: Dialect,
) -> Result<Vec<u8>, TurnError> {
    let wrong = |problem: String| TurnError::refused(OpErrorKind::BadRequest, problem);
    let mut messages = Vec::new();
    if !request.frame.system.trim().is_empty() {
        let content = &request.frame.system;
        messages.push(Message::System { content });
    }
    let begin = messages.len();
    let own = Some(endpoint).filter(|_| dialect.reasoning == SendReasoning::Yes);
    add_conversation(&request.conversation, own, &mut messages).map_err(|error| {
        wrong(format!(
            "the conversation holds an answer that is no JSON: {error}"
        ))
    })?;
    if messages.len() == begin {
        return Err(wrong(
            "there is nothing to ask: the conversation is empty".to_owned(),
        ));
    }
    let most = Some(request.max_tokens.max(1));
    let old_name = dialect.limit == LimitField::MaxTokens;
    let body = Body {
        model: &request.model,
        messages,
        tools: functions(&request.frame.tools),
        stream: true,
        stream_options: (dialect.ask_usage == AskUsage::Yes)
            .then(|| json!({"include_usage": true})),
        max_tokens: most.filter(|_| old_name),
        max_completion_tokens: most.filter(|_| !old_name),
        usage: (dialect.vendor == Vendor::OpenRouter).then(|| json!({"include": true})),
    };
    serde_json::to_vec(&body)
        .map_err(|error| wrong(format!("the request cannot be written: {error}")))
}

/// The tools of a frame, which are in the words of the Messages API.
fn functions(tools: &Value) -> Vec<Value> {
    let tools = tools.as_array().map(Vec::as_slice).unwrap_or_default();
    let function = |tool: &Value| {
        json!({"type": "function", "function": {
            "name": tool["name"], "description": tool["description"], "parameters": tool["input_schema"],
        }})
    };
    tools.iter().map(function).collect()
}

/// Results stand right behind the answer that asked for them, texts after them; texts in
/// a row are one message, because many models' templates take no two of one role.
fn add_conversation<'a>(
    conversation: &'a [ChatMessage],
    own: Option<&str>,
    messages: &mut Vec<Message<'a>>,
) -> Result<(), serde_json::Error> {
    let is_text = |message: &ChatMessage| matches!(message, ChatMessage::User { .. });
    let last_text = conversation.iter().rposition(is_text).unwrap_or(0);
    let mut texts: Vec<&str> = Vec::new();
    for (at, message) in conversation.iter().enumerate() {
        match message {
            ChatMessage::User { text, .. } if text.trim().is_empty() => {}
            ChatMessage::User { text, .. } => texts.push(text),
            ChatMessage::ToolResult {
                call_id,
                text,
                outcome,
            } => messages.push(Message::Tool {
                tool_call_id: call_id,
                content: told(text, *outcome),
            }),
            ChatMessage::Model { content } => {
                let thoughts = if at > last_text {
                    Thoughts::Wanted
                } else {
                    Thoughts::Over
                };
                if let Some(answer) = assistant(content, own, thoughts)? {
                    end_texts(&mut texts, messages);
                    messages.push(answer);
                }
            }
        }
    }
    end_texts(&mut texts, messages);
    Ok(())
}

fn end_texts(texts: &mut Vec<&str>, messages: &mut Vec<Message<'_>>) {
    if !texts.is_empty() {
        let content = std::mem::take(texts).join("\n\n");
        messages.push(Message::User { content });
    }
}

/// A result as this API takes it, which has no field for errors.
fn told(text: &str, outcome: OpOutcome) -> Cow<'_, str> {
    match outcome {
        OpOutcome::Error => Cow::Owned(format!("Error: {text}")),
        _ if text.is_empty() => Cow::Borrowed("(no output)"),
        _ => Cow::Borrowed(text),
    }
}

/// Whether an answer's reasoning goes back: models want that of the calls they are in the
/// middle of, and some servers refuse all that is older.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Thoughts {
    Wanted,
    Over,
}

/// A stored answer as a message, with reasoning that came from `own`; `None` where nothing of it can be sent back (it was cut
/// off, or is only another vendor's thinking).
fn assistant<'a>(
    content: &'a str,
    own: Option<&str>,
    thoughts: Thoughts,
) -> Result<Option<Message<'a>>, serde_json::Error> {
    let blocks: Vec<Block<'a>> = serde_json::from_str(content)?;
    let (mut texts, mut calls, mut reasoning) = (Vec::new(), Vec::new(), Map::new());
    for block in blocks {
        match block.kind.as_str() {
            "text" => texts.extend(block.text.filter(|text| !text.trim().is_empty())),
            "tool_use" => calls.push(Call {
                id: block.id.unwrap_or_default(),
                kind: "function",
                function: Function {
                    name: block.name.unwrap_or_default(),
                    arguments: block.input.map_or("{}", RawValue::get),
                },
            }),
            // Only to the server it came from: another may not know the field.
            "reasoning" if own.is_some() && block.from.as_deref() == own => {
                for (field, value) in [
                    ("reasoning", block.reasoning),
                    ("reasoning_content", block.reasoning_content),
                    ("reasoning_details", block.reasoning_details),
                ] {
                    if let Some(value) = value {
                        reasoning.insert(field.to_owned(), value);
                    }
                }
            }
            _ => {}
        }
    }
    if texts.is_empty() && calls.is_empty() {
        return Ok(None);
    }
    if thoughts == Thoughts::Over || calls.is_empty() {
        reasoning.clear();
    }
    Ok(Some(Message::Assistant {
        content: Some(texts.join("\n\n")).filter(|text| !text.is_empty()),
        tool_calls: calls,
        reasoning,
    }))
}
