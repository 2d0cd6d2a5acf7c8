//! The durable run loop: intents before effects, outcomes before answers, and a
//! run that goes on exactly where a crash left it.
//!
//! One worker task a run. A worker reads the run's fold, decides the next thing,
//! records the intent, does it, records the outcome, and looks again. Commands
//! (pause, decide, cancel …) change the journal first and poke the worker then;
//! the journal refuses what no longer fits, so no lock spans the two.

mod agent_turn;
mod always;
mod anew;
mod answer;
mod apply_words;
mod applying;
mod asks;
mod attempt;
mod backends;
mod briefing;
mod budget;
mod charges;
mod commands;
mod confine;
mod confine_agent;
mod control;
mod conversation;
mod core;
mod credential;
mod decide;
mod disk_care;
mod edit;
mod execute;
mod expiry;
mod failing;
mod forking;
mod gate;
mod going_back;
mod hindsight;
mod host;
mod ids;
mod in_place;
mod intent;
mod journal;
mod judge;
mod leases;
mod leftovers;
mod long_wait;
mod ops;
mod policy;
mod projects;
mod recovery;
mod resources;
mod rule_cache;
mod rule_files;
mod settings;
mod shell;
mod slots;
mod stalled;
mod start;
mod think;
mod verify;
mod wake;
mod watch;
mod weakened;
mod worker;

pub use ::policy::{Decided, Layer, Part, Policy, Rule, Source, Trust};
pub use always::RulePreview;
pub use applying::{Apply, ApplyReport, ConflictPath};
pub use backends::{BackendConfig, BackendError};
pub use commands::CommandError;
pub use commands::Diff;
pub use confine::{Confinement, SandboxReport, UseSandbox};
pub use core::{Engine, Parts, RunDelta};
pub use decide::DecideError;
pub use disk_care::DiskCare;
pub use edit::{CallFacts, EditError};
pub use forking::NewFork;
pub use going_back::{Consequences, Effect, WentBack};
pub use leases::Lock;
pub use projects::{ProjectSettings, Projects};
pub use recovery::Recovered;
pub use rule_files::{FileState, InForce, ProjectRules, RuleFile, RulesError};
pub use settings::{OnRestart, Settings};
pub use start::{Estimate, NewRun, StartError};
pub use workspace::Network;
pub use workspace::{Along, BringPath, Uncommitted};
pub use workspace::{AppliedPath, ChangeStatus, ChangedFile, Kept, PathOutcome};
