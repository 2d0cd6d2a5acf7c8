//! Forks: another run that begins with a state of this one.

use std::fs;
use std::path::Path;

use workspace::{ApplyBranch, Changed, Mode, PrepareError, Workspaces};

use crate::support::{Place, RUN, files, fingerprint, git, read, write};

const FORK: &str = "0199aaaa-0000-7000-8000-00000000000f";

#[tokio::test]
async fn a_fork_has_exactly_the_files_of_the_snapshot_and_the_parents_base() {
    let place = Place::repository();
    place.write("tracked.log", "tracked though ignored\n");
    git(&place.project, &["add", "-f", "tracked.log"]);
    place.commit("second");
    let parent = place.clone().await;
    write(parent.path(), "src/lib.rs", "fn two() {}\r\n");
    write(parent.path(), "new/deep.txt", "new\n");
    fs::remove_file(parent.path().join("README.md")).unwrap();
    write(parent.path(), "cache.log", "ignored\n");
    let then = parent.snapshot("then").await.unwrap();
    let mut wanted = files(parent.path());
    wanted.remove(Path::new("cache.log"));
    write(parent.path(), "later.txt", "later\n");
    parent.snapshot("later").await.unwrap();
    let parents = fingerprint(&place.home.join(RUN));
    let users = fingerprint(&place.project);

    let fork = place
        .workspaces
        .prepare_fork(FORK, RUN, &then.id)
        .await
        .unwrap();
    assert_eq!(files(fork.path()), wanted);
    assert_eq!(fork.run(), FORK);
    assert_eq!(fork.base_commit(), parent.base_commit());
    assert_eq!(fork.base_snapshot(), parent.base_snapshot());
    assert_eq!(fork.project(), place.project);
    assert_eq!(fork.forked_from().unwrap().snapshot, then.id);
    assert_eq!(
        fork.snapshot("nothing yet").await.unwrap(),
        workspace::Snapshot {
            changed: Changed::No,
            ..then.clone()
        }
    );
    assert_eq!(
        fork.diff(None, None).await.unwrap(),
        parent.diff(None, Some(&then.id)).await.unwrap()
    );
    // Every earlier state of the parent is one of the fork's too.
    fork.restore(parent.base_snapshot()).await.unwrap();
    assert_eq!(files(fork.path()), files(&place.project));
    fork.restore(&then.id).await.unwrap();

    let status = git(fork.path(), &["status", "--porcelain=v1"]);
    assert_eq!(status, "D README.md\n M src/lib.rs\n?? new/");
    assert_eq!(
        git(fork.path(), &["rev-parse", "main"]),
        fork.base_commit().unwrap()
    );
    git(fork.path(), &["fsck", "--strict"]);
    assert_eq!(fingerprint(&place.home.join(RUN)), parents);
    assert_eq!(fingerprint(&place.project), users);
}

#[tokio::test]
async fn a_fork_outlives_its_parent_and_the_users_commits() {
    let place = Place::repository();
    let parent = place.clone().await;
    write(parent.path(), "src/lib.rs", "fn two() {}\n");
    let then = parent.snapshot("then").await.unwrap();
    // The user rewrites history: the commit the run started from is gone.
    place.write("README.md", "# rewritten\n");
    git(
        &place.project,
        &["commit", "-q", "--amend", "-a", "-m", "rewritten"],
    );
    git(
        &place.project,
        &["reflog", "expire", "--expire=now", "--all"],
    );
    git(&place.project, &["gc", "-q", "--prune=now"]);

    let fork = place
        .workspaces
        .prepare_fork(FORK, RUN, &then.id)
        .await
        .unwrap();
    assert_eq!(
        read(fork.path(), "README.md"),
        "# project\n",
        "not today's HEAD"
    );
    drop(parent);
    place.workspaces.discard(RUN).await.unwrap();
    fs::remove_dir_all(&place.project).unwrap();
    write(fork.path(), "src/lib.rs", "fn three() {}\n");
    fork.snapshot("step").await.unwrap();
    fork.restore(fork.base_snapshot()).await.unwrap();
    assert_eq!(read(fork.path(), "src/lib.rs"), "fn one() {}\n");
    git(
        fork.path(),
        &["commit", "-q", "--allow-empty", "-m", "the agent's"],
    );
    git(fork.path(), &["fsck", "--strict"]);
    git(
        &place.home.join(FORK).join("snap.git"),
        &["fsck", "--strict"],
    );

    // Found again by another process, and by a caller that does not know it is one.
    drop(fork);
    let later = Workspaces::new(place.home.clone());
    later.prepare_fork(FORK, RUN, &then.id).await.unwrap();
    assert!(later.open(FORK).await.unwrap().is_some());
}

#[tokio::test]
async fn a_fork_lands_all_changes_since_the_users_commit() {
    let place = Place::repository();
    let parent = place.clone().await;
    write(parent.path(), "first.txt", "by the parent\n");
    let then = parent.snapshot("then").await.unwrap();
    let fork = place
        .workspaces
        .prepare_fork(FORK, RUN, &then.id)
        .await
        .unwrap();
    write(fork.path(), "second.txt", "by the fork\n");
    let last = fork.snapshot("last").await.unwrap();
    let what = ApplyBranch {
        snapshot: &last.id,
        branch: "both",
        message: "m",
        at: 0,
        paths: &[],
    };
    fork.apply_branch(what).await.unwrap();
    let names = git(&place.project, &["diff", "--name-only", "main", "both"]);
    assert_eq!(names, "first.txt\nsecond.txt");
}

