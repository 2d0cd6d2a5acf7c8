//! Runs of an agent that follows a script in any of the three languages (`testkit`'s
//! `rough-agent`).

use std::fs;

use anyhow::Result;
use serde_json::{Value, json};
use testkit::testkit_binary;

use crate::support::{World, text};

/// A run of a rough agent of this kind (`claude`, `codex`, `acp`).
pub(crate) async fn start(
    world: &World,
    language: &str,
    script: Value,
    flags: &[&str],
) -> Result<String> {
    let program = testkit_binary("rough-agent")?.display().to_string();
    let file = world.daemon.home.place("rough.json");
    fs::write(&file, script.to_string())?;
    let command = format!("{program} {language} {}", file.display());
    let kind = match language {
        "claude" => "claude-code",
        other => other,
    };
    let add = [
        "backend",
        "add",
        "rough",
        "--kind",
        kind,
        "--command",
        &command,
    ];
    world.json(&add).await?;
    let project = world.project.path().display().to_string();
    let mut args = vec![
        "run",
        "--project",
        &project,
        "--backend",
        "rough",
        "--detach",
        "--json",
    ];
    args.extend(flags);
    args.push("Mend it.");
    let out = world.cli(&args).await?.ok()?;
    text(&out.json(), "id")
}

/// It says this.
pub(crate) fn say(words: &str) -> Value {
    json!({"do": "say", "text": words})
}

/// It asks whether it may run this, and runs it.
pub(crate) fn run(command: &str) -> Value {
    json!({"do": "run", "command": command})
}
