//! The fold: one event at a time, refusing what cannot follow.

use crate::event::{Entry, Event};
use crate::ids::{OpId, ReviewId};
use crate::op::{Op, OpKind, OpState, Settlement};
use crate::review::ReviewState;
use crate::run::{
    Applying, Checkpoint, Phase, Run, RunState, Session, Spent, Wait, WorkspaceFacts,
};
use crate::task::Task;
use crate::time::Timestamp;
use crate::usage::{Charge, OpenCall};

/// An event that cannot follow the run's journal as it stands. Whoever made it
/// acted on an old view; nothing is recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{event}' cannot follow here: {why}")]
pub struct Illegal {
    event: String,
    why: String,
}

impl Run {
    /// Folds a whole journal.
    pub fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Option<Self>, Illegal> {
        let mut run: Option<Self> = None;
        for entry in entries {
            match &mut run {
                None => run = Some(Self::begin(entry)?),
                Some(run) => run.apply(entry)?,
            }
        }
        Ok(run)
    }

    /// The run its first entry makes.
    pub fn begin(entry: &Entry) -> Result<Self, Illegal> {
        let Event::RunCreated { run, task } = &entry.event else {
            return Err(illegal(&entry.event, "a journal begins with run_created"));
        };
        if entry.seq != 1 {
            return Err(illegal(&entry.event, "a journal begins at 1"));
        }
        Ok(Self::new(*run, (**task).clone(), entry.at))
    }

    fn new(id: crate::RunId, task: Task, at: Timestamp) -> Self {
        // A fork has said and heard what its parent had.
        let inherited = task.fork.as_ref().map_or(0, |fork| fork.messages);
        Self {
            id,
            phase: Phase::Queued,
            head: 1,
            created_at: at,
            started_at: None,
            ended_at: None,
            last_at: at,
            attempts: 0,
            step: 0,
            ops_recorded: 0,
            open_ops: Default::default(),
            reviews: Default::default(),
            waits: Vec::new(),
            spent: Spent::default(),
            budget: task.budget,
            warned: false,
            workspace: None,
            checkpoint: None,
            session: None,
            messages: inherited,
            heard: inherited,
            sent_from: 0,
            plan: Vec::new(),
            answered_by: Vec::new(),
            backend: task.backend.clone(),
            result: None,
            partial: None,
            failure: None,
            interrupted: None,
            daemon_deaths: Vec::new(),
            briefing: None,
            verify_failures: 0,
            tests_changed: Vec::new(),
            discarded: false,
            checkpoints_taken: 0,
            rollbacks: Vec::new(),
            restoring: None,
            applying: None,
            applied: 0,
            calls: Default::default(),
            calls_sent: 0,
            metered: None,
            task,
        }
    }

