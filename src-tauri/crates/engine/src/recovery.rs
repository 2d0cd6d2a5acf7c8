//! After a crash, a reboot or an upgrade: what was open is settled by its class,
//! what is unknown is asked, and runs go on by the restart policy.

use std::time::Duration;

use domain::{
    Event, InterruptCause, Op, OpClass, OpId, OpKind, OpMode, OpState, Phase, QueueReason, Run,
    RunId, RunState, Settlement, Timestamp,
};
use keeper::{AdoptError, Adoption};
use limiter::{SavedPause, Snapshot};
use workspace::{PlannedWrite, World};

use crate::asks;
use crate::briefing::{Briefing, Found};
use crate::core::{Core, Engine};
use crate::journal::{Batch, Halt, Journal};
use crate::settings::OnRestart;
use crate::shell::keeper_dir_name;

/// What a restart found.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Runs that go on by themselves.
    pub going_on: Vec<RunId>,
    /// Runs that stay interrupted until somebody resumes them.
    pub left: Vec<RunId>,
    /// Processes that had outlived their keepers and were ended.
    pub reaped: usize,
}

impl Engine {
    /// Settles what an earlier daemon left open and starts the workers.
    /// `last_alive` is when that daemon last showed a sign of life.
    pub async fn recover(
        &self,
        last_alive: Option<Timestamp>,
        cause: InterruptCause,
    ) -> Result<Recovered, String> {
        let core = &self.core;
        let mut recovered = Recovered {
            reaped: core.reap().await,
            ..Recovered::default()
        };
        core.take_up_calls().await.map_err(|e| e.to_string())?;
        core.restore_pauses().await.map_err(|e| e.to_string())?;
        tokio::spawn(core.clone().persist_pauses());
        // Before any worker: those that wait must not find them stale.
        core.take_up_leases().await?;
        tokio::spawn(core.clone().keep_leases());
        let mut delay = 0;
        for row in core
            .store()
            .unfinished_runs()
            .await
            .map_err(|e| e.to_string())?
        {
            let id = row.id;
            let went_on = core
                .recover_run(id, last_alive, cause)
                .await
                .map_err(|e| e.to_string())?;
            match went_on {
                Some(WentOn::Now) => core.spawn_worker(id),
                Some(WentOn::Staggered) => {
                    recovered.going_on.push(id);
                    core.spawn_worker_after(id, Duration::from_millis(delay));
                    delay += core.settings().stagger_ms;
                }
                None => {
                    if let Ok(run) = core.load(id).await {
                        core.mind_stalled(&run);
                    }
                    core.give_back_folder(id).await?;
                    recovered.left.push(id);
                }
            }
        }
        core.attempts.are_complete();
        core.take_up_applies().await;
        core.collect_leftovers().await.map_err(|e| e.to_string())?;
        Ok(recovered)
    }
}

enum WentOn {
    /// It only waited; nothing of it was interrupted.
    Now,
    /// It was interrupted and goes on by itself.
    Staggered,
}

impl Core {
    async fn reap(&self) -> usize {
        let root = self.parts.home.join("keepers");
        let reaped = tokio::task::spawn_blocking(move || keeper::reap(&root)).await;
        reaped.map(|found| found.len()).unwrap_or_default()
    }

    async fn recover_run(
        self: &std::sync::Arc<Self>,
        id: RunId,
        last_alive: Option<Timestamp>,
        cause: InterruptCause,
    ) -> Result<Option<WentOn>, Halt> {
        let journal = self.journal(id);
        let run = journal.load().await?;
        let run = self.settle_calls(&journal, run).await?;
        let mut run = self
            .finish_going_back(run)
            .await
            .map_err(|e| Halt::Store(e.to_string()))?;
        let working = matches!(run.phase, Phase::Active | Phase::Verifying);
        let begun = run.open_ops.values().any(|op| op.state == OpState::Started);
        if run.phase == Phase::Queued || (run.state() == RunState::Waiting && !begun) {
            return Ok(Some(WentOn::Now));
        }
        if working {
            let event = Event::Interrupted {
                cause,
                detail: interrupt_words(cause).to_owned(),
                last_alive: last_alive.unwrap_or(run.last_at).max(run.last_at),
            };
            run = journal.append(Batch::of(event)).await?;
            faults::crash_point("engine.interrupted");
        }
        let before = run.clone();
        let found = self.settle_open(&journal, &run).await?;
        let run = journal.load().await?;
        let run = if working || !found.is_empty() {
            self.brief(&journal, &before, run, found).await?
        } else {
            run
        };
        faults::crash_point("engine.briefed");
        if !self.goes_on(&run, working) {
            return Ok(None);
        }
        let mut batch = Batch::default();
        batch.events.extend(crate::expiry::asked_again(&run));
        batch.push(Event::Queued {
            reason: QueueReason::Restarted,
        });
        journal.append(batch).await?;
        Ok(Some(WentOn::Staggered))
    }

