//! What the protocol's rules ask for, line by line.

use domain::{OpErrorKind, OpOutcome, PlanState};
use serde_json::{Value, json};

use super::{Replay, task};
use crate::acp::mapper::Task;
use crate::acp::protocol::{INITIALIZE, PROMPT, SESSION};
use crate::driver::{Counted, Stop};
use crate::supervised::{Action, Dialect, Phase};

pub(super) fn answer(id: u64, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

pub(super) fn refusal(id: u64, error: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": error})
}

pub(super) fn update(update: Value) -> Value {
    json!({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s1", "update": update}})
}

pub(super) fn chunk(text: &str) -> Value {
    update(
        json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}),
    )
}

pub(super) fn asks(id: Value, call: &str, input: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "session/request_permission", "params": {"sessionId": "s1",
        "toolCall": {"toolCallId": call, "kind": "execute", "title": "a title", "rawInput": input},
        "options": [
            {"optionId": "ever", "kind": "allow_always", "name": "Always"},
            {"optionId": "yes", "kind": "allow_once", "name": "Yes"},
            {"optionId": "no", "kind": "reject_once", "name": "No"}]}})
}

pub(super) fn greeted(task: Task, capabilities: Value) -> Replay {
    let mut replay = Replay::new(task);
    replay.hear(&answer(
        INITIALIZE,
        json!({"protocolVersion": 1, "agentCapabilities": capabilities,
            "authMethods": [{"id": "login", "name": "Log in"}, {"id": "use-api-key", "name": "A key"}]}),
    ));
    replay
}

/// In its turn.
pub(super) fn begun() -> Replay {
    let mut replay = greeted(task(None), json!({}));
    replay.hear(&answer(SESSION, json!({"sessionId": "s1"})));
    replay.actions.clear();
    replay
}

pub(super) fn sent(replay: &Replay) -> Vec<Value> {
    let sent = replay.actions.iter().filter_map(|action| match action {
        Action::Send(line) => Some(serde_json::from_slice(line).unwrap()),
        _ => None,
    });
    sent.collect()
}

pub(super) fn says(line: &[u8]) -> Value {
    serde_json::from_slice(line).unwrap()
}

#[test]
fn a_permission_is_for_once_and_a_refusal_is_one_of_the_options() {
    let mut replay = begun();
    replay.hear(&asks(json!("q1"), "c1", json!({"command": "make"})));
    let Some(Action::Permit {
        request_id,
        call,
        input,
    }) = replay.actions.last()
    else {
        panic!("{}", replay.story());
    };
    assert_eq!(
        (request_id.as_str(), call.summary.as_str()),
        ("\"q1\"", "make")
    );
    assert_eq!(input["command"], "make");
    let allowed = says(&replay.mapper.allow("\"q1\"", &Value::Null));
    assert_eq!(allowed["id"], "q1");
    assert_eq!(
        allowed["result"]["outcome"],
        json!({"outcome": "selected", "optionId": "yes"})
    );
    let denied = says(&replay.mapper.deny("\"q1\"", "no"));
    assert_eq!(denied["result"]["outcome"]["optionId"], "no");
    assert_eq!(replay.mapper.phase(), Phase::Busy);

    // For good is not what anybody decided.
    let mut ever = asks(json!(7), "c2", json!({"command": "make"}));
    ever["params"]["options"].as_array_mut().unwrap().remove(1);
    replay.hear(&ever);
    assert!(matches!(replay.actions.last(), Some(Action::Deny { .. })));
}

#[test]
fn an_interrupt_withdraws_what_is_asked() {
    let mut replay = begun();
    replay.hear(&asks(json!(3), "c1", json!({"command": "make"})));
    let said = String::from_utf8(replay.mapper.interrupt()).unwrap();
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["method"], "session/cancel");
    assert_eq!(
        (&lines[1]["id"], &lines[1]["result"]["outcome"]["outcome"]),
        (&json!(3), &json!("cancelled"))
    );
    replay.hear(&answer(PROMPT, json!({"stopReason": "cancelled"})));
    assert_eq!(
        replay.end().as_ref().unwrap_err().kind,
        OpErrorKind::Cancelled
    );
}

