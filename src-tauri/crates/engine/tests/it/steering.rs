//! Commands beside workers, and ends that must not be taken for others.

use domain::{Answer, Event, FailCause, NanoUsd, Phase, Preset, ReviewKind, RunState};
use serde_json::json;
use testkit::model_server::{Script, Turn, Usage};

use crate::bench::{Bench, KEY, quick};

fn answer(choice: &str) -> Answer {
    Answer {
        choice: choice.to_owned(),
        note: None,
        by: "test".to_owned(),
        at: domain::Timestamp(0),
        max_cost: None,
        effective_at: None,
        edit: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_run_that_is_resumed_asks_again() {
    let bench = Bench::new().await;
    let script = Script::new()
        .turn(Turn::text("I will not.").stop("refusal"))
        .turn(Turn::text("Done after all."));
    bench.server.default_script("refuse", script);
    let project = bench.project();
    let task = bench.task(project.path(), "Do it.");
    let run = bench.engine.start_run(task).await.unwrap();
    let failed = bench.wait(run.id, |run| run.state().at_rest()).await;
    assert_eq!(failed.failure.unwrap().cause, FailCause::Refused);
    let entries = bench.store.journal(run.id, 0, 1000).await.unwrap();
    let last: Vec<&Event> = entries
        .iter()
        .rev()
        .take(2)
        .map(|e| &e.entry.event)
        .collect();
    assert!(
        matches!(last[..], [Event::Failed { .. }, Event::OpFinished { .. }]),
        "no crash falls between the refusal and the end: {last:?}"
    );
    bench.engine.resume(run.id).await.unwrap();
    let done = bench.wait(run.id, |run| run.state().at_rest()).await;
    assert_eq!(done.state(), RunState::Completed);
    let result = bench.store.blob(&done.result.unwrap()).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&result), "Done after all.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_resumed_twice_hears_its_decision() {
    let bench = Bench::new().await;
    let script = Script::new()
        .turn(Turn::text("May I?").tool("shell", json!({"command": "echo made > made.key"})))
        .turn(Turn::text("Done."));
    bench.server.default_script("ask", script);
    let project = bench.project();
    let task = bench.task(project.path(), "Make it.");
    let run = bench.engine.start_run(task).await.unwrap();
    let waits = |run: &domain::Run| run.state() == RunState::Waiting;
    bench.wait(run.id, waits).await;
    bench.engine.pause(run.id, "test").await.unwrap();
    let (first, second) = tokio::join!(bench.engine.resume(run.id), bench.engine.resume(run.id));
    first.unwrap();
    second.unwrap();
    let waiting = bench.wait(run.id, waits).await;
    let idle = || bench.engine.slots().1 == 0;
    bench.eventually(idle, "it gives its slot back").await;
    let review = *waiting.reviews.keys().next().unwrap();
    bench
        .engine
        .decide(review, answer("approve"))
        .await
        .unwrap();
    bench
        .wait(run.id, |run| run.phase == Phase::Completed)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_kills_what_a_paused_and_resumed_run_still_has_going() {
    let bench = Bench::new().await;
    let script = Script::new()
        .turn(Turn::text("Long.").tool("shell", json!({"command": "sleep 600", "timeout_s": 900})));
    bench.server.default_script("long", script);
    let project = bench.project();
    let mut task = bench.task(project.path(), "Sleep.");
    task.policy = Some(Preset::HandsOff);
    let run = bench.engine.start_run(task).await.unwrap();
    let begun = |run: &domain::Run| run.open_ops.values().any(|op| op.keeper.is_some());
    bench.wait(run.id, begun).await;
    bench.engine.pause(run.id, "test").await.unwrap();
    bench.engine.resume(run.id).await.unwrap();
    bench.engine.cancel(run.id, "test").await.unwrap();
    let over = bench.wait(run.id, |run| run.open_ops.is_empty()).await;
    assert_eq!(over.phase, Phase::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ended_by_its_budget_can_be_resumed_with_every_call_answered() {
    let bench = Bench::new().await;
    let two = Turn::text("Two.")
        .tool("read", json!({"path": "calc.sh"}))
        .tool("list", json!({"path": "."}));
    let script = Script::new().turn(two).turn(Turn::text("Done."));
    bench.server.default_script("two", script);
    let project = bench.project();
    let mut task = bench.task(project.path(), "Look.");
    task.budget.max_tool_calls = Some(1);
    let run = bench.engine.start_run(task).await.unwrap();
    let asked = bench.wait(run.id, |run| !run.reviews.is_empty()).await;
    let review = *asked.reviews.keys().next().unwrap();
    bench.engine.decide(review, answer("end")).await.unwrap();
    let failed = bench.wait(run.id, |run| run.phase == Phase::Failed).await;
    assert_eq!(failed.failure.unwrap().cause, FailCause::BudgetEnded);
    bench.engine.resume(run.id).await.unwrap();
    let asked = bench.wait(run.id, |run| !run.reviews.is_empty()).await;
    let (id, review) = asked.reviews.iter().next().unwrap();
    assert_eq!(review.kind, ReviewKind::Budget);
    bench.engine.decide(*id, answer("more")).await.unwrap();
    let over = bench.wait(run.id, |run| run.state().is_over()).await;
    assert_eq!(
        over.state(),
        RunState::Completed,
        "{}",
        bench.story(run.id).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_secret_in_an_answer_reaches_neither_journal_nor_tool() {
    let bench = Bench::new().await;
    let script = Script::new()
        .turn(
            Turn::text(format!("The key is {KEY}."))
                .tool("read", json!({"path": format!("{KEY}.txt")})),
        )
        .turn(Turn::text(format!("It was {KEY}.")));
    bench.server.default_script("leak", script);
    let project = bench.project();
    let task = bench.task(project.path(), "Look.");
    let run = bench.engine.start_run(task).await.unwrap();
    // How it ends is the scripted server's to say: it wants its words back unchanged.
    let done = bench.wait(run.id, |run| run.state().is_over()).await;
    assert!(done.ops_recorded >= 2);
    assert!(!bench.story(run.id).await.contains(KEY));
    for stored in bench.store.journal(run.id, 0, 1000).await.unwrap() {
        for blob in stored.entry.event.blobs() {
            let bytes = bench.store.blob(blob).await.unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(!text.contains(KEY), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn start_anyway_is_asked_once_although_the_run_waits_for_its_slot() {
    let bench = Bench::with(engine::Settings {
        slots: 1,
        ..quick()
    })
    .await;
    let asked = Script::new().turn(Turn::text("No.").stop("refusal"));
    bench.server.default_script("first", asked);
    let project = bench.project();
    let task = bench.task(project.path(), "First.");
    let first = bench.engine.start_run(task).await.unwrap();
    bench.wait(first.id, |run| run.phase == Phase::Failed).await;
    let done = Script::new().turn(Turn::text("Done.").usage(Usage::of(1, 1)));
    bench.server.default_script("second", done);
    let hold = bench.server.hold("second", 0);
    let blocker = bench.task(project.path(), "Blocker.");
    let blocker = bench.engine.start_run(blocker).await.unwrap();
    bench.wait(blocker.id, |run| run.step == 1).await;
    let mut task = bench.task(project.path(), "Second.");
    task.after = Some(first.id);
    let second = bench.engine.start_run(task).await.unwrap();
    let asked = bench.wait(second.id, |run| !run.reviews.is_empty()).await;
    let review = *asked.reviews.keys().next().unwrap();
    bench.engine.decide(review, answer("start")).await.unwrap();
    bench.wait(second.id, |run| run.waits.is_empty()).await;
    bench.engine.pause(second.id, "test").await.unwrap();
    bench.engine.resume(second.id).await.unwrap();
    hold.release();
    let over = bench
        .wait(second.id, |run| run.phase == Phase::Completed)
        .await;
    assert!(over.reviews.is_empty() && over.spent.settled > NanoUsd::ZERO);
}
