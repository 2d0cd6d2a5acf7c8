//! The daemon: what owns everything durable.

/// What a daemon is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its home and the socket it answers on.
    pub paths: client::Paths,
    /// This program, which is started again as keepers.
    pub program: std::path::PathBuf,
    /// This program's version.
    pub version: &'static str,
}

/// Be the daemon.
pub fn run(_options: Options) -> Result<(), protocol::ApiError> {
    Ok(())
}
