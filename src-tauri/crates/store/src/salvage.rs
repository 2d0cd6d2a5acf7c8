//! A copy of files that cannot be opened as a store: what a backup is while the
//! daemon is in maintenance mode. It promises nothing but to be a copy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use domain::Timestamp;

use crate::error::BackupError;
use crate::{anchor, backup, blobs, connect};

/// What the copy says of itself.
const NOTE: &str = "\
These are the files of a Longhaul store that could not be opened, as they were.
They are not a backup and have not been verified. `longhaul restore` does not
take them; keep them for whoever looks into the damage.
";

/// A copy of damaged files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedCopy {
    /// The folder they are in.
    pub folder: PathBuf,
    /// How many there are, the note left aside.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

/// Copies the files of a store that cannot be opened, as they are, into `to` or
/// into a new folder `backups/damaged-<time>` of the home. The caller owns the home
/// ([`crate::Ownership`]), so that nobody writes meanwhile.
///
/// # Errors
/// [`BackupError::Unusable`] when `to` exists already, [`BackupError::Failed`] when
/// a file cannot be copied; what was copied until then is removed.
pub async fn copy_damaged(
    home: &Path,
    to: Option<PathBuf>,
    now: Timestamp,
) -> Result<DamagedCopy, BackupError> {
    let folder = to.unwrap_or_else(|| backup::folder(home).join(format!("damaged-{}", now.0)));
    if folder.exists() {
        return Err(BackupError::Unusable {
            file: folder.display().to_string(),
            why: "there is something by this name already".to_owned(),
        });
    }
    let home = home.to_owned();
    let copied = tokio::task::spawn_blocking(move || {
        let copied = copy_all(&home, &folder);
        if copied.is_err() {
            let _ = fs::remove_dir_all(&folder);
        }
        copied
    });
    Ok(copied
        .await
        .map_err(|e| BackupError::Failed(e.to_string()))??)
}

fn copy_all(home: &Path, folder: &Path) -> io::Result<DamagedCopy> {
    fs::create_dir_all(folder)?;
    let mut copy = DamagedCopy {
        folder: folder.to_owned(),
        files: 0,
        bytes: 0,
    };
    let db = connect::db_path(home);
    let beside = |suffix: &str| db.with_file_name(format!("state.db{suffix}"));
    for file in [
        beside(""),
        beside("-wal"),
        beside("-shm"),
        anchor::path(home),
    ] {
        copy.file(&file, folder)?;
    }
    for part in entries(&home.join("blobs"))?.filter(|part| part.is_dir()) {
        let target = folder
            .join("blobs")
            .join(part.file_name().unwrap_or_default());
        fs::create_dir_all(&target)?;
        for file in entries(&part)? {
            copy.file(&file, &target)?;
        }
    }
    fs::write(folder.join("DAMAGED.txt"), NOTE)?;
    blobs::sync_dir(folder)?;
    Ok(copy)
}

impl DamagedCopy {
    fn file(&mut self, file: &Path, folder: &Path) -> io::Result<()> {
        let target = folder.join(file.file_name().unwrap_or_default());
        match fs::copy(file, &target) {
            Ok(bytes) => {
                fs::File::open(&target)?.sync_all()?;
                self.files += 1;
                self.bytes += bytes;
                Ok(())
            }
            // What is missing is part of the damage.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
        }
    }
}

fn entries(folder: &Path) -> io::Result<impl Iterator<Item = PathBuf>> {
    let found = match fs::read_dir(folder) {
        Ok(found) => found.collect::<io::Result<Vec<_>>>()?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(e),
    };
    Ok(found.into_iter().map(|entry| entry.path()))
}
