//! A run's own view of the store: events go in, the fold comes back.

use bytes::Bytes;
use domain::{BlobRef, Event, Message, Run, RunId};
use store::{AppendError, Store};

/// Why a worker stops what it is doing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Halt {
    /// Somebody else changed the run meanwhile: look at it again.
    #[error("the run changed meanwhile: {0}")]
    Superseded(String),
    /// The run is to stop here (paused, cancelled, the daemon drains).
    #[error("the run is to stop here")]
    Stopped,
    /// Nothing can be recorded any more, so nothing may be done.
    #[error("the journal cannot be written: {0}")]
    Store(String),
}

impl From<AppendError> for Halt {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Illegal(_) | AppendError::Conflict { .. } => Self::Superseded(error.to_string()),
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
        Self { events: vec![event], blobs: Vec::new() }
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
        Ok(self.store.append(self.run, None, batch.events, batch.blobs).await?.run)
    }

    /// Records a batch only if nothing was recorded since `head`.
    pub(crate) async fn append_at(&self, head: u64, batch: Batch) -> Result<Run, Halt> {
        Ok(self.store.append(self.run, Some(head), batch.events, batch.blobs).await?.run)
    }

    pub(crate) async fn load(&self) -> Result<Run, Halt> {
        self.store.load(self.run).await?.ok_or_else(|| Halt::Store(format!("run {} is not in the journal", self.run)))
    }

    /// The conversation's messages from the `from`-th (0-based) on.
    pub(crate) async fn messages(&self, from: u32) -> Result<Vec<Message>, Halt> {
        Ok(self.store.messages(self.run, from).await?)
    }

    /// A blob that is text.
    pub(crate) async fn text(&self, blob: &BlobRef) -> Result<String, Halt> {
        let bytes = self.store.blob(blob).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
