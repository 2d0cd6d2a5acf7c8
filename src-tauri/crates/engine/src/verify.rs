//! The end of a run: the verify command decides whether the agent is done.

use domain::{
    Event, FailCause, MessageOrigin, Op, OpClass, OpKind, OpMode, OpOutcome, OpState, Phase,
    ReviewId, ReviewKind, ReviewState, Run,
};
use keeper::Adoption;

use crate::asks;
use crate::journal::{Batch, Halt};
use crate::shell::{Waited, keeper_dir_name, keeper_name};
use crate::worker::{Worker, close_reviews};

/// What came of the verify command.
enum Verdict {
    Passed,
    Failed(String),
}

impl Worker {
    /// The agent says it is done: verify, then complete, or let it go on.
    pub(crate) async fn conclude(&self, run: Run) -> Result<Run, Halt> {
        let Some(command) = run.task.verify.clone() else {
            return self.complete(run, None).await;
        };
        if let Some((id, review)) = asks::pending(&run, ReviewKind::VerifyFailed) {
            let state = review.state.clone();
            return self.act_on_verify_review(run, id, state).await;
        }
        let (run, verdict) = {
            let _busy = self.busy().await?;
            self.verify(run, &command).await?
        };
        match verdict {
            Verdict::Passed => self.complete(run, None).await,
            Verdict::Failed(output) => self.after_failed_verify(run, &command, output).await,
        }
    }

    async fn complete(&self, run: Run, decided: Option<ReviewId>) -> Result<Run, Halt> {
        let mut batch = Batch::default();
        close_reviews(&run, decided, &mut batch);
        let text = self.last_words(&run).await?.unwrap_or_default();
        let result = batch.blob(text);
        batch.push(Event::Completed { result });
        // Only if nothing was said meanwhile: a message of the user must be answered.
        let run = self.journal.append_at(run.head, batch).await?;
        faults::crash_point("engine.completed");
        Ok(run)
    }

    async fn verify(&self, mut run: Run, command: &str) -> Result<(Run, Verdict), Halt> {
        let mut batch = Batch::default();
        if run.phase != Phase::Verifying {
            batch.push(Event::VerifyStarted);
        }
        let open = run
            .open_ops
            .values()
            .find(|op| op.kind == OpKind::Verify)
            .cloned();
        let op = match open {
            Some(op) => op,
            None => {
                let op = self.new_verify_op(&run, command, &mut batch);
                batch.push(crate::ops::intended(
                    &op,
                    crate::policy::users_own_command(),
                    None,
                ));
                op
            }
        };
        if !batch.events.is_empty() {
            run = self.journal.append(batch).await?;
        }
        let op = run.open_ops.get(&op.id).cloned().unwrap_or(op);
        let verdict = self.run_verify(&run, &op, command).await?;
        let passed = match verdict {
            Verdict::Passed => OpOutcome::Ok,
            Verdict::Failed(_) => OpOutcome::Error,
        };
        let run = self
            .journal
            .append(Batch::of(Event::VerifyEnded { passed }))
            .await?;
        Ok((run, verdict))
    }

    fn new_verify_op(&self, run: &Run, command: &str, batch: &mut Batch) -> Op {
        Op {
            id: run.next_op(),
            step: run.step,
            kind: OpKind::Verify,
            name: "verify".to_owned(),
            // The user named it as something to be run whenever it is time.
            class: OpClass::Pure,
            mode: OpMode::Gated,
            state: OpState::Intended,
            call_id: None,
            digest: domain::Digest::of("verify", command.as_bytes()),
            args: batch.blob(command.to_owned()),
            summary: command.lines().next().unwrap_or_default().to_owned(),
            reserve: domain::NanoUsd::ZERO,
            review: None,
            keeper: None,
            tries: 0,
            intended_at: self.core.now(),
            started_at: None,
            plan: None,
        }
    }

