//! The Anthropic Messages API, and servers that speak it: one turn is one
//! streamed `POST /v1/messages`.
//!
//! A thin client of our own, because no crate keeps what a durable run needs:
//! content blocks are kept as the JSON text they arrived as and sent back byte
//! for byte (signed blocks stay valid), a stream without `message_stop` is an
//! error, usage is kept raw, and nothing is ever retried behind our back (a
//! retried POST may be billed twice).

#![allow(
    clippy::result_large_err,
    reason = "TurnError is the contract's, and a turn fails once in minutes"
)]

mod assemble;
mod content;
pub(crate) mod errors;
mod request;
#[cfg(test)]
mod tests;
pub(crate) mod usage;

use std::time::Duration;

use async_trait::async_trait;
use domain::OpErrorKind;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use secrets::Secret;
use serde::Deserialize;

use crate::driver::{Checked, Driver, Host, Turn, TurnError, TurnRequest};
use crate::wire::{http, listen, trouble};

pub use crate::wire::{BaseUrlError, Http, HttpError};
pub use request::{estimate_tokens, frame};

/// The API version spoken: since it, sampling parameters are errors.
pub const API_VERSION: &str = "2026-10-21";

/// The longest a [`Driver::check`] may take.
const CHECK_LIMIT: Duration = Duration::from_secs(10);

/// Whether models are asked to think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thinking {
    /// Adaptive thinking for models whose name says that they take it.
    #[default]
    ByModel,
    /// Never asked for; the model does what it does by itself.
    Unsaid,
}

/// One endpoint that speaks the Messages API.
#[derive(Clone, Debug)]
pub struct AnthropicDriver {
    base: Url,
    http: reqwest::Client,
    thinking: Thinking,
}

impl AnthropicDriver {
    /// A driver for the endpoint at `base_url` (without `/v1/messages`).
    ///
    /// # Errors
    /// If `base_url` is not an http(s) address, or holds a user, password or query.
    pub fn new(base_url: &str, http: Http) -> Result<Self, BaseUrlError> {
        let mut base = http::address(base_url)?;
        // A `/v1` at the end is what other tools want.
        let path = base.path();
        let path = path.strip_suffix("/v1").unwrap_or(path).to_owned();
        base.set_path(&path);
        let http = http.for_host(&base);
        Ok(Self {
            base,
            http,
            thinking: Thinking::default(),
        })
    }

    /// The same, asking for thinking as said.
    #[must_use]
    pub fn thinking(mut self, thinking: Thinking) -> Self {
        self.thinking = thinking;
        self
    }

    fn endpoint(&self) -> String {
        http::name_of(&self.base)
    }

    fn url(&self, parts: &[&str]) -> Url {
        http::below(&self.base, parts)
    }

    fn headers(&self, key: Option<&Secret>) -> Result<HeaderMap, TurnError> {
        let mut headers = HeaderMap::new();
        headers.insert("anthropic-version", HeaderValue::from_static(API_VERSION));
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(key.expose().trim()).map_err(|_| {
                let message = "the API key has characters that no key has: was it copied whole?";
                TurnError::refused(OpErrorKind::Auth, message.to_owned())
            })?;
            value.set_sensitive(true);
            headers.insert("x-api-key", value);
        }
        Ok(headers)
    }

    async fn get(&self, parts: &[&str], key: Option<&Secret>) -> Result<Answer, TurnError> {
        let request = self.http.get(self.url(parts)).headers(self.headers(key)?);
        let endpoint = self.endpoint();
        let answer = async {
            let response = request
                .send()
                .await
                .map_err(|error| trouble::of_transport(&endpoint, &error))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = http::bounded_body(response).await;
            Ok(Answer {
                status,
                headers,
                body,
            })
        };
        tokio::time::timeout(CHECK_LIMIT, answer)
            .await
            .unwrap_or_else(|_| {
                let message = format!(
                    "{endpoint} did not answer within {} seconds",
                    CHECK_LIMIT.as_secs()
                );
                Err(TurnError::refused(OpErrorKind::Silent, message))
            })
    }

    /// Looks for `model` in the list of models, for servers that cannot be asked
    /// for one alone. A server without a list is taken at its word.
    async fn check_in_list(
        &self,
        model: Option<&str>,
        key: Option<&Secret>,
    ) -> Result<Checked, TurnError> {
        let answer = self.get(&["v1", "models"], key).await?;
        if answer.status.as_u16() == 404 && model.is_some() {
            return Ok(Checked {
                models: Vec::new(),
                version: None,
            });
        }
        let models = answer.into_models(&self.endpoint())?;
        match model {
            Some(model) if !models.iter().any(|known| known == model) => {
                Err(errors::unknown_model(&self.endpoint(), model))
            }
            _ => Ok(Checked {
                models,
                version: Some(API_VERSION.to_owned()),
            }),
        }
    }
}

#[async_trait]
impl Driver for AnthropicDriver {
    async fn turn(&self, request: TurnRequest, host: &dyn Host) -> Result<Turn, TurnError> {
        let endpoint = self.endpoint();
        let body = request::body(&request, self.thinking)?;
        let mut headers = self.headers(request.key.as_ref())?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let post = self
            .http
            .post(self.url(&["v1", "messages"]))
            .headers(headers)
            .body(body);
        listen::Listener {
            endpoint: &endpoint,
            model: &request.model,
            silence: Duration::from_millis(request.silence_ms.max(1)),
            cancel: &request.cancel,
            host,
        }
        .ask(post, assemble::Assembly::new(&request.model))
        .await
    }

    async fn check(&self, model: Option<&str>, key: Option<&Secret>) -> Result<Checked, TurnError> {
        let Some(model) = model else {
            return self.check_in_list(None, key).await;
        };
        let answer = self.get(&["v1", "models", model], key).await?;
        if answer.status.is_success() {
            return Ok(Checked {
                models: vec![model.to_owned()],
                version: Some(API_VERSION.to_owned()),
            });
        }
        let not_found = errors::ApiError::read(&answer.body)
            .is_some_and(|error| error.kind == "not_found_error");
        match answer.status.as_u16() {
            404 if not_found => Err(errors::unknown_model(&self.endpoint(), model)),
            404 | 405 => self.check_in_list(Some(model), key).await,
            _ => Err(errors::of_status(
                &self.endpoint(),
                model,
                answer.status,
                &answer.headers,
                &answer.body,
            )),
        }
    }
}

/// A short answer, read whole.
struct Answer {
    status: reqwest::StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn into_models(self, endpoint: &str) -> Result<Vec<String>, TurnError> {
        #[derive(Deserialize)]
        struct Listed {
            id: String,
        }
        #[derive(Deserialize)]
        struct List {
            data: Vec<Listed>,
        }
        if !self.status.is_success() {
            return Err(errors::of_status(
                endpoint,
                "",
                self.status,
                &self.headers,
                &self.body,
            ));
        }
        let list: List = serde_json::from_slice(&self.body).map_err(|_| {
            let message = format!(
                "{endpoint} answers, but not like the Messages API: is the base URL right?"
            );
            TurnError::refused(OpErrorKind::BadRequest, message)
        })?;
        Ok(list.data.into_iter().map(|model| model.id).collect())
    }
}
