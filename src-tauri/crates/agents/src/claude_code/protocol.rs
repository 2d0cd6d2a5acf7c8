//! Claude Code's stream-json lines, read tolerantly: what is not known is kept
//! as [`Line::Other`], what is not JSON as [`Line::Garbage`]. And the few lines
//! we write. Recorded from version 2.1.329.

use domain::{Charge, Figure, NanoUsd, Tokens, UsagePart};
use serde_json::{Map, Value, json};

use crate::supervised::child::Survey;
use crate::supervised::line;
pub(crate) use crate::supervised::text;

/// The id of our `initialize`; one process gets exactly one.
pub(crate) const INITIALIZE: &str = "longhaul-initialize";

/// One line from the agent.
#[derive(Debug)]
pub(crate) enum Line {
    /// `system` messages: subtype and everything.
    System(String, Value),
    /// A raw event of the model's stream, and whether a subagent's.
    Stream(Value, Teller),
    /// A content block the model finished.
    Assistant(Value, Teller),
    /// Tool results, or text put in for the user.
    User(Value),
    /// The agent asks us something: request id and request.
    Request(String, Value),
    /// The agent takes a question back.
    Cancel(String),
    /// An answer to a request of ours: request id, and the error if it is one.
    Response(String, Option<String>),
    /// The end of the turn.
    Result(Value),
    /// Valid, but none of the above.
    Other(String),
    /// Not a JSON object.
    Garbage,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Teller {
    /// The agent itself.
    Main,
    /// A subagent it started.
    Subagent,
}

impl Line {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let Ok(Value::Object(fields)) = serde_json::from_slice(bytes) else {
            return Self::Garbage;
        };
        let mut message = Value::Object(fields);
        let teller = match message["parent_tool_use_id"].is_string() {
            true => Teller::Subagent,
            false => Teller::Main,
        };
        match text(&message, "type") {
            "system" => Self::System(text(&message, "subtype").to_owned(), message),
            "stream_event" => Self::Stream(message["event"].take(), teller),
            "assistant" => Self::Assistant(message, teller),
            "user" => Self::User(message["message"].take()),
            "control_request" => Self::Request(
                text(&message, "request_id").to_owned(),
                message["request"].take(),
            ),
            "control_cancel_request" => Self::Cancel(text(&message, "request_id").to_owned()),
            "control_response" => {
                let response = &message["response"];
                let failed = text(response, "subtype") == "error";
                let error = failed.then(|| text(response, "error").to_owned());
                Self::Response(text(response, "request_id").to_owned(), error)
            }
            "result" => Self::Result(message),
            other => Self::Other(other.to_owned()),
        }
    }
}

