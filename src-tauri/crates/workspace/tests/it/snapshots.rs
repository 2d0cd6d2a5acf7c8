//! What a snapshot holds, and what a diff says.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use workspace::{ChangeStatus, Changed};

use crate::support::{Place, git, read, write};

#[tokio::test]
async fn everything_that_happened_is_recorded() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "untracked/new.txt", "one\ntwo\n");
    fs::remove_file(ws.path().join("README.md")).unwrap();
    fs::set_permissions(ws.path().join("run.sh"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(ws.path().join("link")).unwrap();
    std::os::unix::fs::symlink("run.sh", ws.path().join("link")).unwrap();
    write(ws.path(), "build.log", "ignored\n");
    write(ws.path(), "odd name\n\t\"q\" \u{e9}.txt", "odd\n");
    let snapshot = ws.snapshot("a shell command").await.unwrap();
    assert_eq!(snapshot.changed, Changed::Yes);
    assert_eq!(snapshot.skipped, Vec::<std::path::PathBuf>::new());

    let changes = ws.changed_files(None, Some(&snapshot.id)).await.unwrap();
    let seen: Vec<_> = changes
        .iter()
        .map(|c| (c.path.as_str(), c.status, c.added))
        .collect();
    assert_eq!(
        seen,
        [
            ("README.md", ChangeStatus::Deleted, Some(0)),
            ("link", ChangeStatus::Modified, Some(1)),
            ("odd name\n\t\"q\" \u{e9}.txt", ChangeStatus::Added, Some(1)),
            ("run.sh", ChangeStatus::Modified, Some(0)),
            ("untracked/new.txt", ChangeStatus::Added, Some(2)),
        ]
    );
    let diff = ws.diff(None, Some(&snapshot.id)).await.unwrap();
    assert!(diff.contains("deleted file mode 100644"), "{diff}");
    assert!(diff.contains("old mode 100755\nnew mode 100644"), "{diff}");
    assert!(diff.contains("+two"), "{diff}");
    assert!(!diff.contains("build.log"), "{diff}");
}

#[tokio::test]
async fn nothing_changed_is_the_snapshot_before() {
    let place = Place::repository();
    let ws = place.clone().await;
    let same = ws.snapshot("nothing").await.unwrap();
    assert_eq!(
        (same.id.as_str(), same.changed),
        (ws.base_snapshot(), Changed::No)
    );
    write(ws.path(), "a", "1");
    let one = ws.snapshot("one").await.unwrap();
    let two = ws.snapshot("two").await.unwrap();
    assert_eq!((one.changed, two.changed), (Changed::Yes, Changed::No));
    assert_eq!((&one.id, &one.tree), (&two.id, &two.tree));
    // Ignored files and commits of the agent are no change of the files.
    write(ws.path(), "target/x.o", "1");
    git(ws.path(), &["add", "-A"]);
    git(ws.path(), &["commit", "-q", "-m", "the agent's"]);
    assert_eq!(ws.snapshot("three").await.unwrap().id, one.id);
    // Looking is no change either.
    write(ws.path(), "b", "1");
    ws.diff(None, None).await.unwrap();
    fs::remove_file(ws.path().join("b")).unwrap();
    assert_eq!(ws.snapshot("four").await.unwrap().id, one.id);
}

#[tokio::test]
async fn what_was_looked_at_first_is_still_recorded() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "a", "1\n");
    assert!(ws.diff(None, None).await.unwrap().contains("+1"));
    assert_eq!(ws.changed_files(None, None).await.unwrap().len(), 1);
    assert_eq!(ws.snapshot("step").await.unwrap().changed, Changed::Yes);
}

#[tokio::test]
async fn a_same_sized_change_in_the_same_instant_is_seen() {
    let place = Place::repository();
    let ws = place.clone().await;
    let file = ws.path().join("README.md");
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, "# PROJECT\n").unwrap();
    fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_modified(time)
        .unwrap();
    assert_eq!(ws.snapshot("step").await.unwrap().changed, Changed::Yes);
}

