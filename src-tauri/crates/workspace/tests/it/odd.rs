//! Repositories that are not like others: each is handled, or refused with a reason.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use workspace::{Along, ApplyBranch, ApplyError, Changed, Mode, Uncommitted, Workspace};

use crate::support::{Place, RUN, files, fingerprint, git, read, write};

async fn land(ws: &Workspace, branch: &str) {
    let last = ws.snapshot("last").await.unwrap();
    let what = ApplyBranch {
        snapshot: &last.id,
        branch,
        message: "m",
        at: 0,
        paths: &[],
    };
    ws.apply_branch(what).await.unwrap();
}

/// A project with a submodule `vendor/sub` that has a submodule of its own.
fn with_submodules() -> Place {
    let place = Place::repository();
    for (name, text) in [("deep", "deep\n"), ("sub", "sub\n")] {
        let dir = place.outside.join(name);
        fs::create_dir(&dir).unwrap();
        git(&dir, &["init", "-q", "-b", "main"]);
        write(&dir, "file.txt", text);
        git(&dir, &["add", "-A"]);
        git(&dir, &["commit", "-q", "-m", "first"]);
    }
    let add = |dir: &Path, from: &str, to: &str| {
        let from = place.outside.join(from);
        let from = from.to_str().unwrap();
        git(
            dir,
            &[
                "-c",
                "protocol.file.allow=always",
                "submodule",
                "add",
                "-q",
                from,
                to,
            ],
        );
        git(dir, &["commit", "-q", "-m", "submodule"]);
    };
    add(&place.outside.join("sub"), "deep", "deep");
    add(&place.project, "sub", "vendor/sub");
    place
}

#[tokio::test]
async fn submodules_the_user_has_are_filled_without_obeying_them() {
    let place = with_submodules();
    let trace = place.outside.join("trace");
    let command = format!("echo ran >> {}; cat", trace.display());
    let sub = place.project.join("vendor/sub");
    for key in ["filter.evil.smudge", "filter.evil.clean", "core.fsmonitor"] {
        git(&sub, &["config", key, &command]);
    }
    write(&sub, "file.txt", "changed, not committed\n");
    let before = fingerprint(&place.project);
    let ws = place.clone().await;
    assert_eq!(ws.left_out().submodules, 0);
    assert_eq!(read(ws.path(), "vendor/sub/file.txt"), "sub\n");
    assert!(!ws.path().join("vendor/sub/.git").exists());
    assert!(!trace.exists());
    assert_eq!(git(ws.path(), &["status", "--porcelain"]), "");

    write(ws.path(), "vendor/sub/file.txt", "by the agent\n");
    write(ws.path(), "README.md", "# by the agent\n");
    let changed = ws.changed_files(None, None).await.unwrap();
    assert_eq!(changed.len(), 2, "{changed:?}");
    ws.snapshot("step").await.unwrap();
    ws.restore(ws.base_snapshot()).await.unwrap();
    assert_eq!(read(ws.path(), "vendor/sub/file.txt"), "sub\n");
    assert_eq!(fingerprint(&place.project), before);
    assert!(!trace.exists());
    let fork = place
        .workspaces
        .prepare_fork("fork", RUN, ws.base_snapshot())
        .await
        .unwrap();
    assert_eq!(files(fork.path()), files(ws.path()));
}

#[tokio::test]
async fn submodules_the_user_does_not_have_stay_empty_and_are_counted() {
    let place = with_submodules();
    let from = place.project.to_str().unwrap();
    git(&place.outside, &["clone", "-q", from, "bare-of-submodules"]);
    let project = place.outside.join("bare-of-submodules");
    let ws = place
        .workspaces
        .prepare(RUN, &project, Mode::Clone)
        .await
        .unwrap();
    assert_eq!(ws.left_out().submodules, 1);
    write(ws.path(), "README.md", "# by the agent\n");
    land(&ws, "b").await;
    let names = git(&project, &["diff", "--name-only", "HEAD", "b"]);
    assert_eq!(names, "README.md", "the submodule's entry stays");
}