    /// The restart policy.
    fn goes_on(&self, run: &Run, was_working: bool) -> bool {
        let settings = self.settings();
        let Some(interruption) = &run.interrupted else {
            return false;
        };
        // One that an earlier start left interrupted waits for somebody; a stop of
        // Longhaul itself is undone by its next start.
        let ours = was_working || interruption.cause == InterruptCause::Shutdown;
        if run.phase != Phase::Interrupted || settings.on_restart == OnRestart::Ask || !ours {
            return false;
        }
        let deaths = &run.daemon_deaths;
        // Old deaths say nothing of a run that was stopped in good order since.
        let crashing = interruption.cause == InterruptCause::DaemonDied
            && deaths.len() >= 2
            && deaths[deaths.len() - 1].ms_since(deaths[deaths.len() - 2])
                < settings.crash_window_ms;
        let down = self.now().ms_since(interruption.last_alive);
        !crashing && down <= settings.downtime_limit_ms
    }

    /// Settles every operation that is open and that no living keeper accounts for.
    async fn settle_open(
        self: &std::sync::Arc<Self>,
        journal: &Journal,
        run: &Run,
    ) -> Result<Vec<(OpId, Found)>, Halt> {
        let mut found = Vec::new();
        for op in run.open_ops.values() {
            let observed = op.mode == OpMode::Observed || !run.task.kind.is_native();
            let begun = op.state == OpState::Started || (observed && op.state == OpState::Intended);
            if !begun || op.review.is_some() {
                continue;
            }
            found.push((op.id, self.settle_after_crash(journal, run, op).await?));
            faults::crash_point("engine.op_settled");
        }
        Ok(found)
    }

    async fn settle_after_crash(
        self: &std::sync::Arc<Self>,
        journal: &Journal,
        run: &Run,
        op: &Op,
    ) -> Result<Found, Halt> {
        if op.keeper.is_none() {
            if !run.task.kind.is_native() && self.agent_lives(run).await {
                return Ok(Found::GoesOn);
            }
            self.settle(journal, run, op, "it was under way when Longhaul stopped")
                .await?;
            return Ok(Found::of(op));
        }
        if faults::sabotaged("blind_rerun") {
            let again = Event::OpSettled {
                op: op.id,
                settlement: Settlement::Again,
                charge: None,
            };
            journal.append(Batch::of(again)).await?;
            return Ok(Found::Again);
        }
        match keeper::adopt(&self.keeper_dir(&keeper_dir_name(op))).await {
            Ok(Adoption::Alive(_)) => {
                if op.kind == OpKind::Model {
                    self.reopen_attempt(run, op.id).await;
                }
                Ok(Found::GoesOn)
            }
            Ok(Adoption::Exited(_)) => Ok(Found::Ended),
            // Without a folder the daemon died between the record of the start and the
            // keeper's own record, which is durable before there is a process.
            Ok(Adoption::NeverStarted) | Err(AdoptError::NoKeeper(_)) => {
                self.never_started(journal, op).await?;
                Ok(Found::Again)
            }
            Ok(Adoption::Lost(evidence)) => {
                self.settle(journal, run, op, &lost_words(&evidence))
                    .await?;
                Ok(Found::of(op))
            }
            Err(error) => {
                self.settle(journal, run, op, &error.to_string()).await?;
                Ok(Found::of(op))
            }
        }
    }

    async fn agent_lives(&self, run: &Run) -> bool {
        let turn = run
            .open_ops
            .values()
            .find(|op| op.kind == OpKind::Model && op.state == OpState::Started);
        let Some(turn) = turn else { return false };
        matches!(
            keeper::adopt(&self.keeper_dir(&keeper_dir_name(turn))).await,
            Ok(Adoption::Alive(_) | Adoption::Exited(_))
        )
    }

    /// Its command was never begun: it is simply begun now.
    pub(crate) async fn never_started(&self, journal: &Journal, op: &Op) -> Result<(), Halt> {
        let again = Event::OpSettled {
            op: op.id,
            settlement: Settlement::Again,
            charge: None,
        };
        journal.append(Batch::of(again)).await.map(|_| ())
    }

