//! What is to be told to the user's webhook: rows written with the events they tell of, and
//! kept until the other side has taken them.

use domain::{Entry, Event, Run, Timestamp};
use serde_json::{Value, json};
use sqlx::{Row, SqliteConnection};

use crate::error::ReadError;
use crate::script::Script;

/// The setting without which nothing is told. Its `events` name what is.
pub const WEBHOOK: &str = "webhook";

/// Rows kept of what was delivered or given up, for people to look at.
const KEPT: i64 = 200;

/// Longest title that is told, in characters: what a notification has room for.
const TITLE: usize = 160;

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its place in line.
    pub id: i64,
    /// The event's global position: the same at every try.
    pub gseq: u64,
    /// What happened: `review.requested`, `run.completed`, …
    pub event: String,
    /// What is told of it.
    pub body: Value,
    /// When it happened.
    pub at: Timestamp,
    /// How often it was tried in vain.
    pub tries: u32,
}

/// How telling goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxState {
    /// How many are still to be delivered.
    pub waiting: u64,
    /// Of those, how many were tried in vain.
    pub failing: u64,
    /// When the next is due.
    pub next_due: Option<Timestamp>,
    /// How many (of the newest) were given up.
    pub given_up: u64,
    /// When the newest was delivered.
    pub delivered_at: Option<Timestamp>,
    /// Why the newest try that failed did.
    pub error: Option<String>,
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The other side has taken it.
    Delivered,
    /// Not this time; the next try is due then.
    Failed {
        /// Why.
        error: String,
        /// When it is tried again.
        due: Timestamp,
    },
    /// It is not tried again.
    GivenUp {
        /// Why.
        error: String,
    },
}

/// One change to the outbox.
#[derive(Debug)]
pub(crate) enum OutboxChange {
    Told(i64, Told, Timestamp),
    /// Nobody wants to be told any more.
    Clear,
}

/// What is told of an event: its topic, its name and its body.
fn told(entry: &Entry, run: &Run) -> Option<(&'static str, &'static str, Value)> {
    let of_run = json!({
        "id": run.id.to_string(),
        "title": clipped(&run.task.title),
        "project": project_name(&run.task.project),
        "state": run.state().to_string(),
    });
    let ended = |name, more: Value| {
        let mut body = json!({ "run": of_run.clone() });
        body["run"]["cost_usd"] = json!(run.spent.settled);
        if let Some(cause) = more.as_str() {
            body["run"]["cause"] = json!(cause);
        }
        Some(("runs", name, body))
    };
    match &entry.event {
        Event::ReviewRequested { review } => {
            let review = json!({
                "id": review.id.to_string(),
                "kind": review.kind.to_string(),
                "title": clipped(&review.title),
            });
            let body = json!({ "run": of_run, "review": review });
            Some(("reviews", "review.requested", body))
        }
        Event::Completed { .. } => ended("run.completed", Value::Null),
        Event::Failed { cause, .. } => ended("run.failed", json!(cause.to_string())),
        Event::Cancelled { .. } => ended("run.cancelled", Value::Null),
        _ => None,
    }
}

fn clipped(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(TITLE) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line.to_owned(),
    }
}

/// The folder's own name: where it lies is nobody's business.
fn project_name(path: &str) -> &str {
    path.trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(path)
}

/// Puts what is to be told of an event into the outbox, if anybody wants to be told.
pub(crate) fn put(script: &mut Script, gseq: u64, entry: &Entry, after: &Run) {
    let Some((topic, event, body)) = told(entry, after) else {
        return;
    };
    script
        .add(
            "INSERT INTO outbox (gseq, event, body, at, state, tries, due_at)
         SELECT ?, ?, ?, ?, 'waiting', 0, ?
         WHERE EXISTS (SELECT 1 FROM setting s, json_each(s.value, '$.events') wanted
             WHERE s.name = 'webhook' AND wanted.value = ?)",
        )
        .bind(i64::try_from(gseq).unwrap_or(i64::MAX))
        .bind(event)
        .bind(body.to_string())
        .bind(entry.at.0)
        .bind(entry.at.0)
        .bind(topic);
}

impl OutboxChange {
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let (id, told, now) = match self {
            Self::Told(id, told, now) => (id, told, now),
            Self::Clear => {
                let clear = "DELETE FROM outbox WHERE state = 'waiting'";
                sqlx::query(clear).execute(conn).await?;
                return Ok(());
            }
        };
        let (state, error, due) = match told {
            Told::Delivered => ("delivered", None, None),
            Told::Failed { error, due } => ("waiting", Some(error), Some(due.0)),
            Told::GivenUp { error } => ("given_up", Some(error), None),
        };
        sqlx::query(
            "UPDATE outbox SET state = ?1, tries = tries + (?1 <> 'delivered'), error = ?2,
                 due_at = coalesce(?3, due_at), ended_at = CASE WHEN ?1 <> 'waiting' THEN ?4 END
             WHERE id = ?5 AND state = 'waiting'",
        )
        .bind(state)
        .bind(error)
        .bind(due)
        .bind(now.0)
        .bind(id)
        .execute(&mut *conn)
        .await?;
        sqlx::query(
            "DELETE FROM outbox WHERE state <> 'waiting'
                 AND id <= (SELECT max(id) FROM outbox) - ?",
        )
        .bind(KEPT)
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// Those that are due, oldest first.
pub(crate) async fn due(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Outgoing>, ReadError> {
    let rows = sqlx::query(
        "SELECT id, gseq, event, body, at, tries FROM outbox
         WHERE state = 'waiting' AND due_at <= ? ORDER BY id LIMIT ?",
    )
    .bind(now.0)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Outgoing {
                id: row.try_get("id")?,
                gseq: row.try_get::<i64, _>("gseq")?.unsigned_abs(),
                event: row.try_get("event")?,
                body: serde_json::from_str(row.try_get("body")?)?,
                at: Timestamp(row.try_get("at")?),
                tries: u32::try_from(row.try_get::<i64, _>("tries")?).unwrap_or(u32::MAX),
            })
        })
        .collect()
}

/// How telling goes.
pub(crate) async fn state(conn: &mut SqliteConnection) -> Result<OutboxState, ReadError> {
    let row = sqlx::query(
        "SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,
             count(*) FILTER (WHERE state = 'waiting' AND tries > 0) AS failing,
             min(due_at) FILTER (WHERE state = 'waiting') AS next_due,
             count(*) FILTER (WHERE state = 'given_up') AS given_up,
             max(ended_at) FILTER (WHERE state = 'delivered') AS delivered_at,
             (SELECT error FROM outbox WHERE error IS NOT NULL AND state <> 'delivered'
                 ORDER BY id DESC LIMIT 1) AS error
         FROM outbox",
    )
    .fetch_one(conn)
    .await?;
    let count = |name: &str| -> Result<u64, sqlx::Error> {
        Ok(row.try_get::<i64, _>(name)?.unsigned_abs())
    };
    Ok(OutboxState {
        waiting: count("waiting")?,
        failing: count("failing")?,
        next_due: row.try_get::<Option<i64>, _>("next_due")?.map(Timestamp),
        given_up: count("given_up")?,
        delivered_at: row
            .try_get::<Option<i64>, _>("delivered_at")?
            .map(Timestamp),
        error: row.try_get("error")?,
    })
}
