//! Reviews nobody answers in time: neither yes nor no.

use std::sync::Arc;

use domain::{Answer, Clock, Event, InterruptCause, Phase, Review, Run, RunId, RunState};
use engine::{DecideError, Settings};
use serde_json::json;
use store::ReviewStatus;
use testkit::model_server::{Script, Turn};

use crate::bench::{Bench, HandClock, quick};

const HOUR: i64 = 3_600_000;

fn expiring() -> Settings {
    Settings {
        review_expires_ms: HOUR,
        ..quick()
    }
}

fn approve(clock: &HandClock) -> Answer {
    Answer {
        choice: "approve".to_owned(),
        note: None,
        by: "test".to_owned(),
        at: clock.now(),
        max_cost: None,
        effective_at: None,
        edit: None,
    }
}

/// Looks at the clock now, as it does by itself every so often.
fn look(bench: &Bench) {
    bench.engine.change_settings(expiring());
}

fn waits(run: &Run) -> bool {
    run.state() == RunState::Waiting && run.reviews.values().all(Review::is_open)
}

fn stopped(run: &Run) -> bool {
    run.phase == Phase::Interrupted
}

/// A run that asks about two commands at once, each of which makes a file.
async fn asked(clock: &HandClock) -> (Bench, RunId, Vec<Review>) {
    let bench = Bench::on(expiring(), Arc::new(clock.clone())).await;
    let make = |name: &str| json!({"command": format!("echo made >> {name}.key")});
    let turn = Turn::text("May I?")
        .tool("shell", make("one"))
        .tool("shell", make("two"));
    let script = Script::new().turn(turn).turn(Turn::text("Done."));
    bench.server.default_script("ask", script);
    let engine = bench.engine.clone();
    tokio::spawn(async move { engine.mind_expiry().await });
    let project = bench.project();
    let run = bench
        .engine
        .start_run(bench.task(project.path(), "Make it."));
    let run = run.await.unwrap().id;
    let asking = bench.wait(run, |run| waits(run) && run.reviews.len() == 2);
    let mut reviews: Vec<Review> = asking.await.reviews.into_values().collect();
    reviews.sort_by_key(|review| review.op);
    (bench, run, reviews)
}

async fn status(bench: &Bench, review: &Review) -> ReviewStatus {
    bench.store.review(review.id).await.unwrap().unwrap().status
}

async fn count(bench: &Bench, run: RunId, is: impl Fn(&Event) -> bool) -> usize {
    let entries = bench.store.journal(run, 0, 1000).await.unwrap();
    entries.iter().filter(|e| is(&e.entry.event)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_does_not_happen_is_not_refused_and_is_asked_again() {
    let clock = HandClock::new();
    let (bench, run, reviews) = asked(&clock).await;
    let expires = bench.engine.expires_at(&reviews[0]);
    assert_eq!(expires, Some(reviews[0].requested_at.plus_ms(HOUR)));
    clock.advance(HOUR - 60_000);
    look(&bench);
    bench
        .engine
        .decide(reviews[1].id, approve(&clock))
        .await
        .unwrap();
    let answered = async || {
        let ops = bench.store.ops(run, domain::OpId(1), 10).await.unwrap();
        ops.iter()
            .any(|op| Some(op.id) == reviews[1].op && op.ended_at.is_some())
    };
    while !answered().await {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    clock.advance(60_000);
    look(&bench);
    let now = bench.wait(run, stopped).await;
    let why = now.interrupted.clone().unwrap();
    assert_eq!(why.cause, InterruptCause::Unanswered);
    assert!(why.detail.contains("within 60 min"), "{}", why.detail);
    assert_eq!(status(&bench, &reviews[0]).await, ReviewStatus::Expired);
    let late = bench.engine.decide(reviews[0].id, approve(&clock)).await;
    assert!(
        matches!(&late, Err(DecideError::Decided(why)) if why.contains("nobody answered in time")),
        "{late:?}"
    );
    // The same when everybody dies meanwhile.
    let mut bench = bench;
    bench.restart(|| clock.advance(24 * HOUR)).await;
    let now = bench.store.load(run).await.unwrap().unwrap();
    assert_eq!(now.phase, Phase::Interrupted, "it waits to be resumed");

    let asked_at = clock.now();
    bench.engine.resume(run).await.unwrap();
    let again = bench.wait(run, waits).await;
    let open = &again.reviews[&reviews[0].id];
    assert!(
        open.waits_since() >= asked_at,
        "it has its whole time again"
    );
    assert_eq!(status(&bench, &reviews[0]).await, ReviewStatus::Open);
    bench
        .engine
        .decide(reviews[0].id, approve(&clock))
        .await
        .unwrap();
    bench.wait(run, |run| run.phase == Phase::Completed).await;
    let diff = bench.engine.diff(run).await.unwrap().text;
    assert_eq!(
        diff.matches("+made").count(),
        2,
        "each was made once: {diff}"
    );
    let expired = count(&bench, run, |e| matches!(e, Event::ReviewExpired { .. }));
    assert_eq!(expired.await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_off_has_its_whole_time_when_it_comes_back() {
    let clock = HandClock::new();
    let (bench, run, reviews) = asked(&clock).await;
    let until = clock.now().plus_ms(10 * HOUR);
    for review in &reviews {
        bench.engine.snooze(review.id, until).await.unwrap();
    }
    clock.advance(11 * HOUR - 1_000);
    look(&bench);
    // A message is recorded after whatever had expired by then.
    bench.engine.message(run, "Still there?").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(waits(&bench.store.load(run).await.unwrap().unwrap()));
    clock.advance(1_000);
    look(&bench);
    bench.wait(run, stopped).await;
    for review in &reviews {
        while status(&bench, review).await != ReviewStatus::Expired {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    let stops = count(&bench, run, |e| matches!(e, Event::Interrupted { .. }));
    assert_eq!(stops.await, 1, "it stops once, however many expire");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_expires_unless_somebody_wants_it() {
    let clock = HandClock::new();
    let (bench, run, _) = asked(&clock).await;
    bench.engine.change_settings(quick());
    clock.advance(1000 * 24 * HOUR);
    bench.engine.change_settings(quick());
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(waits(&bench.store.load(run).await.unwrap().unwrap()));
    // Wanted after all, it holds for what is asked already.
    look(&bench);
    bench.wait(run, stopped).await;
}
