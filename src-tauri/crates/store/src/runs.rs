//! Runs as rows: what lists show.

use std::str::FromStr;

use domain::{
    BackendKind, FailCause, NanoUsd, ReviewId, RunId, RunState, Spent, Timestamp, Tokens, WaitCause,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use crate::error::ReadError;
use crate::script::Script;
use crate::snapshots::Fold;

/// One run, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// The last event's position.
    pub head: u64,
    /// The prompt's first line, shortened.
    pub title: String,
    /// Absolute path of the project.
    pub project: String,
    /// The backend that works on it now.
    pub backend: String,
    /// The task's kind of backend.
    pub kind: BackendKind,
    /// The model asked for.
    pub model: Option<String>,
    /// Models that really answered.
    pub answered_by: Vec<String>,
    /// The state a user sees.
    pub state: RunState,
    /// All causes of waiting; the first is *the* cause.
    pub causes: Vec<WaitCause>,
    /// Why it failed.
    pub failure: Option<FailCause>,
    /// The current step.
    pub step: u32,
    /// Times it was given a slot.
    pub attempts: u32,
    /// What it used. Long and short cache writes are one figure here.
    pub spent: Spent,
    /// Higher starts first.
    pub priority: i32,
    /// Starts only after this run.
    pub after: Option<RunId>,
    /// Reviews somebody still has to answer.
    pub open_reviews: u32,
    /// Where its files are.
    pub workspace: Option<String>,
    /// The workspace is gone by the user's wish.
    pub discarded: bool,
    /// When the first wait with a known end is over.
    pub wake_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last got a slot.
    pub started_at: Option<Timestamp>,
    /// When it was completed, failed or cancelled.
    pub ended_at: Option<Timestamp>,
    /// When the last event was recorded.
    pub updated_at: Timestamp,
}

/// Which runs.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only in this state.
    pub state: Option<RunState>,
    /// Only of this project (absolute path).
    pub project: Option<String>,
    /// Only on this backend.
    pub backend: Option<String>,
    /// Only with an event after this global position.
    pub since: Option<u64>,
    /// At most so many; all when absent.
    pub limit: Option<u32>,
}

/// A completed run, for estimates of the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRun {
    /// The backend that completed it.
    pub backend: String,
    /// The model asked for.
    pub model: Option<String>,
    /// Milliseconds of work.
    pub active_ms: i64,
    /// Settled and unsettled cost; absent when some of it had no known price.
    pub cost: Option<NanoUsd>,
    /// Steps it took.
    pub steps: u32,
}

/// The key of the next run.
pub(crate) async fn next_key(conn: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT coalesce(max(key), 0) + 1 FROM run")
        .fetch_one(conn)
        .await
}

/// Reserves the row of a new run.
pub(crate) fn insert(script: &mut Script, fold: &Fold) {
    let run = &fold.run;
    script.add(
        "INSERT INTO run (key, id, head_seq, head_hash, title, project, backend, kind, model, answered_by, state,
            causes, step, attempts, requests, input, output, cache_read, cache_write, settled_nano,
            unsettled_nano, unpriced, tool_calls, active_ms, priority, after, open_reviews, discarded,
            created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', 'queued', '', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ?, ?, 0, 0, ?, ?)",
    )
    .bind(fold.key)
    .bind(&run.id.0.as_bytes()[..])
    .bind(run.head as i64)
    .bind(&fold.hash[..])
    .bind(run.task.title.as_str())
    .bind(run.task.project.as_str())
    .bind(run.backend.as_str())
    .bind(run.task.kind.word())
    .bind(run.task.model.as_deref())
    .bind(run.task.priority)
    .bind(run.task.after.map(|id| id.0.as_bytes().to_vec()))
    .bind(run.created_at.0)
    .bind(run.last_at.0);
}

