//! A person changes a call's arguments before approving it: what may be changed, and what
//! is recorded of the change. Both versions are kept, and the policy looks again.

use std::collections::HashMap;

use agents::tools::{Tool, read_only_command};
use bytes::Bytes;
use domain::{
    BackendKind, BlobRef, Decision, Digest, Edit, Op, OpClass, OpMode, OpState, Review, ReviewKind,
    Run, Verdict,
};
use serde_json::{Map, Value};
use store::HeldCall;

use crate::core::{Core, Engine};

/// The tools whose arguments a person can change before approving a call of a native model.
const EDITABLE: [&str; 3] = ["shell", "write", "edit"];

/// Longest changed value told to the model, in characters; the rest it can look at.
const TOLD: usize = 2_000;

/// Why a call was not changed. Nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The review is not one whose arguments can be changed.
    #[error("only a call that waits for its approval can be changed: {0}")]
    NotEditable(String),
    /// The arguments are not ones the call could be made with.
    #[error("the call cannot be made with these arguments: {0}")]
    Invalid(String),
    /// The policy never allows the call with these arguments.
    #[error("the policy refuses the call with these arguments: {0}")]
    Denied(String),
}

/// What a review's view shows of the call it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFacts {
    /// The arguments as JSON laid out for reading; only where they can be changed.
    pub arguments: Option<String>,
    /// Whether they can be changed before they are approved.
    pub editable: bool,
    /// Whether approving takes no more than a glance: a call that only reads.
    pub low_risk: bool,
}

impl Engine {
    /// What can be said of the calls that these reviews wait for, in their order. The store
    /// is asked as often for a thousand of them as for one.
    ///
    /// # Errors
    /// If a call or its arguments cannot be read from the store.
    pub async fn call_facts(
        &self,
        reviews: &[&Review],
    ) -> Result<Vec<CallFacts>, store::ReadError> {
        let store = self.core.store();
        let open = reviews.iter().filter(|review| review.is_open());
        let asked: Vec<_> = open.filter_map(|r| Some((r.run, r.op?))).collect();
        let held = store.held_calls(&asked).await?;
        let names: Vec<BlobRef> = held.values().map(|call| call.args.clone()).collect();
        let inputs = store.blobs(&names).await?;
        let held = held.into_iter().zip(inputs);
        let held: HashMap<_, _> = held
            .map(|((at, call), input)| (at, (call, input)))
            .collect();
        let facts = reviews.iter().map(|review| {
            let call = review.op.and_then(|op| held.get(&(review.run, op)));
            match call.filter(|_| review.is_open()) {
                Some((call, input)) => facts_of(review, &call.into(), input),
                None => CallFacts::default(),
            }
        });
        Ok(facts.collect())
    }
}

fn facts_of(review: &Review, call: &Waiting<'_>, input: &[u8]) -> CallFacts {
    let input = String::from_utf8_lossy(input);
    let editable = why_not(review, call).is_none();
    CallFacts {
        arguments: editable.then(|| crate::host::pretty(&input)),
        editable,
        low_risk: review.kind == ReviewKind::ToolCall && only_reads(call, &input),
    }
}

/// What matters of a call that waits: the same whether it comes from a run's fold or from a
/// list of the store's.
struct Waiting<'a> {
    backend: BackendKind,
    name: &'a str,
    class: OpClass,
    mode: OpMode,
}

impl<'a> Waiting<'a> {
    fn of(run: &Run, op: &'a Op) -> Self {
        Self {
            backend: run.task.kind,
            name: &op.name,
            class: op.class,
            mode: op.mode,
        }
    }
}

impl<'a> From<&'a HeldCall> for Waiting<'a> {
    fn from(call: &'a HeldCall) -> Self {
        Self {
            backend: call.backend,
            name: &call.name,
            class: call.class,
            mode: call.mode,
        }
    }
}

/// The call a review holds up, as long as nobody has decided.
pub(crate) fn waiting_call<'r>(run: &'r Run, review: &Review) -> Option<&'r Op> {
    let op = run.open_ops.get(&review.op?)?;
    (review.is_open() && op.state == OpState::Intended).then_some(op)
}

/// Why a call's arguments cannot be changed, if they cannot.
fn why_not(review: &Review, call: &Waiting<'_>) -> Option<String> {
    let kinds = [
        ReviewKind::ToolCall,
        ReviewKind::SensitiveChange,
        ReviewKind::Loop,
    ];
    if !kinds.contains(&review.kind) || call.mode != OpMode::Gated {
        return Some(format!("this asks something else ({})", review.kind));
    }
    match call.backend {
        BackendKind::ClaudeCode => None,
        kind if kind.is_native() => {
            // One that could not be read is of no class, and cannot be made into one that is.
            let fits = EDITABLE.contains(&call.name) && call.class != OpClass::Pure;
            (!fits).then(|| format!("this call of {} takes no changes", call.name))
        }
        kind => Some(format!("{kind} takes no changed arguments")),
    }
}

