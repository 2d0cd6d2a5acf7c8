//! Landing work as a branch of the user's repository.

use std::fs;

use workspace::{Applied, ApplyBranch, ApplyError, Mode, Workspace};

use crate::support::{Place, fingerprint, git, write};

async fn land(ws: &Workspace, snapshot: &str, branch: &str) -> Result<Applied, ApplyError> {
    let message = "Do the task\n\nRun 0199aaaa.";
    ws.apply_branch(ApplyBranch {
        snapshot,
        branch,
        message,
        at: 1_700_000_000,
        paths: &[],
    })
    .await
}

#[tokio::test]
async fn the_branch_has_the_work_and_nothing_else_moved() {
    let place = Place::repository();
    place.write("README.md", "# the user is working\n");
    place.write("staged.txt", "staged\n");
    git(&place.project, &["add", "staged.txt"]);
    let ws = place.clone().await;
    let base = git(&place.project, &["rev-parse", "HEAD"]);
    write(ws.path(), "src/lib.rs", "fn two() {}\n");
    write(ws.path(), "new.txt", "new\n");
    fs::remove_file(ws.path().join("run.sh")).unwrap();
    git(
        ws.path(),
        &["commit", "-q", "-am", "the agent's own commit"],
    );
    let snapshot = ws.snapshot("done").await.unwrap();
    let before = fingerprint(&place.project);

    let applied = land(&ws, &snapshot.id, "longhaul/work").await.unwrap();

    let mut after = fingerprint(&place.project);
    after.retain(|path, _| {
        let git_dir = |part: &str| path.starts_with(format!(".git/{part}"));
        !git_dir("objects") && !git_dir("refs/heads") && !git_dir("logs/refs")
    });
    for (path, was) in &before {
        if let Some(is) = after.get(path)
            && path != std::path::Path::new(".git/logs")
        {
            assert_eq!(is, was, "{}", path.display());
        }
    }
    assert!(
        before
            .keys()
            .filter(|p| !p.starts_with(".git"))
            .all(|p| after.contains_key(p))
    );
    let show = |what: &str| git(&place.project, &["rev-parse", what]);
    assert_eq!(show("HEAD"), base);
    assert_eq!(show("longhaul/work"), applied.commit);
    assert_eq!(show("longhaul/work^"), base);
    assert_eq!(
        show("longhaul/work^{tree}"),
        snapshot.tree,
        "nothing was converted"
    );
    let log = git(
        &place.project,
        &["log", "-1", "--format=%an|%ct|%B", "longhaul/work"],
    );
    assert_eq!(
        log,
        "Longhaul agent|1700000000|Do the task\n\nRun 0199aaaa."
    );
    let names = git(
        &place.project,
        &["diff", "--name-status", "main", "longhaul/work"],
    );
    assert_eq!(names, "A\tnew.txt\nD\trun.sh\nM\tsrc/lib.rs");
    git(&place.project, &["fsck", "--strict"]);
}

#[tokio::test]
async fn landing_again_is_the_same_branch_and_an_occupied_one_is_refused() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "a", "1\n");
    let one = ws.snapshot("one").await.unwrap();
    let first = land(&ws, &one.id, "work").await.unwrap();
    let before = fingerprint(&place.project);
    assert_eq!(land(&ws, &one.id, "work").await.unwrap(), first);
    assert_eq!(fingerprint(&place.project), before);

    write(ws.path(), "a", "2\n");
    let two = ws.snapshot("two").await.unwrap();
    for branch in ["work", "main"] {
        let error = land(&ws, &two.id, branch).await.unwrap_err();
        assert!(matches!(error, ApplyError::Occupied(_)), "{error}");
    }
    let error = land(&ws, &two.id, "work/more").await.unwrap_err();
    assert!(matches!(error, ApplyError::Refused { .. }), "{error}");
    for name in ["", "-f", "a..b", "HEAD", "a b", "x.lock", "../main"] {
        let error = land(&ws, &two.id, name).await.unwrap_err();
        assert!(matches!(error, ApplyError::BadName(_)), "{name}: {error}");
    }
    assert_eq!(git(&place.project, &["show", "work:a"]), "1");
}

#[tokio::test]
async fn a_subfolders_work_lands_in_the_whole_tree() {
    let place = Place::repository();
    let project = place.project.join("src");
    let ws = place
        .workspaces
        .prepare("sub", &project, Mode::Clone)
        .await
        .unwrap();
    write(ws.path(), "lib.rs", "fn two() {}\n");
    let snapshot = ws.snapshot("done").await.unwrap();
    land(&ws, &snapshot.id, "work").await.unwrap();
    assert_eq!(
        git(&place.project, &["diff", "--name-status", "main", "work"]),
        "M\tsrc/lib.rs"
    );
}

#[tokio::test]
async fn in_place_only_the_runs_changes_land() {
    let place = Place::repository();
    place.write("README.md", "# not committed, not the run's\n");
    let ws = place.in_place().await;
    write(ws.path(), "src/lib.rs", "fn two() {}\n");
    let snapshot = ws.snapshot("done").await.unwrap();
    land(&ws, &snapshot.id, "work").await.unwrap();
    assert_eq!(
        git(&place.project, &["diff", "--name-status", "main", "work"]),
        "M\tsrc/lib.rs"
    );
}

#[tokio::test]
async fn line_ends_are_stored_as_the_repository_asks() {
    let place = Place::repository();
    place.write(".gitattributes", "* text=auto\n*.bat text eol=crlf\n");
    place.write("do.bat", "echo 1\r\n");
    place.commit("attributes");
    let ws = place.clone().await;
    write(ws.path(), "README.md", "# crlf\r\n");
    let snapshot = ws.snapshot("done").await.unwrap();
    land(&ws, &snapshot.id, "work").await.unwrap();
    assert_eq!(
        git(&place.project, &["diff", "--name-status", "main", "work"]),
        "M\tREADME.md"
    );
    let blob = git(&place.project, &["cat-file", "-s", "work:README.md"]);
    assert_eq!(blob, "7", "stored with line feeds only");
}

#[tokio::test]
async fn without_history_there_is_no_branch() {
    let place = Place::empty();
    place.write("a", "1");
    let ws = place.copy().await;
    let error = land(&ws, ws.base_snapshot(), "work").await.unwrap_err();
    assert!(matches!(error, ApplyError::NotGit(_)), "{error}");
}

#[tokio::test]
async fn a_repository_that_lost_the_base_is_named() {
    let place = Place::repository();
    let ws = place.clone().await;
    fs::remove_dir_all(&place.project).unwrap();
    let error = land(&ws, ws.base_snapshot(), "work").await.unwrap_err();
    assert!(matches!(error, ApplyError::BaseGone { .. }), "{error}");
}
