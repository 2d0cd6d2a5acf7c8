//! What was spent: one row a charge, and totals that are sums of rows.

use domain::{Charge, Entry, Figure, NanoUsd, OpId, RunId, Timestamp, Tokens};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use crate::codes::{self, FIGURES};
use crate::error::ReadError;
use crate::runs::count;
use crate::script::Script;

/// One charge. The event at `seq` of the run carries it in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// Whose.
    pub run: RunId,
    /// The event that carries it.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The operation it belongs to.
    pub op: Option<OpId>,
    /// The backend that worked on the run.
    pub backend: String,
    /// The model that answered.
    pub model: String,
    /// How the cost is known.
    pub figure: Figure,
    /// The cost, absent when unpriced.
    pub cost: Option<NanoUsd>,
    /// How many requests it stands for.
    pub requests: u64,
    /// Tokens; long and short cache writes are one figure here.
    pub tokens: Tokens,
}

/// What totals are made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// UTC day, `2026-11-21`.
    Day,
    /// The model that answered.
    Model,
    /// The backend's name.
    Backend,
    /// The project's path.
    Project,
    /// The run's id.
    Run,
}

/// Which charges.
#[derive(Clone, Debug, Default)]
pub struct LedgerFilter {
    /// Only of this run.
    pub run: Option<RunId>,
    /// Only from this moment on.
    pub since: Option<Timestamp>,
    /// Only before this moment.
    pub until: Option<Timestamp>,
    /// Added to times before they are cut into days, so that days are the user's.
    pub utc_offset_ms: i64,
}

/// The sum of a group's rows, kept apart by how the figures are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerTotals {
    /// The day, model, backend, project or run.
    pub key: String,
    /// All tokens.
    pub tokens: Tokens,
    /// All requests.
    pub requests: u64,
    /// Computed from reported usage and the price book.
    pub priced: NanoUsd,
    /// As agents said.
    pub reported: NanoUsd,
    /// Computed from estimated counts.
    pub estimated: NanoUsd,
    /// May have been billed.
    pub unsettled: NanoUsd,
    /// Requests without a known price.
    pub unpriced_requests: u64,
    /// Runs in the group.
    pub runs: u64,
}

pub(crate) const fn figure_word(figure: Figure) -> &'static str {
    match figure {
        Figure::Priced => "priced",
        Figure::Reported => "reported",
        Figure::Estimated => "estimated",
        Figure::Unsettled => "unsettled",
        Figure::Unpriced => "unpriced",
    }
}

pub(crate) fn figure_of(word: &str) -> Result<Figure, ReadError> {
    [
        Figure::Priced,
        Figure::Reported,
        Figure::Estimated,
        Figure::Unsettled,
        Figure::Unpriced,
    ]
    .into_iter()
    .find(|f| figure_word(*f) == word)
    .ok_or_else(|| ReadError::Damaged(format!("a charge's figure is '{word}'")))
}

/// Records a charge.
pub(crate) fn insert(script: &mut Script, key: i64, entry: &Entry, charge: &Charge, backend: &str) {
    let tokens = &charge.tokens;
    script.add(
        "INSERT INTO ledger (run, seq, at, op, backend, model, figure, cost_nano, requests, input, output,
                             cache_read, cache_write)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(key)
    .bind(entry.seq as i64)
    .bind(entry.at.0)
    .bind(entry.event.op().map(|op| op.0))
    .bind(backend)
    .bind(charge.model.as_str())
    .bind(codes::code(FIGURES, figure_word(charge.figure)))
    .bind(charge.cost.map(|c| c.0))
    .bind(charge.requests as i64)
    .bind(tokens.input as i64)
    .bind(tokens.output as i64)
    .bind(tokens.cache_read as i64)
    .bind((tokens.cache_write + tokens.cache_write_long) as i64);
}

/// The charges that pass the filter, oldest first.
pub(crate) async fn list(
    conn: &mut SqliteConnection,
    filter: &LedgerFilter,
) -> Result<Vec<LedgerRow>, ReadError> {
    let rows = sqlx::query(
        "SELECT l.*, r.id FROM ledger l JOIN run r ON r.key = l.run
         WHERE (?1 IS NULL OR r.id = ?1) AND (?2 IS NULL OR l.at >= ?2) AND (?3 IS NULL OR l.at < ?3)
         ORDER BY l.at, l.run, l.seq",
    )
    .bind(filter.run.map(|run| run.0.as_bytes().to_vec()))
    .bind(filter.since.map(|t| t.0))
    .bind(filter.until.map(|t| t.0))
    .fetch_all(conn)
    .await?;
    rows.iter().map(parse).collect()
}

