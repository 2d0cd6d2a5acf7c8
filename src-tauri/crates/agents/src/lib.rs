//! What a run can talk to: native model APIs and supervised agents behind one
//! [`Driver`] trait, and the tools native models are given.

pub mod acp;
pub mod anthropic;
pub mod claude_code;
pub mod codex;
mod driver;
mod held;
pub mod metering;
mod models;
pub mod openai;
mod supervised;
pub mod tools;
mod wire;

pub use held::{Held, Hold};
pub use models::same_model;
pub use wire::{BaseUrlError, Http, HttpError};

pub use driver::{
    AgentContext, Answered, ChatMessage, Checked, Counted, Delta, Driver, Frame, Host, HostGone,
    ObservedCall, Permit, Stop, ToolCall, ToolSpec, Turn, TurnError, TurnRequest, Usage,
};
pub use supervised::OwnFiles;
