//! What the rules say of a command.

use domain::{Preset, Verdict};
use serde::{Deserialize, Serialize};

/// Asks what would be decided about a shell command. Runs nothing.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct PolicyTestRequest {
    /// The command.
    pub command: String,
    /// The project folder, whose rules count too.
    pub project: String,
    /// The preset; the user's default if absent.
    #[serde(default)]
    pub policy: Option<Preset>,
}

/// One part of a command, and what decides about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct PolicyPart {
    /// The program with its words, as it would be started.
    pub program: String,
    /// What it does, in words.
    pub effect: String,
    /// What of it says so.
    pub because: String,
    /// What is decided.
    pub verdict: Verdict,
    /// The rule's name.
    pub rule: String,
    /// Where the rule comes from.
    pub source: String,
}

/// What would be decided, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct PolicyTest {
    /// What is decided: as its gravest part.
    pub verdict: Verdict,
    /// Why, in a line.
    pub why: String,
    /// Its parts, in the order in which they stand.
    pub parts: Vec<PolicyPart>,
}
