//! Making a workspace, again, after a crash, and of projects that are special.

use std::fs;
use std::path::Path;

use workspace::{Mode, PrepareError, Workspaces};

use crate::support::{Place, RUN, files, git, read, write};

#[tokio::test]
async fn a_whole_workspace_is_found_again_and_never_remade() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "work.txt", "hours of it\n");
    let same = place.clone().await;
    assert_eq!(same.path(), ws.path());
    // Another process.
    let later = Workspaces::new(place.home.clone());
    let again = later
        .prepare(RUN, &place.project, Mode::Clone)
        .await
        .unwrap();
    assert_eq!(read(again.path(), "work.txt"), "hours of it\n");
    assert_eq!(again.base_snapshot(), ws.base_snapshot());
    assert!(later.open(RUN).await.unwrap().is_some());
    assert!(later.open("another").await.unwrap().is_none());
}

#[tokio::test]
async fn a_half_made_workspace_is_made_again() {
    let mut place = Place::repository();
    let ws = place.clone().await;
    ws.settled().await.unwrap();
    let run_dir = place.home.join(RUN);
    write(ws.path(), "src/lib.rs", "half\n");
    drop(ws);
    fs::remove_file(run_dir.join("workspace.json")).unwrap();
    fs::remove_dir_all(run_dir.join("snap.git/refs")).unwrap();
    place.workspaces = Workspaces::new(place.home.clone());
    let ws = place.clone().await;
    assert_eq!(read(ws.path(), "src/lib.rs"), "fn one() {}\n");
    assert_eq!(files(ws.path()), files(&place.project));
    // A marker cut off by a power loss counts as none.
    ws.settled().await.unwrap();
    drop(ws);
    place.workspaces = Workspaces::new(place.home.clone());
    fs::write(run_dir.join("workspace.json"), "{\"version\":1,").unwrap();
    place.clone().await;
}

#[tokio::test]
async fn a_workspace_whose_files_are_gone_is_not_silently_replaced() {
    let mut place = Place::repository();
    let ws = place.clone().await;
    ws.settled().await.unwrap();
    fs::remove_dir_all(ws.root()).unwrap();
    drop(ws);
    place.workspaces = Workspaces::new(place.home.clone());
    let error = place
        .workspaces
        .prepare(RUN, &place.project, Mode::Clone)
        .await
        .unwrap_err();
    assert!(matches!(error, PrepareError::Lost(_)), "{error}");
}

