//! Which rows an event changes. The writer and doctor's refold share this, so
//! that what is compared is what would be written.

use domain::{Entry, Event, Message, Run};

use crate::error::ReadError;
use crate::script::Script;
use crate::{checkpoints, ledger, messages, ops, reviews, rule_use};

/// One event, with the run before and after it.
pub(crate) struct Change<'a> {
    pub(crate) key: i64,
    pub(crate) entry: &'a Entry,
    /// The message it adds to the conversation.
    pub(crate) message: Option<Message>,
    pub(crate) after: &'a Run,
}

/// Updates every row the event is about, except the run's own, which is written
/// once for all events of an append. Every content named must be stored by then.
pub(crate) fn apply(script: &mut Script, change: &Change<'_>) -> Result<(), ReadError> {
    let (key, entry) = (change.key, change.entry);
    match &entry.event {
        Event::OpIntended { .. } => {
            ops::intend(script, key, entry);
            rule_use::count(script, entry, &change.after.task.project);
        }
        Event::OpStarted { .. }
        | Event::OpRetried { .. }
        | Event::OpFinished { .. }
        | Event::OpFailed { .. }
        | Event::OpSettled { .. } => ops::update(script, key, entry),
        Event::ReviewRequested { review } => {
            reviews::request(script, key, review)?;
            if let Some(op) = review.op {
                ops::link_review(script, key, op, review.id);
            }
        }
        Event::ReviewDecided { review, .. }
        | Event::ReviewUsed { review }
        | Event::ReviewReopened { review, .. }
        | Event::ReviewExpired { review, .. }
        | Event::ReviewAskedAgain { review }
        | Event::ReviewSnoozed { review, .. }
        | Event::ReviewWithdrawn { review, .. } => {
            reviews::update(script, *review, entry, change.after)?;
        }
        Event::CheckpointTaken { .. } => checkpoints::insert(script, key, entry),
        _ => {}
    }
    if let Some(message) = &change.message {
        let n = change.after.messages.saturating_sub(1);
        messages::insert(script, key, n, entry.seq, message);
    }
    if let Some(charge) = entry.event.charge() {
        ledger::insert(script, key, entry, charge, &change.after.backend);
        if let Some(op) = entry.event.op() {
            ops::charge(script, key, op, charge);
        }
    }
    Ok(())
}
