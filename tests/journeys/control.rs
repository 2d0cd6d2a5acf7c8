//! Steering: pause, resume, cancel, say something, wait.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::model_server::{Script, Turn};

use crate::support::{SOON, World, mend, one_command, open_review, text};

#[tokio::test]
async fn a_paused_run_asks_nothing_more_until_it_is_resumed() -> Result<()> {
    let world = World::new().await?;
    world.server.script("mend", mend());
    let gate = world.server.hold("mend", 1);
    let id = world.start("mend", &["--verify", "sh test.sh"]).await?;
    gate.arrived(SOON).await?;
    let ack = world.json(&["pause", &id]).await?;
    assert_eq!(ack["runs"][0]["state"], "paused");
    assert_eq!(world.cli(&["wait", &id]).await?.code, 8);
    gate.release();
    // The held answer may still arrive; the next call must not be made.
    world
        .daemon
        .wait_shown(&id, SOON, |run| run["state"] == "paused")
        .await?;
    let ack = world.json(&["resume", &id]).await?;
    ensure!(ack["runs"][0]["state"] != "paused", "{ack:#}");
    let run = world.completed(&id).await?;
    let asked: Vec<usize> = world
        .server
        .requests_of("mend")
        .iter()
        .map(|r| r.turn)
        .collect();
    assert_eq!(
        asked,
        [0, 1, 2, 3],
        "the answer that was on its way is used: {run:#}"
    );
    Ok(())
}

#[tokio::test]
async fn pause_and_resume_all() -> Result<()> {
    let world = World::new().await?;
    world.server.script("mend", mend());
    world.server.script("ask", one_command("touch made.key"));
    let gate = world.server.hold("mend", 0);
    let works = world.start("mend", &["--verify", "sh test.sh"]).await?;
    let asks = world.start("ask", &[]).await?;
    gate.arrived(SOON).await?;
    let review = text(&world.review(&asks, "tool_call").await?, "id")?;
    world.json(&["pause", "--all"]).await?;
    for id in [&works, &asks] {
        world.wait(id, &["paused"]).await?;
    }
    gate.release();
    // A decision may be made while it is paused; it is used when the run goes on.
    world.cli(&["approve", &review]).await?.ok()?;
    assert_eq!(world.json(&["show", &asks]).await?["state"], "paused");
    let acks = world.json(&["resume", "--all"]).await?;
    assert_eq!(acks["runs"].as_array().map(Vec::len), Some(2), "{acks:#}");
    for id in [&works, &asks] {
        world.completed(id).await?;
    }
    Ok(())
}

