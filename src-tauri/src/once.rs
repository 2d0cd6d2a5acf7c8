//! What is said once in a home's life.

use std::path::Path;

/// Whether `what` is to be said now. From then on it is not: a mark is left in the file.
/// Where that cannot be written it is rather said again than never.
pub(crate) fn first_time(marks: &Path, what: &str) -> bool {
    let said = std::fs::read_to_string(marks).unwrap_or_default();
    if said.lines().any(|line| line == what) {
        return false;
    }
    if let Some(folder) = marks.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    if let Err(error) = std::fs::write(marks, format!("{said}{what}\n")) {
        tracing::warn!(%error, "what was said cannot be marked");
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let marks = folder.path().join("desktop/said");
        assert!(first_time(&marks, "no-tray"));
        assert!(!first_time(&marks, "no-tray"));
        assert!(first_time(&marks, "another"));
    }
}
