//! An agent we do not own: told what to do, watched, asked about, brought back.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::testkit_binary;

use crate::support::{QUICK, SOON, World, hangs, nano, op, text, waits};

/// A run of a scripted agent that takes these steps.
pub(crate) async fn start(world: &World, steps: Value, flags: &[&str]) -> Result<String> {
    let program = testkit_binary("scripted-agent")?.display().to_string();
    let add = [
        "backend",
        "add",
        "agent",
        "--kind",
        "claude-code",
        "--command",
        &program,
    ];
    world.json(&add).await?;
    let script = world.daemon.home.place("agent.json");
    let usage = json!({"input": 900, "output": 80, "cache_read": 5000, "cache_write": 40});
    let turn =
        json!({"steps": steps, "result": "The agent is done.", "usage": usage, "cost_usd": 0.0125});
    fs::write(&script, json!({"turns": [turn]}).to_string())?;
    let project = world.project.path().display().to_string();
    let prompt = format!("Mend it. [[agent-script:{}]]", script.display());
    let mut args = vec![
        "run",
        "--project",
        &project,
        "--backend",
        "agent",
        "--detach",
        "--json",
    ];
    args.extend(flags);
    args.push(&prompt);
    let out = world.cli(&args).await?.ok()?;
    text(&out.json(), "id")
}

pub(crate) fn bash(command: &str) -> Value {
    json!({"do": "tool", "name": "Bash", "input": {"command": command}})
}

#[tokio::test]
async fn an_agent_works_in_the_clone_and_its_cost_is_its_own_figure() -> Result<()> {
    let world = World::new().await?;
    let steps = json!([
        {"do": "text", "text": "I look around."},
        {"do": "tool", "name": "Read", "input": {"file_path": "calc.sh"}},
        {"do": "tool", "name": "Write", "input": {"file_path": "by-agent.txt", "content": "hello\n"}},
    ]);
    let id = start(&world, steps, &[]).await?;
    let run = world.completed(&id).await?;
    assert_eq!(
        (&run["kind"], &run["result"]),
        (&"claude-code".into(), &"The agent is done.".into())
    );
    assert_eq!(nano(&run["cost_usd"])?, 12_500_000, "{run:#}");
    let usage = &run["usage"];
    assert_eq!(
        (
            &usage["input"],
            &usage["output"],
            &usage["cache_read"],
            &usage["cache_write"]
        ),
        (&json!(900), &json!(80), &json!(5000), &json!(40))
    );
    let report = world.json(&["cost", "--by", "backend"]).await?;
    assert_eq!(
        nano(&report["rows"][0]["reported_usd"])?,
        12_500_000,
        "said to be the agent's own figure"
    );
    ensure!(op(&run, "Write")?["state"] == "finished", "{run:#}");
    let path = text(&run["workspace"], "path")?;
    assert_eq!(
        fs::read_to_string(format!("{path}/by-agent.txt"))?,
        "hello\n"
    );
    assert_eq!(world.project.status()?, "");
    Ok(())
}

#[tokio::test]
async fn what_the_agent_asks_for_becomes_a_review() -> Result<()> {
    let world = World::new().await?;
    let effects = world.effects();
    let id = start(
        &world,
        json!([bash(&effects.shell("yes")), bash(&effects.shell("no"))]),
        &[],
    )
    .await?;
    let first = world.review(&id, "tool_call").await?;
    ensure!(text(&first, "detail")?.contains("yes"), "{first:#}");
    assert_eq!(effects.entries()?.len(), 0);
    world.cli(&["approve", &text(&first, "id")?]).await?.ok()?;
    effects.wait_for("yes", 1, SOON).await?;
    let other = |run: &Value| {
        crate::support::open_review(run, "tool_call").is_some_and(|r| r["id"] != first["id"])
    };
    let run = world.daemon.wait_shown(&id, SOON, other).await?;
    let second = crate::support::open_review(&run, "tool_call").context("a review")?;
    world
        .cli(&["reject", &text(&second, "id")?, "--note", "not that"])
        .await?
        .ok()?;
    world.completed(&id).await?;
    assert_eq!((effects.count("yes")?, effects.count("no")?), (1, 0));
    Ok(())
}

