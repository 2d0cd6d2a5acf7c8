//! What comes along from the user's folder beside the commit.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use workspace::{Along, BringPath, Changed, Mode, PrepareError, Uncommitted, Workspace};

use crate::support::{Place, RUN, files, fingerprint, git, read, write};

fn changes() -> Along {
    Along {
        uncommitted: Uncommitted::ComeAlong,
        ..Along::default()
    }
}

fn bring(paths: &[&str]) -> Along {
    let path = |text: &&str| BringPath::try_from((*text).to_owned()).unwrap();
    Along {
        bring: paths.iter().map(path).collect(),
        ..Along::default()
    }
}

async fn prepare(place: &Place, along: Along) -> Workspace {
    place
        .workspaces
        .prepare_with(RUN, &place.project, Mode::Clone, along)
        .await
        .unwrap()
}

#[tokio::test]
async fn uncommitted_changes_come_along_as_the_state_before_the_run() {
    let place = Place::repository();
    place.write("dir/a", "1\n");
    place.write("dir/b", "1\n");
    place.write("thing", "a file\n");
    place.commit("more");
    // Staged, not staged, staged and changed again, deleted, swapped kinds, new.
    place.write("README.md", "# staged\n");
    git(&place.project, &["add", "README.md"]);
    place.write("README.md", "# and again\n");
    place.write("src/lib.rs", "fn mine() {}\r\n");
    fs::remove_file(place.project.join("run.sh")).unwrap();
    fs::remove_dir_all(place.project.join("dir")).unwrap();
    symlink("src", place.project.join("dir")).unwrap();
    fs::remove_file(place.project.join("thing")).unwrap();
    place.write("thing/now/a/folder", "x\n");
    place.write("new file", "new\n");
    place.write("ignored.log", "ignored\n");
    fs::remove_file(place.project.join("link")).unwrap();
    symlink("/nonexistent", place.project.join("link")).unwrap();
    place.write("staged-then-gone", "x\n");
    git(&place.project, &["add", "staged-then-gone"]);
    fs::remove_file(place.project.join("staged-then-gone")).unwrap();
    let before = fingerprint(&place.project);

    let ws = prepare(&place, changes()).await;
    let mut wanted = files(&place.project);
    wanted.remove(Path::new("ignored.log"));
    assert_eq!(files(ws.path()), wanted);
    assert_eq!(fingerprint(&place.project), before);
    assert_eq!(ws.uncommitted(), 11, "paths that differ from the commit");
    assert_eq!(
        (ws.left_out().changed, ws.left_out().untracked),
        (Some(0), Some(0))
    );
    // They are the start, not the agent's work.
    assert!(ws.changed_files(None, None).await.unwrap().is_empty());
    write(ws.path(), "agent.txt", "by the agent\n");
    let all = ws.changed_files(None, None).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].path, "agent.txt");
    // The agent sees them as the user does.
    let status = git(ws.path(), &["status", "--porcelain", "--", "src", "run.sh"]);
    assert_eq!(status, "D run.sh\n M src/lib.rs");
    ws.snapshot("step").await.unwrap();
    ws.restore(ws.base_snapshot()).await.unwrap();
    assert_eq!(files(ws.path()), wanted);
}

#[tokio::test]
async fn changes_of_a_fork_are_those_of_its_parent_and_too_many_are_refused() {
    let place = Place::repository();
    place.write("README.md", "# mine\n");
    place.write("big", &"x".repeat(5000));
    let along = Along {
        copy_limit: Some(4096),
        ..changes()
    };
    let refused = place
        .workspaces
        .prepare_with(RUN, &place.project, Mode::Clone, along);
    let error = refused.await.unwrap_err();
    assert!(matches!(error, PrepareError::TooLarge { .. }), "{error}");
    let ws = prepare(&place, changes()).await;
    place.write("README.md", "# later\n");
    let fork = place
        .workspaces
        .prepare_fork("fork", RUN, ws.base_snapshot())
        .await
        .unwrap();
    assert_eq!(read(fork.path(), "README.md"), "# mine\n");
    assert_eq!(fork.uncommitted(), ws.uncommitted());
}

