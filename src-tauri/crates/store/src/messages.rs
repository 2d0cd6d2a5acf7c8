//! The conversation's messages as rows, numbered from 0.

use std::ops::Range;

use domain::{Message, MessageOrigin, OpId, OpOutcome, Run, RunId, Speaker, Stretch};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::chain::name_bytes;
use crate::codes::{self, SPEAKERS};
use crate::error::ReadError;
use crate::journal::name_of;
use crate::runs::word;
use crate::script::{Script, blob_id};
use crate::snapshots;

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

/// The messages of these numbers (from 0) in the conversation `run` had at the position
/// `at`, with what it took over from the runs it was forked from.
pub(crate) async fn conversation(
    conn: &mut SqliteConnection,
    run: &Run,
    at: u64,
    numbers: Range<u32>,
) -> Result<Vec<Message>, ReadError> {
    let mut messages = match &run.task.fork {
        Some(fork) if numbers.start < fork.messages => {
            let inherited = numbers.start..numbers.end.min(fork.messages);
            let parent = snapshots::fold(conn, fork.run).await?;
            let parent = parent.ok_or_else(|| {
                ReadError::Damaged(format!(
                    "the run {} it was forked from is missing",
                    fork.run
                ))
            })?;
            Box::pin(conversation(conn, &parent.run, fork.seq, inherited)).await?
        }
        _ => Vec::new(),
    };
    for part in run.stretches_at(at) {
        let part = Stretch {
            from: part.from.max(numbers.start),
            to: part.to.min(numbers.end),
            ..part
        };
        if part.from < part.to {
            messages.extend(stretch(conn, run.id, part).await?);
        }
    }
    Ok(messages)
}

/// The messages of one stretch of a journal.
async fn stretch(
    conn: &mut SqliteConnection,
    run: RunId,
    part: Stretch,
) -> Result<Vec<Message>, ReadError> {
    let rows = sqlx::query(
        "SELECT m.speaker, m.op, o.call_id, b.hash FROM message m JOIN blob b ON b.id = m.text
         LEFT JOIN op o ON o.run = m.run AND o.id = m.op
         WHERE m.run = (SELECT key FROM run WHERE id = ?) AND m.n >= ? AND m.n < ?
         AND m.seq > ? AND m.seq <= ? ORDER BY m.n",
    )
    .bind(&run.0.as_bytes()[..])
    .bind(part.from)
    .bind(part.to)
    .bind(i64::try_from(part.after).unwrap_or(i64::MAX))
    .bind(i64::try_from(part.upto).unwrap_or(i64::MAX))
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