#[tokio::test]
async fn cancel_kills_the_command_and_everything_it_started() -> Result<()> {
    let world = World::new().await?;
    let effects = world.effects();
    let command = format!(
        "sleep 600 & (sleep 600 & wait) & {}; wait",
        effects.shell("begun")
    );
    world.server.script("long", one_command(&command));
    let id = world.start("long", &["--policy", "hands-off"]).await?;
    effects.wait_for("begun", 1, SOON).await?;
    ensure!(
        world.daemon.home.processes().len() > 3,
        "keeper, shell and its children"
    );
    let ack = world.json(&["cancel", &id]).await?;
    assert_eq!(ack["state"], "cancelled");
    assert_eq!(world.cli(&["wait", &id]).await?.code, 8);
    let deadline = tokio::time::Instant::now() + SOON;
    // Only the daemon is left.
    while world.daemon.home.processes().len() > 1 {
        ensure!(
            tokio::time::Instant::now() < deadline,
            "left: {:?}",
            world.daemon.home.processes()
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let run = world.json(&["show", &id]).await?;
    let path = text(&run["workspace"], "path")?;
    ensure!(
        fs::exists(&path)?,
        "the files stay until they are discarded"
    );
    world.json(&["discard", &id]).await?;
    ensure!(!fs::exists(&path)?);
    assert_eq!(world.cli(&["resume", &id]).await?.code, 2);
    Ok(())
}

#[tokio::test]
async fn cancel_withdraws_what_was_asked() -> Result<()> {
    let world = World::new().await?;
    let effects = world.effects();
    world
        .server
        .script("deploy", one_command(&effects.shell("deploy")));
    let id = world.start("deploy", &[]).await?;
    let review = text(&world.review(&id, "tool_call").await?, "id")?;
    world.json(&["cancel", &id]).await?;
    assert_eq!(world.json(&["reviews"]).await?["reviews"], json!([]));
    let late = world.cli(&["approve", &review]).await?;
    ensure!(matches!(late.code, 2 | 6), "{late:?}");
    assert_eq!(effects.count("deploy")?, 0);
    assert_eq!(
        world.json(&["cancel", &id]).await?["state"],
        "cancelled",
        "twice is no error"
    );
    Ok(())
}

#[tokio::test]
async fn a_message_reaches_the_model_with_its_next_call() -> Result<()> {
    let world = World::new().await?;
    world.server.script("mend", mend());
    let gate = world.server.hold("mend", 0);
    let id = world.start("mend", &["--verify", "sh test.sh"]).await?;
    gate.arrived(SOON).await?;
    world
        .json(&["message", &id, "Leave multiply alone."])
        .await?;
    gate.release();
    world.completed(&id).await?;
    let requests = world.server.requests_of("mend");
    let second = requests.get(1).context("a second call")?;
    ensure!(
        second.body["messages"]
            .to_string()
            .contains("Leave multiply alone.")
    );
    assert_eq!(world.cli(&["message", &id, "too late"]).await?.code, 2);
    Ok(())
}

#[tokio::test]
async fn a_message_during_the_last_answer_is_still_heard() -> Result<()> {
    let world = World::new().await?;
    world.server.script(
        "hi",
        Script::new()
            .turn(Turn::text("First."))
            .turn(Turn::text("Second.")),
    );
    let gate = world.server.hold("hi", 0);
    let id = world.start("hi", &[]).await?;
    gate.arrived(SOON).await?;
    world.json(&["message", &id, "And say it again."]).await?;
    gate.release();
    let run = world.completed(&id).await?;
    assert_eq!(run["result"], "Second.");
    Ok(())
}

#[tokio::test]
async fn a_message_during_a_command_comes_after_its_result() -> Result<()> {
    let world = World::new().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let command = format!(
        "{}; while [ ! -e {} ]; do sleep 0.05; done",
        effects.shell("begun"),
        go.display()
    );
    world.server.script("long", one_command(&command));
    let id = world.start("long", &["--policy", "hands-off"]).await?;
    effects.wait_for("begun", 1, SOON).await?;
    world.json(&["message", &id, "Then stop."]).await?;
    fs::write(&go, "")?;
    // The server refuses histories in which a result does not follow its call.
    world.completed(&id).await?;
    ensure!(world.said_to_model("long").contains("Then stop."));
    Ok(())
}

#[tokio::test]
async fn waiting_ends_at_a_state_or_at_its_limit() -> Result<()> {
    let world = World::new().await?;
    world.server.script("mend", mend());
    let gate = world.server.hold("mend", 0);
    let id = world.start("mend", &["--verify", "sh test.sh"]).await?;
    assert_eq!(
        world
            .cli(&["wait", &id, "--for", "running", "--timeout", "40s"])
            .await?
            .code,
        0
    );
    let late = world
        .cli(&["wait", &id, "--timeout", "1s", "--json"])
        .await?;
    assert_eq!(
        (late.code, &late.json()["error"]["code"]),
        (7, &"timeout".into())
    );
    gate.release();
    assert_eq!(world.cli(&["wait", &id, "--timeout", "40s"]).await?.code, 0);
    let never = world
        .cli(&["wait", &id, "--for", "paused", "--timeout", "40s"])
        .await?;
    assert_eq!(never.code, 7, "{never:?}");
    Ok(())
}

#[tokio::test]
async fn logs_follow_a_run_to_its_end() -> Result<()> {
    let world = World::new().await?;
    world.server.script("mend", mend());
    let gate = world.server.hold("mend", 1);
    let id = world.start("mend", &["--verify", "sh test.sh"]).await?;
    gate.arrived(SOON).await?;
    let home = &world.daemon.home;
    let follow = ["logs", &id, "--follow", "--json"];
    let (followed, ()) = tokio::join!(home.cli(&follow), async { gate.release() });
    let lines: Vec<Value> = followed?
        .ok()?
        .stdout
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let seqs: Vec<u64> = lines
        .iter()
        .filter_map(|line| line["seq"].as_u64())
        .collect();
    assert_eq!(
        seqs,
        (1..=seqs.len() as u64).collect::<Vec<_>>(),
        "each event once, in order"
    );
    let words = world.cli(&["logs", &id]).await?.ok()?.stdout;
    ensure!(words.contains("calc.sh"), "{words}");
    Ok(())
}

#[tokio::test]
async fn a_model_that_repeats_itself_is_stopped() -> Result<()> {
    let world = World::new().await?;
    let again = || Turn::new().tool("read", json!({"path": "calc.sh"}));
    let script = (0..5).fold(Script::new(), |script, _| script.turn(again()));
    world
        .server
        .script("loop", script.turn(Turn::text("I try something else.")));
    let id = world.start("loop", &["--policy", "hands-off"]).await?;
    let review = world.review(&id, "loop").await?;
    assert_eq!(world.server.requests_of("loop").len(), 5);
    world
        .cli(&[
            "reject",
            &text(&review, "id")?,
            "--note",
            "you have it already",
        ])
        .await?
        .ok()?;
    world.completed(&id).await?;
    ensure!(world.said_to_model("loop").contains("you have it already"));
    Ok(())
}

#[tokio::test]
async fn one_run_after_another() -> Result<()> {
    let world = World::new().await?;
    world.server.script("mend", mend());
    world
        .server
        .script("hi", Script::new().turn(Turn::text("Hello.")));
    let gate = world.server.hold("mend", 0);
    let first = world.start("mend", &["--verify", "sh test.sh"]).await?;
    let then = world.start("hi", &["--after", &first]).await?;
    let orphan_of = world.start("mend", &[]).await?;
    let orphan = world.start("hi", &["--after", &orphan_of]).await?;
    let waits = |run: &Value| run["causes"] == json!(["dependency"]);
    world.daemon.wait_shown(&then, SOON, waits).await?;
    ensure!(world.server.requests_of("hi").is_empty());
    world.json(&["cancel", &orphan_of]).await?;
    gate.release();
    world.completed(&then).await?;
    let review = world.review(&orphan, "dependency").await?;
    ensure!(open_review(&world.json(&["show", &orphan]).await?, "dependency").is_some());
    world
        .cli(&["answer", &text(&review, "id")?, "start"])
        .await?
        .ok()?;
    world.completed(&orphan).await?;
    Ok(())
}
