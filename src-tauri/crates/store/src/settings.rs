//! What the user set up and what outlives a restart besides runs: backends,
//! limiter pauses, settings. Values are JSON; secrets never come here.

use serde_json::Value;
use sqlx::SqliteConnection;

use crate::error::ReadError;
use crate::outbox::OutboxChange;

/// A backend as the user set it up, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendRow {
    /// Its name.
    pub name: String,
    /// Everything else.
    pub config: Value,
}

/// A limiter's pause, which outlives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseRow {
    /// The gate: a credential's fingerprint or a bucket's name.
    pub gate: String,
    /// What the limiter needs to go on.
    pub state: Value,
}

/// One change to these tables.
#[derive(Debug)]
pub(crate) enum Put {
    Backend(String, Option<Value>),
    Pause(String, Option<Value>),
    Setting(String, Option<Value>),
    Outbox(OutboxChange),
}

impl Put {
    /// Makes the change; a missing value removes.
    pub(crate) async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let (put, remove, name, value) = match self {
            Self::Backend(name, value) => (
                "INSERT INTO backend (name, body) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET body = ?2",
                "DELETE FROM backend WHERE name = ?1",
                name,
                value,
            ),
            Self::Pause(gate, value) => (
                "INSERT INTO pause (gate, body) VALUES (?1, ?2) ON CONFLICT (gate) DO UPDATE SET body = ?2",
                "DELETE FROM pause WHERE gate = ?1",
                gate,
                value,
            ),
            Self::Setting(name, value) => (
                "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
                "DELETE FROM setting WHERE name = ?1",
                name,
                value,
            ),
            Self::Outbox(change) => return change.apply(conn).await,
        };
        match value {
            Some(value) => {
                sqlx::query(put)
                    .bind(name)
                    .bind(value.to_string())
                    .execute(conn)
                    .await?
            }
            None => sqlx::query(remove).bind(name).execute(conn).await?,
        };
        Ok(())
    }
}

pub(crate) async fn backends(conn: &mut SqliteConnection) -> Result<Vec<BackendRow>, ReadError> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT name, body FROM backend ORDER BY name")
            .fetch_all(conn)
            .await?;
    rows.into_iter()
        .map(|(name, body)| {
            Ok(BackendRow {
                name,
                config: serde_json::from_str(&body)?,
            })
        })
        .collect()
}

pub(crate) async fn backend(
    conn: &mut SqliteConnection,
    name: &str,
) -> Result<Option<Value>, ReadError> {
    let body: Option<String> = sqlx::query_scalar("SELECT body FROM backend WHERE name = ?")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    Ok(body.as_deref().map(serde_json::from_str).transpose()?)
}

pub(crate) async fn pauses(conn: &mut SqliteConnection) -> Result<Vec<PauseRow>, ReadError> {
    let rows: Vec<(String, String)> = sqlx::query_as("SELECT gate, body FROM pause ORDER BY gate")
        .fetch_all(conn)
        .await?;
    rows.into_iter()
        .map(|(gate, body)| {
            Ok(PauseRow {
                gate,
                state: serde_json::from_str(&body)?,
            })
        })
        .collect()
}

pub(crate) async fn setting(
    conn: &mut SqliteConnection,
    name: &str,
) -> Result<Option<Value>, ReadError> {
    let value: Option<String> = sqlx::query_scalar("SELECT value FROM setting WHERE name = ?")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    Ok(value.as_deref().map(serde_json::from_str).transpose()?)
}
