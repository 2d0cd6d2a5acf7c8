//! File work off the async threads.

/// Runs `work` on a thread that may block. It is not stopped when the caller is
/// dropped: what it began it finishes.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
