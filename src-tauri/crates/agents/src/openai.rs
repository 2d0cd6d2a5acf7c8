//! Chat completions, as OpenAI serves them and everybody else imitates them (Ollama,
//! vLLM, llama.cpp, LM Studio, OpenRouter …): one turn is one streamed
//! `POST …/chat/completions`.
//!
//! The conversation is stored as the Messages API's content blocks whoever answered, so
//! that a run can go on with either API ([`request`] and [`assemble`] translate). What
//! imitators leave out is made up for where it can be and said where it cannot: usage,
//! the end of the stream, ids of calls, tools.

#![allow(
    clippy::result_large_err,
    reason = "TurnError is the contract's, and a turn fails once in minutes"
)]

mod assemble;
mod dialect;
pub(crate) mod errors;
mod in_text;
mod request;
#[cfg(test)]
mod tests;
pub(crate) mod usage;

pub(crate) use usage::nano;

use std::time::Duration;

use async_trait::async_trait;
use domain::OpErrorKind;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use secrets::Secret;
use serde_json::Value;

use crate::driver::{Answered, Checked, Driver, Host, Turn, TurnError, TurnRequest};
use crate::models::same_model;
use crate::wire::{BaseUrlError, Http, http, listen, trouble};

pub(crate) use dialect::Learned;

/// The vendor's own address (its API reference, 2026).
pub const OPENAI_URL: &str = "https://api.openai.com/v1";

/// The longest a [`Driver::check`] may take.
const CHECK_LIMIT: Duration = Duration::from_secs(10);

/// Bytes of text that no tokenizer makes less than one token of on the average: English
/// and code are about 4.
const MOST_BYTES_A_TOKEN: u64 = 10;

/// How many models a refusal names.
const NAMED: usize = 6;

/// One endpoint that speaks chat completions.
#[derive(Clone, Debug)]
pub struct OpenAiDriver {
    base: Url,
    http: reqwest::Client,
    learned: Learned,
}

impl OpenAiDriver {
    /// A driver for the endpoint at `base_url`, without `/chat/completions`. An address
    /// without any path gets the usual `/v1`.
    ///
    /// # Errors
    /// If `base_url` is not an http(s) address, or holds a user, password or query.
    pub fn new(base_url: &str, http: Http) -> Result<Self, BaseUrlError> {
        let mut base = http::address(base_url)?;
        if base.path().trim_matches('/').is_empty() {
            base.set_path("/v1");
        }
        let learned = http.learned.clone();
        let http = http.for_host(&base);
        Ok(Self {
            base,
            http,
            learned,
        })
    }

    fn endpoint(&self) -> String {
        http::name_of(&self.base)
    }