/// The readable text of a content: a string, or blocks some of which are text.
pub(crate) fn readable(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts: Vec<&str> = blocks
                .iter()
                .map(|b| text(b, "text"))
                .filter(|t| !t.is_empty())
                .collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// What a `system` message says to people.
pub(crate) fn remark(subtype: &str, message: &Value) -> String {
    let said = [text(message, "content"), text(message, "message")]
        .into_iter()
        .find(|t| !t.is_empty());
    let mut words = said.map_or_else(
        || format!("claude: {}", subtype.replace('_', " ")),
        |t| format!("claude: {t}"),
    );
    for (field, label) in [("original_model", "asked"), ("fallback_model", "answering")] {
        if let Some(model) = message[field].as_str() {
            words.push_str(&format!(" ({label}: {model})"));
        }
    }
    words
}

/// The first line we send. The agent answers within a second of its start.
pub(crate) fn initialize() -> Vec<u8> {
    line(&json!({
        "type": "control_request", "request_id": INITIALIZE,
        "request": {"subtype": "initialize", "hooks": null},
    }))
}

/// A message of the user.
pub(crate) fn prompt(text: &str, uuid: &str) -> Vec<u8> {
    line(&json!({
        "type": "user", "message": {"role": "user", "content": text},
        "parent_tool_use_id": null, "session_id": "", "uuid": uuid,
    }))
}

/// Asks the agent to end its turn.
pub(crate) fn interrupt() -> Vec<u8> {
    line(&json!({
        "type": "control_request", "request_id": "longhaul-interrupt",
        "request": {"subtype": "interrupt"},
    }))
}

/// Permission, with the input exactly as it was asked for.
pub(crate) fn allow(request_id: &str, input: &Value) -> Vec<u8> {
    let input = if input.is_object() {
        input.clone()
    } else {
        Value::Object(Map::new())
    };
    answer(
        request_id,
        json!({"behavior": "allow", "updatedInput": input}),
    )
}

/// Refusal, with words for the model.
pub(crate) fn deny(request_id: &str, why: &str) -> Vec<u8> {
    answer(request_id, json!({"behavior": "deny", "message": why}))
}

/// For requests this driver has nothing to say to.
pub(crate) fn unsupported(request_id: &str, what: &str) -> Vec<u8> {
    line(&json!({"type": "control_response", "response": {
        "subtype": "error", "request_id": request_id, "error": format!("{what} is not supported here"),
    }}))
}

fn answer(request_id: &str, response: Value) -> Vec<u8> {
    line(&json!({"type": "control_response", "response": {
        "subtype": "success", "request_id": request_id, "response": response,
    }}))
}

/// What a process had done, from one of its lines.
pub(crate) fn survey(seen: &mut Survey, bytes: &[u8]) {
    match Line::parse(bytes) {
        Line::User(message) => {
            let blocks = message["content"].as_array().into_iter().flatten();
            let results = blocks.filter(|block| text(block, "type") == "tool_result");
            seen.settled
                .extend(results.map(|block| text(block, "tool_use_id").to_owned()));
        }
        Line::Cancel(request_id) => drop(seen.withdrawn.insert(request_id)),
        Line::System(subtype, _) => seen.begun |= subtype == "init",
        Line::Other(kind) => seen.begun |= kind == "command_lifecycle",
        Line::Stream(..) | Line::Assistant(..) | Line::Result(_) => seen.begun = true,
        Line::Request(..) | Line::Response(..) | Line::Garbage => {}
    }
}

/// What this turn alone consumed, per model and in dollars, as a result tells it.
///
/// `total_cost_usd` and `modelUsage` count from the beginning of the *session*:
/// after `--resume` they contain earlier turns. `model_usage_since_last_result`
/// does not.
pub(crate) fn charge(result: &Value, fresh: Freshness, seen: Seen) -> Charge {
    let since = &result["model_usage_since_last_result"];
    let by_model = match (since, fresh) {
        (Value::Object(models), _) => Some(models),
        (_, Freshness::NewSession) => result["modelUsage"].as_object(),
        (_, Freshness::Resumed) => None,
    };
    let parts: Vec<UsagePart> = by_model
        .into_iter()
        .flatten()
        .map(|(model, usage)| part(model, usage))
        .collect();
    let cost = by_model.and_then(|models| {
        models
            .values()
            .map(|usage| nano(&usage["costUSD"]))
            .sum::<Option<i64>>()
            .map(NanoUsd)
    });
    let tokens = match by_model {
        Some(_) => parts
            .iter()
            .fold(Tokens::default(), |sum, part| sum.plus(&part.tokens)),
        None => main_loop_tokens(&result["usage"]),
    };
    let keep = |name: &str| (name.to_owned(), result[name].clone());
    let raw = [
        "usage",
        "modelUsage",
        "model_usage_since_last_result",
        "total_cost_usd",
    ];
    Charge {
        model: seen.model,
        tokens,
        cost,
        figure: if cost.is_some() {
            Figure::Reported
        } else {
            Figure::Unpriced
        },
        request_id: seen.request_id,
        price_book: None,
        parts,
        raw: Value::Object(raw.into_iter().map(keep).collect()),
        requests: seen.requests,
    }
}

/// Whether the session's totals are this turn's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// The session began with this turn.
    NewSession,
    /// It has earlier turns.
    Resumed,
}

/// What was seen of the model's answers on the way to the result.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) model: String,
    pub(crate) request_id: Option<String>,
    pub(crate) requests: u64,
}

fn part(model: &str, usage: &Value) -> UsagePart {
    let count = |field: &str| usage[field].as_u64().unwrap_or(0);
    let long = count("cacheCreationEphemeral1hInputTokens");
    UsagePart {
        model: model.to_owned(),
        tokens: Tokens {
            input: count("inputTokens"),
            output: count("outputTokens"),
            cache_read: count("cacheReadInputTokens"),
            cache_write: count("cacheCreationInputTokens").saturating_sub(long),
            cache_write_long: long,
        },
        web_searches: count("webSearchRequests"),
        ..UsagePart::default()
    }
}

pub(crate) fn main_loop_tokens(usage: &Value) -> Tokens {
    let count = |field: &str| usage[field].as_u64().unwrap_or(0);
    let long = usage["cache_creation"]["ephemeral_1h_input_tokens"]
        .as_u64()
        .unwrap_or(0);
    Tokens {
        input: count("input_tokens"),
        output: count("output_tokens"),
        cache_read: count("cache_read_input_tokens"),
        cache_write: count("cache_creation_input_tokens").saturating_sub(long),
        cache_write_long: long,
    }
}

/// Dollars as a float, to whole nano-dollars.
fn nano(dollars: &Value) -> Option<i64> {
    let nanos = (dollars.as_f64()? * 1e9).round();
    // Nine million dollars; beyond it an f64 is no longer exact anyway.
    (nanos.is_finite() && (0.0..9e15).contains(&nanos)).then_some(nanos as i64)
}
