//! The handle everybody holds.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use domain::{
    BlobRef, Checkpoint, Clock, Event, Message, NanoUsd, OpId, ReviewId, Run, RunId, RunState, Task,
};
use serde_json::Value;
use sqlx::sqlite::SqlitePool;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::append::{Append, Appended};
use crate::error::{AppendError, OpenError, ReadError, WriteError};
use crate::journal::{self, Stored};
use crate::ledger::{self, GroupBy, LedgerFilter, LedgerRow, LedgerTotals};
use crate::ops::{self, OpRow};
use crate::reviews::{self, ReviewFilter, ReviewRow};
use crate::runs::{self, PastRun, RunFilter, RunRow};
use crate::settings::{self, BackendRow, PauseRow, Put};
use crate::snapshots::{self, Fold};
use crate::writer::Job;
use crate::{blobs, checkpoints, messages};

/// Folds kept in memory.
const CACHED: usize = 256;

/// Where the store is and where it gets the time from.
#[derive(Clone)]
pub struct StoreConfig {
    /// The folder everything durable is in.
    pub home: PathBuf,
    /// Event times come from it.
    pub clock: Arc<dyn Clock>,
}

/// Why nothing can be written any more. The daemon exits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Another daemon owns this home now.
    #[error("another Longhaul daemon has taken over this home")]
    Fenced,
    /// A commit failed; nobody can say what is durable.
    #[error("a commit failed: {0}")]
    Failed(String),
}

impl From<Broken> for WriteError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Fenced => Self::Fenced,
            Broken::Failed(why) => Self::Broken(why),
        }
    }
}

/// The journal of all runs and what follows from it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) home: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) id: Uuid,
    pub(crate) home_id: Uuid,
    pub(crate) epoch: i64,
    pub(crate) readers: SqlitePool,
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) moved: watch::Receiver<u64>,
    pub(crate) broken: watch::Receiver<Option<Broken>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("home", &self.inner.home)
            .finish_non_exhaustive()
    }
}

/// Folds as they were last committed.
#[derive(Default)]
pub(crate) struct Cache {
    folds: Mutex<Recent>,
}

#[derive(Default)]
struct Recent {
    folds: HashMap<RunId, (u64, Arc<Fold>)>,
    uses: u64,
}

impl Cache {
    fn recent(&self) -> std::sync::MutexGuard<'_, Recent> {
        self.folds
            .lock()
            .expect("nobody panics while holding the cache")
    }

    pub(crate) fn get(&self, run: RunId) -> Option<Arc<Fold>> {
        let mut recent = self.recent();
        recent.uses += 1;
        let now = recent.uses;
        recent.folds.get_mut(&run).map(|(used, fold)| {
            *used = now;
            fold.clone()
        })
    }

    pub(crate) fn put(&self, folds: HashMap<RunId, Arc<Fold>>) {
        let mut recent = self.recent();
        for (run, fold) in folds {
            recent.uses += 1;
            let now = recent.uses;
            recent.folds.insert(run, (now, fold));
        }
        while recent.folds.len() > CACHED {
            let oldest = recent
                .folds
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(run, _)| *run);
            oldest.and_then(|run| recent.folds.remove(&run));
        }
    }
}

/// Runs a read on a connection of the pool.
macro_rules! read {
    ($self:ident, $call:expr) => {{
        let mut conn = $self.inner.readers.acquire().await?;
        $call(&mut *conn).await
    }};
}

impl Store {
    /// Opens a home for writing, checks what can be checked quickly, and makes
    /// every earlier writer a fenced one. Hold [`crate::Ownership`] meanwhile.
    pub async fn open(config: StoreConfig) -> Result<Self, OpenError> {
        crate::open::open(config).await
    }

    /// The journal's id, which cursors carry. A restored backup gets a new one.
    pub fn store_id(&self) -> Uuid {
        self.inner.id
    }

    /// The home's id, made once and kept for ever.
    pub fn home_id(&self) -> Uuid {
        self.inner.home_id
    }

