//! Opening a home: what must be right before anything is written.

use std::path::Path;
use std::sync::Arc;

use domain::RunId;
use sqlx::migrate::Migrator;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::anchor::{self, Anchor, Found, Mark};
use crate::chain::START;
use crate::error::{OpenError, ReadError};
use crate::store::{Inner, Store, StoreConfig};
use crate::writer::Writer;
use crate::{backup, connect, journal, orphans, runs};

/// Every format this binary can bring a store to.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../../migrations");

/// Requests that may wait for the writer.
const QUEUE: usize = 1024;

/// Smaller files are checked page by page at every start (about 20 ms).
const CHECKED_AT_START: u64 = 16 << 20;

/// Unfinished runs whose newest events are verified at every start.
const TAILS: usize = 64;

/// Events verified of each of them.
const TAIL: u32 = 20;

/// The newest format this binary knows.
pub(crate) fn known_version() -> i64 {
    let newest = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
    newest - i64::from(faults::sabotaged("older_format"))
}

pub(crate) async fn open(config: StoreConfig) -> Result<Store, OpenError> {
    let home = config.home;
    std::fs::create_dir_all(home.join("blobs")).map_err(|e| OpenError::from_io(&e))?;
    let file = connect::db_path(&home);
    let existed = file.metadata().is_ok_and(|m| m.len() > 0);
    let anchored = anchor::read(&home).map_err(|e| OpenError::from_io(&e))?;
    if !existed && let Found::Mark { mark, .. } = anchored {
        return Err(OpenError::LostTail {
            missing: mark.gseq,
            run: mark.run,
            seq: mark.seq,
        });
    }
    let db = |e: sqlx::Error| OpenError::from_db(&e);
    if existed {
        look(&home, anchored).await?;
    }
    let mut conn = connect::writer(&file).await.map_err(db)?;
    let Taken {
        id,
        home_id,
        epoch,
        gseq,
        anchor,
    } = match take(&mut conn, &home, existed, anchored).await {
        Ok(taken) => taken,
        Err(error) => {
            // Until it is closed it may still write, and a refused store must rest.
            let _ = conn.close().await;
            return Err(error);
        }
    };
    let (jobs, queue) = mpsc::channel(QUEUE);
    let (moved, moved_to) = watch::channel(gseq);
    let (broken, broke) = watch::channel(None);
    let cache = Arc::default();
    let writer = Writer {
        conn,
        clock: config.clock.clone(),
        store: id,
        epoch,
        gseq,
        anchor,
        cache: Arc::clone(&cache),
        moved,
        broken,
    };
    tokio::spawn(writer.run(queue));
    let inner = Inner {
        readers: connect::readers(&file),
        home,
        clock: config.clock,
        id,
        home_id,
        epoch,
        jobs,
        cache,
        moved: moved_to,
        broken: broke,
    };
    Ok(Store {
        inner: Arc::new(inner),
    })
}

/// Looks for damage through a connection that cannot write. One that can would, as
/// it closes, merge the log into the file and delete it, and with a damaged log
/// what could still be read from it.
async fn look(home: &Path, anchored: Found) -> Result<(), OpenError> {
    let db = |e: sqlx::Error| OpenError::from_db(&e);
    let file = connect::db_path(home);
    let mut conn = connect::reader(&file).await.map_err(db)?;
    let looked = async {
        let found = version_of(&mut conn).await.map_err(db)?;
        let known = known_version();
        if found > known {
            return Err(OpenError::NewerSchema { found, known });
        }
        check_pages(&mut conn, &file).await?;
        if found == known
            && let Some(id) = read_store_id(&mut conn).await.map_err(db)?
        {
            check_anchor(&mut conn, id, anchored).await?;
            check_tails(&mut conn).await?;
        }
        Ok(())
    }
    .await;
    let _ = conn.close().await;
    looked
}

/// What is known of a home once it is ours to write.
struct Taken {
    id: Uuid,
    home_id: Uuid,
    epoch: i64,
    gseq: u64,
    anchor: Anchor,
}

async fn take(
    conn: &mut SqliteConnection,
    home: &Path,
    existed: bool,
    anchored: Found,
) -> Result<Taken, OpenError> {
    let db = |e: sqlx::Error| OpenError::from_db(&e);
    connect::check_version(conn).await?;
    migrate(conn, home, existed).await?;
    connect::check_settings(conn).await?;
    let id = store_id(conn, existed).await?;
    let home_id = read_id(conn, "home_id").await.map_err(db)?.unwrap_or(id);
    let gseq = check_anchor(conn, id, anchored).await?;
    check_tails(conn).await?;
    let epoch = next_epoch(conn).await.map_err(db)?;
    let orphans = orphans::remove(conn, home, epoch).await;
    if orphans > 0 {
        tracing::info!(orphans, "removed content files that no event names");
    }
    Ok(Taken {
        id,
        home_id,
        epoch,
        gseq,
        anchor: Anchor::open(home).map_err(|e| OpenError::from_io(&e))?,
    })
}

/// The format of a store, 0 for an empty file.
pub(crate) async fn version_of(conn: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let has_table: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_optional(&mut *conn)
            .await?;
    if has_table.is_none() {
        return Ok(0);
    }
    let version: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(conn)
        .await?;
    Ok(version.unwrap_or(0))
}

