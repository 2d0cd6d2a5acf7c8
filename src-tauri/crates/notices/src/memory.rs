//! What outlives the daemon.

use std::collections::{BTreeMap, BTreeSet};

use domain::{RunId, Timestamp};
use serde::{Deserialize, Serialize};

/// What was told already. Everything that happened up to `mark` is settled; after it, what
/// is in `told` is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The position in the journal of all runs (`gseq`) to read on from.
    pub mark: u64,
    /// Later positions that are settled too.
    pub told: BTreeSet<u64>,
    /// When a run was last told of, as long as that keeps it from being told of again.
    pub recent: BTreeMap<RunId, Timestamp>,
    /// Waits for a limit that were told: since when they last.
    pub limits: BTreeMap<RunId, Timestamp>,
}

impl Memory {
    /// Whether the event at this position needs no more telling.
    pub fn settled(&self, gseq: u64) -> bool {
        gseq <= self.mark || self.told.contains(&gseq)
    }
}
