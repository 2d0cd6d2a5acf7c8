//! Claude Code, supervised: its stream-json protocol over a keeper.
//!
//! A turn is one process, from the prompt to its `result` line. `protocol` reads
//! lines, `mapper` says what they mean (pure, replayable), `process` owns the
//! keeper, `supervise` joins them. A daemon that comes back adopts the process
//! and reads what it said from the beginning; one that finds it gone goes on with
//! its session in a new one. Recorded and measured: `facts/agents.md` §2.
#![allow(
    clippy::result_large_err,
    reason = "an error ends a turn: there is one of them in minutes"
)]

mod calls;
mod ending;
pub mod home;
mod lines;
mod mapper;
mod process;
mod protocol;
mod supervise;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use domain::{MessageOrigin, OpErrorKind};
use secrets::Secret;

use crate::driver::{
    AgentContext, ChatMessage, Checked, Driver, Host, Turn, TurnError, TurnRequest,
};
pub use calls::summary;
use ending::failed;
use mapper::Mapper;
use process::{Child, agent_error};
use supervise::{End, Supervision};

/// How long `--version` may take. It starts in under a second.
const VERSION_WITHIN: Duration = Duration::from_secs(5);

/// How long a keeper may live on after its child's end is on record: an instant,
/// but one in which its folder is still its own.
const KEEPER_GONE_WITHIN: Duration = Duration::from_secs(5);

/// Between two looks at whether it is gone.
const KEEPER_LOOK: Duration = Duration::from_millis(20);

/// Set for every process: no calls but those of the task.
const QUIET: [&str; 4] = [
    "DISABLE_TELEMETRY",
    "DISABLE_ERROR_REPORTING",
    "DISABLE_AUTOUPDATER",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
];

/// Never passed on: with it a resumed agent repeats the call it was cut off in.
const REPEATS_CALLS: &str = "CLAUDE_CODE_RESUME_INTERRUPTED_TURN";

/// Sent where a resumed run has nothing new to say.
const GO_ON: &str = "Go on where you left off.";

/// Supervises `claude`.
#[derive(Clone, Debug)]
pub struct ClaudeCodeDriver {
    command: Vec<String>,
}

/// What a turn consumed whose process and keeper are gone, from what it said: an
/// estimate. None if nothing was answered or asked, or nothing of it is left.
pub async fn consumed(keeper_dir: &Path) -> Option<crate::driver::Usage> {
    process::tally(keeper_dir).await.ok()?.at_an_end()
}

/// What the next process does.
enum Start {
    /// A session of its own.
    New,
    /// Goes on with this one.
    Resume(String),
}

impl ClaudeCodeDriver {
    /// `command` is the program and its first arguments (`["claude"]`). A turn's
    /// own [`AgentContext::command`] goes first where it has one.
    pub fn new(command: Vec<String>) -> Self {
        Self { command }
    }

    fn argv(&self, request: &TurnRequest, agent: &AgentContext, start: &Start) -> Vec<String> {
        let command = if agent.command.is_empty() {
            &self.command
        } else {
            &agent.command
        };
        let mut argv = command.clone();
        argv.extend(PROTOCOL.map(str::to_owned));
        let mut option = |name: &str, value: &str| argv.extend([name.to_owned(), value.to_owned()]);
        match start {
            Start::New => option("--session-id", &uuid::Uuid::new_v4().to_string()),
            Start::Resume(session) => option("--resume", session),
        }
        if !request.model.is_empty() {
            option("--model", &request.model);
        }
        if !request.frame.system.is_empty() {
            option("--append-system-prompt", &request.frame.system);
        }
        argv
    }

    async fn start(
        &self,
        request: &TurnRequest,
        agent: &AgentContext,
        start: &Start,
    ) -> Result<Child, TurnError> {
        let child = Child::start(
            agent,
            self.argv(request, agent, start),
            environment(request, agent),
        )
        .await?;
        child.send(protocol::initialize());
        child.send(protocol::prompt(
            &words(&request.conversation),
            &uuid::Uuid::new_v4().to_string(),
        ));
        Ok(child)
    }