#[tokio::test]
async fn a_fork_of_a_copy_does_not_look_at_the_users_folder() {
    let place = Place::empty();
    place.write("a.txt", "1\n");
    let parent = place.copy().await;
    write(parent.path(), "a.txt", "2\n");
    let then = parent.snapshot("then").await.unwrap();
    place.write("a.txt", "the user's own\n");
    place.write("b.txt", "the user's own\n");
    let fork = place
        .workspaces
        .prepare_fork(FORK, RUN, &then.id)
        .await
        .unwrap();
    assert_eq!(files(fork.path()), files(parent.path()));
    assert_eq!(fork.mode(), Mode::Copy);
    assert_eq!(fork.changed_files(None, None).await.unwrap().len(), 1);
    let again = place
        .workspaces
        .prepare(FORK, &place.project, Mode::Copy)
        .await
        .unwrap();
    assert_eq!(again.path(), fork.path());
}

#[tokio::test]
async fn a_state_left_by_going_back_can_be_forked_and_so_can_a_fork() {
    let place = Place::repository();
    let parent = place.clone().await;
    write(parent.path(), "a", "1");
    let left = parent.snapshot("left").await.unwrap();
    parent.restore(parent.base_snapshot()).await.unwrap();
    // The parent's files may be lost: its snapshots are what counts.
    fs::remove_dir_all(parent.root()).unwrap();
    let first = place
        .workspaces
        .prepare_fork(FORK, RUN, &left.id)
        .await
        .unwrap();
    assert_eq!(read(first.path(), "a"), "1");
    write(first.path(), "a", "2");
    let next = first.snapshot("next").await.unwrap();
    let second = place
        .workspaces
        .prepare_fork("second", FORK, &next.id)
        .await
        .unwrap();
    assert_eq!(read(second.path(), "a"), "2");
    assert_eq!(second.base_snapshot(), parent.base_snapshot());
}

#[tokio::test]
async fn what_cannot_be_forked_is_refused_with_a_reason_and_nothing_is_made() {
    let place = Place::repository();
    let parent = place.clone().await;
    let base = parent.base_snapshot().to_owned();
    let refused = async |run: &str, from: &str, snapshot: &str| {
        let error = place
            .workspaces
            .prepare_fork(run, from, snapshot)
            .await
            .unwrap_err();
        assert!(run == from || !place.home.join(run).exists(), "{error}");
        error
    };
    let users = parent.base_commit().unwrap().to_owned();
    for unknown in ["0".repeat(40), "HEAD".into(), "--all".into(), users] {
        let error = refused(FORK, RUN, &unknown).await;
        assert!(matches!(error, PrepareError::NoSnapshot { .. }), "{error}");
    }
    let error = refused(FORK, "nobody", &base).await;
    assert!(matches!(error, PrepareError::NoParent(_)), "{error}");
    let error = refused(RUN, RUN, &base).await;
    assert!(matches!(error, PrepareError::BadRun(_)), "{error}");
    for odd in ["", "../x"] {
        let error = refused(FORK, odd, &base).await;
        assert!(matches!(error, PrepareError::BadRun(_)), "{error}");
    }
    let in_place = place
        .workspaces
        .prepare("place", &place.project, Mode::InPlace)
        .await
        .unwrap();
    let error = refused(FORK, "place", in_place.base_snapshot()).await;
    assert!(error.to_string().contains("roll it back"), "{error}");
    drop((parent, in_place));
    place.workspaces.discard(RUN).await.unwrap();
    let error = refused(FORK, RUN, &base).await;
    assert!(error.to_string().contains("discarded"), "{error}");
}

#[tokio::test]
async fn a_run_is_the_fork_of_one_state_only() {
    let place = Place::repository();
    let parent = place.clone().await;
    write(parent.path(), "a", "1");
    let other = parent.snapshot("other").await.unwrap();
    let fork = async |snapshot: &str| place.workspaces.prepare_fork(FORK, RUN, snapshot).await;
    fork(parent.base_snapshot()).await.unwrap();
    let error = fork(&other.id).await.unwrap_err();
    assert!(matches!(error, PrepareError::Taken { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_of_each_other_and_of_a_busy_parent_do_not_wait_for_ever() {
    let place = std::sync::Arc::new(Place::repository());
    let parent = place.clone().as_ref().clone().await;
    let base = parent.base_snapshot().to_owned();
    let mut tasks = tokio::task::JoinSet::new();
    for (run, from) in [("a", "b"), ("b", "a"), ("a", RUN), ("b", RUN), ("c", RUN)] {
        let (place, base) = (place.clone(), base.clone());
        tasks.spawn(async move {
            let _ = place.workspaces.prepare_fork(run, from, &base).await;
        });
    }
    for n in 0..5 {
        write(parent.path(), "busy", &n.to_string());
        parent.snapshot("busy").await.unwrap();
    }
    let all = async { while tasks.join_next().await.is_some() {} };
    tokio::time::timeout(std::time::Duration::from_secs(60), all)
        .await
        .expect("nobody waits for ever");
    let c = place.workspaces.open("c").await.unwrap().unwrap();
    assert_eq!(files(c.path()), files(&place.project));
}
