//! The real OpenCode over the Agent Client Protocol, installed from its package, pointed at
//! the scripted model on the loopback interface, killed and brought back. Not part of CI, for
//! it takes minutes: `cargo test --workspace --test journeys -- --ignored real_opencode`.

mod program;

use std::fs;

use anyhow::{Result, ensure};
use serde_json::json;
use testkit::model_server::{Script, Turn};

use self::program::OpenCode;
use crate::real_agent::{PATIENCE, completed, nothing_was_refused, one_after_another, review};
use crate::support::{hangs, nano, op, text};

#[tokio::test]
#[ignore = "takes a minute, and 350 MB from npm"]
async fn real_opencode_writes_asks_and_is_accounted_for() -> Result<()> {
    let test = "real_opencode_writes_asks_and_is_accounted_for";
    let Some(opencode) = OpenCode::ready(test).await? else {
        return Ok(());
    };
    let world = opencode.world().await?;
    let effects = world.effects();
    let flagged = format!("{} && git push origin main", effects.shell("pushed"));
    let script = Script::new()
        .turn(Turn::text("I note it.").tool(
            "write",
            json!({"filePath": "notes.txt", "content": "noted\n"}),
        ))
        .turn(bash(&flagged))
        .turn(Turn::text("It is noted."));
    world.server.script("note", script);
    let id = world.start("note", &["--backend", "opencode"]).await?;

    let review = review(&world, &id, "tool_call").await?;
    ensure!(text(&review, "detail")?.contains("pushed"), "{review:#}");
    assert_eq!(effects.entries()?.len(), 0, "asked before, not after");
    world.cli(&["approve", &text(&review, "id")?]).await?.ok()?;
    let run = completed(&world, &id).await?;

    assert_eq!(effects.count("pushed")?, 1);
    assert_eq!(run["result"], "It is noted.");
    for name in ["write", "bash"] {
        let op = op(&run, name)?;
        let told = (&op["mode"], &op["state"]);
        ensure!(told == (&"gated".into(), &"finished".into()), "{op:#}");
    }
    ensure!(nano(&run["cost_usd"])? > 0, "{run:#}");
    let path = text(&run["workspace"], "path")?;
    assert_eq!(fs::read_to_string(format!("{path}/notes.txt"))?, "noted\n");
    assert_eq!(
        world.project.status()?,
        "",
        "the user's files are as they were"
    );
    nothing_was_refused(&world)
}

#[tokio::test]
#[ignore = "takes a minute, and 350 MB from npm"]
async fn real_opencode_is_brought_back_after_a_power_cut() -> Result<()> {
    let test = "real_opencode_is_brought_back_after_a_power_cut";
    let Some(opencode) = OpenCode::ready(test).await? else {
        return Ok(());
    };
    let mut world = opencode.world().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let slow = hangs(&effects, &go);
    let commands = [effects.shell("before"), slow, effects.shell("after")];
    world
        .server
        .script("commands", one_after_another(&commands, "command", bash));
    let run = ["--backend", "opencode", "--policy", "hands-off"];
    let id = world.start("commands", &run).await?;
    effects.wait_for("begun", 1, PATIENCE).await?;
    let session = world.json(&["show", &id]).await?["session"].clone();
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
    assert_eq!(run["session"], session, "it went on with its session");
    nothing_was_refused(&world)
}

fn bash(command: &str) -> Turn {
    Turn::new().tool(
        "bash",
        json!({"command": command, "description": "as scripted"}),
    )
}
