//! How long the campaign is, by variables `cargo xtask campaign` sets.

#![allow(
    clippy::disallowed_methods,
    reason = "a test binary is a composition root"
)]

/// Kills in the short form.
const SHORT: u64 = 15;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Random kills to be made.
pub(crate) fn kills() -> u64 {
    number("LONGHAUL_CAMPAIGN_KILLS").unwrap_or(SHORT)
}

/// Where randomness begins.
pub(crate) fn seed() -> u64 {
    number("LONGHAUL_CAMPAIGN_SEED").unwrap_or(1)
}

/// Whether boundaries are visited more than once.
pub(crate) fn is_long() -> bool {
    kills() > 100
}

/// Only this crash point (`name` or `name#n`), to repeat a failure.
pub(crate) fn only_point() -> Option<String> {
    std::env::var("LONGHAUL_CAMPAIGN_POINT").ok()
}

/// The binary under test: another one lets a long campaign go on while the tree changes.
pub(crate) fn binary() -> String {
    let built = env!("CARGO_BIN_EXE_longhaul").to_owned();
    std::env::var("LONGHAUL_CAMPAIGN_BINARY").unwrap_or(built)
}