#[test]
fn only_what_was_told_is_taken_for_the_command() {
    let mut replay = begun();
    replay.hear(&asks(json!(1), "c1", json!({})));
    let Some(Action::Permit { call, .. }) = replay.actions.last() else {
        panic!()
    };
    let input: Value = serde_json::from_str(&call.input).unwrap();
    assert!(input.get("command").is_none(), "{input}");
    assert_eq!(call.summary, "a title");
    // A tool that is no shell may call anything a command, and a path.
    let mut other = asks(json!(2), "c2", json!({"command": "drop", "path": "/"}));
    other["params"]["toolCall"]["kind"] = json!("other");
    replay.hear(&other);
    let Some(Action::Permit { call, .. }) = replay.actions.last() else {
        panic!()
    };
    let input: Value = serde_json::from_str(&call.input).unwrap();
    assert!(
        input.get("command").is_none() && input.get("path").is_none(),
        "{input}"
    );
    assert_eq!(input["arguments"]["command"], "drop");
}

#[test]
fn calls_are_put_together_from_what_is_told_of_them() {
    let mut replay = begun();
    let told = |mut what: Value| {
        what["sessionUpdate"] = json!("tool_call_update");
        update(what)
    };
    // Known first by an update, as some tell it.
    replay.hear(&told(
        json!({"toolCallId": "c1", "title": "write", "kind": "edit", "rawInput": {}}),
    ));
    replay.hear(&told(
        json!({"toolCallId": "c1", "title": "a.txt", "content": [
        {"type": "diff", "path": "/w/a.txt", "oldText": "one\n", "newText": "two\n"}]}),
    ));
    assert!(replay.mapper.is_about_to_ask());
    replay.hear(&told(
        json!({"toolCallId": "c1", "status": "completed", "rawOutput": {"output": "Wrote it."}}),
    ));
    let [
        ..,
        Action::Started(call),
        Action::Ended {
            outcome, result, ..
        },
    ] = &replay.actions[..]
    else {
        panic!("{}", replay.story());
    };
    assert_eq!(
        (call.name.as_str(), call.summary.as_str()),
        ("write", "/w/a.txt")
    );
    assert!(
        call.input.contains("-one") && call.input.contains("+two"),
        "{}",
        call.input
    );
    assert_eq!((*outcome, result.as_str()), (OpOutcome::Ok, "Wrote it."));
    // A small server's model calls its next call by the same id.
    replay.hear(&asks(json!(9), "c1", json!({"command": "make"})));
    assert!(
        matches!(replay.actions.last(), Some(Action::Permit { call, .. }) if call.call_id == "c1#2"),
        "{}",
        replay.story()
    );
    replay.mapper.answered("9");
    replay.hear(&told(json!({"toolCallId": "c1", "status": "completed"})));
    assert!(
        matches!(replay.actions.last(), Some(Action::Ended { call_id, .. }) if call_id == "c1#2")
    );
    // Over is over.
    let before = replay.actions.len();
    replay.hear(&told(json!({"toolCallId": "c1", "status": "completed"})));
    replay.hear(&told(json!({"toolCallId": "c1", "title": "again"})));
    assert_eq!(
        (replay.actions.len(), replay.mapper.open_calls()),
        (before, 0)
    );
    // A status of 3 is no success, whatever it is called.
    replay.hear(&told(
        json!({"toolCallId": "c2", "status": "completed", "rawOutput": {"metadata": {"exit": 3}}}),
    ));
    assert!(matches!(
        replay.actions.last(),
        Some(Action::Ended {
            outcome: OpOutcome::Error,
            ..
        })
    ));
}

