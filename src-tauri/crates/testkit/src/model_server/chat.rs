//! Chat completions: the same scripts in OpenAI's words.

mod check;

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    fault::ApiError,
    script::Usage,
    wire::{Answer, fresh, sse},
};

pub(crate) use check::check;

/// Whose manners the server has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Manner {
    /// OpenAI's: refuses what it does not know, counts every token if asked to.
    #[default]
    OpenAi,
    /// A small server on somebody's machine: any model, any field, a null `usage`, no
    /// `[DONE]`, all calls numbered 0, ids that are the same in every answer, and the error
    /// as a bare text.
    Plain,
}

/// Which API a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Messages,
    Chat,
    Responses,
}

impl Api {
    /// By its path; where both have the same, by the header that only one of them wants.
    pub(crate) fn of(path: &str, headers: &HeaderMap) -> Self {
        let shared = path == "/v1/models" && !headers.contains_key("anthropic-version");
        let bearer = headers.contains_key("authorization") || !headers.contains_key("x-api-key");
        match path {
            "/v1/chat/completions" => Self::Chat,
            "/v1/responses" => Self::Responses,
            _ if shared && bearer => Self::Chat,
            _ => Self::Messages,
        }
    }

    /// How many events say that all was said.
    pub(crate) fn last_events(self) -> usize {
        match self {
            Self::Messages | Self::Responses => 1,
            // The finish, the usage, and `[DONE]`.
            Self::Chat => 3,
        }
    }

    pub(crate) fn id_header(self) -> &'static str {
        match self {
            Self::Messages => "request-id",
            Self::Chat | Self::Responses => "x-request-id",
        }
    }

    pub(crate) fn error_event(self) -> String {
        match self {
            Self::Messages => sse(
                &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded (scripted)"}}),
            ),
            Self::Responses => sse(
                &json!({"type": "response.failed", "response": {"status": "failed",
                    "error": {"code": "server_is_overloaded", "message": "The server is overloaded (scripted)"}}}),
            ),
            Self::Chat => data(
                &json!({"error": {"message": "The server is overloaded (scripted)", "type": "server_error", "code": null}}),
            ),
        }
    }

    pub(crate) fn error_body(self, error: &ApiError, request_id: &str) -> Value {
        match self {
            Self::Messages => error.body(request_id),
            Self::Chat | Self::Responses => chat_error(error),
        }
    }

    pub(crate) fn far_limits(self) -> Vec<(String, &'static str)> {
        let mut headers = Vec::new();
        match self {
            Self::Messages => {
                for gauge in ["requests", "tokens", "input-tokens", "output-tokens"] {
                    let name = |part: &str| format!("anthropic-ratelimit-{gauge}-{part}");
                    headers.push((name("limit"), "4000000"));
                    headers.push((name("remaining"), "3999999"));
                    headers.push((name("reset"), "2099-01-01T00:00:00Z"));
                }
            }
            Self::Chat | Self::Responses => {
                for gauge in ["requests", "tokens"] {
                    let name = |part: &str| format!("x-ratelimit-{part}-{gauge}");
                    headers.push((name("limit"), "4000000"));
                    headers.push((name("remaining"), "3999999"));
                    headers.push((name("reset"), "20ms"));
                }
            }
        }
        headers
    }
}

/// The same error in OpenAI's words.
fn chat_error(error: &ApiError) -> Value {
    let (kind, code) = match error.kind.as_str() {
        _ if error.code.is_some() => ("insufficient_quota", Some("insufficient_quota")),
        "rate_limit_error" => ("requests", Some("rate_limit_exceeded")),
        "authentication_error" => ("invalid_request_error", Some("invalid_api_key")),
        "not_found_error" => ("invalid_request_error", Some("model_not_found")),
        "overloaded_error" | "api_error" => ("server_error", None),
        other => (other, None),
    };
    json!({"error": {"message": error.message, "type": kind, "param": null, "code": code}})
}

/// A request in the words of the Messages API, for the scripts.
pub(crate) fn as_messages(body: &Value) -> Value {
    let mut system = Vec::new();
    let mut messages: Vec<Value> = Vec::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        let text = super::text_of(&message["content"]);
        match message["role"].as_str() {
            Some("system" | "developer") => system.push(text),
            Some("assistant") => {
                messages.push(json!({"role": "assistant", "content": blocks(message, &text)}))
            }
            Some("tool") => messages.push(json!({"role": "user", "content": [{
                "type": "tool_result", "tool_use_id": message["tool_call_id"], "content": text,
                "is_error": text.starts_with("Error: "),
            }]})),
            _ => {
                messages.push(json!({"role": "user", "content": [{"type": "text", "text": text}]}))
            }
        }
    }
    let tools: Vec<Value> = body["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tool| &tool["function"])
        .map(|f| json!({"name": f["name"], "description": f["description"], "input_schema": f["parameters"]}))
        .collect();
    let most = [&body["max_completion_tokens"], &body["max_tokens"]]
        .into_iter()
        .find_map(Value::as_u64);
    json!({
        "model": body["model"], "system": system.join("\n"), "messages": messages, "tools": tools,
        "max_tokens": most, "stream": body["stream"], "stream_options": body["stream_options"],
        "x_manner": body["x_manner"],
    })
}

