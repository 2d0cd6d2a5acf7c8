//! Black-box tests of the testkit: a test double nobody tests proves nothing.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(unreachable_pub, reason = "one binary: nothing is reachable")]

mod http;
mod model_server;
mod model_server_faults;
mod scripted_agent;
mod test_daemon;