macro_rules! totals_by {
    ($key:literal) => {
        concat!(
            "SELECT ", $key, " AS name, l.figure, sum(l.cost_nano) AS cost, sum(l.requests) AS requests,
                    sum(l.input) AS input, sum(l.output) AS output, sum(l.cache_read) AS cache_read,
                    sum(l.cache_write) AS cache_write
             FROM ledger l JOIN run r ON r.key = l.run
             WHERE (?1 IS NULL OR r.id = ?1) AND (?2 IS NULL OR l.at >= ?2) AND ?3 IS NOT NULL AND (?4 IS NULL OR l.at < ?4)
             GROUP BY name, l.figure ORDER BY name"
        )
    };
}

macro_rules! runs_by {
    ($key:literal) => {
        concat!(
            "SELECT ",
            $key,
            " AS name, count(DISTINCT l.run) AS runs
             FROM ledger l JOIN run r ON r.key = l.run
             WHERE (?1 IS NULL OR r.id = ?1) AND (?2 IS NULL OR l.at >= ?2) AND ?3 IS NOT NULL AND (?4 IS NULL OR l.at < ?4)
             GROUP BY name ORDER BY name"
        )
    };
}

macro_rules! statements {
    ($key:literal) => {
        (totals_by!($key), runs_by!($key))
    };
}

/// Sums per group, in the order of the groups' names.
pub(crate) async fn totals(
    conn: &mut SqliteConnection,
    by: GroupBy,
    filter: &LedgerFilter,
) -> Result<Vec<LedgerTotals>, ReadError> {
    let (figures, runs) = match by {
        GroupBy::Day => statements!("strftime('%Y-%m-%d', (l.at + ?3) / 1000, 'unixepoch')"),
        GroupBy::Model => statements!("l.model"),
        GroupBy::Backend => statements!("l.backend"),
        GroupBy::Project => statements!("r.project"),
        GroupBy::Run => statements!("lower(hex(r.id))"),
    };
    let run = filter.run.map(|run| run.0.as_bytes().to_vec());
    let since = filter.since.map(|t| t.0);
    let counted: Vec<(String, i64)> = sqlx::query_as(runs)
        .bind(run.clone())
        .bind(since)
        .bind(filter.utc_offset_ms)
        .bind(filter.until.map(|t| t.0))
        .fetch_all(&mut *conn)
        .await?;
    let rows = sqlx::query(figures)
        .bind(run)
        .bind(since)
        .bind(filter.utc_offset_ms)
        .bind(filter.until.map(|t| t.0))
        .fetch_all(conn)
        .await?;
    let mut groups: Vec<LedgerTotals> = counted
        .into_iter()
        .map(|(key, runs)| LedgerTotals {
            key,
            runs: runs as u64,
            ..LedgerTotals::default()
        })
        .collect();
    for row in &rows {
        let name: String = row.try_get("name")?;
        if let Some(group) = groups.iter_mut().find(|g| g.key == name) {
            group.add(row)?;
        }
    }
    if by == GroupBy::Run {
        for group in &mut groups {
            if let Ok(id) = Uuid::parse_str(&group.key) {
                group.key = id.hyphenated().to_string();
            }
        }
    }
    Ok(groups)
}

impl LedgerTotals {
    fn add(&mut self, row: &SqliteRow) -> Result<(), ReadError> {
        let cost = NanoUsd(row.try_get::<Option<i64>, _>("cost")?.unwrap_or(0));
        let requests = count(row, "requests")?;
        self.tokens = self.tokens.plus(&tokens(row)?);
        self.requests += requests;
        match figure_of(codes::word(FIGURES, row.try_get("figure")?)?)? {
            Figure::Priced => self.priced += cost,
            Figure::Reported => self.reported += cost,
            Figure::Estimated => self.estimated += cost,
            Figure::Unsettled => self.unsettled += cost,
            Figure::Unpriced => self.unpriced_requests += requests,
        }
        Ok(())
    }
}

fn tokens(row: &SqliteRow) -> Result<Tokens, ReadError> {
    Ok(Tokens {
        input: count(row, "input")?,
        output: count(row, "output")?,
        cache_read: count(row, "cache_read")?,
        cache_write: count(row, "cache_write")?,
        cache_write_long: 0,
    })
}

fn parse(row: &SqliteRow) -> Result<LedgerRow, ReadError> {
    let id = Uuid::from_slice(row.try_get("id")?)
        .map_err(|_| ReadError::Damaged("a run's id is unreadable".to_owned()))?;
    Ok(LedgerRow {
        run: RunId(id),
        seq: count(row, "seq")?,
        at: Timestamp(row.try_get("at")?),
        op: row.try_get::<Option<u32>, _>("op")?.map(OpId),
        backend: row.try_get("backend")?,
        model: row.try_get("model")?,
        figure: figure_of(codes::word(FIGURES, row.try_get("figure")?)?)?,
        cost: row.try_get::<Option<i64>, _>("cost_nano")?.map(NanoUsd),
        requests: count(row, "requests")?,
        tokens: tokens(row)?,
    })
}
