//! Whole turns of a scripted `claude` in a real keeper.

use agents::{Driver, Permit};
use domain::{Figure, NanoUsd, OpErrorKind};
use serde_json::{Value, json};

use crate::claude_fixture::{Decide, FakeHost, Fixture};

fn bash(command: &str) -> Value {
    json!({"do": "tool", "name": "Bash", "input": {"command": command}})
}

fn say(text: &str) -> Value {
    json!({"do": "text", "text": text})
}

fn turn(steps: &[Value]) -> Value {
    json!({"steps": steps, "usage": {"input": 100, "output": 20}, "cost_usd": 0.25})
}

fn script(turns: &[Value]) -> Value {
    json!({"turns": turns})
}

#[tokio::test]
async fn an_allowed_call_happens_and_the_turn_is_charged() {
    let it = Fixture::new(&script(&[turn(&[
        bash("echo did >> effects"),
        say("All done."),
    ])]));
    let host = FakeHost::allowing();
    let turn = it.run(it.request("k"), &host).await.unwrap();
    assert_eq!(turn.text, "All done.");
    let charge = turn.charge.unwrap();
    assert_eq!(
        (charge.figure, charge.cost),
        (Figure::Reported, Some(NanoUsd(250_000_000)))
    );
    assert_eq!(it.read("effects"), "did\n");
    assert!(host.has("asked Bash") && host.has("ended Ok"));
    assert!(host.has("delta Text(\"All done.\")"), "{:?}", host.told());
    assert!(it.has_ended("k"), "the process ends with its turn");
}

#[tokio::test]
async fn a_denied_call_does_not_happen_and_the_agent_hears_why() {
    let it = Fixture::new(&script(&[turn(&[
        bash("echo did >> effects"),
        say("Understood."),
    ])]));
    let host = FakeHost::new(|_| Decide::Answer(Permit::Deny("not on a Saturday".to_owned())));
    it.run(it.request("k"), &host).await.unwrap();
    assert_eq!(it.read("effects"), "");
    assert!(
        host.has("ended Error not on a Saturday"),
        "{:?}",
        host.told()
    );
}

/// The first two questions are decided only after the third was asked: had one of
/// them kept the driver from reading, the third would never come.
#[tokio::test]
async fn questions_do_not_wait_for_each_other() {
    let ask = |id: &str| {
        json!({"do": "event", "line": {"type": "control_request", "request_id": id, "request": {
            "subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": id}, "tool_use_id": id}}})
    };
    let it = Fixture::new(&script(&[turn(&[
        ask("first"),
        ask("second"),
        bash("echo third >> effects"),
    ])]));
    let host = FakeHost::new(|summary| match summary {
        "Bash: first" => Decide::AllowAfter("decided Bash: second"),
        "Bash: second" => Decide::AllowAfter("asked Bash: echo third"),
        _ => Decide::AllowAfter("decided Bash: first"),
    });
    it.run(it.request("k"), &host).await.unwrap();
    assert_eq!(it.read("effects"), "third\n");
}

#[tokio::test]
async fn a_cancelled_turn_ends_the_command_it_was_running() {
    let it = Fixture::new(&script(&[turn(&[bash(
        "echo began >> effects; sleep 600; echo ended >> effects",
    )])]));
    let host = FakeHost::allowing();
    let request = it.request("k");
    let cancel = request.cancel.clone();
    let stop = async {
        host.until("decided Bash").await;
        cancel.cancel();
    };
    let (turn, ()) = tokio::join!(it.run(request, &host), stop);
    assert_eq!(turn.unwrap_err().kind, OpErrorKind::Cancelled);
    assert!(it.has_ended("k"), "nothing of the tree is left");
    assert!(!it.read("effects").contains("ended"));
}

#[tokio::test]
async fn an_agent_that_hangs_is_silent_and_ends() {
    let mut it = Fixture::new(&script(&[turn(&[say("Hm."), json!({"do": "hang"})])]));
    it.silence_ms = 1500;
    let error = it
        .run(it.request("k"), &FakeHost::allowing())
        .await
        .unwrap_err();
    assert_eq!(error.kind, OpErrorKind::Silent);
    assert!(it.has_ended("k"));
}

