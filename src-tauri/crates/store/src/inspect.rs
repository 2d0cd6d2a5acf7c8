//! Full verification of a database file: pages, chains, snapshots, contents, and
//! projections against a refold. Shared by doctor and backups.

use std::path::Path;

use domain::RunId;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use crate::chain::START;
use crate::error::ReadError;
use crate::leases::{self, LeasePurpose};
use crate::projection::{self, Change};
use crate::script::Script;
use crate::snapshots::{self, Fold};
use crate::{blobs, connect, decisions, journal, open, runs};

/// Events read at a time.
const PAGE: u32 = 500;

/// Problems named in one check; there may be more.
const NAMED: usize = 10;

/// What the pages' own structure says: nothing when it is sound.
pub(crate) async fn pages(conn: &mut SqliteConnection) -> Result<Vec<String>, ReadError> {
    let mut found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(10)")
        .fetch_all(conn)
        .await?;
    found.retain(|line| line != "ok");
    Ok(found)
}

/// Leases whose run will never work in their folder again.
pub(crate) async fn idle_leases(conn: &mut SqliteConnection) -> Result<Vec<String>, ReadError> {
    let mut found = Vec::new();
    for lease in leases::list(conn).await? {
        let row = runs::get(conn, lease.run).await?;
        // A result is put into a project by a run that is over.
        let why = match row.map(|row| row.state) {
            None => "does not exist".to_owned(),
            Some(state) if state.is_over() && lease.purpose == LeasePurpose::InPlace => {
                format!("is {state}")
            }
            Some(_) => continue,
        };
        found.push(format!(
            "{} is held by run {}, which {why}",
            lease.scope, lease.run
        ));
    }
    Ok(found)
}

async fn ids(conn: &mut SqliteConnection) -> Result<Vec<(i64, RunId)>, ReadError> {
    let rows = sqlx::query("SELECT key, id FROM run ORDER BY key")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let id = Uuid::from_slice(row.try_get("id")?)
                .map_err(|_| ReadError::Damaged("a run's id is unreadable".to_owned()))?;
            Ok((row.try_get("key")?, RunId(id)))
        })
        .collect()
}

/// Verifies every run's chain from its start to its head.
pub(crate) async fn chains(conn: &mut SqliteConnection) -> Result<Vec<String>, ReadError> {
    let mut problems = Vec::new();
    for (_, run) in ids(conn).await? {
        if let Err(error) = chain(conn, run).await {
            problems.push(error.to_string());
        }
    }
    Ok(problems)
}

async fn chain(conn: &mut SqliteConnection, run: RunId) -> Result<(), ReadError> {
    let (mut prev, mut next) = (START, 1);
    loop {
        let page = journal::of_run(conn, run, next, PAGE).await?;
        for event in &page {
            if event.stored.entry.seq != next {
                return Err(ReadError::Damaged(format!(
                    "event {next} of run {run} is missing"
                )));
            }
            event.verify(&prev)?;
            prev = event.hash;
            next += 1;
        }
        if page.len() < PAGE as usize {
            break;
        }
    }
    let head = runs::get(conn, run).await?.map_or(0, |row| row.head);
    if head + 1 != next {
        return Err(ReadError::Damaged(format!(
            "run {run} ends at position {} and should end at {head}",
            next - 1
        )));
    }
    Ok(())
}

/// Reads every content and compares it with its name.
pub(crate) async fn contents(
    conn: &mut SqliteConnection,
    home: &Path,
) -> Result<(u64, Vec<String>), ReadError> {
    let (mut count, mut last, mut problems) = (0, 0_i64, Vec::new());
    loop {
        let page = blobs::after(conn, last, PAGE).await?;
        if page.is_empty() {
            return Ok((count, problems));
        }
        for (id, packed) in page {
            last = id;
            count += 1;
            let (hash, words) = (packed.hash, packed.words.clone());
            let problem = match blobs::read_packed(conn, home, packed).await {
                Ok(bytes) if words.is_none_or(|w| decisions::is_shown(&w, &bytes)) => continue,
                Ok(_) => format!(
                    "what is shown of the content {} is not in it",
                    journal::name_of(&hash)?
                ),
                Err(error) => error.to_string(),
            };
            if problems.len() < NAMED {
                problems.push(problem);
            }
        }
    }
}

