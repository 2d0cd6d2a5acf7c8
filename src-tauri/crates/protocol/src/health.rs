//! How daemon, disk and desktop are, and the offline tour.

use domain::{RunId, RunState};
use serde::{Deserialize, Serialize};

use crate::daemon::{DaemonStatus, LockView, SandboxState};
use crate::moment::Moment;

/// Asks how everything is that a user can do something about.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct HealthRequest {}

/// What something takes on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct DiskUse {
    /// What: the journal, contents, workspaces, backups, logs.
    pub what: String,
    /// Where, as an absolute path.
    pub path: String,
    /// Its bytes.
    #[specta(type = u32)]
    pub bytes: u64,
}

/// What workspaces take, and what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct WorkspacesUse {
    /// When it was measured.
    pub measured_at: Moment,
    /// Workspaces there are.
    pub workspaces: u32,
    /// Bytes of the files runs work on.
    #[specta(type = u32)]
    pub work_bytes: u64,
    /// Bytes of their snapshots, without what the user's repositories have too.
    #[specta(type = u32)]
    pub snapshot_bytes: u64,
    /// What both may take before those nobody needs are removed early.
    #[specta(type = u32)]
    pub budget_bytes: u64,
    /// Bytes that discarding runs that are over would free.
    #[specta(type = u32)]
    pub freeable_bytes: u64,
    /// The runs of which that is so.
    pub freeable_runs: u32,
    /// In words.
    pub words: String,
}

/// A backup of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct BackupFile {
    /// Its absolute path.
    pub file: String,
    /// When it was made.
    pub at: Moment,
    /// Its bytes.
    #[specta(type = u32)]
    pub bytes: u64,
    /// Whether it was opened and checked after it was made.
    pub verified: bool,
}

/// A run that works or waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct LiveRun {
    /// The run.
    pub run: RunId,
    /// Its title.
    pub title: String,
    /// Its state.
    pub state: RunState,
    /// What goes on in it now, in one line.
    pub now: Option<String>,
    /// Its last sign of life.
    pub heard_at: Moment,
    /// What its processes take in memory, where it has any.
    #[specta(type = Option<u32>)]
    pub memory_bytes: Option<u64>,
}

/// Something that works or does not, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Working {
    /// Whether it works.
    pub ok: bool,
    /// In words.
    pub words: String,
}

/// Whether the OS starts the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ServiceState {
    /// Whether the OS supervisor has it.
    pub installed: bool,
    /// Whether the supervisor's own daemon runs, where it can say.
    pub running: Option<bool>,
    /// Whether it can be offered: a supervisor answers and has not got it yet.
    #[serde(default)]
    pub offered: bool,
    /// In words.
    pub words: String,
}

/// A file of rules that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct BrokenRules {
    /// The file.
    pub file: String,
    /// The project whose rules they are; absent for the user's own.
    pub project: Option<String>,
    /// What is wrong with it, with line and column where known.
    pub why: String,
}

/// How everything is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Health {
    /// The daemon.
    pub daemon: DaemonStatus,
    /// What takes space.
    pub disk: Vec<DiskUse>,
    /// What workspaces take; absent until it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspaces: Option<WorkspacesUse>,
    /// Bytes free on the home's disk.
    #[specta(type = u32)]
    pub free_bytes: u64,
    /// Backups, newest first.
    pub backups: Vec<BackupFile>,
    /// Runs that are not over, oldest first.
    pub live: Vec<LiveRun>,
    /// Folders of the user's that are held, and who waits for them.
    #[serde(default)]
    pub locks: Vec<LockView>,
    /// Files of rules that cannot be read: what they should speak of is all reviewed.
    #[serde(default)]
    pub broken_rules: Vec<BrokenRules>,
    /// Whether the OS starts the daemon.
    pub service: ServiceState,
    /// Whether keys can be kept in the OS keychain.
    pub keychain: Working,
    /// Whether commands run in a sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxState>,
}

/// Asks for the newest lines of the daemon's own log.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct LogLinesRequest {
    /// How many, up to 500.
    pub limit: u32,
    /// Only those of this level (`error`, `warn`, `info`, `debug`, `trace`) or worse.
    #[serde(default)]
    pub level: Option<String>,
}

/// A line of the daemon's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct LogLine {
    /// When, as the log has it.
    pub at: String,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// The part of the program that wrote it.
    pub target: String,
    /// What it says.
    pub message: String,
}

/// Lines of the daemon's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct LogLines {
    /// The lines, oldest first.
    pub lines: Vec<LogLine>,
}

/// Starts the offline tour: a sample project, a scripted model, nothing spent.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct RehearsalRequest {}

/// The tour has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct RehearsalStarted {
    /// The run to look at.
    pub run: RunId,
    /// Absolute path of the sample project.
    pub project: String,
    /// The backend that was added for it.
    pub backend: String,
}

/// What is to be done about the OS starting the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum ServiceWish {
    /// The OS supervisor gets it.
    Install,
    /// The supervisor forgets it.
    Uninstall,
    /// Nothing: say how it is.
    Status,
}

/// Has the OS start the daemon, or not.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct ServiceRequest {
    /// What.
    #[serde(rename = "do")]
    pub wish: ServiceWish,
}
