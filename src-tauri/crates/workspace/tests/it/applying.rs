//! A run's work as uncommitted changes in the user's files.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use domain::ApplyInto;
use workspace::{
    AppliedWork, Apply, ApplyError, ApplyOutcome, Conflicts, Mode, PathOutcome, Resolution,
    Workspace,
};

use crate::support::{Place, files, fingerprint, git, read, write};

pub(crate) struct Asked<'a> {
    pub(crate) into: ApplyInto,
    pub(crate) key: &'a str,
    pub(crate) paths: &'a [PathBuf],
    pub(crate) resolution: Option<&'a Resolution>,
}

pub(crate) const CHANGES: Asked<'_> = Asked {
    into: ApplyInto::Changes,
    key: "1",
    paths: &[],
    resolution: None,
};

pub(crate) async fn ask(ws: &Workspace, asked: Asked<'_>) -> Result<ApplyOutcome, ApplyError> {
    let snapshot = ws.snapshot("result").await.unwrap();
    ws.apply(Apply {
        key: asked.key,
        into: asked.into,
        snapshot: &snapshot.id,
        paths: asked.paths,
        in_part: &[],
        message: "Do the task\n\nMade by a run.",
        at: 1_700_000_000,
        resolution: asked.resolution,
    })
    .await
}

pub(crate) fn done(outcome: Result<ApplyOutcome, ApplyError>) -> AppliedWork {
    match outcome.unwrap() {
        ApplyOutcome::Done(done) => done,
        ApplyOutcome::Conflicts(conflicts) => panic!("{conflicts:?}"),
    }
}

pub(crate) fn conflicts(outcome: Result<ApplyOutcome, ApplyError>) -> Conflicts {
    match outcome.unwrap() {
        ApplyOutcome::Conflicts(conflicts) => conflicts,
        ApplyOutcome::Done(done) => panic!("{done:?}"),
    }
}

pub(crate) fn what(done: &AppliedWork, path: &str) -> PathOutcome {
    let found = done.paths.iter().find(|p| p.path == path);
    found.unwrap_or_else(|| panic!("{path} in {done:?}")).what
}

