//! Many contents at once: what a conversation needs when it is come back to.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use bytes::Bytes;
use domain::BlobRef;
use sqlx::{Row, SqliteConnection};

use crate::blobs::{self, Packed};
use crate::chain::{Hash, name_bytes};
use crate::error::ReadError;

/// Contents in the order of their names, by two queries however many they are: one by one,
/// waiting for the connection's thread would take most of the time.
pub(crate) async fn read(
    conn: &mut SqliteConnection,
    home: &Path,
    names: &[BlobRef],
) -> Result<Vec<Bytes>, ReadError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let stored = stored(conn, names).await?;
    let bases = bases(conn, home, stored.values()).await?;
    let mut read: HashMap<Hash, Bytes> = HashMap::with_capacity(stored.len());
    for (hash, packed) in stored {
        let mut known = Vec::new();
        for id in base_ids(&packed) {
            let base = bases.get(&id).ok_or_else(|| {
                ReadError::Damaged("what a content repeats is missing".to_owned())
            })?;
            known.extend_from_slice(base);
        }
        read.insert(hash, packed.in_background(home, known).await?);
    }
    let of = |name: &BlobRef| name_bytes(name).and_then(|hash| read.get(&hash).cloned());
    names
        .iter()
        .map(|name| of(name).ok_or_else(|| ReadError::NoBlob(name.clone())))
        .collect()
}

async fn stored(
    conn: &mut SqliteConnection,
    names: &[BlobRef],
) -> Result<HashMap<Hash, Packed>, ReadError> {
    let asked: BTreeSet<&str> = names.iter().map(|name| name.0.as_str()).collect();
    let rows = sqlx::query(
        "SELECT b.hash, b.codec, b.raw_len, b.words, b.bases, b.data FROM json_each(?) name
         CROSS JOIN blob b ON substr(b.hash, 1, 8) = unhex(substr(name.value, 1, 16))
                           AND b.hash = unhex(name.value)",
    )
    .bind(serde_json::to_string(&asked)?)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Packed::parse(row).map(|packed| (packed.hash, packed)))
        .collect()
}

/// What these repeat, by row.
async fn bases(
    conn: &mut SqliteConnection,
    home: &Path,
    of: impl Iterator<Item = &Packed>,
) -> Result<HashMap<i64, Bytes>, ReadError> {
    let ids: BTreeSet<i64> = of.flat_map(base_ids).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query(
        "SELECT b.id, b.hash, b.codec, b.raw_len, b.words, b.bases, b.data FROM json_each(?) base
         CROSS JOIN blob b ON b.id = base.value",
    )
    .bind(serde_json::to_string(&ids)?)
    .fetch_all(&mut *conn)
    .await?;
    let mut bases = HashMap::with_capacity(rows.len());
    for row in &rows {
        let base = blobs::read_packed(&mut *conn, home, Packed::parse(row)?).await?;
        bases.insert(row.try_get("id")?, base);
    }
    Ok(bases)
}

fn base_ids(packed: &Packed) -> impl Iterator<Item = i64> {
    let ids = packed.bases.as_deref().unwrap_or_default();
    ids.split_whitespace().filter_map(|id| id.parse().ok())
}
