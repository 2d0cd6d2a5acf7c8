//! The crash campaign: the real daemon is killed at every durability boundary and at
//! random moments, comes back, and one set of invariants must hold each time.
//!
//! The short form runs with the other journeys. The long one, at least 1,000 random
//! kills and several visits to every boundary: `cargo xtask campaign 1000 SEED`, which
//! sets `LONGHAUL_CAMPAIGN_KILLS` and `LONGHAUL_CAMPAIGN_SEED` and runs these tests. A
//! failure names its seed or crash point.

mod bills;
mod boundaries;
mod chance;
mod fencing;
mod invariants;
mod journals;
mod kills;
mod person;
mod points;
mod power_loss;
mod sabotage;
mod script;
mod settings;
mod witness;
mod world;
