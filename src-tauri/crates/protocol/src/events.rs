//! The event stream.
//!
//! Every message is one server-sent event. `event: hello` comes first and carries the
//! cursor the stream starts after; a message without an event name is an
//! [`EventFrame`] and has its cursor as SSE id too; `event: delta` is a [`Delta`], which
//! is never repeated and has no cursor. An unknown cursor is answered with 410: the
//! client reads everything again.

use domain::{Event, RunId};
use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// The name of the message that carries a [`Delta`].
pub const DELTA: &str = "delta";

/// The name of the first message of a stream, which carries a [`Hello`].
pub const HELLO: &str = "hello";

/// Where a stream starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Hello {
    /// Everything after this cursor follows.
    pub cursor: String,
}

/// A recorded event in its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, specta::Type)]
pub struct EventFrame {
    /// `store_id.gseq`: where to continue after this event.
    pub cursor: String,
    /// Whose event.
    pub run: RunId,
    /// The event.
    pub entry: LogEntry,
}

/// One event of a run's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, specta::Type)]
pub struct LogEntry {
    /// Position in the run, from 1 without gaps.
    #[specta(type = u32)]
    pub seq: u64,
    /// When it was recorded.
    pub at: Moment,
    /// The words it stands for, where the event only refers to them (what the model
    /// said, what a tool answered), shortened to 4 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether `text` is only the beginning of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// The event itself: `kind` and the fields of that kind.
    pub event: Event,
}

/// What a model is doing as its words stream in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum DeltaKind {
    /// It answers.
    #[default]
    Text,
    /// It thinks.
    Thinking,
}

/// A piece of text as it streams in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Delta {
    /// Whose.
    pub run: RunId,
    /// Of which operation.
    pub op: u32,
    /// What the model is doing.
    pub kind: DeltaKind,
    /// When the daemon heard it.
    pub at: Moment,
    /// The piece.
    pub text: String,
}
