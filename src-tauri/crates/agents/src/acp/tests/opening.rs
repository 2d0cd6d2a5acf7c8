//! How a session is come by.

use domain::OpErrorKind;
use serde_json::{Value, json};

use super::rules::{answer, begun, chunk, greeted, refusal, sent, update};
use super::task;
use crate::acp::mapper::Task;
use crate::acp::protocol::{AUTHENTICATE, MODEL, SESSION};
use crate::supervised::{Action, Dialect};

#[test]
fn the_first_prompt_of_a_session_has_the_instructions_before_it() {
    let mut replay = greeted(task(None), json!({}));
    replay.hear(&answer(SESSION, json!({"sessionId": "s1"})));
    let sent = sent(&replay);
    assert_eq!(sent[0]["method"], "session/new");
    let prompt = &sent[1]["params"]["prompt"];
    assert_eq!(
        (&prompt[0]["text"], &prompt[1]["text"]),
        (&json!("Be brief."), &json!("Do it."))
    );
    assert_eq!(sent[0]["jsonrpc"], "2.0");
}

#[test]
fn a_session_is_gone_on_with_as_the_agent_can() {
    for (capabilities, method) in [
        (
            json!({"loadSession": true, "sessionCapabilities": {"resume": {}}}),
            "session/resume",
        ),
        (json!({"loadSession": true}), "session/load"),
    ] {
        let mut replay = greeted(task(Some("s1")), capabilities);
        assert_eq!(sent(&replay)[0]["method"], method);
        // What is told again is not this turn's.
        replay.hear(&chunk("of old"));
        replay.hear(&update(
            json!({"sessionUpdate": "tool_call", "toolCallId": "old", "kind": "execute"}),
        ));
        replay.hear(&answer(SESSION, Value::Null));
        if method == "session/load" {
            // It may not have finished.
            replay.hear(&chunk("of old"));
            assert!(replay.mapper.is_about_to_ask());
            replay.hear(&Value::Null);
        }
        assert_eq!(replay.mapper.open_calls(), 0);
        assert!(!replay.mapper.has_answered());
        let prompt = sent(&replay)[1]["params"].clone();
        assert_eq!(
            (&prompt["sessionId"], &prompt["prompt"][0]["text"]),
            (&json!("s1"), &json!("Do it."))
        );
    }
    let cannot = greeted(task(Some("s1")), json!({}));
    assert!(matches!(&cannot.actions[..], [Action::UnknownSession(_)]));
    let mut gone = greeted(task(Some("s1")), json!({"loadSession": true}));
    gone.hear(&refusal(
        SESSION,
        json!({"code": -32603, "message": "Internal error", "data": {"details": "none found"}}),
    ));
    assert!(
        matches!(gone.actions.last(), Some(Action::UnknownSession(why)) if why == "none found")
    );
    // One that is in its turn is not asked what it can.
    let adopted = Task {
        adopted: true,
        ..task(Some("s1"))
    };
    assert!(!greeted(adopted, json!({})).is_over());
}

#[test]
fn the_session_is_kept_once_the_prompt_was_heard() {
    let mut replay = begun();
    replay.hear(&update(
        json!({"sessionUpdate": "available_commands_update", "availableCommands": []}),
    ));
    assert!(replay.actions.is_empty());
    replay.hear(&chunk("Hello"));
    replay.hear(&chunk(" you"));
    let sessions = replay
        .actions
        .iter()
        .filter(|a| matches!(a, Action::Session(_)));
    assert_eq!(sessions.count(), 1);
}

#[test]
fn who_is_not_logged_in_is_told_so_or_logs_in_with_the_key_once() {
    let wants = json!({"code": -32000, "message": "Authentication required"});
    let mut replay = greeted(task(None), json!({}));
    replay.hear(&refusal(SESSION, wants.clone()));
    assert_eq!(replay.end().as_ref().unwrap_err().kind, OpErrorKind::Auth);
    // A session to go on with is no reason to begin another one then.
    let mut replay = greeted(task(Some("s1")), json!({"loadSession": true}));
    replay.hear(&refusal(SESSION, wants.clone()));
    assert_eq!(replay.end().as_ref().unwrap_err().kind, OpErrorKind::Auth);

    let keyed = Task {
        keyed: true,
        ..task(None)
    };
    let mut replay = greeted(keyed, json!({}));
    replay.hear(&refusal(SESSION, wants.clone()));
    let last = sent(&replay).pop().unwrap();
    assert_eq!(
        (&last["method"], &last["params"]["methodId"]),
        (&json!("authenticate"), &json!("use-api-key"))
    );
    replay.hear(&answer(AUTHENTICATE, json!({})));
    assert_eq!(sent(&replay).last().unwrap()["method"], "session/new");
    replay.hear(&refusal(SESSION, wants));
    assert_eq!(replay.end().as_ref().unwrap_err().kind, OpErrorKind::Auth);
}

#[test]
fn another_model_does_not_answer_unseen() {
    let offers = json!({"sessionId": "s1", "configOptions": [{"id": "m", "category": "model", "currentValue": "a/small",
        "options": [{"value": "a/small", "name": "Small"}, {"name": "More", "options": [{"value": "a/big", "name": "Big"}]}]}]});
    let asked = |model: &str| {
        let task = Task {
            model: model.to_owned(),
            ..task(None)
        };
        let mut replay = greeted(task, json!({}));
        replay.hear(&answer(SESSION, offers.clone()));
        replay
    };
    assert_eq!(
        sent(&asked("small")).last().unwrap()["method"],
        "session/prompt"
    );
    let mut other = asked("big");
    let set = sent(&other).pop().unwrap();
    assert_eq!(
        (&set["params"]["configId"], &set["params"]["value"]),
        (&json!("m"), &json!("a/big"))
    );
    other.hear(&answer(MODEL, json!({})));
    assert_eq!(sent(&other).last().unwrap()["method"], "session/prompt");
    let none = asked("huge");
    let error = none.end().as_ref().unwrap_err();
    assert_eq!(error.kind, OpErrorKind::BadRequest);
    assert!(
        error.message.contains("a/small, a/big"),
        "{}",
        error.message
    );
    let task = Task {
        model: "huge".to_owned(),
        ..task(None)
    };
    let mut unsaid = greeted(task, json!({}));
    unsaid.hear(&answer(SESSION, json!({"sessionId": "s1"})));
    assert!(
        unsaid
            .actions
            .iter()
            .any(|a| matches!(a, Action::Note(note) if note.contains("huge")))
    );
}
