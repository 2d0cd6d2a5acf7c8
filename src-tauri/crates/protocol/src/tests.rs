mod bindings;

use std::collections::BTreeSet;

use domain::{Entry, Event, QueueReason, Timestamp};
use serde_json::{Value, json};

use crate::endpoints::NAMES;
use crate::{ApiError, ErrorBody, ErrorCode, KeyText, LogEntry, Moment, RunView};

/// A run as a daemon would describe it.
fn view() -> Value {
    json!({
        "id": "01990000-0000-7000-8000-000000000001", "state": "waiting", "cause": "review",
        "causes": ["review"], "detail": null, "until": null, "backend": "main",
        "kind": "anthropic", "model": "m", "answered_by": ["m"], "project": "/p", "title": "t",
        "prompt": "t", "verify": null, "policy": "balanced", "fallback": [], "after": null, "fork": null,
        "priority": 0,
        "workspace": {"kind": "clone", "path": "/w", "branch": "b", "base": null, "left_out": 0, "discarded": false},
        "progress": {"done": 0, "total": 1, "now": null, "plan": [{"text": "x", "state": "pending"}]},
        "steps": 1, "attempts": 1, "tests_changed": [],
        "ops": [{"id": 1, "step": 1, "kind": "tool", "name": "shell", "summary": "ls", "class": "at-most-once",
            "mode": "gated", "state": "in_doubt", "outcome": null, "started_at": null, "ended_at": null,
            "tokens": null, "cost_usd": null}],
        "usage": {"input": 1, "output": 2, "cache_read": 3, "cache_write": 4, "requests": 1},
        "cost_usd": "0.0105", "unsettled_cost_usd": "0", "unpriced_requests": 0,
        "budget": {"max_cost_usd": "5", "max_tokens": 1, "max_tool_calls": null, "max_duration_s": 60,
            "used_cost_usd": "0.0105", "used_tokens": 7, "used_tool_calls": 1, "used_duration_s": 3},
        "checkpoints": [{"id": "cp1", "step": 1, "at": "2026-11-21T04:17:02.000Z", "undone": false}],
        "reviews": [{"id": "01990000-0000-7000-8000-000000000002", "run": "01990000-0000-7000-8000-000000000001",
            "run_title": "t", "run_project": "/p", "run_state": "waiting", "run_cost_usd": "0.0105", "op": 1, "kind": "in_doubt", "state": "open", "title": "?", "why": "w", "detail": "ls",
            "choices": [{"id": "happened", "label": "It happened", "effect": "e"}],
            "requested_at": "2026-11-21T04:17:02.000Z", "snoozed_until": null, "answer": null,
            "effective_at": null, "ended_at": null, "withdrawn": null, "low_risk": false, "always": false, "editable": false,
            "arguments": null}],
        "result": null, "partial_result": null, "recovery": null,
        "created_at": "2026-11-21T04:17:02.000Z", "started_at": null, "ended_at": null,
        "updated_at": "2026-11-21T04:17:02.000Z", "simulated": false
    })
}

#[test]
fn a_run_reads_back_as_it_was_written() {
    let run: RunView = serde_json::from_value(view()).expect("it is a run");
    assert_eq!(
        serde_json::to_value(&run).expect("it has string keys"),
        view()
    );
}

#[test]
fn a_run_has_every_field_the_design_names() {
    let run: RunView = serde_json::from_value(view()).expect("it is a run");
    let value = serde_json::to_value(&run).expect("it has string keys");
    let fields = |value: &Value, names: &str| {
        for name in names.split(' ') {
            assert!(value.get(name).is_some(), "no field '{name}' in {value}");
        }
    };
    fields(
        &value,
        "id state cause causes backend kind model project workspace progress steps ops usage \
         cost_usd unsettled_cost_usd budget checkpoints reviews result partial_result recovery",
    );
    fields(&value["workspace"], "kind path branch");
    fields(
        &value["ops"][0],
        "id step kind name class mode state started_at ended_at tokens cost_usd",
    );
    fields(
        &value["usage"],
        "input output cache_read cache_write requests",
    );
    fields(&value["checkpoints"][0], "id step at");
    fields(&value["reviews"][0], "id kind choices");
    fields(&value["reviews"][0]["choices"][0], "id label effect");
}

#[test]
fn money_is_written_as_a_decimal_string() {
    let run: RunView = serde_json::from_value(view()).expect("it is a run");
    assert_eq!(run.cost_usd, domain::NanoUsd(10_500_000));
}

#[test]
fn every_endpoint_has_its_own_name() {
    assert_eq!(NAMES.len(), NAMES.iter().collect::<BTreeSet<_>>().len());
}

#[test]
fn exit_codes_are_those_of_the_design() {
    let of = |code: ErrorCode| code.exit_code();
    assert_eq!(of(ErrorCode::Usage), 2);
    assert_eq!(of(ErrorCode::Ambiguous), 2);
    assert_eq!(of(ErrorCode::Unreachable), 4);
    assert_eq!(of(ErrorCode::Refused), 5);
    assert_eq!(of(ErrorCode::NotFound), 6);
    assert_eq!(of(ErrorCode::Timeout), 7);
    assert!(ErrorCode::ALL.iter().all(|code| of(*code) != 0));
}

#[test]
fn an_error_is_one_document() {
    let body = ErrorBody {
        error: ApiError::not_found("no run 'x'", "see `longhaul runs`"),
    };
    assert_eq!(
        serde_json::to_value(body).expect("it has string keys"),
        json!({"error": {"code": "not_found", "message": "no run 'x'", "hint": "see `longhaul runs`"}})
    );
}

#[test]
fn a_journal_entry_keeps_its_event_and_shows_its_time() {
    let entry = Entry {
        seq: 2,
        at: Timestamp(0),
        event: Event::Queued {
            reason: QueueReason::New,
        },
    };
    let shown = LogEntry {
        seq: entry.seq,
        at: entry.at.into(),
        text: None,
        cut: false,
        event: entry.event,
    };
    let value = serde_json::to_value(&shown).expect("it has string keys");
    assert_eq!(value["at"], "1970-01-01T00:00:00.000Z");
    assert_eq!(value["event"]["kind"], "queued");
    assert_eq!(
        serde_json::from_value::<LogEntry>(value).expect("it is an entry"),
        shown
    );
}

#[test]
fn moments_are_exact_to_the_millisecond() {
    let moment = Moment(Timestamp(1_795_234_622_007));
    let text = serde_json::to_string(&moment).expect("a string");
    assert_eq!(
        serde_json::from_str::<Moment>(&text).expect("a moment"),
        moment
    );
}

#[test]
fn a_key_is_never_shown() {
    assert!(!format!("{:?}", KeyText("test-key-not-real".into())).contains("not-real"));
}