    /// Applies the next entry. On an error the run is unchanged.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Illegal> {
        if entry.seq != self.head + 1 {
            return Err(illegal(
                &entry.event,
                format!("position {} does not follow {}", entry.seq, self.head),
            ));
        }
        self.check(&entry.event, entry.at)?;
        self.count_active_time(entry);
        self.change(entry);
        self.head = entry.seq;
        self.last_at = entry.at;
        Ok(())
    }

    pub(crate) fn is_working(&self) -> bool {
        matches!(self.phase, Phase::Active | Phase::Verifying)
    }

    /// The number the next checkpoint gets.
    pub fn next_checkpoint(&self) -> u32 {
        let newest = self.checkpoint.as_ref().map_or(0, |c| c.id.0);
        newest.max(self.checkpoints_taken) + 1
    }

    /// Running and verifying count; waiting, and time nobody was alive, do not.
    fn count_active_time(&mut self, entry: &Entry) {
        if !matches!(self.state(), RunState::Running | RunState::Verifying) {
            return;
        }
        let until = match &entry.event {
            Event::Interrupted { last_alive, .. } => entry.at.min(*last_alive),
            _ => entry.at,
        };
        self.spent.active_ms += until.ms_since(self.last_at);
    }

    fn change(&mut self, entry: &Entry) {
        self.messages += u32::from(self.message_of(&entry.event).is_some());
        if let Some(charge) = entry.event.charge() {
            self.book(charge);
        }
        match &entry.event {
            Event::RunCreated { .. } | Event::Charged { .. } | Event::Noted { .. } => {}
            Event::CallSent {
                op,
                call,
                model,
                reserve,
                ..
            } => {
                self.calls_sent = self.calls_sent.max(*call);
                self.metered = Some(*op);
                let open = OpenCall {
                    op: *op,
                    model: model.clone(),
                    reserve: *reserve,
                    sent_at: entry.at,
                };
                self.calls.insert(*call, open);
            }
            Event::CallEnded { call, .. } => {
                self.calls.remove(call);
            }
            Event::BackendSwitched { backend, .. } => self.backend.clone_from(backend),
            Event::Queued { .. } => {
                self.phase = Phase::Queued;
                self.ended_at = None;
                self.failure = None;
            }
            Event::Started { backend, .. } => {
                self.phase = Phase::Active;
                self.attempts += 1;
                self.started_at = Some(entry.at);
                self.backend.clone_from(backend);
                self.interrupted = None;
            }
            Event::WorkspaceReady {
                mode,
                path,
                branch,
                base,
                left_out,
            } => {
                self.workspace = Some(WorkspaceFacts {
                    mode: *mode,
                    path: path.clone(),
                    branch: branch.clone(),
                    base: base.clone(),
                    left_out: *left_out,
                });
            }
            Event::StepStarted { step } => self.step = *step,
            Event::MessageAdded { .. } => {}
            Event::OpIntended { .. }
            | Event::OpStarted { .. }
            | Event::OpRetried { .. }
            | Event::OpFinished { .. }
            | Event::OpFailed { .. }
            | Event::OpSettled { .. } => self.change_op(entry),
            Event::ReviewRequested { .. }
            | Event::ReviewDecided { .. }
            | Event::ReviewUsed { .. }
            | Event::ReviewReopened { .. }
            | Event::ReviewExpired { .. }
            | Event::ReviewAskedAgain { .. }
            | Event::ReviewSnoozed { .. }
            | Event::ReviewWithdrawn { .. } => self.change_review(entry),
            Event::WaitBegan {
                cause,
                until,
                detail,
            } => {
                let since = self
                    .waits
                    .iter()
                    .find(|w| w.cause == *cause)
                    .map_or(entry.at, |w| w.since);
                self.waits.retain(|w| w.cause != *cause);
                self.waits.push(Wait {
                    cause: *cause,
                    until: *until,
                    detail: detail.clone(),
                    since,
                });
            }
            Event::WaitEnded { cause } => self.waits.retain(|w| w.cause != *cause),
            Event::CheckpointTaken {
                checkpoint,
                step,
                snapshot,
                messages,
            } => {
                self.checkpoints_taken = checkpoint.0;
                self.checkpoint = Some(Checkpoint {
                    id: *checkpoint,
                    step: *step,
                    at: entry.at,
                    snapshot: snapshot.clone(),
                    messages: *messages,
                    seq: entry.seq,
                });
            }
            Event::RolledBack { .. } => self.go_back(entry),
            Event::FilesRestored { .. } => self.restoring = None,
            Event::ApplyBegan {
                into,
                branch,
                snapshot,
                paths,
                hunks,
                by,
            } => {
                self.applying = Some(Applying {
                    into: *into,
                    branch: branch.clone(),
                    snapshot: snapshot.clone(),
                    paths: paths.clone(),
                    hunks: hunks.clone(),
                    since: entry.at,
                    by: by.clone(),
                });
            }
            Event::ApplyEnded { .. } => self.applying = None,
            Event::BudgetWarned => self.warned = true,
            Event::BudgetChanged { budget } => {
                self.budget = *budget;
                self.warned = false;
            }
            Event::PlanChanged { items } => self.plan.clone_from(items),
            Event::SessionBound {
                driver,
                session,
                keeper,
            } => {
                self.session = Some(Session {
                    driver: driver.clone(),
                    session: session.clone(),
                    keeper: keeper.clone(),
                });
            }
            Event::VerifyStarted => self.phase = Phase::Verifying,
            Event::VerifyEnded { passed } => {
                self.phase = Phase::Active;
                self.verify_failures = if *passed == crate::OpOutcome::Ok {
                    0
                } else {
                    self.verify_failures + 1
                };
            }
            Event::TestsJudged { changed, .. } => self.tests_changed.clone_from(changed),
            Event::Briefed { text } => self.briefing = Some(text.clone()),
            Event::Suspended { ms } => {
                self.spent.active_ms = (self.spent.active_ms - ms.max(&0)).max(0)
            }
            Event::Applied { .. } => {
                self.applying = None;
                self.applied += 1;
            }
            Event::Discarded => self.discarded = true,
            Event::Paused { .. }
            | Event::Interrupted { .. }
            | Event::Completed { .. }
            | Event::Failed { .. }
            | Event::Cancelled { .. } => self.come_to_rest(entry),
        }
    }

    fn book(&mut self, charge: &Charge) {
        self.spent.add(charge);
        if !charge.model.is_empty() && !self.answered_by.contains(&charge.model) {
            self.answered_by.push(charge.model.clone());
        }
    }

    fn change_op(&mut self, entry: &Entry) {
        match &entry.event {
            Event::OpIntended {
                op,
                step,
                op_kind,
                name,
                class,
                mode,
                call_id,
                args,
                digest,
                summary,
                reserve,
                request,
                ..
            } => {
                if let Some(request) = request {
                    self.heard = request.messages;
                    self.sent_from = request.sent_from;
                }
                self.ops_recorded = op.0;
                if *op_kind == OpKind::Tool {
                    self.spent.tool_calls += 1;
                }
                self.open_ops.insert(
                    *op,
                    Op {
                        id: *op,
                        step: *step,
                        kind: *op_kind,
                        name: name.clone(),
                        class: *class,
                        mode: *mode,
                        state: OpState::Intended,
                        call_id: call_id.clone(),
                        args: args.clone(),
                        digest: digest.clone(),
                        summary: summary.clone(),
                        reserve: *reserve,
                        review: None,
                        keeper: None,
                        tries: 0,
                        intended_at: entry.at,
                        started_at: None,
                        plan: None,
                        edit: None,
                        note: None,
                    },
                );
            }
            Event::OpStarted { op, keeper, plan } => {
                // A further try sends what was said since the one before it.
                if self
                    .open_ops
                    .get(op)
                    .is_some_and(|op| op.kind == OpKind::Model)
                {
                    self.heard = self.messages;
                }
                self.update_op(*op, |op| {
                    op.state = OpState::Started;
                    op.started_at.get_or_insert(entry.at);
                    op.keeper.clone_from(keeper);
                    op.plan.clone_from(plan);
                    op.tries += 1;
                });
            }
            Event::OpRetried { op, .. } => self.update_op(*op, |op| op.state = OpState::Intended),
            Event::OpFinished { op, .. } | Event::OpFailed { op, .. } => self.close_op(*op),
            Event::OpSettled { op, settlement, .. } => match settlement {
                Settlement::Again => self.update_op(*op, |op| op.state = OpState::Intended),
                Settlement::InDoubt { .. } => self.update_op(*op, |op| op.state = OpState::InDoubt),
                Settlement::Happened { .. } | Settlement::Skipped { .. } => self.close_op(*op),
            },
            _ => {}
        }
    }

    fn update_op(&mut self, id: OpId, update: impl FnOnce(&mut Op)) {
        if let Some(op) = self.open_ops.get_mut(&id) {
            update(op);
        }
    }

    /// Removes an operation that is over; the store keeps its row.
    fn close_op(&mut self, id: OpId) {
        self.open_ops.remove(&id);
    }

    fn change_review(&mut self, entry: &Entry) {
        match &entry.event {
            Event::ReviewRequested { review } => {
                if let Some(op) = review.op {
                    self.update_op(op, |op| op.review = Some(review.id));
                }
                self.reviews.insert(review.id, (**review).clone());
            }
            Event::ReviewDecided { review, answer } => {
                if let Some(review) = self.reviews.get_mut(review) {
                    review.state = ReviewState::Decided(answer.clone());
                    review.snoozed_until = None;
                }
            }
            Event::ReviewReopened { review, .. } | Event::ReviewAskedAgain { review } => {
                if let Some(review) = self.reviews.get_mut(review) {
                    review.state = ReviewState::Open;
                    review.asked_again_at = Some(entry.at);
                }
            }
            Event::ReviewExpired { review, .. } => {
                let found = self.reviews.get_mut(review);
                if let Some(found) = found.filter(|r| r.kind.holds_up_its_run()) {
                    found.state = ReviewState::Expired;
                    found.snoozed_until = None;
                } else {
                    self.forget_review(*review);
                }
            }
            Event::ReviewSnoozed { review, until } => {
                // Put off a moment after somebody decided: the decision stands.
                if let Some(review) = self.reviews.get_mut(review).filter(|r| r.is_open()) {
                    review.snoozed_until = Some(*until);
                }
            }
            Event::ReviewUsed { review } => {
                if let Some(review) = self.reviews.remove(review)
                    && let (Some(id), Some(answer)) = (review.op, review.answer())
                    && let Some(op) = self.open_ops.remove(&id)
                {
                    self.open_ops.insert(id, op.decided(answer));
                }
            }
            Event::ReviewWithdrawn { review, .. } => self.forget_review(*review),
            _ => {}
        }
    }

    fn forget_review(&mut self, review: ReviewId) {
        if let Some(op) = self.reviews.remove(&review).and_then(|r| r.op) {
            self.update_op(op, |op| op.review = None);
        }
    }
}

pub(crate) fn illegal(event: &Event, why: impl Into<String>) -> Illegal {
    Illegal {
        event: event.to_parts().0,
        why: why.into(),
    }
}
