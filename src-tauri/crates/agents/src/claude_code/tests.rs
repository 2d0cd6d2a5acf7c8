//! Recordings of the real program, replayed: each must end in a clear state.
#![allow(clippy::unwrap_used, reason = "tests")]

use domain::{Figure, NanoUsd, OpClass, OpErrorKind, OpOutcome};
use serde_json::{Value, json};

use super::mapper::Mapper;
use crate::driver::{Delta, Turn, TurnError};
use crate::supervised::{Action, Dialect, Phase};

struct Replay {
    mapper: Mapper,
    actions: Vec<Action>,
}

fn replay(recording: &str, resumed: Option<&str>) -> Replay {
    let mut mapper = Mapper::new(resumed.map(str::to_owned));
    let mut actions = Vec::new();
    for line in recording.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["dir"] == "out" {
            actions.extend(mapper.line(line["msg"].to_string().as_bytes()));
        }
    }
    Replay { mapper, actions }
}

impl Replay {
    fn turn(self) -> Result<Turn, TurnError> {
        match self.actions.into_iter().next_back() {
            Some(Action::Finished(turn)) => *turn,
            other => panic!("the turn did not end but with {other:?}"),
        }
    }

    fn error(self) -> TurnError {
        self.turn().unwrap_err()
    }

    /// The actions as words, remarks and deltas left out.
    fn story(&self) -> Vec<String> {
        let told = |action: &Action| match action {
            Action::Session(_) => Some("session".to_owned()),
            Action::Started(call) => Some(format!("started {}", call.name)),
            Action::Ended { outcome, .. } => Some(format!("ended {outcome:?}")),
            Action::Permit { call, .. } => Some(format!("permit {}", call.name)),
            Action::Finished(turn) => Some(format!(
                "finished {}",
                if turn.is_ok() { "ok" } else { "error" }
            )),
            Action::GaveUp(error) => Some(format!("gave up {:?}", error.kind)),
            Action::UnknownSession(_) => Some("unknown session".to_owned()),
            Action::Delta(_) | Action::Note(_) | Action::Used(_) => None,
            other => Some(format!("{other:?}")),
        };
        self.actions.iter().filter_map(told).collect()
    }

    fn notes(&self) -> Vec<&str> {
        let note = |action: &'_ Action| matches!(action, Action::Note(_));
        self.actions
            .iter()
            .filter(|action| note(action))
            .map(|action| {
                if let Action::Note(text) = action {
                    text.as_str()
                } else {
                    ""
                }
            })
            .collect()
    }
}

macro_rules! recording {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/claude/",
            $name,
            ".jsonl"
        ))
    };
}

#[test]
fn a_rate_limit_that_passes_is_shown_and_the_turn_succeeds() {
    let replay = replay(recording!("rl429"), None);
    let retries = replay
        .actions
        .iter()
        .filter(|a| matches!(a, Action::Delta(Delta::Retrying { .. })))
        .count();
    assert_eq!(retries, 2);
    assert_eq!(
        replay.notes().len(),
        1,
        "one remark a series of retries: {:?}",
        replay.notes()
    );
    let turn = replay.turn().unwrap();
    assert_eq!(turn.model, "claude-opus-5-5");
    let charge = turn.charge.unwrap();
    assert_eq!(charge.figure, Figure::Reported);
    assert!(charge.cost.unwrap() > NanoUsd::ZERO);
    assert!(charge.tokens.output > 0);
    assert_eq!(charge.requests, 1);
}

#[test]
fn an_exhausted_rate_limit_is_no_success() {
    let error = replay(recording!("rl429ever"), None).error();
    assert_eq!(error.kind, OpErrorKind::RateLimited);
    assert!(error.message.contains("429"), "{}", error.message);
    assert!(error.partial.is_none(), "nothing was consumed");
}

#[test]
fn a_bad_request_is_one() {
    assert_eq!(
        replay(recording!("err400"), None).error().kind,
        OpErrorKind::BadRequest
    );
}

#[test]
fn a_refused_credential_is_not_tried_for_minutes() {
    let replay = replay(recording!("err401"), None);
    let story = replay.story();
    assert_eq!(story[..2], ["session", "gave up Auth"]);
}

#[test]
fn a_refusal_names_itself_and_what_it_cost() {
    let replay = replay(recording!("refusal"), None);
    assert!(
        replay
            .notes()
            .iter()
            .any(|note| note.contains("safeguards")),
        "{:?}",
        replay.notes()
    );
    let error = replay.error();
    assert_eq!(error.kind, OpErrorKind::Refused);
    assert_eq!(error.partial.unwrap().parts[0].tokens.output, 84);
}

#[test]
fn a_stream_cut_by_an_error_goes_on_without_streaming() {
    let turn = replay(recording!("errmid"), None).turn().unwrap();
    assert!(turn.text.contains("error event in the middle"));
}

#[test]
fn a_connection_that_never_holds_is_an_error_of_the_agent() {
    let error = replay(recording!("dropever"), None).error();
    assert_eq!(error.kind, OpErrorKind::Agent);
    assert!(error.message.contains("ECONNRESET"));
}

#[test]
fn the_agents_own_limit_of_turns_is_said() {
    let error = replay(recording!("maxturns"), None).error();
    assert_eq!(error.kind, OpErrorKind::Agent);
    assert!(
        error.message.contains("limit of turns"),
        "{}",
        error.message
    );
}

