//! Usage, cost and limits.

use domain::{NanoUsd, Spent, Tokens};
use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// Tokens and requests. `input` never includes cached tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Usage {
    /// Prompt tokens neither read from nor written to a cache.
    #[specta(type = f64)]
    pub input: u64,
    /// Generated tokens.
    #[specta(type = f64)]
    pub output: u64,
    /// Prompt tokens read from a cache.
    #[specta(type = f64)]
    pub cache_read: u64,
    /// Prompt tokens written to a cache, whatever its lifetime.
    #[specta(type = f64)]
    pub cache_write: u64,
    /// Model requests.
    #[specta(type = f64)]
    pub requests: u64,
}

impl Usage {
    /// The tokens of `requests` requests.
    pub fn new(tokens: &Tokens, requests: u64) -> Self {
        Self {
            input: tokens.input,
            output: tokens.output,
            cache_read: tokens.cache_read,
            cache_write: tokens.cache_write + tokens.cache_write_long,
            requests,
        }
    }
}

impl From<&Spent> for Usage {
    fn from(spent: &Spent) -> Self {
        Self::new(&spent.tokens, spent.requests)
    }
}

/// What the rows of a cost report stand for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, specta::Type,
)]
#[serde(rename_all = "snake_case")]
pub enum CostBy {
    /// Calendar days, UTC.
    #[default]
    Day,
    /// Models, as the responses name them.
    Model,
    /// Backends.
    Backend,
    /// Projects.
    Project,
    /// Runs.
    Run,
}

/// Asks for sums over the ledger.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct CostRequest {
    /// What the rows stand for.
    #[serde(default)]
    pub by: CostBy,
    /// Only calls since then.
    #[serde(default)]
    #[specta(type = Option<String>)]
    pub since: Option<Moment>,
}

/// Sums over ledger rows, each kind of figure apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct CostRow {
    /// The day, model, backend, project or run.
    pub key: String,
    /// What was used.
    pub usage: Usage,
    /// Priced, reported and estimated cost, in dollars.
    #[specta(type = String)]
    pub cost_usd: NanoUsd,
    /// The part of `cost_usd` an agent reported.
    #[specta(type = String)]
    pub reported_usd: NanoUsd,
    /// The part of `cost_usd` computed from estimated counts.
    #[specta(type = String)]
    pub estimated_usd: NanoUsd,
    /// What may have been billed besides, at its worst case.
    #[specta(type = String)]
    pub unsettled_cost_usd: NanoUsd,
    /// Requests whose model has no known price: their cost is in no sum.
    #[specta(type = f64)]
    pub unpriced_requests: u64,
}

/// What was spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct CostReport {
    /// What the rows stand for.
    pub by: CostBy,
    /// Since when, if limited.
    #[specta(type = Option<String>)]
    pub since: Option<Moment>,
    /// One a key.
    pub rows: Vec<CostRow>,
    /// The sum of the rows.
    pub total: CostRow,
}

/// Asks for the limiter's gates.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct LimitsRequest {}

/// One gate: a credential all of whose calls pass through it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct BucketView {
    /// The credential's fingerprint or the named bucket.
    pub name: String,
    /// The backends that share it.
    pub backends: Vec<String>,
    /// `open`, `paused` or `probing`.
    pub state: String,
    /// Why it is paused.
    pub cause: Option<String>,
    /// When it opens, where known.
    #[specta(type = Option<String>)]
    pub until: Option<Moment>,
    /// Calls under way.
    pub in_flight: u32,
    /// Calls that wait for it.
    pub waiting: u32,
}

/// Every gate that has been used or is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct LimitsView {
    /// The gates.
    pub limits: Vec<BucketView>,
}
