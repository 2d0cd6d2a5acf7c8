//! The real Claude Code, not a script that speaks like it: installed from its package,
//! pointed at the scripted model on the loopback interface, killed and brought back.
//! Where the system lets us, each test runs in a network of its own in which there is
//! nothing but that interface, so that nothing it does can leave the machine.

mod program;

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::{
    model_server::{RequestView, Script, Turn},
    project::{CALC_BROKEN, CALC_FIXED},
};

use self::program::Claude;
use crate::gateway::{no_process_has_the_key, no_secret_is_written};
use crate::real_agent::{
    PATIENCE, completed, nothing_was_refused, one_after_another, review, the_tokens_are_the_servers,
};
use crate::support::{World, hangs, nano, op, text, waits};

#[tokio::test]
async fn real_claude_mends_asks_and_is_accounted_for() -> Result<()> {
    let Some(claude) = Claude::ready("real_claude_mends_asks_and_is_accounted_for").await? else {
        return Ok(());
    };
    let world = claude.world().await?;
    let effects = world.effects();
    let tested = format!("{} && sh test.sh", effects.shell("tested"));
    world.server.script("mend", mend(tested));
    let id = world.start("mend", &["--backend", "claude"]).await?;

    let review = review(&world, &id, "tool_call").await?;
    ensure!(text(&review, "detail")?.contains("tested"), "{review:#}");
    assert_eq!(effects.entries()?.len(), 0, "asked before, not after");
    no_process_has_the_key(&world)?;
    world.cli(&["approve", &text(&review, "id")?]).await?.ok()?;
    let run = completed(&world, &id).await?;

    assert_eq!(effects.count("tested")?, 1);
    assert_eq!(run["result"], "It is mended, and its test passes.");
    assert_eq!(run["answered_by"], json!(["claude-sonnet-5-5"]), "{run:#}");
    for (name, mode) in [
        ("Read", "observed"),
        ("Edit", "gated"),
        ("Write", "gated"),
        ("Bash", "gated"),
    ] {
        let op = op(&run, name)?;
        let told = (&op["mode"], &op["state"], &op["outcome"]);
        ensure!(
            told == (&mode.into(), &"finished".into(), &"ok".into()),
            "{op:#}"
        );
    }
    the_bill_is_the_servers(&world, &run).await?;

    assert_eq!(
        world.project.status()?,
        "",
        "the user's files are as they were"
    );
    let diff = world.cli(&["diff", &id]).await?.ok()?.stdout;
    ensure!(
        diff.contains("notes.txt") && diff.contains("echo $(($1 + $2))"),
        "{diff}"
    );
    no_secret_is_written(&world, &[])?;
    nothing_was_refused(&world)
}

#[tokio::test]
async fn real_claude_is_brought_back_after_a_power_cut() -> Result<()> {
    let Some(claude) = Claude::ready("real_claude_is_brought_back_after_a_power_cut").await? else {
        return Ok(());
    };
    let mut world = claude.world().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let slow = hangs(&effects, &go);
    let commands = [effects.shell("before"), slow, effects.shell("after")];
    world
        .server
        .script("commands", one_after_another(&commands, "command", bash));
    let id = world
        .start(
            "commands",
            &["--backend", "claude", "--policy", "hands-off"],
        )
        .await?;
    effects.wait_for("begun", 1, PATIENCE).await?;
    transcript_has(&world, "begun").await?;
    let session = sessions(&world)?;
    assert_eq!(session.len(), 1);
    world.daemon.kill9_all()?;
    fs::write(&go, "")?;

    world.daemon.launch().await?;
    let doubt = review(&world, &id, "in_doubt").await?;
    ensure!(text(&doubt, "title")?.contains("begun"), "{doubt:#}");
    assert_eq!(effects.count("begun")?, 1);
    world.happened(&doubt).await?;
    let run = completed(&world, &id).await?;

    effects.nothing_twice()?;
    assert_eq!(effects.entries()?.len(), 3, "before, begun, after");
    ensure!(
        text(&run["recovery"], "briefing")?.contains("Bash"),
        "{run:#}"
    );
    assert_eq!(sessions(&world)?, session, "it went on with its session");
    let told = world.said_to_model("commands");
    ensure!(told.contains("interrupted"), "the agent was told: {told}");
    nothing_was_refused(&world)
}

