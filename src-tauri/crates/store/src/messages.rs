//! The conversation's messages as rows, numbered from 0.

use std::ops::Range;

use domain::{Message, MessageOrigin, OpId, OpOutcome, RunId, Speaker};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::chain::name_bytes;
use crate::codes::{self, SPEAKERS};
use crate::error::ReadError;
use crate::journal::name_of;
use crate::runs::word;
use crate::script::{Script, blob_id};

fn speaker_word(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::User(origin) => origin.word(),
        Speaker::Model => "model",
        Speaker::Tool(OpOutcome::Ok) => "tool",
        Speaker::Tool(OpOutcome::Error) => "tool_error",
    }
}

fn speaker_of(text: &str) -> Result<Speaker, ReadError> {
    Ok(match text {
        "model" => Speaker::Model,
        "tool" => Speaker::Tool(OpOutcome::Ok),
        "tool_error" => Speaker::Tool(OpOutcome::Error),
        origin => Speaker::User(word::<MessageOrigin>(origin)?),
    })
}

/// Records the `n`-th message.
pub(crate) fn insert(script: &mut Script, key: i64, n: u32, seq: u64, message: &Message) {
    script
        .add(concat!(
            "INSERT INTO message (run, n, seq, speaker, op, text) VALUES (?, ?, ?, ?, ?, ",
            blob_id!(),
            ")"
        ))
        .bind(key)
        .bind(n)
        .bind(seq as i64)
        .bind(codes::code(SPEAKERS, speaker_word(message.speaker)))
        .bind(message.op.map(|op| op.0))
        .bind_blob(name_bytes(&message.text).as_ref());
}

/// A run's messages from the `from`-th (0-based) on.
pub(crate) async fn list(
    conn: &mut SqliteConnection,
    run: RunId,
    from: u32,
) -> Result<Vec<Message>, ReadError> {
    let rows = sqlx::query(
        "SELECT m.speaker, m.op, o.call_id, b.hash FROM message m JOIN blob b ON b.id = m.text
         LEFT JOIN op o ON o.run = m.run AND o.id = m.op
         WHERE m.run = (SELECT key FROM run WHERE id = ?) AND m.n >= ? ORDER BY m.n",
    )
    .bind(&run.0.as_bytes()[..])
    .bind(from)
    .fetch_all(conn)
    .await?;
    rows.iter().map(parse).collect()
}

/// A stretch of a run's messages.
pub(crate) async fn stretch(
    conn: &mut SqliteConnection,
    run: RunId,
    numbers: Range<u32>,
) -> Result<Vec<Message>, ReadError> {
    let rows = sqlx::query(
        "SELECT m.speaker, m.op, o.call_id, b.hash FROM message m JOIN blob b ON b.id = m.text
         LEFT JOIN op o ON o.run = m.run AND o.id = m.op
         WHERE m.run = (SELECT key FROM run WHERE id = ?) AND m.n >= ? AND m.n < ? ORDER BY m.n",
    )
    .bind(&run.0.as_bytes()[..])
    .bind(numbers.start)
    .bind(numbers.end)
    .fetch_all(conn)
    .await?;
    rows.iter().map(parse).collect()
}

fn parse(row: &SqliteRow) -> Result<Message, ReadError> {
    Ok(Message {
        speaker: speaker_of(codes::word(SPEAKERS, row.try_get("speaker")?)?)?,
        op: row.try_get::<Option<u32>, _>("op")?.map(OpId),
        call_id: row.try_get("call_id")?,
        text: name_of(row.try_get("hash")?)?,
    })
}
