//! All gates, their status, and what of them survives a restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use domain::{Clock, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::gate::{Gate, Shared};
use crate::pause::{LimitKind, Pause};
use crate::state::State;

/// How gates behave. Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Calls of one credential that may be on the way at once.
    pub concurrency: usize,
    /// The wait before the first probe where the provider named no reset.
    pub probe_first_ms: u64,
    /// The longest wait between two probes.
    pub probe_max_ms: u64,
    /// The spacing of the first calls after a pause; it halves as they get through.
    pub release_spacing_ms: u64,
    /// Where the jitter comes from: the same seed gives the same waits.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 64,
            probe_first_ms: 15_000,
            probe_max_ms: 300_000,
            release_spacing_ms: 250,
            seed: 0,
        }
    }
}

/// The pauses in force, to be kept durably by the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// One per paused credential.
    pub pauses: Vec<SavedPause>,
}

/// One credential's pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPause {
    /// The credential's fingerprint.
    pub credential: String,
    /// Its pause.
    pub pause: Pause,
}

/// The last limit any call of a credential met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastLimit {
    /// What it was.
    pub kind: LimitKind,
    /// When we were told.
    pub at: Timestamp,
    /// What the provider said about waiting.
    pub retry_after_ms: Option<u64>,
}

/// How one credential's gate stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GateStatus {
    /// The credential's fingerprint.
    pub credential: String,
    /// The pause in force: its cause, and until when. Its end may have passed
    /// when nobody has tried since.
    pub pause: Option<Pause>,
    /// Whether the single call after a pause is on the way.
    pub probing: bool,
    /// The runs that wait, in the order they will go.
    pub waiting: Vec<String>,
    /// Calls on the way.
    pub in_flight: usize,
    /// The last limit met since this process started.
    pub last_limit: Option<LastLimit>,
}

/// All gates, by credential fingerprint. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct Limiter {
    clock: Arc<dyn Clock>,
    settings: Arc<Mutex<Settings>>,
    gates: Arc<Mutex<BTreeMap<String, Arc<Shared>>>>,
    pauses: Arc<watch::Sender<u64>>,
}

impl Limiter {
    /// A limiter with no gates yet; they appear as they are asked for.
    pub fn new(clock: Arc<dyn Clock>, settings: Settings) -> Self {
        Self {
            clock,
            settings: Arc::new(Mutex::new(settings)),
            gates: Arc::default(),
            pauses: Arc::new(watch::Sender::new(0)),
        }
    }

    /// A handle of this credential's gate. Take one per waiting caller.
    pub fn gate(&self, credential: &str) -> Gate {
        Gate::new(self.shared(credential))
    }

    /// Ticks whenever a pause begins, moves or ends: the time to persist [`Limiter::snapshot`].
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.pauses.subscribe()
    }

    /// The pauses in force.
    pub fn snapshot(&self) -> Snapshot {
        let saved = |(credential, gate): (String, Arc<Shared>)| {
            gate.look(|state, _| state.pause().cloned())
                .map(|pause| SavedPause { credential, pause })
        };
        Snapshot {
            pauses: self.all().into_iter().filter_map(saved).collect(),
        }
    }

    /// Puts pauses of an earlier process in force again. One whose end has
    /// passed still begins with a single call.
    pub fn restore(&self, snapshot: Snapshot) {
        for SavedPause { credential, pause } in snapshot.pauses {
            self.shared(&credential)
                .change(|state, _| state.begin(pause));
        }
    }

    /// How all gates stand.
    pub fn status(&self) -> Vec<GateStatus> {
        let describe = |(credential, gate): (String, Arc<Shared>)| {
            gate.look(|state, _| GateStatus {
                credential,
                pause: state.pause().cloned(),
                probing: state.probing(),
                waiting: state.waiting.values().cloned().collect(),
                in_flight: state.in_flight,
                last_limit: state.last_limit.clone(),
            })
        };
        self.all().into_iter().map(describe).collect()
    }

    /// Puts other settings in force, in every gate. Seeds stay as they are.
    pub fn change_settings(&self, settings: Settings) {
        *self.settings() = settings;
        for (_, gate) in self.all() {
            gate.change(|state, _| state.change_settings(settings));
        }
    }

    fn settings(&self) -> std::sync::MutexGuard<'_, Settings> {
        self.settings
            .lock()
            .expect("no panic while the settings are held")
    }

    /// Makes everybody who waits look at the clock now: after the machine woke up.
    pub fn recheck(&self) {
        for (_, gate) in self.all() {
            gate.wake();
        }
    }

    fn all(&self) -> Vec<(String, Arc<Shared>)> {
        let gates = self
            .gates
            .lock()
            .expect("no panic while the gates are held");
        gates
            .iter()
            .map(|(name, gate)| (name.clone(), Arc::clone(gate)))
            .collect()
    }

    fn shared(&self, credential: &str) -> Arc<Shared> {
        let mut gates = self
            .gates
            .lock()
            .expect("no panic while the gates are held");
        let settings = *self.settings();
        let made = || {
            // Each credential jitters on its own.
            let seed = credential.bytes().fold(settings.seed, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
            });
            let state = State::new(settings, seed);
            Arc::new(Shared::new(
                Arc::clone(&self.clock),
                state,
                Arc::clone(&self.pauses),
            ))
        };
        Arc::clone(gates.entry(credential.to_owned()).or_insert_with(made))
    }
}
