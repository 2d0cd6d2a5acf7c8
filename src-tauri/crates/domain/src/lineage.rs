//! Which of a run's recorded messages are its conversation. A rollback removes nothing
//! from the journal: the conversation is the stretches of it that lead to where the run
//! is now. A fork begins with its parent's, by reference.

use serde::{Deserialize, Serialize};

use crate::ids::{CheckpointId, RunId};
use crate::run::Run;

/// Where a fork began: a point in another run's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Fork {
    /// The run it was made from.
    pub run: RunId,
    /// Its checkpoint.
    pub checkpoint: CheckpointId,
    /// The checkpoint's position in that run's journal.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub seq: u64,
    /// How many messages the conversation had there.
    pub messages: u32,
    /// The workspace snapshot it begins with.
    pub snapshot: String,
}

/// A rollback that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// Its own position in the journal.
    pub at: u64,
    /// The position of the checkpoint it went back to.
    pub to: u64,
    /// How many messages the conversation had there.
    pub messages: u32,
}

/// A part of a journal whose messages follow each other in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Events after this position …
    pub after: u64,
    /// … up to and with this one.
    pub upto: u64,
    /// The number of its first message.
    pub from: u32,
    /// The number after its last message.
    pub to: u32,
}

impl Run {
    /// The stretches of the run's own journal that its conversation at position `seq` is
    /// made of, oldest first. What a fork took over from its parent is not among them.
    pub fn stretches_at(&self, seq: u64) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        let (mut upto, mut to) = (seq, u32::MAX);
        loop {
            let before = |rollback: &&Rollback| rollback.at <= upto;
            let Some(rollback) = self.rollbacks.iter().rev().find(before) else {
                break;
            };
            stretches.push(Stretch {
                after: rollback.at,
                upto,
                from: rollback.messages,
                to,
            });
            (upto, to) = (rollback.to, rollback.messages);
        }
        stretches.push(Stretch {
            after: 0,
            upto,
            from: self.task.fork.as_ref().map_or(0, |fork| fork.messages),
            to,
        });
        stretches.reverse();
        stretches
    }

    /// Whether what was recorded at this position still counts: no rollback undid it.
    pub fn counts(&self, seq: u64) -> bool {
        self.rollbacks.is_empty()
            || self
                .stretches_at(self.head)
                .iter()
                .any(|stretch| stretch.after < seq && seq <= stretch.upto)
    }
}
