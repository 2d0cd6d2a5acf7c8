//! What the user did meanwhile stands against a run's work.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use workspace::{ConflictKind, PathOutcome, Resolution, TakenSide};

use crate::applying::{Asked, CHANGES, ask, conflicts, done, what};
use crate::support::{Place, fingerprint, git, read, write};

#[tokio::test]
async fn each_conflict_is_found_and_nothing_is_touched() {
    let place = Place::repository();
    for name in [
        "lines",
        "binary",
        "deleted-by-me",
        "deleted-by-run",
        "now-folder",
        "linked",
    ] {
        place.write(name, "one\ntwo\nthree\n");
    }
    place.write("now-below/file", "1\n");
    place.commit("more");
    let ws = place.clone().await;
    let run = ws.path();
    write(run, "lines", "one\nTWO\nthree\n");
    write(run, "binary", "\0run");
    write(run, "deleted-by-me", "changed\n");
    fs::remove_file(run.join("deleted-by-run")).unwrap();
    write(run, "now-folder", "changed\n");
    write(run, "linked", "changed\n");
    write(run, "now-below/file", "2\n");
    write(run, "added", "the run's\n");
    write(run, "target.log/x", "the run's\n");
    write(run, "fine", "fine\n");
    fs::write(run.join(".gitignore"), "target/\n").unwrap();

    place.write("lines", "one\nzwei\nthree\n");
    place.write("binary", "\0mine");
    fs::remove_file(place.project.join("deleted-by-me")).unwrap();
    place.write("deleted-by-run", "changed\n");
    fs::remove_file(place.project.join("now-folder")).unwrap();
    place.write("now-folder/mine", "mine\n");
    fs::remove_file(place.project.join("linked")).unwrap();
    symlink("lines", place.project.join("linked")).unwrap();
    fs::remove_dir_all(place.project.join("now-below")).unwrap();
    symlink(&place.outside, place.project.join("now-below")).unwrap();
    fs::write(place.outside.join("file"), "1\n").unwrap();
    place.write("added", "mine\n");
    // Ignored where the user is: still theirs.
    place.write("target.log", "mine\n");
    let before = fingerprint(&place.project);

    let found = conflicts(ask(&ws, CHANGES).await);

    // git itself dates an object anew that is stored again; no other file.
    let users = |all: std::collections::BTreeMap<PathBuf, String>| -> Vec<(PathBuf, String)> {
        all.into_iter()
            .filter(|(path, _)| !path.starts_with(".git/objects"))
            .collect()
    };
    assert_eq!(
        users(fingerprint(&place.project)),
        users(before),
        "nothing was touched"
    );
    let kind = |path: &str| {
        let one = found.paths.iter().find(|p| p.path == path);
        one.unwrap_or_else(|| panic!("{path} in {found:?}")).kind
    };
    assert_eq!(kind("lines"), ConflictKind::Lines);
    assert_eq!(kind("binary"), ConflictKind::Binary);
    assert_eq!(kind("deleted-by-me"), ConflictKind::DeletedByYou);
    assert_eq!(kind("deleted-by-run"), ConflictKind::DeletedByRun);
    assert_eq!(kind("now-folder"), ConflictKind::InTheWay);
    assert_eq!(kind("now-below/file"), ConflictKind::InTheWay);
    assert_eq!(kind("linked"), ConflictKind::Link);
    assert_eq!(kind("added"), ConflictKind::AddedByBoth);
    assert_eq!(kind("target.log/x"), ConflictKind::InTheWay);
    assert_eq!(
        (found.paths.len(), found.clean, found.replaceable),
        (9, 2, false)
    );
    let sketch = &found
        .paths
        .iter()
        .find(|p| p.path == "lines")
        .unwrap()
        .sketch;
    for part in [
        "<<<<<<< yours\nzwei\n",
        "||||||| before\ntwo\n",
        "=======\nTWO\n",
    ] {
        assert!(sketch.contains(part), "{sketch}");
    }
}

#[tokio::test]
async fn a_person_settles_a_conflict_and_only_the_one_they_saw() {
    for side in [TakenSide::Theirs, TakenSide::Mine] {
        let place = Place::repository();
        let ws = place.clone().await;
        write(ws.path(), "README.md", "the run's\n");
        write(ws.path(), "new", "new\n");
        place.write("README.md", "mine\n");
        let seen = conflicts(ask(&ws, CHANGES).await);
        let said = Resolution {
            digest: seen.digest.clone(),
            side,
        };

        place.write("README.md", "mine, later\n");
        let resolved = || Asked {
            resolution: Some(&said),
            ..CHANGES
        };
        let again = conflicts(ask(&ws, resolved()).await);
        assert_ne!(again.digest, seen.digest, "decided for other contents");
        assert_eq!(read(&place.project, "README.md"), "mine, later\n");

        place.write("README.md", "mine\n");
        let done = done(ask(&ws, resolved()).await);
        assert_eq!(read(&place.project, "new"), "new\n");
        let now = read(&place.project, "README.md");
        match side {
            TakenSide::Mine => {
                assert_eq!(now, "mine\n");
                assert_eq!(what(&done, "README.md"), PathOutcome::KeptYours);
            }
            TakenSide::Theirs => {
                assert_eq!(now, "the run's\n");
                assert_eq!(what(&done, "README.md"), PathOutcome::ReplacedYours);
                let kept = done.kept.unwrap();
                let was = git(
                    &kept.store,
                    &["show", &format!("{}:README.md", kept.commit)],
                );
                assert_eq!(was, "mine");
            }
        }
    }
}
