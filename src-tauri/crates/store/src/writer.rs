//! The one task that writes. Requests that wait together are recorded together:
//! one transaction, one commit, and only then the answers.

use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, RunId};
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::anchor::{Anchor, Mark};
use crate::append::{self, Append, Appended, Context, Staged};
use crate::blobs::Prepared;
use crate::error::{AppendError, WriteError, is_full};
use crate::leases::{LeaseChange, LeaseOutcome};
use crate::settings::Put;
use crate::store::{Broken, Cache};

/// Requests recorded in one commit, at most.
const BATCH: usize = 256;

/// How long nothing must have been asked before pages are given back.
const IDLE: Duration = Duration::from_secs(2);

/// Unused pages given back at a time (512 KB), so that nobody waits behind it.
const SLICE: i64 = 64;

/// How old the durable anchor may be while there is work.
const ANCHOR_EVERY: Duration = Duration::from_secs(1);

type Answer<T, E> = oneshot::Sender<Result<T, E>>;

/// What the writer is asked.
pub(crate) enum Job {
    Append {
        appends: Vec<Append>,
        blobs: Vec<Prepared>,
        answer: Answer<Vec<Appended>, AppendError>,
    },
    Put {
        put: Put,
        answer: Answer<(), WriteError>,
    },
    Lease {
        change: LeaseChange,
        answer: Answer<LeaseOutcome, WriteError>,
    },
    Close {
        answer: oneshot::Sender<()>,
    },
}

/// An answer held back until the commit.
enum Held {
    Append(Answer<Vec<Appended>, AppendError>, Vec<Appended>),
    Put(Answer<(), WriteError>),
    Lease(
        Answer<LeaseOutcome, WriteError>,
        Result<LeaseOutcome, WriteError>,
    ),
}

impl Held {
    fn give(self, outcome: &Result<(), WriteError>) {
        match self {
            Self::Append(answer, done) => {
                let _ = answer.send(outcome.clone().map(|()| done).map_err(AppendError::Write));
            }
            Self::Put(answer) => {
                let _ = answer.send(outcome.clone());
            }
            Self::Lease(answer, done) => {
                let _ = answer.send(outcome.clone().and(done));
            }
        }
    }
}

/// The writer's own state.
pub(crate) struct Writer {
    pub(crate) conn: SqliteConnection,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Uuid,
    pub(crate) epoch: i64,
    pub(crate) gseq: u64,
    pub(crate) anchor: Anchor,
    pub(crate) cache: Arc<Cache>,
    pub(crate) moved: watch::Sender<u64>,
    pub(crate) broken: watch::Sender<Option<Broken>>,
}

