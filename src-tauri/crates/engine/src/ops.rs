//! Tool calls: from intent to outcome, through reviews, crashes and restarts.

use agents::tools::Tool;
use domain::{
    Answer, BlobRef, Charge, Event, Op, OpError, OpErrorKind, OpId, OpKind, OpMode, OpOutcome,
    OpState, Review, ReviewId, ReviewKind, Run, Settlement,
};
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::journal::{Batch, Halt};
use crate::worker::Worker;

/// Closes an operation that ends because its run does. The model's call gets its
/// result all the same: a conversation with a call that nothing answers is refused
/// by the provider when the run is resumed.
pub(crate) fn cancel(op: &Op, batch: &mut Batch) {
    cancel_charged(op, None, batch);
}

/// The same, with what it may have cost.
pub(crate) fn cancel_charged(op: &Op, charge: Option<Box<Charge>>, batch: &mut Batch) {
    let result = op.call_id.is_some().then(|| {
        batch.blob("The run ended before this call did; whether it happened is not known.")
    });
    let error = OpError {
        kind: OpErrorKind::Cancelled,
        message: "the run ended before it".to_owned(),
        retry_at: None,
    };
    batch.push(Event::OpFailed {
        op: op.id,
        error,
        result,
        charge,
    });
}

/// A call of an agent that ended without saying what became of it.
pub(crate) fn lost_with_agent(op: OpId, message: &str, charge: Option<Box<Charge>>) -> Event {
    let error = OpError {
        kind: OpErrorKind::Agent,
        message: message.to_owned(),
        retry_at: None,
    };
    Event::OpFailed {
        op,
        error,
        result: None,
        charge,
    }
}

impl Worker {
    /// Carries every open tool call to its end. Calls that must wait for a
    /// person do not hold up the others.
    pub(crate) async fn settle_open_ops(&self, run: Run) -> Result<Run, Halt> {
        if self.agent_is_alive(&run) {
            return Ok(run);
        }
        // At this point no model call of ours can be on the way: one that is still
        // marked so lost its answer when its worker stopped.
        if let Some(op) = run
            .open_ops
            .values()
            .find(|op| op.kind == OpKind::Model && op.state == OpState::Started)
        {
            self.core
                .settle(
                    &self.journal,
                    &run,
                    op,
                    "its worker ended before the answer",
                )
                .await?;
            return self.journal.load().await;
        }
        let ids: Vec<OpId> = run
            .open_ops
            .values()
            .filter(|op| op.kind == OpKind::Tool)
            .map(|op| op.id)
            .collect();
        if ids.is_empty() {
            return Ok(run);
        }
        // One that cannot go on must not be left alone until a person answers its siblings:
        // those that only wait come back with it.
        let again = CancellationToken::new();
        let results = join_all(ids.into_iter().map(|id| {
            let again = &again;
            Box::pin(async move {
                let result = Box::pin(self.carry_out(id, again)).await;
                if result.is_err() {
                    again.cancel();
                }
                result
            })
        }))
        .await;
        // Every call has come as far as it can; the gravest reason to stop counts.
        let mut stop = None;
        for halt in results.into_iter().filter_map(Result::err) {
            if matches!(halt, Halt::Store(_)) || stop.is_none() {
                stop = Some(halt);
            }
        }
        match stop {
            Some(halt) => Err(halt),
            None => self.journal.load().await,
        }
    }

    async fn carry_out(&self, id: OpId, again: &CancellationToken) -> Result<(), Halt> {
        loop {
            let mut changes = self.control.changes();
            let run = self.journal.load().await?;
            let Some(op) = run.open_ops.get(&id) else {
                return Ok(());
            };
            match (op.state, run.review_of(id)) {
                (_, Some(review)) => match review.decision(self.core.now()) {
                    None => tokio::select! {
                        changed = self.await_decision(&mut changes, review) => changed?,
                        () = again.cancelled() => return Ok(()),
                    },
                    Some(answer) => {
                        self.act_on(&run, op, review.id, review.kind, answer)
                            .await?
                    }
                },
                (OpState::Intended, None)
                    if op.mode == OpMode::Gated && run.task.kind.is_native() =>
                {
                    self.check_stop()?;
                    self.execute(&run, op).await?;
                    // Those that wait beside it may be all that is left: they look
                    // again, and give the slot back.
                    self.control.poke();
                }
                (OpState::Started, None) if op.keeper.is_some() => {
                    self.adopt_command(&run, op).await?
                }
                // Its worker died without a crash of the daemon (it was superseded):
                // the rule for crashes holds here too.
                _ => {
                    self.core
                        .settle(&self.journal, &run, op, "its worker ended before it")
                        .await?
                }
            }
        }
    }

    /// Waits for the run to change. Its slot is free for others when nothing
    /// else of it goes on.
    pub(crate) async fn wait_for_change(
        &self,
        changes: &mut tokio::sync::watch::Receiver<u64>,
    ) -> Result<(), Halt> {
        self.rest().await;
        tokio::select! {
            changed = changes.changed() => changed.map_err(|_| Halt::Stopped),
            () = self.control.stop.cancelled() => Err(Halt::Stopped),
        }
    }

