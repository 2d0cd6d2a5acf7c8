//! What a driver tells the engine during a turn, journalled as it is told.

use agents::{Delta, Host, HostGone, ObservedCall, Permit, Usage};
use async_trait::async_trait;
use domain::{
    Decision, Digest, Event, Op, OpError, OpErrorKind, OpKind, OpMode, OpOutcome, OpState, Phase,
    PlanItem, ReviewKind, Run, Verdict,
};

use crate::core::RunDelta;
use crate::journal::{Batch, Halt};
use crate::policy::Asked;
use crate::watch::Watch;
use crate::worker::Worker;

/// One run's ear for its driver.
pub(crate) struct RunHost<'a> {
    worker: &'a Worker,
    /// Intents are numbered: two calls told at once must not take the same number.
    recording: tokio::sync::Mutex<()>,
    /// Calls recorded before this turn began.
    known: Vec<String>,
    /// Told when an answer begins: others need not wait for its end.
    permit: Option<&'a limiter::Permit>,
    answering: std::sync::atomic::AtomicBool,
    /// What ends an agent's turn early.
    watch: Option<&'a Watch>,
}

/// What the rules say of a call an agent asks permission for.
struct Ask {
    decision: Decision,
    /// Whether its like may be allowed from now on.
    always: bool,
}

impl<'a> RunHost<'a> {
    pub(crate) fn new(
        worker: &'a Worker,
        known: Vec<String>,
        permit: Option<&'a limiter::Permit>,
    ) -> Self {
        Self {
            worker,
            recording: tokio::sync::Mutex::new(()),
            known,
            permit,
            answering: std::sync::atomic::AtomicBool::new(false),
            watch: None,
        }
    }

    /// The same, for a turn under watch.
    pub(crate) fn watched(self, watch: &'a Watch) -> Self {
        Self {
            watch: Some(watch),
            ..self
        }
    }

    async fn mind_budget(&self) -> Result<(), HostGone> {
        match self.watch {
            Some(watch) => self.worker.mind_budget_in_turn(watch).await.map_err(gone),
            None => Ok(()),
        }
    }

    /// The journal's operation for the agent's call, recorded if it is new.
    async fn op_for(&self, call: &ObservedCall, ask: Option<&Ask>) -> Result<Option<Op>, Halt> {
        let _one = self.recording.lock().await;
        let run = self.worker.journal.load().await?;
        let digest = Digest::of(&call.name, call.input.as_bytes());
        let mut again = None;
        if let Some(op) = open_call(&run, &call.call_id) {
            let op = op.clone();
            // What was decided on is one thing, and this is another: it is decided on anew.
            let decided = op.review.is_some() || op.state != OpState::Intended;
            again = (ask.is_some() && decided && op.digest != digest).then(|| op.clone());
        }
        if let (Some(op), None) = (open_call(&run, &call.call_id), &again) {
            let op = op.clone();
            if ask.is_some_and(|ask| ask.decision.verdict == Verdict::Review)
                && op.review.is_none()
                && op.state == OpState::Intended
            {
                let mut batch = Batch::default();
                self.request_review(&run, &op, call, ask, &mut batch);
                let run = self.worker.journal.append(batch).await?;
                return Ok(run.open_ops.get(&op.id).cloned());
            }
            return Ok(Some(op));
        }
        if again.is_none() && self.known.contains(&call.call_id) {
            return Ok(None); // told before, and over
        }
        let mut batch = Batch::default();
        if let Some(op) = &again {
            if let Some(review) = op.review {
                let why = "the agent asks about the call with other arguments".to_owned();
                batch.push(Event::ReviewWithdrawn { review, why });
            }
            let words = "the agent asked about the call again, with other arguments";
            batch.push(crate::ops::lost_with_agent(op.id, words, None));
        }
        let input = self.worker.core.redact(&call.input);
        let op = Op {
            id: run.next_op(),
            step: run.step,
            kind: OpKind::Tool,
            name: call.name.clone(),
            class: call.class,
            mode: if ask.is_some() {
                OpMode::Gated
            } else {
                OpMode::Observed
            },
            state: OpState::Intended,
            call_id: Some(call.call_id.clone()),
            digest,
            args: batch.blob(input),
            summary: self.worker.core.redact(&call.summary),
            reserve: domain::NanoUsd::ZERO,
            review: None,
            keeper: None,
            tries: 0,
            intended_at: self.worker.core.now(),
            started_at: None,
            plan: None,
            edit: None,
            note: None,
        };
        let decision = ask.map(|ask| ask.decision.clone());
        let decision = decision.unwrap_or_else(crate::policy::agents_own_rules);
        batch.push(crate::intent::intended(&op, decision, None));
        self.request_review(&run, &op, call, ask, &mut batch);
        let run = self.worker.journal.append(batch).await?;
        Ok(run.open_ops.get(&op.id).cloned())
    }

