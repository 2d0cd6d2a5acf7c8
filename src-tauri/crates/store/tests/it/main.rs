//! The store from outside: what is acknowledged stays, what is damaged is seen.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test stops at the first surprise.

mod crash;
mod damage;
mod growth;
mod home;
mod journals;
mod leases;
mod lineage;
mod queue;
mod recording;
mod sabotage;
mod shown;
mod upkeep;