#[test]
fn reasons_to_stop_are_what_they_are() {
    let ended = |reason: &str| {
        let mut replay = begun();
        replay.hear(&chunk("Hello"));
        replay.hear(&answer(PROMPT, json!({"stopReason": reason})));
        replay
    };
    for (reason, stop) in [
        ("end_turn", Stop::EndTurn),
        ("max_tokens", Stop::MaxTokens),
        ("refusal", Stop::Refusal(None)),
    ] {
        assert_eq!(ended(reason).end().as_ref().unwrap().stop, stop);
    }
    for reason in ["max_turn_requests", "cancelled"] {
        let replay = ended(reason);
        assert_eq!(replay.end().as_ref().unwrap_err().kind, OpErrorKind::Agent);
    }
    let mut silent = begun();
    silent.hear(&answer(PROMPT, json!({"stopReason": "end_turn"})));
    let error = silent.end().as_ref().unwrap_err();
    assert!(
        error.message.contains("without having said"),
        "{}",
        error.message
    );
}

#[test]
fn errors_have_their_real_cause() {
    for (error, kind) in [
        (
            json!({"code": -32603, "message": "Internal error: API Error (429)", "data": {"errorKind": "rate_limit"}}),
            OpErrorKind::RateLimited,
        ),
        (
            json!({"code": 429, "message": "Too many\nSuggested retry after 3600s."}),
            OpErrorKind::RateLimited,
        ),
        (
            json!({"code": -32603, "message": "Internal error: API Error: 529 Overloaded"}),
            OpErrorKind::Overloaded,
        ),
        (
            json!({"code": -32603, "message": "Internal error: Rate limit reached"}),
            OpErrorKind::RateLimited,
        ),
        (json!({"code": 401, "message": "no"}), OpErrorKind::Auth),
        (
            json!({"code": -32603, "message": "Internal error", "data": {"details": "API key not valid."}}),
            OpErrorKind::Auth,
        ),
        (
            json!({"code": 400, "message": "no"}),
            OpErrorKind::BadRequest,
        ),
        (
            json!({"code": -32603, "message": "it broke at line 4290"}),
            OpErrorKind::Agent,
        ),
    ] {
        let mut replay = begun();
        replay.hear(&refusal(PROMPT, error.clone()));
        let found = replay.end().as_ref().unwrap_err();
        assert_eq!(found.kind, kind, "{error}");
        if error["code"] == 429 {
            assert_eq!(found.retry_after_ms, Some(3_600_000));
        }
    }
}

#[test]
fn a_cost_is_this_turns_or_an_estimate() {
    let used = update(
        json!({"sessionUpdate": "usage_update", "used": 7000, "cost": {"amount": 0.25, "currency": "USD"}}),
    );
    let ended = |mut replay: Replay| {
        replay.hear(&chunk("Hello"));
        replay.hear(&used);
        replay.hear(&answer(
            PROMPT,
            json!({"stopReason": "end_turn", "usage": {"inputTokens": 10, "outputTokens": 2}}),
        ));
        replay.end().clone().unwrap().usage.unwrap()
    };
    let fresh = ended(begun());
    assert_eq!(
        (fresh.counted, fresh.cost.map(|cost| cost.0)),
        (Counted::Reported, Some(250_000_000))
    );
    // The session's sum has earlier turns in it.
    let mut resumed = greeted(task(Some("s1")), json!({"loadSession": true}));
    resumed.hear(&answer(SESSION, Value::Null));
    resumed.hear(&Value::Null);
    let resumed = ended(resumed);
    assert_eq!((resumed.counted, resumed.cost), (Counted::Estimated, None));
    // Nothing said is not nothing: a call of which nothing is known.
    let mut mute = begun();
    mute.hear(&chunk("Hello"));
    mute.hear(&answer(PROMPT, json!({"stopReason": "end_turn"})));
    let usage = mute.end().clone().unwrap().usage.unwrap();
    assert_eq!((usage.parts.len(), usage.parts[0].model.as_str()), (1, ""));
    // Killed, it may be billed for what it had begun.
    let mut killed = begun();
    killed.hear(&chunk("Hello"));
    let usage = killed.mapper.consumed().unwrap();
    assert!(usage.parts[0].tokens.input > 0);
}

