//! What the agent does, message by message.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Surroundings;

/// A whole session: the n-th message of the user gets the n-th turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentScript {
    /// Done when the program starts, before it listens. For agents that fail to come up.
    pub start: Vec<Step>,
    pub turns: Vec<AgentTurn>,
    /// Every turn past the last; a short closing text if absent.
    pub after: Option<AgentTurn>,
    /// What happens to a call that was interrupted, when the session is resumed.
    pub on_resume: OnResume,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnResume {
    /// It is mentioned and left alone; the turn goes on behind it.
    #[default]
    Skip,
    /// It is made again, as a careless model does.
    Repeat,
}

/// What follows one message of the user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentTurn {
    pub steps: Vec<Step>,
    /// Text of the result; the last text said if absent.
    pub result: Option<String>,
    pub usage: AgentUsage,
    /// Cost of this turn in USD.
    pub cost_usd: f64,
    /// Ends the turn as a failed API call does: `subtype: success` with `is_error: true`.
    pub error: Option<TurnError>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnError {
    pub message: String,
    /// The HTTP status; absent for a dropped connection.
    #[serde(default)]
    pub status: Option<u16>,
}

/// Tokens of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentUsage {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
}

/// One thing the agent does. In JSON `{"do": "text", "text": "…"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    Think {
        text: String,
    },
    Text {
        text: String,
    },
    /// Asks for permission where the real one does, then really does it: `Bash`, `Write`,
    /// `Edit`, `Read`, and `mcp__SERVER__TOOL` of a server given in `initialize`.
    Tool {
        name: String,
        #[serde(default)]
        input: Value,
        /// Kills itself in the middle, once.
        #[serde(default)]
        die: Option<DieAt>,
    },
    /// Reports a failed API request and waits `delay_ms`.
    ApiRetry {
        #[serde(default)]
        status: Option<u16>,
        error: String,
        #[serde(default)]
        delay_ms: u64,
        #[serde(default = "one")]
        attempt: u32,
    },
    /// A line on standard output, as it is.
    Garbage {
        text: String,
    },
    Stderr {
        text: String,
    },
    /// Any message; the session id and a uuid are added where missing.
    Event {
        line: Value,
    },
    Sleep {
        ms: u64,
    },
    /// Says nothing more. A deaf one does not mind interrupts and SIGTERM either.
    Hang {
        #[serde(default)]
        deaf: bool,
    },
    /// Kills itself with SIGKILL. What was said before is on standard output.
    Die,
    Exit {
        code: i32,
    },
}

fn one() -> u32 {
    1
}

/// Where in a tool call the agent kills itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DieAt {
    /// After asking, before the answer.
    Asked,
    /// Allowed, not yet begun.
    Before,
    /// The effect has happened, the result is not reported.
    After,
}

impl AgentScript {
    /// # Errors
    /// If the file cannot be read or is no script; the message says where it is wrong.
    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the script {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is not an agent script", path.display()))
    }

    pub(crate) fn turn(&self, n: usize) -> AgentTurn {
        let closing = || AgentTurn {
            steps: vec![Step::Text {
                text: "Nothing is left to do (end of the script).".to_owned(),
            }],
            ..AgentTurn::default()
        };
        self.turns
            .get(n)
            .or(self.after.as_ref())
            .cloned()
            .unwrap_or_else(closing)
    }
}

/// The script of this process, unless a prompt is to name it.
pub(crate) fn find(surroundings: &Surroundings) -> anyhow::Result<Option<AgentScript>> {
    let beside = surroundings.cwd.join("scripted-agent.json");
    let named = surroundings
        .script
        .clone()
        .or_else(|| beside.exists().then_some(beside));
    named.map(|path| AgentScript::from_file(&path)).transpose()
}

/// The script a prompt names by `[[agent-script:PATH]]`.
pub(crate) fn named_in(prompt: &str) -> Option<anyhow::Result<AgentScript>> {
    let (_, rest) = prompt.split_once("[[agent-script:")?;
    let (path, _) = rest.split_once("]]")?;
    Some(AgentScript::from_file(Path::new(path.trim())))
}
