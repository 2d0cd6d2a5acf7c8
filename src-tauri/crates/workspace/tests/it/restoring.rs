//! Going back, and forth again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use workspace::{Changed, SnapshotError};

use crate::support::{Place, files, git, read, write};

#[tokio::test]
async fn the_files_are_exactly_those_of_the_snapshot() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "src/lib.rs", "fn two() {}\r\n");
    write(ws.path(), "binary", "\u{0}\u{1}\r\n\n");
    write(ws.path(), "src/deep/er/new.rs", "new\n");
    let wanted = files(ws.path());
    let then = ws.snapshot("then").await.unwrap();

    fs::remove_dir_all(ws.path().join("src")).unwrap();
    write(ws.path(), "src", "a file where a folder was\n");
    fs::remove_file(ws.path().join("binary")).unwrap();
    write(ws.path(), "binary/now/a/folder", "x\n");
    fs::set_permissions(ws.path().join("run.sh"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(ws.path().join("link")).unwrap();
    write(ws.path(), "link", "no link\n");
    write(ws.path(), "later/file", "later\n");
    write(ws.path(), "kept.log", "ignored\n");
    let messy = files(ws.path());

    let restored = ws.restore(&then.id).await.unwrap();
    assert_eq!(restored.tree, then.tree);
    let mut now = files(ws.path());
    assert!(
        now.remove(std::path::Path::new("kept.log")).is_some(),
        "ignored files stay"
    );
    assert_eq!(now, wanted);
    assert!(!ws.path().join("later").exists());

    // Undone.
    ws.restore(&restored.safety.id).await.unwrap();
    assert_eq!(files(ws.path()), messy);
    git(
        &place.home.join(ws.run()).join("snap.git"),
        &["fsck", "--strict"],
    );
}

#[tokio::test]
async fn line_ends_come_back_byte_for_byte_whatever_the_attributes_say() {
    let place = Place::repository();
    place.write(
        ".gitattributes",
        "* text=auto\n*.bat text eol=crlf\n*.sh text eol=lf\n",
    );
    place.write("do.bat", "echo 1\r\n");
    place.commit("attributes");
    let ws = place.clone().await;
    assert_eq!(
        read(ws.path(), "do.bat"),
        "echo 1\r\n",
        "checked out as the attributes ask"
    );
    write(ws.path(), "mixed.txt", "a\r\nb\nc\r\n");
    write(ws.path(), "run.sh", "#!/bin/sh\r\n");
    let snapshot = ws.snapshot("step").await.unwrap();
    write(ws.path(), "mixed.txt", "gone");
    write(ws.path(), "run.sh", "gone");
    write(ws.path(), "do.bat", "gone");
    ws.restore(&snapshot.id).await.unwrap();
    assert_eq!(read(ws.path(), "mixed.txt"), "a\r\nb\nc\r\n");
    assert_eq!(read(ws.path(), "run.sh"), "#!/bin/sh\r\n");
    assert_eq!(read(ws.path(), "do.bat"), "echo 1\r\n");
}

#[tokio::test]
async fn after_going_back_the_next_snapshot_starts_from_there() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "a", "1");
    let one = ws.snapshot("one").await.unwrap();
    write(ws.path(), "a", "2");
    let two = ws.snapshot("two").await.unwrap();
    let restored = ws.restore(&one.id).await.unwrap();
    assert_eq!(restored.safety.id, two.id, "nothing had changed since");
    let same = ws.snapshot("nothing").await.unwrap();
    assert_eq!(
        (same.id.as_str(), same.changed),
        (one.id.as_str(), Changed::No)
    );
    write(ws.path(), "a", "3");
    ws.snapshot("three").await.unwrap();
    ws.restore(&two.id).await.unwrap();
    assert_eq!(read(ws.path(), "a"), "2");
}

#[tokio::test]
async fn an_unknown_snapshot_changes_nothing() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "a", "1");
    let unknown = "0".repeat(40);
    for id in ["HEAD", "--help", "", unknown.as_str()] {
        let error = ws.restore(id).await.unwrap_err();
        assert!(matches!(error, SnapshotError::Unknown(_)), "{error}");
    }
    assert_eq!(read(ws.path(), "a"), "1");
}

#[tokio::test]
async fn a_file_that_became_ignored_is_still_restored() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "notes.tmp", "1\n");
    let one = ws.snapshot("one").await.unwrap();
    write(ws.path(), ".gitignore", "*.tmp\n");
    write(ws.path(), "notes.tmp", "2\n");
    ws.snapshot("two").await.unwrap();
    ws.restore(&one.id).await.unwrap();
    assert_eq!(read(ws.path(), "notes.tmp"), "1\n");
}

#[tokio::test]
async fn an_agent_that_deletes_everything_is_undone() {
    let place = Place::repository();
    let ws = place.clone().await;
    fs::remove_dir_all(ws.root()).unwrap();
    let empty = ws.snapshot("rm -rf").await.unwrap();
    assert_eq!(empty.changed, Changed::Yes);
    ws.restore(ws.base_snapshot()).await.unwrap();
    assert_eq!(files(ws.path()), files(&place.project));
}

#[tokio::test]
async fn an_index_cut_off_by_a_power_loss_is_made_anew() {
    let place = Place::repository();
    let ws = place.clone().await;
    let index = place.home.join(ws.run()).join("snap.git/index");
    for broken in [&b""[..], b"DIRC\0\0"] {
        fs::write(&index, broken).unwrap();
        let same = ws.snapshot("nothing").await.unwrap();
        assert_eq!(
            (same.id.as_str(), same.changed),
            (ws.base_snapshot(), Changed::No)
        );
    }
}
