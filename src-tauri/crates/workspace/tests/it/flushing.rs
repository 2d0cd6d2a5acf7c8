//! A new workspace is used before its files are on the disk. The machine may go down then.

use std::fs;
use std::path::Path;

use workspace::{Mode, PrepareError, Workspace, Workspaces};

use crate::support::{Place, RUN, git, read, write};

fn marker(place: &Place) -> serde_json::Value {
    let text = fs::read_to_string(place.home.join(RUN).join("workspace.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// As if the files had not reached the disk before this boot of the machine was over.
fn unflushed(place: &Place, boot: &str) {
    let mut marker = marker(place);
    marker["unflushed"] = boot.into();
    let file = place.home.join(RUN).join("workspace.json");
    fs::write(file, marker.to_string()).unwrap();
}

/// By a daemon that was started anew.
async fn found(place: &Place) -> Result<Workspace, PrepareError> {
    Workspaces::new(place.home.clone())
        .prepare(RUN, &place.project, Mode::Clone)
        .await
}

/// What a power loss leaves of a file that was not flushed.
fn tear(ws: &Path) {
    write(ws, "src/lib.rs", "");
    fs::remove_file(ws.join("run.sh")).unwrap();
    let index = ws
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("snap.git/index");
    write(index.parent().unwrap(), "index", "");
}

#[tokio::test]
async fn a_workspace_torn_by_a_power_loss_is_made_again_from_the_same_commit() {
    let place = Place::repository();
    let ws = place.clone().await;
    ws.settled().await.unwrap();
    assert!(marker(&place).get("unflushed").is_none());
    let (base, first) = (
        ws.base_commit().unwrap().to_owned(),
        ws.base_snapshot().to_owned(),
    );
    place.write("src/lib.rs", "fn newer() {}\n");
    place.commit("meanwhile");

    tear(ws.path());
    unflushed(&place, "a boot that is over");
    drop(ws);
    let ws = found(&place).await.unwrap();
    assert_eq!(ws.base_commit(), Some(base.as_str()));
    assert_eq!(ws.base_snapshot(), first);
    assert_eq!(read(ws.path(), "src/lib.rs"), "fn one() {}\n");
    assert!(ws.path().join("run.sh").exists());
    git(ws.path(), &["fsck", "--strict"]);
    assert_eq!(git(ws.path(), &["rev-parse", "HEAD"]), base);
}

#[tokio::test]
async fn one_that_cannot_be_made_again_as_it_was_is_refused() {
    let place = Place::repository();
    let ws = place.clone().await;
    ws.settled().await.unwrap();
    let mut other = marker(&place);
    other["unflushed"] = "a boot that is over".into();
    other["base_snapshot"] = "0123456789012345678901234567890123456789".into();
    let file = place.home.join(RUN).join("workspace.json");
    fs::write(file, other.to_string()).unwrap();
    drop(ws);
    let refused = found(&place).await.map(|ws| ws.path().to_owned());
    assert!(matches!(refused, Err(PrepareError::Torn(_))), "{refused:?}");
}

#[tokio::test]
async fn while_the_machine_is_up_a_killed_daemon_loses_nothing() {
    let place = Place::repository();
    let ws = place.clone().await;
    ws.settled().await.unwrap();
    write(ws.path(), "work", "done\n");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    unflushed(&place, boot.trim());
    drop(ws);
    let ws = found(&place).await.unwrap();
    assert_eq!(read(ws.path(), "work"), "done\n");
    ws.snapshot("work").await.unwrap();
    assert!(
        marker(&place).get("unflushed").is_none(),
        "before anything is recorded"
    );
}

#[tokio::test]
async fn a_discard_leaves_nothing_that_is_flushed_later() {
    let place = Place::repository();
    for _ in 0..20 {
        let ws = place.clone().await;
        place.workspaces.discard(RUN).await.unwrap();
        ws.settled().await.unwrap();
        assert!(!place.home.join(RUN).exists());
    }
}
