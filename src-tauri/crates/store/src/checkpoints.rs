//! Checkpoints as rows.

use domain::{Checkpoint, CheckpointId, Entry, Event, RunId, Timestamp};
use sqlx::{Row, SqliteConnection};

use crate::error::ReadError;
use crate::script::Script;

/// Records a checkpoint.
pub(crate) fn insert(script: &mut Script, key: i64, entry: &Entry) {
    let Event::CheckpointTaken {
        checkpoint,
        step,
        snapshot,
        messages,
    } = &entry.event
    else {
        return;
    };
    script
        .add("INSERT INTO checkpoint (run, id, seq, step, at, snapshot, messages) VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(key)
        .bind(checkpoint.0)
        .bind(entry.seq as i64)
        .bind(*step)
        .bind(entry.at.0)
        .bind(snapshot.as_str())
        .bind(*messages);
}

/// A run's checkpoints, oldest first.
pub(crate) async fn list(
    conn: &mut SqliteConnection,
    run: RunId,
) -> Result<Vec<Checkpoint>, ReadError> {
    let rows = sqlx::query(
        "SELECT id, seq, step, at, snapshot, messages FROM checkpoint
         WHERE run = (SELECT key FROM run WHERE id = ?) ORDER BY id",
    )
    .bind(&run.0.as_bytes()[..])
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Checkpoint {
                id: CheckpointId(row.try_get("id")?),
                step: row.try_get("step")?,
                at: Timestamp(row.try_get("at")?),
                snapshot: row.try_get("snapshot")?,
                messages: row.try_get("messages")?,
                seq: u64::try_from(row.try_get::<i64, _>("seq")?).unwrap_or_default(),
            })
        })
        .collect()
}
