//! What must come to an end: circles, lost keepers, questions, folders.

use domain::{Answer, Event, MessageOrigin, OpKind, Phase, Preset, ReviewKind, RunState};
use serde_json::json;
use testkit::model_server::{Fault, Script, Turn};

use crate::bench::{Bench, KEY, quick};

fn answer(choice: &str) -> Answer {
    serde_json::from_value(json!({"choice": choice, "by": "test", "at": 0})).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_get_a_call_right_is_stopped() {
    let bench = Bench::new().await;
    let mut script = Script::new();
    for n in 0..20 {
        script = script.turn(Turn::text("Again.").tool("read", json!({"file": n})));
    }
    bench
        .server
        .default_script("wrong", script.after(Turn::text("I give up.")));
    let project = bench.project();
    let task = bench.task(project.path(), "Read.");
    let run = bench.engine.start_run(task).await.unwrap().id;
    let asked = bench
        .wait(run, |run| !run.reviews.is_empty() || run.state().is_over())
        .await;
    let (id, review) = asked.reviews.iter().next().unwrap();
    assert_eq!(review.kind, ReviewKind::Loop);
    assert_eq!(asked.step, 5, "the fifth in a row");
    bench.engine.decide(*id, answer("reject")).await.unwrap();
    bench.wait(run, |run| run.step > 5).await;
    bench.engine.cancel(run, "test").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_while_a_call_was_retried_is_said_once() {
    let bench = Bench::with(engine::Settings {
        retry_ms: 3_000,
        ..quick()
    })
    .await;
    let script = Script::new().turn(Turn::text("Done."));
    bench.server.default_script("cut", script);
    bench.server.inject(Fault::CutMid { after_events: 3 }, 1);
    let project = bench.project();
    let task = bench.task(project.path(), "Do it.");
    let run = bench.engine.start_run(task).await.unwrap().id;
    let retried = |run: &domain::Run| {
        let state = domain::OpState::Intended;
        run.open_ops
            .values()
            .any(|op| op.tries == 1 && op.state == state)
    };
    bench.wait(run, retried).await;
    bench.engine.message(run, "Mind the gap.").await.unwrap();
    let done = bench.wait(run, |run| run.state().is_over()).await;
    assert_eq!(
        done.state(),
        RunState::Completed,
        "{}",
        bench.story(run).await
    );
    let entries = bench.store.journal(run, 0, 1000).await.unwrap();
    let repeated = entries.iter().any(|entry| {
        let origin = MessageOrigin::Continue;
        matches!(&entry.entry.event, Event::MessageAdded { origin: o, .. } if *o == origin)
    });
    assert!(!repeated, "{}", bench.story(run).await);
    assert_eq!(bench.server.requests_of("cut").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verify_command_that_takes_its_keeper_with_it_is_asked_about() {
    // From inside a sandbox the keeper is out of reach.
    let confinement = engine::Confinement {
        wanted: engine::UseSandbox::Off,
        ..Default::default()
    };
    let bench = Bench::with(engine::Settings {
        confinement,
        ..quick()
    })
    .await;
    bench
        .server
        .default_script("done", Script::new().after(Turn::text("Done.")));
    let project = bench.project();
    let mut task = bench.task(project.path(), "Do it.");
    task.verify = Some("sleep 0.2; kill -9 $PPID".to_owned());
    let run = bench.engine.start_run(task).await.unwrap().id;
    let asked = bench
        .wait(run, |run| !run.reviews.is_empty() || run.state().at_rest())
        .await;
    let (id, review) = asked.reviews.iter().next().unwrap();
    assert_eq!(review.kind, ReviewKind::VerifyFailed);
    assert!(
        review.detail.contains("never came to an end"),
        "{}",
        review.detail
    );
    assert_eq!(asked.verify_failures, 1, "one question, one failure");
    let ops = bench.store.ops(run, domain::OpId(1), 100).await.unwrap();
    let verify: Vec<_> = ops.iter().filter(|op| op.kind == OpKind::Verify).collect();
    assert_eq!((verify.len(), verify[0].tries), (1, 3));
    bench.engine.decide(*id, answer("accept")).await.unwrap();
    bench.wait(run, |run| run.phase == Phase::Completed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_verification_and_its_message_are_not_apart() {
    let bench = Bench::new().await;
    bench
        .server
        .default_script("done", Script::new().after(Turn::text("Done.")));
    let project = bench.project();
    let mut task = bench.task(project.path(), "Do it.");
    task.verify = Some("exit 3".to_owned());
    let run = bench.engine.start_run(task).await.unwrap().id;
    // Seen at every commit: none shows a failure counted and nobody told of it.
    let mut grown = bench.store.subscribe();
    loop {
        let now = bench.store.load(run).await.unwrap().unwrap();
        let entries = bench.store.journal(run, 0, 1000).await.unwrap();
        let seen = entries.iter().take_while(|e| e.entry.seq <= now.head);
        let last = seen.last().map(|e| &e.entry.event);
        assert!(
            !matches!(last, Some(Event::VerifyEnded { .. })),
            "a crash here would count the failure twice"
        );
        if !now.reviews.is_empty() {
            assert_eq!(now.verify_failures, 4, "three times back, then asked");
            break;
        }
        tokio::time::timeout(crate::bench::DEADLINE, grown.changed())
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_runs_question_about_a_credential_goes_when_it_is_mended() {
    let bench = Bench::new().await;
    bench
        .server
        .default_script("done", Script::new().after(Turn::text("Done.")));
    bench.server.set_valid_key(Some("another-key-not-real"));
    let project = bench.project();
    let task = bench.task(project.path(), "Do it.");
    let run = bench.engine.start_run(task).await.unwrap().id;
    let asked = bench.wait(run, |run| !run.reviews.is_empty()).await;
    assert_eq!(
        asked.reviews.values().next().unwrap().kind,
        ReviewKind::Auth
    );
    bench.engine.pause(run, "test").await.unwrap();
    bench
        .eventually(|| bench.engine.slots().1 == 0, "its worker rests")
        .await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    bench.engine.backend_changed("mine");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let still = bench.store.load(run).await.unwrap().unwrap();
    assert_eq!(still.reviews.len(), 1, "it is not mended yet");
    bench.server.set_valid_key(Some(KEY));
    bench.engine.backend_changed("mine");
    let paused = bench.wait(run, |run| run.reviews.is_empty()).await;
    assert_eq!(paused.phase, Phase::Paused);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_keepers_whose_operations_are_over() {
    let bench = Bench::new().await;
    let script = Script::new()
        .turn(
            Turn::text("Look.").tool("shell", json!({"command": "printf 'test-key-%s' not-real"})),
        )
        .turn(Turn::text("Long.").tool("shell", json!({"command": "sleep 600", "timeout_s": 900})));
    bench.server.default_script("key", script);
    let project = bench.project();
    let mut task = bench.task(project.path(), "Print it.");
    task.policy = Some(Preset::HandsOff);
    let run = bench.engine.start_run(task).await.unwrap().id;
    let second = |run: &domain::Run| {
        let begun = |op: &domain::Op| op.keeper.is_some();
        run.step == 2 && run.open_ops.values().any(begun)
    };
    bench.wait(run, second).await;
    assert!(KEY.ends_with("not-real"), "what was printed is the key");
    bench
        .eventually(|| bench.keepers() <= 1, "what printed a key is gone")
        .await;
    bench.engine.cancel(run, "test").await.unwrap();
    bench
        .eventually(|| bench.keepers() == 0, "what was killed is gone")
        .await;
    let sockets = std::fs::read_dir(bench.folder.path().join("run")).unwrap();
    assert_eq!(sockets.count(), 0);
}
