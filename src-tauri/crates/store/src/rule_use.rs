//! How often each rule decided: counted as intents are recorded, so that nobody has to read
//! a month of operations to learn which rules never do.

use domain::{Entry, Event, OpKind, Timestamp};
use sqlx::{Row, SqliteConnection};

use crate::error::ReadError;
use crate::script::Script;

const DAY_MS: i64 = 86_400_000;

/// How often a rule decided about calls of one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCount {
    /// The rule's whole id.
    pub rule_id: String,
    /// Absolute path of the project.
    pub project: String,
    /// How many calls.
    pub calls: u64,
}

/// How often rules decided in some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleCounts {
    /// The first decision that was ever counted; absent while none was.
    pub began: Option<Timestamp>,
    /// Rules that decided something in that time.
    pub uses: Vec<RuleCount>,
}

/// Counts the decision an intent carries.
pub(crate) fn count(script: &mut Script, entry: &Entry, project: &str) {
    let Event::OpIntended {
        op_kind: OpKind::Tool,
        decision,
        ..
    } = &entry.event
    else {
        return;
    };
    let Some(rule_id) = &decision.rule_id else {
        return;
    };
    script
        .add(
            "INSERT INTO rule_use (rule_id, project, day, calls, first_at) VALUES (?, ?, ?, 1, ?)
         ON CONFLICT DO UPDATE SET calls = calls + 1",
        )
        .bind(rule_id.as_str())
        .bind(project)
        .bind(entry.at.0.div_euclid(DAY_MS))
        .bind(entry.at.0);
}

/// What rules decided since a moment, to the day.
pub(crate) async fn since(
    conn: &mut SqliteConnection,
    since: Timestamp,
) -> Result<RuleCounts, ReadError> {
    let began: Option<i64> = sqlx::query_scalar("SELECT min(first_at) FROM rule_use")
        .fetch_one(&mut *conn)
        .await?;
    let rows = sqlx::query(
        "SELECT rule_id, project, sum(calls) AS calls FROM rule_use WHERE day >= ?
         GROUP BY rule_id, project",
    )
    .bind(since.0.div_euclid(DAY_MS))
    .fetch_all(conn)
    .await?;
    let uses = rows.iter().map(|row| {
        Ok(RuleCount {
            rule_id: row.try_get("rule_id")?,
            project: row.try_get("project")?,
            calls: row.try_get::<i64, _>("calls")?.unsigned_abs(),
        })
    });
    Ok(RuleCounts {
        began: began.map(Timestamp),
        uses: uses.collect::<Result<_, ReadError>>()?,
    })
}
