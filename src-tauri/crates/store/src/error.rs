//! What can go wrong, by what the caller can do about it.

use domain::{BlobRef, Illegal, ReviewId, RunId};

/// Why the store could not be opened. The daemon then starts in maintenance mode.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What was recorded and what is found differ.
    #[error("the store is damaged: {what}")]
    Damaged {
        /// In words.
        what: String,
    },
    /// A newer Longhaul has used this home.
    #[error(
        "the store was last used by a newer Longhaul (its format is {found}, this one knows {known})"
    )]
    NewerSchema {
        /// The format found.
        found: i64,
        /// The newest this binary knows.
        known: i64,
    },
    /// The anchor knows of events that the journal no longer has.
    #[error(
        "the end of the journal is missing: {missing} recorded event(s) are gone, the last of run {run} at position {seq}"
    )]
    LostTail {
        /// How many events are missing.
        missing: u64,
        /// The run of the last one.
        run: RunId,
        /// Its position there.
        seq: u64,
    },
    /// A durability setting did not take effect.
    #[error("the store's setting '{name}' is '{found}' and must be '{wanted}'")]
    PragmaMismatch {
        /// The setting.
        name: &'static str,
        /// Its value.
        found: String,
        /// The value it must have.
        wanted: String,
    },
    /// The database library can corrupt data.
    #[error("the database library is {found}; at least 3.51.3 is needed")]
    SqliteTooOld {
        /// Its version.
        found: String,
    },
    /// The home cannot be written.
    #[error("the home cannot be written: {what}")]
    NotWritable {
        /// In words.
        what: String,
    },
    /// No space is left.
    #[error("the disk is full: {what}")]
    DiskFull {
        /// In words.
        what: String,
    },
    /// Another process holds the database.
    #[error("another program keeps the store locked: {what}")]
    Locked {
        /// In words.
        what: String,
    },
    /// There is nothing to open.
    #[error("there is no store in {home}")]
    Missing {
        /// The folder looked at.
        home: String,
    },
}

impl OpenError {
    /// What the user can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Damaged { .. } | Self::LostTail { .. } => {
                "Run `longhaul doctor` to see what is affected, then `longhaul restore` with a backup; the damaged files are kept."
            }
            Self::NewerSchema { .. } => "Install the newer Longhaul again.",
            Self::PragmaMismatch { .. } | Self::SqliteTooOld { .. } => {
                "Install Longhaul again; this build must not write."
            }
            Self::NotWritable { .. } => "Check the folder's owner and permissions.",
            Self::DiskFull { .. } => "Free some space, then start Longhaul again.",
            Self::Locked { .. } => {
                "Close other programs that have the file open, then start Longhaul again."
            }
            Self::Missing { .. } => "Start Longhaul once, or check LONGHAUL_HOME.",
        }
    }

    /// A code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => "store_damaged",
            Self::NewerSchema { .. } => "store_newer",
            Self::LostTail { .. } => "store_lost_tail",
            Self::PragmaMismatch { .. } => "store_settings",
            Self::SqliteTooOld { .. } => "store_library",
            Self::NotWritable { .. } => "store_not_writable",
            Self::DiskFull { .. } => "disk_full",
            Self::Locked { .. } => "store_locked",
            Self::Missing { .. } => "store_missing",
        }
    }
}

/// Why nothing was recorded.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The events cannot follow: look at the run again.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// Something was recorded since the expected head: look at the run again.
    #[error("the run has moved on to position {head}")]
    Conflict {
        /// Where it is now.
        head: u64,
    },
    /// There is no such run.
    #[error("there is no run {0}")]
    Unknown(RunId),
    /// There is such a run already.
    #[error("run {0} exists already")]
    Exists(RunId),
    /// An event refers to content that is not stored.
    #[error("the content {0} is not stored")]
    MissingBlob(BlobRef),
    /// A review's id was used before; every review has one of its own.
    #[error("review {0} was requested before")]
    Repeated(ReviewId),
    /// What is recorded of this run cannot be trusted, so nothing may follow it.
    #[error("the run is damaged: {0}")]
    Damaged(String),
    /// See [`WriteError`].
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why a write failed that was not itself wrong.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// Another daemon owns this home now: stop.
    #[error("another Longhaul daemon has taken over this home")]
    Fenced,
    /// Nothing was recorded; it may be tried again when there is space.
    #[error("the disk is full; nothing was recorded")]
    DiskFull,
    /// Whether earlier writes are durable is no longer certain: stop.
    #[error("the store can no longer be written: {0}")]
    Broken(String),
    /// Nothing was recorded.
    #[error("the store could not record this: {0}")]
    Failed(String),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// Why something could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// What was recorded and what is found differ.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// There is no such content.
    #[error("the content {0} is not stored")]
    NoBlob(BlobRef),
    /// No space is left for what reading needs.
    #[error("the disk is full")]
    DiskFull,
    /// It could not be read now.
    #[error("the store could not be read: {0}")]
    Failed(String),
}

/// Why no backup was made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is not a usable backup.
    #[error("{file} is not a usable backup: {why}")]
    Unusable {
        /// The file.
        file: String,
        /// In words.
        why: String,
    },
    /// It was made by a newer Longhaul.
    #[error("{file} was made by a newer Longhaul (format {found}, this one knows {known})")]
    Newer {
        /// The file.
        file: String,
        /// Its format.
        found: i64,
        /// The newest known.
        known: i64,
    },
    /// A daemon is using the home.
    #[error(transparent)]
    InUse(#[from] crate::OwnedBy),
    /// It could not be written.
    #[error("the backup could not be written: {0}")]
    Failed(String),
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        if is_corrupt(&error) {
            Self::Damaged(error.to_string())
        } else if is_full(&error) {
            Self::DiskFull
        } else {
            Self::Failed(error.to_string())
        }
    }
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(format!("a row does not read back: {error}"))
    }
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<std::io::Error> for BackupError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The primary result code of a database error (sqlite.org/rescode.html).
pub(crate) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// SQLITE_CORRUPT (11), SQLITE_NOTADB (26).
pub(crate) fn is_corrupt(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(11 | 26))
}

/// SQLITE_FULL (13).
pub(crate) fn is_full(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(13)
}

impl OpenError {
    /// What a database error while opening means to the user.
    pub(crate) fn from_db(error: &sqlx::Error) -> Self {
        let what = error.to_string();
        match primary_code(error) {
            Some(5 | 6) => Self::Locked { what },
            Some(13) => Self::DiskFull { what },
            Some(3 | 8 | 14 | 23) => Self::NotWritable { what },
            _ => Self::Damaged { what },
        }
    }

    /// What an I/O error while opening means to the user.
    pub(crate) fn from_io(error: &std::io::Error) -> Self {
        let what = error.to_string();
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { what }
            }
            _ => Self::NotWritable { what },
        }
    }
}

impl WriteError {
    pub(crate) fn from_db(error: &sqlx::Error) -> Self {
        if is_full(error) {
            Self::DiskFull
        } else {
            Self::Failed(error.to_string())
        }
    }

    pub(crate) fn from_io(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        Self::from_db(&error)
    }
}

impl From<sqlx::Error> for AppendError {
    fn from(error: sqlx::Error) -> Self {
        Self::Write(WriteError::from_db(&error))
    }
}

impl From<ReadError> for AppendError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged(why) => Self::Damaged(why),
            ReadError::NoBlob(name) => Self::MissingBlob(name),
            ReadError::DiskFull => Self::Write(WriteError::DiskFull),
            ReadError::Failed(why) => Self::Write(WriteError::Failed(why)),
        }
    }
}