    fn request_review(
        &self,
        run: &Run,
        op: &Op,
        call: &ObservedCall,
        ask: Option<&Ask>,
        batch: &mut Batch,
    ) {
        let Some(ask) = ask.filter(|ask| ask.decision.verdict == Verdict::Review) else {
            return;
        };
        let detail = self.worker.core.redact(&pretty(&call.input));
        let now = self.worker.core.now();
        let kind = ReviewKind::ToolCall;
        let mut review = crate::asks::tool_call(run, op, &ask.decision, detail, kind, now);
        review.always = ask.always;
        batch.push(Event::ReviewRequested {
            review: Box::new(review),
        });
    }

    async fn ask(&self, call: &ObservedCall) -> Result<Permit, Halt> {
        let run = self.worker.journal.load().await?;
        let rules = self.worker.core.rules(&run).await;
        let ask = Ask {
            decision: rules.decide_agent_call(call),
            always: rules.propose(&Asked::of_call(call)).is_ok(),
        };
        let Some(op) = self.op_for(call, Some(&ask)).await? else {
            return Ok(Permit::Deny("this call is over already".to_owned()));
        };
        let decision = &ask.decision;
        let fresh = op.state == OpState::Intended && op.review.is_none();
        if decision.verdict == Verdict::Deny && fresh {
            let mut batch = Batch::default();
            let refused = crate::intent::refused(&op, decision, &mut batch);
            batch.push(refused);
            self.worker.journal.append(batch).await?;
            return Ok(Permit::Deny(format!(
                "refused by policy: {}",
                decision.rule
            )));
        }
        loop {
            let mut changes = self.worker.control.changes();
            let run = self.worker.journal.load().await?;
            let Some(op) = run.open_ops.get(&op.id) else {
                return Ok(Permit::Deny("the call was withdrawn".to_owned()));
            };
            let Some(review) = run.review_of(op.id) else {
                // Not begun yet, or its approval was on the way when an earlier daemon died.
                let permit = self.permit_for(op).await?;
                if op.state == OpState::Intended {
                    let started = Event::OpStarted {
                        op: op.id,
                        keeper: None,
                        plan: None,
                    };
                    self.worker.journal.append(Batch::of(started)).await?;
                }
                return Ok(permit);
            };
            let Some(answer) = review.decision(self.worker.core.now()) else {
                if self
                    .worker
                    .await_decision(&mut changes, review)
                    .await
                    .is_err()
                {
                    self.until_the_turn_ends().await;
                }
                continue;
            };
            if self.worker.check_stop().is_err() {
                self.until_the_turn_ends().await;
            }
            let mut batch = Batch::of(Event::ReviewUsed { review: review.id });
            faults::crash_point("engine.before_permit");
            if answer.choice == "approve" {
                let permit = self.permit_for(&op.clone().decided(answer)).await?;
                batch.push(Event::OpStarted {
                    op: op.id,
                    keeper: None,
                    plan: None,
                });
                self.worker.journal.append(batch).await?;
                return Ok(permit);
            }
            let reason = answer
                .note
                .clone()
                .unwrap_or_else(|| "the user rejected this call".to_owned());
            let error = OpError {
                kind: OpErrorKind::Denied,
                message: reason.clone(),
                retry_at: None,
            };
            batch.push(Event::OpFailed {
                op: op.id,
                error,
                result: None,
                charge: None,
            });
            self.worker.journal.append(batch).await?;
            return Ok(Permit::Deny(reason));
        }
    }

    /// The run is to stop: the driver ends the turn itself, where nothing of it is under
    /// way. Until then there is no answer to its question.
    async fn until_the_turn_ends(&self) {
        std::future::pending().await
    }

    /// Leave to make the call, with a person's arguments where they were changed.
    async fn permit_for(&self, op: &Op) -> Result<Permit, Halt> {
        if op.class != domain::OpClass::Pure {
            self.worker.must_hold_folder().await?;
        }
        Ok(match &op.edit {
            None => Permit::Allow,
            Some(edit) => Permit::AllowEdited(self.worker.journal.text(&edit.args).await?),
        })
    }

