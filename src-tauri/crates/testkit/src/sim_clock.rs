//! A clock that follows tokio's time, paused or not.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use domain::{Clock, Timestamp};
use tokio::time::Instant;

/// Wall-clock time for tests: a fixed start plus what tokio's clock has advanced since,
/// plus [jumps](Self::jump). Under `#[tokio::test(start_paused = true)]` time passes only
/// when everything waits for it. Clones share their jumps.
#[derive(Clone, Debug)]
pub struct SimClock {
    start: Timestamp,
    since: Instant,
    jumped_ms: Arc<AtomicI64>,
}

/// 2026-11-21T00:00:00Z, where simulated time starts.
pub const SIM_START: Timestamp = Timestamp(1_795_219_200_000);

impl SimClock {
    /// A clock that shows [`SIM_START`] now.
    pub fn new() -> Self {
        Self::starting_at(SIM_START)
    }

    /// A clock that shows `start` now.
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            start,
            since: Instant::now(),
            jumped_ms: Arc::default(),
        }
    }

    /// Moves the wall clock by `ms` without any timer noticing: what a suspended machine
    /// or a corrected clock looks like to a process.
    pub fn jump(&self, ms: i64) {
        self.jumped_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.start
            .plus_ms(elapsed)
            .plus_ms(self.jumped_ms.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_passes_by_waiting_and_by_jumping() {
        let clock = SimClock::new();
        assert_eq!(clock.now(), SIM_START);
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(clock.now(), SIM_START.plus_ms(3_600_000));
        let timers = Instant::now();
        clock.clone().jump(8 * 3_600_000);
        assert_eq!(clock.now(), SIM_START.plus_ms(9 * 3_600_000));
        assert_eq!(timers.elapsed(), Duration::ZERO);
    }
}
