//! One model call, from the budget's reservation to the recorded answer, with
//! everything that can go wrong on the way.

use std::path::PathBuf;
use std::sync::Arc;

use agents::{Answered, Driver, Frame, TurnError, TurnRequest, tools};
use domain::{
    Charge, Event, FailCause, InterruptCause, NanoUsd, Op, OpClass, OpError, OpErrorKind, OpKind,
    OpMode, OpState, Request, Run, Timestamp, WaitCause,
};

use crate::backends::BackendConfig;
use crate::budget::Affordable;
use crate::host::RunHost;
use crate::journal::{Batch, Halt};
use crate::worker::Worker;

/// A call about to be made.
pub(crate) struct Call {
    pub(crate) backend: BackendConfig,
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) model: String,
}

/// What a failed try leads to.
enum After {
    /// Try again at this time (the gate or a delay sees to it).
    Again,
    /// Give up on this backend.
    GiveUp(FailCause),
}

impl Worker {
    /// Makes the run's next model call, or ends the run trying.
    pub(crate) async fn think(&self, mut run: Run) -> Result<Run, Halt> {
        let began = self.core.now();
        let mut tries = 0;
        loop {
            self.check_stop()?;
            let call = match self.call_of(&run).await {
                Ok(call) => call,
                Err(why) => return self.fail(FailCause::Backend, why).await,
            };
            if !call.backend.kind.is_native() {
                return self.agent_turn(run, call).await;
            }
            let affordable = match self.afford(&run, &call).await? {
                Affordable::Yes(affordable) => {
                    self.budget_fits(&run).await?;
                    affordable
                }
                Affordable::Asked(run) => return Ok(*run),
            };
            let Some((key, fingerprint)) = self.credential(&run, &call.backend).await? else {
                return self.journal.load().await;
            };
            let permit = match self.pass_gate(&fingerprint, began).await? {
                crate::gate::Passed::Yes(permit) => permit,
                crate::gate::Passed::TooLong(why) => {
                    run = self.switch_or_fail(&run, FailCause::MaxWait, why).await?;
                    if run.state().is_over() {
                        return Ok(run);
                    } else {
                        continue;
                    }
                }
            };
            // Only from here on: a run that waits for a person or a limit holds no slot.
            let _busy = self.busy().await?;
            let (now, op) = self.record_call(&call, affordable.reserve).await?;
            run = now;
            let request = self
                .request(&run, &call, key, affordable.max_tokens)
                .await?;
            let host = RunHost::new(self, Vec::new(), Some(&permit));
            match call.driver.turn(request, &host).await {
                Ok(turn) => {
                    permit.succeeded();
                    return self.record_answer(&run, &op, &call, turn).await;
                }
                Err(error) => {
                    // Limits are the gate's to count; only what is retried at once counts here.
                    if matches!(error.kind, OpErrorKind::Server | OpErrorKind::Cut) {
                        tries += 1;
                    }
                    self.tell_gate(permit, &error);
                    let after = self.after_failure(&call, &error, tries).await?;
                    run = self
                        .record_failure(&run, &op, &call, error, after, tries)
                        .await?;
                    if !matches!(run.phase, domain::Phase::Active | domain::Phase::Verifying) {
                        return Ok(run);
                    }
                    if !run.open_ops.contains_key(&op.id) {
                        tries = 0; // another backend answers from here on
                    }
                }
            }
        }
    }

    /// The backend that answers now, with its driver and model.
    pub(crate) async fn call_of(&self, run: &Run) -> Result<Call, String> {
        let backend = self
            .core
            .backend(&run.backend)
            .await
            .map_err(|e| e.to_string())?;
        let driver = self.core.driver(&backend).map_err(|e| e.to_string())?;
        let asked = (run.backend == run.task.backend)
            .then_some(run.task.model.as_deref())
            .flatten();
        let model = backend.model_for(asked).unwrap_or_default();
        Ok(Call {
            backend,
            driver,
            model,
        })
    }

    /// Records the call: a new step's intent, or another try of an open one.
    async fn record_call(&self, call: &Call, reserve: NanoUsd) -> Result<(Run, Op), Halt> {
        let run = self.journal.load().await?;
        let open = run
            .open_ops
            .values()
            .find(|op| op.kind == OpKind::Model && op.state == OpState::Intended);
        let mut batch = Batch::default();
        let id = match open {
            Some(op) => op.id,
            None => {
                let op = self.new_call(&run, call, reserve, &mut batch);
                if batch.events.is_empty() {
                    batch.push(Event::StepStarted { step: op.step });
                }
                let request = self.request_of(&run, call, &op);
                let rule = crate::policy::model_call();
                batch.push(crate::ops::intended(&op, rule, Some(request)));
                op.id
            }
        };
        batch.push(Event::OpStarted {
            op: id,
            keeper: None,
            plan: None,
        });
        faults::crash_point("engine.before_call_intent");
        let run = self.journal.append(batch).await?;
        faults::crash_point("engine.call_started");
        let op = run
            .open_ops
            .get(&id)
            .cloned()
            .ok_or_else(|| Halt::Superseded("the call is not open".to_owned()))?;
        Ok((run, op))
    }

