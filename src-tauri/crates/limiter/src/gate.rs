//! The async front of one credential's gate.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use domain::{Clock, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::pause::{Limit, LimitKind, Pause};
use crate::state::{Place, State, Turn};

/// Nobody trusts a timer for longer: after a sleep the wall clock has moved on
/// and the monotonic one has not.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What all handles of one gate share.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Ticks whenever somebody waiting should look again.
    ticks: watch::Sender<u64>,
    /// Ticks whenever any gate's pause changes.
    pauses: Arc<watch::Sender<u64>>,
}

impl Shared {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        state: State,
        pauses: Arc<watch::Sender<u64>>,
    ) -> Self {
        Self {
            clock,
            state: Mutex::new(state),
            ticks: watch::Sender::new(0),
            pauses,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no panic while a gate's state is held")
    }

    /// Reads without waking anybody.
    pub(crate) fn look<T>(&self, with: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        with(&mut self.lock(), self.clock.now())
    }

    /// Changes the state and wakes everybody concerned.
    pub(crate) fn change<T>(&self, with: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let (result, pause_changed) = {
            let mut state = self.lock();
            let before = state.pause_version;
            let result = with(&mut state, self.clock.now());
            (result, state.pause_version != before)
        };
        self.ticks.send_modify(|tick| *tick += 1);
        if pause_changed {
            self.pauses.send_modify(|tick| *tick += 1);
        }
        result
    }

    pub(crate) fn wake(&self) {
        self.ticks.send_modify(|tick| *tick += 1);
    }
}

/// The wait was given up because its token was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("waiting for the credential's gate was cancelled")]
pub struct Cancelled;

/// A handle of one credential's gate, for one caller. A caller whose `acquire`
/// was dropped before it was let through keeps its place in the queue for the
/// next `acquire` on the same handle.
pub struct Gate {
    shared: Arc<Shared>,
    kept_place: Mutex<Option<u64>>,
    seen: AtomicU64,
}

impl Gate {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let seen = AtomicU64::new(shared.look(|state, _| state.pause_version));
        Self {
            shared,
            kept_place: Mutex::new(None),
            seen,
        }
    }

    /// The pause a call made now would wait for, to show before awaiting.
    pub fn blocked(&self) -> Option<Pause> {
        self.shared.look(|state, now| {
            let pause = state.blocked(now);
            self.seen.store(state.pause_version, Ordering::Relaxed);
            pause
        })
    }

    /// Resolves when a pause has begun, moved or ended since `blocked` was last asked.
    pub async fn changed(&self) {
        let mut ticks = self.shared.ticks.subscribe();
        let seen = self.seen.load(Ordering::Relaxed);
        while self.shared.look(|state, _| state.pause_version) == seen {
            if ticks.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits for leave to send one call. Higher `priority` goes first; within
    /// one priority, whoever came first. `run_id` is for the status only.
    ///
    /// # Errors
    /// [`Cancelled`] when the token is. Dropping the future is as good.
    pub async fn acquire(
        &self,
        run_id: &str,
        priority: i32,
        cancel: &CancellationToken,
    ) -> Result<Permit, Cancelled> {
        let mut ticks = self.shared.ticks.subscribe();
        let ticket = Ticket::take(self, run_id, priority);
        loop {
            if cancel.is_cancelled() {
                return Err(Cancelled);
            }
            ticks.mark_unchanged();
            let (turn, now) = self
                .shared
                .look(|state, now| (state.turn(ticket.place, now), now));
            let sleep = match turn {
                Turn::Granted(generation) => {
                    drop(ticket.used());
                    self.shared.wake();
                    return Ok(Permit {
                        shared: Arc::clone(&self.shared),
                        generation,
                        open: true,
                    });
                }
                Turn::At(moment) => {
                    Duration::from_millis(moment.ms_since(now).unsigned_abs()).min(LONGEST_SLEEP)
                }
                Turn::AfterChange => LONGEST_SLEEP,
            };
            tokio::select! {
                () = cancel.cancelled() => return Err(Cancelled),
                _ = ticks.changed() => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Pauses the credential until a moment somebody knows from elsewhere.
    pub fn pause_until(&self, until: Timestamp, kind: LimitKind) {
        self.shared.change(|state, now| {
            state.begin(Pause {
                kind,
                since: now,
                until,
                known: true,
                attempt: 0,
            });
        });
    }

    /// Ends a pause by hand: one call goes now, the others after its success.
    pub fn resume(&self) {
        self.shared.change(State::resume);
    }
}

/// A place in the queue, given back when the waiting future is dropped.
struct Ticket<'a> {
    gate: &'a Gate,
    place: Place,
    waiting: bool,
}

impl<'a> Ticket<'a> {
    fn take(gate: &'a Gate, run_id: &str, priority: i32) -> Self {
        let kept = gate
            .kept_place
            .lock()
            .expect("no panic while a place is held")
            .take();
        let place = gate.shared.look(|state, _| {
            let place = (Reverse(priority), kept.unwrap_or_else(|| state.next_seq()));
            state.waiting.insert(place, run_id.to_owned());
            place
        });
        Self {
            gate,
            place,
            waiting: true,
        }
    }

    fn used(mut self) -> Self {
        self.waiting = false;
        self
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if !self.waiting {
            return;
        }
        *self
            .gate
            .kept_place
            .lock()
            .expect("no panic while a place is held") = Some(self.place.1);
        self.gate
            .shared
            .change(|state, _| state.waiting.remove(&self.place));
    }
}

/// Leave to send one call. Dropped without a word it says nothing about limits.
#[must_use = "dropping a permit gives it back"]
pub struct Permit {
    shared: Arc<Shared>,
    generation: u64,
    open: bool,
}

impl Permit {
    /// The provider has begun to answer: releases those who wait for this probe
    /// before the answer is complete.
    pub fn accepted(&self) {
        self.shared
            .change(|state, now| state.accepted(self.generation, now));
    }

    /// The call was answered.
    pub fn succeeded(self) {
        self.accepted();
    }

    /// The call met a limit: the whole credential pauses.
    pub fn limited(mut self, limit: Limit) {
        self.open = false;
        self.shared.change(|state, now| {
            state.limited(self.generation, limit, now);
            state.ended(self.generation);
        });
        tracing::info!(kind = ?limit.kind, retry_after_ms = limit.retry_after_ms, "a credential is paused");
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.open {
            self.shared.change(|state, _| state.ended(self.generation));
        }
    }
}
