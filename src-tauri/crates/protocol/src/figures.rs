//! Usage, cost and limits.

use domain::{NanoUsd, Spent, Tokens};
use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// Tokens and requests. `input` never includes cached tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Usage {
    /// Prompt tokens neither read from nor written to a cache.
    #[specta(type = u32)]
    pub input: u64,
    /// Generated tokens.
    #[specta(type = u32)]
    pub output: u64,
    /// Prompt tokens read from a cache.
    #[specta(type = u32)]
    pub cache_read: u64,
    /// Prompt tokens written to a cache, whatever its lifetime.
    #[specta(type = u32)]
    pub cache_write: u64,
    /// Model requests.
    #[specta(type = u32)]
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
    pub since: Option<Moment>,
    /// Only calls before then.
    #[serde(default)]
    pub until: Option<Moment>,
}

/// Sums over ledger rows, each kind of figure apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct CostRow {
    /// The day, model, backend, project or run.
    pub key: String,
    /// What was used.
    pub usage: Usage,
    /// Priced, reported and estimated cost, in dollars.
    pub cost_usd: NanoUsd,
    /// The part of `cost_usd` an agent reported.
    pub reported_usd: NanoUsd,
    /// The part of `cost_usd` computed from estimated counts.
    pub estimated_usd: NanoUsd,
    /// What may have been billed besides, at its worst case.
    pub unsettled_cost_usd: NanoUsd,
    /// Requests whose model has no known price: their cost is in no sum.
    #[specta(type = u32)]
    pub unpriced_requests: u64,
    /// What the tokens read from caches would have cost besides as plain input, where
    /// their model's price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_saved_usd: Option<NanoUsd>,
}

/// What was spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct CostReport {
    /// What the rows stand for.
    pub by: CostBy,
    /// Since when, if limited.
    pub since: Option<Moment>,
    /// One a key.
    pub rows: Vec<CostRow>,
    /// The sum of the rows.
    pub total: CostRow,
}

/// What a day's cost is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum CostStack {
    /// The model that answered.
    Model,
    /// The backend.
    Backend,
    /// The project.
    Project,
}

/// Asks for the cost of each day, divided.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct CostSeriesRequest {
    /// Calls since then.
    pub since: Moment,
    /// Calls before then.
    pub until: Moment,
    /// What a day's cost is divided by.
    pub stack: CostStack,
    /// The user's zone: minutes east of UTC. Days begin at its midnight.
    #[serde(default)]
    pub offset_min: i32,
}

/// The cost of each day, divided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct CostSeries {
    /// The days (`2026-11-21`), without gaps, oldest first.
    pub days: Vec<String>,
    /// What the cost is divided by, dearest first.
    pub keys: Vec<String>,
    /// Dollars for each key (outer) and day (inner): priced, reported and estimated.
    pub values: Vec<Vec<NanoUsd>>,
    /// Dollars that may have been billed besides, for each day.
    pub unsettled: Vec<NanoUsd>,
    /// Requests without a known price, for each day: in no sum.
    #[specta(type = Vec<u32>)]
    pub unpriced_requests: Vec<u64>,
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
    pub until: Option<Moment>,
    /// Calls under way.
    pub in_flight: u32,
    /// Calls that wait for it.
    pub waiting: u32,
}

/// Every gate that has been used or is paused, and the named buckets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct LimitsView {
    /// The gates.
    pub limits: Vec<BucketView>,
    /// The buckets the user has made, by name.
    #[serde(default)]
    pub buckets: Vec<NamedBucket>,
}

/// A bucket the user has made: how often something outside may be called, and was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct NamedBucket {
    /// Its name.
    pub name: String,
    /// Calls allowed in any minute; null: no cap.
    pub per_minute: Option<u32>,
    /// Calls allowed in a day (UTC); null: no cap.
    pub per_day: Option<u32>,
    /// Calls allowed in a calendar month (UTC); null: no cap.
    pub per_month: Option<u32>,
    /// Calls of the last minute.
    pub used_minute: u32,
    /// Calls of this day.
    pub used_day: u32,
    /// Calls of this month.
    pub used_month: u32,
    /// Callers that wait.
    pub waiting: u32,
    /// When the next call may be made, where not now.
    pub until: Option<Moment>,
    /// Why not now.
    pub cause: Option<String>,
    /// What is set aside for projects.
    pub shares: Vec<BucketShare>,
}

/// Calls of a day set aside for one project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct BucketShare {
    /// Its folder.
    pub project: String,
    /// Calls allowed in a day.
    pub per_day: u32,
    /// Calls of this day.
    pub used_day: u32,
}

/// Makes a bucket, or gives one other caps. What was used of it stays used.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct BucketSet {
    /// Its name: letters, digits, `.`, `-` and `_`.
    pub name: String,
    /// Only sets `per_day` calls aside for this folder's project (an absolute path).
    #[serde(default)]
    pub project: Option<String>,
    /// Calls in any minute; no cap if absent.
    #[serde(default)]
    pub per_minute: Option<u32>,
    /// Calls in a day; no cap if absent.
    #[serde(default)]
    pub per_day: Option<u32>,
    /// Calls in a calendar month; no cap if absent.
    #[serde(default)]
    pub per_month: Option<u32>,
}

/// Removes a bucket, or what it sets aside for a project.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct BucketRemove {
    /// Its name.
    pub name: String,
    /// Only what is set aside for this folder's project.
    #[serde(default)]
    pub project: Option<String>,
}

/// Asks whether one call may be made now. It is counted if it may.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct BucketTake {
    /// The bucket's name.
    pub name: String,
    /// The folder the call is made for.
    #[serde(default)]
    pub folder: Option<String>,
    /// The place in line that an earlier answer named: who asked first goes first. It is kept
    /// for 45 s.
    #[serde(default)]
    #[specta(type = Option<u32>)]
    pub ticket: Option<u64>,
}

/// Whether one call may be made now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct BucketGrant {
    /// It may, and is counted, durably.
    pub granted: bool,
    /// When to ask again, where not.
    pub until: Option<Moment>,
    /// Why not.
    pub cause: Option<String>,
    /// The place in line, for asking again.
    #[specta(type = Option<u32>)]
    pub ticket: Option<u64>,
}
