//! One model of the price book, as the file writes it.

use std::collections::BTreeMap;

use domain::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::rate::{Millionths, Rate};

const DAY_MS: i64 = 86_400_000;

/// A model: its prices over time, its variants, its limits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelEntry {
    pub(crate) id: String,
    pub(crate) provider: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) context_window: Option<u64>,
    pub(crate) max_input_tokens: Option<u64>,
    pub(crate) max_output_tokens: Option<u64>,
    pub(crate) prices: Option<Vec<DatedPrices>>,
    #[serde(default)]
    pub(crate) variants: Vec<Variant>,
    /// Factors by geography (`us`). The file's `fast` factor repeats what the
    /// variants say and is not used.
    #[serde(default)]
    pub(crate) multipliers: BTreeMap<String, Millionths>,
    // Facts about the data that pricing does not use, named so that any other
    // name is a typing error.
    #[serde(rename = "limits_source", default)]
    _limits_source: IgnoredAny,
    #[serde(rename = "prompt_cache_min_tokens", default)]
    _cache_minimum: IgnoredAny,
    #[serde(rename = "cache_write_12h_litellm", default)]
    _twelve_hour_write: IgnoredAny,
    #[serde(rename = "note", default)]
    _note: IgnoredAny,
}

/// Prices that hold from a date, or within a daily window.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatedPrices {
    pub(crate) from: Option<UtcDate>,
    pub(crate) utc_time_of_day: Option<Window>,
    pub(crate) input: Option<Rate>,
    pub(crate) output: Option<Rate>,
    pub(crate) cache_read: Option<Rate>,
    pub(crate) cache_write: Option<Rate>,
    pub(crate) cache_write_1h: Option<Rate>,
    pub(crate) web_search_per_1000: Option<Millionths>,
}

/// Rates that replace the base when the response reports something special.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    pub(crate) when: When,
    pub(crate) from: Option<UtcDate>,
    pub(crate) rates: VariantRates,
}

/// What the response must report for a variant to apply.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    ServiceTier(String),
    Processing(String),
    Speed(String),
}

/// A rate absent here is the base's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VariantRates {
    pub(crate) input: Option<Rate>,
    pub(crate) output: Option<Rate>,
    pub(crate) cache_read: Option<Rate>,
    pub(crate) cache_write: Option<Rate>,
    pub(crate) cache_write_1h: Option<Rate>,
}

impl DatedPrices {
    pub(crate) fn has_begun(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from.0 <= at)
    }

    pub(crate) fn in_window(&self, at: Timestamp) -> bool {
        self.utc_time_of_day
            .as_ref()
            .is_none_or(|window| window.contains(at))
    }
}

/// Midnight UTC of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UtcDate(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for UtcDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let date: Date = text
            .parse()
            .map_err(|_| D::Error::custom(format!("'{text}' is not a date such as 2026-10-07")))?;
        let midnight = date.to_zoned(TimeZone::UTC).map_err(D::Error::custom)?;
        Ok(Self(Timestamp(midnight.timestamp().as_millisecond())))
    }
}

/// A daily window in UTC, from its first moment up to but not including its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    start_ms: i64,
    end_ms: i64,
}

impl Window {
    fn contains(&self, at: Timestamp) -> bool {
        let ms = at.0.rem_euclid(DAY_MS);
        if self.start_ms <= self.end_ms {
            (self.start_ms..self.end_ms).contains(&ms)
        } else {
            ms >= self.start_ms || ms < self.end_ms
        }
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let [start, end] = <[String; 2]>::deserialize(deserializer)?;
        let ms = |text: &str| {
            let utc = text
                .strip_suffix("+00:00")
                .or_else(|| text.strip_suffix('Z'));
            let time: Option<Time> = utc.and_then(|t| t.parse().ok());
            time.map(|t| {
                i64::from(t.hour()) * 3_600_000
                    + i64::from(t.minute()) * 60_000
                    + i64::from(t.second()) * 1000
            })
            .ok_or_else(|| {
                D::Error::custom(format!("'{text}' is not a UTC time such as 01:00:00+00:00"))
            })
        };
        Ok(Self {
            start_ms: ms(&start)?,
            end_ms: ms(&end)?,
        })
    }
}
