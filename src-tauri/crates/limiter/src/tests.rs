use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::{Clock, Timestamp};
use tokio::time::{Instant, advance, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Gate, Limit, LimitKind, Limiter, Permit, Settings};

/// Follows tokio's paused time, and can jump against it.
struct TestClock {
    start: Instant,
    jump_ms: AtomicI64,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.start.elapsed().as_millis()).expect("short test");
        Timestamp(1_800_000_000_000 + elapsed + self.jump_ms.load(Ordering::SeqCst))
    }
}

fn clock() -> Arc<TestClock> {
    Arc::new(TestClock {
        start: Instant::now(),
        jump_ms: AtomicI64::new(0),
    })
}

fn limiter() -> Limiter {
    Limiter::new(clock(), Settings::default())
}

const fn limit(retry_after_ms: Option<u64>) -> Limit {
    Limit {
        kind: LimitKind::RateLimit,
        retry_after_ms,
    }
}

async fn pass(gate: &Gate, run: &str) -> Permit {
    gate.acquire(run, 0, &CancellationToken::new())
        .await
        .expect("not cancelled")
}

/// Lets every spawned task reach its next wait. Paused time only moves when all are idle.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn one_limit_holds_all_runs_until_the_reset_and_then_releases_them_apart() {
    let limiter = limiter();
    let began = Instant::now();
    pass(&limiter.gate("key"), "run-0")
        .await
        .limited(limit(Some(60_000)));
    let sent = Arc::new(Mutex::new(Vec::new()));
    let runs: Vec<_> = (0..8)
        .map(|n| {
            let (limiter, sent) = (limiter.clone(), Arc::clone(&sent));
            tokio::spawn(async move {
                for _ in 0..3 {
                    let permit = pass(&limiter.gate("key"), &format!("run-{n}")).await;
                    sent.lock()
                        .expect("list")
                        .push((began.elapsed().as_millis(), n));
                    sleep(Duration::from_millis(100)).await;
                    permit.succeeded();
                }
            })
        })
        .collect();
    for run in runs {
        run.await.expect("every run gets all its calls");
    }
    let sent = sent.lock().expect("list");
    assert_eq!(sent.len(), 24);
    assert!(sent[0].0 >= 60_000, "sent before the reset: {sent:?}");
    assert!(
        sent[1].0 >= sent[0].0 + 100 + 250,
        "not staggered: {sent:?}"
    );
    assert!(sent[2].0 >= sent[1].0 + 250, "not staggered: {sent:?}");
    let first_round: std::collections::BTreeSet<_> = sent[..9].iter().map(|(_, n)| *n).collect();
    assert_eq!(
        first_round.len(),
        8,
        "somebody went twice before others went once: {sent:?}"
    );
    assert_eq!(limiter.gate("key").blocked(), None);
}