    /// Settles one operation whose outcome is not recorded, by its class.
    pub(crate) async fn settle(
        &self,
        journal: &Journal,
        run: &Run,
        op: &Op,
        evidence: &str,
    ) -> Result<(), Halt> {
        if op.keeper.is_some() {
            // What a dead keeper left running must not go on while a person looks
            // at the world to say whether it happened, or beside its second try.
            self.reap().await;
        }
        let mut batch = Batch::default();
        // Asked about, and the agent died before it was allowed: it cannot have begun.
        let never_allowed = op.mode == OpMode::Gated && op.state == OpState::Intended;
        match (op.kind, op.class) {
            (OpKind::Tool, _) if never_allowed && !run.task.kind.is_native() => {
                let words = "the agent was lost before it began this";
                batch.push(crate::ops::lost_with_agent(op.id, words, None));
            }
            (OpKind::Model, _) | (_, OpClass::Pure) if !run.task.kind.is_native() => {
                let charge = self.charge_of_lost_turn(run, op).await;
                let words = self.redact(evidence);
                batch.push(crate::ops::lost_with_agent(op.id, &words, charge));
            }
            (kind, OpClass::Pure) => {
                let model = run
                    .open_ops
                    .get(&op.id)
                    .map(|op| op.name.clone())
                    .unwrap_or_default();
                let charge = (kind == OpKind::Model)
                    .then(|| Box::new(self.unsettled_for(&model, op.reserve, None)));
                batch.push(Event::OpSettled {
                    op: op.id,
                    settlement: Settlement::Again,
                    charge,
                });
            }
            (_, OpClass::Reconcilable) => self.reconcile(run, op, evidence, &mut batch).await,
            (_, OpClass::AtMostOnce) => self.doubt(run, op, evidence, &mut batch),
        }
        journal.append(batch).await.map(|_| ())
    }

    /// Looks at the file: after-image, it happened; before-image, it did not.
    async fn reconcile(&self, run: &Run, op: &Op, evidence: &str, batch: &mut Batch) {
        let plan: Option<PlannedWrite> = op
            .plan
            .as_deref()
            .and_then(|plan| serde_json::from_str(plan).ok());
        let workspace = self.prepare(run).await;
        let world = match (plan, workspace) {
            (Some(plan), Ok(workspace)) => workspace.probe(&plan).await.ok(),
            _ => None,
        };
        match world {
            Some(World::After) => {
                let result = batch.blob(op.told(
                    "Done (Longhaul was interrupted here, and the file shows that it happened).",
                ));
                let evidence = "the file has the content it was to get".to_owned();
                let settlement = Settlement::Happened { result, evidence };
                batch.push(Event::OpSettled {
                    op: op.id,
                    settlement,
                    charge: None,
                });
            }
            Some(World::Before) => {
                batch.push(Event::OpSettled {
                    op: op.id,
                    settlement: Settlement::Again,
                    charge: None,
                });
            }
            Some(World::Neither) => {
                let evidence =
                    format!("{evidence}; the file is neither as it was nor as it was to become");
                self.doubt(run, op, &evidence, batch);
            }
            None => self.doubt(
                run,
                op,
                &format!("{evidence}; the file could not be looked at"),
                batch,
            ),
        }
    }

    fn doubt(&self, run: &Run, op: &Op, evidence: &str, batch: &mut Batch) {
        let evidence = self.redact(evidence);
        let review = asks::in_doubt(run, op, &evidence, self.now());
        batch.push(Event::OpSettled {
            op: op.id,
            settlement: Settlement::InDoubt { evidence },
            charge: None,
        });
        batch.push(Event::ReviewRequested {
            review: Box::new(review),
        });
    }

    async fn brief(
        &self,
        journal: &Journal,
        before: &Run,
        run: Run,
        found: Vec<(OpId, Found)>,
    ) -> Result<Run, Halt> {
        let briefing = Briefing::new(before, &run, &found);
        let mut batch = Batch::default();
        let text = batch.blob(briefing.for_the_user());
        batch.push(Event::Briefed { text });
        if let Some(message) = briefing.for_the_agent() {
            let text = batch.blob(message);
            batch.push(Event::MessageAdded {
                origin: domain::MessageOrigin::Briefing,
                text,
            });
        }
        journal.append(batch).await
    }

    async fn restore_pauses(&self) -> Result<(), store::ReadError> {
        for row in self.store().pauses().await? {
            if let Ok(pause) = serde_json::from_value(row.state) {
                let pauses = vec![SavedPause {
                    credential: row.gate,
                    pause,
                }];
                self.parts.limiter.restore(Snapshot { pauses });
            }
        }
        Ok(())
    }
}

fn interrupt_words(cause: InterruptCause) -> &'static str {
    match cause {
        InterruptCause::Reboot => "the machine was restarted while it worked",
        InterruptCause::Shutdown => "Longhaul was stopped while it worked",
        _ => "Longhaul's background service died while it worked",
    }
}

/// What is known of a command whose keeper died, in words.
pub(crate) fn lost_words(evidence: &keeper::Evidence) -> String {
    let mut words = if evidence.rebooted {
        "the machine was restarted while it ran".to_owned()
    } else {
        "its keeper was killed while it ran".to_owned()
    };
    let end = String::from_utf8_lossy(&evidence.last_out);
    let end = end.trim();
    if end.is_empty() {
        words.push_str("; it had printed nothing");
    } else {
        words.push_str(&format!(
            "; the last it printed ({} bytes in all):\n{end}",
            evidence.out_bytes
        ));
    }
    words
}
