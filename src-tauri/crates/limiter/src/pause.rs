//! Limits as calls meet them, and the pauses they cause.

use domain::Timestamp;
use serde::{Deserialize, Serialize};

/// What kept a call from being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// HTTP 429: this credential has used up its share for now.
    RateLimit,
    /// HTTP 529: the provider has too much to do.
    Overloaded,
    /// The provider cannot be reached at all.
    Offline,
}

/// A limit one call met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What it was.
    pub kind: LimitKind,
    /// How long the provider asks us to wait, in milliseconds. Absent or zero: it did not say.
    pub retry_after_ms: Option<u64>,
}

/// While it lasts no call of the credential is sent, except one probe after `until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Why.
    pub kind: LimitKind,
    /// When it began.
    pub since: Timestamp,
    /// Nothing is sent before this moment.
    pub until: Timestamp,
    /// Whether the provider named `until`; otherwise it is our next attempt.
    pub known: bool,
    /// How many probes in a row met a limit again.
    pub attempt: u32,
}

impl Pause {
    /// The reason, in words for the user.
    pub fn words(&self) -> String {
        let why = match self.kind {
            LimitKind::RateLimit => "the provider's rate limit is reached",
            LimitKind::Overloaded => "the provider is overloaded",
            LimitKind::Offline => "the provider cannot be reached",
        };
        if self.known {
            format!("{why}; waiting for the reset it named")
        } else {
            format!(
                "{why}; trying again with one call at a time (attempt {})",
                self.attempt + 1
            )
        }
    }
}
