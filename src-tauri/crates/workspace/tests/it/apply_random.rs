//! Random work by the run and by the user, applied: no byte of the user's is lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use domain::ApplyInto;
use workspace::{ApplyOutcome, PathOutcome, Resolution, TakenSide};

use crate::applying::{Asked, CHANGES, ask};
use crate::random::{Dice, clear, make_way};
use crate::support::{Place, files, git};

const LINES: u64 = 12;

fn edit(root: &Path, dice: &mut Dice, who: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dice.path();
    let full = root.join(&path);
    match dice.roll(8) {
        0 => clear(root, &path),
        1 => {
            make_way(root, &path);
            std::os::unix::fs::symlink(dice.path(), &full).unwrap();
        }
        2 if full.is_file() => {
            let mode = if dice.roll(2) == 0 { 0o644 } else { 0o755 };
            if !fs::symlink_metadata(&full).unwrap().is_symlink() {
                fs::set_permissions(&full, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        3 => {
            make_way(root, &path);
            fs::write(&full, format!("{who} {}\0", dice.roll(5))).unwrap();
        }
        _ => {
            let text = match fs::symlink_metadata(&full).is_ok_and(|meta| meta.is_file()) {
                true => String::from_utf8_lossy(&fs::read(&full).unwrap()).into_owned(),
                false => (0..LINES).map(|n| format!("line {n}\n")).collect(),
            };
            let line = dice.roll(LINES);
            let text = text.replace(&format!("line {line}\n"), &format!("{who} {line}\n"));
            make_way(root, &path);
            fs::write(&full, text).unwrap();
        }
    }
}

type Tree = BTreeMap<PathBuf, String>;

async fn play(seed: u64) -> &'static str {
    let place = Place::repository();
    let mut dice = Dice(seed);
    for _ in 0..12 {
        edit(&place.project, &mut dice, "base");
    }
    place.commit("base");
    let ws = place.clone().await;
    let base = files(&place.project);
    for _ in 0..dice.roll(12) {
        edit(ws.path(), &mut dice, "run");
    }
    for _ in 0..dice.roll(8) {
        edit(&place.project, &mut dice, "user");
    }
    let into = if dice.roll(2) == 0 {
        ApplyInto::Changes
    } else {
        ApplyInto::Commit
    };
    if into == ApplyInto::Commit && dice.roll(2) == 0 {
        git(&place.project, &["add", "-A"]);
        git(
            &place.project,
            &["commit", "-q", "--allow-empty", "-m", "the user's"],
        );
    }
    let (ours, theirs) = (files(&place.project), files(ws.path()));
    let head = git(&place.project, &["rev-parse", "HEAD"]);
    let outcome = ask(&ws, Asked { into, ..CHANGES }).await;
    let outcome = outcome.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let (work, said) = match outcome {
        ApplyOutcome::Done(work) => (work, "clean"),
        ApplyOutcome::Conflicts(found) => {
            assert_eq!(
                files(&place.project),
                ours,
                "seed {seed}: nothing was touched"
            );
            let side = match found.replaceable && dice.roll(2) == 0 {
                true => TakenSide::Theirs,
                false => TakenSide::Mine,
            };
            let said = Resolution {
                digest: found.digest,
                side,
            };
            match ask(
                &ws,
                Asked {
                    into,
                    resolution: Some(&said),
                    ..CHANGES
                },
            )
            .await
            {
                Ok(ApplyOutcome::Done(work)) if side == TakenSide::Mine => (work, "mine"),
                Ok(ApplyOutcome::Done(work)) => (work, "theirs"),
                other => panic!("seed {seed}: {other:?}"),
            }
        }
    };
    let now = files(&place.project);
    let replaced: Vec<&str> = work
        .paths
        .iter()
        .filter(|p| p.what == PathOutcome::ReplacedYours)
        .map(|p| p.path.as_str())
        .collect();
    check(seed, [&base, &theirs, &ours, &now], &replaced);
    git(&place.project, &["fsck", "--strict"]);
    if let Some(kept) = &work.kept {
        for path in &replaced {
            if ours.contains_key(Path::new(path)) {
                git(
                    &kept.store,
                    &["cat-file", "-e", &format!("{}:{path}", kept.commit)],
                );
            }
        }
    }
    match &work.commit {
        Some(commit) => {
            assert_eq!(
                &git(&place.project, &["rev-parse", "HEAD"]),
                commit,
                "seed {seed}"
            );
            assert_eq!(
                git(&place.project, &["rev-parse", "HEAD^"]),
                head,
                "seed {seed}"
            );
            // What the commit has is on disk; what is not committed is the user's own.
            let dirty = git(&place.project, &["diff", "--name-only", "HEAD"]);
            let committed = git(&place.project, &["diff", "--name-only", "HEAD^", "HEAD"]);
            for path in committed.lines() {
                assert!(
                    !dirty.lines().any(|d| d == path),
                    "seed {seed}: {path}\n{dirty}"
                );
            }
        }
        None => assert_eq!(
            git(&place.project, &["rev-parse", "HEAD"]),
            head,
            "seed {seed}"
        ),
    }
    said
}

/// Every path is the user's, the run's, or has the lines of both.
fn check(seed: u64, [base, theirs, ours, now]: [&Tree; 4], replaced: &[&str]) {
    for path in base
        .keys()
        .chain(theirs.keys())
        .chain(ours.keys())
        .chain(now.keys())
    {
        let (b, t, o, n) = (
            base.get(path),
            theirs.get(path),
            ours.get(path),
            now.get(path),
        );
        if n == o || replaced.iter().any(|r| Path::new(r) == path) {
            continue;
        }
        let merged = b != t && b != o;
        assert!(
            merged || (n == t && o == b),
            "seed {seed}: {} {b:?} {t:?} {o:?} {n:?}",
            path.display()
        );
    }
}

#[tokio::test]
async fn no_byte_of_the_users_is_lost() {
    let mut said = BTreeMap::new();
    for seed in 0..24 {
        *said.entry(play(seed).await).or_insert(0) += 1;
    }
    for outcome in ["clean", "mine", "theirs"] {
        assert!(said.get(outcome).is_some_and(|n| *n > 0), "{said:?}");
    }
}
