//! Sparse checkouts: a workspace has the files the user's work tree has.
//!
//! The snapshots do not have the others either, so a diff does not show them as
//! deleted, and what is applied leaves them alone.

use std::path::Path;

use crate::clone::{Clone, drop_from_index};
use crate::git::{Call, Git, GitError, zero_separated};
use crate::prepare_error::PrepareError;
use crate::repository::Repository;
use crate::staging::SnapStore;

/// In the snapshot store: the patterns of the user's sparse checkout, if any.
const PATTERNS: &str = "sparse-checkout";
/// In the snapshot store: committed paths without a file, NUL after each.
const ABSENT: &str = "sparse-absent";

/// Keeps the patterns of the user's work tree, if its checkout is sparse.
pub(crate) async fn take_over(
    git: &Git,
    repo: &Repository,
    store: &Path,
) -> Result<(), PrepareError> {
    let ask = Call::new(&repo.top, "config").args(["--type=bool", "--get", "core.sparseCheckout"]);
    let answer = git.ask(ask).await?;
    let patterns = repo.git_dir.join("info/sparse-checkout");
    if answer.stdout.trim_ascii() != b"true" || !patterns.is_file() {
        return Ok(());
    }
    std::fs::copy(&patterns, store.join(PATTERNS))
        .map(drop)
        .map_err(PrepareError::io(&patterns))
}

/// Gives a clone in the making the patterns its store keeps.
pub(crate) fn furnish(store: &Path, git_dir: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    match std::fs::copy(store.join(PATTERNS), git_dir.join("info/sparse-checkout")) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        done => done?,
    };
    let mut config = std::fs::File::options()
        .append(true)
        .open(git_dir.join("config"))?;
    config.write_all(b"[core]\n\tsparseCheckout = true\n")
}

/// Takes what the checkout left out of the snapshot index, and says how many
/// files that are.
pub(crate) async fn drop_absent(clone: &Clone<'_>, store: &SnapStore) -> Result<u64, PrepareError> {
    if !store.dir.join(PATTERNS).is_file() {
        return Ok(0);
    }
    let list = clone.call("ls-files").args(["-t", "-z"]).long();
    let out = clone.git.run(list).await?;
    let absent: Vec<&[u8]> = zero_separated(&out)
        .filter_map(|entry| entry.strip_prefix(b"S "))
        .collect();
    drop_from_index(store, &absent).await?;
    let file = store.dir.join(ABSENT);
    let mut text = absent.join(&0u8);
    text.push(0);
    std::fs::write(&file, text).map_err(PrepareError::io(&file))?;
    Ok(absent.len() as u64)
}

/// Tells the clone of a fork, whose index is whole, which files it does not have.
pub(crate) async fn know_absent(clone: &Clone<'_>, store: &SnapStore) -> Result<(), GitError> {
    let Ok(absent) = std::fs::read(store.dir.join(ABSENT)) else {
        return Ok(());
    };
    let input: Vec<u8> = zero_separated(&absent)
        .flat_map(|path| path.iter().copied().chain([0]))
        .collect();
    if input.is_empty() {
        return Ok(());
    }
    let mark = clone
        .call("update-index")
        .args(["--skip-worktree", "-z", "--stdin"]);
    clone.git.run(mark.input(input)).await.map(drop)
}

/// The files beside which [`ABSENT`] and [`PATTERNS`] lie, for a fork to copy.
pub(crate) const KEPT: [&str; 2] = [PATTERNS, ABSENT];
