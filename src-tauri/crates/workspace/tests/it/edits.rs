//! Writes that can be told to have happened or not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use workspace::{PlannedWrite, World, WriteError};

use crate::support::{Place, read, write};

#[tokio::test]
async fn each_world_is_told_apart() {
    let place = Place::repository();
    let ws = place.clone().await;
    for path in ["README.md", "brand/new/file.txt"] {
        let planned = ws.plan_write(path, b"after\n").await.unwrap();
        let text = serde_json::to_string(&planned).unwrap();
        let planned: PlannedWrite = serde_json::from_str(&text).unwrap();
        assert_eq!(ws.probe(&planned).await.unwrap(), World::Before, "{path}");
        ws.perform(&planned, b"after\n").await.unwrap();
        assert_eq!(ws.probe(&planned).await.unwrap(), World::After, "{path}");
        assert_eq!(read(ws.path(), path), "after\n");
        ws.perform(&planned, b"after\n").await.unwrap();
        write(ws.path(), path, "somebody else's\n");
        assert_eq!(ws.probe(&planned).await.unwrap(), World::Neither, "{path}");
        let error = ws.perform(&planned, b"after\n").await.unwrap_err();
        assert!(matches!(error, WriteError::Changed(_)), "{error}");
        assert_eq!(
            read(ws.path(), path),
            "somebody else's\n",
            "nothing is lost"
        );
        fs::remove_file(ws.path().join(path)).unwrap();
        fs::create_dir(ws.path().join(path)).unwrap();
        assert_eq!(
            ws.probe(&planned).await.unwrap(),
            World::Neither,
            "a folder now"
        );
        fs::remove_dir(ws.path().join(path)).unwrap();
    }
}

#[tokio::test]
async fn permissions_are_kept_and_nothing_is_left_beside() {
    let place = Place::repository();
    let ws = place.clone().await;
    let script = ws.path().join("run.sh");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o750)).unwrap();
    let planned = ws.plan_write("run.sh", b"#!/bin/sh\n").await.unwrap();
    ws.perform(&planned, b"#!/bin/sh\n").await.unwrap();
    assert_eq!(
        fs::metadata(&script).unwrap().permissions().mode() & 0o7777,
        0o750
    );
    let hidden = fs::read_dir(ws.path())
        .unwrap()
        .filter(|e| {
            e.as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .contains("longhaul-tmp")
        })
        .count();
    assert_eq!(hidden, 0);
}

#[tokio::test]
async fn other_bytes_than_planned_are_refused() {
    let place = Place::repository();
    let ws = place.clone().await;
    let planned = ws.plan_write("README.md", b"planned").await.unwrap();
    let error = ws.perform(&planned, b"something else").await.unwrap_err();
    assert!(matches!(error, WriteError::OtherBytes(_)), "{error}");
    assert_eq!(read(ws.path(), "README.md"), "# project\n");
}

#[tokio::test]
async fn a_write_that_changes_nothing_has_happened() {
    let place = Place::repository();
    let ws = place.clone().await;
    let planned = ws.plan_write("README.md", b"# project\n").await.unwrap();
    assert_eq!(ws.probe(&planned).await.unwrap(), World::After);
}

#[tokio::test]
async fn long_files_are_read_as_far_as_asked() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "long", &"x".repeat(1000));
    let read = ws.read_file("long", 10).await.unwrap();
    assert_eq!(
        (read.bytes.len(), read.size, read.is_cut()),
        (10, 1000, true)
    );
    let read = ws.read_file("long", 1000).await.unwrap();
    assert_eq!((read.bytes.len(), read.is_cut()), (1000, false));
}
