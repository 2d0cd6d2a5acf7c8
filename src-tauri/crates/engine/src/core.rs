//! What all workers share, and the engine's handle.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};

use agents::Delta;
use domain::{Clock, RunId, Timestamp};
use limiter::Limiter;
use pricing::PriceBook;
use secrets::{Credentials, Redactor};
use store::Store;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use workspace::Workspaces;

use crate::attempt::Attempts;
use crate::confine::Probed;
use crate::control::Control;
use crate::journal::Journal;
use crate::leases::Leases;
use crate::settings::Settings;
use crate::slots::Slots;
use crate::worker::Worker;

/// Streaming output of a run: shown, never stored.
#[derive(Clone, Debug)]
pub struct RunDelta {
    /// Whose.
    pub run: RunId,
    /// What.
    pub delta: Delta,
}

/// What the engine is made of; the daemon's composition root provides it.
pub struct Parts {
    /// The journal.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Numbers a user may change: those in force at the start.
    pub settings: Settings,
    /// Longhaul's home folder.
    pub home: PathBuf,
    /// A private folder with a short path, for sockets.
    pub runtime_dir: PathBuf,
    /// This binary, which becomes the keepers.
    pub longhaul: PathBuf,
    /// The environment commands and agents get, free of secrets.
    pub base_env: Vec<(String, String)>,
    /// Shared gates per credential.
    pub limiter: Limiter,
    /// Keys.
    pub credentials: Credentials,
    /// Known secrets, removed from everything on the way in.
    pub redactor: Redactor,
    /// Prices.
    pub prices: PriceBook,
    /// For model calls.
    pub http: agents::anthropic::Http,
    /// Where agents reach their models' APIs without knowing the key. None: they are given it.
    pub gateway: Option<gateway::Door>,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) core: Arc<Core>,
}

pub(crate) struct Core {
    pub(crate) parts: Parts,
    pub(crate) workspaces: Workspaces,
    pub(crate) slots: Slots,
    /// Whether there can be a sandbox here.
    pub(crate) probed: Probed,
    pub(crate) deltas: broadcast::Sender<RunDelta>,
    /// Set when the daemon leaves: no new worker starts.
    pub(crate) leaving: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// What workspaces took when they were last measured.
    pub(crate) care: Mutex<Option<crate::disk_care::DiskCare>>,
    /// One look after the disk at a time.
    pub(crate) tidying: tokio::sync::Mutex<()>,
    /// One credential question at a time.
    pub(crate) asking_auth: tokio::sync::Mutex<()>,
    pub(crate) leases: Leases,
    workers: Mutex<HashMap<RunId, Entry>>,
    /// The turns whose agents' calls go through the gateway.
    pub(crate) attempts: Attempts,
    /// The strings of those that put results into projects.
    pub(crate) appliers: Mutex<HashMap<RunId, Control>>,
    /// Changed while runs work; each look takes what is in force then.
    settings: RwLock<Arc<Settings>>,
    /// Tells that others are in force.
    pub(crate) settings_moved: watch::Sender<()>,
    /// Rules that were read, as long as their files stay as they are.
    pub(crate) rules_read: Arc<crate::rule_cache::RuleCache>,
    /// One change of the user's rules at a time: each rewrites their file.
    pub(crate) changing_rules: tokio::sync::Mutex<()>,
    /// Keys the endpoint refused: backend to key fingerprint.
    refused: Mutex<HashMap<String, String>>,
}

struct Entry {
    control: Control,
    task: JoinHandle<()>,
}

impl Engine {
    /// An engine that does nothing yet: call [`Engine::recover`] next.
    pub fn new(parts: Parts) -> Self {
        let core = Core {
            workspaces: Workspaces::new(parts.home.join("workspaces")),
            slots: Slots::new(parts.settings.slots),
            probed: Probed::default(),
            deltas: broadcast::channel(1024).0,
            leaving: CancellationToken::new(),
            tasks: TaskTracker::new(),
            asking_auth: tokio::sync::Mutex::default(),
            leases: Leases::new(),
            care: Mutex::default(),
            tidying: tokio::sync::Mutex::default(),
            workers: Mutex::default(),
            appliers: Mutex::default(),
            attempts: Attempts::new(&parts.home),
            refused: Mutex::default(),
            rules_read: Arc::default(),
            changing_rules: tokio::sync::Mutex::default(),
            settings_moved: watch::Sender::new(()),
            settings: RwLock::new(Arc::new(parts.settings.clone())),
            parts,
        };
        Self {
            core: Arc::new(core),
        }
    }

    /// Streaming output of all runs.
    pub fn deltas(&self) -> broadcast::Receiver<RunDelta> {
        self.core.deltas.subscribe()
    }

    /// Puts other settings in force, from the next look at each of them on. A wait or
    /// call that is under way ends by the old ones.
    pub fn change_settings(&self, settings: Settings) {
        self.core.slots.resize(settings.slots);
        let mut current = self.core.settings.write();
        let current = current
            .as_mut()
            .expect("no code panics while holding the settings");
        **current = Arc::new(settings);
        self.core.settings_moved.send_replace(());
        self.core.leases.look_again();
    }

    /// Slots: how many there are, and how many are taken.
    pub fn slots(&self) -> (usize, usize) {
        self.core.slots.usage()
    }

    /// Returns as soon as any run works. Sleeps until then.
    pub async fn until_working(&self) {
        // It ends with the engine, which the caller has.
        let _ = self.core.slots.any_taken().wait_for(|any| *any).await;
    }