#[tokio::test]
async fn a_repository_inside_is_recorded_file_by_file() {
    let place = Place::repository();
    let ws = place.clone().await;
    let inner = ws.path().join("made/inner");
    write(&inner, "file", "1\n");
    write(&inner, "target/ignored", "by the .gitignore above\n");
    git(&inner, &["init", "-q"]);
    let unborn = ws.snapshot("a repository without commit").await.unwrap();
    git(&inner, &["add", "-A"]);
    git(&inner, &["commit", "-q", "-m", "inner"]);
    assert_eq!(
        ws.snapshot("its history is not ours").await.unwrap().id,
        unborn.id
    );
    write(&inner, "file", "2\n");
    write(&inner, "more", "3\n");
    let changed = ws.snapshot("changed inside").await.unwrap();
    let paths = |list: Vec<workspace::ChangedFile>| -> Vec<String> {
        list.into_iter().map(|c| c.path).collect()
    };
    let first = paths(ws.changed_files(None, Some(&unborn.id)).await.unwrap());
    assert_eq!(first, ["made/inner/file"]);
    let second = paths(
        ws.changed_files(Some(&unborn.id), Some(&changed.id))
            .await
            .unwrap(),
    );
    assert_eq!(second, ["made/inner/file", "made/inner/more"]);
}

#[tokio::test]
async fn a_folder_swapped_for_a_link_is_recorded_as_one() {
    let place = Place::repository();
    write(&place.outside, "lib.rs", "secret\n");
    let ws = place.clone().await;
    fs::remove_dir_all(ws.path().join("src")).unwrap();
    std::os::unix::fs::symlink(&place.outside, ws.path().join("src")).unwrap();
    let snapshot = ws.snapshot("swapped").await.unwrap();
    let diff = ws.diff(None, Some(&snapshot.id)).await.unwrap();
    assert!(!diff.contains("secret"), "{diff}");
    assert!(diff.contains("new file mode 120000"), "{diff}");
    ws.restore(ws.base_snapshot()).await.unwrap();
    assert_eq!(
        fs::read_to_string(place.outside.join("lib.rs")).unwrap(),
        "secret\n"
    );
    assert_eq!(
        fs::read_to_string(ws.path().join("src/lib.rs")).unwrap(),
        "fn one() {}\n"
    );
}

