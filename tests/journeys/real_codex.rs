//! The real Codex, installed from its package, pointed at the scripted model on the loopback
//! interface, killed and brought back.

mod program;

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::{
    model_server::{Outcome, Script, Turn},
    processes::wait_until_gone,
    project::{CALC_BROKEN, CALC_FIXED},
};

use self::program::Codex;
use crate::support::{World, nano, op, open_review, text};

/// It starts in half a second; on a machine busy with other tests it takes many.
const PATIENCE: Duration = Duration::from_secs(120);

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
    nothing_was_refused(&world)
}

#[tokio::test]
async fn real_codex_is_brought_back_after_a_power_cut() -> Result<()> {
    let Some(codex) = Codex::ready("real_codex_is_brought_back_after_a_power_cut").await? else {
        return Ok(());
    };
    let mut world = codex.world().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let slow = format!(
        "{}; [ -e {} ] || sleep 600",
        effects.shell("begun"),
        go.display()
    );
    let commands = [effects.shell("before"), slow, effects.shell("after")];
    world
        .server
        .script("commands", one_after_another(&commands));
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
    world
        .cli(&["answer", &text(&doubt, "id")?, "happened"])
        .await?
        .ok()?;
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
    let slow = format!(
        "{}; while [ ! -e {} ]; do sleep 0.05; done; {}",
        effects.shell("begun"),
        go.display(),
        effects.shell("ended")
    );
    let commands = [slow, effects.shell("after")];
    world
        .server
        .script("commands", one_after_another(&commands));
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
    world.server.script("slow", one_after_another(&[slow]));
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

/// A model that calls for each command that is not in the history yet.
fn one_after_another(commands: &[String]) -> Script {
    let commands = commands.to_vec();
    Script::computed(move |view| {
        let said = view.messages();
        let blocks = said
            .iter()
            .filter_map(|m| m["content"].as_array())
            .flatten();
        let called: Vec<&Value> = blocks.map(|block| &block["input"]["cmd"]).collect();
        match commands
            .iter()
            .find(|c| !called.iter().any(|done| **done == **c))
        {
            Some(command) => exec(command),
            None => Turn::text("All commands are done."),
        }
    })
}

/// What the run used is what the server sent, priced by the price book.
async fn the_bill_is_the_servers(world: &World, run: &Value) -> Result<()> {
    let billed = world.server.ledger().totals();
    let usage = &run["usage"];
    let told = ["input", "output", "cache_read", "requests"].map(|field| usage[field].as_u64());
    let sent = [
        billed.input,
        billed.output,
        billed.cache_read,
        billed.requests,
    ]
    .map(Some);
    ensure!(told == sent, "told {told:?}, sent {sent:?}: {run:#}");
    ensure!(nano(&run["cost_usd"])? > 0, "{run:#}");
    Ok(())
}

/// No request was one the API would refuse, and all came with the backend's key.
fn nothing_was_refused(world: &World) -> Result<()> {
    for request in world.server.requests() {
        let refused = matches!(request.outcome, Outcome::Error { status: 400, .. });
        ensure!(
            !refused,
            "{} {:?}: {:#}",
            request.path,
            request.outcome,
            request.body
        );
        ensure!(
            request.path != "/v1/responses" || request.key == "ours",
            "another key: {}",
            request.key
        );
    }
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

async fn review(world: &World, run: &str, kind: &str) -> Result<Value> {
    let asked = |run: &Value| open_review(run, kind).is_some();
    let shown = world.daemon.wait_shown(run, PATIENCE, asked).await?;
    open_review(&shown, kind).context("a review")
}

async fn completed(world: &World, run: &str) -> Result<Value> {
    let ends = ["completed", "failed", "cancelled", "interrupted"];
    let shown = world.daemon.wait_state(run, &ends, PATIENCE).await?;
    ensure!(shown["state"] == "completed", "not completed: {shown:#}");
    Ok(shown)
}
