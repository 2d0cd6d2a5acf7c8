//! The files of a keeper's folder, and how they get there whole or not at all.
//!
//! | file | written by | when |
//! |---|---|---|
//! | `spec.json` | spawner | before the keeper is started |
//! | `lock` | keeper | locked for as long as it lives |
//! | `abandoned` | adopter, holding the lock | a keeper that comes late must not start |
//! | `state.json` | keeper | once before, once after the child is forked, both before it may begin |
//! | `out`, `err` | keeper | as the child writes |
//! | `out.tail`, `err.tail` | keeper | before the exit record, if the spool was cut |
//! | `exit.json` | keeper | when nothing of the child's tree lives any more |

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::processes::ProcessId;

pub(crate) const SPEC: &str = "spec.json";
pub(crate) const STATE: &str = "state.json";
pub(crate) const EXIT: &str = "exit.json";
pub(crate) const LOCK: &str = "lock";
pub(crate) const ABANDONED: &str = "abandoned";

/// Who is running, for those who come after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The keeper.
    pub keeper: ProcessId,
    /// `/proc/sys/kernel/random/boot_id`: after a reboot no process above lives.
    pub boot_id: String,
    /// Milliseconds since the Unix epoch.
    pub started_at_ms: i64,
    /// The child, absent until it is forked. It is forked blocked, and let go only
    /// after this is on disk: absent means that it never began.
    pub child: Option<ProcessId>,
}

/// How it ended. On disk only after everything the child started is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// What became of the child itself.
    pub ending: Ending,
    /// Set if the keeper stopped it.
    pub stopped_by: Option<StopCause>,
    /// Milliseconds since the Unix epoch.
    pub started_at_ms: i64,
    /// Milliseconds since the Unix epoch.
    pub ended_at_ms: i64,
    /// Standard output (with [`crate::Streams::Merged`], both).
    pub out: StreamEnd,
    /// Standard error; all zero if merged.
    pub err: StreamEnd,
    /// Processes the child left behind, which were then stopped.
    pub leftovers: u32,
    /// User CPU milliseconds of the whole tree.
    pub cpu_user_ms: u64,
    /// System CPU milliseconds of the whole tree.
    pub cpu_system_ms: u64,
    /// The largest resident set of any one process of the tree, KiB.
    pub max_rss_kib: u64,
}

impl Exit {
    /// The child ended by itself with status 0.
    pub fn succeeded(&self) -> bool {
        self.ending == Ending::Code(0) && self.stopped_by.is_none()
    }

    /// It ran into [`crate::Spec::timeout_ms`].
    pub fn timed_out(&self) -> bool {
        self.stopped_by == Some(StopCause::Timeout)
    }

    /// Some output was dropped.
    pub fn truncated(&self) -> bool {
        self.out.written > self.out.kept || self.err.written > self.err.kept
    }
}

/// What became of the child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It exited with this status.
    Code(i32),
    /// It was killed by this signal.
    Signal(i32),
    /// It never began.
    NotStarted(StartFailure),
}

/// Why the keeper stopped the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// Its time was over.
    Timeout,
    /// Nobody was connected for the grace period.
    Orphaned,
    /// A client asked for it ([`crate::Keeper::stop`], [`crate::Keeper::kill_tree`]).
    Request,
    /// All of it together had more memory than [`crate::Limits::memory_bytes`].
    Memory,
    /// There were more of them than [`crate::Limits::processes`].
    Processes,
}

/// Why a child never began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct StartFailure {
    /// What to tell the user.
    pub kind: StartFailureKind,
    /// One line, naming the program or folder.
    pub message: String,
}

/// The kinds of [`StartFailure`] that a user can do something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartFailureKind {
    /// No such program in the child's `PATH` (or its interpreter is missing).
    CommandNotFound,
    /// The working directory is not there.
    FolderMissing,
    /// The program or folder may not be used.
    PermissionDenied,
    /// [`crate::Spec::wrapper`] did not get as far as the command.
    Sandbox,
    /// The operating system said no in another way.
    Other,
}

/// What was written to one output stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamEnd {
    /// Bytes the child wrote.
    pub written: u64,
    /// Bytes of them in the spool, from the first on.
    pub kept: u64,
    /// Bytes of the end in the `.tail` file, if `kept` is less than `written`.
    pub tail: u64,
    /// Why the spool could not be written (a full disk), if so.
    pub error: Option<String>,
}

/// Reads a record; None if it is not there.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{}: {e}", path.display()),
            )
        }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Replaces `dir/name`: whole and on disk when this returns, or unchanged.
pub(crate) fn write<T: Serialize>(dir: &Path, name: &str, value: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    let temporary = dir.join(format!(".{name}.new"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, dir.join(name))?;
    sync_dir(dir)
}

/// Makes names created or renamed in `dir` survive a power cut.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// The lock file, opened. Whoever holds its lock is the only one to start or to
/// give up this folder.
pub(crate) fn open_lock(dir: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join(LOCK))
}
