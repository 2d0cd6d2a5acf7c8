//! The user's repository is neither changed nor obeyed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::{Place, RUN, fingerprint, git, read, write};

#[tokio::test]
async fn the_users_repository_stays_byte_identical() {
    let place = Place::repository();
    place.write("README.md", "# changed, not committed\n");
    place.write("untracked.txt", "mine\n");
    let before = fingerprint(&place.project);

    let ws = place.clone().await;
    write(ws.path(), "src/lib.rs", "fn two() {}\n");
    write(ws.path(), "new/file.txt", "new\n");
    let snapshot = ws.snapshot("step 1").await.unwrap();
    ws.diff(None, None).await.unwrap();
    ws.changed_files(None, Some(&snapshot.id)).await.unwrap();
    ws.restore(ws.base_snapshot()).await.unwrap();
    git(
        ws.path(),
        &["commit", "-q", "--allow-empty", "-m", "the agent's"],
    );
    git(ws.path(), &["gc", "-q", "--prune=now"]);
    assert_eq!(fingerprint(&place.project), before, "while the run works");

    drop(ws);
    place.workspaces.discard(RUN).await.unwrap();
    assert_eq!(fingerprint(&place.project), before, "after discard");
    assert!(!place.home.join(RUN).exists());
}

/// Puts something that leaves a trace wherever a repository can name a command.
fn set_traps(place: &Place, trace: &Path) {
    let command = format!("echo ran >> {}", trace.display());
    let trap = place.project.join(".git/trap.sh");
    fs::write(&trap, format!("#!/bin/sh\n{command}\ncat\n")).unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(place.project.join(".git/hooks")).unwrap();
    let hooks = [
        "post-checkout",
        "post-index-change",
        "reference-transaction",
        "pre-commit",
        "post-commit",
        "post-merge",
        "pre-auto-gc",
        "post-rewrite",
        "fsmonitor-watchman",
    ];
    for hook in hooks {
        fs::copy(&trap, place.project.join(".git/hooks").join(hook)).unwrap();
    }
    let trap = trap.to_str().unwrap();
    for key in [
        "core.fsmonitor",
        "filter.evil.smudge",
        "filter.evil.clean",
        "diff.evil.textconv",
        "diff.external",
        "core.sshCommand",
        "core.pager",
        "core.editor",
        "uploadpack.packObjectsHook",
        "core.alternateRefsCommand",
    ] {
        git(&place.project, &["config", key, trap]);
    }
    git(&place.project, &["config", "core.hooksPath", ".git/hooks"]);
}

#[tokio::test]
async fn nothing_the_repository_configures_is_run() {
    let place = Place::repository();
    place.write(".gitattributes", "*.md filter=evil diff=evil\n");
    place.commit("attributes");
    let trace = place.outside.join("trace");
    set_traps(&place, &trace);
    // A stat-dirty and a changed file make git look at contents.
    place.write("README.md", "# changed, not committed\n");

    let ws = place.clone().await;
    assert_eq!(ws.left_out().changed, Some(1));
    write(ws.path(), "README.md", "# by the agent\n");
    write(ws.path(), "notes.txt", "by the agent\n");
    let snapshot = ws.snapshot("step").await.unwrap();
    ws.diff(None, None).await.unwrap();
    ws.restore(ws.base_snapshot()).await.unwrap();
    let onto = |branch, paths| workspace::ApplyBranch {
        snapshot: &snapshot.id,
        branch,
        message: "m",
        at: 0,
        paths,
    };
    // What the filter would have made of it is not known.
    let refused = ws.apply_branch(onto("all", &[])).await.unwrap_err();
    assert!(refused.to_string().contains("evil"), "{refused}");
    let plain = [std::path::PathBuf::from("notes.txt")];
    ws.apply_branch(onto("part", &plain)).await.unwrap();
    assert!(
        !trace.exists(),
        "ran: {}",
        fs::read_to_string(&trace).unwrap()
    );

    // The traps do work: the user's own git falls into them.
    git(&place.project, &["status"]);
    assert!(trace.exists(), "the test sets no trap");
}

