//! Which rows an event changes. The writer and doctor's refold share this, so
//! that what is compared is what would be written.

use domain::{Entry, Event, Message, Run};
use sqlx::SqliteConnection;

use crate::error::ReadError;
use crate::{checkpoints, ledger, messages, ops, reviews};

/// One event, with the run before and after it.
pub(crate) struct Change<'a> {
    pub(crate) key: i64,
    pub(crate) entry: &'a Entry,
    /// The message it adds to the conversation.
    pub(crate) message: Option<Message>,
    pub(crate) after: &'a Run,
}

/// Updates every row the event is about, except the run's own, which is written
/// once for all events of an append.
pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    change: &Change<'_>,
) -> Result<(), ReadError> {
    let (key, entry) = (change.key, change.entry);
    match &entry.event {
        Event::OpIntended { .. } => ops::intend(conn, key, entry).await?,
        Event::OpStarted { .. }
        | Event::OpRetried { .. }
        | Event::OpFinished { .. }
        | Event::OpFailed { .. }
        | Event::OpSettled { .. } => ops::update(conn, key, entry).await?,
        Event::ReviewRequested { review } => {
            reviews::request(conn, key, review).await?;
            if let Some(op) = review.op {
                ops::link_review(conn, key, op, review.id).await?;
            }
        }
        Event::ReviewDecided { review, .. }
        | Event::ReviewUsed { review }
        | Event::ReviewSnoozed { review, .. }
        | Event::ReviewWithdrawn { review, .. } => {
            reviews::update(conn, *review, entry, change.after).await?;
        }
        Event::CheckpointTaken { .. } => checkpoints::insert(conn, key, entry).await?,
        _ => {}
    }
    if let Some(message) = &change.message {
        let n = change.after.messages.saturating_sub(1);
        messages::insert(conn, key, n, entry.seq, message).await?;
    }
    if let Some(charge) = entry.event.charge() {
        ledger::insert(conn, key, entry, charge, &change.after.backend).await?;
        if let Some(op) = entry.event.op() {
            ops::charge(conn, key, op, charge).await?;
        }
    }
    Ok(())
}