    fn headers(key: Option<&Secret>) -> Result<HeaderMap, TurnError> {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let bearer = format!("Bearer {}", key.expose().trim());
            let mut value = HeaderValue::from_str(&bearer).map_err(|_| {
                let message = "the API key has characters that no key has: was it copied whole?";
                TurnError::refused(OpErrorKind::Auth, message.to_owned())
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }

    async fn list(&self, key: Option<&Secret>) -> Result<Listed, TurnError> {
        let endpoint = self.endpoint();
        let request = self
            .http
            .get(http::below(&self.base, &["models"]))
            .headers(Self::headers(key)?);
        let asked = async {
            let response = request
                .send()
                .await
                .map_err(|error| trouble::of_transport(&endpoint, &error))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = http::bounded_body(response).await;
            match status.as_u16() {
                200..300 => listed(&endpoint, &body).map(Listed::Models),
                404 | 405
                    if errors::ApiError::read(&body).is_none_or(|e| !e.is_about_a_model()) =>
                {
                    Ok(Listed::Nothing)
                }
                _ => Err(errors::of_status(&endpoint, "", status, &headers, &body)),
            }
        };
        tokio::time::timeout(CHECK_LIMIT, asked)
            .await
            .unwrap_or_else(|_| {
                let limit = CHECK_LIMIT.as_secs();
                let message = format!("{endpoint} did not answer within {limit} seconds");
                Err(TurnError::refused(OpErrorKind::Silent, message))
            })
    }

    /// Says what an answer shows of a server that passes less to its model than it is sent.
    async fn mind_what_was_left_out(&self, sent: usize, turn: &Turn, host: &dyn Host) {
        let Some(usage) = &turn.usage else { return };
        let read: u64 = usage.parts.iter().map(|part| part.tokens.prompt()).sum();
        let least = sent as u64 / MOST_BYTES_A_TOKEN;
        let reported = usage.counted == crate::driver::Counted::Reported;
        if reported && read < least {
            let text = format!(
                "{} gives its model less than it is sent: it counts fewer prompt tokens than instructions, tools and \
                 messages can be. It leaves out the tools (does its model take any?) or the beginning of the \
                 conversation (is its context set large enough?).",
                self.endpoint()
            );
            // A run taken out of our hands needs no remarks.
            let _ = host.note(&text).await;
        }
    }
}

/// What a server offers.
enum Listed {
    Models(Vec<String>),
    /// It has no such list.
    Nothing,
}

fn listed(endpoint: &str, body: &[u8]) -> Result<Vec<String>, TurnError> {
    let list: Value = serde_json::from_slice(body).unwrap_or_default();
    let entries = list["data"].as_array().or_else(|| list.as_array());
    let Some(entries) = entries else {
        let message = format!(
            "{endpoint} answers, but not like OpenAI's API: is the base URL right? (Most end in /v1.)"
        );
        return Err(TurnError::refused(OpErrorKind::BadRequest, message));
    };
    let ids = entries.iter().filter_map(|entry| entry["id"].as_str());
    Ok(ids.map(str::to_owned).collect())
}

#[async_trait]
impl Driver for OpenAiDriver {
    async fn turn(&self, request: TurnRequest, host: &dyn Host) -> Result<Turn, TurnError> {
        let endpoint = self.endpoint();
        loop {
            let dialect = self.learned.of(&self.base, &request.model);
            let body = request::body(&request, &endpoint, dialect)?;
            let sent = body.len();
            let mut headers = Self::headers(request.key.as_ref())?;
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let post = self
                .http
                .post(http::below(&self.base, &["chat", "completions"]))
                .headers(headers)
                .body(body);
            let answer = assemble::Assembly::new(&endpoint, &request, sent);
            let listener = listen::Listener {
                endpoint: &endpoint,
                model: &request.model,
                silence: Duration::from_millis(request.silence_ms.max(1)),
                cancel: &request.cancel,
                host,
            };
            match listener.ask(post, answer).await {
                Ok(turn) => {
                    self.mind_what_was_left_out(sent, &turn, host).await;
                    return Ok(turn);
                }
                // Refused for a field that not every server has: nothing was answered or
                // billed, and what it takes instead is known.
                Err(error)
                    if error.kind == OpErrorKind::BadRequest
                        && error.answered == Answered::No
                        && self
                            .learned
                            .learn(&self.base, &request.model, &error.message) => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn check(&self, model: Option<&str>, key: Option<&Secret>) -> Result<Checked, TurnError> {
        let models = match self.list(key).await? {
            Listed::Models(models) => models,
            // Taken at its word.
            Listed::Nothing => return Ok(Checked::default()),
        };
        let model = model.filter(|model| !model.is_empty());
        if let Some(model) = model
            && !models.iter().any(|offered| same_model(model, offered))
        {
            return Err(errors::not_offered(&self.endpoint(), model, &models, NAMED));
        }
        Ok(Checked {
            version: Some(match models.len() {
                1 => "1 model offered".to_owned(),
                n => format!("{n} models offered"),
            }),
            models,
        })
    }
}

/// Whether such an address needs a key: servers on this machine and in the user's own
/// network often have none.
pub fn needs_key(base_url: Option<&str>) -> bool {
    let Some(url) = base_url.and_then(|url| http::address(url).ok()) else {
        return true;
    };
    !http::is_loopback(&url) && !http::is_private(&url)
}
