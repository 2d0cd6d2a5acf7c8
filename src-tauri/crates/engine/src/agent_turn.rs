//! A turn of an agent we do not own: one operation as long as the agent works,
//! its own calls journalled as it tells them.

use std::path::PathBuf;
use std::sync::Arc;

use agents::{AgentContext, Held, Turn, TurnError, TurnRequest};
use domain::{
    BackendKind, Event, FailCause, InterruptCause, Op, OpErrorKind, OpKind, OpMode, OpState, Run,
};

use crate::gate::Passed;
use crate::host::RunHost;
use crate::journal::{Batch, Halt};
use crate::shell::{keeper_dir_name, keeper_name};
use crate::think::Call;
use crate::watch::Watch;
use crate::worker::Worker;

impl Worker {
    /// Whether an agent of this run is still in its turn (it outlived a daemon).
    pub(crate) fn agent_is_alive(&self, run: &Run) -> bool {
        !run.task.kind.is_native() && living_turn(run).is_some()
    }

    pub(crate) async fn agent_turn(&self, run: Run, call: Call) -> Result<Run, Halt> {
        let Some((key, fingerprint)) = self.credential(&run, &call.backend).await? else {
            return self.journal.load().await;
        };
        if call.backend.passes_the_gateway() && living_turn(&run).is_none() {
            // It would only wait at the gateway, with its memory and its slot taken.
            match self.pass_gate(&fingerprint).await? {
                Passed::Yes(permit) => drop(permit),
                Passed::TooLong(why) => {
                    return self.switch_or_fail(&run, FailCause::MaxWait, why).await;
                }
                Passed::Ended(review, why) => {
                    let why = format!("ended while it waited: {why}");
                    return self.fail_after(Some(review), FailCause::Review, why).await;
                }
            }
        }
        let _busy = self.busy().await?;
        self.must_hold_folder().await?;
        let living = living_turn(&run).cloned();
        // An agent whose session is known has heard what it was sent before.
        let heard = if run.session.is_some() { run.heard } else { 0 };
        let (run, op) = match &living {
            Some(op) => (run, op.clone()),
            None => self.record_agent_call(&call).await?,
        };
        self.changed
            .store(true, std::sync::atomic::Ordering::SeqCst);
        let opened = self.core.open_attempt(&run, op.id, &call.backend);
        let attempt = opened.map_err(|error| Halt::Store(error.to_string()))?;
        // What the agent knows of its backend.
        let shown = attempt.as_ref().and_then(|a| a.seen_by_the_agent());
        let (backend, key) = match shown {
            Some((backend, token)) => (backend, Some(token)),
            None => (call.backend.clone(), key),
        };
        let driver = self.core.driver(&backend);
        let driver = driver.map_err(|error| Halt::Store(error.to_string()))?;
        let seen = Call {
            backend,
            driver,
            model: call.model.clone(),
        };
        let mut request = self
            .agent_request(
                &run,
                &op,
                &seen,
                key,
                heard,
                if living.is_some() {
                    Adopt::Living
                } else {
                    Adopt::No
                },
            )
            .await?;
        let known = request
            .agent
            .as_ref()
            .map(|agent| agent.known_calls.clone());
        let watch = Arc::new(Watch::new(call.backend.clone(), request.cancel.clone()));
        if let (Some(attempt), Some(agent)) = (&attempt, &mut request.agent) {
            agent.held = attempt.follow(watch.clone());
        }
        let host = RunHost::new(self, known.unwrap_or_default(), None).watched(&watch);
        let _at_work = self.at_work().await;
        let mut turn = Box::pin(seen.driver.turn(request, &host));
        let turn = tokio::select! {
            biased;
            // The agent's keeper lives on: whoever comes next adopts it.
            () = self.control.detach.cancelled() => return Err(Halt::Stopped),
            turn = &mut turn => turn,
            () = self.folder_lost() => {
                self.fenced.store(true, std::sync::atomic::Ordering::SeqCst);
                watch.end();
                turn.await
            }
        };
        if let Some(attempt) = attempt {
            attempt.close().await;
        }
        match turn {
            Ok(turn) => {
                self.close_agent_calls(&op).await?;
                let run = self.journal.load().await?;
                let turn = match run.metered == Some(op.id) {
                    // It costs what its calls cost, which is booked.
                    true => Turn {
                        usage: None,
                        charge: None,
                        ..turn
                    },
                    false => turn,
                };
                let run = self.record_answer(&run, &op, &call, turn).await?;
                self.core.collect_keeper(&keeper_dir_name(&op));
                Ok(run)
            }
            Err(error) => {
                let error = watch.real(error);
                self.agent_failed(&op, &call, &watch, error).await
            }
        }
    }