/// Snapshots that do not verify.
pub(crate) async fn bad_snapshots(conn: &mut SqliteConnection) -> Result<Vec<String>, ReadError> {
    let mut problems = Vec::new();
    for (key, run) in ids(conn).await? {
        for (seq, snapshot) in snapshots::all(conn, key).await? {
            if snapshot.is_none() {
                problems.push(format!(
                    "the snapshot of run {run} at {seq} does not verify"
                ));
            }
        }
    }
    Ok(problems)
}

/// Tables whose rows are not what their journals fold to, refolded in memory.
pub(crate) async fn wrong_projections(
    conn: &mut SqliteConnection,
    home: &Path,
) -> Result<Vec<String>, ReadError> {
    let file = connect::db_path(home);
    let mut scratch = connect::scratch().await?;
    open::MIGRATIONS
        .run(&mut scratch)
        .await
        .map_err(|e| ReadError::Failed(e.to_string()))?;
    // Without a table of its own, the scratch database finds contents in the attached one.
    for sql in ["PRAGMA foreign_keys = OFF", "DROP TABLE blob"] {
        sqlx::query(sql).execute(&mut scratch).await?;
    }
    sqlx::query("ATTACH ? AS live")
        .bind(file.display().to_string())
        .execute(&mut scratch)
        .await?;
    sqlx::query("BEGIN").execute(&mut scratch).await?;
    let mut problems = Vec::new();
    for (key, run) in ids(conn).await? {
        if let Err(error) = refold(conn, &mut scratch, key, run).await {
            problems.push(error.to_string());
        }
    }
    for (table, sql) in DIFFERENCES {
        let wrong: i64 = sqlx::query_scalar(*sql).fetch_one(&mut scratch).await?;
        if wrong > 0 {
            problems.push(format!(
                "{wrong} row(s) of '{table}' are not what the journal says"
            ));
        }
    }
    Ok(problems)
}

macro_rules! difference {
    ($table:literal) => {
        (
            $table,
            concat!(
                "SELECT (SELECT count(*) FROM (SELECT * FROM main.",
                $table,
                " EXCEPT SELECT * FROM live.",
                $table,
                ")) + (SELECT count(*) FROM (SELECT * FROM live.",
                $table,
                " EXCEPT SELECT * FROM main.",
                $table,
                "))"
            ),
        )
    };
}

const DIFFERENCES: &[(&str, &str)] = &[
    difference!("run"),
    difference!("op"),
    difference!("review"),
    difference!("message"),
    difference!("checkpoint"),
    difference!("ledger"),
];

async fn refold(
    conn: &mut SqliteConnection,
    scratch: &mut SqliteConnection,
    key: i64,
    run: RunId,
) -> Result<(), ReadError> {
    let mut state = None;
    let mut hash = START;
    let mut next = 1;
    loop {
        let page = journal::of_run(conn, run, next, PAGE).await?;
        let mut script = Script::default();
        for event in &page {
            let entry = &event.stored.entry;
            let message = state
                .as_ref()
                .and_then(|r: &domain::Run| r.message_of(&entry.event));
            let is_first = state.is_none();
            snapshots::step(&mut state, event)?;
            hash = event.hash;
            next = entry.seq + 1;
            let Some(after) = &state else { continue };
            if is_first {
                runs::insert(
                    &mut script,
                    &Fold {
                        key,
                        run: after.clone(),
                        hash,
                    },
                );
            } else {
                projection::apply(
                    &mut script,
                    &Change {
                        key,
                        entry,
                        message,
                        after,
                    },
                )?;
            }
        }
        script.run(scratch).await?;
        if page.len() < PAGE as usize {
            break;
        }
    }
    if let Some(run) = state {
        let mut script = Script::default();
        runs::update(&mut script, &Fold { key, run, hash });
        script.run(scratch).await?;
    }
    Ok(())
}
