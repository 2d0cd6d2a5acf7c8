//! Killed at each point of an apply, and at random: each path is as before or
//! as after, and what comes next brings it to its end.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use domain::ApplyInto;
use workspace::{ApplyError, Mode, Workspaces};

use crate::applying::{Asked, CHANGES, ask, done};
use crate::support::{Place, RUN, files, git, read, write};

/// What the process that is to die does; run by the tests of this file only.
#[tokio::test]
#[ignore = "started by the other tests of this file, to be killed"]
async fn child() {
    let Ok(top) = std::env::var("LONGHAUL_TEST_TOP") else {
        return;
    };
    let top = Path::new(&top);
    let into = match std::env::var("LONGHAUL_TEST_INTO").as_deref() {
        Ok("commit") => ApplyInto::Commit,
        _ => ApplyInto::Changes,
    };
    let workspaces = Workspaces::new(top.join("home"));
    let ws = workspaces
        .prepare(RUN, &top.join("project"), Mode::Clone)
        .await
        .unwrap();
    let outcome = ask(&ws, Asked { into, ..CHANGES }).await;
    if std::env::var("LONGHAUL_TEST_FAILS").is_ok() {
        let error = outcome.unwrap_err();
        fs::write(top.join("error"), error.to_string()).unwrap();
    } else {
        done(outcome);
    }
}

fn child_of(place: &Place, into: ApplyInto) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--ignored", "--exact", "apply_crashes::child"])
        .env("LONGHAUL_TEST_TOP", place.home.parent().unwrap())
        .env(
            "LONGHAUL_TEST_INTO",
            if into == ApplyInto::Commit {
                "commit"
            } else {
                "changes"
            },
        )
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    child
}

/// A project and a run that changes it in every way, of about `n` files.
async fn worked(n: usize) -> (Place, BTreeMap<PathBuf, String>, BTreeMap<PathBuf, String>) {
    let place = Place::repository();
    place.write("was-file", "1\n");
    place.write("was-folder/a/b", "1\n");
    place.write("dir/gone", "1\n");
    for n in 0..n {
        place.write(&format!("many/{}/f{n}", n % 7), "before\n");
    }
    place.commit("more");
    let ws = place.clone().await;
    let run = ws.path();
    fs::remove_file(run.join("was-file")).unwrap();
    write(run, "was-file/inner", "2\n");
    fs::remove_dir_all(run.join("was-folder")).unwrap();
    write(run, "was-folder", "2\n");
    fs::remove_dir_all(run.join("dir")).unwrap();
    write(run, "brand/new/file", "2\n");
    write(run, "README.md", "2\n");
    for n in 0..n {
        match n % 3 {
            0 => fs::remove_file(run.join(format!("many/{}/f{n}", n % 7))).unwrap(),
            1 => write(run, &format!("many/{}/f{n}", n % 7), "after\n"),
            _ => write(run, &format!("many/{}/g{n}", n % 7), "after\n"),
        }
    }
    ws.snapshot("result").await.unwrap();
    let (before, after) = (files(&place.project), files(run));
    (place, before, after)
}

/// Each path is as before or as after, whatever is beside it for the moment.
fn before_or_after(
    place: &Place,
    before: &BTreeMap<PathBuf, String>,
    after: &BTreeMap<PathBuf, String>,
    at: &str,
) {
    let now = files(&place.project);
    for path in before.keys().chain(after.keys()) {
        let is = now.get(path);
        assert!(
            is == before.get(path) || is == after.get(path),
            "{at}: {} is {is:?}",
            path.display()
        );
    }
    for path in now
        .keys()
        .filter(|path| !before.contains_key(*path) && !after.contains_key(*path))
    {
        let ours = path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(".longhaul-tmp-");
        assert!(ours, "{at}: {} is nobody's", path.display());
    }
}