/// Brings a run's row up to its fold.
pub(crate) fn update(script: &mut Script, fold: &Fold) {
    let run = &fold.run;
    let (spent, tokens) = (&run.spent, &run.spent.tokens);
    let state = run.state();
    let causes: Vec<&str> = match state {
        RunState::Waiting => run.causes().into_iter().map(WaitCause::word).collect(),
        _ => Vec::new(),
    };
    let open_reviews = run.reviews.values().filter(|r| r.is_open()).count();
    script.add(
        "UPDATE run SET head_seq = ?, head_hash = ?, backend = ?, answered_by = ?, state = ?, causes = ?,
            failure = ?, step = ?, attempts = ?, requests = ?, input = ?, output = ?, cache_read = ?,
            cache_write = ?, settled_nano = ?, unsettled_nano = ?, unpriced = ?, tool_calls = ?, active_ms = ?,
            open_reviews = ?, workspace = ?, discarded = ?, wake_at = ?, started_at = ?, ended_at = ?, updated_at = ?
         WHERE key = ?",
    )
    .bind(run.head as i64)
    .bind(&fold.hash[..])
    .bind(run.backend.as_str())
    .bind(run.answered_by.join("\n"))
    .bind(state.word())
    .bind(causes.join(" "))
    .bind(run.failure.as_ref().map(|f| f.cause.word()))
    .bind(run.step)
    .bind(run.attempts)
    .bind(spent.requests as i64)
    .bind(tokens.input as i64)
    .bind(tokens.output as i64)
    .bind(tokens.cache_read as i64)
    .bind((tokens.cache_write + tokens.cache_write_long) as i64)
    .bind(spent.settled.0)
    .bind(spent.unsettled.0)
    .bind(spent.unpriced_requests as i64)
    .bind(spent.tool_calls as i64)
    .bind(spent.active_ms)
    .bind(open_reviews as i64)
    .bind(run.workspace.as_ref().map(|w| w.path.as_str()))
    .bind(run.discarded)
    .bind(run.waits.iter().filter_map(|w| w.until).min().map(|t| t.0))
    .bind(run.started_at.map(|t| t.0))
    .bind(run.ended_at.map(|t| t.0))
    .bind(run.last_at.0)
    .bind(fold.key);
}

/// Runs that pass the filter, newest first.
pub(crate) async fn list(
    conn: &mut SqliteConnection,
    filter: &RunFilter,
) -> Result<Vec<RunRow>, ReadError> {
    let sql = match filter.since {
        None => {
            "SELECT * FROM run WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR project = ?2)
                 AND (?3 IS NULL OR backend = ?3) AND ?5 IS NULL
             ORDER BY key DESC LIMIT ?4"
        }
        // Only the events after it are read, and then only their runs.
        Some(_) => {
            "SELECT * FROM run WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR project = ?2)
                 AND (?3 IS NULL OR backend = ?3)
                 AND key IN (SELECT DISTINCT run FROM event WHERE gseq > ?5)
             ORDER BY key DESC LIMIT ?4"
        }
    };
    let rows = sqlx::query(sql)
        .bind(filter.state.map(RunState::word))
        .bind(filter.project.as_deref())
        .bind(filter.backend.as_deref())
        .bind(filter.limit.map_or(-1, i64::from))
        .bind(filter.since.map(|gseq| gseq as i64))
        .fetch_all(conn)
        .await?;
    rows.iter().map(parse).collect()
}

/// Runs that are not completed, failed or cancelled, oldest first.
pub(crate) async fn unfinished(conn: &mut SqliteConnection) -> Result<Vec<RunRow>, ReadError> {
    let rows = sqlx::query(
        "SELECT * FROM run WHERE state IN ('queued', 'running', 'waiting', 'paused', 'interrupted', 'verifying')
         ORDER BY key",
    )
    .fetch_all(conn)
    .await?;
    rows.iter().map(parse).collect()
}

/// One run's row.
pub(crate) async fn get(
    conn: &mut SqliteConnection,
    run: RunId,
) -> Result<Option<RunRow>, ReadError> {
    let row = sqlx::query("SELECT * FROM run WHERE id = ?")
        .bind(&run.0.as_bytes()[..])
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(parse).transpose()
}

/// The rows of these runs, in no order.
pub(crate) async fn of_ids(
    conn: &mut SqliteConnection,
    runs: &[RunId],
) -> Result<Vec<RunRow>, ReadError> {
    let names: Vec<String> = runs.iter().map(|run| run.0.simple().to_string()).collect();
    let rows = sqlx::query(
        "SELECT run.* FROM json_each(?) name CROSS JOIN run ON run.id = unhex(name.value)",
    )
    .bind(serde_json::to_string(&names)?)
    .fetch_all(conn)
    .await?;
    rows.iter().map(parse).collect()
}

/// Ids that begin so, at most `limit`.
pub(crate) async fn find(
    conn: &mut SqliteConnection,
    hex_prefix: &str,
    limit: u32,
) -> Result<Vec<RunId>, ReadError> {
    let ids: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT id FROM run WHERE lower(hex(id)) LIKE ? || '%' ORDER BY key DESC LIMIT ?",
    )
    .bind(hex_prefix)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(ids
        .iter()
        .filter_map(|id| Uuid::from_slice(id).ok())
        .map(RunId)
        .collect())
}

/// How many runs are in each state.
pub(crate) async fn counts(conn: &mut SqliteConnection) -> Result<Vec<(RunState, u64)>, ReadError> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT state, count(*) FROM run GROUP BY state ORDER BY state")
            .fetch_all(conn)
            .await?;
    rows.iter()
        .map(|(state, n)| Ok((word(state)?, *n as u64)))
        .collect()
}

