//! What Longhaul is about: tasks, runs, steps, operations, reviews, budgets, and
//! the fold that makes a run's state out of its journal.
//!
//! Everything here is a value or a pure function. There is no async, no I/O, no
//! clock and no randomness; `cargo xtask tidy` checks the crate's dependencies.

mod apply;
mod causes;
mod check;
mod event;
mod ids;
mod judged;
mod lineage;
mod money;
mod op;
mod rest;
mod review;
mod run;
mod task;
#[cfg(test)]
mod tests;
mod time;
#[cfg(feature = "specta")]
pub mod typescript;
mod usage;

pub use apply::Illegal;
pub use causes::{CallEnd, FailCause, InterruptCause, QueueReason, WaitCause};
pub use event::{Entry, Event, MessageOrigin, ParseEventError, PlanItem, PlanState};
pub use ids::{BlobRef, CheckpointId, Digest, OpId, ParseIdError, ReviewId, RunId};
pub use judged::TestChange;
pub use lineage::{Fork, Rollback, Stretch};
pub use money::{NanoUsd, ParseMoneyError};
pub use op::{
    Decision, Op, OpClass, OpError, OpErrorKind, OpKind, OpMode, OpOutcome, OpState, Request,
    Settlement, Verdict,
};
pub use review::{Answer, Choice, Edit, Review, ReviewKind, ReviewState};
pub use run::{
    Applying, Checkpoint, Failure, Interruption, Message, Phase, Run, RunState, Session, Speaker,
    Spent, Wait, WorkspaceFacts,
};
pub use task::{
    ApplyInto, BackendKind, Budget, BudgetLimit, HunkName, Preset, Task, WorkspaceMode,
};
pub use time::{Clock, Timestamp};
pub use usage::{Charge, Figure, OpenCall, Tokens, UsagePart};
