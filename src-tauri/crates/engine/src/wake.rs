//! The machine slept: clocks, limits and connections are looked at again, and
//! suspended time counts for nothing.

use std::time::Duration;

use domain::{Event, RunState};

use crate::core::Engine;
use crate::journal::Batch;

/// How often the clocks are compared while anything runs.
const CHECK: Duration = Duration::from_secs(30);

/// A difference the scheduler alone could make is no sleep.
const SLEPT_MS: i64 = 10_000;

impl Engine {
    /// Watches for sleep and clock jumps until the engine leaves. The monotonic
    /// clock stands still while the machine is suspended, the wall clock does not.
    /// While nothing works and no limit is waited for, it sleeps: no timer of ours runs.
    pub async fn watch_for_sleep(&self) {
        let core = &self.core;
        loop {
            tokio::select! {
                () = core.leaving.cancelled() => return,
                () = self.until_timed() => {}
            }
            let (wall, monotonic) = (core.now(), tokio::time::Instant::now());
            tokio::select! {
                () = core.leaving.cancelled() => return,
                () = tokio::time::sleep(CHECK) => {}
            }
            let elapsed = i64::try_from(monotonic.elapsed().as_millis()).unwrap_or(i64::MAX);
            let slept = core.now().ms_since(wall) - elapsed;
            if slept < SLEPT_MS {
                continue;
            }
            tracing::info!(slept_ms = slept, "the machine slept");
            // Before those that wait look: a holder that wakes keeps its folder.
            core.beat_leases().await;
            core.parts.limiter.recheck();
            for (run, control) in core.controls() {
                let working = core.load(run).await.is_ok_and(|run| {
                    matches!(run.state(), RunState::Running | RunState::Verifying)
                });
                if working {
                    let journal = core.journal(run);
                    if let Err(error) = journal
                        .append(Batch::of(Event::Suspended { ms: slept }))
                        .await
                    {
                        tracing::warn!(%run, %error, "could not record the sleep");
                    }
                }
                control.poke();
            }
        }
    }
    /// Returns as soon as a run works or waits for a limit to end.
    async fn until_timed(&self) {
        let mut limits = self.limiter().changes();
        loop {
            limits.borrow_and_update();
            if !self.limiter().snapshot().pauses.is_empty() {
                return;
            }
            tokio::select! {
                () = self.until_working() => return,
                changed = limits.changed() => if changed.is_err() {
                    return self.until_working().await;
                },
            }
        }
    }
}
