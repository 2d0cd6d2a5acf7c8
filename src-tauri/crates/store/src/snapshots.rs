//! Folds as they were, so that a long run need not be folded from its start.
//! A snapshot that does not verify is passed over; the journal is the truth.

use domain::{Run, RunId};
use sqlx::{Row, SqliteConnection};

use crate::chain::{Hash, START, to_hash};
use crate::error::ReadError;
use crate::journal;
use crate::script::Script;

/// Events between two snapshots of a run.
pub(crate) const EVERY: u64 = 200;

/// Events read at a time while folding.
const PAGE: u32 = 500;

/// A fold larger than this is not ours.
const LARGEST: usize = 64 << 20;

/// A run's fold with what is needed to append to its journal.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    pub(crate) key: i64,
    pub(crate) run: Run,
    pub(crate) hash: Hash,
}

/// Writes a snapshot and drops all but the last two.
pub(crate) fn write(script: &mut Script, fold: &Fold) -> Result<(), sqlx::Error> {
    let json = serde_json::to_vec(&fold.run).expect("a fold has string keys only");
    let packed = zstd::bulk::compress(&json, 3).map_err(sqlx::Error::Io)?;
    script
        .add("INSERT OR REPLACE INTO snapshot (run, seq, sum, data) VALUES (?, ?, ?, ?)")
        .bind(fold.key)
        .bind(fold.run.head as i64)
        .bind(&blake3::hash(&json).as_bytes()[..])
        .bind(packed);
    script
        .add(
            "DELETE FROM snapshot WHERE run = ? AND seq NOT IN
             (SELECT seq FROM snapshot WHERE run = ? ORDER BY seq DESC LIMIT 2)",
        )
        .bind(fold.key)
        .bind(fold.key);
    Ok(())
}

/// Here an append's snapshots are written and not yet committed.
pub(crate) fn written() {
    faults::crash_point("store.snapshot_written");
}

/// A stored snapshot, newest first, if it verifies.
pub(crate) async fn all(
    conn: &mut SqliteConnection,
    key: i64,
) -> Result<Vec<(u64, Option<Run>)>, ReadError> {
    let rows = sqlx::query("SELECT seq, sum, data FROM snapshot WHERE run = ? ORDER BY seq DESC")
        .bind(key)
        .fetch_all(conn)
        .await?;
    let mut found = Vec::new();
    for row in rows {
        let seq = row.try_get::<i64, _>("seq")? as u64;
        found.push((seq, parse(seq, row.try_get("sum")?, row.try_get("data")?)));
    }
    Ok(found)
}

fn parse(seq: u64, sum: &[u8], data: &[u8]) -> Option<Run> {
    let size = zstd::zstd_safe::get_frame_content_size(data).ok()??;
    let size = usize::try_from(size).ok().filter(|n| *n <= LARGEST)?;
    let json = zstd::bulk::decompress(data, size).ok()?;
    if blake3::hash(&json).as_bytes() != sum {
        return None;
    }
    serde_json::from_slice::<Run>(&json)
        .ok()
        .filter(|run| run.head == seq)
}

/// Folds a run that is about to go on. A snapshot that does not verify has cost
/// nothing but time; it is said aloud and replaced by one of the fold.
pub(crate) async fn fold_and_mend(
    conn: &mut SqliteConnection,
    run: RunId,
) -> Result<Option<Fold>, ReadError> {
    let Some(fold) = fold(conn, run).await? else {
        return Ok(None);
    };
    let bad: Vec<u64> = all(conn, fold.key)
        .await?
        .into_iter()
        .filter_map(|(seq, snapshot)| snapshot.is_none().then_some(seq))
        .collect();
    if bad.is_empty() {
        return Ok(Some(fold));
    }
    tracing::error!(%run, ?bad, "damaged snapshots were passed over; the journal is sound, and a new one is made from it");
    for seq in bad {
        sqlx::query("DELETE FROM snapshot WHERE run = ? AND seq = ?")
            .bind(fold.key)
            .bind(seq as i64)
            .execute(&mut *conn)
            .await?;
    }
    let mut script = Script::default();
    write(&mut script, &fold)?;
    script.run(conn).await?;
    Ok(Some(fold))
}

/// Folds a run: its newest sound snapshot, then the events after it, verified.
pub(crate) async fn fold(
    conn: &mut SqliteConnection,
    run: RunId,
) -> Result<Option<Fold>, ReadError> {
    let row = sqlx::query("SELECT key, head_seq, head_hash FROM run WHERE id = ?")
        .bind(&run.0.as_bytes()[..])
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let key: i64 = row.try_get("key")?;
    let head = row.try_get::<i64, _>("head_seq")? as u64;
    let (mut state, mut hash) = start(conn, key).await?;
    loop {
        let from = state.as_ref().map_or(1, |r| r.head + 1);
        let page = journal::of_run(conn, run, from, PAGE).await?;
        let last = page.len() < PAGE as usize;
        for event in &page {
            event.verify(&hash)?;
            step(&mut state, event)?;
            hash = event.hash;
        }
        if last {
            break;
        }
    }
    let found = state.as_ref().map_or(0, |r| r.head);
    if found != head || to_hash(row.try_get("head_hash")?) != Some(hash) {
        return Err(ReadError::Damaged(format!(
            "run {run} ends at position {found} and should end at {head}"
        )));
    }
    Ok(state.map(|run| Fold { key, run, hash }))
}

/// Folds one more event into a run that may not exist yet.
pub(crate) fn step(state: &mut Option<Run>, event: &journal::EventRow) -> Result<(), ReadError> {
    let entry = &event.stored.entry;
    let folded = match state {
        Some(run) => run.apply(entry),
        None => Run::begin(entry).map(|run| *state = Some(run)),
    };
    folded.map_err(|e| {
        ReadError::Damaged(format!(
            "event {} of run {} does not fold: {e}",
            entry.seq, event.stored.run
        ))
    })
}

async fn start(conn: &mut SqliteConnection, key: i64) -> Result<(Option<Run>, Hash), ReadError> {
    for (seq, run) in all(conn, key).await? {
        let Some(run) = run else {
            tracing::warn!(key, seq, "a snapshot does not verify and is passed over");
            continue;
        };
        let hash: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT hash FROM event WHERE run = ? AND seq = ?")
                .bind(key)
                .bind(seq as i64)
                .fetch_optional(&mut *conn)
                .await?;
        if let Some(hash) = hash.as_deref().and_then(to_hash) {
            return Ok((Some(run), hash));
        }
    }
    Ok((None, START))
}
