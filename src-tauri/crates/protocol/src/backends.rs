//! Backends: where the thinking comes from.

use std::fmt;

use domain::BackendKind;
use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// A key on its way from the person who types it to the daemon's keychain. The only
/// secret that ever crosses the socket, in this direction only; never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(transparent)]
pub struct KeyText(pub String);

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(…)")
    }
}

/// Where a new backend's key comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum KeySource {
    /// This key, to be kept in the OS keychain.
    Keychain {
        /// The key.
        key: KeyText,
    },
    /// What this command prints.
    Command {
        /// The command, for the shell.
        command: String,
    },
    /// An environment variable of the daemon.
    Env {
        /// Its name.
        var: String,
    },
}

/// Names a new backend.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct BackendAdd {
    /// Its name, as tasks will use it.
    pub name: String,
    /// Its kind.
    #[specta(type = String)]
    pub kind: BackendKind,
    /// The API's address, where it is not the vendor's.
    #[serde(default)]
    pub base_url: Option<String>,
    /// The model asked for unless a task names one.
    #[serde(default)]
    pub model: Option<String>,
    /// The agent's command, for agent kinds.
    #[serde(default)]
    pub command: Option<String>,
    /// Whether its calls cost nothing (a model on this machine).
    #[serde(default)]
    pub free: bool,
    /// Where its key comes from.
    #[serde(default)]
    pub key: Option<KeySource>,
}

/// How a backend gets its key. Never the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum KeyView {
    /// None, or the agent's own login.
    None,
    /// The OS keychain.
    Keychain,
    /// What this command prints.
    Command {
        /// The command.
        command: String,
    },
    /// An environment variable of the daemon.
    Env {
        /// Its name.
        var: String,
    },
}

/// A backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct BackendView {
    /// Its name.
    pub name: String,
    /// Its kind.
    #[specta(type = String)]
    pub kind: BackendKind,
    /// The API's address, where it is not the vendor's.
    pub base_url: Option<String>,
    /// The model asked for unless a task names one.
    pub model: Option<String>,
    /// The agent's command, for agent kinds.
    pub command: Option<String>,
    /// Whether its calls cost nothing.
    pub free: bool,
    /// Where its key comes from.
    pub key: KeyView,
    /// Whether its answers are scripted and not a model's.
    pub simulated: bool,
    /// When it was added.
    #[specta(type = Option<String>)]
    pub added_at: Option<Moment>,
}

/// Asks for all backends.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct BackendListRequest {}

/// All backends, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct BackendList {
    /// The backends.
    pub backends: Vec<BackendView>,
}

/// Forgets a backend and its key.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct BackendRemove {
    /// Its name.
    pub name: String,
}

/// It is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct BackendRemoved {
    /// Its name.
    pub name: String,
}

/// Tries a backend without spending anything worth mentioning.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct BackendTestRequest {
    /// Its name.
    pub name: String,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct BackendCheck {
    /// What was tried.
    pub what: String,
    /// Whether it is fine.
    pub ok: bool,
    /// What was found, in words.
    pub detail: String,
}

/// What trying a backend showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct BackendTest {
    /// Its name.
    pub name: String,
    /// Whether a run could start on it.
    pub ok: bool,
    /// What was tried, in order.
    pub checks: Vec<BackendCheck>,
}
