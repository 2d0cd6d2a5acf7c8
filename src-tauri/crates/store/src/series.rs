//! What was spent, divided two ways at once: for charts, and for what caches saved.

use domain::{Figure, NanoUsd};
use sqlx::{Row, SqliteConnection};

use crate::codes::{self, FIGURES};
use crate::error::ReadError;
use crate::ledger::{GroupBy, LedgerFilter, figure_of};
use crate::runs::count;
use crate::store::Store;

/// The sum of the charges of one key on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaySum {
    /// The day in the filter's zone, `2026-11-21`.
    pub day: String,
    /// The model, backend or project.
    pub key: String,
    /// How the figures are known.
    pub figure: Figure,
    /// Their sum; 0 where unpriced.
    pub cost: NanoUsd,
    /// Requests.
    pub requests: u64,
}

/// Tokens read from caches, of one key and model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheReads {
    /// The day, model, backend, project or run (in plain hex).
    pub key: String,
    /// The model that answered.
    pub model: String,
    /// Tokens.
    pub tokens: u64,
}

macro_rules! by_day {
    ($key:literal) => {
        concat!(
            "SELECT strftime('%Y-%m-%d', (l.at + ?1) / 1000, 'unixepoch') AS day, ",
            $key,
            " AS name, l.figure, sum(l.cost_nano) AS cost, sum(l.requests) AS requests
             FROM ledger l JOIN run r ON r.key = l.run
             WHERE (?2 IS NULL OR l.at >= ?2) AND (?3 IS NULL OR l.at < ?3)
             GROUP BY day, name, l.figure ORDER BY day, name"
        )
    };
}

macro_rules! reads_by {
    ($key:literal) => {
        concat!(
            "SELECT ",
            $key,
            " AS name, l.model, sum(l.cache_read) AS tokens
             FROM ledger l JOIN run r ON r.key = l.run
             WHERE (?2 IS NULL OR l.at >= ?2) AND (?3 IS NULL OR l.at < ?3) AND l.cache_read > 0
               AND ?1 IS NOT NULL
             GROUP BY name, l.model"
        )
    };
}

impl Store {
    /// Sums per day and model, backend or project (what else `by` names counts as the
    /// model), oldest day first.
    pub async fn ledger_days(
        &self,
        by: GroupBy,
        filter: &LedgerFilter,
    ) -> Result<Vec<DaySum>, ReadError> {
        let sql = match by {
            GroupBy::Backend => by_day!("l.backend"),
            GroupBy::Project => by_day!("r.project"),
            _ => by_day!("l.model"),
        };
        let rows = fetch(&mut *self.inner.readers.acquire().await?, sql, filter).await?;
        rows.iter()
            .map(|row| {
                Ok(DaySum {
                    day: row.try_get("day")?,
                    key: row.try_get("name")?,
                    figure: figure_of(codes::word(FIGURES, row.try_get("figure")?)?)?,
                    cost: NanoUsd(row.try_get::<Option<i64>, _>("cost")?.unwrap_or(0)),
                    requests: count(row, "requests")?,
                })
            })
            .collect()
    }

    /// Tokens read from caches per group and model.
    pub async fn cache_reads(
        &self,
        by: GroupBy,
        filter: &LedgerFilter,
    ) -> Result<Vec<CacheReads>, ReadError> {
        let sql = match by {
            GroupBy::Day => reads_by!("strftime('%Y-%m-%d', (l.at + ?1) / 1000, 'unixepoch')"),
            GroupBy::Model => reads_by!("l.model"),
            GroupBy::Backend => reads_by!("l.backend"),
            GroupBy::Project => reads_by!("r.project"),
            GroupBy::Run => reads_by!("lower(hex(r.id))"),
        };
        let rows = fetch(&mut *self.inner.readers.acquire().await?, sql, filter).await?;
        rows.iter()
            .map(|row| {
                Ok(CacheReads {
                    key: row.try_get("name")?,
                    model: row.try_get("model")?,
                    tokens: count(row, "tokens")?,
                })
            })
            .collect()
    }
}

async fn fetch(
    conn: &mut SqliteConnection,
    sql: &'static str,
    filter: &LedgerFilter,
) -> Result<Vec<sqlx::sqlite::SqliteRow>, ReadError> {
    Ok(sqlx::query(sql)
        .bind(filter.utc_offset_ms)
        .bind(filter.since.map(|t| t.0))
        .bind(filter.until.map(|t| t.0))
        .fetch_all(conn)
        .await?)
}
