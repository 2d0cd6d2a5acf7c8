//! Connections, and the settings that make a commit durable. Each is set and
//! read back: the library takes a misspelt setting without a word.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row, SqliteConnection};

use crate::error::OpenError;

/// The first release of the 3.51 line without the WAL-reset race that corrupts
/// databases (sqlite.org/wal.html).
const OLDEST: (u32, u32, u32) = (3, 51, 3);

/// Journal files are cut to this size after a checkpoint.
const JOURNAL_LIMIT: &str = "67108864";

/// Readers at a time.
const READERS: u32 = 4;

/// What the writer executes, remembered: texts of a dozen statements each
/// ([`crate::script`]), of which the steps of a run are a handful.
const REMEMBERED: usize = 64;

/// The database file of a home.
pub(crate) fn db_path(home: &Path) -> PathBuf {
    home.join("state.db")
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        .pragma("cell_size_check", "ON")
        .pragma("trusted_schema", "OFF")
        .pragma("mmap_size", "0")
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

/// The one connection that writes. Creates the file if there is none.
pub(crate) async fn writer(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let synchronous = if faults::sabotaged("normal_sync") {
        SqliteSynchronous::Normal
    } else {
        SqliteSynchronous::Full
    };
    let is_new = file.metadata().map_or(true, |m| m.len() == 0);
    let mut options = options(file);
    if is_new {
        // Kept in the file. Setting them writes its first page, and a file that may
        // turn out to be damaged is not written before it is checked.
        options = options
            .create_if_missing(true)
            .page_size(8192)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal);
    }
    options = options
        .statement_cache_capacity(REMEMBERED)
        .synchronous(synchronous)
        .pragma("wal_autocheckpoint", "1000")
        .pragma("journal_size_limit", JOURNAL_LIMIT);
    if cfg!(target_os = "macos") {
        options = options
            .pragma("fullfsync", "ON")
            .pragma("checkpoint_fullfsync", "ON");
    }
    options.connect().await
}

/// One connection that can only read.
pub(crate) async fn reader(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    options(file).read_only(true).connect().await
}

/// A pool of connections that can only read.
pub(crate) fn readers(file: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .connect_lazy_with(options(file).read_only(true).pragma("query_only", "ON"))
}

/// Refuses a library that can corrupt the file.
pub(crate) async fn check_version(conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(conn)
        .await
        .map_err(|e| OpenError::from_db(&e))?;
    let mut parts = found.split('.').map(|p| p.parse::<u32>().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    if (part(), part(), part()) < OLDEST {
        return Err(OpenError::SqliteTooOld { found });
    }
    Ok(())
}

/// Reads every setting of the writer's connection back.
pub(crate) async fn check_settings(conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let mut wanted = file_settings();
    if !faults::sabotaged("normal_sync") {
        wanted.push(("synchronous", "PRAGMA synchronous", "2"));
    }
    wanted.extend([
        ("foreign_keys", "PRAGMA foreign_keys", "1"),
        ("busy_timeout", "PRAGMA busy_timeout", "5000"),
        ("cell_size_check", "PRAGMA cell_size_check", "1"),
        ("trusted_schema", "PRAGMA trusted_schema", "0"),
        ("mmap_size", "PRAGMA mmap_size", "0"),
        ("temp_store", "PRAGMA temp_store", "2"),
        ("wal_autocheckpoint", "PRAGMA wal_autocheckpoint", "1000"),
        (
            "journal_size_limit",
            "PRAGMA journal_size_limit",
            JOURNAL_LIMIT,
        ),
    ]);
    if cfg!(target_os = "macos") {
        wanted.push(("fullfsync", "PRAGMA fullfsync", "1"));
        wanted.push(("checkpoint_fullfsync", "PRAGMA checkpoint_fullfsync", "1"));
    }
    compare(conn, &wanted).await
}

/// Reads back the settings that are kept in the file.
pub(crate) async fn check_file_settings(conn: &mut SqliteConnection) -> Result<(), OpenError> {
    compare(conn, &file_settings()).await
}

fn file_settings() -> Vec<(&'static str, &'static str, &'static str)> {
    vec![
        ("page_size", "PRAGMA page_size", "8192"),
        ("auto_vacuum", "PRAGMA auto_vacuum", "2"),
        ("journal_mode", "PRAGMA journal_mode", "wal"),
    ]
}

async fn compare(
    conn: &mut SqliteConnection,
    wanted: &[(&'static str, &'static str, &'static str)],
) -> Result<(), OpenError> {
    for &(name, sql, value) in wanted {
        let row = sqlx::query(sql)
            .fetch_optional(&mut *conn)
            .await
            .map_err(|e| OpenError::from_db(&e))?;
        // A build without memory-mapped files answers nothing to mmap_size, which is as good as 0.
        let found = match row {
            None => "0".to_owned(),
            Some(row) => row
                .try_get::<i64, _>(0)
                .map(|n| n.to_string())
                .or_else(|_| row.try_get::<String, _>(0))
                .map_err(|e| OpenError::from_db(&e))?,
        };
        if found != value {
            return Err(OpenError::PragmaMismatch {
                name,
                found,
                wanted: value.to_owned(),
            });
        }
    }
    Ok(())
}

/// A temporary database without a name, to refold into. One in memory would make
/// whatever is attached to it one in memory too.
pub(crate) async fn scratch() -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename("")
        .disable_statement_logging()
        .connect()
        .await
}

/// A connection to a backup's file, which is no store's own.
pub(crate) async fn plain(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(file)
        .disable_statement_logging()
        .connect()
        .await
}
