//! Recordings of the real program, replayed: each turn must end in a clear state.
#![allow(clippy::unwrap_used, reason = "tests")]

use domain::{OpErrorKind, OpOutcome};
use serde_json::{Value, json};

use super::mapper::{Mapper, Task};
use super::protocol::{CLEAN, INITIALIZE, INTERRUPT, THREAD, TURN, survey};
use super::tally::Tally;
use crate::driver::{Delta, Turn, TurnError};
use crate::supervised::child::Survey;
use crate::supervised::{Action, Dialect, Phase};

const TURNS: &str = include_str!("../../tests/fixtures/codex/turns.jsonl");
const INTERRUPTED: &str = include_str!("../../tests/fixtures/codex/interrupted.jsonl");

fn task(thread: Option<&str>) -> Task {
    Task {
        cwd: "/sample/work/xas".to_owned(),
        model: "gpt-5.5".to_owned(),
        system: "Be brief.".to_owned(),
        prompt: "Do it.".to_owned(),
        thread: thread.map(str::to_owned),
        sandbox: "workspace-write",
    }
}

/// What the program said in its `n`-th turn, as if that had been its process's only one:
/// a recording has several, and numbers its requests through.
fn turn(recording: &str, n: usize) -> Vec<Value> {
    let mut lines = Vec::new();
    let mut ids: Vec<(u64, u64)> = Vec::new();
    let mut turns = 0;
    for line in recording.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let mut message = line["msg"].clone();
        if line["dir"] == "in" {
            let ours = match message["method"].as_str() {
                Some("initialize") => INITIALIZE,
                Some("thread/start") => THREAD,
                Some("turn/start") => {
                    turns += 1;
                    TURN
                }
                Some("turn/interrupt") => INTERRUPT,
                Some("thread/backgroundTerminals/clean") => CLEAN,
                _ => continue,
            };
            ids.push((message["id"].as_u64().unwrap(), ours));
        } else if line["dir"] == "out" && (turns == 0 || turns == n) {
            if message.get("method").is_none() {
                let theirs = message["id"].as_u64().unwrap();
                let Some((_, ours)) = ids.iter().find(|(id, _)| *id == theirs) else {
                    continue;
                };
                message["id"] = json!(ours);
            }
            lines.push(message);
        }
    }
    lines
}

struct Replay {
    mapper: Mapper,
    actions: Vec<Action>,
}

fn replay(lines: &[Value]) -> Replay {
    let mut replay = Replay {
        mapper: Mapper::new(task(None)),
        actions: Vec::new(),
    };
    lines.iter().for_each(|line| replay.hear(line));
    replay
}

impl Replay {
    fn hear(&mut self, line: &Value) {
        self.actions
            .extend(self.mapper.line(line.to_string().as_bytes()));
    }

    fn end(&self) -> &Result<Turn, TurnError> {
        match self
            .actions
            .iter()
            .rfind(|a| matches!(a, Action::Finished(_)))
        {
            Some(Action::Finished(turn)) => turn,
            _ => panic!("the turn did not end: {:?}", self.story()),
        }
    }

    /// The actions as words, remarks, deltas and counts left out.
    fn story(&self) -> Vec<String> {
        let told = |action: &Action| match action {
            Action::Session(_) => Some("session".to_owned()),
            Action::Send(line) => {
                let last = String::from_utf8_lossy(line);
                let last: Value = serde_json::from_str(last.lines().last()?).ok()?;
                Some(format!("send {}", last["method"].as_str()?))
            }
            Action::Started(call) => Some(format!("started {}", call.name)),
            Action::Ended { outcome, .. } => Some(format!("ended {outcome:?}")),
            Action::Permit { call, .. } => Some(format!("permit {} {}", call.name, call.summary)),
            Action::Finished(turn) => Some(match &**turn {
                Ok(_) => "finished".to_owned(),
                Err(error) => format!("failed {:?}", error.kind),
            }),
            Action::GaveUp(error) => Some(format!("gave up {:?}", error.kind)),
            Action::UnknownSession(_) => Some("unknown session".to_owned()),
            Action::Delta(_) | Action::Note(_) | Action::Used(_) => None,
            other => Some(format!("{other:?}")),
        };
        self.actions.iter().filter_map(told).collect()
    }