    async fn record_agent_call(&self, call: &Call) -> Result<(Run, Op), Halt> {
        let mut run = self.journal.load().await?;
        if run.session.is_some() && run.messages == run.heard {
            // Coming back with nothing new to say: a prompt is needed all the same.
            let mut batch = Batch::default();
            let text = batch.blob("Your work was interrupted. Look at where you were, and go on.");
            batch.push(Event::MessageAdded {
                origin: domain::MessageOrigin::Briefing,
                text,
            });
            run = self.journal.append(batch).await?;
        }
        let mut batch = Batch::default();
        let open = run
            .open_ops
            .values()
            .find(|op| op.kind == OpKind::Model && op.state == OpState::Intended);
        let op = match open {
            Some(op) => op.clone(),
            None => {
                let op = self.new_call(&run, call, domain::NanoUsd::ZERO, &mut batch);
                let request = self.request_of(&run, call, &op, run.sent_from);
                batch.push(Event::StepStarted { step: op.step });
                batch.push(crate::intent::intended(
                    &op,
                    crate::policy::model_call(),
                    Some(request),
                ));
                op
            }
        };
        batch.push(Event::OpStarted {
            op: op.id,
            keeper: Some(keeper_name(run.id, &op)),
            plan: None,
        });
        let run = self.journal.append(batch).await?;
        let op = run
            .open_ops
            .get(&op.id)
            .cloned()
            .ok_or_else(|| Halt::Superseded("the turn is not open".to_owned()))?;
        Ok((run, op))
    }

    async fn agent_request(
        &self,
        run: &Run,
        op: &Op,
        call: &Call,
        key: Option<secrets::Secret>,
        heard: u32,
        adopt: Adopt,
    ) -> Result<TurnRequest, Halt> {
        let keeper = op.keeper.clone().unwrap_or_default();
        let dir = self.core.keeper_dir(&keeper);
        let command = call
            .backend
            .command_line()
            .map_err(|e| Halt::Store(e.to_string()))?;
        let mut env = self.core.parts.base_env.clone();
        if let (BackendKind::ClaudeCode, Some(url)) = (call.backend.kind, &call.backend.base_url) {
            env.push(("ANTHROPIC_BASE_URL".to_owned(), url.clone()));
        }
        // Also where one is to be adopted: it may turn out to have done nothing.
        let wrapper = Box::pin(self.confine_agent(run, &command, &env)).await?;
        let mut conversation = self.conversation.lock().await;
        conversation.catch_up(&self.journal, run).await?;
        conversation.reach(&self.journal, heard).await?;
        let unheard = conversation.unheard(heard);
        let anew = self.told_anew(run, &mut conversation, &unheard).await?;
        // A process tells of its own turn only, however long the run is.
        let known_calls = self.journal.call_ids_since(op.id).await?;
        Ok(TurnRequest {
            model: call.model.clone(),
            frame: self.frame(run, call).clone(),
            conversation: unheard,
            max_tokens: self.core.settings().max_answer_tokens,
            key,
            silence_ms: self.core.settings().silence_ms,
            cancel: self.control.kill.child_token(),
            pause: self.control.stop.clone(),
            agent: Some(AgentContext {
                cwd: run
                    .workspace
                    .as_ref()
                    .map(|w| PathBuf::from(&w.path))
                    .unwrap_or_default(),
                env,
                command,
                wrapper,
                limits: self.core.settings().confinement.limits,
                longhaul: self.core.parts.longhaul.clone(),
                socket: self.core.keeper_socket(&keeper),
                keeper_dir: dir.clone(),
                session: run.session.as_ref().map(|s| s.session.clone()),
                anew,
                adopt: (adopt == Adopt::Living).then_some(dir),
                known_calls,
                held: Held::default(),
            }),
        })
    }

    /// Calls the agent never told the end of, although its turn is over.
    async fn close_agent_calls(&self, turn: &Op) -> Result<(), Halt> {
        let run = self.journal.load().await?;
        let mut batch = Batch::default();
        for op in run.open_ops.values().filter(|op| op.id != turn.id) {
            if let Some(review) = op.review {
                batch.push(Event::ReviewWithdrawn {
                    review,
                    why: "the agent's turn is over".to_owned(),
                });
            }
            let words = "the agent ended its turn without a result of this call";
            batch.push(crate::ops::lost_with_agent(op.id, words, None));
        }
        if batch.events.is_empty() {
            Ok(())
        } else {
            self.journal.append(batch).await.map(|_| ())
        }
    }

    /// Calls the agent asked about and was never allowed: they cannot have begun.
    async fn close_unbegun_calls(&self, turn: &Op) -> Result<(), Halt> {
        let run = self.journal.load().await?;
        let mut batch = Batch::default();
        let never_allowed = |op: &&Op| {
            op.id != turn.id && op.mode == OpMode::Gated && op.state == OpState::Intended
        };
        for op in run.open_ops.values().filter(never_allowed) {
            if let Some(review) = op.review {
                let why = "the agent was stopped while it asked".to_owned();
                batch.push(Event::ReviewWithdrawn { review, why });
            }
            let words = "the agent was stopped before it began this";
            batch.push(crate::ops::lost_with_agent(op.id, words, None));
        }
        if batch.events.is_empty() {
            return Ok(());
        }
        self.journal.append(batch).await.map(|_| ())
    }

