//! What somebody who only passes a model's answer on can know of it: which model was asked,
//! what the answer consumed, whether it came to its end, why it did not. The bytes are
//! looked at and never changed.

mod reading;

use domain::OpErrorKind;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use serde::Deserialize;

use crate::driver::{Counted, TurnError, Usage};
use crate::wire::sse::Parser;
use crate::wire::trouble;
use crate::{anthropic, openai};
use reading::Heard;

pub use crate::wire::http::{address, name_of};

/// The longest answer that is not streamed and still read for its usage.
const WHOLE_LIMIT: usize = 64 * 1024 * 1024;

/// An API whose calls can be metered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Anthropic's Messages API.
    Messages,
    /// OpenAI's Responses API.
    Responses,
    /// Chat completions.
    Chat,
}

impl Api {
    /// Its name in the journal.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Responses => "responses",
            Self::Chat => "chat",
        }
    }
}

/// What a request asks for, as far as its price depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The API.
    pub api: Api,
    /// The model.
    pub model: String,
    /// The most tokens its answer may have, where it says so.
    pub max_tokens: Option<u64>,
    /// Bytes of the request.
    pub bytes: usize,
}

impl Asked {
    /// Reads a request's body; None if it names no model.
    pub fn read(api: Api, body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Body {
            model: String,
            #[serde(default)]
            max_tokens: Option<u64>,
            #[serde(default)]
            max_output_tokens: Option<u64>,
            #[serde(default)]
            max_completion_tokens: Option<u64>,
        }
        let read: Body = serde_json::from_slice(body).ok()?;
        let most = read.max_completion_tokens.or(read.max_output_tokens);
        Some(Self {
            api,
            model: read.model,
            max_tokens: most.or(read.max_tokens),
            bytes: body.len(),
        })
    }
}

/// What is known of an answer's usage.
#[derive(Clone, Debug)]
pub enum Metered {
    /// The answer is complete, and this is its own count (or an estimate marked so, where
    /// its server counts nothing).
    Whole(Usage),
    /// It is not: what it had counted so far, if anything.
    Part(Option<Usage>),
}

/// Why an answer that had begun is none, in the words of its API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What can be done about it.
    pub kind: OpErrorKind,
    /// Its words.
    pub words: String,
}

/// An ear at one answer.
#[derive(Debug)]
pub struct Tap {
    api: Api,
    asked: String,
    sent: usize,
    request_id: Option<String>,
    shape: Shape,
    heard: Heard,
}

#[derive(Debug)]
enum Shape {
    Events(Parser),
    Whole(Vec<u8>),
    /// It cannot be read: compressed, or endless.
    Unreadable,
}

impl Tap {
    /// For the answer to `asked` that begins with these headers.
    pub fn new(asked: &Asked, headers: &HeaderMap) -> Self {
        let encoding = trouble::header(headers, CONTENT_ENCODING.as_str());
        let shape = match crate::wire::listen::is_whole(headers) {
            _ if encoding.is_some_and(|encoding| encoding != "identity") => Shape::Unreadable,
            true => Shape::Whole(Vec::new()),
            false => Shape::Events(Parser::default()),
        };
        Self {
            api: asked.api,
            asked: asked.model.clone(),
            sent: asked.bytes,
            request_id: trouble::request_id(headers),
            shape,
            heard: Heard::default(),
        }
    }

    /// Hears the next bytes.
    pub fn hear(&mut self, bytes: &[u8]) {
        match &mut self.shape {
            Shape::Events(parser) => match parser.push(bytes) {
                Ok(events) => {
                    for data in events {
                        self.heard.event(self.api, &data);
                    }
                }
                Err(_) => self.shape = Shape::Unreadable,
            },
            Shape::Whole(body) if body.len() + bytes.len() > WHOLE_LIMIT => {
                self.shape = Shape::Unreadable;
            }
            Shape::Whole(body) => body.extend_from_slice(bytes),
            Shape::Unreadable => {}
        }
    }

    /// Nothing more comes, and that is how it was meant.
    pub fn end(&mut self) {
        if let Shape::Whole(body) = &mut self.shape {
            let body = std::mem::take(body);
            self.heard.whole(self.api, &body);
        }
    }

    /// Whether nothing more belongs to the answer.
    pub fn is_complete(&self) -> bool {
        self.heard.complete
    }

    /// What its API said went wrong in the middle of it.
    pub fn broken(&self) -> Option<&Broken> {
        self.heard.broken.as_ref()
    }

    /// What is known of its usage.
    pub fn metered(&self) -> Metered {
        let usage = self.usage();
        match self.heard.complete {
            true => Metered::Whole(usage),
            false => {
                // A guess at a part of an answer says nothing.
                let counted = self.heard.begun && usage.counted == Counted::Reported;
                Metered::Part(counted.then_some(usage))
            }
        }
    }

    fn usage(&self) -> Usage {
        let heard = &self.heard;
        let model = match heard.model.as_str() {
            "" => self.asked.as_str(),
            model => model,
        };
        let seen = openai::usage::Seen {
            model,
            tier: heard.tier.as_deref(),
            sent: self.sent,
            answered: heard.answered,
            request_id: self.request_id.clone(),
        };
        match self.api {
            Api::Messages if heard.usage.is_null() => Usage {
                counted: Counted::Estimated,
                ..openai::usage::of(serde_json::Value::Null, seen)
            },
            Api::Messages => {
                anthropic::usage::of(model, heard.usage.clone(), self.request_id.clone())
            }
            Api::Responses => openai::usage::of_response(heard.usage.clone(), seen),
            Api::Chat => openai::usage::of(heard.usage.clone(), seen),
        }
    }
}

/// What an answer means that is an error by its status.
pub fn refusal(
    asked: &Asked,
    endpoint: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> TurnError {
    match asked.api {
        Api::Messages => {
            anthropic::errors::of_status(endpoint, &asked.model, status, headers, body)
        }
        Api::Responses | Api::Chat => {
            openai::errors::of_status(endpoint, &asked.model, status, headers, body)
        }
    }
}

/// What it means that a request got no answer at all.
pub fn unanswered(endpoint: &str, error: &reqwest::Error) -> TurnError {
    trouble::of_transport(endpoint, error)
}

#[cfg(test)]
mod tests;
