//! Copies of a home that can be put back. A backup is one file: contents that
//! live in files are rows of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::Timestamp;
use sqlx::{Connection, Row, SqliteConnection};

use crate::chain::to_hash;
use crate::error::BackupError;
use crate::open::{known_version, version_of};
use crate::store::Store;
use crate::{Ownership, anchor, blobs, connect, inspect};

/// How many daily backups are kept.
const KEPT: usize = 7;

/// Age of the newest backup at which the next is due.
const DUE_MS: i64 = 24 * 3_600_000;

/// A backup that was made and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupInfo {
    /// The file.
    pub file: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Store {
    /// Makes a verified backup in one file: `to`, or a new one in the home's own folder.
    pub async fn backup(&self, to: Option<PathBuf>) -> Result<BackupInfo, BackupError> {
        let own = to.is_none();
        let name = format!("state-{}.db", self.inner.clock.now().0);
        let file = to.unwrap_or_else(|| folder(self.home()).join(name));
        let made = copy(self.home(), &file).await?;
        if own {
            drop_old(self.home())?;
        }
        Ok(made)
    }

    /// Makes the daily backup unless there is one from the last 24 hours.
    pub async fn backup_if_due(&self) -> Result<Option<BackupInfo>, BackupError> {
        let newest = own_backups(self.home())?.pop().map_or(0, |(at, _)| at);
        if self.inner.clock.now().ms_since(Timestamp(newest)) < DUE_MS {
            return Ok(None);
        }
        self.backup(None).await.map(Some)
    }
}

pub(crate) fn folder(home: &Path) -> PathBuf {
    home.join("backups")
}

/// The home's own daily backups, oldest first, with the time in their names.
pub(crate) fn own_backups(home: &Path) -> Result<Vec<(i64, PathBuf)>, std::io::Error> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(folder(home)) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(e) => return Err(e),
    };
    for entry in entries {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let time = name
            .strip_prefix("state-")
            .and_then(|n| n.strip_suffix(".db"));
        if let Some(at) = time.and_then(|t| t.parse().ok()) {
            found.push((at, path));
        }
    }
    found.sort();
    Ok(found)
}

fn drop_old(home: &Path) -> Result<(), std::io::Error> {
    let backups = own_backups(home)?;
    let extra = backups.len().saturating_sub(KEPT);
    for (_, file) in &backups[..extra] {
        std::fs::remove_file(file)?;
    }
    Ok(())
}

/// The backup every migration begins with. Kept beside the daily ones.
pub(crate) async fn before_migration(home: &Path, version: i64) -> Result<(), BackupError> {
    let file = folder(home).join(format!("before-format-{}.db", version + 1));
    if !file.exists() {
        copy(home, &file).await?;
    }
    Ok(())
}

