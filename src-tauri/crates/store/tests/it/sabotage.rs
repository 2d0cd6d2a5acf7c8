//! Tests with teeth: with an invariant switched off, what guards it must notice.

use std::path::Path;
use std::process::{Command, Stdio};

use domain::Event;

use crate::home::{open, started};

/// Runs another test of this binary, with an invariant broken.
fn passes(test: &str, broken: Option<&str>) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", test]).stdout(Stdio::null());
    if let Some(broken) = broken {
        child.env("LONGHAUL_SABOTAGE", broken);
    }
    child.stderr(Stdio::null()).status().unwrap().success()
}

#[test]
fn a_writer_that_ignores_its_epoch_is_caught() {
    let test = "recording::a_superseded_owner_cannot_write_and_says_so";
    assert!(passes(test, None));
    assert!(!passes(test, Some("no_fencing")), "nobody noticed");
}

#[test]
fn a_lease_that_is_given_to_everybody_is_caught() {
    let test = "leases::no_two_valid_tokens_on_folders_that_overlap";
    assert!(!passes(test, Some("no_lease")), "nobody noticed");
}

const HOME: &str = "LONGHAUL_TEST_STORE_SYNCS";

/// Commits that are acknowledged one by one.
const COMMITS: usize = 60;

/// Not a test by itself: the process whose calls [`every_commit_is_synced`] counts.
#[tokio::test]
async fn child_committer() {
    let Some(home) = std::env::var_os(HOME) else {
        return;
    };
    let store = open(Path::new(&home)).await;
    let run = started(&store).await;
    for n in 0..COMMITS {
        let note = Event::Noted {
            text: format!("note {n}"),
        };
        store
            .append(run, None, vec![note], Vec::new())
            .await
            .unwrap();
    }
    store.close().await;
}

/// How often the child synced the journal's log, and whether it could be seen at all.
fn syncs(broken: Option<&str>) -> Option<usize> {
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join("calls");
    let mut child = Command::new("strace");
    child
        .args(["-f", "-y", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(&log)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "sabotage::child_committer"])
        .env(HOME, home.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(broken) = broken {
        child.env("LONGHAUL_SABOTAGE", broken);
    }
    if !child.status().is_ok_and(|status| status.success()) {
        return None;
    }
    let log = std::fs::read_to_string(log).ok()?;
    Some(log.lines().filter(|l| l.contains("state.db-wal>")).count())
}

#[test]
fn every_commit_is_synced() {
    let (Some(sound), Some(broken)) = (syncs(None), syncs(Some("normal_sync"))) else {
        eprintln!("SKIPPED: strace cannot be used here, so syncs were not counted");
        return;
    };
    eprintln!("syncs: {sound} for {COMMITS} commits, {broken} when switched off");
    assert!(sound >= COMMITS, "{sound}");
    assert!(broken < COMMITS, "nobody noticed: {broken}");
}
