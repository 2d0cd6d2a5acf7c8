//! What is recorded of a call before anything is done about it: its intent, and the
//! review or refusal that belongs to it.

use agents::tools::Tool;
use domain::{
    BlobRef, Event, Op, OpClass, OpError, OpErrorKind, OpId, OpKind, OpMode, OpState, Review,
    ReviewKind, Run,
};

use crate::journal::Batch;
use crate::policy::Rules;
use crate::{asks, policy};

/// What is recorded of a tool call the model asks for.
pub(crate) struct Intent {
    pub(crate) event: Event,
    pub(crate) after: Vec<Event>,
}

/// Everything an intent says besides the call itself.
pub(crate) struct IntentOf<'a> {
    pub(crate) run: &'a Run,
    pub(crate) rules: &'a Rules,
    pub(crate) op: OpId,
    pub(crate) step: u32,
    pub(crate) call: &'a agents::ToolCall,
    pub(crate) args: BlobRef,
    pub(crate) now: domain::Timestamp,
    /// Times in a row the same call was made before.
    pub(crate) repeats: usize,
    pub(crate) loop_limit: usize,
}

impl IntentOf<'_> {
    /// The intent, and the review or refusal that belongs to it.
    pub(crate) fn build(self, batch: &mut Batch) -> Intent {
        let parsed = Tool::parse(&self.call.name, &self.call.input);
        let (class, summary, decision) = match &parsed {
            Ok(tool) => (tool.class(), tool.summary(), self.rules.decide(tool)),
            Err(_) => (OpClass::Pure, self.call.name.clone(), policy::malformed()),
        };
        let digest = domain::Digest::of(&self.call.name, self.call.input.as_bytes());
        let op = Op {
            id: self.op,
            step: self.step,
            kind: OpKind::Tool,
            name: self.call.name.clone(),
            class,
            mode: OpMode::Gated,
            state: OpState::Intended,
            call_id: Some(self.call.call_id.clone()),
            args: self.args.clone(),
            digest,
            summary,
            reserve: domain::NanoUsd::ZERO,
            review: None,
            keeper: None,
            tries: 0,
            intended_at: self.now,
            started_at: None,
            plan: None,
            edit: None,
            note: None,
        };
        let looping = self.repeats + 1 >= self.loop_limit;
        let after = match parsed {
            // A model that cannot get a call right goes round in circles as well.
            Err(_) if looping => vec![self.loops(&op)],
            Err(error) => {
                let result = batch.blob(error.to_string());
                let error = OpError {
                    kind: OpErrorKind::Tool,
                    message: error.to_string(),
                    retry_at: None,
                };
                vec![Event::OpFailed {
                    op: op.id,
                    error,
                    result: Some(result),
                    charge: None,
                }]
            }
            Ok(_) if decision.verdict == domain::Verdict::Deny => {
                vec![refused(&op, &decision, batch)]
            }
            Ok(tool) => self
                .review(&op, &tool, &decision)
                .map(|review| Event::ReviewRequested {
                    review: Box::new(review),
                })
                .into_iter()
                .collect(),
        };
        Intent {
            event: intended(&op, decision, None),
            after,
        }
    }

    fn looping(&self, op: &Op) -> Review {
        asks::looping(self.run, op, self.repeats + 1, self.now)
    }

    fn loops(&self, op: &Op) -> Event {
        Event::ReviewRequested {
            review: Box::new(self.looping(op)),
        }
    }

    fn review(&self, op: &Op, tool: &Tool, decision: &domain::Decision) -> Option<Review> {
        match tool {
            Tool::AskUser { question, choices } => {
                return Some(asks::question(self.run, op, question, choices, self.now));
            }
            Tool::FlagUncertain { what, why } => {
                return Some(asks::doubt(self.run, op, what, why, self.now));
            }
            _ => {}
        }
        if self.repeats + 1 >= self.loop_limit {
            return Some(self.looping(op));
        }
        if decision.verdict != domain::Verdict::Review {
            return None;
        }
        let kind = match tool {
            Tool::Shell { .. } => ReviewKind::ToolCall,
            _ => ReviewKind::SensitiveChange,
        };
        let mut review = asks::tool_call(self.run, op, decision, tool.detail(), kind, self.now);
        let asked = policy::Asked::of_tool(tool);
        review.always = self.rules.propose(&asked).is_ok();
        Some(review)
    }
}

/// A call the rules never allow is over before it begins; the model is told why.
pub(crate) fn refused(op: &Op, decision: &domain::Decision, batch: &mut Batch) -> Event {
    let words = format!(
        "Refused by policy: {}. It was not run, and asking again does not change that.",
        decision.rule
    );
    let result = batch.blob(words);
    Event::OpFailed {
        op: op.id,
        error: OpError {
            kind: OpErrorKind::Denied,
            message: decision.rule.clone(),
            retry_at: None,
        },
        result: Some(result),
        charge: None,
    }
}

/// The event that records an operation's intent.
pub(crate) fn intended(
    op: &Op,
    decision: domain::Decision,
    request: Option<domain::Request>,
) -> Event {
    Event::OpIntended {
        op: op.id,
        step: op.step,
        op_kind: op.kind,
        name: op.name.clone(),
        class: op.class,
        mode: op.mode,
        call_id: op.call_id.clone(),
        args: op.args.clone(),
        digest: op.digest.clone(),
        summary: op.summary.clone(),
        decision,
        reserve: op.reserve,
        request,
    }
}
