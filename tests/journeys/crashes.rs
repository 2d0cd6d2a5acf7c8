//! The daemon dies; nothing is lost and nothing is done twice.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use testkit::{
    model_server::{HoldPoint, Script, Turn},
    project::CALC_FIXED,
};

use crate::support::{QUICK, SOON, World, mend, nano, one_command, op, shell, text};

#[tokio::test]
async fn a_model_call_cut_by_a_crash_is_made_again_and_booked_apart() -> Result<()> {
    let mut world = World::new().await?;
    world.server.script("mend", mend());
    let gate = world.server.hold_at("mend", 1, HoldPoint::AfterEvents(3));
    let id = world.start("mend", &["--verify", "sh test.sh"]).await?;
    gate.arrived(SOON).await?;
    world.daemon.kill9()?;
    gate.release();
    world.daemon.launch().await?;
    let run = world.completed(&id).await?;
    let asked: Vec<usize> = world
        .server
        .requests_of("mend")
        .iter()
        .map(|r| r.turn)
        .collect();
    assert_eq!(asked, [0, 1, 1, 2, 3]);
    assert_eq!(
        nano(&run["cost_usd"])?,
        4 * 2_500_000,
        "the four answers that arrived"
    );
    let cut = nano(&run["unsettled_cost_usd"])?;
    ensure!(
        cut >= 2_500_000,
        "the lost call at its worst case, not {cut}"
    );
    assert_eq!(run["usage"]["requests"], 5);
    let recovery = &run["recovery"];
    ensure!(
        text(recovery, "briefing")?.contains("Interrupted at step"),
        "{recovery:#}"
    );
    assert_eq!(run["attempts"], 2);
    Ok(())
}

#[tokio::test]
async fn a_command_outlives_the_daemon_and_is_adopted() -> Result<()> {
    let mut world = World::new().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let command = format!(
        "{}; while [ ! -e {} ]; do sleep 0.05; done; echo all-is-well",
        effects.shell("begun"),
        go.display()
    );
    world.server.script("long", one_command(&command));
    let id = world.start("long", &["--policy", "hands-off"]).await?;
    effects.wait_for("begun", 1, SOON).await?;
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    let run = world.wait(&id, &["running"]).await?;
    assert_eq!(
        op(&run, "shell")?["state"],
        "started",
        "it goes on under its keeper"
    );
    ensure!(
        text(&run["recovery"], "briefing")?.contains("still running"),
        "{run:#}"
    );
    fs::write(&go, "")?;
    let run = world.completed(&id).await?;
    effects.at_most_once("begun")?;
    assert_eq!(op(&run, "shell")?["outcome"], "ok");
    ensure!(
        world.said_to_model("long").contains("all-is-well"),
        "its output is whole"
    );
    Ok(())
}

#[tokio::test]
async fn a_command_that_ends_while_nobody_is_there_is_not_lost() -> Result<()> {
    let mut world = World::new().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let command = format!(
        "{}; while [ ! -e {} ]; do sleep 0.05; done; echo said-in-between; {}; exit 3",
        effects.shell("begun"),
        go.display(),
        effects.shell("ended")
    );
    world.server.script("long", one_command(&command));
    let id = world.start("long", &["--policy", "hands-off"]).await?;
    effects.wait_for("begun", 1, SOON).await?;
    world.daemon.kill9()?;
    fs::write(&go, "")?;
    effects.wait_for("ended", 1, SOON).await?;
    world.daemon.launch().await?;
    let run = world.completed(&id).await?;
    effects.nothing_twice()?;
    assert_eq!(op(&run, "shell")?["outcome"], "error");
    let told = world.said_to_model("long");
    ensure!(
        told.contains("said-in-between") && told.contains("exit status 3"),
        "{told}"
    );
    Ok(())
}

/// A run whose only write meets a crash at `point`; the daemon is dead when this returns.
async fn crash_at_write(world: &mut World, point: &str) -> Result<String> {
    let write = Turn::new().tool("write", json!({"path": "new.txt", "content": "written\n"}));
    world.server.script(
        "write",
        Script::new().turn(write).turn(Turn::text("Written.")),
    );
    world.daemon.terminate().await?;
    world.daemon.env_once("LONGHAUL_CRASH_AT", point);
    world.daemon.launch().await?;
    let id = world.start("write", &[]).await?;
    world.daemon.wait_exit(SOON).await?;
    Ok(id)
}

#[tokio::test]
async fn a_write_that_had_happened_is_seen_to_have_happened() -> Result<()> {
    let mut world = World::new().await?;
    let id = crash_at_write(&mut world, "engine.edit_done").await?;
    world.daemon.launch().await?;
    let run = world.completed(&id).await?;
    assert_eq!(op(&run, "write")?["outcome"], "ok");
    ensure!(
        world
            .said_to_model("write")
            .contains("the file shows that it happened")
    );
    Ok(())
}

