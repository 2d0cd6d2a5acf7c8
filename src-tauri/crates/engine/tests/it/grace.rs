//! Decisions with time to undo them: durable at once, used once, and not a moment early.

use std::sync::Arc;

use domain::{
    Answer, Clock, Event, Phase, Review, ReviewKind, Run, RunId, RunState, Timestamp, WaitCause,
};
use engine::DecideError;
use serde_json::json;
use store::ReviewStatus;
use testkit::model_server::{Script, Turn};

use crate::bench::{Bench, HandClock, quick};

/// How long the decisions here can be undone: the longest a test waits for a timer.
const GRACE: i64 = 200;

/// An answer that takes effect `GRACE` after now.
fn graced(choice: &str, clock: &HandClock) -> Answer {
    let now = clock.now();
    Answer {
        choice: choice.to_owned(),
        note: None,
        by: "desktop".to_owned(),
        at: now,
        max_cost: None,
        effective_at: Some(now.plus_ms(GRACE)),
        edit: None,
    }
}

fn at_once(choice: &str, clock: &HandClock) -> Answer {
    Answer {
        effective_at: None,
        ..graced(choice, clock)
    }
}

/// A run that waits for the approval of one command, which makes `made.key`.
async fn asked(clock: &HandClock) -> (Bench, RunId, Review) {
    let bench = Bench::on(quick(), Arc::new(clock.clone())).await;
    let script = Script::new()
        .turn(Turn::text("May I?").tool("shell", json!({"command": "echo made >> made.key"})))
        .turn(Turn::text("Done."));
    bench.server.default_script("ask", script);
    let project = bench.project();
    let task = bench.task(project.path(), "Make it.");
    let run = bench.engine.start_run(task).await.unwrap();
    let waiting = bench.wait(run.id, waits).await;
    let review = waiting.reviews.values().next().unwrap().clone();
    (bench, run.id, review)
}

fn waits(run: &Run) -> bool {
    run.state() == RunState::Waiting && !run.reviews.is_empty()
}

/// When the decision was used, and that it was used once.
async fn used_at(bench: &Bench, run: RunId) -> Timestamp {
    let entries = bench.store.journal(run, 0, 1000).await.unwrap();
    let used: Vec<Timestamp> = entries
        .iter()
        .filter(|e| matches!(e.entry.event, Event::ReviewUsed { .. }))
        .map(|e| e.entry.at)
        .collect();
    assert_eq!(used.len(), 1, "{}", bench.story(run).await);
    used[0]
}

async fn completed(bench: &Bench, run: RunId) {
    bench.wait(run, |run| run.phase == Phase::Completed).await;
}