#[tokio::test]
async fn what_git_cannot_hold_does_not_stop_the_rest() {
    let place = Place::repository();
    let ws = place.clone().await;
    fs::remove_file(ws.path().join("run.sh")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        ws.path().join("run.sh"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    write(ws.path(), ".GIT/config", "[core]\n");
    write(ws.path(), "back\\slash", "1\n");
    write(ws.path(), "git~1", "1\n");
    let snapshot = ws.snapshot("strange").await.unwrap();
    assert_eq!(snapshot.skipped, [Path::new(".GIT/config")]);
    let changes = ws.changed_files(None, Some(&snapshot.id)).await.unwrap();
    let paths: Vec<_> = changes.iter().map(|c| c.path.as_str()).collect();
    assert_eq!(paths, ["back\\slash", "git~1", "run.sh"]);
}

#[tokio::test]
async fn a_lock_left_by_a_killed_git_does_not_last() {
    let place = Place::repository();
    let ws = place.clone().await;
    fs::write(place.home.join(ws.run()).join("snap.git/index.lock"), "").unwrap();
    write(ws.path(), "a", "1");
    assert_eq!(ws.snapshot("step").await.unwrap().changed, Changed::Yes);
}

#[tokio::test]
async fn in_place_and_copied_projects_have_snapshots_outside() {
    let place = Place::repository();
    place.write("mine.txt", "uncommitted\n");
    let before = git(&place.project, &["status", "--porcelain"]);
    let ws = place.in_place().await;
    assert_eq!(ws.path(), place.project);
    write(ws.path(), "mine.txt", "the agent's\n");
    ws.snapshot("step").await.unwrap();
    ws.restore(ws.base_snapshot()).await.unwrap();
    assert_eq!(
        fs::read_to_string(place.project.join("mine.txt")).unwrap(),
        "uncommitted\n"
    );
    assert_eq!(git(&place.project, &["status", "--porcelain"]), before);
    place.workspaces.discard(ws.run()).await.unwrap();
    assert!(place.project.join("README.md").exists());
}

#[tokio::test]
async fn a_subfolder_in_place_is_all_that_is_recorded_and_restored() {
    let place = Place::repository();
    let project = place.project.join("src");
    let ws = place
        .workspaces
        .prepare("sub", &project, workspace::Mode::InPlace)
        .await
        .unwrap();
    place.write("README.md", "# the user works on\n");
    place.write("src/lib.rs", "fn two() {}\n");
    place.write("src/target/x", "ignored by the .gitignore above\n");
    let changes = ws.changed_files(None, None).await.unwrap();
    let paths: Vec<_> = changes.iter().map(|c| c.path.as_str()).collect();
    assert_eq!(paths, ["src/lib.rs"]);
    ws.restore(ws.base_snapshot()).await.unwrap();
    assert_eq!(
        fs::read_to_string(place.project.join("README.md")).unwrap(),
        "# the user works on\n"
    );
    assert_eq!(
        fs::read_to_string(project.join("lib.rs")).unwrap(),
        "fn one() {}\n"
    );
}

#[tokio::test]
async fn a_repository_where_a_file_was_is_recorded_at_once() {
    let place = Place::repository();
    let ws = place.clone().await;
    for (path, committed) in [("README.md", false), ("run.sh", true)] {
        let inner = ws.path().join(path);
        fs::remove_file(&inner).unwrap();
        write(&inner, "inner.txt", "inner\n");
        git(&inner, &["init", "-q"]);
        if committed {
            git(&inner, &["add", "-A"]);
            git(&inner, &["commit", "-q", "-m", "inner"]);
        }
    }
    let wanted = crate::support::files(ws.path());
    let made = ws.snapshot("swapped").await.unwrap();
    assert_eq!(ws.snapshot("again").await.unwrap().id, made.id);
    ws.restore(ws.base_snapshot()).await.unwrap();
    assert_eq!(read(ws.path(), "run.sh"), "#!/bin/sh\necho run\n");
    ws.restore(&made.id).await.unwrap();
    assert_eq!(crate::support::files(ws.path()), wanted);
}

fn loose_objects(store: &std::path::Path) -> usize {
    std::fs::read_dir(store.join("objects"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().len() == 2)
        .map(|path| std::fs::read_dir(path).unwrap().count())
        .sum()
}

#[tokio::test]
async fn long_runs_do_not_leave_thousands_of_loose_objects() {
    let place = Place::repository();
    let ws = place.clone().await;
    let store = place.home.join(ws.run()).join("snap.git");
    let mut made = Vec::new();
    let mut most = 0;
    for n in 0..30 {
        for file in 0..60 {
            write(ws.path(), &format!("d{file}/f"), &format!("{n} {file}\n"));
        }
        made.push(ws.snapshot("step").await.unwrap());
        most = most.max(loose_objects(&store));
    }
    // 122 a step: a blob and a folder for each file, the top, the snapshot.
    assert!(most > 2_000 && most < 2_000 + 51 * 122, "{most} at most");
    assert!(loose_objects(&store) < 1_000, "packed in between");
    assert_eq!(ws.snapshot("nothing").await.unwrap().changed, Changed::No);
    for n in [0, 14, 29] {
        ws.restore(&made[n].id).await.unwrap();
        assert_eq!(read(ws.path(), "d7/f"), format!("{n} 7\n"));
    }
    // History the clone borrows is still there.
    git(ws.path(), &["fsck", "--strict"]);
    git(&store, &["fsck", "--strict"]);
}
