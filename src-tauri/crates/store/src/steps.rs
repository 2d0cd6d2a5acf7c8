//! A run read step by step, from any step on, however long it is.

use std::collections::HashSet;

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
    let shown = begins.len().min(count as usize);
    let end = |n: usize| begins.get(n + 1).map_or(head + 1, |next| next.seq);
    let mut parts = entries(conn, run, &begins[..shown], end(shown.max(1) - 1), most).await?;
    let mut ops = ops_of(conn, run, &parts).await?;
    for (n, begin) in begins[..shown].iter().enumerate() {
        let mut recorded = std::mem::take(&mut parts[n]);
        let truncated = recorded.len() > most as usize;
        recorded.truncate(most as usize);
        let intended: HashSet<OpId> = recorded.iter().filter_map(|s| intent(&s.entry)).collect();
        found.steps.push(StepRow {
            step: from + n as u32,
            at: begin.at,
            ended_at: begins.get(n + 1).map(|next| next.at).or(over),
            ops: ops.extract_if(.., |op| intended.contains(&op.id)).collect(),
            entries: recorded,
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

/// More entries than steps have: each is then read for itself, and none whole.
const USUAL: u64 = 8_000;

/// The entries of each step, up to one more than `most`; the last one's end before `end`.
async fn entries(
    conn: &mut SqliteConnection,
    run: RunId,
    begins: &[Begin],
    end: u64,
    most: u32,
) -> Result<Vec<Vec<Stored>>, ReadError> {
    let ends = begins.iter().skip(1).map(|begin| begin.seq).chain([end]);
    let mut parts: Vec<Vec<Stored>> = Vec::with_capacity(begins.len());
    let Some(first) = begins.first() else {
        return Ok(parts);
    };
    let read = async |conn: &mut SqliteConnection, from: u64, count: u64| {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        journal::of_run(conn, run, from, count).await
    };
    let most = u64::from(most).saturating_add(1);
    if end - first.seq > USUAL {
        for (begin, end) in begins.iter().zip(ends) {
            let rows = read(conn, begin.seq, (end - begin.seq).min(most)).await?;
            parts.push(rows.into_iter().map(|row| row.stored).collect());
        }
        return Ok(parts);
    }
    let mut rows = read(conn, first.seq, end - first.seq)
        .await?
        .into_iter()
        .peekable();
    for end in ends {
        let mut part = Vec::new();
        while let Some(row) = rows.next_if(|row| row.stored.entry.seq < end) {
            part.push(row.stored);
        }
        parts.push(part);
    }
    Ok(parts)
}

/// The operations intended in the steps: they are numbered in the journal's order.
async fn ops_of(
    conn: &mut SqliteConnection,
    run: RunId,
    steps: &[Vec<Stored>],
) -> Result<Vec<OpRow>, ReadError> {
    let intended = steps.iter().flatten().filter_map(|s| intent(&s.entry));
    let (mut first, mut last) = (None, OpId(0));
    for op in intended {
        first.get_or_insert(op);
        last = last.max(op);
    }
    let Some(first) = first else {
        return Ok(Vec::new());
    };
    ops::list(conn, run, first, last.0.saturating_sub(first.0) + 1).await
}

fn intent(entry: &Entry) -> Option<OpId> {
    match &entry.event {
        Event::OpIntended { op, .. } => Some(*op),
        _ => None,
    }
}
