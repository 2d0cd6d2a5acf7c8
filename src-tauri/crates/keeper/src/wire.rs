//! What a client and a keeper say to each other: one JSON object a line. A
//! [`Action::Write`] line is followed by that many raw bytes.
//!
//! The two may be of different versions (a keeper lives through an upgrade of the
//! daemon): fields are added with a default, never changed.

use serde::{Deserialize, Serialize};

use crate::record::{Exit, StartFailure};

/// Grows when something is changed that an older side cannot ignore.
pub(crate) const VERSION: u32 = 1;

/// The most bytes of one [`Action::Write`].
pub(crate) const WRITE_MAX: usize = 32 * 1024;

/// The longest line a client may send.
pub(crate) const LINE_MAX: usize = 4 * 1024;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) action: Action,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// `len` bytes for standard input; answered when the child's pipe took them.
    Write { len: usize },
    /// No more input; answered when all earlier input is written.
    CloseStdin,
    /// To the child's process group.
    Signal(Signal),
    /// TERM now, KILL after the grace; answered at once.
    Stop { grace_ms: u64 },
    /// KILL now; answered when nothing is left.
    KillTree,
    /// Answered with [`Answer::Activity`].
    Activity,
    /// The spool's first `up_to` bytes will not be read again.
    Release { stream: Stream, up_to: u64 },
}

/// A signal for the child's process group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGINT: what Ctrl-C sends. Agents finish their transcript.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// One of the two spools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output, or both if they are merged.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
        }
    }

    pub(crate) fn tail_file(self) -> &'static str {
        match self {
            Self::Out => "out.tail",
            Self::Err => "err.tail",
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// The first line of every connection.
    Hello { version: u32, id: String },
    /// There is more in the spools. Coalesced: only the last one matters.
    Progress(Progress),
    /// To the request with this id.
    Reply {
        id: u64,
        result: Result<Answer, Refusal>,
    },
    /// The last line: `exit.json` is on disk.
    Exit(Exit),
}

/// Bytes in the spools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Of `out`.
    pub out: u64,
    /// Of `err`.
    pub err: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Done,
    Activity(Activity),
}

/// Signs of life of the process tree. Two equal ones some time apart: it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// CPU milliseconds of everything below the keeper, ended processes included
    /// (resolution 10 ms).
    pub cpu_ms: u64,
    /// Bytes written to both streams, dropped ones included.
    pub output_bytes: u64,
    /// Living processes.
    pub processes: u32,
}

/// Why a keeper did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The child closed its input, or has none.
    #[error("the child does not read its input")]
    StdinClosed,
    /// The child has ended.
    #[error("the child has ended")]
    Ended,
    /// The operating system said no.
    #[error("{0}")]
    Failed(String),
}

/// The one line a keeper writes to the process that started it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ready {
    /// The child runs.
    Started,
    /// It could not be started; `exit.json` says so too.
    NotStarted(StartFailure),
    /// The keeper itself could not work; nothing was run.
    Broken(String),
}
