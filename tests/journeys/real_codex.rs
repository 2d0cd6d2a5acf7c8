//! The real Codex, installed from its package, pointed at the scripted model on the loopback
//! interface, killed and brought back.

mod program;

use std::{fs, path::PathBuf};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testkit::{
    model_server::{Script, Turn},
    processes::wait_until_gone,
    project::{CALC_BROKEN, CALC_FIXED},
};

use self::program::Codex;
use crate::gateway::{no_process_has_the_key, no_secret_is_written};
use crate::real_agent::{
    PATIENCE, completed, nothing_was_refused, one_after_another, review, the_tokens_are_the_servers,
};
use crate::support::{World, hangs, nano, op, text, waits};

#[tokio::test]
async fn real_codex_mends_asks_and_is_accounted_for() -> Result<()> {
    let Some(codex) = Codex::ready("real_codex_mends_asks_and_is_accounted_for").await? else {
        return Ok(());
    };
    let world = codex.world().await?;
    let effects = world.effects();
    let tested = format!(
        "{} && sh test.sh && git push origin main",
        effects.shell("tested")
    );
    let script = Script::new()
        .turn(exec("cat calc.sh"))
        .turn(Turn::text("I mend it.").tool("apply_patch", json!(mended())))
        .turn(exec(&tested))
        .turn(Turn::text("It is mended."));
    world.server.script("mend", script);
    let id = world.start("mend", &["--backend", "codex"]).await?;

    let review = review(&world, &id, "tool_call").await?;
    ensure!(text(&review, "detail")?.contains("tested"), "{review:#}");
    assert_eq!(effects.entries()?.len(), 0, "asked before, not after");
    no_process_has_the_key(&world)?;
    world.cli(&["approve", &text(&review, "id")?]).await?.ok()?;
    let run = completed(&world, &id).await?;

    assert_eq!(effects.count("tested")?, 1);
    assert_eq!(run["result"], "It is mended.");
    assert_eq!(run["answered_by"], json!(["gpt-5.5"]), "{run:#}");
    let patch = op(&run, "apply_patch")?;
    let told = (&patch["mode"], &patch["state"], &patch["outcome"]);
    ensure!(
        told == (&"gated".into(), &"finished".into(), &"ok".into()),
        "{patch:#}"
    );
    the_bill_is_the_servers(&world, &run).await?;

    assert_eq!(
        world.project.status()?,
        "",
        "the user's files are as they were"
    );
    let diff = world.cli(&["diff", &id]).await?.ok()?.stdout;
    ensure!(diff.contains("echo $(($1 + $2))"), "{diff}");
    no_secret_is_written(&world, &[])?;
    nothing_was_refused(&world)
}

#[tokio::test]
async fn real_codex_is_brought_back_after_a_power_cut() -> Result<()> {
    let Some(codex) = Codex::ready("real_codex_is_brought_back_after_a_power_cut").await? else {
        return Ok(());
    };
    let mut world = codex.world().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let slow = hangs(&effects, &go);
    let commands = [effects.shell("before"), slow, effects.shell("after")];
    world
        .server
        .script("commands", one_after_another(&commands, "cmd", exec));
    let run = ["--backend", "codex", "--policy", "hands-off"];
    let id = world.start("commands", &run).await?;
    effects.wait_for("begun", 1, PATIENCE).await?;
    let session = sessions(&world)?;
    assert_eq!(session.len(), 1);
    world.daemon.kill9_all()?;
    fs::write(&go, "")?;

    world.daemon.launch().await?;
    let doubt = review(&world, &id, "in_doubt").await?;
    ensure!(text(&doubt, "title")?.contains("begun"), "{doubt:#}");
    assert_eq!(effects.count("begun")?, 1);
    world.happened(&doubt).await?;
    completed(&world, &id).await?;

    effects.nothing_twice()?;
    assert_eq!(effects.entries()?.len(), 3, "before, begun, after");
    assert_eq!(sessions(&world)?, session, "it went on with its thread");
    nothing_was_refused(&world)
}

#[tokio::test]
async fn real_codex_outlives_the_daemon() -> Result<()> {
    let Some(codex) = Codex::ready("real_codex_outlives_the_daemon").await? else {
        return Ok(());
    };
    let mut world = codex.world().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let slow = waits(&effects, &go);
    let commands = [slow, effects.shell("after")];
    world
        .server
        .script("commands", one_after_another(&commands, "cmd", exec));
    let run = ["--backend", "codex", "--policy", "hands-off"];
    let id = world.start("commands", &run).await?;
    effects.wait_for("begun", 1, PATIENCE).await?;
    let kept = world.daemon.home.keepers();
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    world.daemon.wait_state(&id, &["running"], PATIENCE).await?;
    assert_eq!(world.daemon.home.keepers(), kept, "the same processes");
    fs::write(&go, "")?;
    let run = completed(&world, &id).await?;

    effects.nothing_twice()?;
    assert_eq!(effects.entries()?.len(), 3);
    assert_eq!(sessions(&world)?.len(), 1);
    the_bill_is_the_servers(&world, &run).await?;
    nothing_was_refused(&world)
}

#[tokio::test]
async fn real_codex_that_is_cancelled_leaves_nothing_running() -> Result<()> {
    let Some(codex) = Codex::ready("real_codex_that_is_cancelled_leaves_nothing_running").await?
    else {
        return Ok(());
    };
    let world = codex.world().await?;
    let effects = world.effects();
    let slow = format!(
        "{}; sleep 600; {}",
        effects.shell("begun"),
        effects.shell("ended")
    );
    world
        .server
        .script("slow", one_after_another(&[slow], "cmd", exec));
    let run = ["--backend", "codex", "--policy", "hands-off"];
    let id = world.start("slow", &run).await?;
    effects.wait_for("begun", 1, PATIENCE).await?;
    let started = world.daemon.home.keepers();
    world.cli(&["cancel", &id]).await?.ok()?;
    world
        .daemon
        .wait_state(&id, &["cancelled"], PATIENCE)
        .await?;
    ensure!(wait_until_gone(&started, PATIENCE), "its keeper stays");
    assert_eq!(effects.entries()?.len(), 1, "begun, not ended");
    Ok(())
}

fn exec(command: &str) -> Turn {
    Turn::new().tool("exec_command", json!({"cmd": command}))
}

/// The patch that mends `calc.sh`, in Codex's own form.
fn mended() -> String {
    let line = |calc: &str| calc.lines().nth(4).unwrap_or_default().to_owned();
    format!(
        "*** Begin Patch\n*** Update File: calc.sh\n@@\n-{}\n+{}\n*** End Patch\n",
        line(CALC_BROKEN),
        line(CALC_FIXED)
    )
}

/// What the run used is what the server sent, counted by the gateway and priced by the book.
async fn the_bill_is_the_servers(world: &World, run: &Value) -> Result<()> {
    the_tokens_are_the_servers(world, run)?;
    ensure!(nano(&run["cost_usd"])? > 0, "{run:#}");
    Ok(())
}

/// Codex's own records of its threads.
fn sessions(world: &World) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![world.daemon.home.user_home().join(".codex/sessions")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "jsonl") {
                found.push(path);
            }
        }
    }
    Ok(found)
}
