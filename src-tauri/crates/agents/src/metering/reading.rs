//! The few events of an answer that matter to its bill.

use domain::OpErrorKind;
use serde::Deserialize;
use serde_json::Value;

use super::{Api, Broken};
use crate::wire::listen;
use crate::{anthropic, openai};

/// What was heard of an answer.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// The model, as the answer names it.
    pub(super) model: String,
    /// The tier it was worked at.
    pub(super) tier: Option<String>,
    /// Its usage, as reported so far.
    pub(super) usage: Value,
    /// Bytes of text in it.
    pub(super) answered: usize,
    /// The model had begun.
    pub(super) begun: bool,
    /// The model was done; its count may be to come.
    finished: bool,
    /// Nothing more belongs to it.
    pub(super) complete: bool,
    /// What went wrong in it.
    pub(super) broken: Option<Broken>,
}

/// What stands in every event. Nearly all are text and need no more than this look.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: std::borrow::Cow<'a, str>,
}

impl Heard {
    /// Hears the data of one event.
    pub(super) fn event(&mut self, api: Api, data: &[u8]) {
        if self.complete {
            return;
        }
        match api {
            Api::Messages => self.messages(data),
            Api::Responses => self.responses(data),
            Api::Chat => self.chat(data),
        }
    }

    /// Hears an answer that is not streamed.
    pub(super) fn whole(&mut self, api: Api, body: &[u8]) {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return;
        };
        self.begun = true;
        self.name(&body);
        self.usage = body["usage"].clone();
        self.complete = match api {
            Api::Messages => body["type"] == "message",
            Api::Responses => body["status"] != "in_progress" && body["output"].is_array(),
            Api::Chat => body["choices"].is_array(),
        };
        self.answered = body["choices"][0]["message"].to_string().len();
    }

    fn messages(&mut self, data: &[u8]) {
        let Ok(Kind { kind }) = serde_json::from_slice(data) else {
            return;
        };
        match kind.as_ref() {
            "message_start" => {
                let event = read(data);
                self.begun = true;
                self.name(&event["message"]);
                self.usage = event["message"]["usage"].clone();
            }
            "message_delta" => {
                let event = read(data);
                anthropic::usage::merge(&mut self.usage, event["usage"].clone());
            }
            "message_stop" => self.complete = self.begun,
            "error" => {
                self.broken = anthropic::errors::ApiError::read(data).map(|e| Broken::of(e.into()));
            }
            _ => {}
        }
    }

    fn responses(&mut self, data: &[u8]) {
        let Ok(Kind { kind }) = serde_json::from_slice(data) else {
            return;
        };
        let response = match kind.as_ref() {
            "response.created"
            | "response.completed"
            | "response.incomplete"
            | "response.failed" => read(data)["response"].take(),
            "error" => read(data),
            _ => return,
        };
        self.begun = true;
        self.name(&response);
        if !response["usage"].is_null() {
            self.usage = response["usage"].clone();
        }
        match kind.as_ref() {
            "response.completed" | "response.incomplete" => self.complete = true,
            "response.failed" | "error" => {
                // Where it says what it consumed, that is its bill.
                self.complete = !response["usage"].is_null();
                let error = match response["error"].is_object() {
                    true => openai::errors::ApiError::of(&response),
                    false => openai::errors::ApiError::of(&serde_json::json!({"error": response})),
                };
                self.broken = error.map(|e| Broken::of(e.into()));
            }
            _ => {}
        }
    }

    fn chat(&mut self, data: &[u8]) {
        if data == b"[DONE]" {
            self.complete = self.begun;
            return;
        }
        let chunk = read(data);
        if chunk["error"].is_object() || chunk["error"].is_string() {
            self.broken = openai::errors::ApiError::of(&chunk).map(|e| Broken::of(e.into()));
            return;
        }
        let Some(choices) = chunk["choices"].as_array() else {
            return;
        };
        self.begun = true;
        self.name(&chunk);
        for choice in choices {
            self.answered += texts(&choice["delta"]);
            self.finished |= choice["finish_reason"].is_string();
        }
        // Some count after every piece; the last count stands.
        if openai::usage::is_reported(&chunk["usage"]) {
            self.usage = chunk["usage"].clone();
            self.complete = self.finished && choices.is_empty();
        }
    }

    fn name(&mut self, answer: &Value) {
        if let Some(model) = answer["model"].as_str() {
            model.clone_into(&mut self.model);
        }
        if let Some(tier) = answer["service_tier"].as_str() {
            self.tier = Some(tier.to_owned());
        }
    }
}

impl Broken {
    fn of(broken: listen::Broken) -> Self {
        match broken {
            listen::Broken::Api { kind, words } => Self { kind, words },
            listen::Broken::Garbage(words) => Self {
                kind: OpErrorKind::Cut,
                words,
            },
        }
    }
}

fn read(data: &[u8]) -> Value {
    serde_json::from_slice(data).unwrap_or_default()
}

/// Bytes of what a piece of an answer says.
fn texts(delta: &Value) -> usize {
    let text = |value: &Value| value.as_str().map_or(0, str::len);
    let said: usize = ["content", "reasoning_content", "reasoning", "refusal"]
        .iter()
        .map(|field| text(&delta[*field]))
        .sum();
    let calls = delta["tool_calls"].as_array();
    let asked = calls
        .into_iter()
        .flatten()
        .map(|call| text(&call["function"]["arguments"]) + text(&call["function"]["name"]));
    said + asked.sum::<usize>()
}
