//! Contents, named by the BLAKE3 hash of their bytes and stored once. Small ones
//! are rows; large ones are files, durable before the event that names them.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use domain::{BlobRef, Event};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::chain::{Hash, name_bytes, to_hash};
use crate::error::{ReadError, WriteError};
use crate::pack::{Against, pack, unpack};
use crate::script::{Script, blob_id};

/// Larger ones, compressed, are files: they would bloat the journal's pages.
const LARGEST_ROW: usize = 64 << 10;

/// Larger ones are compressed by themselves: a dictionary gains them little.
const LARGEST_SMALL: usize = 256 << 10;

/// zstd's own default, the knee of its curve.
const LEVEL: i32 = 3;

/// `data` is the content.
pub(crate) const RAW: i64 = 0;
/// `data` is compressed against the dictionary of contents.
pub(crate) const PACKED: i64 = 1;
/// A file is compressed by itself.
pub(crate) const FILE: i64 = 2;
/// `words` is the content.
pub(crate) const WORDS: i64 = 3;
/// `data` is compressed against the dictionary, the contents of `bases`, and `words`.
pub(crate) const SPLIT: i64 = 4;
/// `data` is compressed by itself.
pub(crate) const ALONE: i64 = 5;

/// A blob ready to be recorded. If it is a file, the file is durable already.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) hash: Hash,
    /// It is stored already; nothing else of it is here.
    is_known: bool,
    raw_len: i64,
    codec: i64,
    words: Option<String>,
    bases: Vec<Hash>,
    data: Option<Vec<u8>>,
}

/// What of a content stands in a column as plain text, and what else it repeats.
#[derive(Debug, Default)]
pub(crate) struct Shown<'a> {
    /// The beginning of it, or the words in it.
    pub(crate) words: Option<String>,
    /// Contents it repeats, with their names. They are rows before it is.
    pub(crate) bases: Vec<(Hash, &'a [u8])>,
}

impl Prepared {
    /// One that is stored already. Rows of contents are never removed.
    pub(crate) fn known(hash: Hash) -> Self {
        Self {
            hash,
            is_known: true,
            ..Self::default()
        }
    }
}

