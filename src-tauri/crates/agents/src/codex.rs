//! Codex, supervised: its app-server protocol over a keeper.
//!
//! A turn is one `codex app-server`, from `initialize` to `turn/completed`. Its thread is
//! the session: the next turn's process resumes it. Every command and change that Codex does
//! not know to be reading is asked about (`approvalPolicy: untrusted`), and so goes through
//! Longhaul's own rules. Recorded and measured with 0.169.0: `facts/agents.md` §3.2; names of
//! fields by the schema that program writes (`codex app-server generate-json-schema`).

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
/// What may be done about an error in Codex's words; its ACP adapter passes them on.
pub(crate) use ending::kind as trouble;
use mapper::{Mapper, Task};
use tally::Tally;

/// The program, in words.
const CODEX: Program = Program {
    name: "codex",
    install: "install Codex",
    // It saves its transcript (about 1 s, measured).
    exit_within: Duration::from_secs(10),
};

/// What Codex keeps below the user's home.
pub const OWN_FILES: OwnFiles = OwnFiles {
    folders: &[".codex"],
    left_as_it_is: &[
        ".codex/config.toml",
        ".codex/AGENTS.md",
        ".codex/AGENTS.override.md",
        ".codex/hooks.json",
        ".codex/plugins",
        ".codex/prompts",
        ".codex/rules",
        ".codex/skills",
    ],
    copied: &[],
};

/// Where the key stands that its provider is told to use. A name of our own: it must not
/// change what the user's other commands see.
const KEY: &str = "LONGHAUL_CODEX_KEY";

/// The server, without its catalogue of plugins: it is looked up on the network at every
/// start (measured).
const PROTOCOL: [&str; 3] = ["app-server", "--disable", "plugins"];

/// Supervises `codex`.
#[derive(Clone, Debug)]
pub struct CodexDriver {
    command: Vec<String>,
    base_url: Option<String>,
}

/// What a turn consumed whose process and keeper are gone, from what it said: an
/// estimate. None if nothing was asked, or nothing of it is left.
pub async fn consumed(keeper_dir: &Path) -> Option<crate::driver::Usage> {
    let mut tally = Tally::default();
    let counted = read_all(keeper_dir, |line| {
        tally.line(&protocol::Line::parse(line));
    });
    counted.await.ok()?;
    tally.at_an_end()
}

impl CodexDriver {
    /// `command` is the program and its first arguments (`["codex"]`); a turn's own
    /// [`AgentContext::command`] goes first where it has one. `base_url` is a server that
    /// speaks the Responses API, instead of the provider that Codex is set up with.
    pub fn new(command: Vec<String>, base_url: Option<String>) -> Self {
        Self { command, base_url }
    }

    fn argv(&self, request: &TurnRequest, agent: &AgentContext) -> Vec<String> {
        let mut argv = supervised::command(&self.command, agent);
        argv.extend(PROTOCOL.map(str::to_owned));
        if let Some(url) = &self.base_url {
            let mut option = |value: String| argv.extend(["-c".to_owned(), value]);
            option("model_provider=\"longhaul\"".to_owned());
            // TOML's strings are JSON's for what can stand in an address.
            let url = serde_json::Value::from(url.as_str());
            let key = match &request.key {
                Some(_) => format!(",env_key=\"{KEY}\""),
                None => String::new(),
            };
            option(format!(
                "model_providers.longhaul={{name=\"Longhaul\",base_url={url},wire_api=\"responses\"{key}}}"
            ));
        }
        argv
    }
}

impl Agent for CodexDriver {
    type Dialect = Mapper;

    fn program(&self) -> Program {
        CODEX
    }

    fn surveyor(&self) -> Surveyor {
        protocol::survey
    }

    fn opening(&self, request: &TurnRequest, agent: &AgentContext, _start: &Start) -> Opening {
        let mut env: BTreeMap<String, String> = agent.env.iter().cloned().collect();
        if let Some(key) = &request.key {
            let name = match self.base_url {
                Some(_) => KEY,
                None => "CODEX_API_KEY",
            };
            env.insert(name.to_owned(), key.expose().to_owned());
        }
        Opening {
            argv: self.argv(request, agent),
            env,
            lines: vec![protocol::initialize()],
        }
    }

    fn dialect(&self, request: &TurnRequest, agent: &AgentContext, start: &Start) -> Mapper {
        Mapper::new(Task {
            cwd: agent.cwd.to_string_lossy().into_owned(),
            model: request.model.clone(),
            system: request.frame.system.clone(),
            prompt: start.prompt(request, agent),
            thread: start.session().map(str::to_owned),
            // One sandbox is enough; Codex's own cannot always be made inside of ours.
            sandbox: match agent.wrapper.is_empty() {
                true => "workspace-write",
                false => "danger-full-access",
            },
        })
    }
}

#[async_trait]
impl Driver for CodexDriver {
    async fn turn(&self, request: TurnRequest, host: &dyn Host) -> Result<Turn, TurnError> {
        supervised::turn(self, request, host).await
    }

    async fn check(
        &self,
        _model: Option<&str>,
        _key: Option<&Secret>,
    ) -> Result<Checked, TurnError> {
        supervised::check(CODEX, &self.command).await
    }
}
