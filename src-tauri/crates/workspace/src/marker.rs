//! The file that says a workspace is whole: written last, read first.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

const NAME: &str = "workspace.json";
const VERSION: u32 = 1;

pub use domain::WorkspaceMode as Mode;

/// What of the user's project the workspace does not have, so that it can be said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Tracked files with uncommitted changes (clone); `None` if it could not be told.
    pub changed: Option<u64>,
    /// Untracked files and folders (clone); `None` if it could not be told.
    pub untracked: Option<u64>,
    /// Submodules whose folders are empty in a clone, because the user's
    /// repository does not have their commits.
    pub submodules: u64,
    /// Committed files the user's sparse checkout leaves out (clone).
    #[serde(default)]
    pub sparse: u64,
    /// Sockets, FIFOs and devices that were not copied (copy).
    pub special: u64,
    /// Files that are pointers only, because git LFS is not run (clone).
    #[serde(default, deserialize_with = "counted")]
    pub lfs_pointers: u64,
    /// What was to be brought along and was not, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_brought: Vec<String>,
}

/// An older Longhaul said only whether there are any.
fn counted<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Any(bool),
        Many(u64),
    }
    Ok(match Said::deserialize(from)? {
        Said::Any(any) => any.into(),
        Said::Many(many) => many,
    })
}

/// What is known of a whole workspace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Marker {
    pub(crate) version: u32,
    pub(crate) run: String,
    pub(crate) mode: Mode,
    /// What the user gave us, canonical.
    pub(crate) project: PathBuf,
    /// The top of the files that snapshots are taken of.
    pub(crate) root: PathBuf,
    /// The project's folder below `root`, without slashes at the ends; empty for the top.
    pub(crate) prefix: String,
    pub(crate) branch: Option<String>,
    /// The user's commit the run started from.
    pub(crate) base_commit: Option<String>,
    /// Snapshot 0.
    pub(crate) base_snapshot: String,
    /// git's name of the hash function, `sha1` or `sha256`.
    pub(crate) object_format: String,
    pub(crate) left_out: LeftOut,
    /// How many of the user's uncommitted paths are in snapshot 0, whose tree then
    /// is not that of `base_commit`.
    ///
    /// What that means for applying: the changes of a run are always those from
    /// snapshot 0, never from the commit. In the user's tree they apply as they
    /// are (a three-way merge with snapshot 0 as the base). On a branch or as a
    /// commit, which stand on `base_commit`, a path the user had changed as well
    /// has to be merged (base: snapshot 0, ours: the commit, theirs: the last
    /// snapshot), or the user's uncommitted lines would be committed in passing.
    #[serde(default)]
    pub(crate) uncommitted: u64,
    /// The boot of the machine in which its files were written, as long as they may not
    /// have reached the disk: when that boot is over, they may be torn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unflushed: Option<String>,
    /// Where a fork took its files from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) forked_from: Option<ForkedFrom>,
}

/// The state of another run that a fork began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkedFrom {
    /// The other run.
    pub run: String,
    /// Its snapshot.
    pub snapshot: String,
}

impl Marker {
    pub(crate) const VERSION: u32 = VERSION;

    /// The marker of `run_dir`; `None` when there is none, or when it cannot be
    /// read as one, which only a killed or foreign writer leaves.
    pub(crate) fn read(run_dir: &Path) -> std::io::Result<Option<Marker>> {
        match std::fs::read(run_dir.join(NAME)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the machine went down before its files had reached the disk.
    pub(crate) fn is_torn(&self) -> bool {
        self.unflushed.is_some() && self.unflushed != this_boot()
    }

    pub(crate) fn write(&self, run_dir: &Path) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(run_dir)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.as_file().sync_all()?;
        file.persist(run_dir.join(NAME))?;
        std::fs::File::open(run_dir)?.sync_all()
    }

    /// Takes the marker away, so that what is left counts as half-made.
    pub(crate) fn remove(run_dir: &Path) -> std::io::Result<()> {
        match std::fs::remove_file(run_dir.join(NAME)) {
            Ok(()) => std::fs::File::open(run_dir)?.sync_all(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What tells this boot of the machine from all others, where the system says it.
pub(crate) fn this_boot() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(boot.trim().to_owned()).filter(|boot| !boot.is_empty())
}