    /// The same, and no longer than until the review's decision takes effect.
    pub(crate) async fn await_decision(
        &self,
        changes: &mut tokio::sync::watch::Receiver<u64>,
        review: &Review,
    ) -> Result<(), Halt> {
        let Some(at) = review.effective_at() else {
            return self.wait_for_change(changes).await;
        };
        tokio::select! {
            changed = self.wait_for_change(changes) => changed,
            () = tokio::time::sleep(self.core.until(at)) => Ok(()),
        }
    }

    /// Does what a person decided about an operation. The decision is used up
    /// in the same transaction that begins or ends the operation.
    async fn act_on(
        &self,
        run: &Run,
        op: &Op,
        review: ReviewId,
        kind: ReviewKind,
        answer: &Answer,
    ) -> Result<(), Halt> {
        let used = Event::ReviewUsed { review };
        faults::crash_point("engine.before_review_used");
        match (kind, answer.choice.as_str()) {
            (ReviewKind::InDoubt, choice) => {
                let batch = settled_by_person(run, op, used, choice, answer);
                self.journal.append(batch).await?;
            }
            (ReviewKind::Question | ReviewKind::Doubt, _) => {
                self.journal
                    .append(answered(op, used, kind, answer))
                    .await?;
            }
            (_, "approve") => {
                self.check_stop()?;
                // Only takes the decision off the operation; `execute` begins it in
                // the very batch that uses the decision up.
                let op = op.clone().decided(answer);
                self.execute_decided(run, &op, used).await?;
            }
            _ => {
                self.journal.append(rejected(op, used, answer)).await?;
            }
        }
        faults::crash_point("engine.review_used");
        Ok(())
    }

    /// The tool a native call names, with its arguments.
    pub(crate) async fn tool_of(&self, op: &Op) -> Result<Result<Tool, String>, Halt> {
        let input = self.journal.text(&op.args).await?;
        if domain::Digest::of(&op.name, input.as_bytes()) != op.digest {
            return Ok(Err(
                "the arguments on record are not those that were decided on".to_owned(),
            ));
        }
        Ok(Tool::parse(&op.name, &input).map_err(|e| e.to_string()))
    }
}

/// What a person said became of an operation a crash left open.
fn settled_by_person(run: &Run, op: &Op, used: Event, choice: &str, answer: &Answer) -> Batch {
    let mut batch = Batch::of(used);
    let native = run.task.kind.is_native();
    let note = answer
        .note
        .as_deref()
        .map(|n| format!(" Note: {n}"))
        .unwrap_or_default();
    let text = match choice {
        "happened" => format!(
            "This call was interrupted. The user says that it did happen; its output is not known.{note}"
        ),
        "again" => format!("This call was interrupted. The user asks you to make it again.{note}"),
        _ => format!(
            "This call was interrupted and its outcome is unknown. The user chose to leave it.{note}"
        ),
    };
    if !native {
        // An agent's own conversation cannot be given a result: it is told with its next prompt.
        let briefing = batch.blob(format!("{} ({}): {text}", op.name, op.summary));
        batch.push(Event::MessageAdded {
            origin: domain::MessageOrigin::Briefing,
            text: briefing,
        });
    }
    let settlement = match choice {
        "again" if native => Settlement::Again,
        "happened" => Settlement::Happened {
            result: batch.blob(op.told(&text)),
            evidence: format!("{} says so", answer.by),
        },
        _ => Settlement::Skipped {
            result: batch.blob(op.told(&text)),
        },
    };
    batch.push(Event::OpSettled {
        op: op.id,
        settlement,
        charge: None,
    });
    batch
}

fn rejected(op: &Op, used: Event, answer: &Answer) -> Batch {
    let mut batch = Batch::of(used);
    let note = answer
        .note
        .as_deref()
        .map(|n| format!(" The user's note: {n}"))
        .unwrap_or_default();
    let result = batch.blob(format!(
        "The user rejected this call; it was not run.{note}"
    ));
    let error = OpError {
        kind: OpErrorKind::Denied,
        message: format!("rejected by {}{note}", answer.by),
        retry_at: None,
    };
    batch.push(Event::OpFailed {
        op: op.id,
        error,
        result: Some(result),
        charge: None,
    });
    batch
}

/// A question or a doubt that a person answered.
fn answered(op: &Op, used: Event, kind: ReviewKind, answer: &Answer) -> Batch {
    let mut batch = Batch::of(used);
    let note = answer.note.as_deref().unwrap_or_default();
    let text = match (kind, answer.choice.as_str()) {
        (ReviewKind::Doubt, "approve") => format!("The user says: go on as you propose. {note}"),
        (ReviewKind::Doubt, _) => format!("The user says: not like this. {note}"),
        (_, "answer") => note.to_owned(),
        (_, choice) if note.is_empty() => choice.to_owned(),
        (_, choice) => format!("{choice}. {note}"),
    };
    let result = batch.blob(text.trim().to_owned());
    batch.push(Event::OpStarted {
        op: op.id,
        keeper: None,
        plan: None,
    });
    batch.push(finished(
        op.id,
        OpOutcome::Ok,
        result,
        "answered".to_owned(),
    ));
    batch
}

/// An operation that answered, with nothing besides.
pub(crate) fn finished(op: OpId, outcome: OpOutcome, result: BlobRef, summary: String) -> Event {
    Event::OpFinished {
        op,
        outcome,
        result,
        full: None,
        summary,
        charge: None,
        stop: None,
    }
}