async fn copy(home: &Path, file: &Path) -> Result<BackupInfo, BackupError> {
    let dir = file
        .parent()
        .filter(|d| !d.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let temp = dir.join(format!(".{}.partial", uuid::Uuid::new_v4()));
    let made = fill(home, &temp).await;
    if let Err(error) = made {
        let _ = std::fs::remove_file(&temp);
        return Err(error);
    }
    std::fs::File::open(&temp)?.sync_all()?;
    std::fs::rename(&temp, file)?;
    blobs::sync_dir(dir)?;
    faults::crash_point("store.backup_made");
    Ok(BackupInfo {
        file: file.to_owned(),
        bytes: file.metadata()?.len(),
    })
}

async fn fill(home: &Path, temp: &Path) -> Result<(), BackupError> {
    let mut source = connect::reader(&connect::db_path(home)).await?;
    sqlx::query("VACUUM INTO ?")
        .bind(temp.display().to_string())
        .execute(&mut source)
        .await?;
    source.close().await?;
    let mut conn = connect::plain(temp).await?;
    sqlx::query("CREATE TABLE blob_file (hash BLOB PRIMARY KEY, data BLOB NOT NULL)")
        .execute(&mut conn)
        .await?;
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar("SELECT hash FROM blob WHERE codec = 2")
        .fetch_all(&mut conn)
        .await?;
    for hash in hashes {
        let Some(name) = to_hash(&hash) else { continue };
        let data = std::fs::read(blobs::file_path(home, &name))?;
        sqlx::query("INSERT INTO blob_file (hash, data) VALUES (?, ?)")
            .bind(hash)
            .bind(data)
            .execute(&mut conn)
            .await?;
    }
    verify(&mut conn, temp).await?;
    conn.close().await?;
    Ok(())
}

/// Whether a backup's file can be put back.
pub(crate) async fn verify(conn: &mut SqliteConnection, file: &Path) -> Result<(), BackupError> {
    let unusable = |why: String| BackupError::Unusable {
        file: file.display().to_string(),
        why,
    };
    let found = version_of(conn)
        .await
        .map_err(|e| unusable(e.to_string()))?;
    let known = known_version();
    if found > known {
        return Err(BackupError::Newer {
            file: file.display().to_string(),
            found,
            known,
        });
    }
    if found == 0 {
        return Err(unusable("it is not a Longhaul backup".to_owned()));
    }
    let mut problems = inspect::pages(conn)
        .await
        .map_err(|e| unusable(e.to_string()))?;
    problems.extend(
        inspect::chains(conn)
            .await
            .map_err(|e| unusable(e.to_string()))?,
    );
    match problems.first() {
        Some(problem) => Err(unusable(problem.clone())),
        None => Ok(()),
    }
}

/// Puts a backup in the place of a home's store. No daemon may be running. What
/// was there is moved into the folder that is returned, never deleted.
pub async fn restore(home: &Path, file: &Path, now: Timestamp) -> Result<PathBuf, BackupError> {
    let owned = Ownership::acquire(home, Duration::ZERO)?;
    restore_owned(&owned, home, file, now).await
}

/// Whether [`restore`] would take the file. Changes nothing.
pub async fn check_backup(file: &Path) -> Result<(), BackupError> {
    must_be_a_file(file)?;
    let mut conn = connect::plain(file).await?;
    verify(&mut conn, file).await?;
    conn.close().await?;
    Ok(())
}

fn must_be_a_file(file: &Path) -> Result<(), BackupError> {
    if file.is_file() {
        return Ok(());
    }
    Err(BackupError::Unusable {
        file: file.display().to_string(),
        why: "there is no such file".to_owned(),
    })
}

/// As [`restore`], for a process that owns the home and has no [`Store`] of it open.
pub async fn restore_owned(
    _owned: &Ownership,
    home: &Path,
    file: &Path,
    now: Timestamp,
) -> Result<PathBuf, BackupError> {
    must_be_a_file(file)?;
    let temp = home.join("state.db.restoring");
    let _ = std::fs::remove_file(&temp);
    std::fs::copy(file, &temp)?;
    let mut conn = connect::plain(&temp).await?;
    verify(&mut conn, file).await?;
    unpack(&mut conn, home).await?;
    conn.close().await?;
    std::fs::File::open(&temp)?.sync_all()?;
    let quarantine = home.join(format!("quarantine-{}", now.0));
    std::fs::create_dir_all(&quarantine)?;
    let anchor = anchor::path(home);
    for old in ["state.db", "state.db-wal", "state.db-shm"]
        .map(|f| home.join(f))
        .iter()
        .chain([&anchor])
    {
        if let (true, Some(name)) = (old.exists(), old.file_name()) {
            std::fs::rename(old, quarantine.join(name))?;
        }
    }
    std::fs::rename(&temp, connect::db_path(home))?;
    blobs::sync_dir(home)?;
    Ok(quarantine)
}

/// Writes the contents that live in files, and gives the journal a new id: a
/// cursor from before must not be taken for one of the events to come.
async fn unpack(conn: &mut SqliteConnection, home: &Path) -> Result<(), BackupError> {
    std::fs::create_dir_all(home.join("blobs"))?;
    let has_files: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM sqlite_schema WHERE name = 'blob_file'")
            .fetch_optional(&mut *conn)
            .await?;
    if has_files.is_some() {
        let rows = sqlx::query("SELECT hash, data FROM blob_file")
            .fetch_all(&mut *conn)
            .await?;
        for row in rows {
            if let Some(hash) = to_hash(row.try_get("hash")?) {
                blobs::replace_file(home, &hash, row.try_get("data")?)?;
            }
        }
        sqlx::query("DROP TABLE blob_file")
            .execute(&mut *conn)
            .await?;
    }
    sqlx::query("UPDATE meta SET value = ? WHERE name = 'store_id'")
        .bind(uuid::Uuid::new_v4().to_string())
        .execute(&mut *conn)
        .await?;
    // A backup is one file without a log; a store has one.
    sqlx::query("PRAGMA journal_mode = WAL")
        .fetch_all(conn)
        .await?;
    Ok(())
}
