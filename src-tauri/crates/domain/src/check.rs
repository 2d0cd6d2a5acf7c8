//! What may follow what. Everything a run must never do is refused here, before
//! anything is recorded.

use crate::apply::{Illegal, illegal};
use crate::event::Event;
use crate::ids::{OpId, ReviewId};
use crate::op::{Op, OpMode, OpState, Settlement};
use crate::review::{Review, ReviewState};
use crate::run::{Phase, Run};
use crate::time::Timestamp;

impl Run {
    /// Whether `event` may follow at `at`. Changes nothing.
    pub(crate) fn check(&self, event: &Event, at: Timestamp) -> Result<(), Illegal> {
        let refuse = |why: &str| Err(illegal(event, why));
        let over = self.state().is_over();
        match event {
            Event::RunCreated { .. } => refuse("the run exists already"),
            Event::Applied { .. } | Event::Discarded | Event::ApplyBegan { .. }
                if self.discarded =>
            {
                refuse("the workspace is gone")
            }
            Event::ApplyBegan { .. } if self.applying.is_some() => {
                refuse("its result is being applied already")
            }
            Event::ApplyBegan { .. } if self.restoring.is_some() => {
                refuse("its files are being taken back")
            }
            Event::Discarded if self.applying.is_some() => {
                refuse("its result is being applied; that must end first")
            }
            Event::Applied { .. } | Event::Discarded | Event::ApplyBegan { .. } => Ok(()),
            Event::ApplyEnded { .. } if self.applying.is_none() => {
                refuse("nothing is being applied")
            }
            Event::ApplyEnded { .. } => Ok(()),
            Event::RolledBack { seq, .. } => self.check_rollback(event, *seq),
            Event::FilesRestored { snapshot } => match &self.restoring {
                Some(wanted) if wanted == snapshot => Ok(()),
                _ => refuse("these files are not what it goes back to"),
            },
            Event::Started { .. } if self.restoring.is_some() => {
                refuse("its files are not yet as the checkpoint has them")
            }
            // A checkpoint before going back, so that going back can be undone.
            Event::CheckpointTaken { checkpoint, .. } if checkpoint.0 != self.next_checkpoint() => {
                refuse("checkpoints are numbered in order")
            }
            Event::CheckpointTaken { .. } if !self.discarded => Ok(()),
            Event::ReviewRequested { review }
                if self.applying.is_some() && !self.is_asked(review) =>
            {
                Ok(())
            }
            // A failed run may be resumed; a completed or cancelled one is done with.
            Event::Queued { .. } => match self.phase {
                Phase::Completed | Phase::Cancelled => refuse("the run is over"),
                _ if self.discarded => refuse("the workspace is gone"),
                // Nobody could answer it any more, and it would be waited for.
                _ if self.has_expired_review() => {
                    refuse("a review that expired must be asked again first")
                }
                _ => Ok(()),
            },
            // The outcome of what was already under way is recorded whatever the phase.
            Event::OpFinished { op, .. }
            | Event::OpFailed { op, .. }
            | Event::OpRetried { op, .. } => self.open_op(event, *op).map(|_| ()),
            Event::OpSettled { op, settlement, .. } => {
                self.check_settlement(event, *op, settlement)
            }
            Event::CallSent { call, .. } if self.calls.contains_key(call) => {
                refuse("a call of that number is open")
            }
            Event::CallEnded { call, .. } if !self.calls.contains_key(call) => {
                refuse("no call of that number is open")
            }
            // Whatever the phase: what was sent may be billed.
            Event::CallSent { .. } | Event::CallEnded { .. } => Ok(()),
            Event::Charged { .. } | Event::Suspended { .. } | Event::Noted { .. } => Ok(()),
            Event::ReviewDecided { .. }
            | Event::ReviewReopened { .. }
            | Event::ReviewUsed { .. }
            | Event::ReviewExpired { .. }
            | Event::ReviewAskedAgain { .. }
            | Event::ReviewSnoozed { .. }
            | Event::ReviewWithdrawn { .. } => self.check_review(event, at),
            Event::ReviewRequested { review } if self.is_asked(review) => {
                refuse("a person is asked about it already")
            }
            Event::Started { .. } if self.phase != Phase::Queued => {
                refuse("only a queued run starts")
            }
            Event::OpIntended { op, .. } if *op != self.next_op() => {
                refuse("operations are numbered in order")
            }
            // An intent has no effect yet: what a model asked for while the run was
            // being paused is recorded, and waits.
            Event::StepStarted { .. } if !self.is_working() => refuse("the run is not working"),
            Event::StepStarted { step } if *step != self.step + 1 => {
                refuse("steps are numbered in order")
            }
            Event::OpStarted { op, .. } => self.check_start(event, *op),
            Event::VerifyStarted if self.phase != Phase::Active => {
                refuse("only a working run is verified")
            }
            Event::VerifyEnded { .. } if self.phase != Phase::Verifying => {
                refuse("nothing is being verified")
            }
            Event::TestsJudged { .. } if !self.is_working() => refuse("the run is not working"),
            Event::Completed { .. } if !self.is_working() => refuse("only a working run completes"),
            Event::Completed { .. } if !self.open_ops.is_empty() => {
                refuse("operations are still open")
            }
            // What stopped by the user's wish is not also stopped without it, and does not wait.
            Event::Interrupted { .. } if self.phase != Phase::Queued && !self.is_working() => {
                refuse("the run is at rest")
            }
            Event::WaitBegan { .. } if self.phase != Phase::Queued && !self.is_working() => {
                refuse("the run is at rest")
            }
            // A failed run may be resumed, and hears then what is said to it now.
            Event::MessageAdded { .. } if self.phase == Phase::Failed && !self.discarded => Ok(()),
            _ if over => refuse("the run is over"),
            _ => Ok(()),
        }
    }

