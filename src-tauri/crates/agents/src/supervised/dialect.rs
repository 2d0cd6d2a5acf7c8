//! What the supervision of an agent asks of the language the agent speaks.

use domain::{OpOutcome, PlanItem};
use serde_json::Value;

use super::agent_error;
use crate::driver::{Delta, ObservedCall, Turn, TurnError, Usage};

/// One agent's language: what its lines mean, and the lines that answer it. Pure, so that
/// recordings can be replayed through it.
pub(crate) trait Dialect: Send {
    /// What the agent is called in messages.
    fn name(&self) -> &'static str;

    /// What a line asks to be done.
    fn line(&mut self, bytes: &[u8]) -> Vec<Action>;

    /// A line that is no message, in words.
    fn unreadable(&mut self, what: String) -> Vec<Action>;

    /// Where the turn is.
    fn phase(&self) -> Phase;

    /// Whether nothing is under way that would be cut off: no answer is being told, and
    /// of the calls only those are open that it has asked about or will.
    fn is_between(&self) -> bool;

    /// Calls without a result.
    fn open_calls(&self) -> usize;

    /// Whether the question about a call is due: calls are told of when it asks, so that
    /// the record says that they were decided on, or when it turns out that it does not.
    /// True also while anything else is waited for that may not come.
    fn is_about_to_ask(&self) -> bool;

    /// Goes on without what did not come in time: tells of the calls it did not ask about,
    /// which may be running.
    fn release_calls(&mut self) -> Vec<Action>;

    /// A permission was decided.
    fn answered(&mut self, request_id: &str);

    /// Whether a model has answered in this turn.
    fn has_answered(&self) -> bool;

    /// What the turn may be billed if it ends now. None if nothing was answered or asked.
    fn consumed(&self) -> Option<Usage>;

    /// Permission, with the input exactly as it was asked for.
    fn allow(&self, request_id: &str, input: &Value) -> Vec<u8>;

    /// Permission for other arguments, an object; where the language has no words for
    /// that, a refusal that asks for them.
    fn allow_edited(&self, request_id: &str, edited: &Value) -> Vec<u8>;

    /// Refusal, with words for the model.
    fn deny(&self, request_id: &str, why: &str) -> Vec<u8>;

    /// For requests nobody has anything to say to.
    fn unsupported(&self, request_id: &str, what: &str) -> Vec<u8>;

    /// Asks the agent to end its turn.
    fn interrupt(&mut self) -> Vec<u8>;
}

/// Something to do because of a line.
#[derive(Debug)]
pub(crate) enum Action {
    /// The agent's session id.
    Session(String),
    /// Show it.
    Delta(Delta),
    /// A call begins.
    Started(ObservedCall),
    /// A call is over.
    Ended {
        call_id: String,
        outcome: OpOutcome,
        result: String,
    },
    /// The agent asks whether it may.
    Permit {
        request_id: String,
        call: ObservedCall,
        input: Value,
    },
    /// To be refused without asking anyone.
    Deny {
        request_id: String,
        why: &'static str,
    },
    /// A request of a kind this driver knows nothing of.
    Unsupported { request_id: String, what: String },
    /// Worth keeping.
    Note(String),
    /// The agent's plan, as it is now.
    Plan(Vec<PlanItem>),
    /// To be said next.
    Send(Vec<u8>),
    /// More was consumed: what it is so far.
    Used(Usage),
    /// Waiting for it is pointless; it is to be stopped.
    GaveUp(Box<TurnError>),
    /// The session to be gone on with cannot be: why, in the agent's words, if it gave any.
    UnknownSession(String),
    /// The turn is over.
    Finished(Box<Result<Turn, TurnError>>),
}

/// Whether silence means that something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// An answer is due: silence is limited.
    Expecting,
    /// The agent's own retry is due in so many milliseconds from its last line.
    Retrying(u64),
    /// Tools run, or a person is asked: silence is fine.
    Busy,
}

/// So many lines of one turn that are no messages, and it is another program.
const UNREADABLE_MAX: u64 = 10_000;

/// Lines that are no messages. Only the first is told: an agent that writes its log to the
/// wrong stream would fill the timeline.
#[derive(Debug, Default)]
pub(crate) struct Unreadable {
    seen: u64,
}

impl Unreadable {
    /// Tells of a line of `agent`'s, in words.
    pub(crate) fn tell(&mut self, agent: &str, what: &str) -> Vec<Action> {
        self.seen += 1;
        match self.seen {
            1 => vec![Action::Note(format!(
                "{agent} wrote a line that is no message (kept in its spool): {what}"
            ))],
            UNREADABLE_MAX => vec![Action::GaveUp(Box::new(agent_error(format!(
                "{agent} wrote {UNREADABLE_MAX} lines that are no messages: its command starts something else, or it is broken"
            ))))],
            _ => Vec::new(),
        }
    }
}

/// A message as a line.
pub(crate) fn line(message: &Value) -> Vec<u8> {
    let mut bytes = message.to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

/// A string field, empty if absent or something else.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
