//! Contents, named by the BLAKE3 hash of their bytes and stored once. Small ones
//! are rows; large ones are files, durable before the event that names them.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use domain::BlobRef;
use sqlx::{Row, SqliteConnection};

use crate::chain::{Hash, name_bytes};
use crate::error::{ReadError, WriteError};

/// Larger ones, compressed, are files: they would bloat the journal's pages.
const LARGEST_ROW: usize = 64 << 10;

/// Smaller ones are stored as they are: nothing would be gained.
const SMALLEST_PACKED: usize = 192;

/// zstd's own default, the knee of its curve.
const LEVEL: i32 = 3;

pub(crate) const RAW: i64 = 0;
pub(crate) const PACKED: i64 = 1;
pub(crate) const FILE: i64 = 2;

/// A blob ready to be recorded. If it is a file, the file is durable already.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) hash: Hash,
    raw_len: i64,
    codec: i64,
    data: Option<Vec<u8>>,
}

/// Hashes and compresses, and writes the file of a large one. Blocks.
pub(crate) fn prepare(home: &Path, bytes: &[u8]) -> Result<Prepared, WriteError> {
    let hash = *blake3::hash(bytes).as_bytes();
    let raw_len = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let as_row = |codec, data| Prepared {
        hash,
        raw_len,
        codec,
        data: Some(data),
    };
    if bytes.len() < SMALLEST_PACKED {
        return Ok(as_row(RAW, bytes.to_vec()));
    }
    let packed = zstd::bulk::compress(bytes, LEVEL).map_err(|e| WriteError::from_io(&e))?;
    if packed.len() > LARGEST_ROW {
        write_file(home, &hash, &packed).map_err(|e| WriteError::from_io(&e))?;
        return Ok(Prepared {
            hash,
            raw_len,
            codec: FILE,
            data: None,
        });
    }
    if packed.len() < bytes.len() {
        return Ok(as_row(PACKED, packed));
    }
    Ok(as_row(RAW, bytes.to_vec()))
}

/// Where a large blob's file is.
pub(crate) fn file_path(home: &Path, hash: &Hash) -> PathBuf {
    let hex = blake3::Hash::from_bytes(*hash).to_hex();
    home.join("blobs").join(&hex[..2]).join(&hex[2..])
}

/// Writes a blob's file so that it is there, whole, after a power loss.
pub(crate) fn write_file(home: &Path, hash: &Hash, packed: &[u8]) -> std::io::Result<()> {
    let path = file_path(home, hash);
    if std::fs::metadata(&path).is_ok_and(|m| m.len() == packed.len() as u64) {
        return Ok(());
    }
    replace_file(home, hash, packed)
}

/// Writes a blob's file, whatever is there.
pub(crate) fn replace_file(home: &Path, hash: &Hash, packed: &[u8]) -> std::io::Result<()> {
    let path = file_path(home, hash);
    let dir = path.parent().expect("a blob's path has a folder");
    let is_new = !dir.exists();
    std::fs::create_dir_all(dir)?;
    let temp = dir.join(format!(".{}.tmp", uuid::Uuid::new_v4()));
    let written = (|| {
        let mut file = File::create_new(&temp)?;
        file.write_all(packed)?;
        file.sync_all()?;
        std::fs::rename(&temp, &path)?;
        sync_dir(dir)?;
        if is_new {
            sync_dir(&home.join("blobs"))?;
            sync_dir(home)?;
        }
        Ok(())
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temp);
    }
    faults::crash_point("store.blob_file_written");
    written
}

/// Makes a folder's entries durable.
pub(crate) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Records a blob unless it is known.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    blob: &Prepared,
) -> Result<(), sqlx::Error> {
    if id_of_hash(conn, &blob.hash).await?.is_some() {
        return Ok(());
    }
    sqlx::query("INSERT INTO blob (hash, codec, raw_len, data) VALUES (?, ?, ?, ?)")
        .bind(&blob.hash[..])
        .bind(blob.codec)
        .bind(blob.raw_len)
        .bind(blob.data.as_deref())
        .execute(conn)
        .await?;
    Ok(())
}

/// The row a blob's name stands for.
pub(crate) async fn id_of(
    conn: &mut SqliteConnection,
    name: &BlobRef,
) -> Result<Option<i64>, sqlx::Error> {
    match name_bytes(name) {
        Some(hash) => id_of_hash(conn, &hash).await,
        None => Ok(None),
    }
}

async fn id_of_hash(conn: &mut SqliteConnection, hash: &Hash) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM blob WHERE substr(hash, 1, 8) = ? AND hash = ?")
        .bind(&hash[..8])
        .bind(&hash[..])
        .fetch_optional(conn)
        .await
}

/// A stored blob before it is unpacked.
pub(crate) struct Packed {
    pub(crate) hash: Hash,
    pub(crate) codec: i64,
    pub(crate) raw_len: i64,
    pub(crate) data: Option<Vec<u8>>,
}

/// Finds a blob by name.
pub(crate) async fn find(conn: &mut SqliteConnection, name: &BlobRef) -> Result<Packed, ReadError> {
    let missing = || ReadError::NoBlob(name.clone());
    let hash = name_bytes(name).ok_or_else(missing)?;
    let row = sqlx::query(
        "SELECT codec, raw_len, data FROM blob WHERE substr(hash, 1, 8) = ? AND hash = ?",
    )
    .bind(&hash[..8])
    .bind(&hash[..])
    .fetch_optional(conn)
    .await?
    .ok_or_else(missing)?;
    Ok(Packed {
        hash,
        codec: row.try_get("codec")?,
        raw_len: row.try_get("raw_len")?,
        data: row.try_get("data")?,
    })
}

impl Packed {
    /// The content, checked against its name. Blocks when it is a file.
    pub(crate) fn unpack(self, home: &Path) -> Result<Bytes, ReadError> {
        let name = blake3::Hash::from_bytes(self.hash).to_hex();
        let damaged = |why: String| ReadError::Damaged(format!("the content {name} {why}"));
        let data = match self.data {
            Some(data) => data,
            None => std::fs::read(file_path(home, &self.hash))
                .map_err(|e| damaged(format!("has lost its file: {e}")))?,
        };
        let bytes = if self.codec == RAW {
            data
        } else {
            let len = usize::try_from(self.raw_len).unwrap_or(0);
            zstd::bulk::decompress(&data, len)
                .map_err(|e| damaged(format!("does not unpack: {e}")))?
        };
        if *blake3::hash(&bytes).as_bytes() != self.hash {
            return Err(damaged("is not what was stored".to_owned()));
        }
        Ok(Bytes::from(bytes))
    }
}

/// Reads a blob.
pub(crate) async fn read(
    conn: &mut SqliteConnection,
    home: &Path,
    name: &BlobRef,
) -> Result<Bytes, ReadError> {
    let packed = find(conn, name).await?;
    if packed.codec != FILE {
        return packed.unpack(home);
    }
    let home = home.to_owned();
    tokio::task::spawn_blocking(move || packed.unpack(&home))
        .await
        .map_err(|e| ReadError::Failed(e.to_string()))?
}