#[tokio::test]
async fn what_an_agent_configures_in_its_clone_is_not_run_either() {
    let place = Place::repository();
    let ws = place.clone().await;
    let trace = place.outside.join("trace");
    let command = format!("echo ran >> {}; cat", trace.display());
    for key in [
        "core.fsmonitor",
        "filter.evil.clean",
        "filter.evil.smudge",
        "diff.evil.textconv",
    ] {
        git(ws.path(), &["config", key, &command]);
    }
    write(ws.path(), ".gitattributes", "* filter=evil diff=evil\n");
    // A repository inside, with its own configuration.
    let inner = ws.path().join("vendor/inner");
    write(&inner, "file.txt", "inner\n");
    git(&inner, &["init", "-q"]);
    git(&inner, &["add", "-A"]);
    git(&inner, &["commit", "-q", "-m", "inner"]);
    git(&inner, &["config", "core.fsmonitor", &command]);
    write(&inner, "file.txt", "changed\n");

    let snapshot = ws.snapshot("step").await.unwrap();
    assert!(
        ws.diff(None, None)
            .await
            .unwrap()
            .contains("vendor/inner/file.txt")
    );
    ws.restore(ws.base_snapshot()).await.unwrap();
    let what = workspace::ApplyBranch {
        snapshot: &snapshot.id,
        branch: "b",
        message: "m",
        at: 0,
        paths: &[],
    };
    ws.apply_branch(what).await.unwrap();
    assert!(
        !trace.exists(),
        "ran: {}",
        fs::read_to_string(&trace).unwrap()
    );
}

#[tokio::test]
async fn refs_and_stashes_of_the_clone_are_its_own() {
    let place = Place::repository();
    git(&place.project, &["branch", "feature"]);
    let ws = place.clone().await;
    assert_eq!(ws.branch(), Some("longhaul/0199aaaa"));
    assert_eq!(
        git(ws.path(), &["branch", "--show-current"]),
        "longhaul/0199aaaa"
    );
    git(ws.path(), &["branch", "-D", "feature"]);
    git(ws.path(), &["update-ref", "-d", "refs/heads/main"]);
    write(ws.path(), "README.md", "stashed\n");
    git(ws.path(), &["stash", "-q"]);

    let refs = git(&place.project, &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/feature\nrefs/heads/main");
    assert_eq!(
        git(ws.path(), &["remote"]),
        "",
        "there is nowhere to push to"
    );
    assert_eq!(git(ws.path(), &["config", "user.name"]), "Longhaul agent");
}

#[tokio::test]
async fn snapshots_survive_an_agent_that_wrecks_its_git_folder() {
    let place = Place::repository();
    let ws = place.clone().await;
    write(ws.path(), "src/lib.rs", "fn two() {}\n");
    let snapshot = ws.snapshot("step").await.unwrap();
    fs::remove_dir_all(ws.path().join(".git")).unwrap();
    write(ws.path(), "src/lib.rs", "fn three() {}\n");
    ws.restore(&snapshot.id).await.unwrap();
    assert_eq!(read(ws.path(), "src/lib.rs"), "fn two() {}\n");
    git(
        &place.home.join(RUN).join("snap.git"),
        &["fsck", "--strict"],
    );
}

#[tokio::test]
async fn objects_are_linked_not_copied_and_out_of_the_agents_reach() {
    use std::os::unix::fs::MetadataExt as _;
    let place = Place::repository();
    git(&place.project, &["gc", "-q"]);
    place.write("loose", "1\n");
    place.commit("loose");
    let before = fingerprint(&place.project);
    let ws = place.clone().await;
    let inodes = |store: &Path| -> std::collections::BTreeSet<u64> {
        let mut out = std::collections::BTreeSet::new();
        let mut folders = vec![store.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let meta = entry.metadata().unwrap();
                match meta.is_dir() {
                    true => folders.push(entry.path()),
                    false => drop(out.insert(meta.ino())),
                }
            }
        }
        out
    };
    let users = inodes(&place.project.join(".git/objects"));
    let kept = inodes(&place.home.join(RUN).join("snap.git/objects"));
    assert!(users.intersection(&kept).count() >= 5, "linked, not copied");
    let agents = inodes(&ws.path().join(".git"));
    assert_eq!(
        users.intersection(&agents).count(),
        0,
        "nothing to overwrite"
    );

    // What it does with what it has harms nobody else.
    write(ws.path(), "src/lib.rs", "fn two() {}\n");
    git(ws.path(), &["commit", "-q", "-a", "-m", "the agent's"]);
    git(ws.path(), &["gc", "-q", "--prune=now"]);
    git(ws.path(), &["repack", "-q", "-a", "-d"]);
    git(ws.path(), &["fsck", "--strict"]);
    let fetched = place.outside.join("fetched");
    git(&place.outside, &["init", "-q", "fetched"]);
    let from = ws.path().to_str().unwrap();
    git(&fetched, &["fetch", "-q", from, ws.branch().unwrap()]);
    assert_eq!(
        git(&fetched, &["show", "FETCH_HEAD:src/lib.rs"]),
        "fn two() {}"
    );
    git(&fetched, &["fsck", "--strict"]);
    for entry in fs::read_dir(ws.path().join(".git/objects/pack")).unwrap() {
        let path = entry.unwrap().path();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "wrecked").unwrap();
    }
    assert_eq!(fingerprint(&place.project), before);
    git(&place.project, &["fsck", "--strict"]);
    git(
        &place.home.join(RUN).join("snap.git"),
        &["fsck", "--strict"],
    );
}