    async fn run_verify(&self, run: &Run, op: &Op, command: &str) -> Result<Verdict, Halt> {
        let adopted = match op.state {
            OpState::Started => self.adopt_verify(op).await,
            _ => None,
        };
        let (name, waited) = match adopted {
            Some(waited) => (keeper_dir_name(op), waited),
            None => {
                if op.state == OpState::Started {
                    // Its keeper is gone: a verify command is simply run again.
                    let again = Event::OpSettled {
                        op: op.id,
                        settlement: domain::Settlement::Again,
                        charge: None,
                    };
                    self.journal.append(Batch::of(again)).await?;
                }
                let name = keeper_name(run.id, op);
                self.begin_op(op, Vec::new(), Some(name.clone()), None)
                    .await?;
                let workspace = match self.open_workspace(run).await {
                    Ok(workspace) => workspace,
                    Err(why) => {
                        return self
                            .end_verify(op, agents::tools::ToolResult::error(why))
                            .await;
                    }
                };
                let spec = self.command_spec(
                    &name,
                    command,
                    &workspace,
                    self.core.settings().verify_timeout_ms,
                );
                let keeper = match self.start_command(&name, &spec).await {
                    Ok(keeper) => keeper,
                    Err(error) => {
                        let why = agents::tools::ToolResult::error(error.to_string());
                        return self.end_verify(op, why).await;
                    }
                };
                (name, self.wait_for(&keeper).await)
            }
        };
        match waited {
            Waited::Exited(exit) => {
                let result = self.core.command_result(&name, &exit).await;
                let verdict = self.end_verify(op, result).await?;
                self.core.collect_keeper(&name);
                Ok(verdict)
            }
            Waited::Lost(why) => Err(Halt::Superseded(why)),
            Waited::Left | Waited::Killed => Err(Halt::Stopped),
        }
    }

    async fn adopt_verify(&self, op: &Op) -> Option<Waited> {
        match keeper::adopt(&self.core.keeper_dir(&keeper_dir_name(op))).await {
            Ok(Adoption::Alive(keeper)) => Some(self.wait_for(&keeper).await),
            Ok(Adoption::Exited(exit)) => Some(Waited::Exited(exit)),
            _ => None,
        }
    }

    async fn end_verify(
        &self,
        op: &Op,
        result: agents::tools::ToolResult,
    ) -> Result<Verdict, Halt> {
        let verdict = match result.outcome {
            OpOutcome::Ok => Verdict::Passed,
            OpOutcome::Error => Verdict::Failed(self.core.redact(&result.text)),
        };
        self.finish(op, result).await?;
        Ok(verdict)
    }

    async fn after_failed_verify(
        &self,
        run: Run,
        command: &str,
        output: String,
    ) -> Result<Run, Halt> {
        if run.verify_failures <= self.core.settings().verify_tries {
            return self.send_back(command, &output, Vec::new()).await;
        }
        let review = asks::verify_failed(&run, command, &output, self.core.now());
        let run = self
            .journal
            .append(Batch::of(Event::ReviewRequested {
                review: Box::new(review),
            }))
            .await?;
        match asks::pending(&run, ReviewKind::VerifyFailed)
            .map(|(id, review)| (id, review.state.clone()))
        {
            Some((id, state)) => self.act_on_verify_review(run, id, state).await,
            None => Ok(run),
        }
    }

    async fn act_on_verify_review(
        &self,
        run: Run,
        id: domain::ReviewId,
        state: ReviewState,
    ) -> Result<Run, Halt> {
        let ReviewState::Decided(answer) = state else {
            let mut changes = self.control.changes();
            let now = self.journal.load().await?;
            if now.head == run.head {
                self.wait_for_change(&mut changes).await?;
            }
            return self.journal.load().await;
        };
        self.enter().await?;
        match answer.choice.as_str() {
            "accept" => self.complete(run, Some(id)).await,
            "again" => {
                let detail = run
                    .reviews
                    .get(&id)
                    .map(|r| r.detail.clone())
                    .unwrap_or_default();
                let command = run.task.verify.clone().unwrap_or_default();
                let note = answer
                    .note
                    .map(|n| format!("{detail}\n\nThe user's note: {n}"))
                    .unwrap_or(detail);
                let used = Event::ReviewUsed { review: id };
                self.send_back(&command, &note, vec![used]).await
            }
            _ => {
                let why = "the verify command still fails".to_owned();
                self.fail_after(Some(id), FailCause::Verify, why).await
            }
        }
    }

    /// The agent is told what the verify command said.
    async fn send_back(&self, command: &str, output: &str, first: Vec<Event>) -> Result<Run, Halt> {
        let mut batch = Batch {
            events: first,
            blobs: Vec::new(),
        };
        let text = batch.blob(format!(
            "Longhaul ran the verify command `{command}` and it failed. Mend the cause (do not weaken the check), \
             then finish again.\n\n{output}"
        ));
        batch.push(Event::MessageAdded {
            origin: MessageOrigin::Verify,
            text,
        });
        self.journal.append(batch).await
    }
}