/// Hashes and compresses, and writes the file of a large one. Blocks.
pub(crate) fn prepare(home: &Path, bytes: &[u8], shown: Shown<'_>) -> Result<Prepared, WriteError> {
    let io = |e: std::io::Error| WriteError::from_io(&e);
    let mut blob = Prepared {
        hash: *blake3::hash(bytes).as_bytes(),
        raw_len: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        codec: RAW,
        words: shown.words,
        ..Prepared::default()
    };
    if blob.words.as_ref().is_some_and(|w| w.as_bytes() == bytes) {
        blob.codec = WORDS;
        return Ok(blob);
    }
    if bytes.len() > LARGEST_SMALL {
        let packed = zstd::bulk::compress(bytes, LEVEL).map_err(io)?;
        if packed.len() > LARGEST_ROW {
            write_file(home, &blob.hash, &packed).map_err(io)?;
            blob.codec = FILE;
        } else {
            blob.codec = ALONE;
            blob.data = Some(packed);
        }
        return Ok(blob);
    }
    let mut packed = match &blob.words {
        None => pack(bytes, Against::Contents).map_err(io)?,
        Some(words) => {
            let mut known: Vec<u8> = Vec::new();
            for (hash, base) in shown.bases.iter().filter(|(h, _)| *h != blob.hash) {
                blob.bases.push(*hash);
                known.extend(*base);
            }
            known.extend(words.as_bytes());
            pack(bytes, Against::ContentsAnd(&known)).map_err(io)?
        }
    };
    blob.codec = if blob.words.is_some() { SPLIT } else { PACKED };
    if packed.len() > LARGEST_ROW {
        packed = zstd::bulk::compress(bytes, LEVEL).map_err(io)?;
        write_file(home, &blob.hash, &packed).map_err(io)?;
        blob.codec = FILE;
        blob.bases.clear();
        return Ok(blob);
    }
    if blob.codec == PACKED && packed.len() >= bytes.len() {
        blob.codec = RAW;
        packed = bytes.to_vec();
    }
    blob.data = Some(packed);
    Ok(blob)
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

/// Records a blob unless it is known, after those it repeats. One that was known only as a content gets
/// its words when it comes to be shown.
pub(crate) fn insert(script: &mut Script, blob: &Prepared) {
    if blob.is_known {
        return;
    }
    // What repeats others is always younger than they are, so that reading it comes to an end.
    if blob.words.is_some() && blob.bases.is_empty() {
        script
            .add(
                "UPDATE blob SET codec = ?, raw_len = ?, words = ?, bases = NULL, data = ?
                 WHERE substr(hash, 1, 8) = ? AND hash = ? AND words IS NULL",
            )
            .bind(blob.codec)
            .bind(blob.raw_len)
            .bind(blob.words.as_deref())
            .bind(blob.data.as_deref())
            .bind_blob(Some(&blob.hash));
    }
    let mut insert = script
        .add("INSERT INTO blob (hash, codec, raw_len, words, data, bases) SELECT ?, ?, ?, ?, ?, ")
        .bind(&blob.hash[..])
        .bind(blob.codec)
        .bind(blob.raw_len)
        .bind(blob.words.as_deref())
        .bind(blob.data.as_deref());
    for (n, base) in blob.bases.iter().enumerate() {
        let id = match n {
            0 => concat!("'' || ", blob_id!()),
            _ => concat!(" || ' ' || ", blob_id!()),
        };
        insert = insert.and(id).bind_blob(Some(base));
    }
    if blob.bases.is_empty() {
        insert = insert.and("NULL");
    }
    insert
        .and(concat!(" WHERE ", blob_id!(), " IS NULL"))
        .bind_blob(Some(&blob.hash));
}

/// The first content an event refers to that is neither stored nor about to be.
pub(crate) async fn missing(
    conn: &mut SqliteConnection,
    event: &Event,
    about_to_be: &[Prepared],
) -> Result<Option<BlobRef>, sqlx::Error> {
    for name in event.blobs() {
        let here = name_bytes(name).is_some_and(|h| about_to_be.iter().any(|b| b.hash == h));
        if !here && id_of(conn, name).await?.is_none() {
            return Ok(Some(name.clone()));
        }
    }
    Ok(None)
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
    pub(crate) words: Option<String>,
    pub(crate) bases: Option<String>,
    pub(crate) data: Option<Vec<u8>>,
}

impl Packed {
    pub(crate) fn parse(row: &SqliteRow) -> Result<Self, ReadError> {
        Ok(Self {
            hash: to_hash(row.try_get("hash")?)
                .ok_or_else(|| ReadError::Damaged("a content's name is unreadable".to_owned()))?,
            codec: row.try_get("codec")?,
            raw_len: row.try_get("raw_len")?,
            words: row.try_get("words")?,
            bases: row.try_get("bases")?,
            data: row.try_get("data")?,
        })
    }

    /// The content, checked against its name. Blocks when it is a file.
    fn unpack(self, home: &Path, bases: &[u8]) -> Result<Bytes, ReadError> {
        let name = blake3::Hash::from_bytes(self.hash).to_hex();
        let damaged = |why: String| ReadError::Damaged(format!("the content {name} {why}"));
        let words = self.words.unwrap_or_default().into_bytes();
        let len = usize::try_from(self.raw_len).unwrap_or(0);
        let data = match self.data {
            Some(data) => data,
            None if self.codec == FILE => std::fs::read(file_path(home, &self.hash))
                .map_err(|e| damaged(format!("has lost its file: {e}")))?,
            None => Vec::new(),
        };
        let bytes = match self.codec {
            RAW => Ok(data),
            WORDS => Ok(words),
            PACKED => unpack(&data, Against::Contents),
            SPLIT => unpack(&data, Against::ContentsAnd(&[bases, &words].concat())),
            _ => zstd::bulk::decompress(&data, len),
        }
        .map_err(|e| damaged(format!("does not unpack: {e}")))?;
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
    let missing = || ReadError::NoBlob(name.clone());
    let hash = name_bytes(name).ok_or_else(missing)?;
    let row = sqlx::query(
        "SELECT hash, codec, raw_len, words, bases, data FROM blob
         WHERE substr(hash, 1, 8) = ? AND hash = ?",
    )
    .bind(&hash[..8])
    .bind(&hash[..])
    .fetch_optional(&mut *conn)
    .await?
    .ok_or_else(missing)?;
    let packed = Packed::parse(&row)?;
    read_packed(conn, home, packed).await
}

/// Unpacks a blob, after those it repeats.
pub(crate) async fn read_packed(
    conn: &mut SqliteConnection,
    home: &Path,
    packed: Packed,
) -> Result<Bytes, ReadError> {
    let mut known = Vec::new();
    for id in packed.bases.iter().flat_map(|ids| ids.split(' ')) {
        let row = sqlx::query(
            "SELECT hash, codec, raw_len, words, bases, data FROM blob WHERE id = CAST(? AS INTEGER)",
        )
        .bind(id)
        .fetch_one(&mut *conn)
        .await?;
        let base = Packed::parse(&row)?;
        known.extend(Box::pin(read_packed(&mut *conn, home, base)).await?);
    }
    packed.in_background(home, known).await
}

impl Packed {
    /// The content, given those it repeats.
    pub(crate) async fn in_background(
        self,
        home: &Path,
        known: Vec<u8>,
    ) -> Result<Bytes, ReadError> {
        if self.codec != FILE {
            return self.unpack(home, &known);
        }
        let home = home.to_owned();
        tokio::task::spawn_blocking(move || self.unpack(&home, &known))
            .await
            .map_err(|e| ReadError::Failed(e.to_string()))?
    }
}

/// The stored blobs after a row, for whoever looks at them all.
pub(crate) async fn after(
    conn: &mut SqliteConnection,
    id: i64,
    limit: u32,
) -> Result<Vec<(i64, Packed)>, ReadError> {
    let rows = sqlx::query(
        "SELECT id, hash, codec, raw_len, words, bases, data FROM blob WHERE id > ? ORDER BY id LIMIT ?",
    )
    .bind(id)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("id")?, Packed::parse(row)?)))
        .collect()
}