    pub(crate) fn new_call(
        &self,
        run: &Run,
        call: &Call,
        reserve: NanoUsd,
        batch: &mut Batch,
    ) -> Op {
        let frame = serde_json::to_vec(self.frame(run, call)).unwrap_or_default();
        let args = batch.blob(frame);
        let request = format!("{}:{}:{}", call.model, run.messages, args);
        let native = call.backend.kind.is_native();
        Op {
            id: run.next_op(),
            step: run.step + 1,
            kind: OpKind::Model,
            name: if native {
                call.model.clone()
            } else {
                call.backend.kind.to_string()
            },
            class: if native {
                OpClass::Pure
            } else {
                OpClass::AtMostOnce
            },
            mode: OpMode::Gated,
            state: OpState::Intended,
            call_id: None,
            digest: domain::Digest::of(&call.backend.name, request.as_bytes()),
            args,
            summary: format!("{} ({})", call.model, call.backend.name)
                .trim_start()
                .to_owned(),
            reserve,
            review: None,
            keeper: None,
            tries: 0,
            intended_at: self.core.now(),
            started_at: None,
            plan: None,
        }
    }

    pub(crate) fn request_of(&self, run: &Run, call: &Call, op: &Op) -> Request {
        Request {
            backend: call.backend.name.clone(),
            model: call.model.clone(),
            messages: run.messages,
            sent_from: 0,
            frame: op.args.clone(),
        }
    }

    /// System prompt and tools: made once, so that the provider's prompt cache
    /// holds although the agent edits the project's instructions meanwhile.
    pub(crate) fn frame(&self, run: &Run, call: &Call) -> &Frame {
        self.frame.get_or_init(|| {
            let facts = run.workspace.as_ref();
            let path = facts.map(|w| PathBuf::from(&w.path)).unwrap_or_default();
            let instructions =
                tools::project_instructions(&path).map(|text| self.core.redact(&text));
            let system = tools::system_prompt(&tools::PromptFacts {
                workspace: &path,
                verify: run.task.verify.as_deref(),
                instructions: instructions.as_deref(),
            });
            if call.backend.kind.is_native() {
                agents::anthropic::frame(&system, &tools::specs())
            } else {
                Frame {
                    system,
                    tools: serde_json::Value::Null,
                }
            }
        })
    }

    async fn request(
        &self,
        run: &Run,
        call: &Call,
        key: Option<secrets::Secret>,
        max_tokens: u64,
    ) -> Result<TurnRequest, Halt> {
        let mut conversation = self.conversation.lock().await;
        conversation.catch_up(&self.journal, run).await?;
        Ok(TurnRequest {
            model: call.model.clone(),
            frame: self.frame(run, call).clone(),
            conversation: conversation.all().to_vec(),
            max_tokens,
            key,
            silence_ms: self.core.settings().silence_ms,
            cancel: self.control.kill.clone(),
            agent: None,
        })
    }

    /// Decides what follows a failed try. Credential failures are seen to here.
    async fn after_failure(
        &self,
        call: &Call,
        error: &TurnError,
        tries: u32,
    ) -> Result<After, Halt> {
        let settings = self.core.settings();
        Ok(match error.kind {
            OpErrorKind::RateLimited | OpErrorKind::Overloaded | OpErrorKind::Offline => {
                After::Again
            }
            OpErrorKind::Server | OpErrorKind::Cut if tries < settings.tries => After::Again,
            OpErrorKind::Server | OpErrorKind::Cut => After::GiveUp(FailCause::Backend),
            OpErrorKind::Auth => {
                self.mark_refused(&call.backend).await;
                After::Again
            }
            OpErrorKind::Silent | OpErrorKind::Cancelled => After::Again,
            OpErrorKind::SpendLimit => After::GiveUp(FailCause::SpendLimit),
            OpErrorKind::BadRequest => After::GiveUp(FailCause::BadRequest),
            _ => After::GiveUp(FailCause::Backend),
        })
    }