#[tokio::test]
async fn real_claude_outlives_the_daemon() -> Result<()> {
    let Some(claude) = Claude::ready("real_claude_outlives_the_daemon").await? else {
        return Ok(());
    };
    let mut world = claude.world().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let slow = waits(&effects, &go);
    let commands = [slow, effects.shell("after")];
    world
        .server
        .script("commands", one_after_another(&commands, "command", bash));
    let id = world
        .start(
            "commands",
            &["--backend", "claude", "--policy", "hands-off"],
        )
        .await?;
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
    let bashes = run["ops"].as_array().context("ops")?.iter();
    assert_eq!(
        bashes.filter(|op| op["name"] == "Bash").count(),
        2,
        "{run:#}"
    );
    the_bill_is_the_servers(&world, &run).await?;
    nothing_was_refused(&world)
}

/// A model that mends `calc.sh` with Claude Code's own tools.
fn mend(tested: String) -> Script {
    let line = |calc: &str| calc.lines().nth(4).unwrap_or_default().to_owned();
    let (wrong, right) = (line(CALC_BROKEN), line(CALC_FIXED));
    let calc = |view: &RequestView| format!("{}/calc.sh", folder(view));
    Script::new()
        .turn_with(move |view| {
            Turn::text("I look at it first.").tool("Read", json!({"file_path": calc(view)}))
        })
        .turn_with(move |view| {
            let edit = json!({"file_path": calc(view), "old_string": wrong, "new_string": right, "replace_all": false});
            Turn::new().tool("Edit", edit)
        })
        .turn_with(|view| {
            let path = format!("{}/notes.txt", folder(view));
            Turn::new().tool(
                "Write",
                json!({"file_path": path, "content": "add was wrong\n"}),
            )
        })
        .turn(bash(&tested))
        .turn(Turn::text("It is mended, and its test passes."))
}

fn bash(command: &str) -> Turn {
    Turn::new().tool(
        "Bash",
        json!({"command": command, "description": "Runs it"}),
    )
}

/// Where Claude Code says that it works.
fn folder(view: &RequestView) -> String {
    let body = view.body.to_string();
    let after = body.split("orking directory: ").nth(1).unwrap_or_default();
    let end = |c: char| c == '\\' || c == '"' || c.is_whitespace();
    after.split(end).next().unwrap_or_default().to_owned()
}

/// What the run used is what the server sent, counted by the gateway and priced by the book.
async fn the_bill_is_the_servers(world: &World, run: &Value) -> Result<()> {
    the_tokens_are_the_servers(world, run)?;
    let cost = nano(&run["cost_usd"])?;
    ensure!(cost > 0, "{run:#}");
    let report = world.json(&["cost", "--by", "backend"]).await?;
    let row = &report["rows"][0];
    assert_eq!(nano(&row["cost_usd"])?, cost, "{report:#}");
    for other in ["reported_usd", "estimated_usd"] {
        assert_eq!(nano(&row[other])?, 0, "all of it is exact: {report:#}");
    }
    Ok(())
}

/// Claude Code's own records of its sessions.
fn sessions(world: &World) -> Result<Vec<PathBuf>> {
    let projects = world.daemon.home.user_home().join(".claude/projects");
    let mut sessions = Vec::new();
    for project in fs::read_dir(projects)? {
        let files = fs::read_dir(project?.path())?.flatten();
        let records = files.map(|file| file.path());
        sessions.extend(records.filter(|path| path.extension().is_some_and(|e| e == "jsonl")));
    }
    Ok(sessions)
}

/// Waits until claude's own transcript has the call: it writes it down a moment after
/// it began. A call it forgot the scripted model makes again, having no memory but that.
async fn transcript_has(world: &World, text: &str) -> Result<()> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        for session in sessions(world).unwrap_or_default() {
            if fs::read_to_string(&session).is_ok_and(|lines| lines.contains(text)) {
                return Ok(());
            }
        }
        ensure!(
            tokio::time::Instant::now() < until,
            "claude never wrote it down"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
