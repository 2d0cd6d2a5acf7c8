//! The environment, read once: what commands and agents may see of it, and the
//! variables keys come from.

#![allow(clippy::disallowed_methods)] // the composition root reads the environment

use std::sync::Arc;

use secrets::ReadEnv;

/// What a command needs to find its tools and speak the user's language.
const KEPT: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "GOPATH",
    "GOCACHE",
    "JAVA_HOME",
    "NVM_DIR",
    "PYENV_ROOT",
    "NODE_PATH",
];

/// What commands and agents get: an explicit list, so that no key that happens
/// to stand in the daemon's environment reaches them.
pub(crate) fn for_children() -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = std::env::vars()
        .filter(|(name, _)| KEPT.contains(&name.as_str()) || name.starts_with("LC_"))
        .collect();
    if !kept.iter().any(|(name, _)| name == "PATH") {
        kept.push(("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()));
    }
    kept
}

/// Whether there is a session bus, and so perhaps a desktop to tell something on. Looked
/// for each time: somebody may log in later.
pub(crate) fn has_session_bus() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match set("DBUS_SESSION_BUS_ADDRESS") {
        // Other addresses start programs to find or make a bus.
        Some(address) => address.starts_with("unix:path=") || address.starts_with("unix:abstract="),
        None => set("XDG_RUNTIME_DIR")
            .is_some_and(|dir| std::path::Path::new(&dir).join("bus").exists()),
    }
}

/// The user's home folder.
pub(crate) fn user_home() -> Option<std::path::PathBuf> {
    std::env::var_os("HOME")
        .filter(|home| !home.is_empty())
        .map(Into::into)
}

/// Reads the variables that `--key-env` names.
pub(crate) fn for_keys() -> ReadEnv {
    Arc::new(|name| std::env::var(name).ok())
}