#[tokio::test]
async fn a_run_keeps_its_mode_and_project() {
    let place = Place::repository();
    let _ws = place.clone().await;
    let error = place
        .workspaces
        .prepare(RUN, &place.project, Mode::Copy)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::Taken {
                mode: Mode::Clone,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn projects_that_cannot_be_used_are_named() {
    let place = Place::empty();
    let prepare =
        async |path: &Path, mode| place.workspaces.prepare(RUN, path, mode).await.unwrap_err();
    let missing = prepare(&place.project.join("nope"), Mode::Copy).await;
    assert!(matches!(missing, PrepareError::NoProject(_)), "{missing}");
    place.write("file", "");
    let file = prepare(&place.project.join("file"), Mode::Copy).await;
    assert!(matches!(file, PrepareError::NotAFolder(_)), "{file}");
    let below = prepare(&place.project.join("file/below"), Mode::Copy).await;
    assert!(matches!(below, PrepareError::NotAFolder(_)), "{below}");
    // Unreadable for everyone, also for root, who reads what has no permissions.
    std::os::unix::fs::symlink("loop", place.project.join("loop")).unwrap();
    let unreadable = prepare(&place.project.join("loop"), Mode::Copy).await;
    assert!(
        matches!(unreadable, PrepareError::Unreadable { .. }),
        "{unreadable}"
    );
    let not_git = prepare(&place.project, Mode::Clone).await;
    assert!(
        matches!(not_git, PrepareError::Unsupported { .. }),
        "{not_git}"
    );
    for run in ["", "..", "a/b", "a b"] {
        let error = place
            .workspaces
            .prepare(run, &place.project, Mode::Copy)
            .await
            .unwrap_err();
        assert!(matches!(error, PrepareError::BadRun(_)), "{error}");
    }
}

#[tokio::test]
async fn without_git_the_error_says_so() {
    let place = Place::repository();
    let workspaces = Workspaces::new(place.home.clone()).git_program("/nonexistent/git".into());
    let error = workspaces
        .prepare(RUN, &place.project, Mode::Clone)
        .await
        .unwrap_err();
    assert!(matches!(error, PrepareError::NeedsGit(_)), "{error}");
}

#[tokio::test]
async fn repositories_without_commit_or_files_are_refused_with_a_way_out() {
    let place = Place::empty();
    git(&place.project, &["init", "-q"]);
    place.write("a", "1");
    let error = place
        .workspaces
        .prepare(RUN, &place.project, Mode::Clone)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("use copy"), "{error}");
    assert_eq!(
        place.workspaces.default_mode(&place.project).await.unwrap(),
        Mode::Copy
    );
    place.copy().await;

    let bare = place.outside.join("bare.git");
    git(&place.outside, &["init", "-q", "--bare", "bare.git"]);
    for path in [bare, place.project.join(".git")] {
        let error = place
            .workspaces
            .prepare("other", &path, Mode::Clone)
            .await
            .unwrap_err();
        assert!(matches!(error, PrepareError::Unsupported { .. }), "{error}");
    }
}

#[tokio::test]
async fn the_default_is_a_clone_where_the_folder_is_committed() {
    let place = Place::repository();
    let mode = async |path: &str| {
        place
            .workspaces
            .default_mode(&place.project.join(path))
            .await
            .unwrap()
    };
    assert_eq!(mode("").await, Mode::Clone);
    assert_eq!(mode("src").await, Mode::Clone);
    fs::create_dir(place.project.join("fresh")).unwrap();
    assert_eq!(
        mode("fresh").await,
        Mode::Copy,
        "a folder its repository does not know"
    );
    assert_eq!(
        place.workspaces.default_mode(&place.outside).await.unwrap(),
        Mode::Copy
    );
}

#[tokio::test]
async fn uncommitted_changes_stay_behind_and_are_counted() {
    let place = Place::repository();
    place.write("README.md", "# mine\n");
    fs::remove_file(place.project.join("run.sh")).unwrap();
    place.write("untracked", "");
    place.write("ignored.log", "");
    let ws = place.clone().await;
    assert_eq!(
        (ws.left_out().changed, ws.left_out().untracked),
        (Some(2), Some(1))
    );
    assert_eq!(read(ws.path(), "README.md"), "# project\n");
}

#[tokio::test]
async fn a_subfolder_is_worked_on_inside_a_clone_of_its_repository() {
    let place = Place::repository();
    let project = place.project.join("src");
    let ws = place
        .workspaces
        .prepare(RUN, &project, Mode::Clone)
        .await
        .unwrap();
    assert_eq!(ws.path(), ws.root().join("src"));
    assert_eq!(read(ws.path(), "lib.rs"), "fn one() {}\n");
    assert_eq!(read(ws.root(), "README.md"), "# project\n");
    assert!(
        ws.resolve("../README.md").is_err(),
        "the boundary is the user's folder"
    );
}

#[tokio::test]
async fn worktrees_shallow_and_detached_repositories_are_cloned() {
    let place = Place::repository();
    place.write("README.md", "# second\n");
    place.commit("second");
    let tree = place.outside.join("tree");
    git(
        &place.project,
        &["worktree", "add", "-q", "--detach", tree.to_str().unwrap()],
    );
    let ws = place
        .workspaces
        .prepare("worktree", &tree, Mode::Clone)
        .await
        .unwrap();
    assert_eq!(read(ws.path(), "README.md"), "# second\n");

    let url = format!("file://{}", place.project.display());
    git(
        &place.outside,
        &["clone", "-q", "--depth=1", &url, "shallow"],
    );
    let ws = place
        .workspaces
        .prepare("shallow", &place.outside.join("shallow"), Mode::Clone)
        .await
        .unwrap();
    assert_eq!(git(ws.path(), &["rev-list", "--count", "HEAD"]), "1");
    git(ws.path(), &["fsck"]);

    // Objects that the user's repository has only through another one.
    let project = place.project.to_str().unwrap();
    git(
        &place.outside,
        &["clone", "-q", "--shared", project, "shared"],
    );
    let shared = place.outside.join("shared");
    let ws = place
        .workspaces
        .prepare("shared", &shared, Mode::Clone)
        .await
        .unwrap();
    assert_eq!(git(ws.path(), &["rev-list", "--count", "HEAD"]), "2");
    fs::remove_dir_all(&place.project).unwrap();
    fs::remove_dir_all(&shared).unwrap();
    git(ws.path(), &["fsck", "--strict"]);
}

#[tokio::test]
async fn packed_and_sha256_repositories_are_cloned() {
    let place = Place::repository();
    git(&place.project, &["gc", "-q"]);
    let ws = place.clone().await;
    assert_eq!(files(ws.path()), files(&place.project));

    let other = place.outside.join("sha256");
    fs::create_dir(&other).unwrap();
    git(&other, &["init", "-q", "--object-format=sha256"]);
    write(&other, "a", "1\n");
    git(&other, &["add", "-A"]);
    git(&other, &["commit", "-q", "-m", "first"]);
    let ws = place
        .workspaces
        .prepare("sha256", &other, Mode::Clone)
        .await
        .unwrap();
    write(ws.path(), "a", "2\n");
    let snapshot = ws.snapshot("step").await.unwrap();
    let what = workspace::ApplyBranch {
        snapshot: &snapshot.id,
        branch: "b",
        message: "m",
        at: 0,
        paths: &[],
    };
    ws.apply_branch(what).await.unwrap();
    assert_eq!(git(&other, &["show", "b:a"]), "2");
}

#[tokio::test]
async fn a_copy_leaves_out_what_is_ignored_and_keeps_links() {
    let place = Place::empty();
    place.write(".gitignore", "node_modules/\n");
    place.write("node_modules/x/index.js", "big");
    place.write("a/.hidden", "1");
    place.write("run.sh", "#!/bin/sh\n");
    std::os::unix::fs::symlink("/nonexistent/target", place.project.join("dangling")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place.project.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let ws = place.copy().await;
    let names: Vec<_> = files(ws.path()).into_keys().collect();
    assert_eq!(
        names,
        [".gitignore", "a/.hidden", "dangling", "run.sh"].map(std::path::PathBuf::from)
    );
    assert_eq!(
        fs::read_link(ws.path().join("dangling")).unwrap(),
        Path::new("/nonexistent/target")
    );
    assert_eq!(ws.left_out().special, 1);
    write(ws.path(), "run.sh", "changed");
    assert_eq!(
        read(&place.project, "run.sh"),
        "#!/bin/sh\n",
        "a copy, not a link"
    );
}

#[tokio::test]
async fn a_copy_that_is_too_large_says_how_large() {
    let place = Place::empty();
    place.write("big", &"x".repeat(5000));
    let workspaces = Workspaces::new(place.home.clone()).copy_limit(4096);
    let error = workspaces
        .prepare(RUN, &place.project, Mode::Copy)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::TooLarge {
                bytes: 5000,
                limit: 4096
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("5000"));
}

#[tokio::test]
async fn longhauls_own_folder_is_not_copied_into_itself() {
    let place = Place::empty();
    let workspaces = Workspaces::new(place.project.join(".local/longhaul"));
    for mode in [Mode::Copy, Mode::InPlace] {
        let error = workspaces
            .prepare(RUN, &place.project, mode)
            .await
            .unwrap_err();
        assert!(matches!(error, PrepareError::Unsupported { .. }), "{error}");
    }
}

#[tokio::test]
async fn submodules_are_counted_and_their_folders_recorded_as_files() {
    let place = Place::repository();
    let head = git(&place.project, &["rev-parse", "HEAD"]);
    let entry = format!("160000,{head},vendor/sub");
    git(
        &place.project,
        &["update-index", "--add", "--cacheinfo", &entry],
    );
    git(&place.project, &["commit", "-q", "-m", "submodule"]);
    let ws = place.clone().await;
    assert_eq!(ws.left_out().submodules, 1);
    write(ws.path(), "vendor/sub/file", "1\n");
    write(ws.path(), "README.md", "2\n");
    let snapshot = ws.snapshot("step").await.unwrap();
    write(ws.path(), "vendor/sub/file", "3\n");
    ws.restore(&snapshot.id).await.unwrap();
    assert_eq!(read(ws.path(), "vendor/sub/file"), "1\n");
    let what = workspace::ApplyBranch {
        snapshot: &snapshot.id,
        branch: "b",
        message: "m",
        at: 0,
        paths: &[],
    };
    let applied = ws.apply_branch(what).await.unwrap();
    assert_eq!(applied.left_out, [Path::new("vendor/sub/file")]);
    assert_eq!(
        git(&place.project, &["diff", "--name-only", "main", "b"]),
        "README.md"
    );
}

#[tokio::test]
async fn discard_copes_with_folders_without_permissions_and_is_repeatable() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "cache/mod/file", "1");
    fs::set_permissions(
        ws.path().join("cache/mod"),
        fs::Permissions::from_mode(0o500),
    )
    .unwrap();
    assert!(place.workspaces.size(RUN).await.unwrap() > 0);
    drop(ws);
    place.workspaces.discard(RUN).await.unwrap();
    place.workspaces.discard(RUN).await.unwrap();
    assert_eq!(place.workspaces.size(RUN).await.unwrap(), 0);
}
