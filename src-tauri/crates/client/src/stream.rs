//! An event stream that continues where it was cut.

use std::path::PathBuf;
use std::time::Duration;

use domain::RunId;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use protocol::events::{DELTA, HELLO, Hello};
use protocol::{Delta, EventFrame};

use crate::error::ClientError;
use crate::http;
use crate::sse::{Message, Parser};

/// The daemon writes at least a comment every 15 s; three of them missing is a dead
/// connection.
const SILENCE: Duration = Duration::from_secs(45);

/// Spacing of attempts to connect again: from here …
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// … doubling to here.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long nobody may answer before the stream gives up: a daemon that is killed and
/// started again, or replaced, is back well within.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a stream yields.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamItem {
    /// A recorded event.
    Event(Box<EventFrame>),
    /// Text as it streams in. May be lost, is never repeated.
    Delta(Delta),
    /// The cursor is unknown (the store was replaced): read everything again. The
    /// stream goes on from now.
    Resync,
}

/// Events in order, each once, across as many connections as it takes.
#[derive(Debug)]
pub struct EventStream {
    socket: PathBuf,
    cursor: Option<String>,
    run: Option<RunId>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    body: Incoming,
    parser: Parser,
}

impl EventStream {
    pub(crate) fn new(socket: PathBuf, cursor: Option<String>, run: Option<RunId>) -> Self {
        Self {
            socket,
            cursor,
            run,
            open: None,
        }
    }

    /// The last cursor seen: where another stream could continue.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Connects now, so that what happens from here on is seen.
    ///
    /// # Errors
    /// As [`Self::next`], without its patience.
    pub async fn open(&mut self) -> Result<(), ClientError> {
        while self.open.is_none() {
            self.connect().await?;
        }
        Ok(())
    }

    /// The next item. Waits as long as it takes for one to happen. Safe to cancel.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] after 30 s without a daemon, and what the daemon
    /// refuses with.
    pub async fn next(&mut self) -> Result<StreamItem, ClientError> {
        loop {
            if self.open.is_none() && !self.reconnect().await? {
                return Ok(StreamItem::Resync);
            }
            match self.read().await? {
                Some(item) => return Ok(item),
                None => self.open = None,
            }
        }
    }

    /// Tries until somebody answers. False: the cursor was unknown and is dropped.
    async fn reconnect(&mut self) -> Result<bool, ClientError> {
        let mut pause = FIRST_PAUSE;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match self.connect().await {
                Ok(known) => return Ok(known),
                Err(error @ ClientError::Unreachable { .. }) => {
                    if tokio::time::Instant::now() >= deadline {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn connect(&mut self) -> Result<bool, ClientError> {
        let mut path = "/v1/events?".to_owned();
        if let Some(cursor) = &self.cursor {
            path.push_str(&format!("after={cursor}&"));
        }
        if let Some(run) = self.run {
            path.push_str(&format!("run={run}"));
        }
        let response = http::get(&self.socket, &path).await?;
        match response.status().as_u16() {
            200 => {
                self.open = Some(Open {
                    body: response.into_body(),
                    parser: Parser::default(),
                });
                Ok(true)
            }
            410 => {
                self.cursor = None;
                Ok(false)
            }
            // A daemon in maintenance mode or about to end: another may follow.
            503 => Err(http::unreachable_because(
                &self.socket,
                "it serves no events now",
            )),
            other => Err(ClientError::Garbled(format!(
                "HTTP status {other} to events"
            ))),
        }
    }

    /// The next item of the open connection; none when it is over.
    async fn read(&mut self) -> Result<Option<StreamItem>, ClientError> {
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        loop {
            while let Some(message) = open.parser.next() {
                if let Some(item) = understand(&message, &mut self.cursor)? {
                    return Ok(Some(item));
                }
            }
            match tokio::time::timeout(SILENCE, open.body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Some(bytes) = frame.data_ref() {
                        open.parser.push(bytes);
                    }
                }
                _ => return Ok(None),
            }
        }
    }
}

fn understand(
    message: &Message,
    cursor: &mut Option<String>,
) -> Result<Option<StreamItem>, ClientError> {
    let garbled = |e: serde_json::Error| ClientError::Garbled(format!("event stream: {e}"));
    match message.event.as_str() {
        "" => {
            let frame: EventFrame = serde_json::from_str(&message.data).map_err(garbled)?;
            *cursor = Some(frame.cursor.clone());
            Ok(Some(StreamItem::Event(Box::new(frame))))
        }
        DELTA => serde_json::from_str(&message.data)
            .map(|d| Some(StreamItem::Delta(d)))
            .map_err(garbled),
        HELLO => {
            let hello: Hello = serde_json::from_str(&message.data).map_err(garbled)?;
            *cursor = Some(hello.cursor);
            Ok(None)
        }
        _ => Ok(None),
    }
}