#[tokio::test]
async fn a_deaf_agent_is_killed() {
    let mut it = Fixture::new(&script(&[turn(&[
        say("Hm."),
        json!({"do": "hang", "deaf": true}),
    ])]));
    it.silence_ms = 1500;
    let error = it
        .run(it.request("k"), &FakeHost::allowing())
        .await
        .unwrap_err();
    assert_eq!(error.kind, OpErrorKind::Silent);
    assert!(it.has_ended("k"));
}

#[tokio::test]
async fn a_person_who_takes_time_is_no_silence() {
    let mut it = Fixture::new(&script(&[turn(&[
        bash("echo did >> effects"),
        say("Done."),
    ])]));
    it.silence_ms = 1000;
    let host = FakeHost::new(|_| Decide::AllowAfter("three limits passed"));
    let request = it.request("k");
    let person = async {
        host.until("asked Bash").await;
        // Time itself is what is tested: three times the limit.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        agents::Host::note(&host, "three limits passed")
            .await
            .unwrap();
    };
    let (turn, ()) = tokio::join!(it.run(request, &host), person);
    turn.unwrap();
    assert_eq!(it.read("effects"), "did\n");
}

#[tokio::test]
async fn garbage_is_noted_and_the_turn_goes_on() {
    let garbage = |text: &str| json!({"do": "garbage", "text": text});
    let it = Fixture::new(&script(&[turn(&[
        garbage("Segmentation?"),
        garbage("{\"type\":"),
        say("Still here."),
    ])]));
    let host = FakeHost::allowing();
    assert_eq!(
        it.run(it.request("k"), &host).await.unwrap().text,
        "Still here."
    );
    assert_eq!(
        host.told()
            .iter()
            .filter(|told| told.starts_with("note "))
            .count(),
        1,
        "{:?}",
        host.told()
    );
}

#[tokio::test]
async fn an_agent_that_dies_says_how_and_goes_on_when_resumed() {
    let die = json!({"do": "tool", "name": "Bash", "input": {"command": "echo did >> effects"}, "die": "after"});
    let stderr = json!({"do": "stderr", "text": "about to fall over"});
    let it = Fixture::new(&script(&[turn(&[stderr, die, say("Back again.")])]));
    let host = FakeHost::allowing();
    let error = it.run(it.request("k1"), &host).await.unwrap_err();
    assert_eq!(error.kind, OpErrorKind::Agent);
    assert!(
        error.message.contains("signal 9") && error.message.contains("about to fall over"),
        "{}",
        error.message
    );
    assert!(
        error.message.contains("1 of its calls"),
        "{}",
        error.message
    );

    let session = host.session().unwrap();
    let again = FakeHost::allowing();
    let turn = it.run(it.resuming("k2", &session), &again).await.unwrap();
    assert_eq!(turn.text, "Back again.");
    assert_eq!(again.session(), Some(session));
    assert_eq!(it.read("effects"), "did\n", "the call was not repeated");
}

#[tokio::test]
async fn a_lost_session_is_begun_anew_and_said() {
    let it = Fixture::new(&script(&[turn(&[say("Who are you?")])]));
    let host = FakeHost::allowing();
    let gone = "221a0175-1732-40b6-9b73-35d7676b4677";
    let turn = it.run(it.resuming("k", gone), &host).await.unwrap();
    assert_eq!(turn.text, "Who are you?");
    assert!(
        host.has("note claude cannot go on with its session"),
        "{:?}",
        host.told()
    );
    assert_ne!(host.session().unwrap(), gone);
}

