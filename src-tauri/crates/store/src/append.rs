//! One append: events through the fold, into the journal and its projections.

use std::collections::HashMap;
use std::sync::Arc;

use domain::{Entry, Event, ReviewId, Run, RunId, Timestamp};
use sqlx::SqliteConnection;

use crate::blobs::{self, Prepared};
use crate::chain::START;
use crate::error::AppendError;
use crate::journal::{self, Place};
use crate::projection::{self, Change};
use crate::script::Script;
use crate::snapshots::{self, Fold};
use crate::{outbox, reviews, runs};

/// Events to record for one run.
#[derive(Clone, Debug)]
pub struct Append {
    /// Whose.
    pub run: RunId,
    /// The position they must follow; any when absent, none at all (a new run) when 0.
    pub expect_head: Option<u64>,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// What was recorded, durably.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The run after it.
    pub run: Run,
    /// The events in their places, with their global positions.
    pub entries: Vec<(Entry, u64)>,
}

/// The folds a batch has changed, over those known before it.
pub(crate) struct Staged {
    pub(crate) folds: HashMap<RunId, Arc<Fold>>,
    pub(crate) gseq: u64,
    pub(crate) last: Option<(RunId, u64, crate::chain::Hash)>,
}

/// What an append needs to know of the writer.
#[derive(Clone, Copy)]
pub(crate) struct Context {
    pub(crate) epoch: i64,
    pub(crate) now: Timestamp,
}

/// A request that is being checked. Nothing of it is written before all of it is known
/// to be in order, so that one that is refused leaves nothing to be undone.
struct Request<'a> {
    conn: &'a mut SqliteConnection,
    context: &'a Context,
    blobs: &'a [Prepared],
    script: Script,
    gseq: u64,
    /// Runs and reviews it makes.
    runs: i64,
    reviews: Vec<ReviewId>,
    snapshots: u32,
}

/// Records blobs and the events of several runs. `staged` is changed only on success.
/// After an error that is the store's own the caller rolls back.
pub(crate) async fn write(
    conn: &mut SqliteConnection,
    context: &Context,
    staged: &mut Staged,
    known: impl Fn(RunId) -> Option<Arc<Fold>>,
    (appends, blobs): (&[Append], &[Prepared]),
) -> Result<Vec<Appended>, AppendError> {
    let mut request = Request {
        conn,
        context,
        blobs,
        script: Script::default(),
        gseq: staged.gseq,
        runs: 0,
        reviews: Vec::new(),
        snapshots: 0,
    };
    for blob in blobs {
        blobs::insert(&mut request.script, blob);
    }
    let mut changed: HashMap<RunId, Arc<Fold>> = HashMap::new();
    let mut done = Vec::with_capacity(appends.len());
    let mut last = staged.last;
    for append in appends {
        let cached = changed
            .get(&append.run)
            .or_else(|| staged.folds.get(&append.run))
            .cloned()
            .or_else(|| known(append.run));
        let before = match cached {
            Some(fold) => Some((*fold).clone()),
            None => snapshots::fold_and_mend(request.conn, append.run).await?,
        };
        let (fold, entries) = request.extend(before, append).await?;
        last = Some((append.run, fold.run.head, fold.hash));
        done.push(Appended {
            run: fold.run.clone(),
            entries,
        });
        changed.insert(append.run, Arc::new(fold));
    }
    request.script.run(request.conn).await?;
    if request.snapshots > 0 {
        snapshots::written();
    }
    staged.folds.extend(changed);
    staged.gseq = request.gseq;
    staged.last = last;
    Ok(done)
}

impl Request<'_> {
    async fn extend(
        &mut self,
        before: Option<Fold>,
        append: &Append,
    ) -> Result<(Fold, Vec<(Entry, u64)>), AppendError> {
        let head = before.as_ref().map_or(0, |f| f.run.head);
        if append.expect_head == Some(0) && before.is_some() {
            return Err(AppendError::Exists(append.run));
        }
        if append.expect_head.is_some_and(|expected| expected != head) {
            return Err(AppendError::Conflict { head });
        }
        let mut events = append.events.iter();
        let mut entries = Vec::with_capacity(append.events.len());
        let mut fold = match before {
            Some(fold) => fold,
            None => {
                let Some(event @ Event::RunCreated { .. }) = events.next() else {
                    return Err(AppendError::Unknown(append.run));
                };
                let (fold, entry) = self.begin(append.run, event).await?;
                entries.push((entry, self.gseq));
                fold
            }
        };
        for event in events {
            let entry = self.follow(&mut fold, event).await?;
            entries.push((entry, self.gseq));
        }
        runs::update(&mut self.script, &fold);
        if fold.run.head / snapshots::EVERY > head / snapshots::EVERY {
            snapshots::write(&mut self.script, &fold)?;
            self.snapshots += 1;
        }
        Ok((fold, entries))
    }

    /// The first event of a run.
    async fn begin(&mut self, id: RunId, event: &Event) -> Result<(Fold, Entry), AppendError> {
        let entry = Entry {
            seq: 1,
            at: self.context.now,
            event: event.clone(),
        };
        let run = Run::begin(&entry)?;
        if run.id != id {
            return Err(AppendError::Unknown(id));
        }
        let mut fold = Fold {
            key: runs::next_key(self.conn).await? + self.runs,
            run,
            hash: START,
        };
        self.runs += 1;
        runs::insert(&mut self.script, &fold);
        self.insert(&mut fold, &entry).await?;
        Ok((fold, entry))
    }

    /// Any later event of a run.
    async fn follow(&mut self, fold: &mut Fold, event: &Event) -> Result<Entry, AppendError> {
        let entry = Entry {
            seq: fold.run.head + 1,
            // The wall clock may be set back; a run's own time never goes back.
            at: self.context.now.max(fold.run.last_at),
            event: event.clone(),
        };
        // The fold forgets a review once it is used; its row does not.
        if let Event::ReviewRequested { review } = event {
            if self.reviews.contains(&review.id)
                || reviews::get(self.conn, review.id).await?.is_some()
            {
                return Err(AppendError::Repeated(review.id));
            }
            self.reviews.push(review.id);
        }
        let message = fold.run.message_of(event);
        fold.run.apply(&entry)?;
        self.insert(fold, &entry).await?;
        outbox::put(&mut self.script, self.gseq, &entry, &fold.run);
        let change = Change {
            key: fold.key,
            entry: &entry,
            message,
            after: &fold.run,
        };
        projection::apply(&mut self.script, &change)?;
        Ok(entry)
    }

    /// The event itself, after the one with the fold's hash.
    async fn insert(&mut self, fold: &mut Fold, entry: &Entry) -> Result<(), AppendError> {
        if let Some(name) = blobs::missing(self.conn, &entry.event, self.blobs).await? {
            return Err(AppendError::MissingBlob(name));
        }
        self.gseq += 1;
        let place = Place {
            gseq: self.gseq,
            key: fold.key,
            run: fold.run.id,
            epoch: self.context.epoch,
            prev: fold.hash,
        };
        fold.hash = journal::insert(&mut self.script, place, entry);
        Ok(())
    }
}