#[test]
fn killed_in_a_tool_leaves_the_call_open() {
    let mut replay = replay(recording!("kill9-mid-tool"), None);
    assert_eq!(replay.story(), ["session"], "it is about to ask");
    replay.actions.extend(replay.mapper.release_calls());
    assert_eq!(replay.story(), ["session", "started Bash"], "it did not");
    assert_eq!(
        (replay.mapper.open_calls(), replay.mapper.phase()),
        (1, Phase::Busy)
    );
    let call = replay.actions.iter().find_map(|a| {
        if let Action::Started(call) = a {
            Some(call)
        } else {
            None
        }
    });
    assert_eq!(call.unwrap().class, OpClass::AtMostOnce);
    assert!(call.unwrap().summary.starts_with("echo start-"));
}

#[test]
fn a_pending_permission_has_no_silence_limit() {
    let replay = replay(recording!("kill9-pending-permission"), None);
    assert_eq!(
        replay.story(),
        ["session", "permit Bash"],
        "told when it asks"
    );
    assert_eq!(replay.mapper.phase(), Phase::Busy);
}

#[test]
fn an_interrupt_ends_the_call_and_the_turn() {
    let replay = replay(recording!("sig-INT"), None);
    assert_eq!(
        replay.story(),
        ["session", "started Bash", "ended Error", "finished error"]
    );
    let error = replay.error();
    assert_eq!(error.kind, OpErrorKind::Agent);
    assert!(error.message.contains("aborted_tools"), "{}", error.message);
}

#[test]
fn a_lost_session_is_told_apart_from_a_broken_turn() {
    let id = "221a0175-1732-40b6-9b73-35d7676b4677";
    assert_eq!(
        replay(recording!("resume-unknown"), Some(id)).story(),
        ["unknown session"]
    );
    let other = replay(recording!("resume-unknown"), Some("another-id"));
    assert_eq!(
        other.story(),
        ["finished error"],
        "only an error that names our session is one"
    );
}

/// `total_cost_usd` of a resumed session contains its earlier turns.
#[test]
fn a_resumed_session_is_charged_for_this_turn_only() {
    let usage = json!({"inputTokens": 10, "outputTokens": 5, "cacheCreationInputTokens": 7,
                       "cacheCreationEphemeral1hInputTokens": 3, "costUSD": 0.25});
    let mut result = json!({
        "type": "result", "subtype": "success", "is_error": false, "result": "done", "stop_reason": "end_turn",
        "total_cost_usd": 1.5, "usage": {"input_tokens": 10, "output_tokens": 5},
        "modelUsage": {"m": {"inputTokens": 60, "outputTokens": 30, "costUSD": 1.5}},
        "model_usage_since_last_result": {"m": usage},
    });
    let charged = |result: &Value, resumed: Option<&str>| {
        let mut mapper = Mapper::new(resumed.map(str::to_owned));
        match mapper.line(result.to_string().as_bytes()).pop() {
            Some(Action::Finished(turn)) => turn.unwrap().charge.unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let charge = charged(&result, Some("s"));
    assert_eq!(charge.cost, Some(NanoUsd(250_000_000)));
    assert_eq!(
        (charge.tokens.cache_write, charge.tokens.cache_write_long),
        (4, 3)
    );

    result
        .as_object_mut()
        .unwrap()
        .remove("model_usage_since_last_result");
    let charge = charged(&result, Some("s"));
    assert_eq!(
        (charge.cost, charge.figure),
        (None, Figure::Unpriced),
        "unknown is not guessed"
    );
    assert_eq!(charge.tokens.output, 5);
    assert_eq!(charged(&result, None).cost, Some(NanoUsd(1_500_000_000)));
}

#[test]
fn another_model_never_answers_unnoticed() {
    let mut mapper = Mapper::new(None);
    mapper.line(br#"{"type":"system","subtype":"init","session_id":"s","model":"large"}"#);
    let answer = br#"{"type":"assistant","message":{"id":"m1","model":"small","content":[{"type":"text","text":"hi"}]}}"#;
    let actions = mapper.line(answer);
    let noted = actions
        .iter()
        .any(|a| matches!(a, Action::Note(note) if note == "small answered; large was expected"));
    assert!(noted, "{actions:?}");
}

#[test]
fn a_stream_that_stops_while_a_call_is_open_is_still_silence() {
    let mut mapper = Mapper::new(None);
    mapper
        .line(br#"{"type":"stream_event","event":{"type":"message_start","message":{"id":"m1"}}}"#);
    mapper.line(br#"{"type":"assistant","message":{"id":"m1","model":"m","content":[{"type":"tool_use","id":"t1","name":"Read","input":{}}]}}"#);
    assert_eq!(mapper.phase(), Phase::Expecting);
    mapper.line(br#"{"type":"stream_event","event":{"type":"message_stop"}}"#);
    assert_eq!(mapper.phase(), Phase::Busy);
    let ended = mapper.line(br#"{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t1","content":"x"}]}}"#);
    assert!(matches!(
        ended[..],
        [Action::Ended {
            outcome: OpOutcome::Ok,
            ..
        }]
    ));
    assert_eq!(mapper.phase(), Phase::Expecting);
}

#[test]
fn garbage_is_kept_and_said_once() {
    let mut mapper = Mapper::new(None);
    let lines: [&[u8]; 4] = [
        b"not json",
        b"[1]",
        b"\"text\"",
        b"{\"type\":\"of tomorrow\"}",
    ];
    let actions: Vec<Action> = lines
        .into_iter()
        .flat_map(|line| mapper.line(line))
        .collect();
    assert!(
        matches!(&actions[..], [Action::Note(note)] if note.contains("not json")),
        "{actions:?}"
    );
}
