//! A run's own view of the store: events go in, the fold comes back.

use std::ops::Range;

use agents::ChatMessage;
use bytes::Bytes;
use domain::{BlobRef, Event, OpId, OpKind, Run, RunId};
use store::{AppendError, OpRow, Store, WriteError};

use crate::conversation::chat_message;

/// Why a worker stops what it is doing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Halt {
    /// Somebody else changed the run meanwhile: look at it again.
    #[error("the run changed meanwhile: {0}")]
    Superseded(String),
    /// The run is to stop here (paused, cancelled, the daemon drains).
    #[error("the run is to stop here")]
    Stopped,
    /// The disk is full; nothing was recorded, and nothing was lost.
    #[error("the disk is full")]
    NoSpace,
    /// Nothing can be recorded any more, so nothing may be done.
    #[error("the journal cannot be written: {0}")]
    Store(String),
}

impl From<AppendError> for Halt {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Illegal(_) | AppendError::Conflict { .. } => {
                Self::Superseded(error.to_string())
            }
            AppendError::Write(WriteError::DiskFull) => Self::NoSpace,
            other => Self::Store(other.to_string()),
        }
    }
}

impl From<store::ReadError> for Halt {
    fn from(error: store::ReadError) -> Self {
        Self::Store(error.to_string())
    }
}

/// Events and the blobs they refer to, recorded together or not at all.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) events: Vec<Event>,
    pub(crate) blobs: Vec<Bytes>,
}

impl Batch {
    pub(crate) fn of(event: Event) -> Self {
        Self {
            events: vec![event],
            blobs: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, event: Event) -> &mut Self {
        self.events.push(event);
        self
    }

    /// Adds content and returns its name.
    pub(crate) fn blob(&mut self, content: impl Into<Bytes>) -> BlobRef {
        let bytes = content.into();
        let name = BlobRef::of(&bytes);
        self.blobs.push(bytes);
        name
    }
}

/// One run's journal.
#[derive(Clone)]
pub(crate) struct Journal {
    store: Store,
    run: RunId,
}

impl Journal {
    pub(crate) fn new(store: Store, run: RunId) -> Self {
        Self { store, run }
    }

    /// Records a batch; what it returns is durable.
    pub(crate) async fn append(&self, batch: Batch) -> Result<Run, Halt> {
        Ok(self
            .store
            .append(self.run, None, batch.events, batch.blobs)
            .await?
            .run)
    }

    /// Records a batch only if nothing was recorded since `head`.
    pub(crate) async fn append_at(&self, head: u64, batch: Batch) -> Result<Run, Halt> {
        Ok(self
            .store
            .append(self.run, Some(head), batch.events, batch.blobs)
            .await?
            .run)
    }

    pub(crate) async fn load(&self) -> Result<Run, Halt> {
        self.store
            .load(self.run)
            .await?
            .ok_or_else(|| Halt::Store(format!("run {} is not in the journal", self.run)))
    }

    /// The conversation's messages of these numbers (from 0), with their texts.
    pub(crate) async fn messages(&self, numbers: Range<u32>) -> Result<Vec<ChatMessage>, Halt> {
        let messages = self.store.messages_in(self.run, numbers).await?;
        let names: Vec<BlobRef> = messages.iter().map(|m| m.text.clone()).collect();
        let texts = self.store.blobs(&names).await?;
        let with_text = messages.iter().zip(texts).map(|(message, text)| {
            chat_message(message, String::from_utf8_lossy(&text).into_owned())
        });
        Ok(with_text.collect())
    }

    /// The newest tool calls, oldest first.
    pub(crate) async fn recent_calls(&self, run: &Run, limit: usize) -> Result<Vec<OpRow>, Halt> {
        // A few more rows than wanted: model calls stand between the tool calls.
        let window = u32::try_from(limit * 3).unwrap_or(u32::MAX);
        let from = OpId(run.ops_recorded.saturating_sub(window) + 1);
        let mut rows = self.store.ops(self.run, from, window).await?;
        rows.retain(|row| row.kind == OpKind::Tool);
        Ok(rows)
    }

    /// The agent's ids of the calls recorded since this operation.
    pub(crate) async fn call_ids_since(&self, op: OpId) -> Result<Vec<String>, Halt> {
        const PAGE: u32 = 1000;
        let (mut ids, mut from) = (Vec::new(), OpId(op.0 + 1));
        loop {
            let rows = self.store.ops(self.run, from, PAGE).await?;
            let Some(last) = rows.last().map(|row| row.id) else {
                return Ok(ids);
            };
            ids.extend(rows.into_iter().filter_map(|row| row.call_id));
            from = OpId(last.0 + 1);
        }
    }

    /// A blob that is text.
    pub(crate) async fn text(&self, blob: &BlobRef) -> Result<String, Halt> {
        let bytes = self.store.blob(blob).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
