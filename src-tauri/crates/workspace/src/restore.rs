//! Taking the files back to a snapshot.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::git::zero_separated;
use crate::snapshot::{REF, Snapshot, SnapshotError};
use crate::staging::SnapStore;
use crate::workspace::Workspace;

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The files as they were before; restoring it undoes the restore.
    pub safety: Snapshot,
    /// The tree the files have now.
    pub tree: String,
}

impl Workspace {
    /// Makes the files exactly those of `snapshot`: changed ones are put back,
    /// later ones removed. Ignored files that no snapshot knows stay, and so
    /// does the history in a clone's `.git`. The files as they are now are
    /// recorded first.
    ///
    /// A crash in the middle is mended by restoring again.
    pub async fn restore(&self, snapshot: &str) -> Result<Restored, SnapshotError> {
        let run_dir = &self.inner().run_dir;
        let unflushed = |e| SnapshotError::io(run_dir, e);
        self.settled().await.map_err(unflushed)?;
        let store = &self.inner().store;
        let mut newest = store.newest.lock().await;
        let tree = store.tree(snapshot).await?;
        let safety = store
            .record(&mut newest, &format!("before going back to {snapshot}"))
            .await?;
        // Newer snapshots are not ancestors of what follows; this keeps them.
        store
            .point(&format!("refs/kept/{}", safety.id), &safety.id)
            .await?;
        faults::crash_point("workspace.restore_saved");
        store.put_back(snapshot).await?;
        faults::crash_point("workspace.restore_put_back");
        let wrong = store.different().await?;
        if !wrong.is_empty() {
            return Err(SnapshotError::NotRestored {
                paths: wrong,
                safety: safety.id,
            });
        }
        store.point(REF, snapshot).await?;
        *newest = Some((snapshot.to_owned(), tree.clone()));
        Ok(Restored { safety, tree })
    }
}

impl SnapStore {
    /// Makes index and files those of `snapshot`.
    pub(crate) async fn put_back(&self, snapshot: &str) -> Result<(), SnapshotError> {
        let call = self
            .tree_call("read-tree")
            .args(["--reset", "-u", snapshot]);
        self.git.run(call).await?;
        Ok(())
    }

    /// Paths whose files are not what the index says.
    pub(crate) async fn different(&self) -> Result<Vec<PathBuf>, SnapshotError> {
        let call =
            self.tree_call("diff-files")
                .args(["-z", "--name-only", "--ignore-submodules=dirty"]);
        let out = self.git.run(call).await?;
        Ok(zero_separated(&out)
            .map(|path| PathBuf::from(OsStr::from_bytes(path)))
            .collect())
    }
}
