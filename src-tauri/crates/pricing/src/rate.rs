//! Rates as whole pico-dollars, and the decimal texts they are read from.

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

/// A non-negative decimal in millionths: the text `1.1` is 1,100,000.
///
/// A price of so many dollars per million tokens is, in millionths of a dollar,
/// the same number of pico-dollars per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Millionths(pub(crate) u64);

/// One, in [`Millionths`].
pub(crate) const ONE: u64 = 1_000_000;

impl Millionths {
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
            return None;
        }
        let whole: u64 = whole.parse().ok()?;
        let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
        whole.checked_mul(ONE)?.checked_add(fraction).map(Self)
    }
}

impl<'de> Deserialize<'de> for Millionths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Numbers are accepted beside strings because people write them in
        // override files; the shortest form of a float is what they typed.
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            other => return Err(D::Error::custom(format!("{other} is not a price"))),
        };
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "'{text}' is not a price such as \"2.5\" (at most six decimals)"
            ))
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tiered {
    base: Millionths,
    tiers: Vec<Tier>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tier {
    above_input_tokens: u64,
    price: Millionths,
}

/// A price per token that may depend on the size of the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    base: Millionths,
    /// Ascending by threshold.
    tiers: Vec<Tier>,
}

impl Rate {
    /// Pico-dollars per token for a request with this many prompt tokens.
    pub(crate) fn pico(&self, prompt: u128) -> u64 {
        let reached = |tier: &&Tier| prompt > u128::from(tier.above_input_tokens);
        self.tiers
            .iter()
            .rev()
            .find(reached)
            .map_or(self.base, |tier| tier.price)
            .0
    }

    /// The dearest this can be for a request of up to this many prompt tokens.
    pub(crate) fn dearest_pico(&self, prompt: u128) -> u64 {
        let reached = |tier: &&Tier| prompt > u128::from(tier.above_input_tokens);
        self.tiers
            .iter()
            .filter(reached)
            .map(|tier| tier.price.0)
            .fold(self.base.0, u64::max)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.is_object() {
            let Tiered { base, mut tiers } =
                serde_json::from_value(value).map_err(D::Error::custom)?;
            tiers.sort_by_key(|tier| tier.above_input_tokens);
            return Ok(Self { base, tiers });
        }
        let base = serde_json::from_value(value).map_err(D::Error::custom)?;
        Ok(Self {
            base,
            tiers: Vec::new(),
        })
    }
}
