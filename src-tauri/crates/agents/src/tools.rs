//! The tools a native model is given: what they are called, how a call is read,
//! and how it is carried out.
//!
//! Everything here stays inside the workspace; whether a call may be made at all
//! is the engine's to decide, with [`Tool::class`] and [`read_only_command`].

mod edit;
mod files;
mod look;
mod parse;
mod prompt;
mod read_only;
mod search;
mod shell;
mod specs;
#[cfg(test)]
mod tests;
mod text;

use domain::{OpClass, OpOutcome, PlanItem};
use workspace::Workspace;

pub use edit::{PlannedEdit, perform, plan_edit};
pub use parse::ToolInputError;
pub use prompt::{PromptFacts, project_instructions, system_prompt};
pub use read_only::read_only_command;
pub use shell::{DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S, ShellCommand, shell_result, shell_spec};
pub use specs::specs;

/// A tool call that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Reads lines of a file.
    Read {
        /// Relative to the workspace.
        path: String,
        /// First line, from 1.
        offset: u64,
        /// Most lines.
        limit: u64,
    },
    /// Lists a folder.
    List {
        /// Relative to the workspace.
        path: String,
        /// Levels below it.
        depth: u64,
    },
    /// Finds lines that match a regular expression.
    Search {
        /// The expression (syntax of the `regex` crate).
        pattern: String,
        /// File or folder to look in.
        path: String,
        /// Which files, by name or by path.
        glob: Option<String>,
    },
    /// Makes a file or replaces its contents.
    Write {
        /// Relative to the workspace.
        path: String,
        /// The whole contents.
        content: String,
    },
    /// Replaces text in a file.
    Edit {
        /// Relative to the workspace.
        path: String,
        /// What is there, exactly.
        old_text: String,
        /// What is to be there instead.
        new_text: String,
        /// How many places may match.
        places: Places,
    },
    /// Runs a shell command in the workspace.
    Shell {
        /// The command line.
        command: String,
        /// Seconds after which it is stopped.
        timeout_s: u64,
    },
    /// Tells the plan, whole.
    Plan {
        /// Its items, in order.
        items: Vec<PlanItem>,
    },
    /// Asks the person in charge.
    AskUser {
        /// The question.
        question: String,
        /// Answers to choose from; empty for free text.
        choices: Vec<String>,
    },
    /// Marks something a person should look at.
    FlagUncertain {
        /// What is uncertain.
        what: String,
        /// Why.
        why: String,
    },
}

/// How many places an edit may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// Exactly one: more than one match is an error.
    Only,
    /// All that match.
    All,
}

/// What came of a tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    /// Whether it did what was asked.
    pub outcome: OpOutcome,
    /// What the model is told, at most about 30,000 characters.
    pub text: String,
    /// The whole output, where `text` is not all of it.
    pub full: Option<Vec<u8>>,
    /// One line for people.
    pub summary: String,
}

impl ToolResult {
    /// It did what was asked.
    pub fn ok(text: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            outcome: OpOutcome::Ok,
            text: text.into(),
            full: None,
            summary: summary.into(),
        }
    }

    /// It did not; the model is told why.
    pub fn error(why: impl Into<String>) -> Self {
        let text = why.into();
        let summary = text::one_line(&text);
        Self {
            outcome: OpOutcome::Error,
            text,
            full: None,
            summary,
        }
    }
}

impl Tool {
    /// Its name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Read { .. } => "read",
            Self::List { .. } => "list",
            Self::Search { .. } => "search",
            Self::Write { .. } => "write",
            Self::Edit { .. } => "edit",
            Self::Shell { .. } => "shell",
            Self::Plan { .. } => "plan",
            Self::AskUser { .. } => "ask_user",
            Self::FlagUncertain { .. } => "flag_uncertain",
        }
    }

    /// What may be done with a call whose outcome is not known.
    pub fn class(&self) -> OpClass {
        match self {
            Self::Write { .. } | Self::Edit { .. } => OpClass::Reconcilable,
            Self::Shell { .. } => OpClass::AtMostOnce,
            Self::Read { .. }
            | Self::List { .. }
            | Self::Search { .. }
            | Self::Plan { .. }
            | Self::AskUser { .. }
            | Self::FlagUncertain { .. } => OpClass::Pure,
        }
    }

    /// Whether it may change files of the workspace.
    pub fn changes_files(&self) -> bool {
        !matches!(self.class(), OpClass::Pure)
    }

    /// One line for people, at most 120 characters, with nothing hidden in it.
    pub fn summary(&self) -> String {
        let line = match self {
            Self::Read {
                path, offset: 1, ..
            } => format!("read {path}"),
            Self::Read { path, offset, .. } => format!("read {path} from line {offset}"),
            Self::List { path, .. } => format!("list {path}"),
            Self::Search {
                pattern,
                path,
                glob: None,
            } => format!("search {pattern:?} in {path}"),
            Self::Search {
                pattern,
                path,
                glob: Some(glob),
            } => format!("search {pattern:?} in {path} ({glob})"),
            Self::Write { path, content } => format!("write {path} ({} bytes)", content.len()),
            Self::Edit {
                path,
                places: Places::Only,
                ..
            } => format!("edit {path}"),
            Self::Edit {
                path,
                places: Places::All,
                ..
            } => format!("edit {path} (all matches)"),
            Self::Shell { command, .. } => format!("$ {command}"),
            Self::Plan { items } => plan_line(items),
            Self::AskUser { question, .. } => format!("asks: {question}"),
            Self::FlagUncertain { what, .. } => format!("unsure: {what}"),
        };
        text::one_line(&line)
    }

    /// Everything a person needs to decide about the call, with nothing hidden
    /// in it. Several lines.
    pub fn detail(&self) -> String {
        let detail = match self {
            Self::Shell { command, timeout_s } => {
                format!("{command}\n\n(stopped after {timeout_s} s)")
            }
            Self::Write { path, content } => format!("{path}\n\n{content}"),
            Self::Edit {
                path,
                old_text,
                new_text,
                places,
            } => {
                let diff = similar::TextDiff::from_lines(old_text, new_text);
                let scope = if *places == Places::All {
                    " (all matches)"
                } else {
                    ""
                };
                format!("{path}{scope}\n\n{}", diff.unified_diff())
            }
            Self::FlagUncertain { what, why } => format!("{what}\n\n{why}"),
            Self::AskUser { question, .. } => question.clone(),
            _ => self.summary(),
        };
        text::visible(&detail)
    }
}

fn plan_line(items: &[PlanItem]) -> String {
    let done = items
        .iter()
        .filter(|item| item.state == domain::PlanState::Done)
        .count();
    let active = items
        .iter()
        .find(|item| item.state == domain::PlanState::Active);
    let now = active
        .map(|item| format!(", now: {}", item.text))
        .unwrap_or_default();
    format!("plan: {done} of {} done{now}", items.len())
}

/// Carries out a call that changes nothing: read, list or search.
pub async fn run_pure(tool: &Tool, workspace: &Workspace) -> ToolResult {
    match tool {
        Tool::Read {
            path,
            offset,
            limit,
        } => look::read(workspace, path, *offset, *limit).await,
        Tool::List { path, depth } => look::list(workspace, path, *depth).await,
        Tool::Search {
            pattern,
            path,
            glob,
        } => search::search(workspace, pattern.clone(), path, glob.as_deref()).await,
        other => ToolResult::error(format!("{} cannot be carried out here", other.name())),
    }
}