#[tokio::test(start_paused = true)]
async fn without_a_known_reset_single_probes_go_at_growing_gaps() {
    let limiter = limiter();
    pass(&limiter.gate("key"), "run").await.limited(limit(None));
    let waiting: Vec<_> = (0..5)
        .map(|n| {
            let limiter = limiter.clone();
            tokio::spawn(async move {
                pass(&limiter.gate("key"), &format!("other-{n}"))
                    .await
                    .succeeded()
            })
        })
        .collect();
    let mut last = Instant::now();
    let mut gaps = Vec::new();
    for _ in 0..7 {
        // The probe of highest priority is ours; nobody else goes meanwhile.
        let probe = limiter
            .gate("key")
            .acquire("run", 9, &CancellationToken::new())
            .await
            .expect("not cancelled");
        gaps.push(last.elapsed().as_secs());
        sleep(Duration::from_secs(3)).await;
        assert_eq!(limiter.status()[0].in_flight, 1);
        last = Instant::now();
        probe.limited(limit(None));
    }
    for (gap, least) in gaps.iter().zip([15, 30, 60, 120, 240, 300, 300]) {
        assert!(
            (least..=least + least / 4).contains(gap) && *gap <= 300,
            "{gaps:?}"
        );
    }
    for task in waiting {
        task.await.expect("released in the end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_limit_of_an_earlier_call_lengthens_but_does_not_escalate() {
    let limiter = limiter();
    let gate = limiter.gate("key");
    let (a, b, c, d) = (
        pass(&gate, "a").await,
        pass(&gate, "b").await,
        pass(&gate, "c").await,
        pass(&gate, "d").await,
    );
    a.limited(limit(None));
    let first = gate.blocked().expect("paused");
    b.limited(limit(None));
    assert_eq!(gate.blocked(), Some(first.clone()));
    c.succeeded();
    assert_eq!(
        gate.blocked(),
        Some(first.clone()),
        "a success of before the pause does not end it"
    );
    d.limited(limit(Some(120_000)));
    let longer = gate.blocked().expect("paused");
    assert!(longer.until > first.until && longer.known);
    timeout(Duration::from_millis(1), gate.changed())
        .await
        .expect_err("blocked() has seen it");
    assert_eq!(limiter.status()[0].in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_limit_during_the_release_pauses_again() {
    let limiter = limiter();
    let gate = limiter.gate("key");
    pass(&gate, "a").await.limited(limit(None));
    pass(&gate, "a").await.succeeded();
    let again = pass(&gate, "b").await;
    again.limited(limit(None));
    let pause = gate.blocked().expect("paused again");
    assert_eq!(pause.attempt, 1, "the gaps go on growing");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_says_nothing_passes_the_turn_on() {
    let limiter = limiter();
    let gate = limiter.gate("key");
    pass(&gate, "a").await.limited(limit(Some(1_000)));
    drop(pass(&gate, "a").await);
    let probe = pass(&gate, "b").await;
    assert!(gate.blocked().is_some(), "still one at a time");
    probe.accepted();
    assert_eq!(
        gate.blocked(),
        None,
        "released before the answer is complete"
    );
    timeout(Duration::from_secs(1), pass(&gate, "c"))
        .await
        .expect("released")
        .succeeded();
}

#[tokio::test(start_paused = true)]
async fn higher_priority_first_then_first_come() {
    let limiter = Limiter::new(
        clock(),
        Settings {
            concurrency: 1,
            ..Settings::default()
        },
    );
    let held = pass(&limiter.gate("key"), "holder").await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for (name, priority) in [("low", -1), ("first", 0), ("second", 0), ("high", 5)] {
        let (limiter, order) = (limiter.clone(), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let gate = limiter.gate("key");
            let permit = gate
                .acquire(name, priority, &CancellationToken::new())
                .await
                .expect("not cancelled");
            order.lock().expect("list").push(name);
            permit.succeeded();
        }));
        settle().await;
    }
    assert_eq!(
        limiter.status()[0].waiting,
        ["high", "first", "second", "low"]
    );
    held.succeeded();
    for task in tasks {
        task.await.expect("all pass");
    }
    assert_eq!(
        *order.lock().expect("list"),
        ["high", "first", "second", "low"]
    );
}

#[tokio::test(start_paused = true)]
async fn giving_up_leaves_nothing_behind() {
    let limiter = limiter();
    let gate = limiter.gate("key");
    pass(&gate, "a").await.limited(limit(Some(3_600_000)));
    let cancel = CancellationToken::new();
    let waiting = tokio::spawn({
        let (limiter, cancel) = (limiter.clone(), cancel.clone());
        async move {
            limiter
                .gate("key")
                .acquire("cancelled", 0, &cancel)
                .await
                .is_err()
        }
    });
    timeout(Duration::from_millis(1), pass(&gate, "dropped"))
        .await
        .map(|_| ())
        .expect_err("paused");
    settle().await;
    assert_eq!(limiter.status()[0].waiting, ["cancelled"]);
    cancel.cancel();
    assert!(waiting.await.expect("task"));
    let status = &limiter.status()[0];
    assert_eq!((status.waiting.len(), status.in_flight), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_place_in_the_queue_survives_looking_again() {
    let limiter = Limiter::new(
        clock(),
        Settings {
            concurrency: 1,
            ..Settings::default()
        },
    );
    let held = pass(&limiter.gate("key"), "holder").await;
    let early = limiter.gate("key");
    timeout(Duration::from_millis(1), pass(&early, "early"))
        .await
        .map(|_| ())
        .expect_err("full");
    let late = tokio::spawn({
        let limiter = limiter.clone();
        async move { pass(&limiter.gate("key"), "late").await.succeeded() }
    });
    settle().await;
    let early = tokio::spawn(async move { pass(&early, "early").await.succeeded() });
    settle().await;
    assert_eq!(limiter.status()[0].waiting, ["early", "late"]);
    held.succeeded();
    early.await.expect("passes");
    late.await.expect("passes");
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_the_pause() {
    let clock = clock();
    let before = Limiter::new(clock.clone(), Settings::default());
    let mut changes = before.changes();
    pass(&before.gate("key"), "a")
        .await
        .limited(limit(Some(60_000)));
    changes.changed().await.expect("told to persist");
    let saved = serde_json::to_string(&before.snapshot()).expect("serializes");
    let after = Limiter::new(clock, Settings::default());
    after.restore(serde_json::from_str(&saved).expect("reads back"));
    assert_eq!(after.snapshot(), before.snapshot());
    let began = Instant::now();
    let gate = after.gate("key");
    let probe = pass(&gate, "a").await;
    assert!(began.elapsed() >= Duration::from_secs(60));
    timeout(Duration::from_secs(5), pass(&gate, "b"))
        .await
        .map(|_| ())
        .expect_err("one at a time first");
    probe.succeeded();
    assert!(after.snapshot().pauses.is_empty());
}

#[tokio::test(start_paused = true)]
async fn clocks_that_jump_neither_lengthen_a_pause_nor_hide_its_end() {
    let clock = clock();
    let limiter = Limiter::new(clock.clone(), Settings::default());
    let gate = limiter.gate("key");
    pass(&gate, "a").await.limited(limit(Some(4 * 3_600_000)));
    let began = Instant::now();
    let waiting = tokio::spawn({
        let limiter = limiter.clone();
        async move { pass(&limiter.gate("key"), "a").await }
    });
    settle().await;
    clock.jump_ms.store(5 * 3_600_000, Ordering::SeqCst); // asleep for five hours
    waiting.await.expect("passes").limited(limit(Some(60_000)));
    assert!(
        began.elapsed() <= Duration::from_secs(31),
        "{:?}",
        began.elapsed()
    );
    clock.jump_ms.store(0, Ordering::SeqCst); // the clock is set back five hours
    let set_back = Instant::now();
    pass(&gate, "a").await.succeeded();
    assert!(
        set_back.elapsed() >= Duration::from_secs(59)
            && set_back.elapsed() <= Duration::from_secs(61)
    );
}

#[tokio::test(start_paused = true)]
async fn a_person_can_pause_and_resume() {
    let limiter = limiter();
    let gate = limiter.gate("key");
    gate.pause_until(Timestamp(1_800_000_000_000 + 3_600_000), LimitKind::Offline);
    assert_eq!(
        gate.blocked().map(|pause| pause.kind),
        Some(LimitKind::Offline)
    );
    assert_eq!(limiter.gate("other key").blocked(), None);
    let waiting = tokio::spawn({
        let limiter = limiter.clone();
        async move { pass(&limiter.gate("key"), "a").await.succeeded() }
    });
    settle().await;
    advance(Duration::from_secs(60)).await;
    assert!(!waiting.is_finished());
    gate.resume();
    timeout(Duration::from_secs(1), waiting)
        .await
        .expect("goes at once")
        .expect("task");
}
