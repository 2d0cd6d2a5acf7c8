//! What a run can talk to: native model APIs and supervised agents behind one
//! [`Driver`] trait, and the tools native models are given.

pub mod anthropic;
pub mod claude_code;
mod driver;
pub mod tools;

pub use driver::{
    AgentContext, Answered, ChatMessage, Checked, Delta, Driver, Frame, Host, HostGone,
    ObservedCall, Permit, Stop, ToolCall, ToolSpec, Turn, TurnError, TurnRequest, Usage,
};
