//! A run's work as a commit on the branch the user is on.

use std::fs;
use std::path::PathBuf;

use domain::ApplyInto;
use workspace::{ApplyError, ConflictKind, PathOutcome, Resolution, TakenSide};

use crate::applying::{Asked, CHANGES, ask, conflicts, done, what};
use crate::support::{Place, files, fingerprint, git, read, write};

const COMMIT: Asked<'_> = Asked {
    into: ApplyInto::Commit,
    ..CHANGES
};

fn status(place: &Place) -> String {
    git(&place.project, &["status", "--porcelain"])
}

#[tokio::test]
async fn a_commit_on_top_of_where_the_user_is_now() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "src/lib.rs", "fn two() {}\n");
    write(ws.path(), "new/file", "new\n");
    fs::remove_file(ws.path().join("run.sh")).unwrap();
    place.write("later.txt", "the user went on\n");
    place.commit("later");
    place.write("README.md", "# not committed\n");
    place.write("staged.txt", "staged\n");
    git(&place.project, &["add", "staged.txt"]);
    let head = git(&place.project, &["rev-parse", "HEAD"]);

    let applied = done(ask(&ws, COMMIT).await);

    let show = |what: &str| git(&place.project, &["rev-parse", what]);
    assert_eq!(show("HEAD"), applied.commit.unwrap());
    assert_eq!(applied.target, "main");
    assert_eq!(show("HEAD^"), head);
    assert_eq!(
        git(&place.project, &["symbolic-ref", "HEAD"]),
        "refs/heads/main"
    );
    assert_eq!(
        git(&place.project, &["diff", "--name-status", "HEAD^", "HEAD"]),
        "A\tnew/file\nD\trun.sh\nM\tsrc/lib.rs"
    );
    assert_eq!(status(&place), "M README.md\nA  staged.txt");
    assert_eq!(read(&place.project, "new/file"), "new\n");
    assert!(!place.project.join("run.sh").exists());
    let log = git(&place.project, &["log", "-1", "--format=%an|%ct|%s"]);
    assert_eq!(log, "Longhaul agent|1700000000|Do the task");
    let reflog = git(&place.project, &["reflog", "-1", "--format=%gs"]);
    assert!(reflog.starts_with("longhaul: run "), "{reflog}");
    git(&place.project, &["fsck", "--strict"]);
    let left: Vec<_> = files(&place.project).into_keys().collect();
    assert!(
        !left
            .iter()
            .any(|p| p.to_string_lossy().contains("longhaul")),
        "{left:?}"
    );
    let git_dir = fs::read_dir(place.project.join(".git")).unwrap();
    let names: Vec<String> = git_dir
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(
        !names
            .iter()
            .any(|n| n.contains("longhaul") || n.contains("lock")),
        "{names:?}"
    );
}

#[tokio::test]
async fn commits_made_meanwhile_are_merged() {
    let place = Place::repository();
    let lines: String = (0..40).map(|n| format!("line {n}\n")).collect();
    place.write("both.txt", &lines);
    place.commit("more");
    let ws = place.clone().await;
    write(
        ws.path(),
        "both.txt",
        &lines.replace("line 3\n", "line three\n"),
    );
    place.write("both.txt", &lines.replace("line 30\n", "line thirty\n"));
    place.commit("later");
    let applied = done(ask(&ws, COMMIT).await);
    assert_eq!(what(&applied, "both.txt"), PathOutcome::Merged);
    let merged = git(&place.project, &["show", "HEAD:both.txt"]);
    assert!(merged.contains("line three\n") && merged.contains("line thirty\n"));
    assert_eq!(status(&place), "");
}

#[tokio::test]
async fn uncommitted_changes_in_the_same_files_are_a_conflict() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "README.md", "the run's\n");
    write(ws.path(), "src/lib.rs", "the run's\n");
    write(ws.path(), "untracked", "the run's\n");
    write(ws.path(), "equal", "equal\n");
    place.write("README.md", "# mine\n");
    place.write("src/lib.rs", "staged\n");
    git(&place.project, &["add", "src/lib.rs"]);
    place.write("src/lib.rs", "fn one() {}\n");
    place.write("untracked", "mine\n");
    place.write("equal", "equal\n");
    let before = fingerprint(&place.project);
    let found = conflicts(ask(&ws, COMMIT).await);
    let after = fingerprint(&place.project);
    for (path, was) in before.iter().filter(|(path, _)| !path.starts_with(".git")) {
        assert_eq!(after.get(path), Some(was), "{}", path.display());
    }
    let kinds: Vec<_> = found
        .paths
        .iter()
        .map(|p| (p.path.as_str(), p.kind))
        .collect();
    let uncommitted = ConflictKind::Uncommitted;
    assert_eq!(
        kinds,
        [
            ("README.md", uncommitted),
            ("src/lib.rs", uncommitted),
            ("untracked", uncommitted)
        ]
    );

    let mine = Resolution {
        digest: found.digest.clone(),
        side: TakenSide::Mine,
    };
    let applied = done(
        ask(
            &ws,
            Asked {
                resolution: Some(&mine),
                ..COMMIT
            },
        )
        .await,
    );
    assert_eq!(what(&applied, "README.md"), PathOutcome::KeptYours);
    assert_eq!(
        git(&place.project, &["diff", "--name-only", "HEAD^", "HEAD"]),
        "equal"
    );
    assert_eq!(read(&place.project, "README.md"), "# mine\n");

    let found = conflicts(ask(&ws, Asked { key: "2", ..COMMIT }).await);
    let theirs = Resolution {
        digest: found.digest,
        side: TakenSide::Theirs,
    };
    let applied = done(
        ask(
            &ws,
            Asked {
                key: "2",
                resolution: Some(&theirs),
                ..COMMIT
            },
        )
        .await,
    );
    assert_eq!(status(&place), "");
    assert_eq!(read(&place.project, "untracked"), "the run's\n");
    let kept = applied.kept.unwrap();
    assert_eq!(
        git(
            &kept.store,
            &["show", &format!("{}:untracked", kept.commit)]
        ),
        "mine"
    );
}