    /// A process of an earlier daemon, if it has heard our message.
    async fn found(&self, dir: &Path) -> Result<Option<Child>, TurnError> {
        let Some(child) = Child::adopt(dir).await? else {
            clear(dir).await?;
            return Ok(None);
        };
        if child.before.begun {
            return Ok(Some(child));
        }
        // It was started and perhaps never spoken to; nothing can have happened.
        if child.left_behind() > 0 {
            return Err(agent_error(child.obituary().await));
        }
        child.stop().await;
        clear(dir).await?;
        Ok(None)
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

#[async_trait]
impl Driver for ClaudeCodeDriver {
    async fn turn(&self, request: TurnRequest, host: &dyn Host) -> Result<Turn, TurnError> {
        let Some(agent) = &request.agent else {
            return Err(failed(
                OpErrorKind::BadRequest,
                "claude needs a folder to work in".to_owned(),
            ));
        };
        let adopted = match &agent.adopt {
            Some(dir) => self.found(dir).await?,
            None => None,
        };
        let mut start = agent.session.clone().map_or(Start::New, Start::Resume);
        let mut child = adopted;
        loop {
            let process = match child.take() {
                Some(process) => process,
                None if request.cancel.is_cancelled() => {
                    return Err(failed(
                        OpErrorKind::Cancelled,
                        "claude was not started".to_owned(),
                    ));
                }
                None => self.start(&request, agent, &start).await?,
            };
            let resumed = match &start {
                Start::Resume(session) => Some(session.clone()),
                Start::New => None,
            };
            let supervision =
                Supervision::new(&request, agent, host, process, Mapper::new(resumed));
            match (Box::pin(supervision.run()).await, &start) {
                (End::Turn(turn), _) => return *turn,
                (End::UnknownSession, Start::New) => {
                    return Err(agent_error(
                        "claude does not know the session it was to begin".to_owned(),
                    ));
                }
                (End::UnknownSession, Start::Resume(session)) => {
                    let note = format!(
                        "claude no longer has its session {session}: a new one was begun, without what was said there"
                    );
                    host.note(&note)
                        .await
                        .map_err(|gone| failed(OpErrorKind::Cancelled, gone.to_string()))?;
                    clear(&agent.keeper_dir).await?;
                    start = Start::New;
                }
            }
        }
    }

    async fn check(
        &self,
        _model: Option<&str>,
        _key: Option<&Secret>,
    ) -> Result<Checked, TurnError> {
        let Some((program, first)) = self.command.split_first() else {
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
                let hint = "install Claude Code, or name its program with --command";
                return Err(agent_error(format!(
                    "{program} cannot be run: {error}; {hint}"
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
}

/// What one message to the agent says: briefings first, the rest in order.
fn words(conversation: &[ChatMessage]) -> String {
    let texts = |briefing: fn(&MessageOrigin) -> bool| {
        conversation
            .iter()
            .filter_map(move |message| match message {
                ChatMessage::User { origin, text } if briefing(origin) => Some(text.as_str()),
                _ => None,
            })
    };
    let first = texts(|origin| *origin == MessageOrigin::Briefing);
    let all: Vec<&str> = first
        .chain(texts(|origin| *origin != MessageOrigin::Briefing))
        .collect();
    if all.is_empty() {
        GO_ON.to_owned()
    } else {
        all.join("\n\n")
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

/// Makes a keeper's folder usable again, after its process did nothing.
async fn clear(dir: &Path) -> Result<(), TurnError> {
    let until = tokio::time::Instant::now() + KEEPER_GONE_WITHIN;
    loop {
        let dir = dir.to_owned();
        let cleared = tokio::task::spawn_blocking(move || keeper::collect_garbage(&dir)).await;
        match cleared.map_err(std::io::Error::other).flatten() {
            Ok(()) => return Ok(()),
            Err(error)
                if error.kind() == std::io::ErrorKind::ResourceBusy
                    && tokio::time::Instant::now() < until =>
            {
                tokio::time::sleep(KEEPER_LOOK).await;
            }
            Err(error) => {
                return Err(agent_error(format!(
                    "the folder of an earlier keeper cannot be cleared: {error}"
                )));
            }
        }
    }
}
