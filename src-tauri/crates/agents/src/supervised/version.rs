//! Whether an agent's program is there: it is asked for its version, which costs nothing.

use std::process::Stdio;
use std::time::Duration;

use super::{Program, agent_error};
use crate::driver::{Checked, TurnError};

/// How long `--version` may take. The agents known start in under a second.
const VERSION_WITHIN: Duration = Duration::from_secs(5);

/// Asks `command` for its version.
pub(crate) async fn check(agent: Program, command: &[String]) -> Result<Checked, TurnError> {
    let Some((program, first)) = command.split_first() else {
        return Err(agent_error("this backend names no command".to_owned()));
    };
    let run = tokio::process::Command::new(program)
        .args(first)
        .arg("--version")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(VERSION_WITHIN, run).await {
        Err(_) => {
            return Err(agent_error(format!(
                "{program} --version did not answer within 5 s"
            )));
        }
        Ok(Err(error)) => {
            return Err(agent_error(format!(
                "{program} cannot be run: {error}; {}, or name its program with --command",
                agent.install
            )));
        }
        Ok(Ok(output)) => output,
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
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
