//! A run read step by step, from any step on, however long it is.

use domain::{Entry, Event, OpId, RunId, Timestamp};
use sqlx::{Row, SqliteConnection};

use crate::error::ReadError;
use crate::journal::{self, Stored};
use crate::ops::{self, OpRow};
use crate::store::Store;

/// Some of a run's steps.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRows {
    /// Steps the run has begun.
    pub total: u32,
    /// The last event's position.
    pub head: u64,
    /// The steps asked for, oldest first.
    pub steps: Vec<StepRow>,
}

/// One step, with what was recorded in it.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRow {
    /// Its number; 0 is what was recorded before the first step.
    pub step: u32,
    /// When it began.
    pub at: Timestamp,
    /// When the next one began, or the run was over.
    pub ended_at: Option<Timestamp>,
    /// What was recorded in it, oldest first.
    pub entries: Vec<Stored>,
    /// Whether more was recorded in it than was asked for.
    pub truncated: bool,
    /// The operations intended in `entries`, as they are now.
    pub ops: Vec<OpRow>,
}

/// Where a step begins.
#[derive(Clone, Copy)]
struct Begin {
    seq: u64,
    at: Timestamp,
}

impl Store {
    /// Up to `count` steps of a run from a number on, with up to `most` entries of each;
    /// `None` for an unknown run.
    pub async fn steps(
        &self,
        run: RunId,
        from: u32,
        count: u32,
        most: u32,
    ) -> Result<Option<StepRows>, ReadError> {
        // One transaction, so that the page is of one moment.
        let mut tx = self.inner.readers.begin().await?;
        page(&mut tx, run, from, count, most).await
    }
}

async fn page(
    conn: &mut SqliteConnection,
    run: RunId,
    from: u32,
    count: u32,
    most: u32,
) -> Result<Option<StepRows>, ReadError> {
    let row = sqlx::query("SELECT key, step, head_seq, created_at, ended_at FROM run WHERE id = ?")
        .bind(&run.0.as_bytes()[..])
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let key: i64 = row.try_get("key")?;
    let head = row.try_get::<i64, _>("head_seq")?.max(0) as u64;
    let created = Begin {
        seq: 1,
        at: Timestamp(row.try_get("created_at")?),
    };
    let over = row.try_get::<Option<i64>, _>("ended_at")?.map(Timestamp);
    let mut found = StepRows {
        total: row.try_get("step")?,
        head,
        steps: Vec::new(),
    };
    let begins = begins(conn, key, created, from, count).await?;
    for (n, begin) in begins.iter().take(count as usize).enumerate() {
        let next = begins.get(n + 1);
        let step = from + n as u32;
        let until = next.map_or(head + 1, |next| next.seq);
        let ended_at = next.map(|next| next.at).or(over);
        let mut shown = entries(conn, run, begin.seq, until, most).await?;
        let truncated = shown.len() > most as usize;
        shown.truncate(most as usize);
        found.steps.push(StepRow {
            step,
            at: begin.at,
            ended_at,
            ops: ops_of(conn, run, &shown).await?,
            entries: shown,
            truncated,
        });
    }
    Ok(Some(found))
}

/// Where the steps `from` to `from + count` begin, as far as there are any.
async fn begins(
    conn: &mut SqliteConnection,
    key: i64,
    created: Begin,
    from: u32,
    count: u32,
) -> Result<Vec<Begin>, ReadError> {
    let mut begins = Vec::new();
    if from == 0 {
        begins.push(created);
    }
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT seq, at FROM event WHERE run = ? AND kind = 1 ORDER BY seq LIMIT ? OFFSET ?",
    )
    .bind(key)
    .bind(i64::from(count) + 1)
    .bind(i64::from(from.saturating_sub(1)))
    .fetch_all(conn)
    .await?;
    begins.extend(rows.iter().map(|(seq, at)| Begin {
        seq: *seq as u64,
        at: Timestamp(*at),
    }));
    Ok(begins)
}

/// The entries of one step, one more than `most` if there are more.
async fn entries(
    conn: &mut SqliteConnection,
    run: RunId,
    from: u64,
    until: u64,
    most: u32,
) -> Result<Vec<Stored>, ReadError> {
    let wanted = u32::try_from(until.saturating_sub(from)).unwrap_or(u32::MAX);
    let rows = journal::of_run(conn, run, from, wanted.min(most.saturating_add(1))).await?;
    Ok(rows.into_iter().map(|row| row.stored).collect())
}

/// The operations intended in a step: they are numbered in the journal's order.
async fn ops_of(
    conn: &mut SqliteConnection,
    run: RunId,
    entries: &[Stored],
) -> Result<Vec<OpRow>, ReadError> {
    let mut intended = entries.iter().filter_map(|stored| intent(&stored.entry));
    let Some(first) = intended.next() else {
        return Ok(Vec::new());
    };
    let last = intended.next_back().unwrap_or(first);
    let count = last.0.saturating_sub(first.0) + 1;
    ops::list(conn, run, first, count).await
}

fn intent(entry: &Entry) -> Option<OpId> {
    match &entry.event {
        Event::OpIntended { op, .. } => Some(*op),
        _ => None,
    }
}
