//! Decisions that can be undone, edited calls, and what a kill -9 makes of them.

use anyhow::{Context as _, Result, bail, ensure};
use client::{Client, ClientError};
use protocol::{DecideRequest, Decided, ErrorCode, ReviewRequest, UndoRequest, Undone};
use serde_json::{Value, json};
use testkit::model_server::{Script, Turn};

use crate::support::{SOON, World, one_command, op, open_review, text};

/// Long enough that nothing takes effect while a test looks.
const LONG: u32 = 60_000;

/// Long enough to kill a daemon in.
const SHORT: u32 = 1_500;

/// Speaks to the daemon as the window does.
fn window(world: &World) -> Client {
    let home = &world.daemon.home;
    let runtime = home.place("run");
    Client::connect(client::paths::socket_of(&home.path(), Some(&runtime), 0))
}

fn decision(review: &str, choice: &str, grace_ms: u32) -> DecideRequest {
    DecideRequest {
        review: review.to_owned(),
        choice: choice.to_owned(),
        by: "desktop".to_owned(),
        grace_ms,
        ..DecideRequest::default()
    }
}

fn edited(review: &str, arguments: Value, grace_ms: u32) -> DecideRequest {
    DecideRequest {
        arguments: arguments.as_object().cloned(),
        ..decision(review, "approve", grace_ms)
    }
}

async fn undo(
    client: &Client,
    review: &str,
    made: Option<&Decided>,
) -> Result<Undone, ClientError> {
    let request = UndoRequest {
        review: review.to_owned(),
        effective_at: made.and_then(|made| made.effective_at),
        by: Some("desktop".to_owned()),
    };
    client.undo(request).await
}

fn is_conflict<T>(result: Result<T, ClientError>) -> Result<()> {
    match result {
        Err(ClientError::Refused(error)) if error.code == ErrorCode::Conflict => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => bail!("it was not refused"),
    }
}

/// A world whose model runs one command, and the review of it.
async fn asked(effect: &str, crash_at: Option<&str>) -> Result<(World, String, String)> {
    let mut world = World::new().await?;
    let command = world.effects().shell(effect);
    world.server.script("deploy", one_command(&command));
    if let Some(point) = crash_at {
        world.daemon.terminate().await?;
        world.daemon.env_once("LONGHAUL_CRASH_AT", point);
        world.daemon.launch().await?;
    }
    let run = world.start("deploy", &[]).await?;
    let review = text(&world.review(&run, "tool_call").await?, "id")?;
    Ok((world, run, review))
}

/// When the run's events of a kind were recorded.
async fn times_of(world: &World, run: &str, kind: &str) -> Result<Vec<String>> {
    let out = world.cli(&["logs", run, "--json"]).await?.ok()?;
    let entries = out.stdout.lines().map(serde_json::from_str::<Value>);
    let mut times = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry["event"]["kind"] == kind {
            times.push(text(&entry, "at")?);
        }
    }
    Ok(times)
}

#[tokio::test]
async fn a_killed_daemon_keeps_the_decision_and_its_time() -> Result<()> {
    let (mut world, run, review) = asked("deploy", None).await?;
    let decided = window(&world)
        .decide(decision(&review, "approve", SHORT))
        .await?;
    let effective = decided.effective_at.context("a time to undo it")?;
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    world.completed(&run).await?;
    assert_eq!(world.effects().count("deploy")?, 1);
    let used = times_of(&world, &run, "review_used").await?;
    ensure!(
        used.len() == 1 && used[0] >= effective.to_string(),
        "used at {used:?}, undoable until {effective}"
    );
    // And it is in the history, with who decided through what.
    let history = world.json(&["reviews", "--status", "decided"]).await?;
    let row = &history["reviews"][0];
    assert_eq!(
        (&row["id"], &row["state"], &row["answer"]["by"]),
        (&review.into(), &"used".into(), &"desktop".into())
    );
    Ok(())
}

