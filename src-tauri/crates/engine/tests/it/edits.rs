//! A person changes a call before approving it.

use domain::{Answer, Digest, OpId, Phase, Preset, Review, Run, RunId, RunState, Timestamp};
use engine::{DecideError, EditError};
use serde_json::{Map, Value, json};
use testkit::model_server::{Script, Turn};

use crate::bench::{Bench, KEY};

fn answer(choice: &str) -> Answer {
    Answer {
        choice: choice.to_owned(),
        note: None,
        by: "desktop".to_owned(),
        at: Timestamp(0),
        max_cost: None,
        effective_at: None,
        edit: None,
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A run that waits for the approval of one call.
async fn asked(tool: &str, input: Value) -> (Bench, Run, Review) {
    let bench = Bench::new().await;
    let script = Script::new()
        .turn(Turn::text("May I?").tool(tool, input))
        .turn(Turn::text("Done."));
    bench.server.default_script("ask", script);
    let project = bench.project();
    let mut task = bench.task(project.path(), "Make it.");
    task.policy = Some(Preset::Careful);
    let run = bench.engine.start_run(task).await.unwrap();
    let waits = |run: &Run| run.state() == RunState::Waiting;
    let run = bench.wait(run.id, waits).await;
    let review = run.reviews.values().next().unwrap().clone();
    (bench, run, review)
}

async fn completed(bench: &Bench, run: RunId) {
    bench.wait(run, |run| run.phase == Phase::Completed).await;
}

/// What the model was told of the run's only tool call, and the row of it.
async fn told(bench: &Bench, run: RunId) -> (String, store::OpRow) {
    let rows = bench.store.ops(run, OpId(1), 100).await.unwrap();
    let row = rows
        .into_iter()
        .find(|row| row.kind == domain::OpKind::Tool);
    let row = row.unwrap();
    let text = bench
        .store
        .blob(row.result.as_ref().unwrap())
        .await
        .unwrap();
    (String::from_utf8_lossy(&text).into_owned(), row)
}

async fn facts_of(bench: &Bench, review: &Review) -> engine::CallFacts {
    let facts = bench.engine.call_facts(&[review]).await.unwrap();
    facts.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_as_it_was_changed_and_the_model_is_told() {
    let command = json!({"command": "echo asked > asked.txt"});
    let (bench, run, review) = asked("shell", command.clone()).await;
    let facts = facts_of(&bench, &review).await;
    assert!(facts.editable && !facts.low_risk);
    let shown: Value = serde_json::from_str(&facts.arguments.unwrap()).unwrap();
    assert_eq!(shown, command, "what can be changed is shown");
    let edited = object(json!({"command": "echo edited > edited.txt"}));
    let mut approval = answer("approve");
    approval.note = Some("keep the names apart".to_owned());
    bench
        .engine
        .decide_edited(review.id, approval, &edited)
        .await
        .unwrap();
    completed(&bench, run.id).await;
    let diff = bench.engine.diff(run.id).await.unwrap().text;
    assert!(
        diff.contains("edited.txt") && !diff.contains("asked.txt"),
        "{diff}"
    );
    let (told, row) = told(&bench, run.id).await;
    assert!(told.contains("The user changed this call"), "{told}");
    assert!(told.contains("echo edited > edited.txt"), "{told}");
    assert!(told.contains("keep the names apart"), "{told}");
    // Both versions are on record, and the decision is bound to both.
    let asked = bench.store.blob(&row.args).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&asked).unwrap(), command);
    let kept = bench.store.review(review.id).await.unwrap().unwrap().review;
    let edit = kept.answer().unwrap().edit.clone().unwrap();
    let text = bench.store.blob(&edit.args).await.unwrap();
    assert_eq!(Some(&edit.of), review.digest.as_ref());
    assert_eq!(edit.digest, Digest::of("shell", &text));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_gets_the_changed_contents() {
    let (bench, run, review) = asked("write", json!({"path": "a.txt", "content": "asked\n"})).await;
    let edited = object(json!({"path": "b.txt", "content": "edited\n"}));
    bench
        .engine
        .decide_edited(review.id, answer("approve"), &edited)
        .await
        .unwrap();
    completed(&bench, run.id).await;
    let diff = bench.engine.diff(run.id).await.unwrap().text;
    assert!(diff.contains("b.txt") && diff.contains("+edited"), "{diff}");
    assert!(!diff.contains("a.txt"), "{diff}");
    let (told, _) = told(&bench, run.id).await;
    assert!(told.contains("- path: b.txt"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_call_cannot_be_made_with_is_refused_and_nothing_is_decided() {
    let (bench, run, review) = asked("shell", json!({"command": "echo asked > asked.txt"})).await;
    let decide = async |choice: &str, arguments: Value| {
        let arguments = object(arguments);
        let result = bench
            .engine
            .decide_edited(review.id, answer(choice), &arguments)
            .await;
        match result {
            Err(DecideError::Edit(error)) => error,
            other => panic!("not refused: {other:?}"),
        }
    };
    for wrong in [
        json!({}),
        json!({"command": 5}),
        json!({"command": "true", "sudo": true}),
        json!({"command": format!("echo {KEY}")}),
        json!({"command": format!("echo {}", secrets::MARKER)}),
    ] {
        let error = decide("approve", wrong.clone()).await;
        assert!(matches!(error, EditError::Invalid(_)), "{wrong}: {error}");
    }
    let error = decide("reject", json!({"command": "true"})).await;
    assert!(matches!(error, EditError::NotEditable(_)), "{error}");
    let now = bench.store.load(run.id).await.unwrap().unwrap();
    assert!(now.reviews[&review.id].is_open());
    // The same arguments are no change, and nobody is told of one.
    let same = object(json!({"command": "echo asked > asked.txt"}));
    bench
        .engine
        .decide_edited(review.id, answer("approve"), &same)
        .await
        .unwrap();
    completed(&bench, run.id).await;
    let (told, _) = told(&bench, run.id).await;
    assert!(!told.contains("changed"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_has_no_arguments_to_change_and_reading_is_low_risk() {
    let (bench, _, review) = asked("ask_user", json!({"question": "Which?"})).await;
    let facts = facts_of(&bench, &review).await;
    assert!(!facts.editable && !facts.low_risk && facts.arguments.is_none());
    let (bench, _, review) = asked("shell", json!({"command": "ls -la"})).await;
    let facts = facts_of(&bench, &review).await;
    assert!(facts.editable && facts.low_risk, "careful asks about all");
    let (bench, _, review) = asked("shell", json!({"command": "ls; rm -r x"})).await;
    let facts = facts_of(&bench, &review).await;
    assert!(facts.editable && !facts.low_risk);
}
