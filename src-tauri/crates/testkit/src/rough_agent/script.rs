//! What the agent does.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A whole agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RoughScript {
    /// Done when the program starts, before it listens.
    pub(super) start: Vec<Step>,
    /// Done for each message; a session that is gone on with goes on behind what was done.
    pub(super) turn: Vec<Step>,
    /// Says nothing at the end of its turn.
    pub(super) never_ends: bool,
    /// Goes on living when nothing more can be said to it.
    pub(super) stays: bool,
    /// How its sessions can be gone on with; for `acp`.
    pub(super) resumes: Resumes,
    /// The version of the protocol it claims; for `acp`.
    pub(super) version: Option<u64>,
}

/// What an agent can do with an earlier session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Resumes {
    /// `session/resume`.
    #[default]
    Quietly,
    /// `session/load`, which tells all of it again.
    Loudly,
    /// It says that it can, and cannot.
    InVain,
    Never,
}

/// One thing the agent does. In JSON `{"do": "say", "text": "…"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Step {
    Say {
        text: String,
    },
    /// A command, really run, by default after asking.
    Run {
        command: String,
        #[serde(default = "yes")]
        ask: bool,
        #[serde(default)]
        die: Option<DieAt>,
    },
    /// Any message.
    Raw {
        line: Value,
    },
    /// Lines that are no messages.
    Garbage {
        lines: u64,
        bytes: usize,
    },
    /// One message with so much text.
    LongText {
        bytes: usize,
    },
    /// So many messages of one word.
    Flood {
        messages: u64,
    },
    /// Questions about several calls under the same number.
    AskTwice {
        commands: Vec<String>,
    },
    /// Questions about one call, each with another command.
    AskAgain {
        commands: Vec<String>,
    },
    /// The result of a call nobody has made.
    UnknownResult,
    /// A process that is left running, in a session of its own.
    LeaveBehind {
        command: String,
    },
    /// Says nothing more. A deaf one does not mind interrupts either.
    Hang {
        #[serde(default)]
        deaf: bool,
    },
    Stderr {
        text: String,
    },
    /// Kills itself with SIGKILL.
    Die,
    Exit {
        code: i32,
    },
}

fn yes() -> bool {
    true
}

/// Where in a command the agent kills itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DieAt {
    /// After asking, before the answer.
    Asked,
    /// Allowed, not yet begun.
    Before,
    /// The effect has happened, the result is not told.
    After,
}

impl RoughScript {
    /// # Errors
    /// If the file cannot be read or is no script; the message says where it is wrong.
    pub(super) fn from_file(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the script {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is no script of a rough agent", path.display()))
    }
}