fn blocks(message: &Value, text: &str) -> Vec<Value> {
    let mut blocks = Vec::new();
    if !text.is_empty() {
        blocks.push(json!({"type": "text", "text": text}));
    }
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
        let input: Value = serde_json::from_str(arguments).unwrap_or_default();
        blocks.push(json!({"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": input}));
    }
    blocks
}

pub(crate) fn without_thinking(content: &[Value]) -> Vec<Value> {
    let own = content.iter().filter(|block| block["type"] != "thinking");
    own.cloned().collect()
}

fn manner(body: &Value) -> Manner {
    serde_json::from_value(body["x_manner"].clone()).unwrap_or_default()
}

fn finish(answer: &Answer) -> &str {
    match answer.stop_reason.as_str() {
        "end_turn" | "stop_sequence" => "stop",
        "tool_use" => "tool_calls",
        "max_tokens" => "length",
        "refusal" => "content_filter",
        other => other,
    }
}

/// The usage as this API reports it: the prompt with all that was cached.
fn usage(usage: &Usage) -> Value {
    let written = usage.cache_write_5m + usage.cache_write_1h;
    let prompt = usage.input + usage.cache_read + written;
    json!({
        "prompt_tokens": prompt, "completion_tokens": usage.output, "total_tokens": prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": written, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.thinking, "audio_tokens": 0},
    })
}

fn tier(usage: &Usage) -> &str {
    match usage.service_tier.as_str() {
        "standard" => "default",
        other => other,
    }
}

fn call(block: &Value, at: usize, manner: Manner) -> Value {
    let (index, id) = match manner {
        Manner::OpenAi => (at, block["id"].clone()),
        // Told apart within an answer, and not from those of the one before.
        Manner::Plain => (0, json!(format!("call_{at}"))),
    };
    json!({
        "index": index, "id": id, "type": "function",
        "function": {"name": block["name"], "arguments": ""},
    })
}

fn of_kind<'a>(answer: &'a Answer, kind: &'static str) -> impl Iterator<Item = &'a Value> {
    answer
        .content
        .iter()
        .filter(move |block| block["type"] == kind)
}

/// The stream as it stands on the wire, event by event.
pub(crate) fn events(answer: &Answer, body: &Value) -> Vec<String> {
    let manner = manner(body);
    let id = fresh("chatcmpl");
    let chunk = |delta: Value, finish: Value| {
        json!({
            "id": id, "object": "chat.completion.chunk", "created": 1_790_000_000, "model": answer.model,
            "service_tier": tier(&answer.usage), "system_fingerprint": "fp_scripted",
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}], "usage": null,
        })
    };
    let mut events = vec![chunk(
        json!({"role": "assistant", "content": "", "refusal": null}),
        Value::Null,
    )];
    if answer.unknown_events {
        events.push(json!({"id": id, "object": "weather", "choices": [], "x_unknown_field": {"sunny": true}}));
    }
    for (kind, field) in [("thinking", "reasoning_content"), ("text", "content")] {
        for block in of_kind(answer, kind) {
            let text = if kind == "text" {
                &block["text"]
            } else {
                &block["thinking"]
            };
            events.extend(
                answer
                    .pieces(text)
                    .map(|piece| chunk(json!({field: piece}), Value::Null)),
            );
        }
    }
    for (at, block) in of_kind(answer, "tool_use").enumerate() {
        let first = call(block, at, manner);
        let index = first["index"].clone();
        events.push(chunk(json!({"tool_calls": [first]}), Value::Null));
        let input = Value::String(block["input"].to_string());
        events.extend(answer.pieces(&input).map(|piece| {
            let more = json!([{"index": index, "function": {"arguments": piece}}]);
            chunk(json!({"tool_calls": more}), Value::Null)
        }));
    }
    events.push(chunk(json!({}), json!(finish(answer))));
    let asked = body["stream_options"]["include_usage"] == true;
    let mut told: Vec<String> = events.iter().map(data).collect();
    if manner == Manner::OpenAi {
        if asked {
            let mut last = chunk(json!({}), Value::Null);
            last["choices"] = json!([]);
            last["usage"] = usage(&answer.usage);
            told.push(data(&last));
        }
        told.push("data: [DONE]\n\n".to_owned());
    }
    told
}

/// An unstreamed answer.
pub(crate) fn whole(answer: &Answer, body: &Value) -> Value {
    let manner = manner(body);
    let text: Vec<&str> = of_kind(answer, "text")
        .filter_map(|block| block["text"].as_str())
        .collect();
    let calls: Vec<Value> = of_kind(answer, "tool_use")
        .enumerate()
        .map(|(at, block)| {
            let mut call = call(block, at, manner);
            call["function"]["arguments"] = json!(block["input"].to_string());
            call
        })
        .collect();
    let mut message = json!({"role": "assistant", "content": text.join("\n"), "refusal": null});
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    let reported = match manner {
        Manner::OpenAi => usage(&answer.usage),
        Manner::Plain => Value::Null,
    };
    json!({
        "id": fresh("chatcmpl"), "object": "chat.completion", "created": 1_790_000_000, "model": answer.model,
        "service_tier": tier(&answer.usage), "usage": reported,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish(answer)}],
    })
}

fn data(event: &Value) -> String {
    format!("data: {event}\n\n")
}
