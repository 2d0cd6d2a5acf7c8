//! An open workspace.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::blocking::blocking;
use crate::git::Git;
use crate::marker::{ForkedFrom, LeftOut, Marker, Mode};
use crate::staging::SnapStore;

/// The files of one run. Cheap to clone; all clones are the same workspace.
#[derive(Clone)]
pub struct Workspace(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) git: Arc<Git>,
    pub(crate) run_dir: PathBuf,
    pub(crate) marker: Marker,
    /// Where the run works: `marker.root` and below it the project's folder.
    pub(crate) path: PathBuf,
    pub(crate) store: SnapStore,
    /// Whether the files have reached the disk.
    pub(crate) flushed: tokio::sync::Mutex<Flushed>,
    /// One write at a time: temporary files have fixed names.
    pub(crate) writes: std::sync::Mutex<()>,
    /// One apply at a time: it has one journal.
    pub(crate) applies: tokio::sync::Mutex<()>,
}

impl Inner {
    pub(crate) fn open(git: Arc<Git>, run_dir: PathBuf, marker: Marker) -> Inner {
        let path = match marker.prefix.as_str() {
            "" => marker.root.clone(),
            prefix => marker.root.join(prefix),
        };
        let store = snap_store(
            git.clone(),
            &run_dir,
            &marker.root,
            marker.mode,
            &marker.prefix,
        );
        let flushed = match marker.unflushed {
            Some(_) => Flushed::NotYet,
            None => Flushed::Yes,
        };
        Inner {
            git,
            run_dir,
            flushed: tokio::sync::Mutex::new(flushed),
            marker,
            path,
            store,
            writes: std::sync::Mutex::new(()),
            applies: tokio::sync::Mutex::new(()),
        }
    }
}

/// Whether a workspace's files have reached the disk. They are flushed while the run is
/// begun, and before anything is done to them or recorded of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flushed {
    Yes,
    NotYet,
    /// It is discarded.
    Gone,
}

impl Inner {
    /// Brings the files to the disk, if they may not be there. Done again it does nothing.
    pub(crate) async fn flush(&self) -> std::io::Result<()> {
        let mut flushed = self.flushed.lock().await;
        if *flushed != Flushed::NotYet {
            return Ok(());
        }
        let (dir, mut marker) = (self.run_dir.clone(), self.marker.clone());
        blocking(move || {
            crate::prepare::flush(&dir)?;
            marker.unflushed = None;
            marker.write(&dir)
        })
        .await?;
        *flushed = Flushed::Yes;
        Ok(())
    }

    /// The same, while others go on.
    pub(crate) fn flush_soon(self: &Arc<Self>) {
        if self.marker.unflushed.is_none() {
            return;
        }
        let inner = self.clone();
        tokio::spawn(async move {
            if let Err(error) = inner.flush().await {
                tracing::warn!(%error, dir = %inner.run_dir.display(), "a workspace is not flushed yet");
            }
        });
    }
}

/// The snapshot store of a run. In place, only the project's folder is recorded
/// (and restored), whatever repository it is part of.
pub(crate) fn snap_store(
    git: Arc<Git>,
    run_dir: &Path,
    root: &Path,
    mode: Mode,
    prefix: &str,
) -> SnapStore {
    let scope = match mode {
        Mode::InPlace => prefix.to_owned(),
        Mode::Clone | Mode::Copy => String::new(),
    };
    SnapStore::at(git, run_dir.join("snap.git"), root.to_owned(), scope)
}

impl Workspace {
    pub(crate) fn from_inner(inner: Arc<Inner>) -> Workspace {
        Workspace(inner)
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    /// Returns when the files as they were made are on the disk: before that nothing may be
    /// done to them, because a workspace that a power loss tears is made again.
    pub async fn settled(&self) -> std::io::Result<()> {
        self.0.flush().await
    }

    /// The run it belongs to.
    pub fn run(&self) -> &str {
        &self.0.marker.run
    }

    /// The folder the run works in.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The top of the files snapshots are taken of, to which the paths of a diff
    /// are relative. Differs from [`Workspace::path`] for a project that is a
    /// subfolder of a repository.
    pub fn root(&self) -> &Path {
        &self.0.marker.root
    }

    /// How it is kept apart from the user's files.
    pub fn mode(&self) -> Mode {
        self.0.marker.mode
    }

    /// The user's folder it was made from.
    pub fn project(&self) -> &Path {
        &self.0.marker.project
    }

    /// The run's own folder for temporary files, removed with it. Made if need be.
    pub fn temp_folder(&self) -> std::io::Result<PathBuf> {
        use std::os::unix::fs::DirBuilderExt as _;
        let folder = self.0.run_dir.join("tmp");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        Ok(folder)
    }

    /// The branch checked out in a clone.
    pub fn branch(&self) -> Option<&str> {
        self.0.marker.branch.as_deref()
    }

    /// The user's commit it started from, where there is one.
    pub fn base_commit(&self) -> Option<&str> {
        self.0.marker.base_commit.as_deref()
    }

    /// Snapshot 0: the files before the run touched them.
    pub fn base_snapshot(&self) -> &str {
        &self.0.marker.base_snapshot
    }

    /// The object folder a clone's `.git` reads from (`objects/info/alternates`).
    /// Its files are hard links of the user's objects: a sandbox has to show it
    /// read-only, or git finds no history in the clone.
    pub fn object_store(&self) -> PathBuf {
        self.0.store.dir.join("objects")
    }

    /// The run and snapshot it began with, if it is a fork.
    pub fn forked_from(&self) -> Option<&ForkedFrom> {
        self.0.marker.forked_from.as_ref()
    }

    /// How many of the user's uncommitted paths came along: if any, the tree of
    /// [`Workspace::base_snapshot`] is not that of [`Workspace::base_commit`].
    pub fn uncommitted(&self) -> u64 {
        self.0.marker.uncommitted
    }

    /// What of the project it does not have.
    pub fn left_out(&self) -> &LeftOut {
        &self.0.marker.left_out
    }
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace")
            .field("run", &self.run())
            .field("mode", &self.mode())
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}
