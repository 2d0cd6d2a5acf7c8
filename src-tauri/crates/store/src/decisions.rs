//! The texts of the `decision` view that no other row has: an operation's
//! parameters and the model's own words before it.

use bytes::Bytes;
use domain::{BlobRef, Event, OpOutcome};
use serde_json::Value;
use sqlx::SqliteConnection;

use crate::blobs;
use crate::error::ReadError;
use crate::projection::Change;

/// What the view shows of the model's own words (DESIGN §4).
const REASONING: usize = 2048;

/// What the view shows of an operation's parameters; the whole is a blob.
const PARAMETERS: usize = 512;

/// Notes the beginning of an operation's arguments.
pub(crate) async fn note_parameters(
    conn: &mut SqliteConnection,
    change: &Change<'_>,
) -> Result<(), ReadError> {
    let Event::OpIntended {
        op, args, op_kind, ..
    } = &change.entry.event
    else {
        return Ok(());
    };
    // A request's parameters are its messages, which have rows of their own.
    if *op_kind == domain::OpKind::Model {
        return Ok(());
    }
    let Some(bytes) = content(conn, change, args).await? else {
        return Ok(());
    };
    let text = clip(&String::from_utf8_lossy(&bytes), PARAMETERS);
    sqlx::query("UPDATE op SET parameters = ? WHERE run = ? AND id = ?")
        .bind(text)
        .bind(change.key)
        .bind(op.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes what the model said in its answer.
pub(crate) async fn note_reasoning(
    conn: &mut SqliteConnection,
    change: &Change<'_>,
) -> Result<(), ReadError> {
    let Event::OpFinished {
        op,
        outcome: OpOutcome::Ok,
        result,
        ..
    } = &change.entry.event
    else {
        return Ok(());
    };
    let is_model: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM op WHERE run = ? AND id = ? AND kind = 'model'")
            .bind(change.key)
            .bind(op.0)
            .fetch_optional(&mut *conn)
            .await?;
    if is_model.is_none() {
        return Ok(());
    }
    let Some(bytes) = content(conn, change, result).await? else {
        return Ok(());
    };
    let words = words_in(&bytes);
    if words.is_empty() {
        return Ok(());
    }
    sqlx::query("UPDATE op SET reasoning = ? WHERE run = ? AND id = ?")
        .bind(clip(&words, REASONING))
        .bind(change.key)
        .bind(op.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// A blob's bytes; `None` when it cannot be read, which is doctor's to report and
/// no reason to refuse an event.
async fn content(
    conn: &mut SqliteConnection,
    change: &Change<'_>,
    name: &BlobRef,
) -> Result<Option<Bytes>, ReadError> {
    match blobs::read(conn, change.home, name).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ReadError::Failed(why)) => Err(ReadError::Failed(why)),
        Err(_) => Ok(None),
    }
}

/// The texts of content blocks, whoever's they are: every `text` of a block, or
/// its `thinking` where there is no text.
fn words_in(bytes: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return String::from_utf8_lossy(bytes).into_owned();
    };
    let mut words = String::new();
    collect(&value, &["text", "content"], &mut words);
    if words.is_empty() {
        collect(
            &value,
            &["thinking", "reasoning", "reasoning_content"],
            &mut words,
        );
    }
    words
}

fn collect(value: &Value, keys: &[&str], words: &mut String) {
    match value {
        Value::String(text) => {
            if !words.is_empty() {
                words.push('\n');
            }
            words.push_str(text);
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, keys, words)),
        Value::Object(fields) => {
            for key in keys {
                if let Some(inner) = fields.get(*key) {
                    collect(inner, keys, words);
                }
            }
        }
        _ => {}
    }
}

/// At most `limit` bytes, cut between characters.
fn clip(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit - '…'.len_utf8());
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_either_kind_of_answer() {
        let blocks = br#"[{"type":"thinking","thinking":"hm"},{"type":"text","text":"I look."},{"type":"tool_use","name":"x","input":{"text":"no"}}]"#;
        assert_eq!(words_in(blocks), "I look.");
        let message = br#"{"role":"assistant","content":"I look.","tool_calls":[]}"#;
        assert_eq!(words_in(message), "I look.");
        assert_eq!(words_in(br#"[{"type":"thinking","thinking":"hm"}]"#), "hm");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let cut = clip(&"ü".repeat(2000), REASONING);
        assert!(cut.len() <= REASONING && cut.ends_with("ü…"));
    }
}