    /// The driver let go of its agent: it was told to, or what it told could not be
    /// recorded any more. Returns only when the turn is over and the agent with it.
    async fn let_go(&self, op: &Op, watch: &Watch) -> Result<(), Halt> {
        let over = self.journal.load().await?.state().is_over();
        let dir = self.core.keeper_dir(&keeper_dir_name(op));
        // An agent asks nobody before it writes: one whose folder is another's is ended.
        if !over && !self.control.kill.is_cancelled() && !self.is_fenced() {
            let ended = watch.has_ended() || self.control.stop.is_cancelled();
            if ended && !matches!(keeper::adopt(&dir).await, Ok(keeper::Adoption::Alive(_))) {
                return Ok(());
            }
            // Its turn stays open, for the next worker to adopt.
            self.check_stop()?;
            return Err(Halt::Superseded(
                "the driver let go of its agent".to_owned(),
            ));
        }
        if let Ok(keeper::Adoption::Alive(keeper)) = keeper::adopt(&dir).await {
            if let Err(error) = keeper.kill_tree().await {
                tracing::warn!(run = %self.id, %error, "the agent could not be ended");
            }
            let _ = keeper.wait().await;
        }
        Ok(())
    }

    async fn agent_failed(
        &self,
        op: &Op,
        call: &Call,
        watch: &Watch,
        error: TurnError,
    ) -> Result<Run, Halt> {
        if error.kind == OpErrorKind::Cancelled {
            self.let_go(op, watch).await?;
        }
        self.close_unbegun_calls(op).await?;
        // Its own figure where it gave one, else what was seen of it.
        let seen = || {
            let used = error.partial.as_ref()?;
            Some(Box::new(self.core.estimated(&call.backend, used)))
        };
        let charge = match self.journal.load().await?.metered == Some(op.id) {
            true => None,
            false => error.charge.clone().or_else(seen),
        };
        let op_error = self.error_of(&call.backend.name, &error);
        let words = op_error.message.clone();
        if error.kind == OpErrorKind::Auth {
            let retried = Event::OpRetried {
                op: op.id,
                error: op_error,
                next_at: self.core.now(),
                charge,
            };
            self.mark_refused(&call.backend).await;
            return self.journal.append(Batch::of(retried)).await;
        }
        let failed = Event::OpFailed {
            op: op.id,
            error: op_error,
            result: None,
            charge,
        };
        let run = self.journal.append(Batch::of(failed)).await?;
        self.core.collect_keeper(&keeper_dir_name(op));
        match error.kind {
            OpErrorKind::Cancelled if self.is_fenced() => {
                self.give_up_folder().await;
                Err(Halt::Superseded(words))
            }
            OpErrorKind::Cancelled => match watch.over() {
                // Asked at once: by the agent's own figure a little may be left, which
                // would be the beginning of one more turn, and of one more.
                Some(limit) if !run.state().is_over() => {
                    let used = crate::budget::used_words(&run);
                    self.ask_for_budget(limit, used).await
                }
                _ => match watch.unpriced() {
                    Some(model) if !run.state().is_over() => {
                        self.ask_about_price(&run, model).await
                    }
                    _ => Err(Halt::Stopped),
                },
            },
            OpErrorKind::Silent => self.stalled(&words).await,
            OpErrorKind::Agent => {
                let event = Event::Interrupted {
                    cause: InterruptCause::AgentDied,
                    detail: words,
                    last_alive: self.core.now(),
                };
                self.journal.append(Batch::of(event)).await
            }
            // Its own patience was shorter than the pause; the next turn waits for its end.
            OpErrorKind::RateLimited | OpErrorKind::Overloaded | OpErrorKind::Offline
                if self.is_paused(&call.backend).await =>
            {
                Ok(run)
            }
            OpErrorKind::RateLimited if watch.has_ended() => {
                self.switch_or_fail(&run, FailCause::MaxWait, words).await
            }
            OpErrorKind::SpendLimit => {
                self.switch_or_fail(&run, FailCause::SpendLimit, words)
                    .await
            }
            OpErrorKind::BadRequest => {
                self.switch_or_fail(&run, FailCause::BadRequest, words)
                    .await
            }
            OpErrorKind::Refused => self.fail(FailCause::Refused, words).await,
            _ => self.switch_or_fail(&run, FailCause::Agent, words).await,
        }
    }
}

/// Whether the agent's process is there already.
#[derive(PartialEq, Eq)]
enum Adopt {
    /// An earlier daemon started it.
    Living,
    /// It is to be started.
    No,
}

pub(crate) fn living_turn(run: &Run) -> Option<&Op> {
    run.open_ops
        .values()
        .find(|op| op.kind == OpKind::Model && op.state == OpState::Started && op.keeper.is_some())
}
