//! A run's journal from its beginning and on into what happens now, each event once.

use std::collections::VecDeque;

use client::{Client, ClientError, EventStream, StreamItem};
use domain::{Entry, Run, RunId, RunState};
use protocol::{LogEntry, LogsRequest};

/// What a follower yields.
pub(crate) enum Item {
    /// The next event.
    Entry(Box<LogEntry>),
    /// Text streams in; the event that ends it has it all.
    Delta(String),
    /// Everything recorded so far has been yielded; from here on it waits.
    CaughtUp,
}

/// Folds while it follows, so that it knows the run's state without asking.
pub(crate) struct Follower {
    client: Client,
    stream: EventStream,
    run: RunId,
    fold: Option<Run>,
    seen: u64,
    ready: VecDeque<LogEntry>,
    caught_up: bool,
}

impl Follower {
    /// Listens first and reads the past then: nothing falls between.
    pub(crate) async fn new(client: &Client, run: RunId) -> Result<Self, ClientError> {
        let mut stream = client.events(None, Some(run));
        stream.open().await?;
        Ok(Self {
            client: client.clone(),
            stream,
            run,
            fold: None,
            seen: 0,
            ready: VecDeque::new(),
            caught_up: false,
        })
    }

    /// The run's state after what was yielded, and how many reviews are open.
    pub(crate) fn state(&self) -> Option<(RunState, usize)> {
        let run = self.fold.as_ref()?;
        Some((
            run.state(),
            run.reviews.values().filter(|r| r.is_open()).count(),
        ))
    }

    /// The next item. Waits as long as it takes for one. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Result<Item, ClientError> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                self.take(&entry);
                return Ok(Item::Entry(Box::new(entry)));
            }
            if !self.caught_up {
                self.page().await?;
                if self.ready.is_empty() {
                    self.caught_up = true;
                    return Ok(Item::CaughtUp);
                }
                continue;
            }
            match self.stream.next().await? {
                StreamItem::Delta(delta) => return Ok(Item::Delta(delta.text)),
                StreamItem::Resync => self.caught_up = false,
                StreamItem::Event(frame) if frame.entry.seq <= self.seen => {}
                StreamItem::Event(frame) if frame.entry.seq == self.seen + 1 => {
                    self.take(&frame.entry);
                    return Ok(Item::Entry(Box::new(frame.entry)));
                }
                StreamItem::Event(_) => self.caught_up = false,
            }
        }
    }

    async fn page(&mut self) -> Result<(), ClientError> {
        let request = LogsRequest {
            run: self.run.to_string(),
            after: self.seen,
            limit: None,
        };
        self.ready = self.client.logs(request).await?.entries.into();
        Ok(())
    }

    fn take(&mut self, entry: &LogEntry) {
        self.seen = entry.seq;
        let entry = Entry {
            seq: entry.seq,
            at: entry.at.0,
            event: entry.event.clone(),
        };
        match &mut self.fold {
            None => self.fold = Run::begin(&entry).ok(),
            // The daemon has folded it already; a newer one's rules may differ from ours.
            Some(run) => drop(run.apply(&entry)),
        }
    }
}

/// Whether nothing more happens without a person. A wait that ends by itself (a rate
/// limit, no network, a lock) is not rest for somebody who watches.
pub(crate) fn settled(state: RunState, open_reviews: usize) -> bool {
    state.at_rest() && (state != RunState::Waiting || open_reviews > 0)
}

/// What the program exits with when a run is in this state (DESIGN §6).
pub(crate) fn exit_code(state: RunState, cause: Option<&str>, open_reviews: usize) -> u8 {
    match state {
        RunState::Completed => 0,
        RunState::Failed if cause == Some("budget_ended") => 5,
        RunState::Failed => 1,
        RunState::Waiting if open_reviews > 0 => 3,
        RunState::Cancelled | RunState::Paused | RunState::Interrupted => 8,
        RunState::Queued | RunState::Running | RunState::Verifying | RunState::Waiting => 0,
    }
}
