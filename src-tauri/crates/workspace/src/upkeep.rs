//! Keeping a snapshot store small: loose objects become packs now and then.
//!
//! Nothing is ever thrown away before the run is: the store also holds the
//! user's history, which a clone borrows and no ref of the store names.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::blocking::blocking;
use crate::staging::SnapStore;

/// More loose objects than after the last time are packed. git's own limit
/// (`gc.auto`) is 6700, for repositories that are not looked at at every step.
const LOOSE_LIMIT: usize = 2_000;
/// Looked at after so many snapshots: counting lists 256 folders.
const LOOK_EVERY: u32 = 50;
/// How many loose objects were left the last time, in the store: those of the
/// user's that no snapshot has stay as they are.
const LEFT: &str = "loose-left";

/// Snapshots since the store was looked at. A store just opened is soon looked
/// at: nobody knows how many it had before.
#[derive(Default)]
pub(crate) struct Upkeep(AtomicU32);

impl SnapStore {
    /// Packs loose objects when there are many. The caller holds `newest`. Does
    /// its best: a store that cannot be packed still takes snapshots.
    pub(crate) async fn mind_loose_objects(&self) {
        let made = self.upkeep.0.fetch_add(1, Ordering::Relaxed);
        if made % LOOK_EVERY != LOOK_EVERY / 2 {
            return;
        }
        let dir = self.dir.clone();
        let grown = blocking(move || Ok::<_, io::Error>((loose(&dir)?, left(&dir)))).await;
        match grown {
            Ok((now, before)) if now > before + LOOSE_LIMIT => self.pack(now).await,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the snapshot store's objects cannot be counted"),
        }
    }

    async fn pack(&self, loose_before: usize) {
        let dir = self.dir.clone();
        blocking(move || remove_abandoned(&dir.join("objects/pack"))).await;
        // Only what refs and index name, and only what is in no pack yet.
        let call = self.call("repack").args(["-d", "-l", "-q"]).long();
        if let Err(error) = self.git.run(call).await {
            tracing::warn!(%error, "the snapshot store could not be packed");
        }
        faults::crash_point("workspace.packed");
        let dir = self.dir.clone();
        let left = blocking(move || {
            let left = loose(&dir)?;
            fs::write(dir.join(LEFT), left.to_string())?;
            Ok::<_, io::Error>(left)
        })
        .await;
        tracing::debug!(store = %self.dir.display(), loose_before, ?left, "packed");
    }
}

fn left(store: &Path) -> usize {
    let text = fs::read_to_string(store.join(LEFT)).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

fn loose(store: &Path) -> io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(store.join("objects"))? {
        let entry = entry?;
        if entry.file_name().len() == 2 {
            count += fs::read_dir(entry.path())?.count();
        }
    }
    Ok(count)
}

/// What a killed git left. One that still works for a killed daemon fails then,
/// and leaves its objects as they were.
fn remove_abandoned(packs: &Path) {
    for entry in fs::read_dir(packs).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("tmp_") || name.starts_with(".tmp-") {
            let _ = fs::remove_file(entry.path());
        }
    }
}
