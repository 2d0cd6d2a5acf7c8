//! Whose a folder of the user's is to change. A lease says it, durably; what its holder
//! does is allowed only as long as its token holds. Who wants a folder that is another's
//! waits in line: by priority, then by age.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::{Run, RunId, Timestamp};
use store::{Lease, LeasePurpose, LeaseToken, LeaseWish, Taken, WriteError, overlaps};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::core::{Core, Engine};

/// How often holders show that they live, at most: a tenth of the time after which they
/// are taken for dead by default.
const BEAT_MS: i64 = 30_000;

/// How long who takes a folder over waits for what is killed in it.
const LET_GO: Duration = Duration::from_secs(10);

/// A folder that is held, and who waits for it.
#[derive(Clone, Debug)]
pub struct Lock {
    /// Who holds which folder, and since when.
    pub lease: Lease,
    /// The runs that wait for it, in the order in which they will get it.
    pub waiting: Vec<RunId>,
}

/// Where a run stands in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    priority: Reverse<i32>,
    created_at: Timestamp,
    run: RunId,
}

impl Place {
    pub(crate) fn of(run: &Run) -> Self {
        Self {
            priority: Reverse(run.task.priority),
            created_at: run.created_at,
            run: run.id,
        }
    }
}

/// A lease this process holds.
#[derive(Clone)]
struct Held {
    /// The string that is pulled when it is lost.
    lost: CancellationToken,
    /// How many commands are at work in the folder.
    at_work: watch::Sender<usize>,
}

/// A command at work in a folder that is held, until this is dropped.
pub(crate) struct AtWork(watch::Sender<usize>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n -= 1);
    }
}

/// The leases this process holds, and the line of those that wait for one.
pub(crate) struct Leases {
    held: watch::Sender<BTreeMap<LeaseToken, Held>>,
    line: Mutex<BTreeMap<Place, String>>,
    changed: watch::Sender<u64>,
}

impl Leases {
    pub(crate) fn new() -> Self {
        Self {
            held: watch::Sender::new(BTreeMap::new()),
            line: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// Subscribe before asking for a lease, then wait: no release is missed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Those who wait look again.
    pub(crate) fn look_again(&self) {
        self.changed.send_modify(|n| *n += 1);
    }

    fn line(&self) -> std::sync::MutexGuard<'_, BTreeMap<Place, String>> {
        self.line
            .lock()
            .expect("no code panics while holding the line")
    }

    fn waiting_for(&self, scope: &str) -> Vec<RunId> {
        let line = self.line();
        let meet = line.iter().filter(|(_, other)| overlaps(other, scope));
        meet.map(|(place, _)| place.run).collect()
    }

    fn add(&self, token: LeaseToken) -> Held {
        let new = Held {
            lost: CancellationToken::new(),
            at_work: watch::Sender::new(0),
        };
        self.held
            .send_modify(|held| drop(held.insert(token, new.clone())));
        new
    }

    /// Tells its holder here, if there is one; what was held.
    fn lose(&self, token: LeaseToken) -> Option<Held> {
        let mut lost = None;
        self.held.send_modify(|held| lost = held.remove(&token));
        lost.inspect(|held| held.lost.cancel())
    }
}

/// A run's place in line, given up when dropped.
pub(crate) struct InLine {
    core: Arc<Core>,
    place: Place,
    scope: String,
}

impl InLine {
    pub(crate) fn stand(core: &Arc<Core>, place: Place, scope: &str) -> Self {
        core.leases.line().insert(place, scope.to_owned());
        Self {
            core: core.clone(),
            place,
            scope: scope.to_owned(),
        }
    }

    /// The one right before it that wants the same files.
    pub(crate) fn ahead(&self) -> Option<RunId> {
        let line = self.core.leases.line();
        let mut before = line.range(..self.place).rev();
        let found = before.find(|(_, scope)| overlaps(scope, &self.scope));
        found.map(|(place, _)| place.run)
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        self.core.leases.line().remove(&self.place);
        self.core.leases.look_again();
    }
}

/// A folder that is a run's to change, until this is dropped or the lease is lost.
pub(crate) struct Leased {
    core: Arc<Core>,
    token: LeaseToken,
    held: Held,
}

impl Leased {
    /// Whether it still holds. If so, nobody takes it over for a while: what is asked
    /// before an effect is good for the effect.
    pub(crate) async fn holds(&self) -> Result<bool, WriteError> {
        if self.held.lost.is_cancelled() {
            return Ok(false);
        }
        let held = self.core.store().beat_leases(vec![self.token]).await?;
        if held.is_empty() {
            self.core.leases.lose(self.token);
        }
        Ok(!held.is_empty())
    }

    /// Pulled when the lease was taken over.
    pub(crate) fn lost(&self) -> CancellationToken {
        self.held.lost.clone()
    }