    fn notes(&self) -> Vec<&str> {
        let notes = self.actions.iter().filter_map(|action| match action {
            Action::Note(text) => Some(text.as_str()),
            _ => None,
        });
        notes.collect()
    }
}

const BEGINNING: [&str; 3] = ["send thread/start", "session", "send turn/start"];

fn story(replay: &Replay) -> Vec<String> {
    let story = replay.story();
    assert_eq!(story[..3], BEGINNING);
    story[3..].to_vec()
}

#[test]
fn a_turn_that_writes_a_file_is_told_and_counted() {
    let replay = replay(&turn(TURNS, 1));
    // It wrote inside of its own sandbox, which is not asked about there.
    assert_eq!(
        story(&replay),
        ["started apply_patch", "ended Ok", "finished"]
    );
    let turn = replay.end().as_ref().unwrap();
    assert_eq!(turn.text, "All done (mock final answer).");
    assert_eq!(turn.model, "gpt-5.5");
    let usage = turn.usage.as_ref().unwrap();
    let counted: Vec<_> = usage
        .parts
        .iter()
        .map(|p| (p.tokens.input, p.tokens.cache_read, p.tokens.output))
        .collect();
    assert_eq!(counted, [(1_200, 5_000, 42), (1_500, 6_000, 17)]);
    assert!(
        replay
            .actions
            .iter()
            .any(|a| matches!(a, Action::Delta(Delta::Thinking(_))))
    );
    assert!(
        replay
            .actions
            .iter()
            .any(|a| matches!(a, Action::Delta(Delta::Text(_))))
    );
}

#[test]
fn a_command_is_asked_about_with_the_shell_around_it_left_out() {
    let replay = replay(&turn(TURNS, 2));
    let asked = "permit shell touch /sample/work/escalated.txt";
    assert_eq!(story(&replay), [asked, "ended Ok", "finished"]);
    assert_eq!(replay.mapper.open_calls(), 0);
}

#[test]
fn changes_and_commands_of_an_untrusted_turn_are_all_asked_about() {
    let replay = replay(&turn(TURNS, 3));
    let file = "permit apply_patch /sample/work/xas/hello.txt";
    let told = [
        file,
        "ended Ok",
        "permit shell cat hello.txt",
        "ended Ok",
        file,
        "ended Ok",
        "finished",
    ];
    assert_eq!(story(&replay), told);
    // Its thread had earlier turns, which are not this one's.
    let usage = replay.end().as_ref().unwrap().usage.as_ref().unwrap();
    let read: u64 = usage.parts.iter().map(|part| part.tokens.prompt()).sum();
    assert_eq!(read, 53_500 - 27_400);
}

#[test]
fn an_interrupted_turn_ends_what_it_left_running_before_it_is_over() {
    let lines = turn(INTERRUPTED, 1);
    let interrupt = lines
        .iter()
        .position(|line| line["id"] == INTERRUPT)
        .unwrap();
    let mut replay = replay(&lines[..interrupt]);
    assert_eq!(replay.mapper.phase(), Phase::Busy, "its command runs");
    // As the supervision does when no question came for it.
    let begun = replay.mapper.release_calls();
    assert!(matches!(&begun[..], [Action::Started(call)] if call.name == "shell"));
    assert!(!replay.mapper.is_between());
    let said = replay.mapper.interrupt();
    assert!(String::from_utf8(said).unwrap().contains("turn/interrupt"));
    lines[interrupt..].iter().for_each(|line| replay.hear(line));
    let error = replay.end().as_ref().unwrap_err();
    assert_eq!(error.kind, OpErrorKind::Cancelled);
    assert!(error.partial.is_some(), "one answer was counted");
    let story = story(&replay);
    let clean = story
        .iter()
        .position(|told| told == "send thread/backgroundTerminals/clean");
    let over = story.iter().position(|told| told.starts_with("failed"));
    assert!(clean.unwrap() < over.unwrap(), "{story:?}");
}

