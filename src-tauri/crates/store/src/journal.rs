//! Events as rows.

use domain::{BlobRef, Entry, Event, RunId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use crate::chain::{Hash, Link, name_bytes, to_hash};
use crate::codes;
use crate::error::ReadError;
use crate::payload::{self, Beside};
use crate::script::{Script, blob_id};

/// An event in its run's journal and in the order of all runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Position among all events of all runs: what a cursor points at.
    pub gseq: u64,
    /// Whose.
    pub run: RunId,
    /// The event in its place.
    pub entry: Entry,
}

/// Where an event goes.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) gseq: u64,
    pub(crate) key: i64,
    pub(crate) run: RunId,
    pub(crate) epoch: i64,
    pub(crate) prev: Hash,
}

/// Appends an event and returns its hash. Every content it names must be stored by then.
pub(crate) fn insert(script: &mut Script, place: Place, entry: &Entry) -> Hash {
    let names = entry.event.blobs();
    let hashes = [0, 1].map(|n| names.get(n).and_then(|name| name_bytes(name)));
    let beside = Beside {
        op: entry.event.op().map(|op| op.0),
        names: [0, 1].map(|n| names.get(n).map(|name| name.0.as_str())),
    };
    let (kind, json) = entry.event.to_parts();
    let hash = Link {
        run: place.run,
        seq: entry.seq,
        epoch: place.epoch,
        kind: &kind,
        op: beside.op,
        at: entry.at.0,
        payload: &json,
        blob: hashes[0].as_ref().map(|h| &h[..]),
    }
    .after(&place.prev);
    // The hash before it is the row's before it; the hash covers it all the same.
    let insert = script
        .add(concat!(
            "INSERT INTO event (gseq, run, seq, epoch, at, op, payload, blob, blob2, hash, kind)
         VALUES (?, ?, ?, ?, ?, ?, ?, ",
            blob_id!(),
            ", ",
            blob_id!(),
            ", ?, ?)"
        ))
        .bind(place.gseq as i64)
        .bind(place.key)
        .bind(entry.seq as i64)
        .bind(place.epoch)
        .bind(entry.at.0)
        .bind(beside.op)
        .bind(payload::encode(&json, beside))
        .bind_blob(hashes[0].as_ref())
        .bind_blob(hashes[1].as_ref())
        .bind(&hash[..]);
    match codes::find(codes::EVENTS, &kind) {
        Some(code) => insert.bind(code),
        // A kind that has no code yet stands as its word.
        None => insert.bind(kind),
    };
    hash
}

/// An event as it was read, with what its hash was made of.
pub(crate) struct EventRow {
    pub(crate) stored: Stored,
    pub(crate) prev: Hash,
    pub(crate) hash: Hash,
    sound: bool,
}

impl EventRow {
    fn parse(row: &SqliteRow) -> Result<Self, ReadError> {
        let damaged = |what: &str| ReadError::Damaged(format!("an event's {what} is unreadable"));
        let id = Uuid::from_slice(row.try_get("id")?).map_err(|_| damaged("run"))?;
        let hash_of = |column: &str| -> Result<Hash, ReadError> {
            to_hash(row.try_get(column)?).ok_or_else(|| damaged(column))
        };
        let prev = row
            .try_get::<Option<&[u8]>, _>("prev_hash")?
            .and_then(to_hash);
        let prev = prev.ok_or_else(|| damaged("predecessor"))?;
        let hash = hash_of("hash")?;
        let kind: String = row.try_get("kind")?;
        let kind = match kind.parse() {
            Ok(code) => codes::word(codes::EVENTS, code)?.to_owned(),
            Err(_) => kind,
        };
        let blob = |column: &str| -> Result<Option<String>, ReadError> {
            Ok(row
                .try_get::<Option<&[u8]>, _>(column)?
                .map(payload::to_hex))
        };
        let names = [blob("blob_hash")?, blob("blob2_hash")?];
        let beside = Beside {
            op: row.try_get("op")?,
            names: [names[0].as_deref(), names[1].as_deref()],
        };
        let json = payload::decode(row.try_get("payload")?, beside)?;
        let seq = row.try_get::<i64, _>("seq")? as u64;
        let at: i64 = row.try_get("at")?;
        let found = Link {
            run: RunId(id),
            seq,
            epoch: row.try_get("epoch")?,
            kind: &kind,
            op: beside.op,
            at,
            payload: &json,
            blob: row.try_get::<Option<&[u8]>, _>("blob_hash")?,
        }
        .after(&prev);
        let event =
            Event::from_parts(&kind, &json).map_err(|e| ReadError::Damaged(e.to_string()))?;
        Ok(Self {
            stored: Stored {
                gseq: row.try_get::<i64, _>("gseq")? as u64,
                run: RunId(id),
                entry: Entry {
                    seq,
                    at: Timestamp(at),
                    event,
                },
            },
            prev,
            hash,
            sound: found == hash,
        })
    }

    /// Whether it is what was recorded, and follows the event with hash `prev`.
    pub(crate) fn verify(&self, prev: &Hash) -> Result<(), ReadError> {
        if self.sound && self.prev == *prev {
            return Ok(());
        }
        Err(ReadError::Damaged(format!(
            "event {} of run {} is not what was recorded",
            self.stored.entry.seq, self.stored.run
        )))
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT e.gseq, r.id, e.seq, e.epoch, CAST(e.kind AS TEXT) AS kind, e.op, e.at, e.payload,
                    b.hash AS blob_hash, c.hash AS blob2_hash, e.hash,
                    CASE e.seq WHEN 1 THEN zeroblob(32) ELSE
                        (SELECT p.hash FROM event p WHERE p.run = e.run AND p.seq = e.seq - 1) END AS prev_hash
             FROM event e JOIN run r ON r.key = e.run LEFT JOIN blob b ON b.id = e.blob
                  LEFT JOIN blob c ON c.id = e.blob2 ",
            $rest
        )
    };
}