#[tokio::test]
async fn a_sparse_checkout_stays_sparse_and_nothing_else_is_deleted() {
    let place = Place::repository();
    place.write("wide/a.txt", "1\n");
    place.write("wide/b.txt", "1\n");
    place.commit("wide");
    git(&place.project, &["sparse-checkout", "set", "src"]);
    assert!(!place.project.join("wide").exists());
    let ws = place.clone().await;
    assert_eq!(files(ws.path()), files(&place.project));
    assert_eq!(ws.left_out().sparse, 2);
    assert_eq!(git(ws.path(), &["status", "--porcelain"]), "");
    write(ws.path(), "src/lib.rs", "fn two() {}\n");
    let step = ws.snapshot("step").await.unwrap();
    let changed = ws.changed_files(None, None).await.unwrap();
    assert_eq!(changed.len(), 1, "{changed:?}");

    let fork = place
        .workspaces
        .prepare_fork("fork", RUN, &step.id)
        .await
        .unwrap();
    assert_eq!(files(fork.path()), files(ws.path()));
    let status = git(fork.path(), &["status", "--porcelain"]);
    assert_eq!(status, "M src/lib.rs");
    land(&fork, "b").await;
    let names = git(&place.project, &["diff", "--name-only", "main", "b"]);
    assert_eq!(names, "src/lib.rs");
    fork.restore(ws.base_snapshot()).await.unwrap();
    assert_eq!(files(fork.path()), files(&place.project));
}

#[tokio::test]
async fn a_partial_clone_is_refused_with_a_way_out() {
    let place = Place::repository();
    git(
        &place.project,
        &["config", "uploadpack.allowFilter", "true"],
    );
    let url = format!("file://{}", place.project.display());
    git(
        &place.outside,
        &["clone", "-q", "--filter=blob:none", &url, "partial"],
    );
    let project = place.outside.join("partial");
    let error = place
        .workspaces
        .prepare(RUN, &project, Mode::Clone)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("partial clone"), "{error}");
    place
        .workspaces
        .prepare(RUN, &project, Mode::Copy)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_git_folder_may_be_elsewhere() {
    let place = Place::repository();
    let elsewhere = place.outside.join("elsewhere.git");
    fs::rename(place.project.join(".git"), &elsewhere).unwrap();
    place.write(".git", &format!("gitdir: {}\n", elsewhere.display()));
    place.write("README.md", "# mine\n");
    let before = fingerprint(&elsewhere);
    let ws = place.clone().await;
    assert_eq!(ws.left_out().changed, Some(1));
    assert_eq!(read(ws.path(), "README.md"), "# project\n");
    assert!(ws.path().join(".git").is_dir());
    assert_eq!(fingerprint(&elsewhere), before);
}

#[tokio::test]
async fn names_no_terminal_likes_and_names_that_differ_in_case_only() {
    let place = Place::repository();
    let odd: Vec<&[u8]> = vec![
        b"new\nline",
        b"tab\tquote\"back\\slash",
        b"invalid-\xff\xfe",
        b" lead and trail ",
        b"-dash",
        b":(top)magic",
        b"*?[a]",
        b"CASE",
        b"case",
        "\u{e9}".as_bytes(),
        "e\u{301}".as_bytes(),
    ];
    for name in &odd {
        fs::write(place.project.join(OsStr::from_bytes(name)), name).unwrap();
    }
    let long = "n".repeat(255);
    place.write(&long, "long\n");
    let deep = "d/".repeat(100) + "file";
    place.write(&deep, "deep\n");
    place.commit("odd");
    fs::write(
        place.project.join(OsStr::from_bytes(b"un\ntracked\xff")),
        "1",
    )
    .unwrap();
    fs::write(
        place.project.join(OsStr::from_bytes(b"invalid-\xff\xfe")),
        "2",
    )
    .unwrap();
    let along = Along {
        uncommitted: Uncommitted::ComeAlong,
        ..Along::default()
    };
    let ws = place
        .workspaces
        .prepare_with(RUN, &place.project, Mode::Clone, along)
        .await
        .unwrap();
    assert_eq!(files(ws.path()), files(&place.project));
    assert_eq!(ws.uncommitted(), 2);
    for name in &odd {
        fs::write(ws.path().join(OsStr::from_bytes(name)), "changed").unwrap();
    }
    fs::rename(ws.path().join("CASE"), ws.path().join("Case")).unwrap();
    let step = ws.snapshot("step").await.unwrap();
    assert!(step.skipped.is_empty(), "{step:?}");
    let now = files(ws.path());
    ws.restore(ws.base_snapshot()).await.unwrap();
    assert_eq!(files(ws.path()), files(&place.project));
    ws.restore(&step.id).await.unwrap();
    assert_eq!(files(ws.path()), now);
    let fork = place
        .workspaces
        .prepare_fork("fork", RUN, &step.id)
        .await
        .unwrap();
    assert_eq!(files(fork.path()), now);
}

