//! The checks the real API makes of a request. They prove that a recovered run builds
//! legal histories.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{fault::ApiError, wire::signature};

/// API versions in force, and the first under which sampling parameters are errors.
const VERSIONS: [&str; 2] = ["2023-06-01", WITHOUT_SAMPLING];
const WITHOUT_SAMPLING: &str = "2026-10-21";

/// What the server remembers of an answer with tool calls: one entry per call.
#[derive(Clone, Debug)]
pub(crate) struct SentCall {
    name: Value,
    input: Value,
    thinking: Vec<Value>,
}

/// Tool calls by id, as they were sent.
#[derive(Debug, Default)]
pub(crate) struct SentCalls(HashMap<String, SentCall>);

impl SentCalls {
    pub(crate) fn remember(&mut self, content: &[Value]) {
        let thinking: Vec<Value> = content
            .iter()
            .filter(|b| b["type"] == "thinking")
            .cloned()
            .collect();
        for call in content.iter().filter(|b| b["type"] == "tool_use") {
            let sent = SentCall {
                name: call["name"].clone(),
                input: call["input"].clone(),
                thinking: thinking.clone(),
            };
            self.0
                .insert(call["id"].as_str().unwrap_or_default().to_owned(), sent);
        }
    }
}

impl SentCalls {
    /// Whether a call that comes back is the one that was made, if it was made here.
    pub(crate) fn is_as_made(&self, id: &str, name: &str, input: &Value) -> bool {
        let made = self.0.get(id);
        made.is_none_or(|made| made.name == name && made.input == *input)
    }
}

pub(crate) fn check(version: Option<&str>, body: &Value, sent: &SentCalls) -> Result<(), ApiError> {
    let version =
        version.ok_or_else(|| ApiError::invalid("anthropic-version: header is required"))?;
    if !VERSIONS.contains(&version) {
        return Err(ApiError::invalid(format!(
            "anthropic-version: \"{version}\" is not a valid version"
        )));
    }
    check_fields(version, body)?;
    check_tools(body)?;
    let messages = merged(body)?;
    check_order(&messages)?;
    check_calls(&messages, sent)?;
    check_thinking(&messages, sent)
}

fn check_fields(version: &str, body: &Value) -> Result<(), ApiError> {
    for field in ["model", "max_tokens", "messages"] {
        if body.get(field).is_none_or(Value::is_null) {
            return Err(ApiError::invalid(format!("{field}: Field required")));
        }
    }
    if body["max_tokens"].as_u64().is_none() {
        return Err(ApiError::invalid(
            "max_tokens: Input should be a valid integer",
        ));
    }
    let sampling = ["temperature", "top_p", "top_k"]
        .into_iter()
        .find(|field| body.get(*field).is_some());
    if let Some(field) = sampling.filter(|_| version >= WITHOUT_SAMPLING) {
        return Err(ApiError::invalid(format!(
            "{field}: Extra inputs are not permitted under anthropic-version {version}"
        )));
    }
    Ok(())
}

fn check_tools(body: &Value) -> Result<(), ApiError> {
    let mut names = HashSet::new();
    for (i, tool) in body["tools"].as_array().into_iter().flatten().enumerate() {
        let name = tool["name"].as_str().unwrap_or_default();
        let legal = !name.is_empty()
            && name.len() <= 128
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if !legal {
            return Err(ApiError::invalid(format!(
                "tools.{i}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
            )));
        }
        if !names.insert(name) {
            return Err(ApiError::invalid("tools: Tool names must be unique."));
        }
        let server_side = tool.get("type").is_some_and(|kind| kind != "custom");
        if !server_side && tool["input_schema"]["type"] != "object" {
            return Err(ApiError::invalid(format!(
                "tools.{i}.custom.input_schema.type: Field required"
            )));
        }
    }
    Ok(())
}

/// A message after neighbours of the same role were joined, as the API joins them.
struct Message<'a> {
    /// Index of its first part in the request.
    at: usize,
    role: &'a str,
    blocks: Vec<&'a Value>,
}

fn merged(body: &Value) -> Result<Vec<Message<'_>>, ApiError> {
    let list = body["messages"]
        .as_array()
        .ok_or_else(|| ApiError::invalid("messages: Input should be a valid list"))?;
    let mut merged: Vec<Message<'_>> = Vec::new();
    for (at, message) in list.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if !matches!(role, "user" | "assistant" | "system") {
            return Err(ApiError::invalid(format!(
                "messages.{at}.role: Input should be 'user', 'assistant' or 'system'"
            )));
        }
        let blocks: Vec<&Value> = match &message["content"] {
            text @ Value::String(_) => vec![text],
            Value::Array(blocks) => blocks.iter().collect(),
            _ => {
                return Err(ApiError::invalid(format!(
                    "messages.{at}.content: Field required"
                )));
            }
        };
        let blank = |block: &&Value| {
            block
                .as_str()
                .or_else(|| block["text"].as_str().filter(|_| block["type"] == "text"))
                == Some("")
        };
        if blocks.is_empty() || blocks.iter().any(blank) {
            return Err(ApiError::invalid(format!(
                "messages.{at}: text content blocks must be non-empty"
            )));
        }
        match merged.last_mut().filter(|last| last.role == role) {
            Some(last) => last.blocks.extend(blocks),
            None => merged.push(Message { at, role, blocks }),
        }
    }
    Ok(merged)
}