    async fn record_failure(
        &self,
        run: &Run,
        op: &Op,
        call: &Call,
        error: TurnError,
        after: After,
        tries: u32,
    ) -> Result<Run, Halt> {
        let charge = self.lost_charge(op, call, &error);
        let delay = self.delay(&error, tries);
        let next_at = self.core.now().plus_ms(delay);
        let kind = error.kind;
        let words = format!("{} ({}): {}", call.backend.name, call.model, error.message);
        let op_error = OpError {
            kind,
            message: self.core.redact(&words),
            retry_at: error.retry_after_ms.map(|ms| {
                self.core
                    .now()
                    .plus_ms(i64::try_from(ms).unwrap_or(i64::MAX))
            }),
        };
        match after {
            After::GiveUp(cause) => {
                let failed = Event::OpFailed {
                    op: op.id,
                    error: op_error,
                    result: None,
                    charge,
                };
                self.journal.append(Batch::of(failed)).await?;
                self.switch_or_fail(run, cause, self.core.redact(&words))
                    .await
            }
            After::Again => {
                let retried = Event::OpRetried {
                    op: op.id,
                    error: op_error,
                    next_at,
                    charge,
                };
                let run = self.journal.append(Batch::of(retried)).await?;
                faults::crash_point("engine.call_retried");
                match kind {
                    OpErrorKind::Silent => self.stalled(&words).await,
                    OpErrorKind::Cancelled => Err(Halt::Stopped),
                    OpErrorKind::Server | OpErrorKind::Cut => {
                        self.sleep(delay).await?;
                        Ok(run)
                    }
                    _ => Ok(run),
                }
            }
        }
    }

    /// A try that may have been billed is booked at its worst case.
    fn lost_charge(&self, op: &Op, call: &Call, error: &TurnError) -> Option<Box<Charge>> {
        let billed = error.answered == Answered::Begun
            || matches!(
                error.kind,
                OpErrorKind::Cut | OpErrorKind::Silent | OpErrorKind::Cancelled
            );
        billed.then(|| {
            Box::new(
                self.core
                    .unsettled(call, op.reserve, error.partial.as_ref()),
            )
        })
    }

    /// 15 s doubling with up to a quarter of jitter, for failures that are not limits.
    fn delay(&self, error: &TurnError, tries: u32) -> i64 {
        if !matches!(error.kind, OpErrorKind::Server | OpErrorKind::Cut) {
            return 0;
        }
        let base = self
            .core
            .settings()
            .retry_ms
            .saturating_mul(1 << (tries - 1).min(6));
        // Spread by run and try, so that runs that failed together do not return together.
        let dice = blake3::hash(format!("{}:{tries}", self.id).as_bytes()).as_bytes()[0];
        let jitter = u64::from(dice) * base / 1024;
        i64::try_from(base - jitter).unwrap_or(i64::MAX)
    }

    pub(crate) async fn sleep(&self, ms: i64) -> Result<(), Halt> {
        let until = std::time::Duration::from_millis(u64::try_from(ms).unwrap_or_default());
        tokio::select! {
            () = tokio::time::sleep(until) => Ok(()),
            () = self.control.stop.cancelled() => Err(Halt::Stopped),
        }
    }

    pub(crate) async fn stalled(&self, detail: &str) -> Result<Run, Halt> {
        let event = Event::Interrupted {
            cause: InterruptCause::Stalled,
            detail: self.core.redact(detail),
            last_alive: self.core.now(),
        };
        self.journal.append(Batch::of(event)).await
    }

    /// Lets the next named fallback answer, or fails the run.
    pub(crate) async fn switch_or_fail(
        &self,
        run: &Run,
        cause: FailCause,
        why: String,
    ) -> Result<Run, Halt> {
        let names = &run.task.fallback;
        let next = match names.iter().position(|name| *name == run.backend) {
            Some(at) => names.get(at + 1),
            None => names.first(),
        };
        let Some(next) = next else {
            return self.fail(cause, why).await;
        };
        let model = self
            .core
            .backend(next)
            .await
            .ok()
            .and_then(|b| b.model_for(None));
        let now = self.journal.load().await?;
        let mut batch = Batch::default();
        for op in now.open_ops.values().filter(|op| op.kind == OpKind::Model) {
            crate::ops::cancel(op, &mut batch);
        }
        for wait in &now.waits {
            batch.push(Event::WaitEnded { cause: wait.cause });
        }
        batch.push(Event::BackendSwitched {
            backend: next.clone(),
            model,
            why,
        });
        self.journal.append(batch).await
    }

    /// Shows why nothing goes on, unless that is shown already.
    pub(crate) async fn begin_wait(
        &self,
        cause: WaitCause,
        until: Option<Timestamp>,
        detail: &str,
    ) -> Result<(), Halt> {
        let run = self.journal.load().await?;
        if run
            .waits
            .iter()
            .any(|w| w.cause == cause && w.until == until)
        {
            return Ok(());
        }
        self.journal
            .append(Batch::of(Event::WaitBegan {
                cause,
                until,
                detail: self.core.redact(detail),
            }))
            .await
            .map(|_| ())
    }
}