#[tokio::test]
async fn a_daemon_that_comes_back_finds_the_question_still_open() {
    let it = Fixture::new(&script(&[turn(&[
        bash("echo one >> effects"),
        bash("echo two >> effects"),
        say("Both."),
    ])]));
    let before = FakeHost::new(|summary| match summary {
        "Bash: echo one >> effects" => Decide::Answer(Permit::Allow),
        _ => Decide::Never,
    });
    // The future is dropped at the second question: what a killed daemon leaves.
    tokio::select! {
        turn = it.run(it.request("k"), &before) => panic!("it ended: {turn:?}"),
        () = before.until("asked Bash: echo two") => {}
    }
    assert!(!it.has_ended("k"), "the agent outlives its daemon");

    let after = FakeHost::allowing();
    let turn = it.run(it.adopting("k", &before), &after).await.unwrap();
    assert_eq!(turn.text, "Both.");
    assert_eq!(it.read("effects"), "one\ntwo\n", "nothing happened twice");
    assert!(
        !after.has("asked Bash: echo one"),
        "that question was settled: {:?}",
        after.told()
    );
    assert_eq!(after.session(), before.session());
}

#[tokio::test]
async fn a_call_that_was_edited_runs_as_edited() {
    let it = Fixture::new(&script(&[turn(&[
        bash("echo asked >> effects"),
        say("Done."),
    ])]));
    let edited = json!({"command": "echo edited >> effects"}).to_string();
    let host = FakeHost::new(move |_| Decide::Answer(Permit::AllowEdited(edited.clone())));
    let turn = it.run(it.request("k"), &host).await.unwrap();
    assert_eq!(turn.text, "Done.");
    assert_eq!(it.read("effects"), "edited\n");
}

#[tokio::test]
async fn a_turn_that_ended_meanwhile_is_read_from_the_spool() {
    let it = Fixture::new(&script(&[turn(&[
        bash("echo one >> effects; touch began; while [ ! -e go ]; do sleep 0.02; done"),
        say("Over."),
    ])]));
    let before = FakeHost::allowing();
    tokio::select! {
        turn = it.run(it.request("k"), &before) => panic!("it ended: {turn:?}"),
        () = before.until("decided Bash") => {}
    }
    // Dropped maybe before the answer was written: the adopter gives it again.
    std::fs::write(it.work().join("go"), "").unwrap();
    let after = FakeHost::allowing();
    let first = it.run(it.adopting("k", &before), &after).await.unwrap();
    assert!(it.has_ended("k"));
    // And once more, when all that is left is the spool.
    let last = FakeHost::new(|_| Decide::Never);
    let second = it.run(it.adopting("k", &before), &last).await.unwrap();
    assert_eq!(
        (first.text, second.text),
        ("Over.".to_owned(), "Over.".to_owned())
    );
    assert!(
        !last.has("asked") && !last.has("delta"),
        "{:?}",
        last.told()
    );
    assert_eq!(it.read("effects"), "one\n");
}

#[tokio::test]
async fn a_keeper_that_never_was_is_started() {
    let it = Fixture::new(&script(&[turn(&[say("Fresh.")])]));
    let host = FakeHost::allowing();
    let turn = it.run(it.adopting("k", &host), &host).await.unwrap();
    assert_eq!(turn.text, "Fresh.");
}

#[tokio::test]
async fn an_exhausted_limit_is_no_success() {
    let failing = json!({"steps": [], "error": {"message": "API Error: 429", "status": 429}});
    let it = Fixture::new(&script(&[failing]));
    let error = it
        .run(it.request("k"), &FakeHost::allowing())
        .await
        .unwrap_err();
    assert_eq!(error.kind, OpErrorKind::RateLimited);
}

#[tokio::test]
async fn a_check_tells_the_version_or_what_is_missing() {
    let it = Fixture::new(&script(&[]));
    let checked = it.driver().check(None, None).await.unwrap();
    assert!(checked.version.unwrap().contains("scripted"));
    let missing = agents::claude_code::ClaudeCodeDriver::new(vec!["/nowhere/claude".to_owned()]);
    let error = missing.check(None, None).await.unwrap_err();
    assert!(
        error.message.contains("install Claude Code"),
        "{}",
        error.message
    );
}
