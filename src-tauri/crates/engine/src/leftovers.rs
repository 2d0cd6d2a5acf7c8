//! Keepers' folders whose work is recorded: what a command printed is in the
//! journal then, redacted, and the raw spool goes.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::RunId;

use crate::core::Core;
use crate::shell::keeper_dir_name;

/// A keeper ends a moment after it has told its child's end.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

impl Core {
    /// Removes a keeper's folder; its operation's outcome is durable.
    pub(crate) fn collect_keeper(self: &Arc<Self>, name: &str) {
        let dir = self.keeper_dir(name);
        self.tasks.spawn(remove(dir));
    }

    /// Removes the folders of a run's keepers whose operations are over, however they
    /// ended: commands that were killed or lost, agents' turns that failed.
    pub(crate) async fn collect_keepers_of(self: &Arc<Self>, run: RunId) {
        let Ok(Some(now)) = self.store().load(run).await else {
            return;
        };
        let needed: HashSet<String> = now.open_ops.values().map(keeper_dir_name).collect();
        for (name, dir) in self.keepers().await {
            if run_of_keeper(&name) == Some(run) && !needed.contains(&name) {
                self.tasks.spawn(remove(dir));
            }
        }
    }

    /// All keepers' folders, by name.
    async fn keepers(&self) -> Vec<(String, PathBuf)> {
        let root = self.parts.home.join("keepers");
        let found = tokio::task::spawn_blocking(move || keeper::keepers(&root)).await;
        let named = |dir: PathBuf| {
            let name = dir.file_name()?.to_string_lossy().into_owned();
            Some((name, dir))
        };
        found
            .unwrap_or_default()
            .into_iter()
            .filter_map(named)
            .collect()
    }

    /// Removes the folders of all keepers that no open operation names: what a
    /// crash left between an outcome's record and the folder's removal.
    pub(crate) async fn collect_leftovers(self: &Arc<Self>) -> Result<(), store::ReadError> {
        let mut needed = HashSet::new();
        for row in self.store().unfinished_runs().await? {
            if let Some(run) = self.store().load(row.id).await? {
                needed.extend(run.open_ops.values().map(keeper_dir_name));
            }
        }
        for (name, dir) in self.keepers().await {
            if !needed.contains(&name) {
                self.tasks.spawn(self.clone().end_leftover(name, dir));
            }
        }
        Ok(())
    }
}

impl Core {
    /// Ends what a cancelled run still had going when the daemon died, and removes it.
    async fn end_leftover(self: Arc<Self>, name: String, dir: PathBuf) {
        if let Ok(keeper::Adoption::Alive(keeper)) = keeper::adopt(&dir).await {
            let _ = keeper.kill_tree().await;
            let _ = keeper.wait().await;
        }
        if let Some(run) = run_of_keeper(&name) {
            self.close_ended(run).await;
        }
        remove(dir).await;
    }
}

/// The run a keeper's folder is named after (`shell::keeper_name`).
fn run_of_keeper(name: &str) -> Option<RunId> {
    const UUID: usize = 36;
    name.get(..UUID)?.parse().ok()
}

async fn remove(dir: PathBuf) {
    for _ in 0..TRIES {
        let folder = dir.clone();
        let removed = tokio::task::spawn_blocking(move || keeper::collect_garbage(&folder)).await;
        match removed {
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                tokio::time::sleep(PAUSE).await;
            }
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                tracing::warn!(dir = %dir.display(), %error, "a keeper's folder was not removed");
                return;
            }
            Err(_) => return,
        }
    }
}
