//! Makes a home as it looks after a month of use, for tests of the UI:
//!
//! `cargo run -p longhaul-daemon --example seed-home -- HOME [--runs N] [--long EVENTS]
//! [--reviews N] [--calls N] [--days N]`: so many runs ask, each about so many calls
//!
//! No daemon may have the home meanwhile.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for developers, which reads the clock for all it makes"
)]

#[path = "../src/tests/fixture.rs"]
mod fixture;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::Timestamp;
use store::{Ownership, Store, StoreConfig};

use fixture::{Plan, SetClock, seed};

#[tokio::main]
async fn main() {
    let mut plan = Plan {
        runs: 200,
        long: 0,
        reviews: 5,
        calls: 0,
        days: 30,
    };
    let mut args = std::env::args().skip(1);
    let home = PathBuf::from(args.next().expect("the home's folder comes first"));
    while let Some(name) = args.next() {
        let value = args.next().and_then(|value| value.parse().ok());
        let value: u32 = value.unwrap_or_else(|| panic!("{name} needs a number"));
        match name.as_str() {
            "--runs" => plan.runs = value,
            "--long" => plan.long = value,
            "--reviews" => plan.reviews = value,
            "--calls" => plan.calls = value,
            "--days" => plan.days = value,
            other => panic!("there is no {other}"),
        }
    }
    std::fs::create_dir_all(&home).expect("the home can be made");
    let owned = Ownership::acquire(&home, Duration::ZERO);
    let _owned = owned.unwrap_or_else(|by| panic!("the home is in use: {by}"));
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970");
    let now = Timestamp(i64::try_from(now.as_millis()).expect("it is before the year 292 million"));
    let clock = SetClock::at(now);
    let store = Store::open(StoreConfig {
        home: home.clone(),
        clock: clock.clone(),
    });
    let store = store.await.expect("the home can be opened");
    seed(&store, &clock, now, plan).await;
    println!(
        "{} has {plan:?}; the long run is {}",
        home.display(),
        fixture::long_run_id()
    );
    store.close().await;
}