fn parse_all(rows: &[SqliteRow]) -> Result<Vec<EventRow>, ReadError> {
    rows.iter().map(EventRow::parse).collect()
}

/// A run's events from a position on.
pub(crate) async fn of_run(
    conn: &mut SqliteConnection,
    run: RunId,
    from_seq: u64,
    limit: u32,
) -> Result<Vec<EventRow>, ReadError> {
    let rows = sqlx::query(select!(
        "WHERE e.run = (SELECT key FROM run WHERE id = ?) AND e.seq >= ? ORDER BY e.seq LIMIT ?"
    ))
    .bind(&run.0.as_bytes()[..])
    .bind(from_seq as i64)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    parse_all(&rows)
}

/// All runs' events after a global position.
pub(crate) async fn after(
    conn: &mut SqliteConnection,
    gseq: u64,
    limit: u32,
) -> Result<Vec<EventRow>, ReadError> {
    let rows = sqlx::query(select!("WHERE e.gseq > ? ORDER BY e.gseq LIMIT ?"))
        .bind(gseq as i64)
        .bind(limit)
        .fetch_all(conn)
        .await?;
    parse_all(&rows)
}

/// One run's events after a global position.
pub(crate) async fn of_run_after(
    conn: &mut SqliteConnection,
    run: RunId,
    gseq: u64,
    limit: u32,
) -> Result<Vec<EventRow>, ReadError> {
    let rows = sqlx::query(select!(
        "WHERE e.run = (SELECT key FROM run WHERE id = ?) AND +e.gseq > ? ORDER BY e.seq LIMIT ?"
    ))
    .bind(&run.0.as_bytes()[..])
    .bind(gseq as i64)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    parse_all(&rows)
}

/// The events with which runs (a JSON list of their ids in hex) failed last.
pub(crate) async fn failures_of(
    conn: &mut SqliteConnection,
    runs: &str,
) -> Result<Vec<EventRow>, ReadError> {
    // Code 34 is `failed`. What follows it is little: the result was applied, discarded.
    let rows = sqlx::query(select!(
        "WHERE e.gseq IN (SELECT x.gseq FROM json_each(?) j JOIN run y ON y.id = unhex(j.value)
             JOIN event x ON x.run = y.key AND x.seq > y.head_seq - 4 AND x.kind = 34)
         ORDER BY e.gseq"
    ))
    .bind(runs)
    .fetch_all(conn)
    .await?;
    parse_all(&rows)
}

/// Events of note after a global position, newest first: the index `event_of_note` asks in
/// these words, and knows no others.
pub(crate) async fn of_note(
    conn: &mut SqliteConnection,
    gseq: u64,
    limit: u32,
) -> Result<Vec<EventRow>, ReadError> {
    let rows = sqlx::query(select!(
        "WHERE e.gseq IN (SELECT n.gseq FROM event n INDEXED BY event_of_note
             WHERE n.kind IN (17, 30, 33, 34, 35, 36, 38, 'rolled_back') AND n.gseq > ?
             ORDER BY n.gseq DESC LIMIT ?)
         ORDER BY e.gseq DESC"
    ))
    .bind(gseq as i64)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    parse_all(&rows)
}

/// The event at a global position.
pub(crate) async fn at(
    conn: &mut SqliteConnection,
    gseq: u64,
) -> Result<Option<EventRow>, ReadError> {
    let row = sqlx::query(select!("WHERE e.gseq = ?"))
        .bind(gseq as i64)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(EventRow::parse).transpose()
}

/// The newest global position, 0 when there is no event.
pub(crate) async fn last_gseq(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let last: Option<i64> = sqlx::query_scalar("SELECT max(gseq) FROM event")
        .fetch_one(conn)
        .await?;
    Ok(last.unwrap_or(0) as u64)
}

/// A blob's name from its stored hash.
pub(crate) fn name_of(hash: &[u8]) -> Result<BlobRef, ReadError> {
    let hash = to_hash(hash)
        .ok_or_else(|| ReadError::Damaged("a content's name is unreadable".to_owned()))?;
    Ok(BlobRef(blake3::Hash::from_bytes(hash).to_hex().to_string()))
}