#[test]
fn a_thread_that_is_gone_is_said_to_be() {
    let mut mapper = Mapper::new(task(Some("01a1fbd7")));
    let line = json!({"id": THREAD, "error": {"code": -32600, "message": "no rollout found for thread id 01a1fbd7"}});
    let actions = mapper.line(line.to_string().as_bytes());
    assert!(
        matches!(actions[..], [Action::UnknownSession(_)]),
        "{actions:?}"
    );
    // Any other refusal is an error, never a new session behind the user's back.
    let line =
        json!({"id": THREAD, "error": {"code": -32600, "message": "config.toml: bad value"}});
    let actions = mapper.line(line.to_string().as_bytes());
    assert!(
        matches!(&actions[..], [Action::Finished(end)] if end.is_err()),
        "{actions:?}"
    );
}

fn begun() -> Replay {
    let mut lines = turn(TURNS, 1);
    let started = lines
        .iter()
        .position(|line| line["method"] == "turn/started")
        .unwrap();
    lines.truncate(started + 1);
    replay(&lines)
}

fn error(info: &Value, will_retry: bool) -> Value {
    json!({"method": "error", "params": {"willRetry": will_retry, "error": {
        "message": "Reconnecting... 1/3", "codexErrorInfo": info}}})
}

fn failed(info: &Value) -> Value {
    json!({"method": "turn/completed", "params": {"turn": {"status": "failed",
        "error": {"message": "it went wrong", "codexErrorInfo": info}}}})
}

#[test]
fn failed_turns_have_their_real_cause() {
    let status = |status: u64| json!({"responseTooManyFailedAttempts": {"httpStatusCode": status}});
    for (info, kind) in [
        (json!("unauthorized"), OpErrorKind::Auth),
        (json!("usageLimitExceeded"), OpErrorKind::RateLimited),
        (json!("contextWindowExceeded"), OpErrorKind::BadRequest),
        (json!("cyberPolicy"), OpErrorKind::Refused),
        (json!("serverOverloaded"), OpErrorKind::Overloaded),
        (status(401), OpErrorKind::Auth),
        (status(402), OpErrorKind::SpendLimit),
        (status(429), OpErrorKind::RateLimited),
        (status(529), OpErrorKind::Overloaded),
        (status(500), OpErrorKind::Server),
        (status(400), OpErrorKind::BadRequest),
        (
            json!({"responseStreamDisconnected": {"httpStatusCode": null}}),
            OpErrorKind::Cut,
        ),
        (
            json!({"httpConnectionFailed": {"httpStatusCode": null}}),
            OpErrorKind::Offline,
        ),
        (json!("somethingNew"), OpErrorKind::Agent),
        (Value::Null, OpErrorKind::Agent),
    ] {
        let mut replay = begun();
        replay.hear(&failed(&info));
        let error = replay.end().as_ref().unwrap_err();
        assert_eq!(error.kind, kind, "{info}");
        assert!(error.message.contains("it went wrong"), "{}", error.message);
    }
}

#[test]
fn retries_are_shown_once_a_series_and_a_lost_network_is_waited_for() {
    let mut replay = begun();
    let limited = json!({"responseStreamDisconnected": {"httpStatusCode": 429}});
    replay.hear(&error(&limited, true));
    replay.hear(&error(&limited, true));
    assert_eq!(replay.notes().len(), 1, "{:?}", replay.notes());
    assert_eq!(replay.mapper.phase(), Phase::Retrying(0));
    replay.hear(&error(
        &json!({"responseStreamDisconnected": {"httpStatusCode": null}}),
        true,
    ));
    assert!(matches!(replay.mapper.phase(), Phase::Retrying(wait) if wait > 60_000));
    assert!(replay.mapper.is_between(), "it can be paused meanwhile");
}

#[test]
fn a_refused_credential_is_not_tried_for_minutes() {
    let mut replay = begun();
    let refused = json!({"responseStreamConnectionFailed": {"httpStatusCode": 401}});
    replay.hear(&error(&refused, true));
    assert!(
        !replay
            .story()
            .iter()
            .any(|told| told.starts_with("gave up"))
    );
    replay.hear(&error(&refused, true));
    assert_eq!(replay.story().last().unwrap(), "gave up Auth");
}

#[test]
fn another_model_does_not_answer_unseen() {
    let mut replay = begun();
    replay.hear(&json!({"method": "model/rerouted", "params": {
        "fromModel": "gpt-5.5", "toModel": "gpt-5.5-mini", "reason": "highRiskCyberActivity"}}));
    assert!(replay.notes()[0].contains("gpt-5.5-mini answers instead of gpt-5.5"));
}