#[tokio::test]
async fn a_write_that_had_not_happened_is_made() -> Result<()> {
    let mut world = World::new().await?;
    let id = crash_at_write(&mut world, "engine.before_edit").await?;
    world.daemon.launch().await?;
    let run = world.completed(&id).await?;
    let path = text(&run["workspace"], "path")?;
    assert_eq!(fs::read_to_string(format!("{path}/new.txt"))?, "written\n");
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_neither_asks() -> Result<()> {
    let mut world = World::new().await?;
    let id = crash_at_write(&mut world, "engine.before_edit").await?;
    let folders = fs::read_dir(world.daemon.home.path().join("workspaces"))?;
    let folder = folders
        .flatten()
        .find(|f| f.file_name().to_string_lossy().contains(&id));
    let folder = folder.context("the run's folder")?.path();
    let name = fs::read_dir(folder.join("work"))?.flatten().next();
    let tree = name.context("the working tree")?.path();
    fs::write(tree.join("new.txt"), "somebody else's\n")?;
    world.daemon.launch().await?;
    let review = world.review(&id, "in_doubt").await?;
    ensure!(text(&review, "detail")?.contains("neither"), "{review:#}");
    world
        .json(&["answer", &text(&review, "id")?, "again"])
        .await?;
    world.completed(&id).await?;
    assert_eq!(fs::read_to_string(tree.join("new.txt"))?, "written\n");
    Ok(())
}

#[tokio::test]
async fn runs_that_only_wait_or_queue_go_on_unmentioned() -> Result<()> {
    let mut world = World::with(&QUICK.replace("slots = 4", "slots = 1")).await?;
    world.server.script("ask", one_command("touch made.key"));
    world.server.script("mend", mend());
    let gate = world.server.hold("mend", 0);
    let asks = world.start("ask", &[]).await?;
    let review = world.review(&asks, "tool_call").await?;
    let works = world.start("mend", &["--verify", "sh test.sh"]).await?;
    gate.arrived(SOON).await?;
    let queued = world.start("mend", &["--verify", "sh test.sh"]).await?;
    world.daemon.kill9()?;
    gate.release();
    world.daemon.launch().await?;
    world.json(&["approve", &text(&review, "id")?]).await?;
    for id in [&asks, &queued] {
        let run = world.completed(id).await?;
        ensure!(
            run["recovery"].is_null(),
            "it was not interrupted: {:#}",
            run["recovery"]
        );
    }
    let run = world.completed(&works).await?;
    let path = text(&run["workspace"], "path")?;
    assert_eq!(fs::read_to_string(format!("{path}/calc.sh"))?, CALC_FIXED);
    Ok(())
}

#[tokio::test]
async fn a_run_that_was_there_at_two_deaths_waits_to_be_resumed() -> Result<()> {
    let mut world = World::new().await?;
    world.server.script("mend", mend());
    let gate = world.server.hold("mend", 1);
    let id = world.start("mend", &["--verify", "sh test.sh"]).await?;
    for death in 1..=2 {
        gate.arrived_times(death, SOON).await?;
        world.daemon.kill9()?;
        world.daemon.launch().await?;
    }
    let run = world.wait(&id, &["interrupted"]).await?;
    ensure!(!text(&run["recovery"], "cause")?.is_empty());
    gate.release();
    world.json(&["resume", &id]).await?;
    world.completed(&id).await?;
    Ok(())
}

#[tokio::test]
async fn the_journal_is_whole_after_a_crash() -> Result<()> {
    let mut world = World::new().await?;
    let script = Script::new()
        .turn(shell("cat calc.sh"))
        .turn(shell("cat test.sh"));
    world
        .server
        .script("look", script.turn(Turn::text("Seen.")));
    let gate = world.server.hold("look", 1);
    let id = world.start("look", &[]).await?;
    gate.arrived(SOON).await?;
    let before = world.cli(&["logs", &id, "--json"]).await?.ok()?.stdout;
    world.daemon.kill9()?;
    gate.release();
    world.daemon.launch().await?;
    world.completed(&id).await?;
    let after = world.cli(&["logs", &id, "--json"]).await?.ok()?.stdout;
    ensure!(
        after.starts_with(&before),
        "what was acknowledged is still there, as it was"
    );
    let report = world.json(&["doctor"]).await?;
    assert_eq!(report["ok"], true, "{report:#}");
    Ok(())
}

#[tokio::test]
async fn a_stop_with_drain_and_a_start_go_on_where_it_was() -> Result<()> {
    let mut world = World::new().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let command = format!(
        "{}; while [ ! -e {} ]; do sleep 0.05; done",
        effects.shell("begun"),
        go.display()
    );
    world.server.script("long", one_command(&command));
    let id = world.start("long", &["--policy", "hands-off"]).await?;
    effects.wait_for("begun", 1, SOON).await?;
    world.cli(&["daemon", "stop", "--drain"]).await?.ok()?;
    world.daemon.wait_exit(SOON).await?;
    fs::write(&go, "")?;
    world.daemon.launch().await?;
    world.completed(&id).await?;
    effects.nothing_twice()
}
