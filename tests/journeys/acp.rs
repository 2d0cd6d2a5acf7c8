//! Agents of the Agent Client Protocol: asked, watched, killed and brought back as others.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::rough::{run, say, start};
use crate::support::{SOON, World, hangs, nano, op, open_review, text, waits};

#[tokio::test]
async fn an_acp_agent_asks_is_approved_and_completes() -> Result<()> {
    let world = World::new().await?;
    let effects = world.effects();
    let script = json!({"turn": [
        say("I look around."),
        run(&effects.shell("yes")),
        run(&effects.shell("no")),
        say("All done."),
    ]});
    let id = start(&world, "acp", script, &[]).await?;
    let first = world.review(&id, "tool_call").await?;
    ensure!(text(&first, "detail")?.contains("yes"), "{first:#}");
    assert_eq!(effects.entries()?.len(), 0, "asked before, not after");
    world.cli(&["approve", &text(&first, "id")?]).await?.ok()?;
    effects.wait_for("yes", 1, SOON).await?;
    let other = |run: &Value| open_review(run, "tool_call").is_some_and(|r| r["id"] != first["id"]);
    let shown = world.daemon.wait_shown(&id, SOON, other).await?;
    let second = open_review(&shown, "tool_call").context("a review")?;
    world.cli(&["reject", &text(&second, "id")?]).await?.ok()?;
    let run = world.completed(&id).await?;
    assert_eq!((effects.count("yes")?, effects.count("no")?), (1, 0));
    let told = (&run["kind"], &run["result"]);
    assert_eq!(told, (&"acp".into(), &"All done.".into()));
    assert_eq!(
        nano(&run["cost_usd"])?,
        12_500_000,
        "as it reported: {run:#}"
    );
    let bash = op(&run, "bash")?;
    assert_eq!(
        (&bash["mode"], &bash["state"]),
        (&"gated".into(), &"finished".into())
    );
    assert_eq!(
        world.project.status()?,
        "",
        "the user's files are as they were"
    );
    Ok(())
}

#[tokio::test]
async fn an_acp_agent_outlives_the_daemon() -> Result<()> {
    let mut world = World::new().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let slow = waits(&effects, &go);
    let script = json!({"turn": [run(&slow), say("All done.")]});
    let id = start(&world, "acp", script, &["--policy", "hands-off"]).await?;
    effects.wait_for("begun", 1, SOON).await?;
    let kept = world.daemon.home.keepers();
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    world.wait(&id, &["running"]).await?;
    assert_eq!(world.daemon.home.keepers(), kept, "the same processes");
    fs::write(&go, "")?;
    let run = world.completed(&id).await?;
    effects.nothing_twice()?;
    assert_eq!(effects.count("ended")?, 1);
    assert_eq!(run["result"], "All done.");
    Ok(())
}

#[tokio::test]
async fn a_question_of_an_acp_agent_outlives_the_daemon() -> Result<()> {
    let mut world = World::new().await?;
    let effects = world.effects();
    let script = json!({"turn": [run(&effects.shell("asked")), say("All done.")]});
    let id = start(&world, "acp", script, &[]).await?;
    let review = text(&world.review(&id, "tool_call").await?, "id")?;
    world.wait(&id, &["waiting"]).await?;
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    world.cli(&["approve", &review]).await?.ok()?;
    world.completed(&id).await?;
    assert_eq!(effects.count("asked")?, 1);
    Ok(())
}

/// Killed in mid-tool with everything, brought back: nothing twice, whatever the agent can do
/// with its sessions.
async fn is_brought_back(resumes: &str) -> Result<(Value, World)> {
    let mut world = World::new().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let slow = hangs(&effects, &go);
    let script = json!({"resumes": resumes, "turn": [
        run(&effects.shell("before")), run(&slow), run(&effects.shell("after")), say("All done."),
    ]});
    let id = start(&world, "acp", script, &["--policy", "hands-off"]).await?;
    effects.wait_for("begun", 1, SOON).await?;
    world.daemon.kill9_all()?;
    fs::write(&go, "")?;
    world.daemon.launch().await?;
    let review = world.review(&id, "in_doubt").await?;
    ensure!(text(&review, "title")?.contains("begun"), "{review:#}");
    effects.at_most_once("begun")?;
    world.happened(&review).await?;
    let run = world.completed(&id).await?;
    ensure!(
        text(&run["recovery"], "briefing")?.contains("begun"),
        "{run:#}"
    );
    Ok((run, world))
}

#[tokio::test]
async fn an_acp_agent_is_brought_back_in_its_session() -> Result<()> {
    for resumes in ["quietly", "loudly"] {
        let (run, world) = is_brought_back(resumes).await?;
        let effects = world.effects();
        effects.nothing_twice()?;
        assert_eq!(effects.entries()?.len(), 3, "before, begun, after");
        ensure!(
            op(&run, "of old").is_err(),
            "what it told again is of old: {run:#}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_acp_agent_without_its_session_is_told_what_was_done() -> Result<()> {
    for resumes in ["never", "in_vain"] {
        let (run, world) = is_brought_back(resumes).await?;
        let id = text(&run, "id")?;
        let log = world.cli(&["logs", &id]).await?.ok()?.stdout;
        ensure!(log.contains("a new one was begun"), "{log}");
        // Its agent knows only what it was told, and does no more than what is left.
        let effects = world.effects();
        effects.nothing_twice()?;
        assert_eq!(effects.entries()?.len(), 3, "before, begun, after");
    }
    Ok(())
}

#[tokio::test]
async fn a_version_of_the_protocol_that_is_not_spoken_is_said() -> Result<()> {
    let world = World::new().await?;
    let id = start(
        &world,
        "acp",
        json!({"version": 2, "turn": [say("Hello.")]}),
        &[],
    )
    .await?;
    let run = world.wait(&id, &["failed"]).await?;
    let why = run["cause"].to_string() + &run["failure"].to_string() + &run.to_string();
    ensure!(why.contains("speaks version 2"), "{run:#}");
    Ok(())
}

#[tokio::test]
async fn an_acp_backend_needs_a_command_or_a_known_name() -> Result<()> {
    let world = World::new().await?;
    let out = world
        .cli(&["backend", "add", "mine", "--kind", "acp"])
        .await?;
    assert_eq!(out.code, 2);
    ensure!(out.stderr.contains("--command 'gemini --acp'"), "{out:?}");
    world
        .cli(&["backend", "add", "gemini", "--kind", "acp"])
        .await?
        .ok()?;
    let list = world.json(&["backend", "list"]).await?;
    let backends = list["backends"].as_array().context("backends")?;
    let gemini = backends
        .iter()
        .find(|b| b["name"] == "gemini")
        .context("gemini")?;
    assert_eq!(gemini["command"], "gemini --acp");
    let promises = gemini["promises"].as_array().context("promises")?;
    assert_eq!(promises.len(), 5, "{gemini:#}");
    Ok(())
}
