//! How people and rules decided, and what is worth knowing of a time: for figures, and for who
//! has not looked for a while.

use domain::Timestamp;
use sqlx::{Row, SqliteConnection};

use crate::codes;
use crate::error::ReadError;

/// A decision somebody made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeDecision {
    /// The run's id.
    pub run: domain::RunId,
    /// What was chosen.
    pub choice: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was made.
    pub decided_at: Timestamp,
}

/// How often a rule spoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleUse {
    /// The rule, in its own words.
    pub rule: String,
    /// What it said.
    pub verdict: domain::Verdict,
    /// About how many calls.
    pub calls: u64,
    /// Of those, how many a person was asked about.
    pub asked: u64,
}

/// How often each kind was asked since a moment, most often first.
pub(crate) async fn asked(
    conn: &mut SqliteConnection,
    since: Timestamp,
) -> Result<Vec<(String, u64)>, ReadError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT kind, count(*) FROM review WHERE requested_at >= ?
         GROUP BY kind ORDER BY count(*) DESC, kind",
    )
    .bind(since.0)
    .fetch_all(conn)
    .await?;
    let count = |(kind, n): (String, i64)| (kind, n.unsigned_abs());
    Ok(rows.into_iter().map(count).collect())
}

/// Decisions about what was asked since a moment.
pub(crate) async fn decisions(
    conn: &mut SqliteConnection,
    since: Timestamp,
) -> Result<Vec<MadeDecision>, ReadError> {
    let rows = sqlx::query(
        "SELECT r.id, v.requested_at, json_extract(v.body, '$.choice') AS choice,
             json_extract(v.body, '$.at') AS decided_at
         FROM review v JOIN run r ON r.key = v.run
         WHERE v.requested_at >= ? AND v.state IN ('decided', 'used')",
    )
    .bind(since.0)
    .fetch_all(conn)
    .await?;
    let damaged = || ReadError::Damaged("a review's run is unreadable".to_owned());
    rows.iter()
        .map(|row| {
            let run = uuid::Uuid::from_slice(row.try_get("id")?).map_err(|_| damaged())?;
            Ok(MadeDecision {
                run: domain::RunId(run),
                choice: row.try_get("choice")?,
                requested_at: Timestamp(row.try_get("requested_at")?),
                decided_at: Timestamp(row.try_get("decided_at")?),
            })
        })
        .collect()
}

/// What rules said of tool calls since a moment, those that spoke most often first.
pub(crate) async fn rules(
    conn: &mut SqliteConnection,
    since: Timestamp,
) -> Result<Vec<RuleUse>, ReadError> {
    let rows = sqlx::query(
        "SELECT rule, verdict, count(*) AS calls, count(review) AS asked FROM op
         WHERE kind = 1 AND intended_at >= ? GROUP BY rule, verdict ORDER BY calls DESC, rule",
    )
    .bind(since.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(RuleUse {
                rule: row.try_get("rule")?,
                verdict: codes::read(row, "verdict", codes::VERDICTS)?,
                calls: row.try_get::<i64, _>("calls")?.unsigned_abs(),
                asked: row.try_get::<i64, _>("asked")?.unsigned_abs(),
            })
        })
        .collect()
}
