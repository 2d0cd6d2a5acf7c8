//! The recovery briefing: what was in flight, what is known of it, for the
//! user and for the agent.

use std::fmt::Write as _;

use domain::{Op, OpClass, OpId, OpKind, OpMode, OpState, Run};

/// What a restart found of an operation that was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Its keeper lives; it goes on.
    GoesOn,
    /// It ended while nobody was there; its outcome is kept.
    Ended,
    /// It will be run (again): it changes nothing, or has not happened.
    Again,
    /// The world was looked at, or a person is asked.
    Checked,
}

impl Found {
    /// What settling by class means for an operation without a keeper.
    pub(crate) fn of(op: &Op) -> Self {
        match op.class {
            OpClass::Pure => Self::Again,
            // Asked about and never allowed.
            _ if op.mode == OpMode::Gated && op.state == OpState::Intended => Self::Again,
            _ => Self::Checked,
        }
    }
}

pub(crate) struct Briefing<'a> {
    before: &'a Run,
    now: &'a Run,
    found: &'a [(OpId, Found)],
}

impl<'a> Briefing<'a> {
    pub(crate) fn new(before: &'a Run, now: &'a Run, found: &'a [(OpId, Found)]) -> Self {
        Self { before, now, found }
    }

    pub(crate) fn for_the_user(&self) -> String {
        let mut text = match &self.now.interrupted {
            Some(interruption) => format!(
                "Interrupted at step {}: {}.",
                self.now.step, interruption.detail
            ),
            None => format!("Settled at step {}.", self.now.step),
        };
        if self.found.is_empty() {
            text.push_str("\nNothing was in flight.");
        }
        for (id, found) in self.found {
            let Some(op) = self.before.open_ops.get(id) else {
                continue;
            };
            let _ = write!(
                text,
                "\n- {} {}: {}",
                op.name,
                op.summary,
                self.words(op, *found)
            );
        }
        if let Some(checkpoint) = &self.now.checkpoint {
            let _ = write!(
                text,
                "\nLast checkpoint: {} after step {}.",
                checkpoint.id, checkpoint.step
            );
        }
        text
    }

    /// What the agent must know. `None` when everything simply goes on: a model
    /// that is told of an interruption it cannot notice only gets confused.
    pub(crate) fn for_the_agent(&self) -> Option<String> {
        let native = self.now.task.kind.is_native();
        let told: Vec<_> = self
            .found
            .iter()
            .filter(|(_, found)| {
                matches!(found, Found::Checked) || (!native && *found == Found::Again)
            })
            .filter_map(|(id, found)| Some((self.before.open_ops.get(id)?, *found)))
            .filter(|(op, _)| op.kind == OpKind::Tool)
            .collect();
        let died = !native && self.turn_is_over();
        if told.is_empty() && !died {
            return None;
        }
        let mut text =
            "Longhaul: your work was interrupted and goes on now. What was in flight:".to_owned();
        for (op, found) in told {
            let _ = write!(
                text,
                "\n- {} {}: {}",
                op.name,
                op.summary,
                self.words(op, found)
            );
        }
        text.push_str("\nLook at the current state of the files before you go on; do not repeat what is done.");
        Some(text)
    }

    fn turn_is_over(&self) -> bool {
        self.before
            .open_ops
            .values()
            .any(|op| op.kind == OpKind::Model && !self.now.open_ops.contains_key(&op.id))
    }

    fn words(&self, op: &Op, found: Found) -> &'static str {
        let open = self.now.open_ops.contains_key(&op.id);
        match (found, open) {
            (Found::GoesOn, _) => "still running; it goes on",
            (Found::Ended, _) => "it ended meanwhile; its outcome is known",
            (Found::Again, true) => "it had not happened or changes nothing; it is run again",
            (Found::Again, false) => "interrupted; make it again if you still need it",
            (Found::Checked, true) => "its outcome is unknown; a person is asked",
            (Found::Checked, false) => "the files show that it had happened",
        }
    }
}
