//! How a run comes to rest, and how one at rest goes back.

use crate::causes::InterruptCause;
use crate::event::{Entry, Event};
use crate::lineage::Rollback;
use crate::run::{Checkpoint, Failure, Interruption, Phase, Run};

impl Run {
    /// Takes the conversation back. What was spent stays spent; steps, operations and
    /// checkpoints are never numbered twice.
    pub(crate) fn go_back(&mut self, entry: &Entry) {
        let Event::RolledBack {
            to,
            seq,
            snapshot,
            messages,
            ..
        } = &entry.event
        else {
            return;
        };
        self.rollbacks.push(Rollback {
            at: entry.seq,
            to: *seq,
            messages: *messages,
        });
        self.messages = *messages;
        self.heard = *messages;
        self.sent_from = self.sent_from.min(*messages);
        self.checkpoint = Some(Checkpoint {
            id: *to,
            // No further one before another step: the files are this one's.
            step: self.step,
            at: entry.at,
            snapshot: snapshot.clone(),
            messages: *messages,
            seq: *seq,
        });
        self.restoring = Some(snapshot.clone());
        // An agent's own memory cannot be taken back: it begins a new session.
        self.session = None;
        self.phase = Phase::Paused;
        self.ended_at = None;
        self.result = None;
        self.partial = None;
        self.failure = None;
        self.interrupted = None;
        self.verify_failures = 0;
        self.tests_changed.clear();
        self.plan.clear();
        self.waits.clear();
    }

    pub(crate) fn come_to_rest(&mut self, entry: &Entry) {
        match &entry.event {
            Event::Paused { .. } => self.phase = Phase::Paused,
            Event::Interrupted {
                cause,
                detail,
                last_alive,
            } => {
                self.phase = Phase::Interrupted;
                self.interrupted = Some(Interruption {
                    cause: *cause,
                    detail: detail.clone(),
                    at: entry.at,
                    last_alive: *last_alive,
                });
                if *cause == InterruptCause::DaemonDied {
                    self.daemon_deaths.push(entry.at);
                    let extra = self.daemon_deaths.len().saturating_sub(3);
                    self.daemon_deaths.drain(..extra);
                }
            }
            Event::Completed { result } => {
                self.phase = Phase::Completed;
                self.result = Some(result.clone());
            }
            Event::Failed {
                cause,
                message,
                partial,
            } => {
                self.phase = Phase::Failed;
                self.failure = Some(Failure {
                    cause: *cause,
                    message: message.clone(),
                });
                self.partial.clone_from(partial);
            }
            Event::Cancelled { .. } => self.phase = Phase::Cancelled,
            _ => {}
        }
        if self.state().is_over() {
            self.ended_at = Some(entry.at);
        }
        self.waits.clear();
    }
}
