//! Snapshots: one commit each, in the run's own store.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::blocking::blocking;
use crate::git::{Call, GitError};
use crate::staging::SnapStore;
use crate::workspace::Workspace;

/// Snapshots are dated alike: the journal knows when they were made, and the
/// same files after the same snapshot get the same id however often it is tried.
const DATE: &str = "@0 +0000";

/// The state of a workspace's files at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The commit in the run's snapshot store.
    pub id: String,
    /// Its tree: equal trees are equal files.
    pub tree: String,
    /// Whether the files differ from the snapshot before.
    pub changed: Changed,
    /// Paths, relative to the top of the workspace, that could not be taken
    /// along: unreadable files and names git refuses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<PathBuf>,
}

/// Whether a snapshot differs from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Changed {
    /// The files differ; there is a new snapshot.
    Yes,
    /// Nothing changed; the snapshot is the one before.
    No,
}

/// Why files could not be recorded, compared or restored.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// There is no such snapshot in this run.
    #[error("there is no snapshot {0} in this run")]
    Unknown(String),
    /// Some paths are not as the snapshot has them. The safety snapshot exists.
    #[error("{} path(s) could not be restored, first {}", .paths.len(), .paths[0].display())]
    NotRestored {
        /// At least one path, relative to the top of the workspace.
        paths: Vec<PathBuf>,
        /// The snapshot of the files as they were before.
        safety: String,
    },
    /// git gave no answer.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file of the store could not be read or written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl SnapshotError {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> SnapshotError {
        SnapshotError::Io {
            path: path.to_owned(),
            source,
        }
    }
}

impl SnapStore {
    /// Records the files as they are. The caller holds `newest` and passes what is in it.
    pub(crate) async fn record(
        &self,
        newest: &mut Option<(String, String)>,
        message: &str,
    ) -> Result<Snapshot, SnapshotError> {
        let staged = self.stage().await?;
        let head_tree = match &staged.head {
            Some(head) => Some(self.tree_of(newest, head).await?),
            None => None,
        };
        let tree = staged
            .tree
            .or_else(|| head_tree.clone())
            .expect("a tree was written or there is a head");
        if let Some(head) = &staged.head
            && head_tree.as_ref() == Some(&tree)
        {
            *newest = Some((head.clone(), tree.clone()));
            return Ok(Snapshot {
                id: head.clone(),
                tree,
                changed: Changed::No,
                skipped: staged.skipped,
            });
        }
        faults::crash_point("workspace.snapshot_staged");
        let id = self.commit(&tree, staged.head.as_deref(), message).await?;
        faults::crash_point("workspace.snapshot_made");
        self.point(REF, &id).await?;
        faults::crash_point("workspace.snapshot_committed");
        *newest = Some((id.clone(), tree.clone()));
        self.mind_loose_objects().await;
        Ok(Snapshot {
            id,
            tree,
            changed: Changed::Yes,
            skipped: staged.skipped,
        })
    }

    async fn tree_of(
        &self,
        newest: &Option<(String, String)>,
        head: &str,
    ) -> Result<String, SnapshotError> {
        match newest {
            Some((id, tree)) if id == head => Ok(tree.clone()),
            _ => self.tree(head).await,
        }
    }

    /// The tree of snapshot `id`, which may be anything a user typed.
    pub(crate) async fn tree(&self, id: &str) -> Result<String, SnapshotError> {
        let unknown = || SnapshotError::Unknown(id.to_owned());
        if !crate::repository::is_object_id(id) {
            return Err(unknown());
        }
        let found = self.verified(&format!("{id}^{{tree}}")).await?;
        found.ok_or_else(unknown)
    }

    async fn verified(&self, name: &str) -> Result<Option<String>, GitError> {
        let call = self
            .call("rev-parse")
            .args(["--verify", "--quiet", "--end-of-options", name]);
        let answer = self.git.ask(call).await?;
        Ok((answer.code == 0).then(|| crate::git::first_line(&answer.stdout)))
    }

    pub(crate) async fn commit(
        &self,
        tree: &str,
        parent: Option<&str>,
        message: &str,
    ) -> Result<String, GitError> {
        let mut call = dated(self.call("commit-tree"), DATE).arg(tree);
        if let Some(parent) = parent {
            call = call.args(["-p", parent]);
        }
        self.git.line(call.input(message.as_bytes().to_vec())).await
    }

    /// Sets a ref of the store and makes it and all it needs durable: the
    /// objects were flushed by git, the names of their files are by this.
    pub(crate) async fn point(&self, name: &str, id: &str) -> Result<(), SnapshotError> {
        // Moving the ref that HEAD names locks both.
        for locked in [name, "HEAD"] {
            self.await_lock(locked).await;
        }
        self.git
            .run(self.call("update-ref").args([name, id]))
            .await?;
        let folder = self
            .dir
            .join(Path::new(name).parent().expect("refs have folders"));
        let shown = folder.clone();
        blocking(move || std::fs::File::open(folder)?.sync_all())
            .await
            .map_err(|e| SnapshotError::io(&shown, e))
    }
}

/// The newest snapshot; snap.git's HEAD.
pub(crate) const REF: &str = "refs/heads/snapshots";

pub(crate) fn dated(call: Call, date: &str) -> Call {
    call.env("GIT_AUTHOR_DATE", date)
        .env("GIT_COMMITTER_DATE", date)
}

impl Workspace {
    /// Records the files as they are now. `message` says what led to them.
    /// When nothing changed it is the snapshot before, and cheap. Durable when
    /// it returns: a journal may refer to it.
    pub async fn snapshot(&self, message: &str) -> Result<Snapshot, SnapshotError> {
        let inner = self.inner();
        let unflushed = |e| SnapshotError::io(&inner.run_dir, e);
        self.settled().await.map_err(unflushed)?;
        let mut newest = inner.store.newest.lock().await;
        inner.store.record(&mut newest, message).await
    }
}
