//! What a run changed of what judges it.

use serde::{Deserialize, Serialize};

/// A test, or something that says what is tested, that a run changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct TestChange {
    /// Relative to the top of the workspace.
    pub path: String,
    /// What about it may have weakened it, in words.
    pub reason: String,
}
