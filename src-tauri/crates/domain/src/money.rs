//! Money as an integer count of nano-dollars: sums are exact, and a total is
//! always the sum of its rows.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount in nano-USD (10⁻⁹ dollars). One token at $0.10 per million is
/// 100 nano-USD, so every published price is a whole number of them per token.
///
/// Serialized as a decimal string of dollars (`"0.0105"`), because JSON numbers
/// are read as floats by most clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "specta", derive(specta::Type), specta(transparent))]
pub struct NanoUsd(#[cfg_attr(feature = "specta", specta(type = String))] pub i64);

const PER_DOLLAR: i64 = 1_000_000_000;

impl NanoUsd {
    /// No money at all.
    pub const ZERO: Self = Self(0);

    /// Whole dollars, saturating.
    pub const fn dollars(dollars: i64) -> Self {
        Self(dollars.saturating_mul(PER_DOLLAR))
    }

    /// Subtraction that stops at zero: what is left of a budget.
    pub fn left_after(self, spent: Self) -> Self {
        Self(self.0.saturating_sub(spent.0).max(0))
    }
}

impl Add for NanoUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for NanoUsd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for NanoUsd {
    /// Plain decimal dollars without trailing zeros: `0.0105`, `12`, `-0.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (
            self.0.unsigned_abs() / PER_DOLLAR as u64,
            self.0.unsigned_abs() % PER_DOLLAR as u64,
        );
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{rest:09}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// Why a text is not an amount of dollars.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseMoneyError {
    /// Not of the form `12` or `12.345`.
    #[error("'{0}' is not an amount in dollars, such as 5 or 0.25")]
    NotDecimal(String),
    /// More than nine decimals, or more than about nine billion dollars.
    #[error("'{0}' cannot be held exactly in billionths of a dollar")]
    OutOfRange(String),
}

impl FromStr for NanoUsd {
    type Err = ParseMoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let not_decimal = || ParseMoneyError::NotDecimal(text.to_owned());
        let out_of_range = || ParseMoneyError::OutOfRange(text.to_owned());
        let trimmed = text.trim();
        let (negative, digits) = match trimmed.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, trimmed.strip_prefix('$').unwrap_or(trimmed)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !is_number(whole) || !is_number(fraction) {
            return Err(not_decimal());
        }
        if fraction.len() > 9 {
            return Err(out_of_range());
        }
        let whole: i64 = if whole.is_empty() {
            0
        } else {
            whole.parse().map_err(|_| out_of_range())?
        };
        let nanos: i64 = format!("{fraction:0<9}")
            .parse()
            .map_err(|_| out_of_range())?;
        let value = whole
            .checked_mul(PER_DOLLAR)
            .and_then(|w| w.checked_add(nanos))
            .ok_or_else(out_of_range)?;
        Ok(Self(if negative { -value } else { value }))
    }
}

impl Serialize for NanoUsd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NanoUsd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_the_shortest_exact_form() {
        assert_eq!(NanoUsd(10_500_000).to_string(), "0.0105");
        assert_eq!(NanoUsd::dollars(12).to_string(), "12");
        assert_eq!(NanoUsd(-500_000_000).to_string(), "-0.5");
    }

    #[test]
    fn refuses_what_it_cannot_hold_exactly() {
        assert!(matches!(
            "0.0000000001".parse::<NanoUsd>(),
            Err(ParseMoneyError::OutOfRange(_))
        ));
        assert!(matches!(
            "ten".parse::<NanoUsd>(),
            Err(ParseMoneyError::NotDecimal(_))
        ));
        assert!(matches!(
            ".".parse::<NanoUsd>(),
            Err(ParseMoneyError::NotDecimal(_))
        ));
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(nanos in any::<i64>().prop_filter("i64::MIN has no positive", |n| *n != i64::MIN)) {
            prop_assert_eq!(NanoUsd(nanos).to_string().parse::<NanoUsd>(), Ok(NanoUsd(nanos)));
        }
    }
}
