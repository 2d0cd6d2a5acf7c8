//! How commands reach a run's worker: they change the journal first, then tell
//! the worker to look again.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The strings a worker hangs on.
#[derive(Clone)]
pub(crate) struct Control {
    /// Stop at the next operation boundary (pause, drain), an agent's turn where nothing of
    /// it is under way.
    pub(crate) stop: CancellationToken,
    /// Let go of commands that keepers run; they live on (drain, handover).
    pub(crate) detach: CancellationToken,
    /// Stop now and kill what runs (cancel).
    pub(crate) kill: CancellationToken,
    look: watch::Sender<u64>,
}

impl Control {
    pub(crate) fn new() -> Self {
        Self {
            stop: CancellationToken::new(),
            detach: CancellationToken::new(),
            kill: CancellationToken::new(),
            look: watch::Sender::new(0),
        }
    }

    /// The strings of a worker that follows this one and waits for its end: what is said
    /// to the run reaches both. A stop ends with the worker it was meant for.
    pub(crate) fn successor(&self) -> Self {
        let mut next = self.clone();
        if self.stop.is_cancelled() {
            next.stop = CancellationToken::new();
        }
        next
    }

    /// Something about the run changed.
    pub(crate) fn poke(&self) {
        self.look.send_modify(|n| *n += 1);
    }

    /// Subscribe before reading the run, then wait: no change is missed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.look.subscribe()
    }

    /// Cancelled: stop now, kill what runs.
    pub(crate) fn kill_now(&self) {
        self.stop.cancel();
        self.kill.cancel();
        self.poke();
    }

    /// Paused: stop at the next boundary.
    pub(crate) fn stop_soon(&self) {
        self.stop.cancel();
        self.poke();
    }

    /// The daemon leaves: let go of keepers, stop at the next boundary.
    pub(crate) fn leave(&self) {
        // First of all: a stop alone would end an agent's turn.
        self.detach.cancel();
        self.stop.cancel();
        self.poke();
    }
}
