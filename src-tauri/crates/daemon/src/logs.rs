//! Program logs: JSON lines in the home's `logs` folder, a file a day, seven kept.

use std::path::Path;

use protocol::ApiError;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;

/// Days of logs that are kept.
const DAYS: usize = 7;

/// Changes what is logged.
pub(crate) type ChangeLog = Box<dyn Fn(&str) + Send + Sync>;

/// Whether this says what is to be logged.
pub(crate) fn is_filter(text: &str) -> bool {
    !text.trim().is_empty() && EnvFilter::try_new(text).is_ok()
}

/// Starts logging. The guard flushes when dropped.
pub(crate) fn start(folder: &Path, level: &str) -> Result<(WorkerGuard, ChangeLog), ApiError> {
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("daemon")
        .filename_suffix("log")
        .max_log_files(DAYS)
        .build(folder)
        .map_err(ApiError::internal)?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    // A second daemon in one process (tests) keeps the first one's subscriber.
    let builder = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_filter_reloading();
    let handle = builder.reload_handle();
    let _ = builder.try_init();
    let change: ChangeLog = Box::new(move |level| {
        if let Ok(filter) = EnvFilter::try_new(level) {
            let _ = handle.reload(filter);
        }
    });
    Ok((guard, change))
}
