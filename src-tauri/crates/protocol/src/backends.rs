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

/// What a run on a backend can count on, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum PromiseOf {
    /// Knowing what it costs.
    Cost,
    /// Tools that work.
    Tools,
    /// Being asked before anything happens.
    Permission,
    /// Stopping it at any moment.
    Interrupt,
    /// Going on where it was stopped.
    Resume,
}

/// How far it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Always.
    Yes,
    /// With the exceptions that the words name.
    Partly,
    /// Not at all.
    No,
}

/// One thing a run on a backend can count on, or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Promised {
    /// What.
    pub of: PromiseOf,
    /// How far.
    pub kept: Kept,
    /// In words.
    pub words: String,
}

/// A backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct BackendView {
    /// Its name.
    pub name: String,
    /// Its kind.
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
    pub added_at: Option<Moment>,
    /// What a run on it can count on, and what not.
    #[serde(default)]
    pub promises: Vec<Promised>,
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

/// Replaces a backend's key. Runs that wait for it go on by themselves.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct BackendKey {
    /// The backend's name.
    pub name: String,
    /// Where its key comes from now; absent removes the key.
    #[serde(default)]
    pub key: Option<KeySource>,
}

/// Changes a backend; what is absent stays as it is.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct BackendChange {
    /// Its name.
    pub name: String,
    /// The model asked for unless a task names one; an empty one takes it away.
    #[serde(default)]
    pub model: Option<String>,
    /// The API's address; an empty one is the vendor's.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Whether its calls cost nothing.
    #[serde(default)]
    pub free: Option<bool>,
}

/// Tries a backend that is not kept.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct ProbeRequest {
    /// Its kind.
    pub kind: BackendKind,
    /// The API's address, where it is not the vendor's.
    #[serde(default)]
    pub base_url: Option<String>,
    /// The model that will be asked for.
    #[serde(default)]
    pub model: Option<String>,
    /// Where its key comes from. A key given here is used once and kept nowhere.
    #[serde(default)]
    pub key: Option<KeySource>,
    /// The agent's command, for agent kinds.
    #[serde(default)]
    pub command: Option<String>,
}

/// Asks which agents are installed on this machine.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct AgentsFoundRequest {}

/// An agent Longhaul knows of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct AgentFound {
    /// What it is called.
    pub name: String,
    /// Its program.
    pub program: String,
    /// Where that is; absent if it is not installed.
    pub path: Option<String>,
    /// What it says its version is.
    pub version: Option<String>,
    /// The command a backend of it is added with; absent if it is not installed.
    #[serde(default)]
    pub command: Option<String>,
    /// The kind of backend it can be; absent if this version cannot supervise it.
    pub kind: Option<BackendKind>,
    /// What it needs before it can be used, in words.
    pub needs: String,
    /// The backends that use it already.
    pub added_as: Vec<String>,
}

/// A model server that answers on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ServerFound {
    /// What usually listens there.
    pub name: String,
    /// The kind of backend it can be.
    pub kind: BackendKind,
    /// Its address.
    pub base_url: String,
    /// The models it offers.
    pub models: Vec<String>,
    /// The backends that use it already.
    pub added_as: Vec<String>,
}

/// The agents Longhaul knows of, and the model servers on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct AgentsFound {
    /// The agents, those that can be used first.
    pub agents: Vec<AgentFound>,
    /// The servers that answer at their usual addresses.
    #[serde(default)]
    pub servers: Vec<ServerFound>,
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
