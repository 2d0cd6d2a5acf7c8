//! What changed between two snapshots.

use serde::{Deserialize, Serialize};

use crate::git::{GitError, zero_separated};
use crate::snapshot::SnapshotError;
use crate::workspace::Workspace;

/// One path that differs between two snapshots. Paths are relative to the top
/// of the workspace's repository (or of the copy).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// Its path afterwards (before, for a deleted file).
    pub path: String,
    /// Its path before, when it was renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
    /// What happened to it.
    pub status: ChangeStatus,
    /// Lines added; `None` for a binary file.
    pub added: Option<u64>,
    /// Lines removed; `None` for a binary file.
    pub removed: Option<u64>,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeStatus {
    /// It is new.
    Added,
    /// Its contents or its executable bit changed.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another name, and perhaps other contents.
    Renamed,
    /// A file became a link or the other way round.
    TypeChanged,
}

const PLAIN: [&str; 5] = [
    "-r",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--find-renames",
];

impl Workspace {
    /// A unified diff. `from` is a snapshot, or the start of the run; `to` is a
    /// snapshot, or the files as they are now. Bytes that are no UTF-8 are shown
    /// as replacement characters. More than 64 MiB is refused.
    pub async fn diff(
        &self,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<String, SnapshotError> {
        Ok(text(&self.diff_bytes(from, to).await?))
    }

    /// [`Workspace::diff`], byte for byte.
    pub async fn diff_bytes(
        &self,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Vec<u8>, SnapshotError> {
        let (from, to) = self.ends(from, to).await?;
        let store = &self.inner().store;
        let call = store
            .call("diff-tree")
            .args(PLAIN)
            .args(["-p", &from, &to])
            .long();
        Ok(store.git.run(call).await?)
    }

    /// The paths that differ, with what happened to each and how many lines.
    /// Ends as in [`Workspace::diff`].
    pub async fn changed_files(
        &self,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Vec<ChangedFile>, SnapshotError> {
        let (from, to) = self.ends(from, to).await?;
        let store = &self.inner().store;
        let list = |what: &'static str| {
            store
                .call("diff-tree")
                .args(PLAIN)
                .args(["-z", what, &from, &to])
                .long()
        };
        let mut files = statuses(&store.git.run(list("--name-status")).await?);
        let counts = counts(&store.git.run(list("--numstat")).await?);
        for (file, (added, removed)) in files.iter_mut().zip(counts) {
            (file.added, file.removed) = (added, removed);
        }
        Ok(files)
    }

    async fn ends(
        &self,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<(String, String), SnapshotError> {
        let inner = self.inner();
        let from = inner
            .store
            .tree(from.unwrap_or(&inner.marker.base_snapshot))
            .await?;
        let to = match to {
            Some(id) => inner.store.tree(id).await?,
            None => self.tree_now().await?,
        };
        Ok((from, to))
    }

    async fn tree_now(&self) -> Result<String, SnapshotError> {
        let store = &self.inner().store;
        let _held = store.newest.lock().await;
        let staged = store.stage().await?;
        match (staged.tree, staged.head) {
            (Some(tree), _) => Ok(tree),
            (None, Some(head)) => store.tree(&head).await,
            (None, None) => Err(SnapshotError::Git(GitError::Failed {
                command: "status".to_owned(),
                stderr: "the run has no snapshot yet".to_owned(),
            })),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `--name-status -z`: status, path; for a rename status, old path, new path.
fn statuses(bytes: &[u8]) -> Vec<ChangedFile> {
    let mut parts = zero_separated(bytes);
    let mut files = Vec::new();
    while let (Some(status), Some(path)) = (parts.next(), parts.next()) {
        let status = match status[0] {
            b'A' => ChangeStatus::Added,
            b'D' => ChangeStatus::Deleted,
            b'R' => ChangeStatus::Renamed,
            b'T' => ChangeStatus::TypeChanged,
            _ => ChangeStatus::Modified,
        };
        let (path, old_path) = match status {
            ChangeStatus::Renamed => (text(parts.next().unwrap_or_default()), Some(text(path))),
            _ => (text(path), None),
        };
        files.push(ChangedFile {
            path,
            old_path,
            status,
            added: None,
            removed: None,
        });
    }
    files
}

/// `--numstat -z`: `added TAB removed TAB path`, or with an empty path and two
/// more fields for a rename. Same order as `--name-status`.
fn counts(bytes: &[u8]) -> Vec<(Option<u64>, Option<u64>)> {
    let mut parts = zero_separated(bytes);
    let mut out = Vec::new();
    while let Some(part) = parts.next() {
        let line = text(part);
        let mut fields = line.splitn(3, '\t');
        let mut number = || fields.next().and_then(|f| f.parse().ok());
        out.push((number(), number()));
        if fields.next().is_none_or(str::is_empty) {
            parts.nth(1);
        }
    }
    out
}
