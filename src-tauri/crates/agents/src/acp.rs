//! Any other agent, supervised: the Agent Client Protocol, version 1, over a keeper.
//!
//! A turn is one process, from `initialize` to the answer of `session/prompt`. Its session is
//! gone on with by the next turn's process where the agent can (`session/resume`, else
//! `session/load`); where it cannot, a new session is told what had been done. What it asks
//! goes through Longhaul's own rules; a permission is always for once. It is offered neither
//! files nor terminals of ours: no agent keeps to them alone, and a half-held boundary is none
//! (`facts/agents.md` §4.2). Recorded with Gemini CLI, OpenCode and the adapters of Claude Code
//! and Codex; each has its own understanding of the protocol, so everything is optional here.

mod calls;
mod ending;
mod known;
mod mapper;
mod protocol;
mod session;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use secrets::Secret;

use crate::driver::{AgentContext, Checked, Driver, Host, Turn, TurnError, TurnRequest};
use crate::supervised::child::{Surveyor, read_all};
use crate::supervised::{self, Agent, Opening, Program, Start};
pub use known::{KNOWN, Known, own_files, program, usual_command};
use mapper::{Mapper, Task};
use tally::Tally;

/// Not everybody leaves when nothing more can be said (Gemini CLI and OpenCode stay,
/// measured); all have written down their session by then.
const EXIT_WITHIN: Duration = Duration::from_secs(2);

/// Where the key stands for an agent that is not known.
const KEY: &str = "LONGHAUL_AGENT_KEY";

/// They would update themselves in mid-run, call home, or open a browser nobody looks at.
const QUIET: [(&str, &str); 5] = [
    ("NO_BROWSER", "1"),
    ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
    ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
    ("DISABLE_AUTOUPDATER", "1"),
    ("DISABLE_TELEMETRY", "1"),
];

/// Supervises one agent.
#[derive(Clone, Debug)]
pub struct AcpDriver {
    command: Vec<String>,
    base_url: Option<String>,
    known: Option<&'static Known>,
}

/// What a turn consumed whose process and keeper are gone, from what it said: an
/// estimate. None if nothing was answered, or nothing of it is left.
pub async fn consumed(keeper_dir: &Path) -> Option<crate::driver::Usage> {
    let mut tally = Tally::default();
    let mut opened = false;
    let counted = read_all(keeper_dir, |line| {
        let line = protocol::Line::parse(line);
        let response = matches!(line, protocol::Line::Response(..));
        opened |= matches!(line, protocol::Line::Response(protocol::SESSION, Ok(_)));
        if opened || response {
            tally.line(&line);
        }
    });
    counted.await.ok()?;
    tally.at_an_end()
}

impl AcpDriver {
    /// `command` is the program and its arguments (`["gemini", "--acp"]`); a turn's own
    /// [`AgentContext::command`] goes first where it has one. `base_url` is another server
    /// for its model calls, for agents that can be told.
    pub fn new(command: Vec<String>, base_url: Option<String>) -> Self {
        let known = known::of(&command);
        Self {
            command,
            base_url,
            known,
        }
    }

    fn environment(&self, request: &TurnRequest, agent: &AgentContext) -> BTreeMap<String, String> {
        let mut env: BTreeMap<String, String> = agent.env.iter().cloned().collect();
        env.extend(QUIET.map(|(name, value)| (name.to_owned(), value.to_owned())));
        if let Some(key) = &request.key {
            let name = self.known.and_then(|known| known.key).unwrap_or(KEY);
            env.insert(name.to_owned(), key.expose().to_owned());
        }
        if let (Some(url), Some(name)) = (&self.base_url, self.known.and_then(|k| k.base_url)) {
            env.insert(name.to_owned(), url.clone());
        }
        env
    }
}

impl Agent for AcpDriver {
    type Dialect = Mapper;

    fn program(&self) -> Program {
        Program {
            name: self.known.map_or("the agent", |known| known.program),
            install: self
                .known
                .map_or("check its backend's command", |known| known.install),
            exit_within: EXIT_WITHIN,
        }
    }

    fn surveyor(&self) -> Surveyor {
        protocol::survey
    }

    fn opening(&self, request: &TurnRequest, agent: &AgentContext, _start: &Start) -> Opening {
        Opening {
            argv: supervised::command(&self.command, agent),
            env: self.environment(request, agent),
            lines: vec![protocol::initialize()],
        }
    }

    fn dialect(&self, request: &TurnRequest, agent: &AgentContext, start: &Start) -> Mapper {
        Mapper::new(Task {
            name: self.program().name,
            cwd: agent.cwd.to_string_lossy().into_owned(),
            model: request.model.clone(),
            system: request.frame.system.clone(),
            prompt: start.prompt(request, agent),
            session: start.session().map(str::to_owned),
            adopted: matches!(start, Start::Adopted(_)),
            keyed: request.key.is_some(),
        })
    }
}

#[async_trait]
impl Driver for AcpDriver {
    async fn turn(&self, request: TurnRequest, host: &dyn Host) -> Result<Turn, TurnError> {
        supervised::turn(self, request, host).await
    }

    async fn check(
        &self,
        _model: Option<&str>,
        _key: Option<&Secret>,
    ) -> Result<Checked, TurnError> {
        supervised::check_loosely(self.program(), &self.command).await
    }
}
