//! An event stream that continues where it was cut.

use std::path::PathBuf;
use std::time::Duration;

use domain::RunId;
use protocol::events::{DELTA, HELLO, Hello};
use protocol::{Delta, EventFrame};

use crate::error::ClientError;
use crate::raw::{Opened, RawStream};
use crate::sse::Message;

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
    open: Option<RawStream>,
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
        match RawStream::open(&self.socket, self.cursor.as_deref(), self.run).await? {
            Opened::Stream(stream) => {
                self.open = Some(stream);
                Ok(true)
            }
            Opened::UnknownCursor => {
                self.cursor = None;
                Ok(false)
            }
        }
    }

    /// The next item of the open connection; none when it is over.
    async fn read(&mut self) -> Result<Option<StreamItem>, ClientError> {
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        while let Some(message) = open.message().await {
            if let Some(item) = understand(&message, &mut self.cursor)? {
                return Ok(Some(item));
            }
        }
        Ok(None)
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
