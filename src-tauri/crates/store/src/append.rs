//! One append: events through the fold, into the journal and its projections.

use std::collections::HashMap;
use std::sync::Arc;

use domain::{Entry, Event, Run, RunId, Timestamp};
use sqlx::SqliteConnection;

use crate::blobs::{self, Prepared};
use crate::chain::START;
use crate::error::AppendError;
use crate::journal::{self, Place};
use crate::projection::{self, Change};
use crate::snapshots::{self, Fold};
use crate::{reviews, runs};

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

/// Records blobs and the events of several runs. On an error the caller rolls
/// back to before it; `staged` is changed only on success.
pub(crate) async fn write(
    conn: &mut SqliteConnection,
    context: &Context,
    staged: &mut Staged,
    known: impl Fn(RunId) -> Option<Arc<Fold>>,
    (appends, blobs): (&[Append], &[Prepared]),
) -> Result<Vec<Appended>, AppendError> {
    for blob in blobs {
        blobs::insert(conn, blob).await?;
    }
    let mut gseq = staged.gseq;
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
            None => snapshots::fold_and_mend(conn, append.run).await?,
        };
        let (fold, entries) = extend(conn, context, before, append, &mut gseq).await?;
        last = Some((append.run, fold.run.head, fold.hash));
        done.push(Appended {
            run: fold.run.clone(),
            entries,
        });
        changed.insert(append.run, Arc::new(fold));
    }
    staged.folds.extend(changed);
    staged.gseq = gseq;
    staged.last = last;
    Ok(done)
}

async fn extend(
    conn: &mut SqliteConnection,
    context: &Context,
    before: Option<Fold>,
    append: &Append,
    gseq: &mut u64,
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
            let (fold, entry) = begin(conn, context, append.run, event, gseq).await?;
            entries.push((entry, *gseq));
            fold
        }
    };
    for event in events {
        *gseq += 1;
        let entry = follow(conn, context, &mut fold, event, *gseq).await?;
        entries.push((entry, *gseq));
    }
    runs::update(conn, &fold).await?;
    if fold.run.head / snapshots::EVERY > head / snapshots::EVERY {
        snapshots::write(conn, &fold).await?;
    }
    Ok((fold, entries))
}

/// The first event of a run.
async fn begin(
    conn: &mut SqliteConnection,
    context: &Context,
    id: RunId,
    event: &Event,
    gseq: &mut u64,
) -> Result<(Fold, Entry), AppendError> {
    let entry = Entry {
        seq: 1,
        at: context.now,
        event: event.clone(),
    };
    let run = Run::begin(&entry)?;
    if run.id != id {
        return Err(AppendError::Unknown(id));
    }
    *gseq += 1;
    let mut fold = Fold {
        key: 0,
        run,
        hash: START,
    };
    fold.key = runs::insert(conn, &fold).await?;
    let place = Place {
        gseq: *gseq,
        key: fold.key,
        run: id,
        epoch: context.epoch,
        prev: START,
    };
    fold.hash = journal::insert(conn, place, &entry).await?;
    Ok((fold, entry))
}

/// Any later event of a run.
async fn follow(
    conn: &mut SqliteConnection,
    context: &Context,
    fold: &mut Fold,
    event: &Event,
    gseq: u64,
) -> Result<Entry, AppendError> {
    let entry = Entry {
        seq: fold.run.head + 1,
        // The wall clock may be set back; a run's own time never goes back.
        at: context.now.max(fold.run.last_at),
        event: event.clone(),
    };
    // The fold forgets a review once it is used; its row does not.
    if let Event::ReviewRequested { review } = event
        && reviews::get(conn, review.id).await?.is_some()
    {
        return Err(AppendError::Repeated(review.id));
    }
    let message = fold.run.message_of(event);
    fold.run.apply(&entry)?;
    let place = Place {
        gseq,
        key: fold.key,
        run: fold.run.id,
        epoch: context.epoch,
        prev: fold.hash,
    };
    fold.hash = journal::insert(conn, place, &entry).await?;
    let change = Change {
        key: fold.key,
        entry: &entry,
        message,
        after: &fold.run,
    };
    projection::apply(conn, &change).await?;
    Ok(entry)
}
