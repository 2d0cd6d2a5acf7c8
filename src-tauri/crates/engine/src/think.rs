//! One model call, from the budget's reservation to the recorded answer, with
//! everything that can go wrong on the way.

use std::path::PathBuf;
use std::sync::Arc;

use agents::{Driver, Frame, TurnRequest, tools};
use domain::{
    Event, FailCause, NanoUsd, Op, OpClass, OpErrorKind, OpKind, OpMode, OpState, Request, Run,
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

impl Worker {
    /// Makes the run's next model call, or ends the run trying.
    pub(crate) async fn think(&self, mut run: Run) -> Result<Run, Halt> {
        let mut tries = 0;
        loop {
            self.check_stop()?;
            let call = match self.call_of(&run).await {
                Ok(call) => call,
                Err(why) => {
                    run = self.switch_or_fail(&run, FailCause::Backend, why).await?;
                    if run.state().is_over() {
                        return Ok(run);
                    }
                    continue;
                }
            };
            if !call.backend.kind.is_native() {
                return Box::pin(self.agent_turn(run, call)).await;
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
            let permit = match self.pass_gate(&fingerprint).await? {
                crate::gate::Passed::Yes(permit) => permit,
                crate::gate::Passed::TooLong(why) => {
                    run = self.switch_or_fail(&run, FailCause::MaxWait, why).await?;
                    if run.state().is_over() {
                        return Ok(run);
                    } else {
                        continue;
                    }
                }
                crate::gate::Passed::Ended(review, why) => {
                    let why = format!("ended while it waited: {why}");
                    return self.fail_after(Some(review), FailCause::Review, why).await;
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
                    self.limits_over().await?;
                    return self.record_answer(&run, &op, &call, turn).await;
                }
                Err(error) => {
                    // Limits are the gate's to count; only what is retried at once counts here.
                    if matches!(error.kind, OpErrorKind::Server | OpErrorKind::Cut) {
                        tries += 1;
                    }
                    if !self.tell_gate(permit, &error) {
                        self.limits_over().await?;
                    }
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
        if model.is_empty() && backend.kind == domain::BackendKind::OpenAi {
            return Err(format!(
                "backend '{}' has no model: name one with `longhaul run --model ID`, or add it again with --model",
                backend.name
            ));
        }
        Ok(Call {
            backend,
            driver,
            model,
        })
    }

    /// Records the call: a new step's intent, or another try of an open one.
    async fn record_call(&self, call: &Call, reserve: NanoUsd) -> Result<(Run, Op), Halt> {
        let run = self.journal.load().await?;
        let sent_from = self.conversation.lock().await.sent_from();
        let mut batch = Batch::default();
        let open = run
            .open_ops
            .values()
            .find(|op| op.kind == OpKind::Model && op.state == OpState::Intended);
        let id = match open {
            Some(op) if sent_from == run.sent_from => op.id,
            open => {
                if let Some(op) = open {
                    // What is sent is on record with the intent: less of it is another call.
                    crate::ops::cancel(op, &mut batch);
                }
                if sent_from > run.sent_from {
                    let text = crate::conversation::left_out_words(sent_from, run.messages);
                    batch.push(Event::Noted { text });
                }
                let op = self.new_call(&run, call, reserve, &mut batch);
                batch.push(Event::StepStarted { step: op.step });
                let request = self.request_of(&run, call, &op, sent_from);
                let rule = crate::policy::model_call();
                batch.push(crate::intent::intended(&op, rule, Some(request)));
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
            edit: None,
            note: None,
        }
    }

    pub(crate) fn request_of(&self, run: &Run, call: &Call, op: &Op, sent_from: u32) -> Request {
        Request {
            backend: call.backend.name.clone(),
            model: call.model.clone(),
            messages: run.messages,
            sent_from,
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
                boundaries: self.core.boundary_words(),
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
            conversation: conversation.to_send(),
            max_tokens,
            key,
            silence_ms: self.core.settings().silence_ms,
            cancel: self.control.kill.clone(),
            pause: tokio_util::sync::CancellationToken::new(),
            agent: None,
        })
    }
}