async fn goes_on(place: &Place, into: ApplyInto, after: &BTreeMap<PathBuf, String>, at: &str) {
    let ws = place.clone().await;
    let applied = done(ask(&ws, Asked { into, ..CHANGES }).await);
    assert_eq!(&files(&place.project), after, "{at}");
    assert_eq!(
        applied.paths.len(),
        done(ask(&ws, Asked { into, ..CHANGES }).await).paths.len()
    );
    git(&place.project, &["fsck", "--strict"]);
    assert!(!place.project.join(".git/index.lock").exists(), "{at}");
    let status = git(&place.project, &["status", "--porcelain"]);
    match into {
        ApplyInto::Commit => {
            assert_eq!(status, "", "{at}");
            let count = git(&place.project, &["rev-list", "--count", "HEAD"]);
            assert_eq!(count, "3", "{at}: one commit, not more");
        }
        _ => assert!(!status.contains("longhaul"), "{at}: {status}"),
    }
    let left = place.workspaces.unfinished_applies().await.unwrap();
    assert_eq!(left, Vec::<String>::new(), "{at}");
    ws.forget_apply().await.unwrap();
    assert!(!place.home.join(RUN).join("apply.json").exists());
}

const POINTS: [&str; 11] = [
    "workspace.apply_planned",
    "workspace.apply_file_filled",
    "workspace.apply_file_filled#3",
    "workspace.apply_filled",
    "workspace.apply_exchanged",
    "workspace.apply_removed",
    "workspace.apply_removed#2",
    "workspace.apply_switched",
    "workspace.apply_switched#3",
    "workspace.apply_cleaned",
    "workspace.apply_cleaned#3",
];

#[tokio::test]
async fn killed_at_each_point_it_goes_on() {
    let commit = [
        "workspace.apply_index_locked",
        "workspace.apply_branch_moved",
        "workspace.apply_index_replaced",
    ];
    let changes = POINTS.map(|point| (ApplyInto::Changes, point));
    let commit = commit
        .iter()
        .chain(&POINTS[5..9])
        .map(|point| (ApplyInto::Commit, *point));
    for (into, point) in changes.into_iter().chain(commit) {
        let (place, before, after) = worked(4).await;
        let status = child_of(&place, into)
            .env("LONGHAUL_CRASH_AT", point)
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(9), "{point} was not reached");
        let left = place.workspaces.unfinished_applies().await.unwrap();
        assert_eq!(left, [RUN], "{point}");
        before_or_after(&place, &before, &after, point);
        goes_on(&place, into, &after, point).await;
    }
}

#[tokio::test]
async fn killed_at_random_it_goes_on() {
    for round in 0..12_u64 {
        let into = if round % 3 == 0 {
            ApplyInto::Commit
        } else {
            ApplyInto::Changes
        };
        let (place, before, after) = worked(60).await;
        let mut child = child_of(&place, into).spawn().unwrap();
        let journal = place.home.join(RUN).join("apply.json");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !journal.exists() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(journal.exists(), "the apply did not begin");
        std::thread::sleep(std::time::Duration::from_micros(round * round * 700));
        child.kill().unwrap();
        child.wait().unwrap();
        before_or_after(&place, &before, &after, &format!("round {round}"));
        goes_on(&place, into, &after, &format!("round {round}")).await;
    }
}

#[tokio::test]
async fn what_the_user_does_after_the_crash_is_not_undone() {
    for point in [
        "workspace.apply_switched#3",
        "workspace.apply_filled",
        "workspace.apply_planned",
    ] {
        let (place, _, after) = worked(4).await;
        let status = child_of(&place, ApplyInto::Changes)
            .env("LONGHAUL_CRASH_AT", point)
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(9), "{point}");
        place.write("README.md", "the user's now\n");
        let error = place.workspaces.resume_apply(RUN).await.unwrap_err();
        assert!(matches!(error, ApplyError::Moved(_)), "{error}");
        assert_eq!(read(&place.project, "README.md"), "the user's now\n");
        assert!(
            place
                .workspaces
                .unfinished_applies()
                .await
                .unwrap()
                .is_empty()
        );
        let mut now = files(&place.project);
        now.remove(Path::new("README.md"));
        assert!(
            now.keys()
                .all(|p| !p.to_string_lossy().contains("longhaul-tmp")),
            "{now:?}"
        );
        assert!(
            !place.project.join("brand").exists(),
            "{point}: it was taken back"
        );
        assert_eq!(read(&place.project, "was-file"), "1\n");
        assert_ne!(now, after);
    }
}

