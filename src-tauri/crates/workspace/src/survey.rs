//! What all workspaces take on the disk.

use std::path::Path;
use std::time::SystemTime;

use crate::blocking::blocking;
use crate::marker::Marker;
use crate::prepare::Workspaces;
use crate::prepare_error::PrepareError;
use crate::removal;

/// What one run's folder takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surveyed {
    /// The folder's name: the run's id, if it is ours.
    pub run: String,
    /// Bytes on disk of the files it works on; 0 in place.
    pub work_bytes: u64,
    /// Bytes on disk of its snapshots, without what the user's repository has
    /// too (hard links): what discarding it would free.
    pub snapshot_bytes: u64,
    /// Whether it was made to the end.
    pub whole: Whole,
    /// When the folder itself last changed.
    pub modified: SystemTime,
}

/// Whether a workspace was made to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// It was.
    Yes,
    /// It was not, or is being made or removed.
    No,
}

impl Workspaces {
    /// Measures every run's folder. Reads all of them: minutes with millions of
    /// files, so ask rarely and where nobody waits.
    pub async fn survey(&self) -> Result<Vec<Surveyed>, PrepareError> {
        let root = self.root.clone();
        blocking(move || measure_all(&root))
            .await
            .map_err(PrepareError::io(&self.root))
    }
}

fn measure_all(root: &Path) -> std::io::Result<Vec<Surveyed>> {
    let entries = match std::fs::read_dir(root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        // Gone meanwhile, or no folder of ours.
        let (Ok(meta), Ok(name)) = (entry.metadata(), entry.file_name().into_string()) else {
            continue;
        };
        if !meta.is_dir() {
            continue;
        }
        let dir = entry.path();
        found.push(Surveyed {
            run: name,
            work_bytes: removal::allocated(&dir.join("work"))?,
            snapshot_bytes: removal::unshared(&dir.join("snap.git"))?,
            whole: match Marker::read(&dir) {
                Ok(Some(_)) => Whole::Yes,
                _ => Whole::No,
            },
            modified: meta.modified()?,
        });
    }
    Ok(found)
}