#[tokio::test]
async fn where_no_commit_can_be_it_is_refused_in_words() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "README.md", "the run's\n");
    let refused = async |part: &str| {
        let before = fingerprint(&place.project);
        let error = ask(&ws, COMMIT).await.unwrap_err();
        assert!(matches!(error, ApplyError::NotNow(_)), "{error}");
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(fingerprint(&place.project), before);
    };
    git(&place.project, &["checkout", "-q", "--detach"]);
    refused("HEAD is detached").await;
    git(&place.project, &["checkout", "-q", "main"]);
    for (name, part) in [
        ("MERGE_HEAD", "a merge is not finished"),
        ("rebase-merge", "a rebase"),
    ] {
        fs::write(place.project.join(".git").join(name), "").unwrap();
        refused(part).await;
        fs::remove_file(place.project.join(".git").join(name)).unwrap();
    }
    fs::write(place.project.join(".git/index.lock"), "").unwrap();
    refused("git is at work").await;
    fs::remove_file(place.project.join(".git/index.lock")).unwrap();
    git(&place.project, &["checkout", "-q", "--orphan", "fresh"]);
    refused("no commit yet").await;
}

#[tokio::test]
async fn line_ends_are_stored_and_checked_out_as_the_repository_asks() {
    let place = Place::repository();
    place.write(".gitattributes", "* text=auto\n*.bat text eol=crlf\n");
    place.write("do.bat", "echo 1\r\n");
    place.commit("attributes");
    git(&place.project, &["config", "core.autocrlf", "true"]);
    let ws = place.clone().await;
    write(ws.path(), "README.md", "# new\n");
    write(ws.path(), "do.bat", "echo 2\n");
    done(ask(&ws, COMMIT).await);
    assert_eq!(read(&place.project, "do.bat"), "echo 2\r\n");
    assert_eq!(read(&place.project, "README.md"), "# new\r\n");
    assert_eq!(
        git(&place.project, &["cat-file", "-s", "HEAD:README.md"]),
        "6"
    );
    assert_eq!(status(&place), "");
}

#[tokio::test]
async fn files_and_folders_change_places_in_a_commit() {
    let place = Place::repository();
    place.write("file", "1\n");
    place.write("folder/inner", "1\n");
    place.commit("more");
    let ws = place.clone().await;
    fs::remove_file(ws.path().join("file")).unwrap();
    write(ws.path(), "file/inner", "2\n");
    fs::remove_dir_all(ws.path().join("folder")).unwrap();
    write(ws.path(), "folder", "2\n");
    done(ask(&ws, COMMIT).await);
    assert_eq!(status(&place), "");
    assert_eq!(files(&place.project), files(ws.path()));
}

#[tokio::test]
async fn a_part_and_then_the_rest_and_then_nothing() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "a", "1\n");
    write(ws.path(), "b", "1\n");
    let paths = [PathBuf::from("a")];
    done(
        ask(
            &ws,
            Asked {
                paths: &paths,
                ..COMMIT
            },
        )
        .await,
    );
    done(ask(&ws, Asked { key: "2", ..COMMIT }).await);
    assert_eq!(
        git(&place.project, &["diff", "--name-only", "HEAD^", "HEAD"]),
        "b"
    );
    let nothing = done(ask(&ws, Asked { key: "3", ..COMMIT }).await);
    assert_eq!(nothing.commit, None);
    assert_eq!(status(&place), "");
    git(&place.project, &["fsck", "--strict"]);
}

#[tokio::test]
async fn work_applied_as_changes_can_be_committed_later() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "README.md", "first\n");
    write(ws.path(), "new", "new\n");
    done(ask(&ws, CHANGES).await);
    let applied = done(ask(&ws, Asked { key: "2", ..COMMIT }).await);
    assert!(applied.commit.is_some());
    assert_eq!(status(&place), "");
}
