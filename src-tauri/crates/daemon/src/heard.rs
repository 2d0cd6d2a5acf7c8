//! When each run last gave a sign of life that is not recorded: words that stream in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use domain::{Clock, RunId, Timestamp};
use engine::Engine;
use tokio::sync::broadcast::error::RecvError;

/// More runs than can speak at the same time; the longest silent are forgotten.
const MOST: usize = 1_000;

/// The last signs of life. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Heard {
    last: Arc<Mutex<HashMap<RunId, Timestamp>>>,
}

impl Heard {
    /// When the run was last heard, if it was since this daemon started.
    pub(crate) fn at(&self, run: RunId) -> Option<Timestamp> {
        self.lock().get(&run).copied()
    }

    /// Listens for as long as the engine lasts.
    pub(crate) async fn listen(self, engine: Engine, clock: Arc<dyn Clock>) {
        let mut deltas = engine.deltas();
        loop {
            match deltas.recv().await {
                Ok(delta) => self.note(delta.run, clock.now()),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn note(&self, run: RunId, at: Timestamp) {
        let mut last = self.lock();
        last.insert(run, at);
        if last.len() > MOST {
            let oldest = last.iter().min_by_key(|(_, at)| **at).map(|(run, _)| *run);
            oldest.and_then(|run| last.remove(&run));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Timestamp>> {
        self.last
            .lock()
            .expect("no code panics while holding the signs of life")
    }
}
