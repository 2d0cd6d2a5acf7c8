//! Whether an agent's program is there: it is asked for its version, which costs nothing.

use std::process::{Output, Stdio};
use std::time::Duration;

use super::{Program, agent_error};
use crate::driver::{Checked, TurnError};

/// How long `--version` may take. The agents known start in under a second.
const VERSION_WITHIN: Duration = Duration::from_secs(5);

/// The first line of an answer that is shown, in characters.
const SHOWN: usize = 80;

/// Asks `command` for its version.
pub(crate) async fn check(agent: Program, command: &[String]) -> Result<Checked, TurnError> {
    let output = match asked(agent, command).await? {
        Some(output) => output,
        None => {
            let program = command.first().map_or("", String::as_str);
            return Err(agent_error(format!(
                "{program} --version did not answer within 5 s"
            )));
        }
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let program = command.first().map_or("", String::as_str);
        return Err(agent_error(format!(
            "{program} --version failed ({}): {}",
            output.status,
            said.trim()
        )));
    }
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(Checked {
        models: Vec::new(),
        version: Some(version).filter(|version| !version.is_empty()),
    })
}

/// The same of a program that need not know the question: that it can be run is enough.
pub(crate) async fn check_loosely(
    agent: Program,
    command: &[String],
) -> Result<Checked, TurnError> {
    let output = asked(agent, command).await?;
    let said = output.filter(|output| output.status.success());
    let version = said.and_then(|output| {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let line: String = said.lines().next()?.trim().chars().take(SHOWN).collect();
        Some(line).filter(|line| !line.is_empty() && !line.starts_with('{'))
    });
    Ok(Checked {
        models: Vec::new(),
        version: Some(version.unwrap_or_else(|| "it can be started".to_owned())),
    })
}

/// What came of asking it; None if it did not end in time.
async fn asked(agent: Program, command: &[String]) -> Result<Option<Output>, TurnError> {
    let Some((program, first)) = command.split_first() else {
        return Err(agent_error("this backend names no command".to_owned()));
    };
    let run = tokio::process::Command::new(program)
        .args(first)
        .arg("--version")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(VERSION_WITHIN, run).await {
        Err(_) => Ok(None),
        Ok(Ok(output)) => Ok(Some(output)),
        Ok(Err(error)) => Err(agent_error(format!(
            "{program} cannot be run: {error}; {}, or name its program with --command",
            agent.install
        ))),
    }
}