#[tokio::test]
async fn what_git_will_not_say_of_a_work_tree_is_counted_not_taken() {
    let place = Place::repository();
    git(&place.project, &["init", "-q", "nested"]);
    place.write("nested/file", "1\n");
    fs::remove_file(place.project.join("run.sh")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place.project.join("run.sh"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let ws = prepare(&place, changes()).await;
    assert_eq!(ws.left_out().untracked, Some(1), "the repository inside");
    assert_eq!(ws.left_out().special, 1);
    assert!(!ws.path().join("nested").exists());
    assert!(!ws.path().join("run.sh").exists());
}

#[tokio::test]
async fn brought_files_are_in_the_workspace_and_in_nothing_that_leaves_it() {
    let place = Place::repository();
    place.write(".gitignore", "target/\n*.log\n.env*\ncerts/\n");
    place.write(".env", "KEY=test-key-not-real\n");
    place.write(".env.local", "OTHER=test-key-not-real\n");
    place.write("certs/a.pem", "test-key-not-real\n");
    place.write("certs/deep/b.pem", "test-key-not-real\n");
    place.commit("ignore");
    place.write("plain-secret", "test-key-not-real\n");
    let along = Along {
        uncommitted: Uncommitted::ComeAlong,
        ..bring(&[".env*", "certs", "plain-secret", "absent/*.x"])
    };
    let ws = prepare(&place, along).await;
    for path in [".env", ".env.local", "certs/deep/b.pem", "plain-secret"] {
        assert!(read(ws.path(), path).contains("test-key"), "{path}");
    }
    assert_eq!(ws.left_out().not_brought, ["absent/*.x: there is none"]);

    // The agent un-ignores all of it and changes some.
    write(ws.path(), ".gitignore", "!.env\n!certs/\n!plain-secret\n");
    write(ws.path(), ".env", "KEY=another-test-key-not-real\n");
    write(ws.path(), "src/lib.rs", "fn two() {}\n");
    fs::remove_file(ws.path().join(".env.local")).unwrap();
    let step = ws.snapshot("step").await.unwrap();
    let diff = ws.diff(None, None).await.unwrap();
    assert!(
        diff.contains("fn two") && !diff.contains("test-key"),
        "{diff}"
    );
    let store = place.home.join(RUN).join("snap.git");
    let objects = git(
        &store,
        &["cat-file", "--batch-all-objects", "--unordered", "--batch"],
    );
    assert!(!objects.contains("test-key"), "{objects}");
    let what = workspace::ApplyBranch {
        snapshot: &step.id,
        branch: "b",
        message: "m",
        at: 0,
        paths: &[],
    };
    ws.apply_branch(what).await.unwrap();
    let names = git(&place.project, &["ls-tree", "-r", "--name-only", "b"]);
    assert!(
        !names.contains("env") && !names.contains("secret"),
        "{names}"
    );
    // Nor into the agent's own commits, unless it insists.
    write(ws.path(), ".gitignore", "target/\n");
    git(ws.path(), &["add", "-A"]);
    let staged = git(ws.path(), &["diff", "--cached", "--name-only"]);
    assert_eq!(staged, ".gitignore\nsrc/lib.rs");

    // Going back leaves them; a fork gets them from the user's folder.
    ws.restore(ws.base_snapshot()).await.unwrap();
    assert_eq!(read(ws.path(), ".env"), "KEY=another-test-key-not-real\n");
    fs::remove_file(place.project.join(".env.local")).unwrap();
    let fork = place
        .workspaces
        .prepare_fork("fork", RUN, &step.id)
        .await
        .unwrap();
    assert_eq!(read(fork.path(), ".env"), "KEY=test-key-not-real\n");
    assert_eq!(read(fork.path(), "certs/a.pem"), "test-key-not-real\n");
    assert_eq!(fork.left_out().not_brought, [".env.local: there is none"]);
    write(fork.path(), ".env", "changed\n");
    assert_eq!(fork.snapshot("x").await.unwrap().changed, Changed::No);
}

#[tokio::test]
async fn nothing_from_outside_the_project_is_brought() {
    let place = Place::repository();
    write(&place.outside, "secret", "test-key-not-real\n");
    let outside = place.outside.to_str().unwrap().to_owned();
    place.write(".gitignore", "l*\n");
    place.commit("ignore");
    symlink(&outside, place.project.join("lfolder")).unwrap();
    symlink(format!("{outside}/secret"), place.project.join("labsolute")).unwrap();
    symlink("../outside/secret", place.project.join("lout")).unwrap();
    symlink("README.md", place.project.join("linside")).unwrap();
    // Committed: what the user has of it counts as an uncommitted change.
    place.write("README.md", "# mine\n");
    let list = [
        "lfolder/secret",
        "lfolder",
        "labsolute",
        "lout",
        "linside",
        "README.md",
    ];
    let ws = prepare(&place, bring(&list)).await;
    assert_eq!(
        ws.left_out().not_brought,
        [
            "lfolder: links are not followed",
            "lfolder: it leads out of the project",
            "labsolute: it leads out of the project",
            "lout: it leads out of the project",
            "README.md: it is committed",
        ]
    );
    assert_eq!(
        fs::read_link(ws.path().join("linside")).unwrap(),
        Path::new("README.md")
    );
    assert_eq!(read(ws.path(), "README.md"), "# project\n");
}

#[tokio::test]
async fn a_commit_cannot_lead_what_is_brought_out_of_the_workspace() {
    let place = Place::repository();
    symlink(&place.outside, place.project.join("config")).unwrap();
    place.commit("a link");
    fs::remove_file(place.project.join("config")).unwrap();
    place.write("config/local.toml", "test-key-not-real\n");
    let ws = prepare(&place, bring(&["config/local.toml"])).await;
    assert_eq!(fs::read_dir(&place.outside).unwrap().count(), 0);
    assert_eq!(
        ws.left_out().not_brought,
        ["config/local.toml: its folder is a link or a file"]
    );
}

#[tokio::test]
async fn a_copy_and_a_subfolder_get_what_is_listed_too() {
    let place = Place::empty();
    place.write(".gitignore", ".env\n");
    place.write(".env", "test-key-not-real\n");
    place.write("notes.txt", "test-key-not-real\n");
    place.write("a.txt", "1\n");
    let along = bring(&[".env", "notes.txt"]);
    let ws = place
        .workspaces
        .prepare_with(RUN, &place.project, Mode::Copy, along)
        .await
        .unwrap();
    assert_eq!(files(ws.path()), files(&place.project));
    write(ws.path(), "notes.txt", "changed\n");
    assert_eq!(ws.snapshot("nothing").await.unwrap().changed, Changed::No);

    let place = Place::repository();
    place.write("src/.env.log", "test-key-not-real\n");
    let ws = place
        .workspaces
        .prepare_with(
            RUN,
            &place.project.join("src"),
            Mode::Clone,
            bring(&["*.log", ".env.log"]),
        )
        .await
        .unwrap();
    assert_eq!(read(ws.path(), ".env.log"), "test-key-not-real\n");
    write(ws.root(), ".gitignore", "");
    let step = ws.snapshot("step").await.unwrap();
    let names = ws.changed_files(None, Some(&step.id)).await.unwrap();
    assert_eq!(names.len(), 1, "{names:?}");
}
