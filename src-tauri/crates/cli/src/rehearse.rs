//! The offline tour (`longhaul rehearse`).

use crate::context::Context;
use crate::failure::Failure;

/// Whether there is a tour in this build; while false the command is hidden.
pub(crate) const FILLED: bool = false;

/// How the tour is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// With pauses for reading.
    Reading,
    /// Without.
    Fast,
}

/// Plays the tour; returns the exit code.
pub(crate) async fn rehearse(_context: &Context, _pace: Pace) -> Result<u8, Failure> {
    Err(Failure::usage(
        "this build has no rehearsal",
        "start a real run with `longhaul run`",
    ))
}