async fn was_made(bench: &Bench, run: RunId) -> bool {
    bench
        .engine
        .diff(run)
        .await
        .unwrap()
        .text
        .contains("made.key")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_durable_at_once_and_used_when_its_time_has_come() {
    let clock = HandClock::new();
    let (bench, run, review) = asked(&clock).await;
    let answer = graced("approve", &clock);
    let effective = answer.effective_at.unwrap();
    bench.engine.decide(review.id, answer).await.unwrap();
    let row = bench.store.review(review.id).await.unwrap().unwrap();
    assert_eq!(row.status, ReviewStatus::Decided);
    assert_eq!(row.review.effective_at(), Some(effective));
    let now = clock.now();
    assert_eq!(bench.store.count_open_reviews(now).await.unwrap(), 0);
    clock.advance(GRACE - 1);
    // Whatever makes the worker look: it is not time yet.
    bench.engine.message(run, "Hurry.").await.unwrap();
    let waiting = bench.store.load(run).await.unwrap().unwrap();
    assert_eq!(waiting.state(), RunState::Waiting);
    assert_eq!(waiting.causes(), [WaitCause::Review]);
    clock.advance(1);
    completed(&bench, run).await;
    assert!(used_at(&bench, run).await >= effective);
    assert!(was_made(&bench, run).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undone_decision_does_nothing_and_the_next_one_counts() {
    let clock = HandClock::new();
    let (bench, run, review) = asked(&clock).await;
    let engine = &bench.engine;
    let answer = graced("approve", &clock);
    let made = answer.effective_at;
    engine.decide(review.id, answer).await.unwrap();
    clock.advance(GRACE - 1);
    let other = made.map(|at| at.plus_ms(1));
    let refused = engine.undo(review.id, other, "desktop").await.unwrap_err();
    assert!(matches!(refused, DecideError::Decided(_)), "not that one");
    engine.undo(review.id, made, "desktop").await.unwrap();
    let again = bench.wait(run, waits).await;
    assert!(again.reviews[&review.id].is_open());
    clock.advance(10 * GRACE);
    let refused = engine.undo(review.id, None, "desktop").await.unwrap_err();
    assert!(matches!(refused, DecideError::Decided(_)), "{refused}");
    let no = at_once("reject", &clock);
    engine.decide(review.id, no).await.unwrap();
    completed(&bench, run).await;
    used_at(&bench, run).await;
    assert!(!was_made(&bench, run).await, "what was undone did nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_clients_one_wins_and_the_other_sees_it() {
    let clock = HandClock::new();
    let (bench, run, review) = asked(&clock).await;
    let engine = &bench.engine;
    let conflict = |result: &Result<RunId, DecideError>| {
        assert!(
            matches!(result, Ok(_) | Err(DecideError::Decided(_))),
            "{result:?}"
        );
        result.is_ok()
    };
    let (yes, no) = tokio::join!(
        engine.decide(review.id, graced("approve", &clock)),
        engine.decide(review.id, graced("reject", &clock)),
    );
    assert_ne!(conflict(&yes), conflict(&no));
    let (first, second) = tokio::join!(
        engine.undo(review.id, None, "desktop"),
        engine.undo(review.id, None, "browser"),
    );
    assert_ne!(conflict(&first), conflict(&second));
    // Undone by one in the moment the other's decision takes effect: it stands.
    engine
        .decide(review.id, graced("approve", &clock))
        .await
        .unwrap();
    clock.advance(GRACE);
    let late = engine.undo(review.id, None, "desktop").await;
    assert!(!conflict(&late), "it has taken effect");
    completed(&bench, run).await;
    used_at(&bench, run).await;
    let late = engine.undo(review.id, None, "desktop").await;
    assert!(!conflict(&late));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_neither_a_decision_nor_its_time() {
    let clock = HandClock::new();
    let (mut bench, run, review) = asked(&clock).await;
    let answer = graced("approve", &clock);
    let effective = answer.effective_at.unwrap();
    bench.engine.decide(review.id, answer).await.unwrap();
    bench.restart(|| clock.advance(GRACE / 2)).await;
    let still = bench.store.load(run).await.unwrap().unwrap();
    assert_eq!(still.state(), RunState::Waiting, "its time has not come");
    assert_eq!(still.reviews[&review.id].effective_at(), Some(effective));
    clock.advance(GRACE);
    completed(&bench, run).await;
    assert!(used_at(&bench, run).await >= effective);
    assert!(was_made(&bench, run).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_whose_time_came_while_nobody_worked_takes_effect() {
    let clock = HandClock::new();
    let (mut bench, run, review) = asked(&clock).await;
    let answer = graced("approve", &clock);
    bench.engine.decide(review.id, answer).await.unwrap();
    bench.restart(|| clock.advance(3 * GRACE)).await;
    completed(&bench, run).await;
    used_at(&bench, run).await;
    assert!(was_made(&bench, run).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_undone_after_a_restart_and_an_undo_survives_one() {
    let clock = HandClock::new();
    let (mut bench, run, review) = asked(&clock).await;
    let answer = graced("approve", &clock);
    bench.engine.decide(review.id, answer).await.unwrap();
    bench.restart(|| ()).await;
    bench.engine.undo(review.id, None, "cli").await.unwrap();
    bench.restart(|| clock.advance(10 * GRACE)).await;
    let still = bench.wait(run, waits).await;
    assert!(still.reviews[&review.id].is_open());
    let no = at_once("reject", &clock);
    bench.engine.decide(review.id, no).await.unwrap();
    completed(&bench, run).await;
    assert!(!was_made(&bench, run).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_run_keeps_its_decision_and_a_cancelled_one_withdraws_it() {
    let clock = HandClock::new();
    let (bench, run, review) = asked(&clock).await;
    let engine = &bench.engine;
    engine
        .decide(review.id, graced("approve", &clock))
        .await
        .unwrap();
    engine.pause(run, "test").await.unwrap();
    clock.advance(2 * GRACE);
    engine.resume(run).await.unwrap();
    completed(&bench, run).await;
    used_at(&bench, run).await;

    let (bench, run, review) = asked(&clock).await;
    let engine = &bench.engine;
    engine
        .decide(review.id, graced("approve", &clock))
        .await
        .unwrap();
    engine.cancel(run, "test").await.unwrap();
    clock.advance(2 * GRACE);
    let row = bench.store.review(review.id).await.unwrap().unwrap();
    assert_eq!(row.status, ReviewStatus::Withdrawn);
    assert!(engine.undo(review.id, None, "test").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_budget_and_a_given_answer_have_their_grace_too() {
    let clock = HandClock::new();
    let bench = Bench::on(quick(), Arc::new(clock.clone())).await;
    let script = Script::new()
        .turn(Turn::text("One.").tool("read", json!({"path": "calc.sh"})))
        .turn(Turn::text("Two.").tool("ask_user", json!({"question": "Which?"})))
        .turn(Turn::text("Done."));
    bench.server.default_script("two", script);
    let project = bench.project();
    let mut task = bench.task(project.path(), "Look.");
    task.budget.max_tool_calls = Some(1);
    let run = bench.engine.start_run(task).await.unwrap().id;
    let mut kinds = Vec::new();
    let over_or_asked =
        |run: &Run| run.phase == Phase::Completed || run.reviews.values().any(Review::is_open);
    loop {
        let now = bench.wait(run, over_or_asked).await;
        let Some(review) = now.reviews.values().find(|r| r.is_open()) else {
            break;
        };
        let (choice, note) = match review.kind {
            ReviewKind::Budget => ("more", None),
            _ => ("answer", Some("the first".to_owned())),
        };
        let answer = Answer {
            note,
            ..graced(choice, &clock)
        };
        bench.engine.decide(review.id, answer).await.unwrap();
        let same = bench.store.load(run).await.unwrap().unwrap();
        assert!(same.reviews.contains_key(&review.id), "not used yet");
        assert!(same.causes().contains(&WaitCause::Review));
        kinds.push(review.kind);
        clock.advance(GRACE);
    }
    assert!(kinds.contains(&ReviewKind::Budget) && kinds.contains(&ReviewKind::Question));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_off_is_still_asked_and_a_decision_is_not_put_off() {
    let clock = HandClock::new();
    let (bench, run, review) = asked(&clock).await;
    let until = clock.now().plus_ms(1000);
    bench.engine.snooze(review.id, until).await.unwrap();
    let now = clock.now();
    assert_eq!(bench.store.count_open_reviews(now).await.unwrap(), 0);
    let back = now.plus_ms(1000);
    assert_eq!(bench.store.count_open_reviews(back).await.unwrap(), 1);
    let engine = &bench.engine;
    engine
        .decide(review.id, graced("approve", &clock))
        .await
        .unwrap();
    let refused = engine.snooze(review.id, until).await.unwrap_err();
    assert!(matches!(refused, DecideError::Decided(_)), "{refused}");
    clock.advance(GRACE);
    completed(&bench, run).await;
}
