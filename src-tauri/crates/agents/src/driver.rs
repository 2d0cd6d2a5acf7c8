//! What the engine asks of anything that thinks: one turn at a time.
//!
//! A native driver's turn is one model call; the tool calls it asks for come
//! back to the engine, which gates and runs them. An agent driver's turn is
//! everything the agent does with one prompt; it runs its own tools and tells
//! the [`Host`], which journals them and answers its permission questions.

use std::path::PathBuf;

use async_trait::async_trait;
use domain::{
    Charge, MessageOrigin, NanoUsd, OpClass, OpErrorKind, OpOutcome, PlanItem, Timestamp, UsagePart,
};
use secrets::Secret;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// One message of the conversation, as the drivers need it.
#[derive(Clone, Debug)]
pub enum ChatMessage {
    /// Plain text from the user, or from Longhaul on the user's behalf.
    User {
        /// Who put it there.
        origin: MessageOrigin,
        /// The text.
        text: String,
    },
    /// The model's content blocks, in the words of the Messages API whoever answered; what
    /// came from that API exactly as received.
    Model {
        /// JSON text; sent back byte for byte to where it came from.
        content: String,
    },
    /// The result of one tool call. Consecutive results (and user texts after
    /// them) go into one user turn.
    ToolResult {
        /// The model's id of the call.
        call_id: String,
        /// What the model is told.
        text: String,
        /// Whether it is an error.
        outcome: OpOutcome,
    },
}

/// A tool offered to a native model.
#[derive(Clone, Debug)]
pub struct ToolSpec {
    /// Its name on the wire.
    pub name: &'static str,
    /// What it does, for the model.
    pub description: &'static str,
    /// JSON schema of its input.
    pub input_schema: Value,
    /// What may be done when a call's outcome is unknown.
    pub class: OpClass,
}

/// What stays the same from request to request: the cacheable front of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Frame {
    /// The system prompt.
    pub system: String,
    /// Tool definitions in the words of the Messages API; other drivers translate them, so
    /// that a run's frame stays the same whoever answers.
    pub tools: Value,
}

/// Everything a turn needs.
pub struct TurnRequest {
    /// Model asked for.
    pub model: String,
    /// System prompt and tools. Agent drivers append the system text to their own.
    pub frame: Frame,
    /// The whole conversation for native drivers; for agent drivers the
    /// messages since its last turn.
    pub conversation: Vec<ChatMessage>,
    /// Most tokens the answer may have (already clamped to the budget).
    pub max_tokens: u64,
    /// The credential, where one is needed.
    pub key: Option<Secret>,
    /// Longest silence while requesting or streaming, in milliseconds.
    pub silence_ms: u64,
    /// Ends the turn early.
    pub cancel: CancellationToken,
    /// Ends an agent's turn where nothing of it is under way: between two answers, two
    /// calls, or at a question. It can be gone on with. A native turn has no such place.
    pub pause: CancellationToken,
    /// What agent drivers need besides; `None` for native ones.
    pub agent: Option<AgentContext>,
}

/// Where and how an agent's process runs.
#[derive(Clone, Debug)]
pub struct AgentContext {
    /// The folder it works in.
    pub cwd: PathBuf,
    /// Complete environment of its process.
    pub env: Vec<(String, String)>,
    /// The command that starts it, from the backend's settings.
    pub command: Vec<String>,
    /// The sandbox it runs in ([`keeper::Spec::wrapper`]); empty: none.
    pub wrapper: Vec<String>,
    /// What it and all it starts may take.
    pub limits: keeper::Limits,
    /// This binary, which becomes the keeper.
    pub longhaul: PathBuf,
    /// Folder for a new keeper of this turn.
    pub keeper_dir: PathBuf,
    /// Short socket path for that keeper.
    pub socket: PathBuf,
    /// The session to go on with, if there is one.
    pub session: Option<String>,
    /// What an agent is told that cannot go on with its session and begins another: all that
    /// was asked for, and what was done.
    pub anew: Vec<ChatMessage>,
    /// A living keeper of an earlier daemon whose agent is still in this turn:
    /// adopt it instead of starting another.
    pub adopt: Option<PathBuf>,
    /// Observed calls the journal already has, by the agent's call id: not told again.
    pub known_calls: Vec<String>,
    /// Whether its model calls are held back: it is not silent then.
    pub held: crate::Held,
}

/// A tool call the model asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The model's id of the call.
    pub call_id: String,
    /// The tool's name.
    pub name: String,
    /// Its input: JSON text as received.
    pub input: String,
}

/// Why a model stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is done.
    EndTurn,
    /// It wants tools.
    ToolUse,
    /// `max_tokens` was reached: to be continued.
    MaxTokens,
    /// A server-side tool paused: send the same conversation again.
    Pause,
    /// It declined; the category where given.
    Refusal(Option<String>),
    /// The context window is full.
    ContextFull,
    /// It ended with a call of this tool in its text, where nothing can run it: the server
    /// does not understand its model's way of calling tools, or the model lost it.
    CallInText(String),
    /// Anything newer than this code, by its word.
    Other(String),
}

impl Stop {
    /// The word the journal keeps.
    pub fn word(&self) -> &str {
        match self {
            Self::EndTurn => "end_turn",
            Self::ToolUse => "tool_use",
            Self::MaxTokens => "max_tokens",
            Self::Pause => "pause_turn",
            Self::Refusal(_) => "refusal",
            Self::ContextFull => "model_context_window_exceeded",
            Self::CallInText(_) => "tool_call_in_text",
            Self::Other(word) => word,
        }
    }
}