fn no_leftovers(root: &Path) {
    let left: Vec<PathBuf> = files(root)
        .into_keys()
        .filter(|path| path.to_string_lossy().contains("longhaul-tmp"))
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[tokio::test]
async fn every_kind_of_change_arrives() {
    let place = Place::repository();
    place.write("old/deep/name.txt", "moved\n");
    place.write("file-to-folder", "was a file\n");
    place.write("folder-to-file/inner", "was in a folder\n");
    place.write("empty", "");
    place.write("binary", "\0\u{1}\n");
    place.write("Case.txt", "case\n");
    place.commit("more");
    let ws = place.clone().await;
    let root = ws.path();
    write(root, "src/lib.rs", "fn two() {}\r\n");
    fs::create_dir_all(root.join("new/place")).unwrap();
    fs::rename(
        root.join("old/deep/name.txt"),
        root.join("new/place/name.txt"),
    )
    .unwrap();
    fs::remove_dir_all(root.join("old")).unwrap();
    fs::remove_file(root.join("file-to-folder")).unwrap();
    write(root, "file-to-folder/inside", "now a folder\n");
    fs::remove_dir_all(root.join("folder-to-file")).unwrap();
    write(root, "folder-to-file", "now a file\n");
    fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(root.join("README.md"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(root.join("link")).unwrap();
    symlink("src/lib.rs", root.join("link")).unwrap();
    fs::remove_file(root.join("empty")).unwrap();
    symlink("nowhere", root.join("empty")).unwrap();
    write(root, "binary", "\0\u{2}\n");
    fs::rename(root.join("Case.txt"), root.join("case.txt")).unwrap();
    write(root, "zero", "");
    write(root, &"n".repeat(255), "long\n");
    write(root, "with\nnewline \"quoted\"", "odd\n");
    let odd = std::ffi::OsStr::from_bytes(b"not-utf8-\xff\xfe");
    fs::write(root.join(odd), "odd\n").unwrap();
    let head = git(&place.project, &["rev-parse", "HEAD"]);

    let done = done(ask(&ws, CHANGES).await);

    assert_eq!(files(&place.project), files(root));
    assert!(
        !place.project.join("old").exists(),
        "empty folders are removed"
    );
    assert_eq!(what(&done, "src/lib.rs"), PathOutcome::Written);
    assert_eq!(what(&done, "file-to-folder"), PathOutcome::Deleted);
    assert_eq!(done.commit, None);
    assert_eq!(git(&place.project, &["rev-parse", "HEAD"]), head);
    assert_eq!(
        git(&place.project, &["diff", "--cached", "--name-only"]),
        ""
    );
    git(&place.project, &["fsck", "--strict"]);
    let kept = done.kept.unwrap();
    assert_eq!(
        git(
            &kept.store,
            &["show", &format!("{}:src/lib.rs", kept.commit)]
        ),
        "fn one() {}"
    );
    no_leftovers(&place.project);
}

#[tokio::test]
async fn the_users_own_changes_stay_and_are_merged() {
    let place = Place::repository();
    let lines: String = (0..40).map(|n| format!("line {n}\n")).collect();
    place.write("both.txt", &lines);
    place.write("same.txt", "a\n");
    place.commit("more");
    let ws = place.clone().await;
    write(
        ws.path(),
        "both.txt",
        &lines.replace("line 3\n", "line three\n"),
    );
    write(ws.path(), "same.txt", "b\n");
    write(ws.path(), "theirs.txt", "new\n");
    fs::set_permissions(
        ws.path().join("README.md"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    place.write("both.txt", &lines.replace("line 30\n", "line thirty\n"));
    place.write("same.txt", "b\n");
    place.write("mine.txt", "mine\n");
    place.write("README.md", "# mine\n");

    let done = done(ask(&ws, CHANGES).await);

    assert_eq!(what(&done, "both.txt"), PathOutcome::Merged);
    assert_eq!(what(&done, "same.txt"), PathOutcome::Same);
    assert_eq!(what(&done, "README.md"), PathOutcome::Merged);
    let merged = read(&place.project, "both.txt");
    assert!(
        merged.contains("line three\n") && merged.contains("line thirty\n"),
        "{merged}"
    );
    assert_eq!(read(&place.project, "mine.txt"), "mine\n");
    assert_eq!(read(&place.project, "README.md"), "# mine\n");
    let mode = fs::metadata(place.project.join("README.md"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o100, 0o100, "the run's executable bit");
}

#[tokio::test]
async fn a_part_of_it_is_applied() {
    let place = Place::repository();
    let ws = place.clone().await;
    for path in ["a/one", "a/two", "b/one", "ab"] {
        write(ws.path(), path, "new\n");
    }
    let paths = [PathBuf::from("a/"), PathBuf::from("./ab")];
    let part = done(
        ask(
            &ws,
            Asked {
                paths: &paths,
                ..CHANGES
            },
        )
        .await,
    );
    assert_eq!(part.paths.len(), 3, "{part:?}");
    assert!(place.project.join("a/two").exists() && !place.project.join("b").exists());
    for unknown in ["c", "a/on", "../a", "/a"] {
        let paths = [PathBuf::from(unknown)];
        let error = ask(
            &ws,
            Asked {
                paths: &paths,
                key: "2",
                ..CHANGES
            },
        )
        .await
        .unwrap_err();
        assert!(
            matches!(&error, ApplyError::UnknownPath(p) if p == unknown),
            "{error}"
        );
    }
    let rest = done(
        ask(
            &ws,
            Asked {
                key: "3",
                ..CHANGES
            },
        )
        .await,
    );
    assert_eq!(what(&rest, "a/one"), PathOutcome::Same);
    assert_eq!(files(&place.project), files(ws.path()));
}

#[tokio::test]
async fn what_was_applied_before_is_no_conflict_later() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "README.md", "first\n");
    write(ws.path(), "gone-again", "first\n");
    done(ask(&ws, CHANGES).await);
    write(ws.path(), "README.md", "second\n");
    fs::remove_file(ws.path().join("gone-again")).unwrap();
    done(
        ask(
            &ws,
            Asked {
                key: "2",
                ..CHANGES
            },
        )
        .await,
    );
    assert_eq!(files(&place.project), files(ws.path()));
    // Asked for the same again, it is the same answer.
    let before = fingerprint(&place.project);
    done(
        ask(
            &ws,
            Asked {
                key: "2",
                ..CHANGES
            },
        )
        .await,
    );
    assert_eq!(fingerprint(&place.project), before);
}

#[tokio::test]
async fn a_project_in_a_subfolder_and_one_without_git() {
    let place = Place::repository();
    let project = place.project.join("src");
    let ws = place
        .workspaces
        .prepare("sub", &project, Mode::Clone)
        .await
        .unwrap();
    write(ws.path(), "lib.rs", "fn two() {}\n");
    let paths = [PathBuf::from("lib.rs")];
    let sub = done(
        ask(
            &ws,
            Asked {
                paths: &paths,
                ..CHANGES
            },
        )
        .await,
    );
    assert_eq!(what(&sub, "src/lib.rs"), PathOutcome::Written);
    assert_eq!(read(&place.project, "src/lib.rs"), "fn two() {}\n");

    let place = Place::empty();
    place.write("a", "1\n");
    place.write("b", "1\n");
    let ws = place.copy().await;
    write(ws.path(), "a", "2\n");
    fs::remove_file(ws.path().join("b")).unwrap();
    place.write("mine", "mine\n");
    done(ask(&ws, CHANGES).await);
    assert_eq!(read(&place.project, "a"), "2\n");
    assert!(!place.project.join("b").exists());
    assert_eq!(read(&place.project, "mine"), "mine\n");
    let commit = Asked {
        into: ApplyInto::Commit,
        key: "2",
        ..CHANGES
    };
    let error = ask(&ws, commit).await.unwrap_err();
    assert!(matches!(error, ApplyError::NotGit(_)), "{error}");
    fs::remove_dir_all(&place.project).unwrap();
    let error = ask(
        &ws,
        Asked {
            key: "3",
            ..CHANGES
        },
    )
    .await
    .unwrap_err();
    assert!(matches!(error, ApplyError::NoProject(_)), "{error}");
}

#[tokio::test]
async fn line_ends_follow_the_users_checkout() {
    let place = Place::repository();
    place.write("dos.txt", "a\nb\nc\n");
    place.commit("more");
    let ws = place.clone().await;
    write(ws.path(), "dos.txt", "a\nB\nc\n");
    // As git for Windows checks out with core.autocrlf.
    place.write("dos.txt", "a\r\nb\r\nc\r\n");
    done(ask(&ws, CHANGES).await);
    assert_eq!(read(&place.project, "dos.txt"), "a\r\nB\r\nc\r\n");
}

#[tokio::test]
async fn filters_and_sparse_checkouts_are_refused_by_name() {
    let place = Place::repository();
    place.write(".gitattributes", "*.bin filter=lfs\n");
    place.write("big.bin", "pointer\n");
    place.write("far/away", "1\n");
    place.commit("more");
    git(&place.project, &["sparse-checkout", "set", "src"]);
    let ws = place.clone().await;
    write(ws.path(), "src/lib.rs", "fn two() {}\n");
    write(ws.path(), "big.bin", "other\n");
    let error = ask(&ws, CHANGES).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("big.bin goes through the git filter \"lfs\""),
        "{error}"
    );
    write(ws.path(), "big.bin", "pointer\n");
    write(ws.path(), "far/away", "2\n");
    let error = ask(&ws, CHANGES).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("far/away is left out by your sparse"),
        "{error}"
    );
    let paths = [PathBuf::from("src")];
    done(
        ask(
            &ws,
            Asked {
                paths: &paths,
                ..CHANGES
            },
        )
        .await,
    );
    assert_eq!(read(&place.project, "src/lib.rs"), "fn two() {}\n");
}

#[tokio::test]
async fn permissions_of_the_users_files_are_kept() {
    let place = Place::repository();
    let readme = place.project.join("README.md");
    fs::set_permissions(&readme, fs::Permissions::from_mode(0o400)).unwrap();
    let ws = place.clone().await;
    write(ws.path(), "README.md", "new\n");
    done(ask(&ws, CHANGES).await);
    assert_eq!(
        fs::metadata(&readme).unwrap().permissions().mode() & 0o777,
        0o400
    );
    assert_eq!(read(&place.project, "README.md"), "new\n");
}

#[tokio::test]
async fn a_run_in_place_has_nothing_to_apply() {
    let place = Place::repository();
    let ws = place.in_place().await;
    write(ws.path(), "README.md", "new\n");
    let error = ask(&ws, CHANGES).await.unwrap_err();
    assert!(matches!(error, ApplyError::InPlace), "{error}");
}