    /// Whether any run works, and when that changes.
    pub fn working(&self) -> watch::Receiver<bool> {
        self.core.slots.any_taken()
    }

    /// The prices costs are computed with.
    pub fn prices(&self) -> &PriceBook {
        &self.core.parts.prices
    }

    /// The limiter's view of each credential.
    pub fn limiter(&self) -> &Limiter {
        &self.core.parts.limiter
    }
}

impl Core {
    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// How long it is until `at`; nothing when it has come.
    pub(crate) fn until(&self, at: Timestamp) -> std::time::Duration {
        let ms = at.ms_since(self.now()).max(0);
        std::time::Duration::from_millis(ms.unsigned_abs())
    }

    pub(crate) fn store(&self) -> &Store {
        &self.parts.store
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        let settings = self.settings.read();
        settings
            .expect("no code panics while holding the settings")
            .clone()
    }

    pub(crate) fn journal(&self, run: RunId) -> Journal {
        Journal::new(self.parts.store.clone(), run)
    }

    /// Removes known secrets from text on its way to the model or the store.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.parts.redactor.redact(text).into_owned()
    }

    /// Starts a worker for a run. If an older one is still finishing its last
    /// operation, the new one begins when that has ended.
    pub(crate) fn spawn_worker(self: &Arc<Self>, run: RunId) {
        if self.leaving.is_cancelled() {
            return;
        }
        let mut workers = self
            .workers
            .lock()
            .expect("no code panics while holding the workers");
        let before = workers
            .remove(&run)
            .filter(|entry| !entry.task.is_finished());
        let control = before
            .as_ref()
            .map_or_else(Control::new, |entry| entry.control.successor());
        let worker = Worker::new(self.clone(), run, control.clone());
        let before = before.map(|entry| entry.task);
        let task = self.tasks.spawn(async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            worker.drive().await;
        });
        workers.retain(|_, entry| !entry.task.is_finished());
        workers.insert(run, Entry { control, task });
    }

    /// The strings of a run's newest worker, if it has one.
    pub(crate) fn control(&self, run: RunId) -> Option<Control> {
        let workers = self
            .workers
            .lock()
            .expect("no code panics while holding the workers");
        workers
            .get(&run)
            .filter(|entry| !entry.task.is_finished())
            .map(|entry| entry.control.clone())
    }

    /// Tells a run's worker to look again.
    pub(crate) fn poke(&self, run: RunId) {
        if let Some(control) = self.control(run) {
            control.poke();
        }
        self.poke_applier(run);
    }

    /// The strings of all living workers.
    pub(crate) fn controls(&self) -> Vec<(RunId, Control)> {
        let workers = self
            .workers
            .lock()
            .expect("no code panics while holding the workers");
        workers
            .iter()
            .filter(|(_, entry)| !entry.task.is_finished())
            .map(|(run, entry)| (*run, entry.control.clone()))
            .collect()
    }

    /// The fingerprint of the backend's key that the endpoint refused, if it did.
    pub(crate) fn refused(&self, backend: &str) -> Option<String> {
        self.refused
            .lock()
            .expect("no code panics while holding this")
            .get(backend)
            .cloned()
    }

    pub(crate) fn refuse(&self, backend: &str, fingerprint: String) {
        self.refused
            .lock()
            .expect("no code panics while holding this")
            .insert(backend.to_owned(), fingerprint);
    }

    pub(crate) fn accept(&self, backend: &str) {
        self.refused
            .lock()
            .expect("no code panics while holding this")
            .remove(backend);
    }

    /// Starts a worker a little later, so that a restart does not stampede.
    pub(crate) fn spawn_worker_after(self: &Arc<Self>, run: RunId, delay: std::time::Duration) {
        if delay.is_zero() {
            return self.spawn_worker(run);
        }
        let core = self.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(delay) => core.spawn_worker(run),
                () = core.leaving.cancelled() => {}
            }
        });
    }

    /// Returns when no worker of the run is left.
    pub(crate) async fn worker_ended(&self, run: RunId) {
        let entry = self
            .workers
            .lock()
            .expect("no code panics while holding the workers")
            .remove(&run);
        if let Some(entry) = entry {
            let _ = entry.task.await;
        }
    }

    /// Keeps the limiter's pauses durable, so that a restart does not forget them.
    pub(crate) async fn persist_pauses(self: Arc<Self>) {
        let mut changes = self.parts.limiter.changes();
        // What an earlier daemon kept has been restored by now, and is to be removed when it is over.
        let names = |pauses: Vec<limiter::SavedPause>| pauses.into_iter().map(|p| p.credential);
        let mut kept: Vec<String> = names(self.parts.limiter.snapshot().pauses).collect();
        loop {
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = self.leaving.cancelled() => return,
            }
            let pauses = self.parts.limiter.snapshot().pauses;
            for gone in kept
                .iter()
                .filter(|gate| !pauses.iter().any(|p| p.credential == **gate))
            {
                log_failure(self.store().remove_pause(gone).await);
            }
            for saved in &pauses {
                let state = serde_json::to_value(&saved.pause).unwrap_or_default();
                log_failure(self.store().put_pause(&saved.credential, state).await);
            }
            kept = names(pauses).collect();
        }
    }
}

fn log_failure(done: Result<(), store::WriteError>) {
    if let Err(error) = done {
        tracing::warn!(%error, "a pause could not be kept");
    }
}