/// Usage as a response reported it, ready to be priced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// One part, or one per `usage.iterations` entry.
    pub parts: Vec<UsagePart>,
    /// The usage object as received (start and delta merged).
    pub raw: Value,
    /// The provider's request id.
    pub request_id: Option<String>,
    /// Whether the provider counted, or we had to.
    pub counted: Counted,
    /// What the provider itself says it cost.
    pub cost: Option<NanoUsd>,
}

/// Who counted the tokens of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counted {
    /// The provider, in its answer.
    #[default]
    Reported,
    /// Nobody: they are guessed from the length of what was sent and answered.
    Estimated,
}

/// A turn that was answered.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The model's content blocks, JSON array text as received; for agents the
    /// final text as one block.
    pub content: String,
    /// The readable text of it.
    pub text: String,
    /// Tool calls to run. Always empty for agent drivers.
    pub calls: Vec<ToolCall>,
    /// Why it stopped.
    pub stop: Stop,
    /// The model that answered, as the response names it.
    pub model: String,
    /// For native drivers.
    pub usage: Option<Usage>,
    /// For agent drivers, which report cost themselves.
    pub charge: Option<Charge>,
}

/// A turn without an answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct TurnError {
    /// What may be done about it.
    pub kind: OpErrorKind,
    /// What happened, in words, naming the endpoint or agent. Never a secret.
    pub message: String,
    /// How long the provider said to wait, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// Usage seen before the connection was lost: the call may have been billed.
    pub partial: Option<Usage>,
    /// What the turn cost by the agent's own report, where there is one: goes before `partial`.
    pub charge: Option<Box<Charge>>,
    /// Whether any part of an answer had arrived.
    pub answered: Answered,
}

/// How far an answer had come when it was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Nothing: the request was refused or never arrived.
    No,
    /// The model had begun: the call may be billed.
    Begun,
}

/// Streaming output on its way. Ephemeral: it is shown, never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Visible text.
    Text(String),
    /// Thinking, where shown.
    Thinking(String),
    /// A tool call is being written: its name.
    Tool(String),
    /// The driver waits and tries again by itself (an agent's own retry).
    Retrying {
        /// In words.
        reason: String,
        /// When the next try is due, if known.
        at: Option<Timestamp>,
    },
}

/// A tool call an agent makes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedCall {
    /// The agent's id of the call.
    pub call_id: String,
    /// The agent's name of the tool.
    pub name: String,
    /// JSON text of the input.
    pub input: String,
    /// One line for people.
    pub summary: String,
    /// What may be done when its outcome is unknown.
    pub class: OpClass,
}

/// The engine's answer to an agent's permission question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Go ahead with the arguments as asked.
    Allow,
    /// Go ahead with these instead: a JSON object, put in their place by a person. Only for
    /// drivers whose protocol can say so.
    AllowEdited(String),
    /// Do not; the reason goes to the agent.
    Deny(String),
}

/// The journal is closed to this run (it was fenced, or is shutting down): stop.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the run was taken out of this driver's hands")]
pub struct HostGone;

/// What a driver may ask of and tell the engine during a turn. Whatever returns
/// `Ok` is durable by then.
#[async_trait]
pub trait Host: Send + Sync {
    /// Shows streaming output and proves that the turn is alive.
    fn delta(&self, delta: Delta);
    /// The agent's own session id is known, and which keeper (folder name) runs it.
    async fn session(&self, session: &str, keeper: &str) -> Result<(), HostGone>;
    /// The agent begins a call. Told twice, it counts once (by call id).
    async fn call_started(&self, call: ObservedCall) -> Result<(), HostGone>;
    /// The call is over.
    async fn call_ended(
        &self,
        call_id: &str,
        outcome: OpOutcome,
        result: &str,
    ) -> Result<(), HostGone>;
    /// The agent asks whether it may make this call. Waits as long as it takes,
    /// across restarts of the daemon: asked again with the same call id, the
    /// same review answers.
    async fn permit(&self, call: ObservedCall) -> Result<Permit, HostGone>;
    /// What the turn's answers consumed so far, each time that more is known. The host
    /// may end the turn because of it.
    async fn used(&self, _so_far: &Usage) -> Result<(), HostGone> {
        Ok(())
    }
    /// The agent's plan, whenever it changes.
    async fn plan(&self, _items: Vec<PlanItem>) -> Result<(), HostGone> {
        Ok(())
    }
    /// A remark worth keeping (a model switch, a retry) for the run's timeline.
    async fn note(&self, text: &str) -> Result<(), HostGone>;
}

/// One backend's way of thinking.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Runs one turn to its end.
    async fn turn(&self, request: TurnRequest, host: &dyn Host) -> Result<Turn, TurnError>;

    /// Whether the endpoint or agent can be used at all: reachable, credential
    /// valid, model known. Cheap and free of charge.
    async fn check(&self, model: Option<&str>, key: Option<&Secret>) -> Result<Checked, TurnError>;
}

/// What a successful check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Models offered, where the backend lists them.
    pub models: Vec<String>,
    /// The agent's version or the API's, in words.
    pub version: Option<String>,
}
