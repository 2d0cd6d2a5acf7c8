//! Listening to one answer, with patience that ends.

use std::time::Duration;

use domain::OpErrorKind;
use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use tokio_util::sync::CancellationToken;

use super::assemble::{Assembly, Broken, Complete};
use super::sse::Parser;
use super::{errors, http};
use crate::driver::{Host, Turn, TurnError};

/// How long is waited, after the answer is complete, for the end of its body:
/// a connection read to its end can be used again.
const TIDY_END: Duration = Duration::from_millis(100);

/// One request in flight.
pub(super) struct Listener<'a> {
    pub(super) endpoint: &'a str,
    pub(super) model: &'a str,
    /// The longest the other side may say nothing. Any byte counts, pings too.
    pub(super) silence: Duration,
    pub(super) cancel: &'a CancellationToken,
    pub(super) host: &'a dyn Host,
}

/// What kind of body an answer has.
enum Shape {
    Events,
    WholeMessage,
    Other(String),
}

impl Listener<'_> {
    /// Sends the request and listens to the end of its answer.
    pub(super) async fn ask(&self, post: RequestBuilder) -> Result<Turn, TurnError> {
        let response = self
            .patiently(post.send())
            .await?
            .map_err(|error| errors::of_transport(self.endpoint, &error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if !status.is_success() {
            let body = self.patiently(http::bounded_body(response)).await?;
            return Err(errors::of_status(
                self.endpoint,
                self.model,
                status,
                &headers,
                &body,
            ));
        }
        let request_id = errors::request_id(&headers);
        let mut assembly = Assembly::new(self.model);
        let listened = match shape(&headers) {
            Shape::Events => self.events(response, &mut assembly).await,
            Shape::WholeMessage => self.whole(response, &mut assembly).await,
            Shape::Other(kind) => {
                let message = format!(
                    "{} answered with {kind} instead of a stream of events: is the base URL right?",
                    self.endpoint
                );
                return Err(TurnError::refused(OpErrorKind::Server, message));
            }
        };
        match listened {
            Ok(()) => Ok(assembly.into_turn(request_id)),
            Err(error) => Err(error.seen(assembly.answered, assembly.partial(request_id))),
        }
    }

    async fn events(
        &self,
        mut response: reqwest::Response,
        assembly: &mut Assembly,
    ) -> Result<(), TurnError> {
        let mut parser = Parser::default();
        loop {
            let bytes = match self.patiently(response.chunk()).await? {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Err(self.cut("it ended before it was complete")),
                Err(error) => return Err(self.cut(&errors::innermost(&error))),
            };
            let events = parser
                .push(&bytes)
                .map_err(|_| self.cut("one of its events is endless"))?;
            for data in events {
                if let Some(delta) = assembly
                    .event(&data)
                    .map_err(|broken| self.broken(&broken))?
                {
                    self.host.delta(delta);
                }
                if assembly.complete == Complete::Yes {
                    let _ = tokio::time::timeout(TIDY_END, response.chunk()).await;
                    return Ok(());
                }
            }
        }
    }

    async fn whole(
        &self,
        mut response: reqwest::Response,
        assembly: &mut Assembly,
    ) -> Result<(), TurnError> {
        let mut body = Vec::new();
        loop {
            match self.patiently(response.chunk()).await? {
                Ok(Some(bytes)) => body.extend_from_slice(&bytes),
                Ok(None) => return assembly.whole(&body).map_err(|broken| self.broken(&broken)),
                Err(error) => return Err(self.cut(&errors::innermost(&error))),
            }
        }
    }

    /// Waits for `next`, but neither for longer than the silence limit nor after
    /// the turn was cancelled.
    async fn patiently<T>(&self, next: impl Future<Output = T>) -> Result<T, TurnError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => {
                Err(TurnError::refused(OpErrorKind::Cancelled, "the call was cancelled".to_owned()))
            }
            done = tokio::time::timeout(self.silence, next) => done.map_err(|_| {
                let message = format!("{} said nothing for {} ms", self.endpoint, self.silence.as_millis());
                TurnError::refused(OpErrorKind::Silent, message)
            }),
        }
    }

    fn cut(&self, why: &str) -> TurnError {
        TurnError::refused(
            OpErrorKind::Cut,
            format!("the answer of {} was cut off: {why}", self.endpoint),
        )
    }

    fn broken(&self, broken: &Broken) -> TurnError {
        match broken {
            Broken::Api(error) => errors::of_event(self.endpoint, error),
            Broken::Garbage(what) => self.cut(&format!("it holds {what}, which is no event")),
        }
    }
}

/// An answer without a content type is taken for what was asked for.
fn shape(headers: &HeaderMap) -> Shape {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("text/event-stream");
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match kind.as_str() {
        "text/event-stream" => Shape::Events,
        "application/json" => Shape::WholeMessage,
        _ => Shape::Other(kind),
    }
}