    /// Says that a command works in the folder: who takes it over waits for its end.
    pub(crate) fn work(&self) -> AtWork {
        self.held.at_work.send_modify(|n| *n += 1);
        AtWork(self.held.at_work.clone())
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        let (core, token) = (self.core.clone(), self.token);
        core.leases
            .held
            .send_modify(|held| drop(held.remove(&token)));
        // A daemon that leaves keeps it for the next one, which goes on with the run.
        if core.leaving.is_cancelled() {
            return;
        }
        core.tasks.clone().spawn(async move {
            if let Err(error) = core.store().release_leases(vec![token]).await {
                tracing::warn!(%error, "a lease could not be given back; it is taken over when it is stale");
            }
            core.leases.look_again();
        });
    }
}

/// A folder as leases name it: absolute, without links. One that is not there is taken
/// by its name, and whoever uses it says what is wrong.
pub(crate) async fn scope_of(folder: &Path) -> String {
    let named = folder.to_owned();
    let found = tokio::task::spawn_blocking(move || named.canonicalize()).await;
    match found {
        Ok(Ok(folder)) => folder.display().to_string(),
        _ => folder.display().to_string(),
    }
}

impl Core {
    /// Takes a folder ([`scope_of`]) for a run, or says who has it.
    pub(crate) async fn try_lease(
        self: &Arc<Self>,
        scope: &str,
        run: RunId,
        purpose: LeasePurpose,
    ) -> Result<Result<Leased, Lease>, WriteError> {
        let wish = LeaseWish {
            scope: scope.to_owned(),
            run,
            purpose,
            stale_after_ms: self.settings().lock_stale_after_ms,
        };
        match self.store().take_lease(wish).await? {
            Taken::Busy(holder) => Ok(Err(holder)),
            Taken::Held { lease, fenced } => {
                for old in fenced {
                    tracing::warn!(
                        scope = old.scope, holder = %old.run, by = %run,
                        "a lease was not heard of for too long and is taken over"
                    );
                    if let Some(held) = self.leases.lose(old.token) {
                        let mut at_work = held.at_work.subscribe();
                        let ended = at_work.wait_for(|n| *n == 0);
                        if tokio::time::timeout(LET_GO, ended).await.is_err() {
                            tracing::warn!(holder = %old.run, "its command does not end");
                        }
                    }
                }
                Ok(Ok(Leased {
                    core: self.clone(),
                    token: lease.token,
                    held: self.leases.add(lease.token),
                }))
            }
        }
    }

    /// Shows that the holders of this process's leases live, until the engine leaves.
    /// Sleeps while there are none.
    pub(crate) async fn keep_leases(self: Arc<Self>) {
        let mut held = self.leases.held.subscribe();
        let mut changes = self.leases.changes();
        loop {
            let some = async { held.wait_for(|held| !held.is_empty()).await.is_ok() };
            tokio::select! {
                there = some => if !there { return },
                () = self.leaving.cancelled() => return,
            }
            let every = BEAT_MS.min(self.settings().lock_stale_after_ms / 3).max(1);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(every.unsigned_abs())) => {}
                // A shorter time may be in force.
                _ = changes.changed() => {}
                () = self.leaving.cancelled() => return,
            }
            self.beat_leases().await;
        }
    }

    /// One sign of life of every holder here.
    pub(crate) async fn beat_leases(&self) {
        let tokens: Vec<LeaseToken> = self.leases.held.borrow().keys().copied().collect();
        if tokens.is_empty() || faults::sabotaged("no_beat") {
            return;
        }
        match self.store().beat_leases(tokens.clone()).await {
            Ok(held) => {
                for lost in tokens.iter().filter(|token| !held.contains(token)) {
                    self.leases.lose(*lost);
                }
            }
            Err(error) => tracing::warn!(%error, "holders of leases could not show that they live"),
        }
    }

    /// What an earlier daemon's runs held: kept for those that may go on, however long it
    /// was down, and given back for the others.
    pub(crate) async fn take_up_leases(&self) -> Result<(), String> {
        let leases = self.store().leases().await.map_err(|e| e.to_string())?;
        let (mut kept, mut over) = (Vec::new(), Vec::new());
        for lease in leases {
            let run = self.store().load(lease.run).await;
            let run = run.map_err(|e| e.to_string())?;
            let needed = run.is_some_and(|run| match lease.purpose {
                LeasePurpose::InPlace => !run.state().is_over(),
                LeasePurpose::Apply => run.applying.is_some(),
            });
            if needed { &mut kept } else { &mut over }.push(lease.token);
        }
        let store = self.store();
        store
            .release_leases(over)
            .await
            .map_err(|e| e.to_string())?;
        let beaten = store.beat_leases(kept).await;
        beaten.map(|_| ()).map_err(|e| e.to_string())
    }

    /// Gives back what a run holds that stays at rest.
    pub(crate) async fn give_back_folder(&self, run: RunId) -> Result<(), String> {
        let leases = self.store().leases().await.map_err(|e| e.to_string())?;
        let its = leases
            .iter()
            .filter(|lease| lease.run == run && lease.purpose == LeasePurpose::InPlace);
        let tokens: Vec<LeaseToken> = its.map(|lease| lease.token).collect();
        if tokens.is_empty() {
            return Ok(());
        }
        let released = self.store().release_leases(tokens).await;
        self.leases.look_again();
        released.map_err(|e| e.to_string())
    }
}

impl Engine {
    /// Every folder that is held, and who waits for it.
    pub async fn locks(&self) -> Result<Vec<Lock>, store::ReadError> {
        let leases = self.core.store().leases().await?;
        let waiting = |lease: &Lease| self.core.leases.waiting_for(&lease.scope);
        Ok(leases
            .into_iter()
            .map(|lease| Lock {
                waiting: waiting(&lease),
                lease,
            })
            .collect())
    }
}