fn check_order(messages: &[Message<'_>]) -> Result<(), ApiError> {
    let Some(first) = messages.iter().find(|m| m.role != "system") else {
        return Err(ApiError::invalid(
            "messages: at least one message is required",
        ));
    };
    if first.role != "user" {
        return Err(ApiError::invalid(
            "messages: first message must use the \"user\" role",
        ));
    }
    if messages.last().is_some_and(|last| last.role == "assistant") {
        return Err(ApiError::invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        ));
    }
    Ok(())
}

fn check_calls(messages: &[Message<'_>], sent: &SentCalls) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    let mut open: Vec<&str> = Vec::new();
    for message in messages.iter().filter(|m| m.role != "system") {
        if message.role == "assistant" {
            open = calls_of(message, &mut seen, sent)?;
        } else {
            check_results(message, &open)?;
            open.clear();
        }
    }
    Ok(())
}

fn calls_of<'a>(
    message: &Message<'a>,
    seen: &mut HashSet<&'a str>,
    sent: &SentCalls,
) -> Result<Vec<&'a str>, ApiError> {
    let at = message.at;
    let mut ids = Vec::new();
    for block in message.blocks.iter().filter(|b| b["type"] == "tool_use") {
        let id = block["id"].as_str().unwrap_or_default();
        if id.is_empty() || !block["input"].is_object() {
            return Err(ApiError::invalid(format!(
                "messages.{at}: tool_use needs an id and an input object"
            )));
        }
        if !seen.insert(id) {
            return Err(ApiError::invalid(format!(
                "messages.{at}: `tool_use` ids must be unique ({id})"
            )));
        }
        if let Some(call) = sent
            .0
            .get(id)
            .filter(|call| call.name != block["name"] || call.input != block["input"])
        {
            return Err(ApiError::invalid(format!(
                "messages.{at}: `tool_use` {id} is not the call that was made: {} {} (scripted server's own check)",
                call.name, call.input
            )));
        }
        ids.push(id);
    }
    Ok(ids)
}

fn check_results(message: &Message<'_>, open: &[&str]) -> Result<(), ApiError> {
    let at = message.at;
    let is_result = |block: &&&Value| block["type"] == "tool_result";
    let results: Vec<&str> = message
        .blocks
        .iter()
        .filter(is_result)
        .map(|b| b["tool_use_id"].as_str().unwrap_or_default())
        .collect();
    for (i, id) in results.iter().enumerate() {
        if !open.contains(id) {
            return Err(ApiError::invalid(format!(
                "messages.{at}.content.{i}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block \
                 must have a corresponding `tool_use` block in the previous message."
            )));
        }
        if results[..i].contains(id) {
            return Err(ApiError::invalid(format!(
                "messages.{at}.content.{i}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {id}"
            )));
        }
    }
    let missing: Vec<&str> = open
        .iter()
        .copied()
        .filter(|id| !results.contains(id))
        .collect();
    let late = message
        .blocks
        .iter()
        .take(results.len())
        .any(|block| block["type"] != "tool_result");
    if !missing.is_empty() || late {
        return Err(ApiError::invalid(format!(
            "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must \
             have a corresponding `tool_result` block in the next message.",
            if missing.is_empty() { open } else { &missing }.join(", ")
        )));
    }
    Ok(())
}

/// Thinking may be left out of older answers, but what is there must be what was sent,
/// and the last answer must have all of it if its calls are being answered.
fn check_thinking(messages: &[Message<'_>], sent: &SentCalls) -> Result<(), ApiError> {
    let last = messages.iter().rposition(|m| m.role == "assistant");
    for (i, message) in messages
        .iter()
        .enumerate()
        .filter(|(_, m)| m.role == "assistant")
    {
        let at = message.at;
        let thinking: Vec<&Value> = message
            .blocks
            .iter()
            .copied()
            .filter(|b| b["type"] == "thinking")
            .collect();
        let forged = thinking.iter().any(|b| {
            b["signature"].as_str() != Some(&signature(b["thinking"].as_str().unwrap_or_default()))
        });
        if forged {
            return Err(ApiError::invalid(format!(
                "messages.{at}: Invalid `signature` in `thinking` block"
            )));
        }
        let call = message
            .blocks
            .iter()
            .find_map(|b| sent.0.get(b["id"].as_str()?));
        let changed = call.is_some_and(|call| {
            let same = bytes_of(call.thinking.iter()) == bytes_of(thinking.iter().copied());
            !same && (Some(i) == last || !thinking.is_empty())
        });
        if changed {
            return Err(ApiError::invalid(format!(
                "messages.{at}: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. These \
                 blocks must remain as they were in the original response."
            )));
        }
    }
    Ok(())
}

/// As sent, to the byte and the order of fields: signatures are over bytes.
fn bytes_of<'a>(blocks: impl Iterator<Item = &'a Value>) -> Vec<String> {
    blocks.map(Value::to_string).collect()
}