    /// The folder everything durable is in.
    pub fn home(&self) -> &Path {
        &self.inner.home
    }

    /// How often this home has been opened for writing.
    pub fn epoch(&self) -> i64 {
        self.inner.epoch
    }

    /// The newest event's global position.
    pub fn last_gseq(&self) -> u64 {
        *self.inner.moved.borrow()
    }

    /// Where a reader of events is after `gseq`: `store_id.gseq`.
    pub fn cursor(&self, gseq: u64) -> String {
        format!("{}.{gseq}", self.inner.id)
    }

    /// The position a cursor stands for; `None` if it is not one of this journal
    /// or lies ahead of it.
    pub fn position(&self, cursor: &str) -> Option<u64> {
        let (id, gseq) = cursor.split_once('.')?;
        let gseq = gseq.parse().ok()?;
        (id.parse() == Ok(self.inner.id) && gseq <= self.last_gseq()).then_some(gseq)
    }

    /// Tells that there are new events; what they are is read from the journal.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.inner.moved.clone()
    }

    /// Resolves when nothing can be written any more.
    pub async fn broken(&self) -> Broken {
        let mut broken = self.inner.broken.clone();
        let found = broken
            .wait_for(Option::is_some)
            .await
            .map(|state| state.clone());
        match found {
            Ok(Some(broken)) => broken,
            _ => std::future::pending().await,
        }
    }

    /// Stops writing after what is queued, leaving a durable anchor.
    pub async fn close(&self) {
        let (answer, closed) = oneshot::channel();
        if self.inner.jobs.send(Job::Close { answer }).await.is_ok() {
            let _ = closed.await;
        }
        self.inner.readers.close().await;
    }

    /// Makes a run: its first event, then `events`.
    pub async fn create(
        &self,
        run: RunId,
        task: Task,
        events: Vec<Event>,
        blobs: Vec<Bytes>,
    ) -> Result<Appended, AppendError> {
        let mut all = vec![Event::RunCreated {
            run,
            task: Box::new(task),
        }];
        all.extend(events);
        self.append(run, Some(0), all, blobs).await
    }

    /// Records events of a run and the contents they refer to, all or nothing.
    /// What it returns is durable.
    pub async fn append(
        &self,
        run: RunId,
        expect_head: Option<u64>,
        events: Vec<Event>,
        blobs: Vec<Bytes>,
    ) -> Result<Appended, AppendError> {
        let mut done = self
            .append_many(
                vec![Append {
                    run,
                    expect_head,
                    events,
                }],
                blobs,
            )
            .await?;
        Ok(done.pop().expect("one append has one outcome"))
    }

    /// Records events of several runs, all or nothing, in the order given.
    pub async fn append_many(
        &self,
        appends: Vec<Append>,
        blobs: Vec<Bytes>,
    ) -> Result<Vec<Appended>, AppendError> {
        let blobs = self.prepare(blobs).await?;
        let (answer, outcome) = oneshot::channel();
        self.send(Job::Append {
            appends,
            blobs,
            answer,
        })
        .await?;
        outcome.await.map_err(|_| WriteError::Closed)?
    }

    async fn prepare(&self, contents: Vec<Bytes>) -> Result<Vec<blobs::Prepared>, WriteError> {
        if contents.is_empty() {
            return Ok(Vec::new());
        }
        let home = self.inner.home.clone();
        let prepared = tokio::task::spawn_blocking(move || {
            contents
                .iter()
                .map(|bytes| blobs::prepare(&home, bytes))
                .collect()
        });
        prepared
            .await
            .map_err(|e| WriteError::Failed(e.to_string()))?
    }

    async fn send(&self, job: Job) -> Result<(), WriteError> {
        self.inner
            .jobs
            .send(job)
            .await
            .map_err(|_| WriteError::Closed)
    }

    /// A run as its journal says it is.
    pub async fn load(&self, run: RunId) -> Result<Option<Run>, ReadError> {
        if let Some(fold) = self.inner.cache.get(run) {
            return Ok(Some(fold.run.clone()));
        }
        // One transaction, so that snapshot, events and head are of one moment.
        let mut tx = self.inner.readers.begin().await?;
        Ok(snapshots::fold(&mut tx, run).await?.map(|fold| fold.run))
    }

    /// Events after a global position, of all runs or one, oldest first.
    pub async fn events_after(
        &self,
        gseq: u64,
        limit: u32,
        run: Option<RunId>,
    ) -> Result<Vec<Stored>, ReadError> {
        let rows = match run {
            None => read!(self, async |c| journal::after(c, gseq, limit).await)?,
            Some(run) => read!(self, async |c| journal::of_run_after(c, run, gseq, limit)
                .await)?,
        };
        Ok(rows.into_iter().map(|row| row.stored).collect())
    }

    /// A run's events from a position on, oldest first.
    pub async fn journal(
        &self,
        run: RunId,
        from_seq: u64,
        limit: u32,
    ) -> Result<Vec<Stored>, ReadError> {
        let rows = read!(self, async |c| journal::of_run(c, run, from_seq, limit)
            .await)?;
        Ok(rows.into_iter().map(|row| row.stored).collect())
    }

    /// A content, checked against its name.
    pub async fn blob(&self, name: &BlobRef) -> Result<Bytes, ReadError> {
        read!(self, async |c| blobs::read(c, &self.inner.home, name).await)
    }

    /// Runs that pass the filter, newest first.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, ReadError> {
        read!(self, async |c| runs::list(c, filter).await)
    }

    /// One run's row.
    pub async fn run_row(&self, run: RunId) -> Result<Option<RunRow>, ReadError> {
        read!(self, async |c| runs::get(c, run).await)
    }

    /// Runs that something goes on in: queued, running, verifying; oldest first.
    pub async fn active_runs(&self) -> Result<Vec<RunRow>, ReadError> {
        let mut rows = self.unfinished_runs().await?;
        rows.retain(|row| !row.state.at_rest());
        Ok(rows)
    }

    /// Runs that are not completed, failed or cancelled, oldest first.
    pub async fn unfinished_runs(&self) -> Result<Vec<RunRow>, ReadError> {
        read!(self, async |c| runs::unfinished(c).await)
    }

    /// Runs whose id begins so; none when it cannot be the beginning of an id.
    pub async fn find_runs(&self, prefix: &str, limit: u32) -> Result<Vec<RunId>, ReadError> {
        let Some(hex) = runs::hex_prefix(prefix) else {
            return Ok(Vec::new());
        };
        read!(self, async |c| runs::find(c, &hex, limit).await)
    }

    /// How many runs are in each state that has any.
    pub async fn run_counts(&self) -> Result<Vec<(RunState, u64)>, ReadError> {
        read!(self, async |c| runs::counts(c).await)
    }

    /// The project's newest completed runs, for an estimate of the next.
    pub async fn history(&self, project: &str, limit: u32) -> Result<Vec<PastRun>, ReadError> {
        read!(self, async |c| runs::history(c, project, limit).await)
    }

    /// A run's operations from a number on, oldest first.
    pub async fn ops(&self, run: RunId, from: OpId, limit: u32) -> Result<Vec<OpRow>, ReadError> {
        read!(self, async |c| ops::list(c, run, from, limit).await)
    }

    /// The cost of the run's last model call whose cost is known.
    pub async fn last_call_cost(&self, run: RunId) -> Result<Option<NanoUsd>, ReadError> {
        read!(self, async |c| ops::last_call_cost(c, run).await)
    }

    /// Reviews that pass the filter, oldest first.
    pub async fn reviews(&self, filter: &ReviewFilter) -> Result<Vec<ReviewRow>, ReadError> {
        read!(self, async |c| reviews::list(c, filter).await)
    }

    /// One review.
    pub async fn review(&self, id: ReviewId) -> Result<Option<ReviewRow>, ReadError> {
        read!(self, async |c| reviews::get(c, id).await)
    }

    /// Whose review it is.
    pub async fn run_of_review(&self, id: ReviewId) -> Result<Option<RunId>, ReadError> {
        read!(self, async |c| runs::of_review(c, id).await)
    }

    /// Reviews whose id begins so; none when it cannot be the beginning of an id.
    pub async fn find_reviews(&self, prefix: &str, limit: u32) -> Result<Vec<ReviewId>, ReadError> {
        let Some(hex) = runs::hex_prefix(prefix) else {
            return Ok(Vec::new());
        };
        read!(self, async |c| reviews::find(c, &hex, limit).await)
    }

    /// Whether a review about `subject` is open in any run.
    pub async fn has_open_review_about(&self, subject: &str) -> Result<bool, ReadError> {
        read!(self, async |c| runs::has_open_review_about(c, subject)
            .await)
    }

    /// The conversation's messages from the `from`-th (0-based) on.
    pub async fn messages(&self, run: RunId, from: u32) -> Result<Vec<Message>, ReadError> {
        read!(self, async |c| messages::list(c, run, from).await)
    }

    /// A run's checkpoints, oldest first.
    pub async fn checkpoints(&self, run: RunId) -> Result<Vec<Checkpoint>, ReadError> {
        read!(self, async |c| checkpoints::list(c, run).await)
    }

    /// Charges that pass the filter, oldest first.
    pub async fn ledger(&self, filter: &LedgerFilter) -> Result<Vec<LedgerRow>, ReadError> {
        read!(self, async |c| ledger::list(c, filter).await)
    }

    /// Sums of charges per group.
    pub async fn ledger_totals(
        &self,
        by: GroupBy,
        filter: &LedgerFilter,
    ) -> Result<Vec<LedgerTotals>, ReadError> {
        read!(self, async |c| ledger::totals(c, by, filter).await)
    }

    /// Every backend, by name.
    pub async fn backends(&self) -> Result<Vec<BackendRow>, ReadError> {
        read!(self, async |c| settings::backends(c).await)
    }

    /// One backend's configuration.
    pub async fn backend(&self, name: &str) -> Result<Option<Value>, ReadError> {
        read!(self, async |c| settings::backend(c, name).await)
    }

    /// Adds or replaces a backend. `config` holds no secrets.
    pub async fn put_backend(&self, name: &str, config: Value) -> Result<(), WriteError> {
        self.put(Put::Backend(name.to_owned(), Some(config))).await
    }

    /// Removes a backend, if there is one.
    pub async fn remove_backend(&self, name: &str) -> Result<(), WriteError> {
        self.put(Put::Backend(name.to_owned(), None)).await
    }

    /// Every limiter pause.
    pub async fn pauses(&self) -> Result<Vec<PauseRow>, ReadError> {
        read!(self, async |c| settings::pauses(c).await)
    }

    /// Adds or replaces a limiter's pause.
    pub async fn put_pause(&self, gate: &str, state: Value) -> Result<(), WriteError> {
        self.put(Put::Pause(gate.to_owned(), Some(state))).await
    }

    /// Removes a limiter's pause, if there is one.
    pub async fn remove_pause(&self, gate: &str) -> Result<(), WriteError> {
        self.put(Put::Pause(gate.to_owned(), None)).await
    }

    /// A setting's value.
    pub async fn setting(&self, name: &str) -> Result<Option<Value>, ReadError> {
        read!(self, async |c| settings::setting(c, name).await)
    }

    /// Sets a setting; `None` removes it.
    pub async fn put_setting(&self, name: &str, value: Option<Value>) -> Result<(), WriteError> {
        self.put(Put::Setting(name.to_owned(), value)).await
    }

    async fn put(&self, put: Put) -> Result<(), WriteError> {
        let (answer, outcome) = oneshot::channel();
        self.send(Job::Put { put, answer }).await?;
        outcome.await.map_err(|_| WriteError::Closed)?
    }
}
