//! The files by which an operating system keeps the daemon running. Pure functions:
//! what is written where is decided by `commands/service.rs`.

mod launchd;
mod systemd;
mod windows;

pub(crate) use launchd::plist;
pub(crate) use systemd::unit;
pub(crate) use windows::task;

/// What a service file says.
#[derive(Clone, Debug)]
pub(crate) struct ServiceFacts {
    /// Absolute path of the `longhaul` binary.
    pub(crate) program: String,
    /// Absolute path of the home.
    pub(crate) home: String,
    /// The login shell's PATH: agents and tools are found by it.
    pub(crate) path: String,
}

/// The name the service goes by.
pub(crate) const NAME: &str = "longhaul";

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
