//! Why a workspace could not be made.

use std::path::{Path, PathBuf};

use crate::git::GitError;
use crate::marker::Mode;
use crate::snapshot::SnapshotError;

/// Why there is no workspace. Each says what the user can do.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The run's id would not do as the name of a folder.
    #[error("\"{0}\" cannot be a run id")]
    BadRun(String),
    /// The project folder does not exist.
    #[error("there is no folder {}", .0.display())]
    NoProject(PathBuf),
    /// The project is a file or something else.
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// Something of the project cannot be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The project is one this mode cannot do.
    #[error("a {mode} workspace is not possible here: {reason}")]
    Unsupported {
        /// The mode asked for.
        mode: Mode,
        /// Why, and what to do instead.
        reason: String,
    },
    /// The files to copy are more than the limit.
    #[error(
        "the project has {bytes} bytes of files that are not ignored, more than the limit of {limit}"
    )]
    TooLarge {
        /// What was counted.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The run already has a workspace of another kind or project.
    #[error("the run already has a {mode} workspace of {}", .project.display())]
    Taken {
        /// Its mode.
        mode: Mode,
        /// Its project.
        project: PathBuf,
    },
    /// The run had a workspace, but its files are gone.
    #[error("the workspace's files at {} are gone; its snapshots may still be there", .0.display())]
    Lost(PathBuf),
    /// The machine went down while the files were written, and they cannot be made again
    /// as they were.
    #[error(
        "the machine went down while the workspace's files were written, and {} is no longer as it was: start the run again", .0.display()
    )]
    Torn(PathBuf),
    /// A fork of a run that has no workspace.
    #[error(
        "run {0} has no workspace any more, so it cannot be forked; it was discarded, or never started"
    )]
    NoParent(String),
    /// A fork of a state that was never recorded.
    #[error("run {run} has no snapshot {snapshot}")]
    NoSnapshot {
        /// The run to fork.
        run: String,
        /// What was asked for.
        snapshot: String,
    },
    /// git is missing or too old.
    #[error("{0}")]
    NeedsGit(GitError),
    /// git gave no answer.
    #[error(transparent)]
    Git(GitError),
    /// The first snapshot failed.
    #[error("the first snapshot failed: {0}")]
    Snapshot(SnapshotError),
    /// Longhaul's own folder could not be written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl PrepareError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> PrepareError {
        let path = path.to_owned();
        move |source| PrepareError::Io { path, source }
    }

    pub(crate) fn unsupported(mode: Mode, reason: &str) -> PrepareError {
        PrepareError::Unsupported {
            mode,
            reason: reason.to_owned(),
        }
    }
}

impl From<GitError> for PrepareError {
    fn from(error: GitError) -> PrepareError {
        match error {
            needs @ GitError::NeedsGit { .. } => PrepareError::NeedsGit(needs),
            other => PrepareError::Git(other),
        }
    }
}

impl From<SnapshotError> for PrepareError {
    fn from(error: SnapshotError) -> PrepareError {
        match error {
            SnapshotError::Git(git) => git.into(),
            other => PrepareError::Snapshot(other),
        }
    }
}
