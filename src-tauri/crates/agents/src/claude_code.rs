//! Claude Code, supervised: its stream-json protocol over a keeper.
//!
//! A turn is one process, from the prompt to its `result` line. `protocol` reads lines,
//! `mapper` says what they mean; the rest is [`crate::supervised`]'s. Recorded and
//! measured: `facts/agents.md` §2.
#![allow(
    clippy::result_large_err,
    reason = "an error ends a turn: there is one of them in minutes"
)]

mod calls;
mod ending;
mod mapper;
mod protocol;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use secrets::Secret;

use crate::driver::{AgentContext, Checked, Driver, Host, Turn, TurnError, TurnRequest};
use crate::supervised::OwnFiles;
use crate::supervised::child::{Surveyor, read_all};
use crate::supervised::{self, Agent, Opening, Program, Start};
pub use calls::summary;
use mapper::Mapper;
use tally::Tally;

/// The program, in words.
const CLAUDE: Program = Program {
    name: "claude",
    install: "install Claude Code",
    // It saves its transcript (about 1 s, measured).
    exit_within: Duration::from_secs(10),
};

/// What Claude Code keeps below the user's home.
pub const OWN_FILES: OwnFiles = OwnFiles {
    folders: &[".claude"],
    left_as_it_is: &[
        ".claude/settings.json",
        ".claude/settings.local.json",
        ".claude/CLAUDE.md",
        ".claude/agents",
        ".claude/commands",
        ".claude/hooks",
        ".claude/output-styles",
        ".claude/plugins",
        ".claude/rules",
        ".claude/skills",
    ],
    // Tool servers it starts are named in here.
    copied: &[".claude.json"],
};

/// Set for every process: no calls but those of the task.
const QUIET: [&str; 4] = [
    "DISABLE_TELEMETRY",
    "DISABLE_ERROR_REPORTING",
    "DISABLE_AUTOUPDATER",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
];

/// Never passed on: with it a resumed agent repeats the call it was cut off in.
const REPEATS_CALLS: &str = "CLAUDE_CODE_RESUME_INTERRUPTED_TURN";

/// Supervises `claude`.
#[derive(Clone, Debug)]
pub struct ClaudeCodeDriver {
    command: Vec<String>,
}

/// What a turn consumed whose process and keeper are gone, from what it said: an
/// estimate. None if nothing was answered or asked, or nothing of it is left.
pub async fn consumed(keeper_dir: &Path) -> Option<crate::driver::Usage> {
    let mut tally = Tally::default();
    let counted = read_all(keeper_dir, |line| {
        tally.line(&protocol::Line::parse(line));
    });
    counted.await.ok()?;
    tally.at_an_end()
}

impl ClaudeCodeDriver {
    /// `command` is the program and its first arguments (`["claude"]`). A turn's
    /// own [`AgentContext::command`] goes first where it has one.
    pub fn new(command: Vec<String>) -> Self {
        Self { command }
    }

    fn argv(&self, request: &TurnRequest, agent: &AgentContext, start: &Start) -> Vec<String> {
        let mut argv = supervised::command(&self.command, agent);
        argv.extend(PROTOCOL.map(str::to_owned));
        let mut option = |name: &str, value: &str| argv.extend([name.to_owned(), value.to_owned()]);
        match start.session() {
            None => option("--session-id", &uuid::Uuid::new_v4().to_string()),
            Some(session) => option("--resume", session),
        }
        if !request.model.is_empty() {
            option("--model", &request.model);
        }
        if !request.frame.system.is_empty() {
            option("--append-system-prompt", &request.frame.system);
        }
        argv
    }
}

/// The protocol of version 2.1; settings and tool servers of the user's own are
/// left out, because they could allow what the policy does not.
const PROTOCOL: [&str; 12] = [
    "-p",
    "--input-format",
    "stream-json",
    "--output-format",
    "stream-json",
    "--verbose",
    "--include-partial-messages",
    "--permission-prompt-tool",
    "stdio",
    "--setting-sources",
    "",
    "--strict-mcp-config",
];

impl Agent for ClaudeCodeDriver {
    type Dialect = Mapper;

    fn program(&self) -> Program {
        CLAUDE
    }

    fn surveyor(&self) -> Surveyor {
        protocol::survey
    }

    fn opening(&self, request: &TurnRequest, agent: &AgentContext, start: &Start) -> Opening {
        let prompt = start.prompt(request, agent);
        Opening {
            argv: self.argv(request, agent, start),
            env: environment(request, agent),
            lines: vec![
                protocol::initialize(),
                protocol::prompt(&prompt, &uuid::Uuid::new_v4().to_string()),
            ],
        }
    }

    fn dialect(&self, _request: &TurnRequest, _agent: &AgentContext, start: &Start) -> Mapper {
        Mapper::new(start.session().map(str::to_owned))
    }
}

#[async_trait]
impl Driver for ClaudeCodeDriver {
    async fn turn(&self, request: TurnRequest, host: &dyn Host) -> Result<Turn, TurnError> {
        supervised::turn(self, request, host).await
    }

    async fn check(
        &self,
        _model: Option<&str>,
        _key: Option<&Secret>,
    ) -> Result<Checked, TurnError> {
        supervised::check(CLAUDE, &self.command).await
    }
}

/// The key, if any, has to be in the environment: the program takes it nowhere else.
fn environment(request: &TurnRequest, agent: &AgentContext) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = agent.env.iter().cloned().collect();
    env.remove(REPEATS_CALLS);
    env.extend(QUIET.map(|name| (name.to_owned(), "1".to_owned())));
    if let Some(key) = &request.key {
        env.insert("ANTHROPIC_API_KEY".to_owned(), key.expose().to_owned());
    }
    env
}
