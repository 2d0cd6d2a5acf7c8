//! Random work, snapshots and going back, against a model.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use workspace::Workspace;

use crate::support::{Place, files, fingerprint, git};

/// Small and repeatable (splitmix64, Steele et al. 2014); a seed that fails is
/// in the message.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    /// Few names, so that files, folders and links take each other's place.
    pub(crate) fn path(&mut self) -> PathBuf {
        let names = ["a", "b", "src", "Src", "x y", "\u{fc}.txt"];
        let depth = 1 + self.roll(3);
        (0..depth)
            .map(|_| names[self.roll(names.len() as u64) as usize])
            .collect()
    }
}

pub(crate) fn clear(root: &Path, path: &Path) {
    let full = root.join(path);
    match fs::symlink_metadata(&full) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(full).unwrap(),
        Ok(_) => fs::remove_file(full).unwrap(),
        Err(_) => {}
    }
}

/// Makes way for `path`: what is no folder above it is removed.
pub(crate) fn make_way(root: &Path, path: &Path) {
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.pop();
    for folder in above.into_iter().rev() {
        if !fs::symlink_metadata(root.join(folder)).is_ok_and(|meta| meta.is_dir()) {
            clear(root, folder);
            fs::create_dir(root.join(folder)).unwrap();
        }
    }
    clear(root, path);
}

pub(crate) fn disturb(root: &Path, dice: &mut Dice) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dice.path();
    match dice.roll(6) {
        0 => clear(root, &path),
        1 => {
            make_way(root, &path);
            std::os::unix::fs::symlink(dice.path(), root.join(&path)).unwrap();
        }
        2 => {
            make_way(root, &path);
            fs::write(root.join(&path), "#!/bin/sh\n").unwrap();
            fs::set_permissions(root.join(&path), fs::Permissions::from_mode(0o755)).unwrap();
        }
        3 => {
            make_way(root, &path);
            fs::create_dir(root.join(&path)).unwrap();
            git(&root.join(&path), &["init", "-q"]);
            fs::write(
                root.join(&path).join("inner"),
                format!("{}\n", dice.roll(9)),
            )
            .unwrap();
        }
        _ => {
            make_way(root, &path);
            fs::write(root.join(&path), format!("{}\r\n", dice.roll(1000))).unwrap();
        }
    }
}

async fn play(seed: u64) {
    let place = Place::repository();
    let before = fingerprint(&place.project);
    let ws: Workspace = place.clone().await;
    let mut dice = Dice(seed);
    let mut model: Vec<(String, BTreeMap<PathBuf, String>)> =
        vec![(ws.base_snapshot().to_owned(), files(ws.path()))];
    for step in 0..40 {
        for _ in 0..dice.roll(4) {
            disturb(ws.path(), &mut dice);
        }
        if dice.roll(3) > 0 {
            let snapshot = ws.snapshot(&format!("step {step}")).await.unwrap();
            assert!(
                snapshot.skipped.is_empty(),
                "seed {seed} step {step}: {snapshot:?}"
            );
            model.push((snapshot.id, files(ws.path())));
        } else {
            let now = files(ws.path());
            let (id, then) = model[dice.roll(model.len() as u64) as usize].clone();
            let restored = ws
                .restore(&id)
                .await
                .unwrap_or_else(|error| panic!("seed {seed} step {step}: {error}"));
            assert_eq!(files(ws.path()), then, "seed {seed} step {step}");
            model.push((restored.safety.id, now));
        }
    }
    git(
        &place.home.join(ws.run()).join("snap.git"),
        &["fsck", "--strict"],
    );
    assert_eq!(fingerprint(&place.project), before, "seed {seed}");
}

#[tokio::test]
async fn the_files_always_equal_the_model() {
    for seed in 0..4 {
        play(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_runs_on_one_repository_do_not_meet() {
    let place = std::sync::Arc::new(Place::repository());
    let before = fingerprint(&place.project);
    let mut runs = tokio::task::JoinSet::new();
    for n in 0..8 {
        let place = place.clone();
        runs.spawn(async move {
            let run = format!("run{n}");
            let mode = workspace::Mode::Clone;
            let ws = place
                .workspaces
                .prepare(&run, &place.project, mode)
                .await
                .unwrap();
            for step in 0..5 {
                let text = format!("{run} {step}\n");
                let planned = ws.plan_write("README.md", text.as_bytes()).await.unwrap();
                ws.perform(&planned, text.as_bytes()).await.unwrap();
                ws.snapshot("step").await.unwrap();
            }
            let changes = ws.diff(None, None).await.unwrap();
            assert!(changes.contains(&format!("+{run} 4\n")), "{changes}");
        });
    }
    while let Some(done) = runs.join_next().await {
        done.unwrap();
    }
    assert_eq!(fingerprint(&place.project), before);
}

/// One workspace used by several tasks at once: a panel that shows a diff while
/// the engine takes a snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn one_workspace_is_used_by_several_at_once() {
    let place = Place::repository();
    let ws = place.clone().await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let ws = ws.clone();
        tasks.spawn(async move {
            let path = format!("file{n}");
            let planned = ws.plan_write(&path, b"1\n").await.unwrap();
            ws.perform(&planned, b"1\n").await.unwrap();
            ws.diff(None, None).await.unwrap();
            ws.snapshot("step").await.unwrap();
            ws.changed_files(None, None).await.unwrap();
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(ws.changed_files(None, None).await.unwrap().len(), 8);
}
