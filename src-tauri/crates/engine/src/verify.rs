//! The end of a run: the verify command decides whether the agent is done.

use domain::{
    Event, FailCause, MessageOrigin, Op, OpClass, OpKind, OpMode, OpOutcome, OpState, Phase,
    Review, ReviewId, ReviewKind, Run,
};
use keeper::{Adoption, SpawnError};

use crate::asks;
use crate::journal::{Batch, Halt};
use crate::shell::{Waited, keeper_dir_name, keeper_name};
use crate::worker::{Worker, close_reviews};

/// What came of the verify command.
pub(crate) enum Verdict {
    Passed,
    Failed(String),
    /// It never came to an end.
    Lost(String),
}

/// How often a verify command is begun whose keeper dies before it ends. A command
/// that takes its keeper with it (too much memory) would go on doing so for ever.
const BEGUN_AT_MOST: u32 = 3;

impl Worker {
    /// The agent says it is done: verify, then complete, or let it go on.
    pub(crate) async fn conclude(&self, run: Run) -> Result<Run, Halt> {
        let Some(command) = run.task.verify.clone() else {
            return self.complete(run, None, Vec::new()).await;
        };
        if let Some((_, review)) = asks::pending(&run, ReviewKind::VerifyFailed) {
            let review = review.clone();
            return self.act_on_verify_review(run, review).await;
        }
        if let Some(review) = self.tests_review(&run).await? {
            return self.act_on_tests_review(run, review).await;
        }
        let (run, verdict) = {
            let _busy = self.busy().await?;
            self.verify(run, &command).await?
        };
        match verdict {
            Verdict::Passed => self.complete_if_judged_fairly(run, &command).await,
            Verdict::Failed(output) if run.verify_failures < self.core.settings().verify_tries => {
                self.send_back(&command, &output, vec![failed_verify()])
                    .await
            }
            Verdict::Failed(output) | Verdict::Lost(output) => {
                self.ask_about_verify(run, &command, &output).await
            }
        }
    }

    /// Ends the run as done, in one commit with what comes first.
    pub(crate) async fn complete(
        &self,
        run: Run,
        decided: Option<ReviewId>,
        first: Vec<Event>,
    ) -> Result<Run, Halt> {
        let mut batch = Batch {
            events: first,
            blobs: Vec::new(),
        };
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
                let as_what = (OpKind::Verify, crate::policy::users_own_command());
                self.intend_own_command(&run, as_what, command, &mut batch)
            }
        };
        if !batch.events.is_empty() {
            run = self.journal.append(batch).await?;
        }
        let op = run.open_ops.get(&op.id).cloned().unwrap_or(op);
        let verdict = self.run_verify(&run, &op, command).await?;
        if matches!(verdict, Verdict::Passed) {
            let ended = Event::VerifyEnded {
                passed: OpOutcome::Ok,
            };
            run = self.journal.append(Batch::of(ended)).await?;
        }
        Ok((run, verdict))
    }

    /// The intent of a command the user named as something to be run whenever it is time:
    /// verify or setup.
    pub(crate) fn intend_own_command(
        &self,
        run: &Run,
        (kind, rule): (OpKind, domain::Decision),
        command: &str,
        batch: &mut Batch,
    ) -> Op {
        let op = Op {
            id: run.next_op(),
            step: run.step,
            kind,
            name: kind.word().to_owned(),
            class: OpClass::Pure,
            mode: OpMode::Gated,
            state: OpState::Intended,
            call_id: None,
            digest: domain::Digest::of(kind.word(), command.as_bytes()),
            args: batch.blob(command.to_owned()),
            summary: command.lines().next().unwrap_or_default().to_owned(),
            reserve: domain::NanoUsd::ZERO,
            review: None,
            keeper: None,
            tries: 0,
            intended_at: self.core.now(),
            started_at: None,
            plan: None,
            edit: None,
            note: None,
        };
        batch.push(crate::intent::intended(&op, rule, None));
        op
    }

    /// Also runs a project's setup command, which is the user's own in the same way.
    pub(crate) async fn run_verify(
        &self,
        run: &Run,
        op: &Op,
        command: &str,
    ) -> Result<Verdict, Halt> {
        let adopted = match op.state {
            OpState::Started => self.adopt_verify(op).await,
            _ => None,
        };
        let (name, waited) = match adopted {
            Some(waited) => (keeper_dir_name(op), waited),
            None if op.tries >= BEGUN_AT_MOST => {
                let words = format!(
                    "the {} command was begun {} times and never came to an end: each time its keeper was lost",
                    op.name, op.tries
                );
                self.finish(op, agents::tools::ToolResult::error(words.clone()))
                    .await?;
                return Ok(Verdict::Lost(words));
            }
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
                let timeout_ms = self.core.settings().verify_timeout_ms;
                let spec = self.command_spec(&name, command, &workspace, timeout_ms);
                let spec = match spec.await? {
                    Ok(spec) => spec,
                    Err(why) => {
                        let why = agents::tools::ToolResult::error(why);
                        return self.end_verify(op, why).await;
                    }
                };
                let keeper = match self.start_command(&name, &spec).await {
                    Ok(keeper) => keeper,
                    // It may have begun: no failure of the command's own.
                    Err(SpawnError::Lost(evidence)) => {
                        return Err(Halt::Superseded(crate::recovery::lost_words(&evidence)));
                    }
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
            // No verdict: it is run again when the folder is the run's own.
            Waited::Fenced(_) => {
                let again = Event::OpSettled {
                    op: op.id,
                    settlement: domain::Settlement::Again,
                    charge: None,
                };
                self.journal.append(Batch::of(again)).await?;
                self.core.collect_keeper(&name);
                self.must_hold_folder().await?;
                Err(Halt::Superseded("its folder was taken over".to_owned()))
            }
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

    /// The failure and the question about it are one commit: a crash between them would
    /// count it a second time.
    async fn ask_about_verify(&self, run: Run, command: &str, output: &str) -> Result<Run, Halt> {
        let review = asks::verify_failed(&run, command, output, self.core.now());
        let mut batch = Batch::of(failed_verify());
        batch.push(Event::ReviewRequested {
            review: Box::new(review),
        });
        self.journal.append(batch).await
    }

    async fn act_on_verify_review(&self, run: Run, review: Review) -> Result<Run, Halt> {
        let Some(answer) = review.decision(self.core.now()).cloned() else {
            let mut changes = self.control.changes();
            let now = self.journal.load().await?;
            if now.head == run.head {
                self.await_decision(&mut changes, &review).await?;
            }
            return self.journal.load().await;
        };
        let id = review.id;
        self.enter().await?;
        match answer.choice.as_str() {
            "accept" => self.complete(run, Some(id), Vec::new()).await,
            "again" => {
                let detail = review.detail;
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

    /// The agent is told what the verify command said, in one commit with what comes first.
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

fn failed_verify() -> Event {
    Event::VerifyEnded {
        passed: OpOutcome::Error,
    }
}
