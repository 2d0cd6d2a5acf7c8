//! The daemon: what owns everything durable. This crate only puts the parts
//! together: home and lock, store, engine, socket.

mod api;
mod boot;
mod buckets;
mod clock;
mod environment;
mod gateway;
mod guard;
mod handlers;
mod heard;
mod listen;
mod logs;
mod notifier;
mod peer;
mod rehearsal;
mod server;
mod settings;
#[cfg(target_os = "linux")]
mod sleep;
mod stream;
#[cfg(test)]
mod tests;
mod ui;
mod views;
mod webhook;

use std::net::SocketAddr;
use std::path::PathBuf;

use protocol::ApiError;

pub use settings::{Config, ConfigError};

/// What a daemon is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its home and the socket it answers on.
    pub paths: client::Paths,
    /// This program, which is started again as keepers.
    pub program: PathBuf,
    /// This program's version.
    pub version: &'static str,
    /// Where browsers are listened to as well; port 0 is any that is free.
    pub listen: Option<SocketAddr>,
    /// Is told the address with its token as soon as browsers are listened to. Whoever
    /// reads it may decide for the user.
    pub announce: fn(&str),
}

/// Is the daemon, until it is told to stop.
///
/// # Errors
/// If it cannot start: another daemon has the home, the socket cannot be made.
/// A store that cannot be opened is no error: it is served in maintenance mode.
pub fn run(options: Options) -> Result<(), ApiError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        .enable_all()
        .build()
        .map_err(ApiError::internal)?;
    let ended = runtime.block_on(boot::serve(options));
    // Nothing that is still blocked (a keychain prompt) may keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    ended
}