#[tokio::test]
async fn a_decision_is_used_once_although_the_daemon_dies_using_it() -> Result<()> {
    let (mut world, run, review) = asked("deploy", Some("engine.before_review_used")).await?;
    let request = decision(&review, "approve", 200);
    window(&world).decide(request).await?;
    world.daemon.wait_exit(SOON).await?;
    assert_eq!(world.effects().count("deploy")?, 0);
    world.daemon.launch().await?;
    world.completed(&run).await?;
    assert_eq!(world.effects().count("deploy")?, 1);
    assert_eq!(times_of(&world, &run, "review_used").await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_undo_that_was_recorded_holds_and_one_that_was_not_does_not() -> Result<()> {
    let (mut world, run, review) = asked("deploy", Some("engine.undone")).await?;
    let client = window(&world);
    let made = client.decide(decision(&review, "approve", LONG)).await?;
    ensure!(
        undo(&client, &review, Some(&made)).await.is_err(),
        "it died"
    );
    world.daemon.wait_exit(SOON).await?;
    world.daemon.launch().await?;
    let shown = world.json(&["show", &run]).await?;
    ensure!(open_review(&shown, "tool_call").is_some(), "{shown:#}");
    is_conflict(undo(&window(&world), &review, Some(&made)).await)?;
    world.cli(&["reject", &review]).await?.ok()?;
    world.completed(&run).await?;
    assert_eq!(world.effects().count("deploy")?, 0);

    let (mut world, run, review) = asked("deploy", Some("engine.before_undo")).await?;
    let client = window(&world);
    let made = client.decide(decision(&review, "approve", SHORT)).await?;
    ensure!(
        undo(&client, &review, Some(&made)).await.is_err(),
        "it died"
    );
    world.daemon.wait_exit(SOON).await?;
    world.daemon.launch().await?;
    world.completed(&run).await?;
    assert_eq!(world.effects().count("deploy")?, 1);
    is_conflict(undo(&window(&world), &review, Some(&made)).await)?;
    Ok(())
}

#[tokio::test]
async fn two_windows_see_each_other() -> Result<()> {
    let (world, run, review) = asked("deploy", None).await?;
    let (one, other) = (window(&world), window(&world));
    let made = one.decide(decision(&review, "approve", LONG)).await?;
    is_conflict(other.decide(decision(&review, "reject", 0)).await)?;
    // In the queue of both, to be undone by either, and not among the open ones.
    let queue = other.reviews(protocol::ReviewsRequest::default()).await?;
    assert_eq!(queue.reviews.len(), 1);
    assert_eq!(queue.reviews[0].effective_at, made.effective_at);
    assert_eq!(queue.next_at, made.effective_at);
    ensure!(world.json(&["reviews"]).await?["reviews"] == json!([]));
    let status = world.json(&["daemon", "status"]).await?;
    assert_eq!(status["open_reviews"], 0);
    let waiting = world.json(&["show", &run]).await?;
    assert_eq!(
        (&waiting["state"], &waiting["cause"]),
        (&"waiting".into(), &"review".into())
    );
    undo(&other, &review, Some(&made)).await?;
    is_conflict(undo(&one, &review, Some(&made)).await)?;
    one.decide(decision(&review, "reject", 0)).await?;
    world.completed(&run).await?;
    assert_eq!(world.effects().count("deploy")?, 0);
    Ok(())
}

#[tokio::test]
async fn each_of_three_parallel_calls_gets_its_own_answer_over_a_kill() -> Result<()> {
    let mut world = World::new().await?;
    let effects = world.effects();
    let mut all = Turn::new();
    for name in ["yes", "no", "changed"] {
        all = all.tool("shell", json!({"command": effects.shell(name)}));
    }
    let script = Script::new().turn(all).turn(Turn::text("Done."));
    world.server.script("three", script);
    let run = world.start("three", &[]).await?;
    let all_asked = |run: &Value| run["reviews"].as_array().is_some_and(|r| r.len() == 3);
    let shown = world.daemon.wait_shown(&run, SOON, all_asked).await?;
    let client = window(&world);
    for review in shown["reviews"].as_array().context("reviews")? {
        let (id, title) = (text(review, "id")?, text(review, "detail")?);
        let instead = json!({"command": effects.shell("instead")});
        let request = match title {
            _ if title.contains("changed") => edited(&id, instead, SHORT),
            _ if title.contains("yes") => decision(&id, "approve", SHORT),
            _ => decision(&id, "reject", SHORT),
        };
        client.decide(request).await?;
    }
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    world.completed(&run).await?;
    let counts = ["yes", "no", "changed", "instead"].map(|name| effects.count(name).ok());
    assert_eq!(counts, [1, 0, 0, 1].map(Some));
    effects.nothing_twice()?;
    let told = world.said_to_model("three");
    ensure!(told.contains("The user changed this call"), "{told}");
    ensure!(told.contains("rejected this call"), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_changed_write_is_recognized_after_a_crash() -> Result<()> {
    let mut world = World::new().await?;
    let write = Turn::new().tool("write", json!({"path": "a.txt", "content": "asked\n"}));
    let script = Script::new().turn(write).turn(Turn::text("Done."));
    world.server.script("write", script);
    world.daemon.terminate().await?;
    world
        .daemon
        .env_once("LONGHAUL_CRASH_AT", "engine.edit_done");
    world.daemon.launch().await?;
    let run = world.start("write", &["--policy", "careful"]).await?;
    let review = text(&world.review(&run, "sensitive_change").await?, "id")?;
    let arguments = json!({"path": "a.txt", "content": "edited\n"}).to_string();
    let approve = ["approve", &review, "--arguments", &arguments];
    // The daemon may be dead before the command is answered.
    let _ = world.cli(&approve).await?;
    world.daemon.wait_exit(SOON).await?;
    world.daemon.launch().await?;
    let shown = world.completed(&run).await?;
    let path = text(&shown["workspace"], "path")?;
    assert_eq!(
        std::fs::read_to_string(format!("{path}/a.txt"))?,
        "edited\n"
    );
    assert_eq!(op(&shown, "write")?["state"], "finished");
    let told = world.said_to_model("write");
    ensure!(
        told.contains("The user changed this call") && told.contains("it happened"),
        "{told}"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_put_off_leaves_the_queue_and_comes_back_by_itself() -> Result<()> {
    let (world, run, review) = asked("deploy", None).await?;
    let snoozed = world.json(&["snooze", &review, "3s"]).await?;
    let until = text(&snoozed, "snoozed_until")?;
    let queue = world.json(&["reviews"]).await?;
    assert_eq!(queue["reviews"], json!([]), "it left the queue");
    assert_eq!(
        (&queue["snoozed"], text(&queue, "next_at")?),
        (&json!(1), until)
    );
    let away = world.json(&["reviews", "--status", "snoozed"]).await?;
    assert_eq!(away["reviews"][0]["id"], review.as_str());
    let deadline = std::time::Instant::now() + SOON;
    let back = loop {
        let queue = world.json(&["reviews"]).await?;
        if queue["reviews"][0]["id"] == review.as_str() {
            break queue;
        }
        ensure!(std::time::Instant::now() < deadline, "it never came back");
    };
    assert_eq!(back["snoozed"], 0);
    world.cli(&["approve", &review]).await?.ok()?;
    world.completed(&run).await?;
    Ok(())
}

#[tokio::test]
async fn a_review_in_detail_says_what_led_to_it() -> Result<()> {
    let world = World::new().await?;
    let command = "printf 'one\\n' > made.key";
    let look = Turn::text("First I look.").tool("read", json!({"path": "calc.sh"}));
    let ask = Turn::text("Now I make it.").tool("shell", json!({"command": command}));
    let script = Script::new().turn(look).turn(ask).turn(Turn::text("Done."));
    world.server.script("look", script);
    let run = world.start("look", &[]).await?;
    let review = text(&world.review(&run, "tool_call").await?, "id")?;
    let client = window(&world);
    let request = ReviewRequest {
        review: review.clone(),
    };
    let detail = client.review(request.clone()).await?;
    ensure!(detail.before.len() <= 8 && !detail.before.is_empty());
    let words: Vec<&str> = detail
        .before
        .iter()
        .filter_map(|e| e.text.as_deref())
        .collect();
    ensure!(words.last() == Some(&"Now I make it."), "{words:?}");
    ensure!(words.contains(&"First I look."), "{words:?}");
    let op = detail.op.context("its call")?;
    ensure!(
        op.arguments.contains("made.key") && op.edited.is_none(),
        "{op:?}"
    );
    assert_eq!(detail.run.id.to_string(), run);
    ensure!(detail.review.editable && !detail.review.low_risk);
    world
        .cli(&["approve", &review, "--arguments", r#"{"command":"true"}"#])
        .await?
        .ok()?;
    world.completed(&run).await?;
    let after = client.review(request).await?;
    let op = after.op.context("its call")?;
    ensure!(op.edited.is_some_and(|edited| edited.contains("true")));
    ensure!(!after.review.editable && after.review.answer.is_some());
    Ok(())
}
