//! What the user asked for.

use serde::{Deserialize, Serialize};

use crate::ids::{BlobRef, RunId};
use crate::lineage::Fork;
use crate::money::NanoUsd;
use crate::usage::Tokens;

macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "specta", derive(specta::Type))]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every variant, in the order they are documented.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used in SQL, JSON and on the command line.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!("'{other}' is not one of {}", [$($word),+].join(", "))),
                }
            }
        }
    };
}
pub(crate) use word_enum;

word_enum! {
    /// Where the thinking comes from.
    BackendKind {
        /// Anthropic Messages API; the loop is ours.
        Anthropic = "anthropic",
        /// OpenAI and compatible servers; the loop is ours.
        OpenAi = "openai",
        /// Claude Code, supervised over its stream-json protocol.
        ClaudeCode = "claude-code",
        /// Codex, supervised over its app-server protocol.
        Codex = "codex",
        /// Any other agent, supervised over the Agent Client Protocol.
        Acp = "acp",
        /// The built-in scripted model: offline, free, labelled as simulated.
        Rehearsal = "rehearsal",
    }
}

impl BackendKind {
    /// Whether the loop is ours (native) rather than a child process's (agent).
    pub const fn is_native(self) -> bool {
        matches!(self, Self::Anthropic | Self::OpenAi | Self::Rehearsal)
    }
}

word_enum! {
    /// The built-in policies, strictest first.
    Preset {
        /// Every change and command is reviewed.
        Careful = "careful",
        /// Sensitive ones are.
        Balanced = "balanced",
        /// No tool approvals; deny rules, in-doubt operations, questions and budgets still ask.
        HandsOff = "hands-off",
    }
}

word_enum! {
    /// The files a run works on.
    WorkspaceMode {
        /// An own clone of a git project.
        Clone = "clone",
        /// A copy of a folder without git.
        Copy = "copy",
        /// The project itself (opt-in).
        InPlace = "in-place",
    }
}

word_enum! {
    /// Into what a run's result is put.
    ApplyInto {
        /// A new branch; the user's checkout stays as it is.
        Branch = "branch",
        /// A commit on the current branch.
        Commit = "commit",
        /// Uncommitted changes.
        Changes = "changes",
    }
}

/// One hunk of a run's diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct HunkName {
    /// The file: its path afterwards, or before, where it is gone.
    pub path: String,
    /// Which of the file's, from 1.
    pub number: u32,
    /// Of its path, its lines and its place in the old file: a diff that says another thing
    /// there has no such hunk.
    pub digest: String,
}

/// Caps. `None` is "no cap", which only an explicit choice of the user makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Budget {
    /// Dollars, unsettled calls counted at their worst case.
    #[serde(default)]
    pub max_cost: Option<NanoUsd>,
    /// Tokens, cache reads not counted.
    #[serde(default)]
    #[cfg_attr(feature = "specta", specta(type = Option<u32>))]
    pub max_tokens: Option<u64>,
    /// Tool calls begun.
    #[serde(default)]
    #[cfg_attr(feature = "specta", specta(type = Option<u32>))]
    pub max_tool_calls: Option<u64>,
    /// Milliseconds of running and verifying; waiting is free.
    #[serde(default)]
    #[cfg_attr(feature = "specta", specta(type = Option<u32>))]
    pub max_active_ms: Option<i64>,
}

impl Default for Budget {
    /// Safe and not zero: $5, 5 M tokens, 500 tool calls, 4 h of work.
    fn default() -> Self {
        Self {
            max_cost: Some(NanoUsd::dollars(5)),
            max_tokens: Some(5_000_000),
            max_tool_calls: Some(500),
            max_active_ms: Some(4 * 3_600_000),
        }
    }
}

word_enum! {
    /// Which cap was reached.
    BudgetLimit {
        /// Dollars.
        Cost = "cost",
        /// Tokens.
        Tokens = "tokens",
        /// Tool calls.
        ToolCalls = "tool_calls",
        /// Active time.
        Time = "time",
    }
}

impl Budget {
    /// The first cap that is used up, if any. `cost` includes what is unsettled or
    /// reserved. Tool calls count when they are asked for, so a run at exactly that
    /// cap has none in hand and may still answer.
    pub fn exhausted(
        &self,
        cost: NanoUsd,
        tokens: &Tokens,
        tool_calls: u64,
        active_ms: i64,
    ) -> Option<BudgetLimit> {
        let over = |cap: Option<bool>| cap == Some(true);
        if over(self.max_cost.map(|cap| cost >= cap)) {
            Some(BudgetLimit::Cost)
        } else if over(self.max_tokens.map(|cap| tokens.counted() >= cap)) {
            Some(BudgetLimit::Tokens)
        } else if over(self.max_tool_calls.map(|cap| tool_calls > cap)) {
            Some(BudgetLimit::ToolCalls)
        } else if over(self.max_active_ms.map(|cap| active_ms >= cap)) {
            Some(BudgetLimit::Time)
        } else {
            None
        }
    }

    /// Whether any cap is at least 90 % used: the agent is told to wrap up.
    pub fn nearly_exhausted(
        &self,
        cost: NanoUsd,
        tokens: &Tokens,
        tool_calls: u64,
        active_ms: i64,
    ) -> bool {
        let near = |used: i128, cap: Option<i128>| cap.is_some_and(|cap| used * 10 >= cap * 9);
        near(cost.0.into(), self.max_cost.map(|c| c.0.into()))
            || near(tokens.counted().into(), self.max_tokens.map(Into::into))
            || near(tool_calls.into(), self.max_tool_calls.map(Into::into))
            || near(active_ms.into(), self.max_active_ms.map(Into::into))
    }
}

/// What the user asked for, fixed when the run is made. Later changes (more
/// budget, another message) are events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Task {
    /// The prompt's first line, shortened: what lists show.
    pub title: String,
    /// The whole prompt.
    pub prompt: BlobRef,
    /// Absolute path of the project folder.
    pub project: String,
    /// The backend's name, as the user gave it.
    pub backend: String,
    /// Its kind.
    pub kind: BackendKind,
    /// The model asked for, where the backend has models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How the project's files are isolated.
    pub workspace: WorkspaceMode,
    /// Which operations are reviewed.
    pub policy: Preset,
    /// Shell command that must succeed in the workspace before the run is completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<String>,
    /// Caps at the start.
    pub budget: Budget,
    /// Backends that may answer instead, in order, when the first fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<String>,
    /// Higher starts first. 0 is normal.
    #[serde(default)]
    pub priority: i32,
    /// Starts only after this run is completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<RunId>,
    /// Where it began, if it is a fork of another run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<Box<Fork>>,
}
