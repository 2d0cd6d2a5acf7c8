//! The handle everybody holds.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use domain::{Clock, Event, OpKind, RunId, Task};
use serde_json::Value;
use sqlx::sqlite::SqlitePool;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::append::{Append, Appended};
use crate::chain::Hash;
use crate::error::{AppendError, OpenError, WriteError};
use crate::leases::{LeaseChange, LeaseOutcome, LeaseToken, LeaseWish, Taken};
use crate::outbox::{OutboxChange, Told};
use crate::settings::Put;
use crate::snapshots::Fold;
use crate::writer::Job;
use crate::{blobs, decisions};

/// Contents this small together are made ready at once: they take a fraction of a
/// millisecond, and to have another thread woken for them takes nearly as long.
const SMALL: usize = 8 << 10;

/// Names of contents kept in memory: what every request repeats, for more runs than work
/// at a time.
const KNOWN: usize = 1024;

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

/// Folds as they were last committed, and the names of contents that are stored.
#[derive(Default)]
pub(crate) struct Cache {
    folds: Mutex<Recent>,
    contents: Mutex<Contents>,
}

/// The last names, and their order.
#[derive(Default)]
struct Contents {
    names: HashSet<Hash>,
    order: VecDeque<Hash>,
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

    fn contents(&self) -> std::sync::MutexGuard<'_, Contents> {
        self.contents
            .lock()
            .expect("nobody panics while holding the names")
    }

    /// Whether a content is known to be stored, durably.
    fn knows(&self, hash: &Hash) -> bool {
        self.contents().names.contains(hash)
    }

    /// Remembers contents that are stored, durably.
    fn remember(&self, hashes: &[Hash]) {
        let mut contents = self.contents();
        for hash in hashes {
            if contents.names.insert(*hash) {
                contents.order.push_back(*hash);
            }
        }
        while contents.order.len() > KNOWN {
            let oldest = contents.order.pop_front();
            oldest.and_then(|hash| contents.names.take(&hash));
        }
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
        let blobs = self.prepare(&appends, blobs).await?;
        let hashes: Vec<Hash> = blobs.iter().map(|blob| blob.hash).collect();
        let (answer, outcome) = oneshot::channel();
        self.send(Job::Append {
            appends,
            blobs,
            answer,
        })
        .await?;
        let done = outcome.await.map_err(|_| WriteError::Closed)??;
        self.inner.cache.remember(&hashes);
        Ok(done)
    }

    async fn prepare(
        &self,
        appends: &[Append],
        contents: Vec<Bytes>,
    ) -> Result<Vec<blobs::Prepared>, WriteError> {
        if contents.is_empty() {
            return Ok(Vec::new());
        }
        let mut roles = Vec::new();
        for append in appends {
            // A run that is not in memory only costs a look; that it cannot be read is the writer's to say.
            let run = match decisions::asks_about_ops(&append.events) {
                true => self.load(append.run).await.ok().flatten(),
                false => None,
            };
            roles.extend(decisions::roles(&append.events, |op| {
                let op = run.as_ref().and_then(|run| run.open_ops.get(&op));
                op.is_some_and(|op| op.kind == OpKind::Model)
            }));
        }
        let (home, cache) = (self.inner.home.clone(), self.inner.cache.clone());
        if contents.iter().map(Bytes::len).sum::<usize>() <= SMALL {
            return decisions::prepare(&home, &contents, &roles, |hash| cache.knows(hash));
        }
        let prepared = tokio::task::spawn_blocking(move || {
            decisions::prepare(&home, &contents, &roles, |hash| cache.knows(hash))
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

    /// Adds or replaces a backend. `config` holds no secrets.
    pub async fn put_backend(&self, name: &str, config: Value) -> Result<(), WriteError> {
        self.put(Put::Backend(name.to_owned(), Some(config))).await
    }

    /// Removes a backend, if there is one.
    pub async fn remove_backend(&self, name: &str) -> Result<(), WriteError> {
        self.put(Put::Backend(name.to_owned(), None)).await
    }

    /// Adds or replaces a limiter's pause.
    pub async fn put_pause(&self, gate: &str, state: Value) -> Result<(), WriteError> {
        self.put(Put::Pause(gate.to_owned(), Some(state))).await
    }

    /// Removes a limiter's pause, if there is one.
    pub async fn remove_pause(&self, gate: &str) -> Result<(), WriteError> {
        self.put(Put::Pause(gate.to_owned(), None)).await
    }

    /// Sets a setting; `None` removes it.
    pub async fn put_setting(&self, name: &str, value: Option<Value>) -> Result<(), WriteError> {
        self.put(Put::Setting(name.to_owned(), value)).await
    }

    /// Records what became of a delivery.
    pub async fn record_told(&self, id: i64, told: Told) -> Result<(), WriteError> {
        let now = self.inner.clock.now();
        self.put(Put::Outbox(OutboxChange::Told(id, told, now)))
            .await
    }

    /// Forgets what is still to be delivered.
    pub async fn clear_outbox(&self) -> Result<(), WriteError> {
        self.put(Put::Outbox(OutboxChange::Clear)).await
    }

    /// Takes a folder for a run, or says whose it is. What was not heard of for too long
    /// is taken over; whether it was is decided here, in one transaction with its beats.
    pub async fn take_lease(&self, wish: LeaseWish) -> Result<Taken, WriteError> {
        match self.change_leases(LeaseChange::Take(wish)).await? {
            LeaseOutcome::Taken(taken) => Ok(taken),
            _ => Err(WriteError::Closed),
        }
    }

    /// A sign of life of these leases' holders. Returns those that hold; the others were
    /// taken over or released, and never hold again.
    pub async fn beat_leases(
        &self,
        tokens: Vec<LeaseToken>,
    ) -> Result<Vec<LeaseToken>, WriteError> {
        match self.change_leases(LeaseChange::Beat(tokens)).await? {
            LeaseOutcome::Held(held) => Ok(held),
            _ => Err(WriteError::Closed),
        }
    }

    /// Gives leases back; one that is gone already is nothing to be said.
    pub async fn release_leases(&self, tokens: Vec<LeaseToken>) -> Result<(), WriteError> {
        self.change_leases(LeaseChange::Release(tokens))
            .await
            .map(|_| ())
    }

    async fn change_leases(&self, change: LeaseChange) -> Result<LeaseOutcome, WriteError> {
        let (answer, outcome) = oneshot::channel();
        self.send(Job::Lease { change, answer }).await?;
        outcome.await.map_err(|_| WriteError::Closed)?
    }

    async fn put(&self, put: Put) -> Result<(), WriteError> {
        let (answer, outcome) = oneshot::channel();
        self.send(Job::Put { put, answer }).await?;
        outcome.await.map_err(|_| WriteError::Closed)?
    }
}