#[test]
fn a_plan_is_told_when_it_changes() {
    let mut replay = begun();
    let plan = update(json!({"sessionUpdate": "plan", "entries": [
        {"content": "Write", "status": "completed"}, {"content": "Test", "status": "in_progress"}]}));
    replay.hear(&plan);
    replay.hear(&plan);
    let plans: Vec<_> = replay
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Plan(items) => Some(items),
            _ => None,
        })
        .collect();
    assert_eq!(plans.len(), 1);
    assert_eq!(plans[0][1].state, PlanState::Active);
}

#[test]
fn what_is_new_or_nonsense_breaks_nothing() {
    let mut replay = begun();
    replay.hear(&update(
        json!({"sessionUpdate": "weather_update", "sunny": true}),
    ));
    replay.hear(&json!({"jsonrpc": "2.0", "method": "_vendor/thing", "params": {}}));
    replay.hear(&update(json!({"sessionUpdate": "tool_call_update"})));
    assert!(
        replay
            .actions
            .iter()
            .all(|a| matches!(a, Action::Session(_))),
        "{}",
        replay.story()
    );
    replay.hear(&json!({"jsonrpc": "2.0", "id": 4, "method": "fs/read_text_file", "params": {"path": "/etc/passwd"}}));
    assert!(
        matches!(replay.actions.last(), Some(Action::Unsupported { what, .. }) if what == "fs/read_text_file")
    );
    for nonsense in ["", "[]", "log: hello", "{\"id\":\"x\"}", "\u{0}"] {
        replay
            .actions
            .extend(replay.mapper.line(nonsense.as_bytes()));
    }
    let notes = replay
        .actions
        .iter()
        .filter(|a| matches!(a, Action::Note(_)));
    assert_eq!(notes.count(), 1, "told once");
    // Another session's words are not this one's.
    let mut other = chunk("not mine");
    other["params"]["sessionId"] = json!("s2");
    let before = replay.actions.len();
    replay.hear(&other);
    assert_eq!(replay.actions.len(), before);
}

#[test]
fn too_much_of_anything_ends_the_turn() {
    let mut replay = begun();
    for n in 0..1001 {
        replay.hear(&update(
            json!({"sessionUpdate": "tool_call", "toolCallId": format!("c{n}"), "kind": "execute"}),
        ));
    }
    assert!(matches!(replay.actions.last(), Some(Action::GaveUp(_))));
    let mut replay = begun();
    let large = "x".repeat(4_000_000);
    for n in 0..17 {
        replay.hear(&update(json!({"sessionUpdate": "tool_call", "toolCallId": format!("c{n}"), "rawInput": {"text": large}})));
    }
    assert!(matches!(replay.actions.last(), Some(Action::GaveUp(_))));
    let mut replay = begun();
    for _ in 0..10_000 {
        replay.actions.extend(replay.mapper.line(b"yes"));
    }
    assert!(matches!(replay.actions.last(), Some(Action::GaveUp(_))));
    let long_id = "c".repeat(1_000_000);
    let mut replay = begun();
    replay.hear(&asks(json!(1), &long_id, json!({"command": "make"})));
    assert!(
        matches!(replay.actions.last(), Some(Action::Permit { call, .. }) if call.call_id.len() < 100)
    );
    let mut replay = begun();
    for _ in 0..5 {
        replay.hear(&chunk(&large));
    }
    replay.hear(&answer(PROMPT, json!({"stopReason": "end_turn"})));
    assert!(replay.end().as_ref().unwrap().text.len() <= 1024 * 1024);
}
