//! How long limits are waited for, and who answers instead.

use std::sync::Arc;

use domain::{Answer, Clock, Event, FailCause, ReviewKind, RunState};
use secrets::KeySource;
use testkit::model_server::{ALWAYS, Fault, Script, Turn, Usage};

use crate::bench::{Bench, HandClock, quick};

fn key() -> KeySource {
    KeySource::Env {
        var: "KEY".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_does_not_begin_the_longest_wait_anew() {
    let clock = HandClock::new();
    let settings = engine::Settings {
        max_wait_ms: 60_000,
        ..quick()
    };
    let mut bench = Bench::on(settings, Arc::new(clock.clone())).await;
    bench
        .server
        .default_script("limited", Script::new().turn(Turn::text("Done.")));
    let limit = Fault::RateLimit {
        retry_after_s: Some(40),
    };
    bench.server.inject(limit, ALWAYS);
    let project = bench.project();
    let task = bench.task(project.path(), "Wait.");
    let run = bench.engine.start_run(task).await.unwrap().id;
    let waits = |run: &domain::Run| run.state() == RunState::Waiting;
    let since = bench.wait(run, waits).await.waits[0].since;
    for _ in 0..500 {
        if !bench.store.pauses().await.unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    bench.restart(|| clock.advance(30_000)).await;
    let waiting = bench.wait(run, waits).await;
    assert_eq!(waiting.waits[0].since, since, "it waits on");
    // The next try meets the limit again, and would have to wait for more than a minute
    // in all, though not since the restart.
    clock.advance(15_000);
    bench.engine.limiter().recheck();
    let over = bench.wait(run, |run| run.state().is_over()).await;
    assert_eq!(
        over.failure.unwrap().cause,
        FailCause::MaxWait,
        "{}",
        bench.story(run).await
    );
    let tries = bench.server.requests_of("limited").len();
    assert_eq!(tries, 2, "one before and one after the restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_fallback_is_skipped_and_a_resumed_run_asks_its_own_backend_first() {
    let bench = Bench::new().await;
    for name in ["gone", "other"] {
        bench.add_backend(name, key()).await;
    }
    let script = Script::new().turn(Turn::text("Done.").usage(Usage::of(1, 1)));
    bench.server.default_script("twice", script);
    bench.server.inject(Fault::BadRequest { message: None }, 2);
    let project = bench.project();
    let mut task = bench.task(project.path(), "Do it.");
    task.backend = Some("mine".to_owned());
    task.fallback = vec!["gone".to_owned(), "other".to_owned()];
    let hold = bench.server.hold("twice", 0);
    let run = bench.engine.start_run(task).await.unwrap().id;
    bench.wait(run, |run| run.step == 1).await;
    bench.store.remove_backend("gone").await.unwrap();
    hold.release();
    let failed = bench.wait(run, |run| run.state().is_over()).await;
    assert_eq!(failed.state(), RunState::Failed);
    assert_eq!(failed.backend, "other", "{}", bench.story(run).await);
    let told = |said: &str| {
        let said = said.to_owned();
        let store = bench.store.clone();
        async move {
            let entries = store.journal(run, 0, 1000).await.unwrap();
            entries.into_iter().any(|entry| match entry.entry.event {
                Event::Noted { text } => text.contains(&said),
                Event::BackendSwitched { backend, .. } => backend == said,
                _ => false,
            })
        }
    };
    assert!(told("there is no backend 'gone'").await);
    assert!(!told("mine").await);
    bench
        .engine
        .message(run, "Be brief this time.")
        .await
        .unwrap();
    bench.engine.resume(run).await.unwrap();
    let done = bench.wait(run, |run| run.state().is_over()).await;
    assert_eq!(
        done.state(),
        RunState::Completed,
        "{}",
        bench.story(run).await
    );
    assert_eq!(done.backend, "mine");
    assert!(told("mine").await);
    let last = bench.server.requests_of("twice").pop().unwrap();
    assert!(last.body.to_string().contains("Be brief this time."));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_agrees_to_wait_agrees_to_all_of_it() {
    let clock = HandClock::new();
    let settings = engine::Settings {
        max_wait_ms: 60_000,
        long_wait_ms: 10_000,
        ..quick()
    };
    let mut bench = Bench::on(settings, Arc::new(clock.clone())).await;
    bench
        .server
        .default_script("limited", Script::new().turn(Turn::text("Done.")));
    let limit = |seconds| Fault::RateLimit {
        retry_after_s: Some(seconds),
    };
    bench.server.inject(limit(40), 1);
    bench.server.inject(limit(3600), 1);
    let project = bench.project();
    let task = bench.task(project.path(), "Wait.");
    let run = bench.engine.start_run(task).await.unwrap().id;
    let asks = |run: &domain::Run| {
        run.reviews
            .values()
            .any(|r| r.kind == ReviewKind::LimitWait)
    };
    let waiting = bench.wait(run, asks).await;
    let answer = Answer {
        choice: "wait".to_owned(),
        note: None,
        by: "test".to_owned(),
        at: clock.now(),
        max_cost: None,
        effective_at: None,
        edit: None,
    };
    let review = *waiting.reviews.keys().next().unwrap();
    bench.engine.decide(review, answer).await.unwrap();
    // The next try meets a limit that ends long after the longest allowed wait.
    let first = waiting.waits[0].until.unwrap();
    clock.advance(45_000);
    bench.engine.limiter().recheck();
    let longer = |run: &domain::Run| {
        run.state().is_over() || run.waits.first().is_some_and(|w| w.until > Some(first))
    };
    let run_now = bench.wait(run, longer).await;
    assert_eq!(
        run_now.state(),
        RunState::Waiting,
        "{}",
        bench.story(run).await
    );
    // Also for the next daemon.
    bench.restart(|| clock.advance(1_000_000)).await;
    let run_now = bench.wait(run, |run| !run.waits.is_empty()).await;
    assert_eq!(
        run_now.state(),
        RunState::Waiting,
        "{}",
        bench.story(run).await
    );
    clock.advance(3_600_000);
    bench.engine.limiter().recheck();
    let over = bench.wait(run, |run| run.state().is_over()).await;
    assert_eq!(
        over.state(),
        RunState::Completed,
        "{}",
        bench.story(run).await
    );
    assert_eq!(bench.server.requests_of("limited").len(), 3);
}
