//! The transcript: what a resumed process knows of the one before it.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{args::Args, script::AgentUsage, wire::uuid};

/// Why a session cannot be had.
#[derive(Debug)]
pub(crate) enum Refusal {
    Unknown(String),
    InUse(String),
    Unwritable(std::io::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(id) => write!(f, "No conversation found with session ID: {id}"),
            Self::InUse(id) => write!(f, "Error: Session ID {id} is already in use."),
            Self::Unwritable(error) => {
                write!(f, "Error: the transcript cannot be written: {error}")
            }
        }
    }
}

/// One line of the transcript.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Line {
    User {
        text: String,
    },
    /// A step is over and will not be done again.
    Step {
        step: usize,
    },
    ToolUse {
        step: usize,
        id: String,
        name: String,
        input: Value,
    },
    ToolResult {
        id: String,
        content: String,
        is_error: bool,
    },
    Result {
        total_cost_usd: f64,
        total: AgentUsage,
    },
}

/// A call without a result.
#[derive(Clone, Debug)]
pub(crate) struct OpenCall {
    pub(crate) step: usize,
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    file: PathBuf,
    /// The turn under way or due next.
    pub(crate) turn: usize,
    /// The step of it that is due next.
    pub(crate) step: usize,
    /// Left open by a process before this one.
    pub(crate) open: Option<OpenCall>,
    pub(crate) cost_usd: f64,
    pub(crate) total: AgentUsage,
    /// The text that began it.
    pub(crate) first_prompt: Option<String>,
}

impl Session {
    pub(crate) fn open(home: &Path, args: &Args) -> Result<Self, Refusal> {
        let folder = home.join(".claude/scripted");
        fs::create_dir_all(&folder).map_err(Refusal::Unwritable)?;
        let file_of = |id: &str| folder.join(format!("{id}.jsonl"));
        let Some(old) = &args.resume else {
            let id = args.session_id.clone().unwrap_or_else(uuid);
            return if file_of(&id).exists() {
                Err(Refusal::InUse(id))
            } else {
                Ok(Self::empty(&id, file_of(&id)))
            };
        };
        let text = fs::read_to_string(file_of(old)).map_err(|_| Refusal::Unknown(old.clone()))?;
        let id = if args.fork {
            args.session_id.clone().unwrap_or_else(uuid)
        } else {
            old.clone()
        };
        let mut session = Self::empty(&id, file_of(&id));
        if args.fork {
            fs::write(&session.file, &text).map_err(Refusal::Unwritable)?;
        }
        // The last line may be half a line: it was being written at the kill.
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .for_each(|line| session.apply(line));
        Ok(session)
    }

    fn empty(id: &str, file: PathBuf) -> Self {
        let id = id.to_owned();
        Self {
            id,
            file,
            turn: 0,
            step: 0,
            open: None,
            cost_usd: 0.0,
            total: AgentUsage::default(),
            first_prompt: None,
        }
    }

    fn apply(&mut self, line: Line) {
        match line {
            Line::User { text } => drop(self.first_prompt.get_or_insert(text)),
            Line::Step { step } => self.step = step + 1,
            Line::ToolUse { step, id, name, .. } => self.open = Some(OpenCall { step, id, name }),
            Line::ToolResult { .. } => self.open = None,
            Line::Result {
                total_cost_usd,
                total,
            } => {
                (self.turn, self.step, self.open) = (self.turn + 1, 0, None);
                (self.cost_usd, self.total) = (total_cost_usd, total);
            }
        }
    }

    /// Writes a line and follows it.
    pub(crate) fn note(&mut self, line: Line) {
        let text = serde_json::to_string(&line).expect("a line is plain data");
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.file)
            .and_then(|mut file| writeln!(file, "{text}"));
        if let Err(error) = written {
            super::wire::complain(&format!(
                "scripted-agent: cannot write {}: {error}",
                self.file.display()
            ));
        }
        self.apply(line);
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }
}
