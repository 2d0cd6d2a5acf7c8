//! A process killed at each crash point leaves something the next one copes with.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use workspace::{Changed, Mode, Workspaces, World};

use crate::support::{Place, RUN, files, git, read, write};

/// What the process that is to die does; run by [`die_at`] only.
#[tokio::test]
#[ignore = "started by the other tests of this file, to be killed"]
async fn child() {
    let Ok(top) = std::env::var("LONGHAUL_TEST_TOP") else {
        return;
    };
    let top = Path::new(&top);
    let workspaces = Workspaces::new(top.join("home"));
    let ws = workspaces
        .prepare(RUN, &top.join("project"), Mode::Clone)
        .await
        .unwrap();
    let planned = ws.plan_write("src/lib.rs", b"fn two() {}\n").await.unwrap();
    std::fs::write(
        top.join("planned.json"),
        serde_json::to_vec(&planned).unwrap(),
    )
    .unwrap();
    ws.perform(&planned, b"fn two() {}\n").await.unwrap();
    let step = ws.snapshot("step").await.unwrap();
    workspaces.prepare_fork(FORK, RUN, &step.id).await.unwrap();
}

const FORK: &str = "fork";

fn die_at(place: &Place, point: &str) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "crashes::child"])
        .env("LONGHAUL_TEST_TOP", place.home.parent().unwrap())
        .env("LONGHAUL_CRASH_AT", point)
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(9), "{point} was not reached");
}

#[tokio::test]
async fn killed_while_preparing() {
    for point in ["workspace.clone_made", "workspace.marked"] {
        let place = Place::repository();
        die_at(&place, point);
        let ws = place.clone().await;
        assert_eq!(files(ws.path()), files(&place.project), "{point}");
        assert_eq!(
            ws.snapshot("nothing").await.unwrap().changed,
            Changed::No,
            "{point}"
        );
        git(ws.path(), &["fsck", "--strict"]);
    }
}

#[tokio::test]
async fn killed_in_the_first_snapshot_of_all() {
    let place = Place::repository();
    die_at(&place, "workspace.snapshot_committed");
    assert!(
        place.workspaces.open(RUN).await.unwrap().is_none(),
        "not whole"
    );
    let ws = place.clone().await;
    assert_eq!(files(ws.path()), files(&place.project));
}

#[tokio::test]
async fn killed_while_writing() {
    let cases = [
        ("workspace.write_temp", World::Before),
        ("workspace.write_renamed", World::After),
    ];
    for (point, world) in cases {
        let place = Place::repository();
        die_at(&place, point);
        let ws = place.clone().await;
        let text = std::fs::read(place.home.parent().unwrap().join("planned.json")).unwrap();
        let planned = serde_json::from_slice(&text).unwrap();
        assert_eq!(ws.probe(&planned).await.unwrap(), world, "{point}");
        let expected = if world == World::Before {
            Changed::No
        } else {
            Changed::Yes
        };
        let between = ws.snapshot("what is there").await.unwrap();
        assert_eq!(between.changed, expected, "a temporary file is no change");
        ws.perform(&planned, b"fn two() {}\n").await.unwrap();
        assert_eq!(read(ws.path(), "src/lib.rs"), "fn two() {}\n");
        assert_eq!(
            std::fs::read_dir(ws.path().join("src")).unwrap().count(),
            1,
            "{point}"
        );
    }
}

#[tokio::test]
async fn killed_right_after_a_snapshot() {
    let place = Place::repository();
    // The first is snapshot 0.
    die_at(&place, "workspace.snapshot_committed#2");
    let ws = place.clone().await;
    let found = ws.snapshot("again").await.unwrap();
    assert_eq!(found.changed, Changed::No, "it was recorded");
    write(ws.path(), "src/lib.rs", "fn three() {}\n");
    ws.restore(&found.id).await.unwrap();
    assert_eq!(read(ws.path(), "src/lib.rs"), "fn two() {}\n");
}

#[tokio::test]
async fn killed_while_forking() {
    let points = [
        "workspace.fork_linked",
        // The first of each is the parent's.
        "workspace.clone_made#2",
        "workspace.marked#2",
    ];
    for point in points {
        let place = Place::repository();
        die_at(&place, point);
        let parent = place.clone().await;
        let step = parent.snapshot("the same").await.unwrap();
        let whole = place.workspaces.open(FORK).await.unwrap().is_some();
        assert_eq!(whole, point == "workspace.marked#2", "{point}");
        let fork = place.workspaces.prepare_fork(FORK, RUN, &step.id);
        let fork = fork.await.unwrap();
        assert_eq!(files(fork.path()), files(parent.path()), "{point}");
        assert_eq!(read(fork.path(), "src/lib.rs"), "fn two() {}\n");
        git(fork.path(), &["fsck", "--strict"]);
    }
}

#[tokio::test]
async fn locks_of_a_killed_git_do_not_stop_snapshots() {
    let place = Place::repository();
    let ws = place.clone().await;
    let store = place.home.join(RUN).join("snap.git");
    assert!(store.is_dir(), "{}", store.display());
    for name in ["index", "HEAD", "refs/heads/snapshots"] {
        std::fs::write(store.join(format!("{name}.lock")), "").unwrap();
    }
    write(ws.path(), "src/lib.rs", "fn four() {}\n");
    assert_eq!(ws.snapshot("step").await.unwrap().changed, Changed::Yes);
}