#[tokio::test]
async fn locks_and_read_only_files_of_the_user_do_not_matter() {
    let place = Place::repository();
    place.write(".git/index.lock", "held by the user's git");
    place.write(".git/HEAD.lock", "held by the user's git");
    let mode = fs::Permissions::from_mode;
    fs::set_permissions(place.project.join("README.md"), mode(0o444)).unwrap();
    fs::set_permissions(place.project.join("src"), mode(0o555)).unwrap();
    let before = fingerprint(&place.project);
    let ws = place.clone().await;
    write(ws.path(), "src/new.rs", "new\n");
    ws.snapshot("step").await.unwrap();
    assert_eq!(fingerprint(&place.project), before);
    let copy = place
        .workspaces
        .prepare("copy", &place.project, Mode::Copy)
        .await
        .unwrap();
    assert_eq!(files(copy.path()), files(&place.project));
    fs::set_permissions(place.project.join("src"), mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_repository_of_another_user_is_cloned() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::repository();
    let mut all = vec![place.project.clone()];
    while let Some(path) = all.pop() {
        let nobody = Some(65534);
        std::os::unix::fs::lchown(&path, nobody, nobody).unwrap();
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            all.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        }
    }
    let ws = place.clone().await;
    assert_eq!(files(ws.path()), files(&place.project));
    assert_eq!(ws.left_out().changed, Some(0));
    write(ws.path(), "README.md", "# by the agent\n");
    land(&ws, "b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_may_repack_and_collect_while_workspaces_are_made() {
    let place = std::sync::Arc::new(Place::repository());
    for n in 0..30 {
        place.write("README.md", &format!("# {n}\n"));
        place.commit("more");
    }
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (done, project) = (stop.clone(), place.project.clone());
    let user = std::thread::spawn(move || {
        let mut rounds = 0;
        while !done.load(std::sync::atomic::Ordering::SeqCst) {
            git(&project, &["repack", "-q", "-a", "-d", "-f"]);
            git(&project, &["commit", "-q", "--allow-empty", "-m", "busy"]);
            git(&project, &["gc", "-q", "--prune=now"]);
            rounds += 1;
        }
        rounds
    });
    for n in 0..12 {
        let run = format!("run{n}");
        let ws = place
            .workspaces
            .prepare(&run, &place.project, Mode::Clone)
            .await
            .unwrap();
        git(ws.path(), &["fsck", "--strict"]);
        assert_eq!(ws.snapshot("x").await.unwrap().changed, Changed::No);
    }
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    let rounds = user.join().unwrap();
    assert!(rounds > 0, "the user did something");
}

#[tokio::test]
async fn lfs_pointers_stay_pointers_and_are_said() {
    let place = Place::repository();
    place.write(
        ".gitattributes",
        "*.bin filter=lfs diff=lfs merge=lfs -text\n",
    );
    let pointer = "version https://git-lfs.github.com/spec/v1\n\
                   oid sha256:4665a5ea423c2713d436b5ee50593a9640e0018c1550b5a0002f74190d6caea8\nsize 12\n";
    place.write("big.bin", pointer);
    place.commit("lfs");
    // What the user's own git lfs would have put there.
    place.write("big.bin", "the content\n");
    let ws = place.clone().await;
    assert_eq!(ws.left_out().lfs_pointers, 1);
    assert_eq!(read(ws.path(), "big.bin"), pointer);
    write(ws.path(), "README.md", "# by the agent\n");
    land(&ws, "b").await;
    let kept = git(&place.project, &["show", "b:big.bin"]);
    assert_eq!(kept, pointer.trim_end());

    // Contents never become a blob unsaid; another pointer may.
    write(ws.path(), "big.bin", "contents, and no pointer\n");
    let snapshot = ws.snapshot("contents").await.unwrap();
    let what = ApplyBranch {
        snapshot: &snapshot.id,
        branch: "contents",
        message: "m",
        at: 0,
        paths: &[],
    };
    let refused = ws.apply_branch(what).await;
    assert!(
        matches!(&refused, Err(ApplyError::Unsupported { path, .. }) if path == "big.bin"),
        "{refused:?}"
    );
    git(&place.project, &["rev-parse", "--verify", "-q", "main"]);
    assert_eq!(git(&place.project, &["branch", "--list", "contents"]), "");
    let others = [std::path::PathBuf::from("README.md")];
    ws.apply_branch(ApplyBranch {
        paths: &others,
        ..what
    })
    .await
    .unwrap();
    write(ws.path(), "big.bin", &pointer.replace("4665", "5566"));
    land(&ws, "pointer").await;
}