/// The project's newest completed runs.
pub(crate) async fn history(
    conn: &mut SqliteConnection,
    project: &str,
    limit: u32,
) -> Result<Vec<PastRun>, ReadError> {
    let rows = sqlx::query(
        "SELECT backend, model, active_ms, settled_nano + unsettled_nano AS cost, unpriced, step FROM run
         WHERE project = ? AND state = 'completed' ORDER BY ended_at DESC LIMIT ?",
    )
    .bind(project)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let is_priced = row.try_get::<i64, _>("unpriced")? == 0;
            Ok(PastRun {
                backend: row.try_get("backend")?,
                model: row.try_get("model")?,
                active_ms: row.try_get("active_ms")?,
                cost: is_priced.then_some(NanoUsd(row.try_get("cost")?)),
                steps: row.try_get("step")?,
            })
        })
        .collect()
}

fn parse(row: &SqliteRow) -> Result<RunRow, ReadError> {
    let time = |column: &str| -> Result<Option<Timestamp>, ReadError> {
        Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp))
    };
    let id = |bytes: &[u8]| {
        Uuid::from_slice(bytes)
            .map(RunId)
            .map_err(|_| ReadError::Damaged("a run's id is unreadable".to_owned()))
    };
    let failure: Option<String> = row.try_get("failure")?;
    let causes: String = row.try_get("causes")?;
    let answered_by: String = row.try_get("answered_by")?;
    Ok(RunRow {
        id: id(row.try_get("id")?)?,
        head: count(row, "head_seq")?,
        title: row.try_get("title")?,
        project: row.try_get("project")?,
        backend: row.try_get("backend")?,
        kind: word(row.try_get("kind")?)?,
        model: row.try_get("model")?,
        answered_by: answered_by.lines().map(str::to_owned).collect(),
        state: word(row.try_get("state")?)?,
        causes: causes
            .split_whitespace()
            .map(word)
            .collect::<Result<_, _>>()?,
        failure: failure.as_deref().map(word).transpose()?,
        step: row.try_get("step")?,
        attempts: row.try_get("attempts")?,
        spent: spent(row)?,
        priority: row.try_get("priority")?,
        after: row
            .try_get::<Option<&[u8]>, _>("after")?
            .map(id)
            .transpose()?,
        open_reviews: row.try_get("open_reviews")?,
        workspace: row.try_get("workspace")?,
        discarded: row.try_get("discarded")?,
        wake_at: time("wake_at")?,
        created_at: Timestamp(row.try_get("created_at")?),
        started_at: time("started_at")?,
        ended_at: time("ended_at")?,
        updated_at: Timestamp(row.try_get("updated_at")?),
    })
}

fn spent(row: &SqliteRow) -> Result<Spent, ReadError> {
    Ok(Spent {
        tokens: Tokens {
            input: count(row, "input")?,
            output: count(row, "output")?,
            cache_read: count(row, "cache_read")?,
            cache_write: count(row, "cache_write")?,
            cache_write_long: 0,
        },
        requests: count(row, "requests")?,
        settled: NanoUsd(row.try_get("settled_nano")?),
        unsettled: NanoUsd(row.try_get("unsettled_nano")?),
        unpriced_requests: count(row, "unpriced")?,
        tool_calls: count(row, "tool_calls")?,
        active_ms: row.try_get("active_ms")?,
    })
}

/// A column that counts.
pub(crate) fn count(row: &SqliteRow, column: &str) -> Result<u64, ReadError> {
    Ok(row.try_get::<i64, _>(column)?.max(0) as u64)
}

/// A column that is one of a closed set of words.
pub(crate) fn word<T: FromStr<Err = String>>(text: &str) -> Result<T, ReadError> {
    text.parse().map_err(ReadError::Damaged)
}

/// The hex digits of an id's beginning; `None` if it cannot be one.
pub(crate) fn hex_prefix(text: &str) -> Option<String> {
    let hex: String = text.trim().to_ascii_lowercase().replace('-', "");
    let is_hex = !hex.is_empty() && hex.len() <= 32 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then_some(hex)
}

/// Whose review it is.
pub(crate) async fn of_review(
    conn: &mut SqliteConnection,
    review: ReviewId,
) -> Result<Option<RunId>, ReadError> {
    let id: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT r.id FROM review v JOIN run r ON r.key = v.run WHERE v.id = ?")
            .bind(&review.0.as_bytes()[..])
            .fetch_optional(conn)
            .await?;
    Ok(id.and_then(|id| Uuid::from_slice(&id).ok()).map(RunId))
}
