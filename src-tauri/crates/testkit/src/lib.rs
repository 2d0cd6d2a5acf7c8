//! The world around Longhaul, made to order: a model API and an agent that say what a
//! script says and fail where they are told to, a clock that only tests move, projects
//! to work on, a ledger of what really happened, and homes to run a daemon in.
//!
//! A dev-dependency of the other crates, and what `longhaul rehearse` runs against. It
//! depends on none of them but `domain`.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

pub mod binaries;
pub mod effects;
pub mod model_server;
pub mod processes;
pub mod project;
pub mod rehearsal;
pub mod rough_agent;
pub mod scripted_agent;
pub mod sim_clock;
pub mod test_daemon;
pub mod test_home;

pub use binaries::testkit_binary;
pub use effects::EffectLedger;
pub use model_server::ModelServer;
pub use project::SampleProject;
pub use sim_clock::SimClock;
pub use test_daemon::TestDaemon;
pub use test_home::{Output, TestHome};
