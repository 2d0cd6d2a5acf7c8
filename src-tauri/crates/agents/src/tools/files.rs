//! Walking the files of a workspace that matter.

use std::path::{Path, PathBuf};

use ignore::{DirEntry, Walk, WalkBuilder};
use workspace::Workspace;

use super::ToolResult;

/// A file or folder a tool was pointed at, found inside the workspace.
pub(super) struct Target {
    /// The workspace's folder.
    pub(super) root: PathBuf,
    /// The real path, absolute.
    pub(super) path: PathBuf,
}

impl Target {
    /// Finds `path`, which must exist.
    pub(super) async fn find(workspace: &Workspace, path: &str) -> Result<Self, ToolResult> {
        let (workspace, given) = (workspace.clone(), path.to_owned());
        blocking(move || {
            let path = workspace
                .resolve(&given)
                .map_err(|error| ToolResult::error(error.to_string()))?;
            if !path.exists() {
                return Err(ToolResult::error(format!("{given} does not exist")));
            }
            Ok(Self {
                root: workspace.path().to_owned(),
                path,
            })
        })
        .await
    }

    /// The path as it is shown: relative to the workspace.
    pub(super) fn shown<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    /// Everything in the target that `.gitignore` and `.ignore` files inside the
    /// workspace do not ignore, sorted. Links are shown but not followed.
    ///
    /// The walk begins at the workspace's root, because ignore files above the
    /// target count and those above the workspace do not.
    pub(super) fn walk(&self) -> Walk {
        let target = self.path.clone();
        let on_the_way = move |entry: &DirEntry| {
            target.starts_with(entry.path()) || entry.path().starts_with(&target)
        };
        builder(&self.root)
            .filter_entry(move |entry| entry.file_name() != ".git" && on_the_way(entry))
            .build()
    }

    /// Everything in the target, for one that is itself ignored.
    pub(super) fn walk_ignored(&self) -> Walk {
        builder(&self.path)
            .standard_filters(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build()
    }
}

fn builder(start: &Path) -> WalkBuilder {
    let mut builder = WalkBuilder::new(start);
    builder
        .hidden(false)
        .parents(false)
        .git_global(false)
        .git_exclude(false)
        .require_git(false)
        .follow_links(false)
        .sort_by_file_name(|a, b| a.cmp(b));
    builder
}

/// Runs `work` on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
