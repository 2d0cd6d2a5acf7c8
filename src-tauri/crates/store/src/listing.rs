//! What lists of runs show beside their rows, and finding runs by words.

use std::collections::HashMap;

use domain::{Event, NanoUsd, RunId, Timestamp};
use sqlx::Row;
use uuid::Uuid;

use crate::blobs;
use crate::error::ReadError;
use crate::journal;
use crate::store::Store;

/// A project runs were made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectRow {
    /// Its absolute path.
    pub path: String,
    /// Runs made for it.
    pub runs: u64,
    /// When the newest was made.
    pub last_used_at: Timestamp,
    /// What they cost, settled.
    pub settled: NanoUsd,
}

/// Events and tokens at a moment, for sparklines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When.
    pub at: Timestamp,
    /// Tokens charged then, cache reads not counted; 0 for an event.
    pub tokens: u64,
}

/// Most events and charges looked at for a sparkline.
const BEATS: i64 = 20_000;

fn ids_json(runs: &[RunId]) -> String {
    let hex: Vec<String> = runs
        .iter()
        .map(|run| format!("\"{}\"", run.0.simple()))
        .collect();
    format!("[{}]", hex.join(","))
}

fn run_id(bytes: &[u8]) -> Result<RunId, ReadError> {
    Uuid::from_slice(bytes)
        .map(RunId)
        .map_err(|_| ReadError::Damaged("a run's id is unreadable".to_owned()))
}

impl Store {
    /// Why these runs failed, in the words recorded then.
    pub async fn failures(&self, runs: &[RunId]) -> Result<HashMap<RunId, String>, ReadError> {
        let mut found = HashMap::new();
        if runs.is_empty() {
            return Ok(found);
        }
        let mut conn = self.inner.readers.acquire().await?;
        // What follows a failure is little: it was applied, discarded.
        let events = journal::failures_of(&mut conn, &ids_json(runs)).await?;
        for row in events {
            if let Event::Failed { message, .. } = row.stored.entry.event {
                found.insert(row.stored.run, message);
            }
        }
        Ok(found)
    }

    /// The projects runs were made for, last used first.
    pub async fn projects(&self, limit: u32) -> Result<Vec<ProjectRow>, ReadError> {
        let mut conn = self.inner.readers.acquire().await?;
        let rows = sqlx::query(
            "SELECT project, count(*) AS runs, max(created_at) AS used, sum(settled_nano) AS settled
             FROM run GROUP BY project ORDER BY used DESC LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&mut *conn)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ProjectRow {
                    path: row.try_get("project")?,
                    runs: row.try_get::<i64, _>("runs")?.max(0) as u64,
                    last_used_at: Timestamp(row.try_get("used")?),
                    settled: NanoUsd(row.try_get("settled")?),
                })
            })
            .collect()
    }

    /// When a run's events since a moment were recorded, newest first, and when it was
    /// charged tokens; of a very busy run only the newest.
    pub async fn beats(
        &self,
        run: RunId,
        since: Timestamp,
    ) -> Result<(Vec<Beat>, Vec<Beat>), ReadError> {
        let mut conn = self.inner.readers.acquire().await?;
        // In the order of their positions: no index of times is needed, and a clock that
        // was set back only ends the list early.
        let of = async |conn: &mut sqlx::SqliteConnection, sql: &'static str| {
            use futures_util::TryStreamExt as _;
            let mut rows = sqlx::query(sql)
                .bind(&run.0.as_bytes()[..])
                .bind(BEATS)
                .fetch(conn);
            let mut beats = Vec::new();
            while let Some(row) = rows.try_next().await? {
                let beat = Beat {
                    at: Timestamp(row.try_get("at")?),
                    tokens: row.try_get::<i64, _>("tokens")?.max(0) as u64,
                };
                if beat.at < since {
                    break;
                }
                beats.push(beat);
            }
            Ok::<_, ReadError>(beats)
        };
        let events = of(
            &mut conn,
            "SELECT at, 0 AS tokens FROM event WHERE run = (SELECT key FROM run WHERE id = ?)
             ORDER BY seq DESC LIMIT ?",
        )
        .await?;
        let charges = of(
            &mut conn,
            "SELECT at, input + output + cache_write AS tokens FROM ledger
             WHERE run = (SELECT key FROM run WHERE id = ?) ORDER BY seq DESC LIMIT ?",
        )
        .await?;
        Ok((events, charges))
    }

    /// Which of these runs have a word in what a model said in them. Letters of either
    /// case are the same, as far as they are ASCII.
    pub async fn runs_where_said(
        &self,
        runs: &[RunId],
        word: &str,
    ) -> Result<Vec<RunId>, ReadError> {
        let mut conn = self.inner.readers.acquire().await?;
        let ids: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT r.id FROM json_each(?1) j JOIN run r ON r.id = unhex(j.value)
             WHERE EXISTS (SELECT 1 FROM op o JOIN blob b ON b.id = o.result
                           WHERE o.run = r.key AND o.kind = 0 AND b.words LIKE ?2 ESCAPE '\\')",
        )
        .bind(ids_json(runs))
        .bind(like(word))
        .fetch_all(&mut *conn)
        .await?;
        ids.iter().map(|id| run_id(id)).collect()
    }

    /// The prompts of these runs, whole.
    pub async fn prompts(&self, runs: &[RunId]) -> Result<HashMap<RunId, String>, ReadError> {
        let mut conn = self.inner.readers.acquire().await?;
        let rows = sqlx::query(
            "SELECT r.id, b.hash FROM json_each(?) j JOIN run r ON r.id = unhex(j.value)
             JOIN event e ON e.run = r.key AND e.seq = 1 JOIN blob b ON b.id = e.blob",
        )
        .bind(ids_json(runs))
        .fetch_all(&mut *conn)
        .await?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in &rows {
            let name = journal::name_of(row.try_get("hash")?)?;
            let bytes = blobs::read(&mut conn, &self.inner.home, &name).await?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            found.insert(run_id(row.try_get("id")?)?, text);
        }
        Ok(found)
    }
}

/// A pattern for texts that have `word` in them.
fn like(word: &str) -> String {
    let mut pattern = String::from("%");
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
