//! From usage to nano-dollars.

use domain::{Figure, NanoUsd, Timestamp, Tokens, UsagePart};

use crate::book::PriceBook;
use crate::entry::{DatedPrices, ModelEntry, Variant, VariantRates, When};
use crate::rate::{ONE, Rate};

/// Pico-dollars in a nano-dollar.
const PICO_PER_NANO: u128 = 1000;
/// Pico-dollars in one millionth of a dollar, over the 1,000 calls that search
/// prices are quoted for.
const PICO_PER_SEARCH_MILLIONTH: u128 = 1000;

/// The cost of a call, or why it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// Present exactly when `figure` is `Priced`.
    pub cost: Option<NanoUsd>,
    /// `Priced` or `Unpriced`.
    pub figure: Figure,
    /// For an unpriced call: the reason, in words for the user.
    pub why: Option<String>,
}

/// The variant and base rates that hold for one part.
struct Selected<'a> {
    base: &'a DatedPrices,
    variant: Option<&'a VariantRates>,
    /// In millionths. Applies to tokens; searches cost the same everywhere.
    geo_factor: u64,
}

impl PriceBook {
    /// Prices the parts of one call, made at `at`. If any part cannot be priced
    /// the whole call is unpriced.
    ///
    /// Each part is rounded to a nano-dollar on its own (half up), so that the
    /// whole is the sum of its parts.
    pub fn price(&self, parts: &[UsagePart], at: Timestamp) -> Priced {
        if parts.is_empty() {
            return unpriced("no usage was reported".to_owned());
        }
        let mut sum: i64 = 0;
        for part in parts {
            let cost = match self.price_part(part, at) {
                Ok(cost) => cost,
                Err(why) => return unpriced(why),
            };
            let Some(next) = sum.checked_add(cost.0) else {
                return unpriced(absurd(&part.model));
            };
            sum = next;
        }
        Priced {
            cost: Some(NanoUsd(sum)),
            figure: Figure::Priced,
            why: None,
        }
    }

    /// The most one call can cost that sends up to `prompt_tokens` and answers
    /// with up to `max_output_tokens`, at standard speed and tier: every prompt
    /// token at the dearest of the input, cache-write and cache-read rates, in
    /// the dearest daily window, tier and geography. None if the model is unknown.
    pub fn worst_case(
        &self,
        model: &str,
        prompt_tokens: u64,
        max_output_tokens: u64,
        at: Timestamp,
    ) -> Option<NanoUsd> {
        let entry = self.entry(model)?;
        let prompt = u128::from(prompt_tokens);
        let dearest = |rates: &[&Option<Rate>]| {
            rates
                .iter()
                .copied()
                .flatten()
                .map(|rate| rate.dearest_pico(prompt))
                .max()
                .map(u128::from)
        };
        let base = base_outside_windows(entry, at);
        let windows = entry
            .prices
            .iter()
            .flatten()
            .filter(|p| p.utc_time_of_day.is_some() && p.has_begun(at));
        let mut worst: Option<u128> = None;
        for prices in base.into_iter().chain(windows) {
            let input = dearest(&[
                &prices.input,
                &prices.cache_write,
                &prices.cache_write_1h,
                &prices.cache_read,
            ])?;
            let output = dearest(&[&prices.output])?;
            let tokens = prompt.checked_mul(input)?;
            let pico = tokens.checked_add(u128::from(max_output_tokens).checked_mul(output)?)?;
            worst = worst.max(Some(pico));
        }
        let factor = entry
            .multipliers
            .iter()
            .filter(|(name, _)| is_geo(name))
            .map(|(_, f)| f.0)
            .max()
            .unwrap_or(ONE)
            .max(ONE);
        to_nano(
            worst?.checked_mul(u128::from(factor))?,
            u128::from(ONE) * PICO_PER_NANO,
        )
    }

    fn price_part(&self, part: &UsagePart, at: Timestamp) -> Result<NanoUsd, String> {
        let entry = self
            .entry(&part.model)
            .ok_or_else(|| format!("no price is known for model '{}'", part.model))?;
        let selected = select(entry, part, at)?;
        let tokens = token_pico(&selected, &part.model, &part.tokens)?;
        let searches = search_pico(&selected, part)?;
        let scaled = tokens
            .checked_mul(u128::from(selected.geo_factor))
            .zip(searches.checked_mul(u128::from(ONE)))
            .and_then(|(tokens, searches)| tokens.checked_add(searches));
        scaled
            .and_then(|pico| to_nano(pico, u128::from(ONE) * PICO_PER_NANO))
            .ok_or_else(|| absurd(&part.model))
    }
}