/// Brings the store to this binary's format, with a backup before.
async fn migrate(conn: &mut SqliteConnection, home: &Path, existed: bool) -> Result<(), OpenError> {
    let known = known_version();
    let found = version_of(conn).await.map_err(|e| OpenError::from_db(&e))?;
    if found > known {
        return Err(OpenError::NewerSchema { found, known });
    }
    if found == known {
        return Ok(());
    }
    if existed && found > 0 {
        backup::before_migration(home, found)
            .await
            .map_err(|e| OpenError::NotWritable {
                what: format!("no backup could be made before the migration: {e}"),
            })?;
    }
    faults::crash_point("store.migrating");
    MIGRATIONS.run(&mut *conn).await.map_err(|e| match e {
        sqlx::migrate::MigrateError::Execute(e) => OpenError::from_db(&e),
        other => OpenError::Damaged {
            what: other.to_string(),
        },
    })
}

async fn check_pages(conn: &mut SqliteConnection, file: &Path) -> Result<(), OpenError> {
    if file.metadata().map_or(0, |m| m.len()) > CHECKED_AT_START {
        return Ok(());
    }
    let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(conn)
        .await
        .map_err(|e| OpenError::from_db(&e))?;
    if found == "ok" {
        Ok(())
    } else {
        Err(OpenError::Damaged { what: found })
    }
}

async fn store_id(conn: &mut SqliteConnection, existed: bool) -> Result<Uuid, OpenError> {
    let db = |e: sqlx::Error| OpenError::from_db(&e);
    let found = read_store_id(conn).await.map_err(db)?;
    if let Some(id) = found {
        return Ok(id);
    }
    if existed && journal::last_gseq(conn).await.map_err(db)? > 0 {
        return Err(OpenError::Damaged {
            what: "its id is missing".to_owned(),
        });
    }
    let id = Uuid::new_v4();
    sqlx::query(
        "INSERT INTO meta (name, value) VALUES ('store_id', ?1), ('home_id', ?1), ('epoch', '0')",
    )
    .bind(id.to_string())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(id)
}

pub(crate) async fn read_store_id(
    conn: &mut SqliteConnection,
) -> Result<Option<Uuid>, sqlx::Error> {
    read_id(conn, "store_id").await
}

async fn read_id(conn: &mut SqliteConnection, name: &str) -> Result<Option<Uuid>, sqlx::Error> {
    let text: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE name = ?")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    Ok(text.and_then(|t| t.parse().ok()))
}

async fn next_epoch(conn: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
    let epoch: String = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'epoch'")
        .fetch_one(&mut *tx)
        .await?;
    let next = epoch.parse::<i64>().unwrap_or(0) + 1;
    sqlx::query("UPDATE meta SET value = ? WHERE name = 'epoch'")
        .bind(next.to_string())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(next)
}

/// Compares the journal's end with the anchor. Returns the newest global position.
pub(crate) async fn check_anchor(
    conn: &mut SqliteConnection,
    id: Uuid,
    anchored: Found,
) -> Result<u64, OpenError> {
    let last = journal::last_gseq(conn)
        .await
        .map_err(|e| OpenError::from_db(&e))?;
    let damaged = |what: &str| OpenError::Damaged {
        what: what.to_owned(),
    };
    let mark = match anchored {
        Found::Mark { mark, .. } => mark,
        Found::None => return Ok(last),
        Found::Unreadable => return Err(damaged("the anchor file is unreadable")),
    };
    if mark.store != id {
        return Err(damaged("the anchor file belongs to another store"));
    }
    if mark.gseq > last {
        return Err(OpenError::LostTail {
            missing: mark.gseq - last,
            run: mark.run,
            seq: mark.seq,
        });
    }
    check_mark(conn, &mark).await.map(|()| last)
}

async fn check_mark(conn: &mut SqliteConnection, mark: &Mark) -> Result<(), OpenError> {
    let event = journal::at(conn, mark.gseq).await.map_err(to_open)?;
    let is_same = event.is_some_and(|e| {
        e.hash == mark.hash && e.stored.run == mark.run && e.stored.entry.seq == mark.seq
    });
    if is_same {
        return Ok(());
    }
    Err(OpenError::Damaged {
        what: format!("event {} is not the one the anchor knows", mark.gseq),
    })
}

fn to_open(error: ReadError) -> OpenError {
    OpenError::Damaged {
        what: error.to_string(),
    }
}

/// Verifies the newest events of runs that may go on.
async fn check_tails(conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let unfinished = runs::unfinished(conn).await.map_err(to_open)?;
    for row in unfinished.iter().rev().take(TAILS) {
        check_tail(conn, row.id, row.head).await.map_err(to_open)?;
    }
    Ok(())
}

async fn check_tail(conn: &mut SqliteConnection, run: RunId, head: u64) -> Result<(), ReadError> {
    let from = head.saturating_sub(u64::from(TAIL)).max(1);
    let events = journal::of_run(conn, run, from, TAIL + 1).await?;
    let mut prev = match (from, events.first()) {
        (1, _) | (_, None) => START,
        (_, Some(first)) => first.prev,
    };
    for event in &events {
        event.verify(&prev)?;
        prev = event.hash;
    }
    let found = events.last().map_or(0, |e| e.stored.entry.seq);
    if found != head {
        return Err(ReadError::Damaged(format!(
            "run {run} ends at position {found} and should end at {head}"
        )));
    }
    Ok(())
}