    async fn end(&self, call_id: &str, outcome: OpOutcome, text: &str) -> Result<(), Halt> {
        let run = self.worker.journal.load().await?;
        let Some(op) = open_call(&run, call_id) else {
            return Ok(());
        };
        let mut batch = Batch::default();
        if let Some(review) = op.review {
            batch.push(Event::ReviewWithdrawn {
                review,
                why: "the call is over".to_owned(),
            });
        }
        // A paused run begins nothing any more; what ended meanwhile is recorded all the same.
        let works = matches!(run.phase, Phase::Active | Phase::Verifying);
        if op.state == OpState::Intended && works {
            batch.push(Event::OpStarted {
                op: op.id,
                keeper: None,
                plan: None,
            });
        }
        let text = self.worker.core.redact(text);
        let summary: String = text
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(120)
            .collect();
        let result = batch.blob(text);
        batch.push(crate::ops::finished(op.id, outcome, result, summary));
        self.worker.journal.append(batch).await.map(|_| ())
    }
}

fn open_call<'r>(run: &'r Run, call_id: &str) -> Option<&'r Op> {
    run.open_ops
        .values()
        .find(|op| op.call_id.as_deref() == Some(call_id))
}

pub(crate) fn pretty(json: &str) -> String {
    serde_json::from_str::<serde_json::Value>(json)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| json.to_owned())
}

/// A run that moved on without this driver has no use for it any more.
fn gone(halt: Halt) -> HostGone {
    tracing::debug!(%halt, "the driver is told to stop");
    HostGone
}

#[async_trait]
impl Host for RunHost<'_> {
    fn delta(&self, delta: Delta) {
        if let Some(permit) = self.permit
            && !self
                .answering
                .swap(true, std::sync::atomic::Ordering::Relaxed)
        {
            permit.accepted();
        }
        let delta = match delta {
            Delta::Text(text) => Delta::Text(self.worker.core.redact(&text)),
            Delta::Thinking(text) => Delta::Thinking(self.worker.core.redact(&text)),
            other => other,
        };
        // Nobody listening is fine: deltas are only for looking at.
        let _ = self.worker.core.deltas.send(RunDelta {
            run: self.worker.id,
            delta,
        });
    }

    async fn session(&self, session: &str, keeper: &str) -> Result<(), HostGone> {
        let run = self.worker.journal.load().await.map_err(gone)?;
        let known = run
            .session
            .as_ref()
            .is_some_and(|s| s.session == session && s.keeper == keeper);
        if known {
            return Ok(());
        }
        let event = Event::SessionBound {
            driver: run.task.kind.to_string(),
            session: session.to_owned(),
            keeper: keeper.to_owned(),
        };
        self.worker
            .journal
            .append(Batch::of(event))
            .await
            .map(|_| ())
            .map_err(gone)
    }

    async fn call_started(&self, call: ObservedCall) -> Result<(), HostGone> {
        self.op_for(&call, None).await.map_err(gone)?;
        self.mind_budget().await
    }

    async fn call_ended(
        &self,
        call_id: &str,
        outcome: OpOutcome,
        result: &str,
    ) -> Result<(), HostGone> {
        self.end(call_id, outcome, result).await.map_err(gone)
    }

    async fn used(&self, so_far: &Usage) -> Result<(), HostGone> {
        if let Some(watch) = self.watch {
            watch.note(so_far);
        }
        self.mind_budget().await
    }

    async fn permit(&self, call: ObservedCall) -> Result<Permit, HostGone> {
        self.mind_budget().await?;
        self.ask(&call).await.map_err(gone)
    }

    async fn plan(&self, mut items: Vec<PlanItem>) -> Result<(), HostGone> {
        for item in &mut items {
            item.text = self.worker.core.redact(&item.text);
        }
        self.worker
            .journal
            .append(Batch::of(Event::PlanChanged { items }))
            .await
            .map(|_| ())
            .map_err(gone)
    }

    async fn note(&self, text: &str) -> Result<(), HostGone> {
        // What a model API is remarked for holds for all its answers; what an agent says
        // again it means again.
        if self.permit.is_some() && !self.worker.is_news(text) {
            return Ok(());
        }
        let event = Event::Noted {
            text: self.worker.core.redact(text),
        };
        self.worker
            .journal
            .append(Batch::of(event))
            .await
            .map(|_| ())
            .map_err(gone)
    }
}
