//! The daemon itself: status, health, backups.

use std::collections::BTreeMap;

use domain::RunId;
use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::webhook::WebhookState;

/// Asks who is there. Answered in every mode.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct VersionRequest {}

/// Who is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct VersionInfo {
    /// The program's version.
    pub version: String,
    /// The protocol's version.
    pub protocol: u32,
    /// Its process id.
    pub pid: u32,
    /// What it serves.
    pub mode: DaemonMode,
    /// The newest event's cursor, where the store is open.
    pub cursor: Option<String>,
}

/// What a daemon serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum DaemonMode {
    /// Everything.
    Normal,
    /// It is about to end: no run starts.
    Draining,
    /// The store cannot be opened: doctor, backup and restore.
    Maintenance,
}

/// A folder of the user's that one run may change and others wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct LockView {
    /// The folder, absolute and without links in it.
    pub scope: String,
    /// The run that holds it.
    pub run: RunId,
    /// That run's title.
    pub title: String,
    /// `in-place`: it works there; `apply`: its result is put there.
    pub purpose: String,
    /// Since when.
    pub since: Moment,
    /// The holder's last sign of life.
    pub beat: Moment,
    /// The runs that wait for it, in the order in which they will get it.
    pub waiting: Vec<RunId>,
}

/// Asks how it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct StatusRequest {}

/// Whether commands run in a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct SandboxState {
    /// There can be one on this machine.
    pub available: bool,
    /// Commands that begin now run in it.
    pub used: bool,
    /// Which, or why not.
    pub detail: String,
}

/// How it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct DaemonStatus {
    /// Its process id.
    pub pid: u32,
    /// The program's version.
    pub version: String,
    /// The folder with all state.
    pub home: String,
    /// The socket it answers on.
    pub socket: String,
    /// Seconds since it started.
    #[specta(type = u32)]
    pub uptime_s: u64,
    /// What it serves.
    pub mode: DaemonMode,
    /// What keeps it from its work: a store that cannot be opened, a full disk.
    pub trouble: Option<String>,
    /// Whether commands run in a sandbox, where the store is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxState>,
    /// What is wrong with the user's rules; everything is reviewed while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules_trouble: Option<String>,
    /// How many runs may work at once.
    pub slots: u32,
    /// How many do.
    pub slots_used: u32,
    /// How many runs there are in each state.
    pub runs: BTreeMap<String, u32>,
    /// How many reviews are open.
    pub open_reviews: u32,
    /// Folders of the user's that are held.
    #[serde(default)]
    pub locks: Vec<LockView>,
    /// The webhook that is told of reviews and ends, if one is set up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookState>,
    /// The address browsers may use (`127.0.0.1:7700`), if it listens there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// The protocol's version.
    pub protocol: u32,
    /// The newest event's cursor, where the store is open.
    pub cursor: Option<String>,
}

/// Has the store examined.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct DoctorRequest {}

/// How bad a finding is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, specta::Type,
)]
#[serde(rename_all = "snake_case")]
pub enum FindingLevel {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Warning,
    /// Something is broken or lost.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Finding {
    /// How bad it is.
    pub level: FindingLevel,
    /// What was looked at.
    pub area: String,
    /// What was found, in plain words.
    pub what: String,
    /// What can be done about it.
    pub advice: Option<String>,
}

/// What the examination showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct DoctorReport {
    /// Whether nothing is broken.
    pub ok: bool,
    /// What was looked at.
    pub findings: Vec<Finding>,
}

/// Has a verified copy of the store made.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct BackupRequest {
    /// Absolute path of the file to make; a dated one in the home's backups folder if absent.
    #[serde(default)]
    pub file: Option<String>,
}

/// The copy is there and was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct BackupMade {
    /// Its absolute path.
    pub file: String,
    /// Its size.
    #[specta(type = u32)]
    pub bytes: u64,
    /// Absent for a verified backup. In maintenance mode `file` is a folder with the
    /// damaged files as they are, and this says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// Puts a copy in the store's place. The store as it was is kept beside it.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct RestoreRequest {
    /// Absolute path of the copy.
    pub file: String,
}

/// The copy is in place; the daemon restarts on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Restored {
    /// The copy that was used.
    pub file: String,
    /// Where the store as it was is kept.
    pub kept: Option<String>,
}

/// How to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum StopHow {
    /// At once; what is under way goes on in its keepers or is settled later.
    Now,
    /// At the next operation boundary of every run.
    Drain,
}

/// Has the daemon end.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct StopRequest {
    /// How.
    pub how: StopHow,
}

/// It will.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Stopping {
    /// The process that ends.
    pub pid: u32,
}
