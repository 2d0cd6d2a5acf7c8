//! What a model call consumed, and how its cost is known.

use serde::{Deserialize, Serialize};

use crate::ids::OpId;
use crate::money::NanoUsd;
use crate::time::Timestamp;

/// Tokens of one or more calls. `input` never includes cached tokens, whatever
/// the provider's own field means (Anthropic excludes them, OpenAI includes them).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Tokens {
    /// Prompt tokens neither read from nor written to a cache.
    #[serde(default)]
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub input: u64,
    /// Generated tokens, thinking included.
    #[serde(default)]
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub output: u64,
    /// Prompt tokens read from a cache.
    #[serde(default)]
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub cache_read: u64,
    /// Prompt tokens written to a cache with the provider's short TTL (Anthropic: 5 minutes).
    #[serde(default)]
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub cache_write: u64,
    /// Prompt tokens written to a cache with the long TTL (Anthropic: 1 hour).
    #[serde(default)]
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub cache_write_long: u64,
}

impl Tokens {
    /// The size of the prompt: what price tiers are chosen by.
    pub fn prompt(&self) -> u64 {
        self.input + self.cache_read + self.cache_write + self.cache_write_long
    }

    /// What token budgets count: everything but cache reads.
    pub fn counted(&self) -> u64 {
        self.input + self.output + self.cache_write + self.cache_write_long
    }

    /// Field-wise sum.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            input: self.input + other.input,
            output: self.output + other.output,
            cache_read: self.cache_read + other.cache_read,
            cache_write: self.cache_write + other.cache_write,
            cache_write_long: self.cache_write_long + other.cache_write_long,
        }
    }
}

/// One priceable piece of a call: a call without `usage.iterations` has exactly
/// one; with them, one per iteration and the top level is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct UsagePart {
    /// The model that answered, as the response names it.
    pub model: String,
    /// Its tokens.
    pub tokens: Tokens,
    /// `usage.service_tier` as reported (`standard`, `priority`, `batch`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// `usage.speed` as reported (`standard`, `fast`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
    /// `usage.inference_geo` as reported (`us`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo: Option<String>,
    /// Server-side web searches, billed per call.
    #[serde(default)]
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub web_searches: u64,
}

/// How a cost figure is known. Kept apart in every total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Computed from reported usage and the price book.
    Priced,
    /// The agent said so.
    Reported,
    /// Computed from counts we estimated.
    Estimated,
    /// May have been billed: the call was cut or its outcome is unknown.
    Unsettled,
    /// The model has no known price. Never shown as 0.
    Unpriced,
}

/// One row of the ledger: what one call consumed and what that costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Charge {
    /// The model that answered, as the response names it.
    pub model: String,
    /// Sum over the parts.
    pub tokens: Tokens,
    /// The cost, absent when unpriced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<NanoUsd>,
    /// How the cost is known.
    pub figure: Figure,
    /// The provider's id of the request, for reconciliation with its bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The version of the price book used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_book: Option<String>,
    /// The parts the figure was computed from, so that a row can be re-priced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<UsagePart>,
    /// The provider's usage object as received.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    #[cfg_attr(feature = "specta", specta(type = crate::typescript::Json))]
    pub raw: serde_json::Value,
    /// How many requests this row stands for (an agent's report may cover several).
    #[serde(default = "one")]
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub requests: u64,
}

fn one() -> u64 {
    1
}

/// A call of an agent to its model that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCall {
    /// The agent's turn.
    pub op: OpId,
    /// The model asked for.
    pub model: String,
    /// Its worst case.
    pub reserve: NanoUsd,
    /// Since when.
    pub sent_at: Timestamp,
}
