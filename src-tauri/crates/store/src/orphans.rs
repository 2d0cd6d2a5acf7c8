//! Files of contents that no row names: written, and then the event that was to
//! name them was not. They cost space and nothing else.

use std::path::Path;

use sqlx::SqliteConnection;

use crate::payload::from_hex;

/// Files looked at in one start (well below a tenth of a second).
const LOOKED_AT: usize = 1000;

/// Folders there can be.
const FOLDERS: i64 = 256;

/// Removes files that no row names. Only for the owner of the home, before it
/// writes anything: a file is always there before its row is. Each start looks at
/// a bounded number and begins one folder further on. Returns how many it removed.
pub(crate) async fn remove(conn: &mut SqliteConnection, home: &Path, epoch: i64) -> usize {
    let (mut looked_at, mut removed) = (0, 0);
    for n in 0..FOLDERS {
        let folder = home
            .join("blobs")
            .join(format!("{:02x}", (epoch + n).rem_euclid(FOLDERS)));
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            looked_at += 1;
            if looked_at > LOOKED_AT {
                return removed;
            }
            match is_orphan(conn, &path).await {
                Ok(true) => removed += usize::from(std::fs::remove_file(&path).is_ok()),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "unused content files could not be looked for");
                    return removed;
                }
            }
        }
    }
    removed
}

async fn is_orphan(conn: &mut SqliteConnection, path: &Path) -> Result<bool, sqlx::Error> {
    let part = |p: Option<&std::ffi::OsStr>| p.unwrap_or_default().to_string_lossy().into_owned();
    let name = part(path.file_name());
    if name.starts_with('.') && name.ends_with(".tmp") {
        return Ok(true);
    }
    let folder = part(path.parent().and_then(Path::file_name));
    // What is not ours is left alone.
    let Some(hash) = from_hex(&format!("{folder}{name}")).filter(|h| h.len() == 32) else {
        return Ok(false);
    };
    let named: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM blob WHERE substr(hash, 1, 8) = ? AND hash = ? AND codec = 2",
    )
    .bind(&hash[..8])
    .bind(&hash[..])
    .fetch_optional(conn)
    .await?;
    Ok(named.is_none())
}
