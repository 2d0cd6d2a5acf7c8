//! The checks OpenAI makes of a chat completions request, and one of our own: that a call
//! comes back as it was made.

use std::collections::HashSet;

use serde_json::Value;

use super::Manner;
use crate::model_server::{fault::ApiError, validate::SentCalls};

/// The fields of a request. Others are refused.
const FIELDS: [&str; 18] = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "reasoning_effort",
    "response_format",
    "service_tier",
    "store",
    "metadata",
    "seed",
    "stop",
    "user",
    "n",
];

/// The fields of a message. Others are refused.
const MESSAGE_FIELDS: [&str; 6] = [
    "role",
    "content",
    "name",
    "tool_calls",
    "tool_call_id",
    "refusal",
];

pub(crate) fn check(body: &Value, manner: Manner, sent: &SentCalls) -> Result<(), ApiError> {
    if manner == Manner::OpenAi {
        check_fields(body)?;
    }
    check_tools(body)?;
    let messages = body["messages"]
        .as_array()
        .filter(|messages| !messages.is_empty())
        .ok_or_else(|| ApiError::invalid("Missing required parameter: 'messages'."))?;
    let mut open: Vec<&str> = Vec::new();
    let mut seen = HashSet::new();
    for (at, message) in messages.iter().enumerate() {
        check_message(at, message, manner)?;
        match message["role"].as_str() {
            Some("tool") => answer_one(at, message, &mut open)?,
            _ if !open.is_empty() => return Err(unanswered(at, &open)),
            Some("assistant") => open = calls_of(at, message, &mut seen, manner, sent)?,
            _ => {}
        }
    }
    match open.is_empty() {
        true => Ok(()),
        false => Err(unanswered(messages.len(), &open)),
    }
}

fn check_fields(body: &Value) -> Result<(), ApiError> {
    let fields = body
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys());
    if let Some(field) = fields
        .into_iter()
        .find(|field| !FIELDS.contains(&field.as_str()))
    {
        let message = format!("Unrecognized request argument supplied: {field}");
        return Err(ApiError::invalid(message));
    }
    if !body["model"].is_string() {
        return Err(ApiError::invalid("you must provide a model parameter"));
    }
    let both = body.get("max_tokens").is_some();
    let newer = body["model"]
        .as_str()
        .is_some_and(|model| model.starts_with("gpt-"));
    if both && newer {
        return Err(ApiError::invalid(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        ));
    }
    if body.get("stream_options").is_some() && body["stream"] != true {
        return Err(ApiError::invalid(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        ));
    }
    Ok(())
}

fn check_tools(body: &Value) -> Result<(), ApiError> {
    let mut names = HashSet::new();
    for (at, tool) in body["tools"].as_array().into_iter().flatten().enumerate() {
        let function = &tool["function"];
        let name = function["name"].as_str().unwrap_or_default();
        if tool["type"] != "function" || !is_name(name) {
            return Err(ApiError::invalid(format!(
                "Invalid 'tools[{at}].function.name': string does not match pattern. Expected a string that matches the pattern \
                 '^[a-zA-Z0-9_-]+$'."
            )));
        }
        if function["parameters"]["type"] != "object" {
            return Err(ApiError::invalid(format!(
                "Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"'."
            )));
        }
        if !names.insert(name) {
            return Err(ApiError::invalid("Tool names must be unique."));
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.len() <= 64 && name.chars().all(plain)
}

fn check_message(at: usize, message: &Value, manner: Manner) -> Result<(), ApiError> {
    let role = message["role"].as_str().unwrap_or_default();
    if !matches!(role, "system" | "developer" | "user" | "assistant" | "tool") {
        return Err(ApiError::invalid(format!(
            "Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'."
        )));
    }
    let fields = message
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys());
    let unknown = fields
        .into_iter()
        .find(|field| !MESSAGE_FIELDS.contains(&field.as_str()));
    if let Some(field) = unknown.filter(|_| manner == Manner::OpenAi) {
        return Err(ApiError::invalid(format!(
            "Unknown parameter: 'messages[{at}].{field}'."
        )));
    }
    let content = &message["content"];
    let may_lack = role == "assistant" && message["tool_calls"].is_array();
    let there = content.is_array() || content.is_string() || (content.is_null() && may_lack);
    if !there {
        return Err(ApiError::invalid(format!(
            "Invalid value for 'content': expected a string, got null. (messages.[{at}].content)"
        )));
    }
    Ok(())
}

fn answer_one(at: usize, message: &Value, open: &mut Vec<&str>) -> Result<(), ApiError> {
    let id = message["tool_call_id"].as_str().unwrap_or_default();
    match open.iter().position(|waiting| *waiting == id) {
        Some(position) => {
            open.remove(position);
            Ok(())
        }
        None => Err(ApiError::invalid(format!(
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'. \
             (messages.[{at}].role; {id})"
        ))),
    }
}

fn unanswered(at: usize, open: &[&str]) -> ApiError {
    ApiError::invalid(format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The \
         following tool_call_ids did not have response messages: {} (messages.[{at}])",
        open.join(", ")
    ))
}

fn calls_of<'a>(
    at: usize,
    message: &'a Value,
    seen: &mut HashSet<&'a str>,
    manner: Manner,
    sent: &SentCalls,
) -> Result<Vec<&'a str>, ApiError> {
    let mut ids = Vec::new();
    let calls = message["tool_calls"].as_array();
    if calls.is_some_and(Vec::is_empty) {
        return Err(ApiError::invalid(format!(
            "Invalid 'messages[{at}].tool_calls': empty array. Expected an array with minimum length 1."
        )));
    }
    for call in calls.into_iter().flatten() {
        let (id, function) = (call["id"].as_str().unwrap_or_default(), &call["function"]);
        if id.is_empty() || id.len() > 40 {
            return Err(ApiError::invalid(format!(
                "Invalid 'messages[{at}].tool_calls[0].id': string too long. Expected a string with maximum length 40, but got \
                 a string with length {} instead.",
                id.len()
            )));
        }
        if !seen.insert(id) {
            return Err(ApiError::invalid(format!(
                "Duplicate value for 'tool_call_id' of '{id}' (messages.[{at}])"
            )));
        }
        let arguments = function["arguments"].as_str().unwrap_or_default();
        let input: Option<Value> = serde_json::from_str(arguments).ok();
        let Some(input) = input.filter(Value::is_object) else {
            return Err(ApiError::invalid(format!(
                "Invalid 'messages[{at}].tool_calls[0].function.arguments': not a JSON object: {arguments}"
            )));
        };
        let name = function["name"].as_str().unwrap_or_default();
        if !is_name(name) || call["type"] != "function" {
            return Err(ApiError::invalid(format!(
                "Invalid 'messages[{at}].tool_calls[0].function.name'"
            )));
        }
        if manner == Manner::OpenAi && !sent.is_as_made(id, name, &input) {
            return Err(ApiError::invalid(format!(
                "messages[{at}]: {id} is not the call that was made (scripted server's own check)"
            )));
        }
        ids.push(id);
    }
    Ok(ids)
}