    /// Only a run at rest goes back, with nothing left open that could still change what
    /// it goes back to.
    fn check_rollback(&self, event: &Event, seq: u64) -> Result<(), Illegal> {
        let refuse = |why: &str| Err(illegal(event, why));
        if self.phase == Phase::Queued || self.is_working() {
            refuse("the run is not at rest")
        } else if self.discarded {
            refuse("the workspace is gone")
        } else if self.applying.is_some() {
            refuse("its result is being applied; that must end first")
        } else if !self.open_ops.is_empty() || !self.reviews.is_empty() {
            refuse("operations or reviews are still open")
        } else if seq > self.head {
            refuse("there is no such point in its journal")
        } else {
            Ok(())
        }
    }

    /// A decision is undone before it takes effect and used from then on: there is no
    /// moment in which both could happen, or neither.
    fn check_review(&self, event: &Event, at: Timestamp) -> Result<(), Illegal> {
        let refuse = |why: &str| Err(illegal(event, why));
        match event {
            Event::ReviewDecided { review, answer } => {
                let found = self.review(event, *review)?;
                if found.state == ReviewState::Expired {
                    refuse("nobody answered in time; it is asked again when the run is resumed")
                } else if !found.is_open() {
                    refuse("somebody has decided already")
                } else if !found.offers(&answer.choice) {
                    refuse("that is not one of the choices")
                } else if !self.is_about_its_arguments(found) {
                    refuse("it was asked about other arguments")
                } else if answer.edit.as_ref().is_some_and(|edit| {
                    answer.choice != "approve" || found.digest.as_ref() != Some(&edit.of)
                }) {
                    refuse("only the arguments that are approved can be edited")
                } else {
                    Ok(())
                }
            }
            Event::ReviewUsed { review } => {
                let found = self.review(event, *review)?;
                match found.answer() {
                    None => refuse("nobody has decided yet"),
                    Some(answer) if !answer.holds_at(at) => {
                        refuse("its decision can still be undone")
                    }
                    Some(_) if !self.is_about_its_arguments(found) => {
                        refuse("it was decided about other arguments")
                    }
                    Some(_) => Ok(()),
                }
            }
            Event::ReviewReopened { review, .. } => match self.review(event, *review)?.answer() {
                None => refuse("nobody has decided, or it was undone already"),
                Some(answer) if answer.holds_at(at) => refuse("the decision has taken effect"),
                Some(_) => Ok(()),
            },
            Event::ReviewExpired { review, after_ms } => {
                let found = self.review(event, *review)?;
                if !found.is_open() {
                    refuse("somebody has decided, or it has expired already")
                } else if found.waits_since().plus_ms(*after_ms) > at {
                    refuse("its time is not over")
                } else {
                    Ok(())
                }
            }
            Event::ReviewAskedAgain { review } => match self.review(event, *review)?.state {
                ReviewState::Expired => Ok(()),
                _ => refuse("it has not expired"),
            },
            Event::ReviewSnoozed { review, .. } | Event::ReviewWithdrawn { review, .. } => {
                self.review(event, *review).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    fn has_expired_review(&self) -> bool {
        let mut reviews = self.reviews.values();
        reviews.any(|review| review.state == ReviewState::Expired)
    }

    /// Whether this is asked already, or another review is about the same operation.
    fn is_asked(&self, review: &Review) -> bool {
        self.reviews.contains_key(&review.id)
            || review.op.is_some_and(|op| self.review_of(op).is_some())
    }

    /// Whether the operation a review is about still has the arguments it was asked about.
    fn is_about_its_arguments(&self, review: &Review) -> bool {
        match (
            review.op.and_then(|op| self.open_ops.get(&op)),
            &review.digest,
        ) {
            (Some(op), Some(digest)) => op.digest == *digest,
            _ => true,
        }
    }

    fn check_start(&self, event: &Event, id: OpId) -> Result<(), Illegal> {
        let op = self.open_op(event, id)?;
        if op.state != OpState::Intended {
            return Err(illegal(event, "it has started already"));
        }
        if op.review.is_some() {
            return Err(illegal(event, "its review's decision has not been used"));
        }
        if !self.is_working() {
            return Err(illegal(event, "the run is not working"));
        }
        Ok(())
    }

    fn check_settlement(
        &self,
        event: &Event,
        id: OpId,
        settlement: &Settlement,
    ) -> Result<(), Illegal> {
        let op = self.open_op(event, id)?;
        let refuse = |why: &str| Err(illegal(event, why));
        match settlement {
            Settlement::InDoubt { .. }
                if op.state != OpState::Started && op.mode == OpMode::Gated =>
            {
                refuse("nothing of it can have happened")
            }
            _ if op.review.is_some() => refuse("its review's decision has not been used"),
            _ => Ok(()),
        }
    }

    fn open_op(&self, event: &Event, id: OpId) -> Result<&Op, Illegal> {
        self.open_ops
            .get(&id)
            .ok_or_else(|| illegal(event, format!("{id} is not open")))
    }

    fn review(&self, event: &Event, id: ReviewId) -> Result<&Review, Illegal> {
        self.reviews
            .get(&id)
            .ok_or_else(|| illegal(event, "there is no such review to act on"))
    }
}
