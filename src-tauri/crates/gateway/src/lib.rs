//! The way from a supervised agent to its model's API: a proxy on the loopback interface
//! that knows whose each request is, keeps the key to itself, and sees what is consumed.
//!
//! The agent gets this address and a token of its attempt instead of the key. Bytes pass
//! as they are, in both directions; of the headers only those change that must
//! ([`headers`]). A request is taken in whole before it is sent on, because nothing may be
//! sent that is not paid for in advance; an answer is passed on as it comes, and a copy of
//! it is read for its usage ([`answer`]). Who may call what, and when, is an [`Account`]'s
//! to say: the engine's.

mod account;
mod answer;
mod call;
mod door;
mod headers;
mod refusal;
mod route;
mod server;

pub use account::{Account, Desk, Ended, Failure, Found, Leave, Next, Refused, Speaks, Upstream};
pub use door::Door;
pub use server::serve;