#[tokio::test]
async fn an_agent_outlives_the_daemon() -> Result<()> {
    let mut world = World::new().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let slow = waits(&effects, &go);
    let id = start(
        &world,
        json!([bash(&slow), {"do": "text", "text": "All done."}]),
        &["--policy", "hands-off"],
    )
    .await?;
    effects.wait_for("begun", 1, SOON).await?;
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    world.wait(&id, &["running"]).await?;
    fs::write(&go, "")?;
    let run = world.completed(&id).await?;
    effects.nothing_twice()?;
    assert_eq!(effects.count("ended")?, 1);
    assert_eq!(nano(&run["cost_usd"])?, 12_500_000, "{run:#}");
    let bashes = run["ops"]
        .as_array()
        .context("ops")?
        .iter()
        .filter(|op| op["name"] == "Bash")
        .count();
    assert_eq!(bashes, 1, "told once");
    Ok(())
}

#[tokio::test]
async fn an_agent_lost_to_a_power_cut_is_brought_back_with_a_briefing() -> Result<()> {
    let mut world = World::new().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let slow = hangs(&effects, &go);
    let steps = json!([
        bash(&effects.shell("before")),
        bash(&slow),
        bash(&effects.shell("after"))
    ]);
    let id = start(&world, steps, &["--policy", "hands-off"]).await?;
    effects.wait_for("begun", 1, SOON).await?;
    world.daemon.kill9_all()?;
    fs::write(&go, "")?;
    world.daemon.launch().await?;
    let review = world.review(&id, "in_doubt").await?;
    effects.at_most_once("begun")?;
    world.happened(&review).await?;
    let run = world.completed(&id).await?;
    effects.nothing_twice()?;
    assert_eq!(
        effects.count("after")?,
        1,
        "it went on behind what was interrupted"
    );
    ensure!(
        text(&run["recovery"], "briefing")?.contains("Bash"),
        "{run:#}"
    );
    Ok(())
}

#[tokio::test]
async fn an_agent_that_dies_interrupts_the_run_and_resume_goes_on() -> Result<()> {
    let world = World::new().await?;
    let effects = world.effects();
    let steps = json!([
        bash(&effects.shell("before")),
        {"do": "tool", "name": "Bash", "input": {"command": effects.shell("hit")}, "die": "after"},
        bash(&effects.shell("after")),
    ]);
    let id = start(&world, steps, &["--policy", "hands-off"]).await?;
    let rests = |run: &Value| run["state"] == "interrupted" || run["state"] == "waiting";
    let run = world.daemon.wait_shown(&id, SOON, rests).await?;
    if run["state"] == "interrupted" {
        world.json(&["resume", &id]).await?;
    }
    let review = world.review(&id, "in_doubt").await?;
    world.happened(&review).await?;
    world.completed(&id).await?;
    effects.nothing_twice()?;
    assert_eq!(effects.count("after")?, 1);
    Ok(())
}

