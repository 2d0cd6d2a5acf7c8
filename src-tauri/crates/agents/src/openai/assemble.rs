//! The chunks of a stream, put together to an answer, as the blocks a conversation is
//! stored in.

mod calls;

use std::collections::HashSet;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value, json};

use self::calls::{Calls, Ended};
use super::errors::{self, ApiError};
use super::in_text;
use super::usage::{self, Seen};
use crate::driver::{
    Answered, ChatMessage, Delta, Stop, ToolCall, Turn, TurnError, TurnRequest, Usage,
};
use crate::wire::listen::{Answer, Broken, Complete};

/// How long is waited for usage and farewell once the model is done: some servers send
/// neither, and keep the connection.
const FAREWELL: Duration = Duration::from_secs(5);

/// An answer so far.
#[derive(Debug)]
pub(super) struct Assembly {
    endpoint: String,
    /// The model as the response names it; the requested one until then.
    model: String,
    /// Bytes of the request.
    sent: usize,
    /// Names of the tools on offer.
    offered: Vec<String>,
    /// Ids of calls in the conversation: a new call must have another.
    known_ids: HashSet<String>,
    text: String,
    refusal: String,
    /// What the model thought, by the field it came in.
    reasoning: Map<String, Value>,
    calls: Calls,
    usage: Value,
    tier: Option<String>,
    id: Option<String>,
    finish: Option<String>,
    answered: Answered,
    complete: Complete,
}

impl Assembly {
    pub(super) fn new(endpoint: &str, request: &TurnRequest, sent: usize) -> Self {
        let tools = request.frame.tools.as_array().into_iter().flatten();
        let answered = request
            .conversation
            .iter()
            .filter_map(|message| match message {
                ChatMessage::ToolResult { call_id, .. } => Some(call_id.clone()),
                _ => None,
            });
        Self {
            endpoint: endpoint.to_owned(),
            model: request.model.clone(),
            sent,
            offered: tools
                .filter_map(|tool| tool["name"].as_str().map(str::to_owned))
                .collect(),
            known_ids: answered.collect(),
            text: String::new(),
            refusal: String::new(),
            reasoning: Map::new(),
            calls: Calls::default(),
            usage: Value::Null,
            tier: None,
            id: None,
            finish: None,
            answered: Answered::No,
            complete: Complete::No,
        }
    }

    fn chunk(&mut self, chunk: &Value) -> Vec<Delta> {
        if let Some(model) = chunk["model"].as_str().filter(|model| !model.is_empty()) {
            self.model = model.to_owned();
        }
        if let Some(tier) = chunk["service_tier"].as_str() {
            self.tier = Some(tier.to_owned());
        }
        if let Some(id) = chunk["id"].as_str().filter(|id| !id.is_empty()) {
            self.id = Some(id.to_owned());
        }
        // Groq has it one floor lower. The last report counts: they are cumulative.
        for usage in [&chunk["usage"], &chunk["x_groq"]["usage"]] {
            if usage::is_reported(usage) {
                self.usage = usage.clone();
            }
        }
        let choice = &chunk["choices"][0];
        if choice.is_null() {
            return Vec::new();
        }
        self.answered = Answered::Begun;
        let mut deltas = Vec::new();
        for message in [&choice["delta"], &choice["message"]] {
            self.part(message, &mut deltas);
        }
        if let Some(reason) = choice["finish_reason"].as_str().filter(|r| !r.is_empty()) {
            self.finish = Some(reason.to_owned());
        }
        deltas
    }

