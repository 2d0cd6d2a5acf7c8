//! One connection to the event stream, and calls whose documents are passed on unread:
//! what a window needs that only hands them through.

use std::path::Path;
use std::time::Duration;

use domain::RunId;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use protocol::ErrorBody;
use protocol::events::{DELTA, HELLO};

use crate::error::ClientError;
use crate::sse::{Message, Parser};
use crate::{Client, http};

/// The daemon writes at least a comment every 15 s; three of them missing is a dead
/// connection.
const SILENCE: Duration = Duration::from_secs(45);

/// How opening a stream ended.
#[derive(Debug)]
pub enum Opened {
    /// Events follow.
    Stream(RawStream),
    /// The daemon does not know the cursor (the store was replaced): read everything
    /// again, and open without one.
    UnknownCursor,
}

/// What a message of the stream is. `data` is the JSON document as the daemon wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawItem {
    /// A `protocol::events::Hello`: where the stream starts.
    Hello(String),
    /// A `protocol::EventFrame`.
    Event {
        /// Where to continue after it.
        cursor: String,
        /// The document.
        data: String,
    },
    /// A `protocol::Delta`.
    Delta(String),
    /// Of a kind this program does not know: a newer daemon's.
    Other,
}

/// One connection. It ends when the daemon does; [`crate::EventStream`] goes on.
#[derive(Debug)]
pub struct RawStream {
    body: Incoming,
    parser: Parser,
}

impl RawStream {
    pub(crate) async fn open(
        socket: &Path,
        cursor: Option<&str>,
        run: Option<RunId>,
    ) -> Result<Opened, ClientError> {
        let mut path = "/v1/events?".to_owned();
        if let Some(cursor) = cursor {
            path.push_str(&format!("after={cursor}&"));
        }
        if let Some(run) = run {
            path.push_str(&format!("run={run}"));
        }
        let response = http::get(socket, &path).await?;
        match response.status().as_u16() {
            200 => Ok(Opened::Stream(Self {
                body: response.into_body(),
                parser: Parser::default(),
            })),
            410 => Ok(Opened::UnknownCursor),
            // A daemon in maintenance mode or about to end: another may follow.
            503 => Err(http::unreachable_because(socket, "it serves no events now")),
            other => Err(ClientError::Garbled(format!(
                "HTTP status {other} to events"
            ))),
        }
    }

    /// The next message; none when the connection is over. Safe to cancel.
    pub async fn next(&mut self) -> Option<RawItem> {
        let message = self.message().await?;
        Some(match message.event.as_str() {
            "" => RawItem::Event {
                cursor: message.id,
                data: message.data,
            },
            DELTA => RawItem::Delta(message.data),
            HELLO => RawItem::Hello(message.data),
            _ => RawItem::Other,
        })
    }

    pub(crate) async fn message(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.parser.next() {
                return Some(message);
            }
            match tokio::time::timeout(SILENCE, self.body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.parser.push(bytes);
                    }
                }
                _ => return None,
            }
        }
    }
}

impl Client {
    /// Makes the call `name` with the JSON document `request`, and hands back the
    /// answer's document. A name that is no endpoint's is never sent.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_raw(&self, name: &str, request: Vec<u8>) -> Result<String, ClientError> {
        if !ENDPOINTS.contains(&name) {
            return Err(ClientError::Garbled(format!("there is no call '{name}'")));
        }
        let answer = http::post(self.socket(), &format!("/v1/{name}"), request).await?;
        let text = String::from_utf8(answer.body.to_vec())
            .map_err(|e| ClientError::Garbled(format!("answer to {name}: {e}")))?;
        if answer.status == 200 {
            return Ok(text);
        }
        match serde_json::from_str::<ErrorBody>(&text) {
            Ok(body) => Err(ClientError::Refused(body.error)),
            Err(_) => Err(ClientError::Garbled(format!(
                "HTTP status {} to {name}",
                answer.status
            ))),
        }
    }

    /// Opens one connection to the event stream.
    ///
    /// # Errors
    /// As [`crate::EventStream::open`].
    pub async fn raw_events(
        &self,
        after: Option<&str>,
        run: Option<RunId>,
    ) -> Result<Opened, ClientError> {
        RawStream::open(self.socket(), after, run).await
    }
}

macro_rules! names {
    ($($name:ident: $request:ident => $response:ident, provides [$($p:ident),*], invalidates [$($i:ident),*];)*) => {
        /// Every endpoint's name.
        pub const ENDPOINTS: &[&str] = &[$(stringify!($name)),*];
    };
}
protocol::endpoints!(names);
