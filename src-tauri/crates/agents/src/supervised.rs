//! Agents that are programs of their own and talk in lines of JSON.
//!
//! A turn is one process in its keeper, from the prompt to the word that it is over.
//! [`child`] owns the keeper, [`lines`] cuts what it says, a [`Dialect`] says what that
//! means (pure, replayable), [`supervise`] joins them, [`turn`] starts, finds again and
//! starts anew. A daemon that comes back adopts the process and reads what it said from the
//! beginning; one that finds it gone goes on with its session in a new one.

pub(crate) mod child;
mod dialect;
mod lines;
pub(crate) mod rpc;
mod supervise;
mod turn;
pub(crate) mod uses;
mod version;

use std::time::Duration;

use domain::{MessageOrigin, OpErrorKind};

pub(crate) use dialect::{Action, Dialect, Phase, Unreadable, line, text};
pub(crate) use turn::{Agent, Opening, Start, turn};
pub(crate) use version::{check, check_loosely};

use crate::driver::{AgentContext, ChatMessage, TurnError};

/// The longest summary of a call, in characters.
const SUMMARY_MAX: usize = 200;

/// Sent where a resumed run has nothing new to say.
const GO_ON: &str = "Go on where you left off.";

/// An agent's program, in words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    /// What it is called in messages.
    pub(crate) name: &'static str,
    /// How one gets it.
    pub(crate) install: &'static str,
    /// How long it may take to end by itself after its turn, with nothing more to read.
    pub(crate) exit_within: Duration,
}

/// What an agent keeps below the user's home, for whoever draws a boundary around it. Paths
/// are below the home.
#[derive(Clone, Copy, Debug)]
pub struct OwnFiles {
    /// Sessions, credentials, state: it must be able to write here. Folders, because files
    /// are replaced in them by renaming.
    pub folders: &'static [&'static str],
    /// In those folders, but read by the next one that is started, perhaps outside of any
    /// sandbox: programs, rules and instructions stand in them.
    pub left_as_it_is: &'static [&'static str],
    /// Read and written by it; what is written is not to come back.
    pub copied: &'static [&'static str],
}

/// An error of the agent as a process.
pub(crate) fn agent_error(message: String) -> TurnError {
    TurnError::refused(OpErrorKind::Agent, message)
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

/// What says most of a call, in one line that can be shown.
pub(crate) fn one_line(words: &str) -> String {
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SUMMARY_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The command line of a turn's agent: the turn's own where it has one, else the driver's.
pub(crate) fn command(own: &[String], agent: &AgentContext) -> Vec<String> {
    match agent.command.is_empty() {
        true => own.to_vec(),
        false => agent.command.clone(),
    }
}