#[test]
fn what_is_new_or_nonsense_breaks_nothing() {
    let mut replay = begun();
    replay.hear(&json!({"method": "thread/weather", "params": {"sunny": true}}));
    replay.hear(
        &json!({"id": 7, "method": "item/tool/requestUserInput", "params": {"questions": []}}),
    );
    let unsupported = replay.story();
    assert!(
        unsupported.last().unwrap().contains("requestUserInput"),
        "{unsupported:?}"
    );
    for nonsense in ["", "[]", "log: hello", "{\"id\":\"x\"}", "\u{0}"] {
        replay
            .actions
            .extend(replay.mapper.line(nonsense.as_bytes()));
    }
    assert_eq!(replay.notes().len(), 1, "told once: {:?}", replay.notes());
    // The same call, asked about twice, is one call with two questions.
    let asks = |id: u64| {
        json!({"id": id, "method": "item/commandExecution/requestApproval",
        "params": {"itemId": "c1", "command": "/bin/sh -c 'make'", "cwd": "/sample"}})
    };
    replay.hear(&asks(8));
    replay.hear(&asks(9));
    assert_eq!(replay.mapper.open_calls(), 1);
    // Asked again with another command, it is about that one.
    let mut other = asks(10);
    other["params"]["command"] = json!("/bin/sh -c 'make install'");
    replay.hear(&other);
    assert_eq!(replay.story().last().unwrap(), "permit shell make install");
    replay.mapper.answered("10");
    replay.mapper.answered("8");
    assert_eq!(replay.mapper.phase(), Phase::Busy);
}

#[test]
fn a_refusal_tells_the_model_why() {
    let replay = begun();
    let said = String::from_utf8(replay.mapper.deny("\"q1\"", "not on main")).unwrap();
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines[0],
        json!({"id": "q1", "result": {"decision": "decline"}})
    );
    assert_eq!(lines[1]["method"], "turn/steer");
    assert!(
        lines[1]["params"]["input"][0]["text"]
            .as_str()
            .unwrap()
            .contains("not on main")
    );
}

#[test]
fn an_earlier_daemons_process_is_known_by_what_it_said() {
    let mut seen = Survey::default();
    for line in turn(TURNS, 3) {
        survey(&mut seen, line.to_string().as_bytes());
    }
    assert!(seen.begun);
    assert!(seen.settled.contains("call_k7mwi74rck9enh5m"));
    assert!(seen.withdrawn.contains("2"));
    let mut unheard = Survey::default();
    for line in turn(TURNS, 3).iter().take(3) {
        survey(&mut unheard, line.to_string().as_bytes());
    }
    assert!(!unheard.begun, "its thread is there, its turn is not");
}

#[test]
fn a_killed_turn_may_be_billed_for_the_answer_under_way() {
    let mut tally = Tally::default();
    let lines = turn(TURNS, 1);
    let counted = lines
        .iter()
        .position(|line| line["method"] == "thread/tokenUsage/updated")
        .unwrap();
    for line in &lines[..=counted] {
        tally.line(&super::protocol::Line::parse(line.to_string().as_bytes()));
    }
    assert_eq!(tally.so_far().unwrap().parts.len(), 1);
    let at_an_end = tally.at_an_end().unwrap();
    assert_eq!(at_an_end.parts.len(), 2);
    assert_eq!(at_an_end.parts[1].tokens.input, 6_242);
}

#[test]
fn how_calls_ended_is_told_as_it_was() {
    let ended = |item: Value| super::calls::ended(&item);
    let command = |status: &str, code: Value, said: &str| {
        ended(
            json!({"type": "commandExecution", "status": status, "exitCode": code, "aggregatedOutput": said}),
        )
    };
    assert_eq!(
        command("completed", json!(0), "ok"),
        (OpOutcome::Ok, "ok".to_owned())
    );
    assert_eq!(command("failed", json!(2), "no").0, OpOutcome::Error);
    assert!(
        command("failed", json!(2), "no")
            .1
            .ends_with("[exit code 2]")
    );
    assert_eq!(
        command("declined", Value::Null, ""),
        (OpOutcome::Error, "it was declined".to_owned())
    );
}
