//! Whether an agent is kept waiting by Longhaul itself.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::time::Instant;

/// Shared between who holds an agent's calls back and who watches it for silence: while it
/// is held, and for its full patience afterwards, it is not silent.
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    holds: usize,
    last: Option<Instant>,
}

/// A call is held as long as this lives.
#[derive(Debug)]
pub struct Hold(Held);

impl Held {
    /// Holds.
    pub fn hold(&self) -> Hold {
        self.state().holds += 1;
        Hold(self.clone())
    }

    /// When anything was last held; now, while something is.
    pub(crate) fn last(&self) -> Option<Instant> {
        let state = self.state();
        match state.holds {
            0 => state.last,
            _ => Some(Instant::now()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no code panics while holding this")
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.holds -= 1;
        state.last = Some(Instant::now());
    }
}
