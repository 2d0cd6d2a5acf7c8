//! Many measurements of one thing.

use std::time::Duration;

/// Durations, sorted when asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn push(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn total(&self) -> Duration {
        self.0.iter().sum()
    }

    /// The nearest-rank percentile in milliseconds; 0 when there is nothing.
    pub(crate) fn ms(&self, percent: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort();
        let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        sorted
            .get(rank.saturating_sub(1))
            .map_or(0.0, |took| took.as_secs_f64() * 1000.0)
    }

    /// Milliseconds on average.
    pub(crate) fn mean_ms(&self) -> f64 {
        self.total().as_secs_f64() * 1000.0 / self.len().max(1) as f64
    }

    /// How many of them fit into a second, one after the other.
    pub(crate) fn per_second(&self) -> f64 {
        self.len() as f64 / self.total().as_secs_f64().max(1e-9)
    }

    /// `p50 1.2 ms, p99 3.4 ms`
    pub(crate) fn words(&self) -> String {
        format!("p50 {:.2} ms, p99 {:.2} ms", self.ms(50.0), self.ms(99.0))
    }
}