#[tokio::test]
async fn cancel_ends_the_agent() -> Result<()> {
    let world = World::new().await?;
    let id = start(
        &world,
        json!([{"do": "text", "text": "I wait."}, {"do": "hang", "deaf": true}]),
        &[],
    )
    .await?;
    world.wait(&id, &["running"]).await?;
    world
        .daemon
        .wait_shown(&id, SOON, |run| run["steps"] == 1)
        .await?;
    world.json(&["cancel", &id]).await?;
    let deadline = tokio::time::Instant::now() + SOON;
    while world.daemon.home.processes().len() > 1 {
        ensure!(
            tokio::time::Instant::now() < deadline,
            "left: {:?}",
            world.daemon.home.processes()
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test]
async fn an_agent_that_is_not_there_is_said_so_before_it_starts() -> Result<()> {
    let world = World::new().await?;
    let add = [
        "backend",
        "add",
        "gone",
        "--kind",
        "claude-code",
        "--command",
        "/nowhere/claude",
    ];
    world.json(&add).await?;
    let project = world.project.path().display().to_string();
    let out = world
        .cli(&[
            "run",
            "--project",
            &project,
            "--backend",
            "gone",
            "x",
            "--json",
        ])
        .await?;
    ensure!(out.code != 0, "{out:?}");
    ensure!(out.stdout.contains("/nowhere/claude"), "{out:?}");
    Ok(())
}

#[tokio::test]
async fn a_question_of_the_agent_outlives_the_daemon() -> Result<()> {
    let mut world = World::new().await?;
    let effects = world.effects();
    let id = start(&world, json!([bash(&effects.shell("asked"))]), &[]).await?;
    let review = text(&world.review(&id, "tool_call").await?, "id")?;
    world.wait(&id, &["waiting"]).await?;
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    world.cli(&["approve", &review]).await?.ok()?;
    world.completed(&id).await?;
    assert_eq!(effects.count("asked")?, 1);
    Ok(())
}

#[tokio::test]
async fn a_question_whose_agent_is_gone_is_not_left_standing() -> Result<()> {
    let mut world = World::new().await?;
    let effects = world.effects();
    let steps = json!([bash(&effects.shell("asked")), {"do": "text", "text": "Done."}]);
    let id = start(&world, steps, &[]).await?;
    world.review(&id, "tool_call").await?;
    world.wait(&id, &["waiting"]).await?;
    world.daemon.kill9_all()?;
    world.daemon.launch().await?;
    let asked = |run: &Value| run["state"] != "running" && run["state"] != "queued";
    let run = world.daemon.wait_shown(&id, SOON, asked).await?;
    assert_eq!(effects.count("asked")?, 0, "{run:#}");
    if run["state"] == "interrupted" {
        world.json(&["resume", &id]).await?;
    }
    if let Some(review) =
        crate::support::open_review(&world.json(&["show", &id]).await?, "tool_call")
    {
        world.cli(&["approve", &text(&review, "id")?]).await?.ok()?;
    }
    world.completed(&id).await?;
    effects.at_most_once("asked")
}

#[tokio::test]
async fn a_changed_call_of_an_agent_runs_as_changed_over_a_kill() -> Result<()> {
    let mut world = World::new().await?;
    let effects = world.effects();
    world.daemon.terminate().await?;
    world
        .daemon
        .env_once("LONGHAUL_CRASH_AT", "engine.before_permit");
    world.daemon.launch().await?;
    let id = start(&world, json!([bash(&effects.shell("asked"))]), &[]).await?;
    let review = text(&world.review(&id, "tool_call").await?, "id")?;
    let arguments = json!({"command": effects.shell("changed")}).to_string();
    // The daemon dies between the decision and its use; the agent lives on and asks again.
    let approve = ["approve", &review, "--arguments", &arguments];
    let _ = world.cli(&approve).await?;
    world.daemon.wait_exit(SOON).await?;
    world.daemon.launch().await?;
    world.completed(&id).await?;
    assert_eq!((effects.count("asked")?, effects.count("changed")?), (0, 1));
    Ok(())
}

#[tokio::test]
async fn an_agent_that_starts_too_many_processes_is_ended_and_says_why() -> Result<()> {
    let world = World::with(&format!("{QUICK}process_limit = 12\n")).await?;
    let many = "for i in $(seq 20); do setsid sleep 1000 & done; wait";
    let id = start(&world, json!([bash(many)]), &["--policy", "hands-off"]).await?;
    let run = world.wait(&id, &["interrupted"]).await?;
    ensure!(text(&run, "detail")?.contains("process_limit"), "{run:#}");
    Ok(())
}
