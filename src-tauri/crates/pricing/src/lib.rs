//! What a model call costs, exactly.
//!
//! A [`PriceBook`] is the vendored `data/prices.json` plus, optionally, a user's
//! overrides. It prices the usage a response reported, with the model, service
//! tier, speed and geography that same response named. Whatever it does not know
//! for certain is *unpriced*, with the reason: never zero, never the standard rate.
//!
//! Arithmetic is in integers. Rates are held as whole pico-dollars (10⁻¹²) per
//! token, in which every published price is exact; each part of a call is summed
//! exactly and divided once, at the end, to nano-dollars, half up. So the cost
//! of a call is always the sum of the costs of its parts.

mod book;
mod cost;
mod entry;
mod rate;
#[cfg(test)]
mod tests;

pub use book::{Limits, PriceBook, PriceBookError};
pub use cost::Priced;