    /// A delta, or a whole message.
    fn part(&mut self, part: &Value, deltas: &mut Vec<Delta>) {
        for field in ["reasoning_content", "reasoning"] {
            if let Some(more) = part[field].as_str().filter(|more| !more.is_empty()) {
                self.think(field, more);
                // Both at once are the same words twice.
                if field == "reasoning_content" || !part["reasoning_content"].is_string() {
                    deltas.push(Delta::Thinking(more.to_owned()));
                }
            }
        }
        if let Some(Value::Array(details)) = part.get("reasoning_details") {
            let all = self.reasoning.entry("reasoning_details");
            if let Value::Array(all) = all.or_insert_with(|| json!([])) {
                all.extend(details.iter().cloned());
            }
        }
        match &part["content"] {
            Value::String(text) if !text.is_empty() => self.say(text, deltas),
            // Mistral's thinking models answer in parts.
            Value::Array(parts) => {
                for part in parts {
                    match part["type"].as_str() {
                        Some("text") => self.say(part["text"].as_str().unwrap_or_default(), deltas),
                        Some("thinking") => {
                            let inner = part["thinking"].as_array().into_iter().flatten();
                            let texts = inner.filter_map(|inner| inner["text"].as_str());
                            let more: String = texts.collect();
                            self.think("reasoning", &more);
                            deltas.push(Delta::Thinking(more));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        if let Some(more) = part["refusal"].as_str().filter(|more| !more.is_empty()) {
            self.refusal.push_str(more);
            deltas.push(Delta::Text(more.to_owned()));
        }
        for call in part["tool_calls"].as_array().into_iter().flatten() {
            deltas.extend(self.calls.take(call).map(Delta::Tool));
        }
    }

    fn say(&mut self, text: &str, deltas: &mut Vec<Delta>) {
        self.text.push_str(text);
        deltas.push(Delta::Text(text.to_owned()));
    }

    fn think(&mut self, field: &str, more: &str) {
        match self.reasoning.get_mut(field) {
            Some(Value::String(text)) => text.push_str(more),
            _ => {
                self.reasoning.insert(field.to_owned(), json!(more));
            }
        }
    }

    fn usage(&self, request_id: Option<String>) -> Usage {
        let thought: usize = self
            .reasoning
            .values()
            .map(|v| v.as_str().map_or(0, str::len))
            .sum();
        let seen = Seen {
            model: &self.model,
            tier: self.tier.as_deref(),
            sent: self.sent,
            answered: self.text.len() + self.refusal.len() + thought + self.calls.bytes(),
            request_id: request_id.or_else(|| self.id.clone()),
        };
        usage::of(self.usage.clone(), seen)
    }

    fn stop(&self, calls: &[Ended]) -> Stop {
        let wants = if calls.is_empty() {
            Stop::EndTurn
        } else {
            Stop::ToolUse
        };
        let stop = match self.finish.as_deref() {
            Some("length" | "max_tokens") => Stop::MaxTokens,
            Some("content_filter") => Stop::Refusal(Some("content_filter".to_owned())),
            None | Some("stop" | "tool_calls" | "function_call" | "end_turn" | "eos") => wants,
            Some(other) => Stop::Other(other.to_owned()),
        };
        match stop {
            Stop::EndTurn | Stop::ToolUse if !self.refusal.is_empty() && calls.is_empty() => {
                Stop::Refusal(None)
            }
            Stop::EndTurn => match in_text::call_in(&self.text, &self.offered) {
                Some(tool) => Stop::CallInText(tool),
                None => Stop::EndTurn,
            },
            other => other,
        }
    }
}

impl Answer for Assembly {
    fn event(&mut self, data: &[u8]) -> Result<Vec<Delta>, Broken> {
        let data = std::str::from_utf8(data).map_err(|_| Broken::no_text())?;
        match data.trim() {
            "" => return Ok(Vec::new()),
            "[DONE]" => {
                self.complete = Complete::Yes;
                return Ok(Vec::new());
            }
            _ => {}
        }
        let chunk: Value = serde_json::from_str(data).map_err(|_| Broken::garbage(data))?;
        if !chunk.is_object() {
            return Err(Broken::garbage(data));
        }
        let error = !chunk["error"].is_null() || chunk.get("choices").is_none();
        if let Some(error) = error.then(|| ApiError::of(&chunk)).flatten() {
            return Err(error.into());
        }
        let deltas = self.chunk(&chunk);
        if self.finish.as_deref() == Some("error") {
            return Err(ApiError::default().into());
        }
        Ok(deltas)
    }

    fn whole(&mut self, body: &[u8]) -> Result<(), Broken> {
        let text = std::str::from_utf8(body).map_err(|_| Broken::no_text())?;
        let answer: Value = serde_json::from_str(text).map_err(|_| Broken::garbage(text))?;
        if answer["choices"][0].is_null() {
            return Err(match ApiError::of(&answer) {
                Some(error) => error.into(),
                None => Broken::garbage(text),
            });
        }
        self.chunk(&answer);
        self.complete = Complete::Yes;
        Ok(())
    }

    fn complete(&self) -> Complete {
        self.complete
    }

    fn may_end_here(&self) -> Complete {
        match self.finish {
            Some(_) => Complete::Yes,
            None => self.complete,
        }
    }

    fn patience(&self, silence: Duration) -> Duration {
        match self.finish {
            Some(_) => silence.min(FAREWELL),
            None => silence,
        }
    }

    fn answered(&self) -> Answered {
        self.answered
    }

    fn partial(&self, request_id: Option<String>) -> Option<Usage> {
        // What was estimated is worth less than the worst case that is booked without it.
        (self.answered == Answered::Begun && usage::is_reported(&self.usage))
            .then(|| self.usage(request_id))
    }

    fn into_turn(mut self, request_id: Option<String>) -> Turn {
        let usage = self.usage(request_id);
        let mut calls = std::mem::take(&mut self.calls).end(&self.known_ids);
        let limited = matches!(self.finish.as_deref(), Some("length" | "max_tokens"));
        if limited {
            // Cut off in the middle: it can neither be run nor sent back.
            calls.retain(Ended::is_whole);
        }
        let stop = self.stop(&calls);
        let mut blocks = Vec::new();
        if !self.reasoning.is_empty() {
            let mut block = Map::new();
            block.insert("type".to_owned(), json!("reasoning"));
            block.insert("from".to_owned(), json!(self.endpoint));
            block.append(&mut self.reasoning);
            blocks.push(Value::Object(block).to_string());
        }
        let texts: Vec<&str> = [self.text.as_str(), self.refusal.as_str()]
            .into_iter()
            .filter(|text| !text.trim().is_empty())
            .collect();
        for text in &texts {
            blocks.push(json!({"type": "text", "text": text}).to_string());
        }
        let text = texts.join("\n\n");
        blocks.extend(calls.iter().map(Ended::block));
        Turn {
            content: format!("[{}]", blocks.join(",")),
            text,
            calls: calls.into_iter().map(ToolCall::from).collect(),
            stop,
            model: self.model,
            usage: Some(usage),
            charge: None,
        }
    }

    fn refused(
        endpoint: &str,
        model: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> TurnError {
        errors::of_status(endpoint, model, status, headers, body)
    }
}
