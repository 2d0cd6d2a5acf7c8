//! Everything that can be verified about a home.

use std::path::Path;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found, in words.
    pub detail: String,
    /// What can be done, when something is wrong.
    pub hint: Option<String>,
}

/// What doctor found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Every check, in the order made.
    pub checks: Vec<Check>,
}

/// Verifies a home. Reads only.
pub async fn doctor(_home: &Path) -> Report {
    Report::default()
}
