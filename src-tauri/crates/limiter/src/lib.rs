//! One gate per credential, through which all calls of all runs pass.
//!
//! A limit that one call meets (429, 529, no network) pauses the whole
//! credential: until the reset the provider named, or, where it named none,
//! until single probes with growing spacing get through. The end of a pause is a
//! single call; only its success releases the others, spaced apart.
//!
//! Whoever embeds this persists [`Limiter::snapshot`] when [`Limiter::changes`]
//! ticks and gives it back to [`Limiter::restore`] at start, so that a restart
//! does not forget a pause.
//!
//! Pauses end by the wall clock, which may jump (sleep, a corrected clock), so
//! nobody sleeps longer than 30 s without looking at it again.

mod bucket;
mod gate;
mod pause;
mod registry;
mod state;
#[cfg(test)]
mod tests;

pub use bucket::{BucketCaps, BucketUse, Cap, NotBefore};
pub use gate::{Cancelled, Gate, Permit};
pub use pause::{Limit, LimitKind, Pause};
pub use registry::{GateStatus, LastLimit, Limiter, SavedPause, Settings, Snapshot};