/// Whether the call is a command that only reads, as far as its words tell.
fn only_reads(call: &Waiting<'_>, input: &str) -> bool {
    if call.backend.is_native() {
        return matches!(Tool::parse(call.name, input), Ok(Tool::Shell { command, .. })
            if read_only_command(&command).is_some());
    }
    let input: Value = serde_json::from_str(input).unwrap_or_default();
    call.name == "Bash"
        && input["command"]
            .as_str()
            .is_some_and(|command| read_only_command(command).is_some())
}

impl Core {
    /// What is recorded of `arguments` put in the place of those `review` asks about, and
    /// their text. `None` when they are the same.
    pub(crate) async fn edit_of(
        &self,
        run: &Run,
        review: &Review,
        arguments: &Map<String, Value>,
    ) -> Result<Option<(Edit, Bytes)>, EditError> {
        let op = waiting_call(run, review)
            .ok_or_else(|| EditError::NotEditable("this one does not wait".to_owned()))?;
        if let Some(why) = why_not(review, &Waiting::of(run, op)) {
            return Err(EditError::NotEditable(why));
        }
        let asked = self
            .store()
            .blob(&op.args)
            .await
            .map_err(|e| EditError::Invalid(e.to_string()))?;
        let asked: Map<String, Value> = serde_json::from_slice(&asked).unwrap_or_default();
        if asked == *arguments {
            return Ok(None);
        }
        let text = Value::Object(arguments.clone()).to_string();
        if secrets::contains_marker(&text) || self.redact(&text) != text {
            let why = "they hold a secret Longhaul knows (or the mark of one it removed)";
            return Err(EditError::Invalid(why.to_owned()));
        }
        let rules = self.rules(run).await;
        let (summary, decision) = judge(run, &rules, op, &text)?;
        not_denied(decision)?;
        let edit = Edit {
            of: op.digest.clone(),
            args: BlobRef::of(text.as_bytes()),
            digest: Digest::of(&op.name, text.as_bytes()),
            summary,
            told: told(&asked, arguments),
        };
        Ok(Some((edit, Bytes::from(text))))
    }
}

/// A person's word stands above a rule that asks for one, never above one that refuses.
fn not_denied(decision: Decision) -> Result<(), EditError> {
    match decision.verdict {
        Verdict::Allow | Verdict::Review => Ok(()),
        Verdict::Deny => Err(EditError::Denied(decision.rule)),
    }
}

/// The call with its new arguments in one line, and what the policy says of it.
fn judge(
    run: &Run,
    rules: &crate::policy::Rules,
    op: &Op,
    input: &str,
) -> Result<(String, Decision), EditError> {
    if run.task.kind.is_native() {
        let tool = Tool::parse(&op.name, input).map_err(|e| EditError::Invalid(e.to_string()))?;
        let decision = rules.decide(&tool);
        return Ok((tool.summary(), decision));
    }
    let value: Value = serde_json::from_str(input).unwrap_or_default();
    let call = agents::ObservedCall {
        call_id: op.call_id.clone().unwrap_or_default(),
        name: op.name.clone(),
        input: input.to_owned(),
        summary: agents::claude_code::summary(&op.name, &value),
        class: op.class,
    };
    let decision = rules.decide_agent_call(&call);
    Ok((call.summary, decision))
}

/// What was changed, in words for the model.
fn told(asked: &Map<String, Value>, edited: &Map<String, Value>) -> String {
    let mut lines =
        vec!["The user changed this call before it ran. It ran with these changes:".to_owned()];
    for (field, value) in edited {
        if asked.get(field) != Some(value) {
            lines.push(format!("- {field}: {}", shortened(value)));
        }
    }
    for field in asked.keys().filter(|field| !edited.contains_key(*field)) {
        lines.push(format!("- {field}: left out"));
    }
    lines.join("\n")
}

fn shortened(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(TOLD) {
        Some((cut, _)) => format!("{}… (shortened)", &text[..cut]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn no_edit_passes_a_rule_that_refuses() {
        let decision = |verdict| Decision {
            verdict,
            rule: "never push".to_owned(),
            rule_id: None,
        };
        assert!(not_denied(decision(Verdict::Allow)).is_ok());
        assert!(not_denied(decision(Verdict::Review)).is_ok());
        let refused = not_denied(decision(Verdict::Deny)).unwrap_err();
        assert!(matches!(&refused, EditError::Denied(rule) if rule == "never push"));
    }

    #[test]
    fn only_what_was_changed_is_told() {
        let asked = object(json!({"command": "make", "timeout_s": 60, "extra": 1}));
        let edited = object(json!({"command": "make -n", "timeout_s": 60}));
        let told = told(&asked, &edited);
        assert!(told.contains("- command: make -n") && told.contains("- extra: left out"));
        assert!(!told.contains("timeout_s"), "{told}");
        let long = object(json!({"content": "é".repeat(3 * TOLD)}));
        assert!(super::told(&Map::new(), &long).len() < 3 * TOLD);
    }
}