impl Writer {
    /// Writes until every handle is gone or it is told to close.
    pub(crate) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut synced = tokio::time::Instant::now();
        let mut untidy = true;
        loop {
            let job = if self.anchor.is_dirty() {
                match tokio::time::timeout_at(synced + ANCHOR_EVERY, jobs.recv()).await {
                    Ok(job) => job,
                    Err(_) => {
                        self.sync_anchor();
                        synced = tokio::time::Instant::now();
                        continue;
                    }
                }
            } else if untidy {
                match tokio::time::timeout(IDLE, jobs.recv()).await {
                    Ok(job) => job,
                    Err(_) => {
                        untidy = self.give_back().await;
                        continue;
                    }
                }
            } else {
                jobs.recv().await
            };
            let Some(job) = job else { break };
            untidy = true;
            let mut batch = vec![job];
            while batch.len() < BATCH {
                let Ok(job) = jobs.try_recv() else { break };
                batch.push(job);
            }
            if let Some(closed) = self.record(batch).await {
                jobs.close();
                self.finish().await;
                let _ = closed.send(());
                return;
            }
            if synced.elapsed() >= ANCHOR_EVERY {
                self.sync_anchor();
                synced = tokio::time::Instant::now();
            }
        }
        self.finish().await;
    }

    /// Gives a slice of unused pages back to the disk. Returns whether there are more.
    async fn give_back(&mut self) -> bool {
        let unused: Result<i64, _> = sqlx::query_scalar("PRAGMA freelist_count")
            .fetch_one(&mut self.conn)
            .await;
        let unused = unused.unwrap_or(0);
        if unused < SLICE {
            return false;
        }
        let done = match self.begin().await {
            Ok(()) => {
                let vacuumed = sqlx::query("PRAGMA incremental_vacuum(64)")
                    .fetch_all(&mut self.conn)
                    .await;
                match vacuumed {
                    Ok(_) => self.commit().await,
                    Err(error) => Err(error.into()),
                }
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &done {
            if !matches!(error, WriteError::Broken(_)) {
                let _ = sqlx::query("ROLLBACK").execute(&mut self.conn).await;
            }
            tracing::warn!(%error, "unused pages could not be given back");
            self.note_failure(error);
        }
        done.is_ok() && unused >= 2 * SLICE
    }

    /// Leaves a short journal file and a durable anchor behind.
    async fn finish(mut self) {
        self.sync_anchor();
        if self.broken.borrow().is_none() {
            let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .execute(&mut self.conn)
                .await;
        }
        let _ = self.conn.close().await;
    }

    fn sync_anchor(&mut self) {
        if let Err(error) = self.anchor.sync() {
            tracing::error!(%error, "the anchor could not be made durable");
        }
    }

    /// Records a batch. Returns the one who asked to close, if anyone did.
    async fn record(&mut self, batch: Vec<Job>) -> Option<oneshot::Sender<()>> {
        let mut closing = None;
        let mut held = Vec::with_capacity(batch.len());
        let mut staged = Staged {
            folds: Default::default(),
            gseq: self.gseq,
            last: None,
        };
        let mut outcome = self.begin().await;
        for job in batch {
            match job {
                Job::Close { answer } => closing = Some(answer),
                job => outcome = self.one(job, outcome, &mut staged, &mut held).await,
            }
        }
        if outcome.is_ok() {
            faults::crash_point("store.before_commit");
            outcome = self.commit().await;
        }
        match &outcome {
            Ok(()) => {
                faults::crash_point("store.committed");
                self.publish(staged);
            }
            Err(error) => {
                if !matches!(error, WriteError::Broken(_)) {
                    let _ = sqlx::query("ROLLBACK").execute(&mut self.conn).await;
                }
                self.note_failure(error);
            }
        }
        for answer in held {
            answer.give(&outcome);
        }
        closing
    }

    async fn begin(&mut self) -> Result<(), WriteError> {
        if let Some(broken) = self.broken.borrow().clone() {
            return Err(broken.into());
        }
        let epoch: String =
            sqlx::query_scalar("BEGIN IMMEDIATE; SELECT value FROM meta WHERE name = 'epoch'")
                .fetch_one(&mut self.conn)
                .await?;
        faults::crash_point("store.batch_begun");
        if epoch != self.epoch.to_string() && !faults::sabotaged("no_fencing") {
            return Err(WriteError::Fenced);
        }
        Ok(())
    }

    /// Records one request. One that is refused has written nothing, is answered at
    /// once and hurts no other; a failure of the store fails them all.
    async fn one(
        &mut self,
        job: Job,
        outcome: Result<(), WriteError>,
        staged: &mut Staged,
        held: &mut Vec<Held>,
    ) -> Result<(), WriteError> {
        match job {
            Job::Append {
                appends,
                blobs,
                answer,
            } => {
                if outcome.is_err() {
                    held.push(Held::Append(answer, Vec::new()));
                    return outcome;
                }
                match self.append(&appends, &blobs, staged).await {
                    Ok(done) => held.push(Held::Append(answer, done)),
                    Err(AppendError::Write(error)) => {
                        held.push(Held::Append(answer, Vec::new()));
                        return Err(error);
                    }
                    Err(refused) => {
                        let _ = answer.send(Err(refused));
                    }
                }
            }
            Job::Put { put, answer } => {
                held.push(Held::Put(answer));
                if outcome.is_ok() {
                    put.apply(&mut self.conn).await?;
                }
                return outcome;
            }
            Job::Lease { change, answer } => {
                if let Err(error) = &outcome {
                    held.push(Held::Lease(answer, Err(error.clone())));
                    return outcome;
                }
                let done = change.apply(&mut self.conn, self.clock.now()).await;
                let failed = done.as_ref().err().cloned();
                held.push(Held::Lease(answer, done));
                return failed.map_or(Ok(()), Err);
            }
            Job::Close { .. } => {}
        }
        Ok(())
    }

    async fn append(
        &mut self,
        appends: &[Append],
        blobs: &[Prepared],
        staged: &mut Staged,
    ) -> Result<Vec<Appended>, AppendError> {
        let context = Context {
            epoch: self.epoch,
            now: self.clock.now(),
        };
        let known = |run: RunId| self.cache.get(run);
        append::write(&mut self.conn, &context, staged, known, (appends, blobs)).await
    }

    /// Commits. Without space nothing was recorded and the store is as before;
    /// after any other failure nobody can say what is durable.
    async fn commit(&mut self) -> Result<(), WriteError> {
        match sqlx::query("COMMIT").execute(&mut self.conn).await {
            Ok(_) => Ok(()),
            Err(error) if is_full(&error) => Err(WriteError::DiskFull),
            Err(error) => Err(WriteError::Broken(error.to_string())),
        }
    }

    /// Makes what is durable visible.
    fn publish(&mut self, staged: Staged) {
        self.cache.put(staged.folds);
        if staged.gseq == self.gseq {
            return;
        }
        self.gseq = staged.gseq;
        if let Some((run, seq, hash)) = staged.last {
            let mark = Mark {
                store: self.store,
                gseq: self.gseq,
                run,
                seq,
                hash,
            };
            if let Err(error) = self.anchor.write(mark) {
                tracing::error!(%error, "the anchor could not be written");
            }
        }
        self.moved.send_replace(self.gseq);
    }

    fn note_failure(&mut self, error: &WriteError) {
        let broken = match error {
            WriteError::Fenced => Broken::Fenced,
            WriteError::Broken(why) => Broken::Failed(why.clone()),
            _ => return,
        };
        self.broken.send_if_modified(|state| {
            let is_new = state.is_none();
            if is_new {
                tracing::error!(%broken, "the store can no longer be written");
                *state = Some(broken);
            }
            is_new
        });
    }
}
