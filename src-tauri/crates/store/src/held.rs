//! Calls that nothing has begun of: what a list of reviews shows of each, for all of them at once.

use std::collections::HashMap;

use domain::{BackendKind, BlobRef, OpClass, OpId, OpMode, OpState, RunId};
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use crate::codes;
use crate::error::ReadError;
use crate::journal::name_of;
use crate::runs::word;

/// A call that is intended, and has not begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldCall {
    /// The kind of backend that asked for it.
    pub backend: BackendKind,
    /// The tool.
    pub name: String,
    /// Of what class it is.
    pub class: OpClass,
    /// Whether it is decided before it happens.
    pub mode: OpMode,
    /// Its arguments.
    pub args: BlobRef,
}

/// Those of these calls that are held, by one query however many they are.
pub(crate) async fn list(
    conn: &mut SqliteConnection,
    calls: &[(RunId, OpId)],
) -> Result<HashMap<(RunId, OpId), HeldCall>, ReadError> {
    if calls.is_empty() {
        return Ok(HashMap::new());
    }
    let names: Vec<(String, u32)> = calls
        .iter()
        .map(|(run, op)| (run.0.simple().to_string(), op.0))
        .collect();
    let rows = sqlx::query(
        "SELECT r.id AS run_id, r.kind AS backend, o.id, o.name, o.class, o.mode, a.hash AS args_hash
         FROM json_each(?) call
         CROSS JOIN run r ON r.id = unhex(call.value ->> 0)
         CROSS JOIN op o ON o.run = r.key AND o.id = call.value ->> 1
         CROSS JOIN blob a ON a.id = o.args
         WHERE o.state = ?",
    )
    .bind(serde_json::to_string(&names)?)
    .bind(codes::code(codes::OP_STATES, OpState::Intended.word()))
    .fetch_all(conn)
    .await?;
    let damaged = |_| ReadError::Damaged("a run's id is unreadable".to_owned());
    rows.iter()
        .map(|row| {
            let run = Uuid::from_slice(row.try_get("run_id")?).map_err(damaged)?;
            let call = HeldCall {
                backend: word(row.try_get("backend")?)?,
                name: row.try_get("name")?,
                class: codes::read(row, "class", codes::OP_CLASSES)?,
                mode: codes::read(row, "mode", codes::OP_MODES)?,
                args: name_of(row.try_get("args_hash")?)?,
            };
            Ok(((RunId(run), OpId(row.try_get("id")?)), call))
        })
        .collect()
}