fn select<'a>(
    entry: &'a ModelEntry,
    part: &UsagePart,
    at: Timestamp,
) -> Result<Selected<'a>, String> {
    let model = &part.model;
    let base = entry
        .prices
        .iter()
        .flatten()
        .rev()
        .find(|prices| prices.has_begun(at) && prices.in_window(at))
        .ok_or_else(|| format!("no price of '{model}' is known for that date"))?;
    let by_tier = match reported(part.tier.as_deref()) {
        Some(tier) => Some(
            variant(entry, at, |when| match when {
                When::ServiceTier(name) | When::Processing(name) => name == tier,
                When::Speed(_) => false,
            })
            .ok_or_else(|| {
                format!("no price of '{model}' is known for service tier '{tier}' on that date")
            })?,
        ),
        None => None,
    };
    let by_speed = match reported(part.speed.as_deref()) {
        Some(speed) => Some(
            variant(
                entry,
                at,
                |when| matches!(when, When::Speed(name) if name == speed),
            )
            .ok_or_else(|| {
                format!("no price of '{model}' is known for speed '{speed}' on that date")
            })?,
        ),
        None => None,
    };
    if by_tier.is_some() && by_speed.is_some() {
        return Err(format!(
            "no price of '{model}' is known for that service tier and speed together"
        ));
    }
    let geo_factor = match part.geo.as_deref().unwrap_or("") {
        "" | "global" | "not_available" => ONE,
        geo => {
            entry
                .multipliers
                .get(geo)
                .filter(|_| is_geo(geo))
                .ok_or_else(|| format!("no price of '{model}' is known for inference in '{geo}'"))?
                .0
        }
    };
    Ok(Selected {
        base,
        variant: by_tier.or(by_speed).map(|v| &v.rates),
        geo_factor,
    })
}

/// What a response says beyond the standard. OpenAI calls its standard tier
/// `default`; `auto` is what was asked for, echoed.
fn reported(value: Option<&str>) -> Option<&str> {
    value.filter(|v| !matches!(*v, "" | "standard" | "auto" | "default"))
}

/// The `fast` factor stands among the geographies in the data.
fn is_geo(multiplier: &str) -> bool {
    multiplier != "fast"
}

fn variant(entry: &ModelEntry, at: Timestamp, applies: impl Fn(&When) -> bool) -> Option<&Variant> {
    entry
        .variants
        .iter()
        .find(|v| applies(&v.when) && v.from.is_none_or(|from| from.0 <= at))
}

/// The entry that holds whenever no daily window does.
fn base_outside_windows(entry: &ModelEntry, at: Timestamp) -> Option<&DatedPrices> {
    entry
        .prices
        .iter()
        .flatten()
        .rev()
        .find(|p| p.utc_time_of_day.is_none() && p.has_begun(at))
}

fn token_pico(selected: &Selected<'_>, model: &str, tokens: &Tokens) -> Result<u128, String> {
    let (base, variant) = (selected.base, selected.variant);
    let prompt = [
        tokens.input,
        tokens.cache_read,
        tokens.cache_write,
        tokens.cache_write_long,
    ]
    .map(u128::from)
    .iter()
    .sum();
    let rows: [(u64, &Option<Rate>, Option<&Rate>, &str); 5] = [
        (
            tokens.input,
            &base.input,
            variant.and_then(|v| v.input.as_ref()),
            "input",
        ),
        (
            tokens.output,
            &base.output,
            variant.and_then(|v| v.output.as_ref()),
            "output",
        ),
        (
            tokens.cache_read,
            &base.cache_read,
            variant.and_then(|v| v.cache_read.as_ref()),
            "cache reads",
        ),
        (
            tokens.cache_write,
            &base.cache_write,
            variant.and_then(|v| v.cache_write.as_ref()),
            "cache writes",
        ),
        (
            tokens.cache_write_long,
            &base.cache_write_1h,
            variant.and_then(|v| v.cache_write_1h.as_ref()),
            "long-lived cache writes",
        ),
    ];
    let mut sum = 0u128;
    for (count, base, special, what) in rows {
        if count == 0 {
            continue;
        }
        // A missing rate is not a free one.
        let rate = special
            .or(base.as_ref())
            .ok_or_else(|| format!("no price of '{model}' is known for {what}"))?;
        sum += u128::from(count) * u128::from(rate.pico(prompt));
    }
    Ok(sum)
}

fn search_pico(selected: &Selected<'_>, part: &UsagePart) -> Result<u128, String> {
    if part.web_searches == 0 {
        return Ok(0);
    }
    let per_1000 = selected
        .base
        .web_search_per_1000
        .ok_or_else(|| format!("no price of '{}' is known for web searches", part.model))?;
    Ok(u128::from(part.web_searches) * u128::from(per_1000.0) * PICO_PER_SEARCH_MILLIONTH)
}

/// Division with rounding half up; None when the amount cannot be held.
fn to_nano(amount: u128, divisor: u128) -> Option<NanoUsd> {
    let rounded = amount.checked_add(divisor / 2)? / divisor;
    i64::try_from(rounded).ok().map(NanoUsd)
}

fn unpriced(why: String) -> Priced {
    Priced {
        cost: None,
        figure: Figure::Unpriced,
        why: Some(why),
    }
}

fn absurd(model: &str) -> String {
    format!("the usage reported for '{model}' is too large to be true")
}
