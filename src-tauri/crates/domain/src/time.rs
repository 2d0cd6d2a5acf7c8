//! Time as the journal writes it. Nothing here reads a clock: whoever needs the
//! time is given a [`Clock`].

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(transparent)]
pub struct Timestamp(#[cfg_attr(feature = "specta", specta(type = u32))] pub i64);

impl Timestamp {
    /// This moment plus `ms` milliseconds, saturating.
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment; zero if it lies in the future
    /// (the wall clock may have been set back).
    pub fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }
}

/// Where a component gets the time from. The daemon passes the system's; tests
/// pass one that follows tokio's paused time.
pub trait Clock: Send + Sync + 'static {
    /// The wall-clock time.
    fn now(&self) -> Timestamp;
}
