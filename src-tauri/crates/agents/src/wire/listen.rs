//! Listening to one answer, with patience that ends.

use std::time::Duration;

use domain::OpErrorKind;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{RequestBuilder, StatusCode};
use tokio_util::sync::CancellationToken;

use super::http;
use super::sse::Parser;
use super::trouble;
use crate::driver::{Answered, Delta, Host, Turn, TurnError, Usage};

/// How long is waited, after the answer is complete, for the end of its body:
/// a connection read to its end can be used again.
const TIDY_END: Duration = Duration::from_millis(100);

/// Why a stream is no answer.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The API said so in the middle of it.
    Api {
        /// What can be done about it.
        kind: OpErrorKind,
        /// Its words.
        words: String,
    },
    /// Something that is not an event of this API.
    Garbage(String),
}

impl Broken {
    /// What nobody can read, by its beginning.
    pub(crate) fn garbage(data: &str) -> Self {
        Self::Garbage(format!("{:?}", data.chars().take(80).collect::<String>()))
    }

    pub(crate) fn no_text() -> Self {
        Self::Garbage("bytes that are no text".to_owned())
    }
}

/// Whether an answer is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complete {
    No,
    Yes,
}

/// An answer as one API gives it, while it comes in.
pub(crate) trait Answer: Sized {
    /// Takes the data of one event.
    fn event(&mut self, data: &[u8]) -> Result<Vec<Delta>, Broken>;
    /// Takes a whole answer, as servers give that do not stream.
    fn whole(&mut self, body: &[u8]) -> Result<(), Broken>;
    /// Whether nothing more belongs to it.
    fn complete(&self) -> Complete;
    /// Whether it may be taken as it is if nothing more comes.
    fn may_end_here(&self) -> Complete {
        self.complete()
    }
    /// How long the other side may say nothing now.
    fn patience(&self, silence: Duration) -> Duration {
        silence
    }
    /// How far it had come.
    fn answered(&self) -> Answered;
    /// Usage as far as it was reported, if the model had begun.
    fn partial(&self, request_id: Option<String>) -> Option<Usage>;
    /// The answer.
    fn into_turn(self, request_id: Option<String>) -> Turn;
    /// An answer that is an error by its status.
    fn refused(
        endpoint: &str,
        model: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> TurnError;
}

/// One request in flight.
pub(crate) struct Listener<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) model: &'a str,
    /// The longest the other side may say nothing. Any byte counts, pings too.
    pub(crate) silence: Duration,
    pub(crate) cancel: &'a CancellationToken,
    pub(crate) host: &'a dyn Host,
}

/// What kind of body an answer has.
enum Shape {
    Events,
    WholeMessage,
    Other(String),
}

impl Listener<'_> {
    /// Sends the request and listens to the end of its answer.
    pub(crate) async fn ask<A: Answer>(
        &self,
        post: RequestBuilder,
        mut answer: A,
    ) -> Result<Turn, TurnError> {
        let response = self
            .patiently(self.silence, post.send())
            .await?
            .map_err(|error| trouble::of_transport(self.endpoint, &error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if !status.is_success() {
            let body = http::bounded_body(response);
            let body = self.patiently(self.silence, body).await?;
            return Err(A::refused(
                self.endpoint,
                self.model,
                status,
                &headers,
                &body,
            ));
        }
        let request_id = trouble::request_id(&headers);
        let listened = match shape(&headers) {
            Shape::Events => self.events(response, &mut answer).await,
            Shape::WholeMessage => self.whole(response, &mut answer).await,
            Shape::Other(kind) => {
                let message = format!(
                    "{} answered with {kind} instead of a stream of events: is the base URL right?",
                    self.endpoint
                );
                return Err(TurnError::refused(OpErrorKind::Server, message));
            }
        };
        match listened {
            Ok(()) => Ok(answer.into_turn(request_id)),
            Err(error) => Err(error.seen(answer.answered(), answer.partial(request_id))),
        }
    }

    async fn events(
        &self,
        mut response: reqwest::Response,
        answer: &mut impl Answer,
    ) -> Result<(), TurnError> {
        let mut parser = Parser::default();
        loop {
            let patience = answer.patience(self.silence);
            let bytes = match self.patiently(patience, response.chunk()).await {
                Ok(Ok(Some(bytes))) => bytes,
                // All was said, only not that it was all.
                _ if answer.may_end_here() == Complete::Yes => return Ok(()),
                Ok(Ok(None)) => return Err(self.cut("it ended before it was complete")),
                Ok(Err(error)) => return Err(self.cut(&trouble::innermost(&error))),
                Err(error) => return Err(error),
            };
            let events = parser
                .push(&bytes)
                .map_err(|_| self.cut("one of its events is endless"))?;
            for data in events {
                let deltas = answer.event(&data).map_err(|broken| self.broken(&broken))?;
                deltas.into_iter().for_each(|delta| self.host.delta(delta));
                if answer.complete() == Complete::Yes {
                    let _ = tokio::time::timeout(TIDY_END, response.chunk()).await;
                    return Ok(());
                }
            }
        }
    }

    async fn whole(
        &self,
        mut response: reqwest::Response,
        answer: &mut impl Answer,
    ) -> Result<(), TurnError> {
        let mut body = Vec::new();
        loop {
            match self.patiently(self.silence, response.chunk()).await? {
                Ok(Some(bytes)) => body.extend_from_slice(&bytes),
                Ok(None) => return answer.whole(&body).map_err(|broken| self.broken(&broken)),
                Err(error) => return Err(self.cut(&trouble::innermost(&error))),
            }
        }
    }

    /// Waits for `next`, but neither for longer than the silence limit nor after
    /// the turn was cancelled.
    async fn patiently<T>(
        &self,
        patience: Duration,
        next: impl Future<Output = T>,
    ) -> Result<T, TurnError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => {
                Err(TurnError::refused(OpErrorKind::Cancelled, "the call was cancelled".to_owned()))
            }
            done = tokio::time::timeout(patience, next) => done.map_err(|_| {
                let message = format!("{} said nothing for {} ms", self.endpoint, patience.as_millis());
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
            Broken::Api { kind, words } => {
                let message = format!("{} broke off its answer: {words}", self.endpoint);
                TurnError::refused(*kind, message)
            }
            Broken::Garbage(what) => self.cut(&format!("it holds {what}, which is no event")),
        }
    }
}

/// Whether an answer is one document and no stream.
pub(crate) fn is_whole(headers: &HeaderMap) -> bool {
    matches!(shape(headers), Shape::WholeMessage)
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