#[tokio::test]
async fn killed_while_taking_back_it_is_taken_back() {
    for nth in [1, 3, 6] {
        let (place, before, after) = worked(4).await;
        let point = "workspace.apply_switched#5";
        let status = child_of(&place, ApplyInto::Changes)
            .env("LONGHAUL_CRASH_AT", point)
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(9));
        // A path still to be switched, so that it is taken back.
        let untouched = files(&place.project)
            .into_iter()
            .find(|(path, is)| before.get(path) == Some(is) && after.get(path) != Some(is))
            .unwrap()
            .0;
        place.write(untouched.to_str().unwrap(), "the user's now\n");
        let back = format!("workspace.apply_taken_back#{nth}");
        let status = child_of(&place, ApplyInto::Changes)
            .env("LONGHAUL_CRASH_AT", back)
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(9));
        let error = place.workspaces.resume_apply(RUN).await.unwrap_err();
        assert!(matches!(error, ApplyError::Moved(_)), "{error}");
        let mut expected = before.clone();
        expected.remove(&untouched);
        let mut now = files(&place.project);
        assert!(now.remove(&untouched).is_some());
        assert_eq!(now, expected, "#{nth}");
    }
}

/// A file system of this size for the project, in a mount namespace of its own.
fn on_small_disk(place: &Place, bytes: u64) -> Command {
    let child = std::env::current_exe().unwrap();
    let (project, stash) = (&place.project, place.home.parent().unwrap().join("stash"));
    let script = format!(
        "set -e; mkdir '{stash}'; cp -a '{project}/.' '{stash}'; \
         mount -t tmpfs -o size={bytes} small '{project}'; cp -a '{stash}/.' '{project}'; \
         cd /; '{child}' --ignored --exact apply_crashes::child; \
         rm -rf '{stash}'; mkdir '{stash}'; cp -a '{project}/.' '{stash}'",
        stash = stash.display(),
        project = project.display(),
        child = child.display(),
    );
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", &script])
        .env("LONGHAUL_TEST_TOP", place.home.parent().unwrap());
    command
}

#[tokio::test]
async fn a_full_disk_leaves_everything_as_it_was() {
    let can = Command::new("unshare").args(["--mount", "true"]).status();
    if !can.is_ok_and(|status| status.success()) {
        // Needs the right to mount: CI runs it as root.
        return;
    }
    let place = Place::repository();
    let ws = place.clone().await;
    for n in 0..20 {
        write(ws.path(), &format!("big{n}"), &"x".repeat(100_000));
    }
    write(ws.path(), "README.md", "2\n");
    fs::remove_file(ws.path().join("run.sh")).unwrap();
    ws.snapshot("result").await.unwrap();
    let before = files(&place.project);
    let out = on_small_disk(&place, 1_500_000)
        .env("LONGHAUL_TEST_FAILS", "1")
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let error = read(place.home.parent().unwrap(), "error");
    assert!(
        error.contains("No space left") && error.contains("nothing was applied"),
        "{error}"
    );
    assert_eq!(files(&place.home.parent().unwrap().join("stash")), before);
    assert!(
        place
            .workspaces
            .unfinished_applies()
            .await
            .unwrap()
            .is_empty()
    );
}

/// As another user than root, who may write everywhere.
#[tokio::test]
async fn a_folder_that_cannot_be_written_leaves_everything_as_it_was() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::repository();
    place.write("closed/file", "1\n");
    place.write("a", "1\n");
    place.commit("more");
    let ws = place.clone().await;
    write(ws.path(), "a", "2\n");
    write(ws.path(), "closed/file", "2\n");
    write(ws.path(), "z", "2\n");
    ws.snapshot("result").await.unwrap();
    let before = files(&place.project);
    let closed = place.project.join("closed");
    let can = if rustix_is_root() {
        Command::new("chattr")
            .arg("+i")
            .arg(&closed)
            .status()
            .is_ok_and(|s| s.success())
    } else {
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
        true
    };
    if !can {
        return;
    }
    let outcome = ask(&ws, CHANGES).await;
    if rustix_is_root() {
        Command::new("chattr")
            .arg("-i")
            .arg(&closed)
            .status()
            .unwrap();
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains("closed/file"), "{error}");
    assert_eq!(files(&place.project), before);
}

fn rustix_is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}
