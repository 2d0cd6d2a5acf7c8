//! Random work, shell effects, snapshots, rollbacks and forks, each of which may
//! be killed at any moment, against a model.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use workspace::{Mode, Workspace, Workspaces};

use crate::random::{Dice, clear, disturb, make_way};
use crate::support::{Place, RUN, files, fingerprint, git};

type Files = BTreeMap<PathBuf, String>;

/// How many seeds are played; more by this variable.
const SEEDS: u64 = 4;
const MORE: &str = "LONGHAUL_TEST_SEEDS";

/// One thing done to a workspace, in a process of its own.
#[derive(Clone, Debug)]
enum Deed {
    Snapshot,
    Restore(String),
    Fork {
        run: String,
        from: String,
        snapshot: String,
    },
}

impl Deed {
    fn words(&self) -> String {
        match self {
            Deed::Snapshot => "snapshot".to_owned(),
            Deed::Restore(id) => format!("restore {id}"),
            Deed::Fork {
                run,
                from,
                snapshot,
            } => format!("fork {run} {from} {snapshot}"),
        }
    }

    /// Where a process that does it can die by itself.
    fn points(&self) -> &'static [&'static str] {
        match self {
            Deed::Snapshot => &[
                "workspace.snapshot_staged",
                "workspace.snapshot_made",
                "workspace.snapshot_committed",
            ],
            Deed::Restore(_) => &["workspace.restore_saved", "workspace.restore_put_back"],
            Deed::Fork { .. } => &[
                "workspace.fork_linked",
                "workspace.clone_made",
                "workspace.marked",
            ],
        }
    }
}

/// What the process that is killed does.
#[tokio::test]
#[ignore = "started by the other tests of this file, to be killed"]
async fn child() {
    let Ok(home) = std::env::var("LONGHAUL_TEST_HOME") else {
        return;
    };
    let run = std::env::var("LONGHAUL_TEST_RUN").unwrap();
    let deed = std::env::var("LONGHAUL_TEST_DEED").unwrap();
    let workspaces = Workspaces::new(home.into());
    let ws = workspaces.open(&run).await.unwrap().unwrap();
    match deed.split(' ').collect::<Vec<_>>()[..] {
        ["snapshot"] => drop(ws.snapshot("step").await.unwrap()),
        ["restore", id] => drop(ws.restore(id).await.unwrap()),
        ["fork", run, from, id] => drop(workspaces.prepare_fork(run, from, id).await.unwrap()),
        _ => panic!("{deed}"),
    }
}

/// How a process is killed.
enum Blow {
    At(&'static str),
    /// It and its git, after so many milliseconds.
    After(u64),
}

fn strike(home: &Path, run: &str, deed: &Deed, blow: &Blow) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "killed::child"])
        .env("LONGHAUL_TEST_HOME", home)
        .env("LONGHAUL_TEST_RUN", run)
        .env("LONGHAUL_TEST_DEED", deed.words())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    if let Blow::At(point) = blow {
        command.env("LONGHAUL_CRASH_AT", point);
    }
    let mut child = command.spawn().unwrap();
    if let Blow::After(ms) = blow {
        // Not to wait for something: the moment is what is random here.
        std::thread::sleep(Duration::from_millis(*ms));
        let group = rustix::process::Pid::from_child(&child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let status = child.wait().unwrap();
    let killed = status.signal() == Some(9);
    assert!(killed || status.success(), "{deed:?}: {status}");
}

/// What an agent's commands do to its files, and to its `.git`.
fn shell(root: &Path, dice: &mut Dice) {
    let (one, two) = (dice.path(), dice.path());
    let (one, two) = (one.display(), two.display());
    let command = match dice.roll(10) {
        0 => format!("mv -f '{one}' '{two}'"),
        1 => format!("chmod +x '{one}' || chmod -x '{two}'"),
        2 => format!("ln -sfn '{one}' '{two}'"),
        3 => format!("rm -rf '{one}'"),
        4 => format!("cp -r '{one}' '{two}'"),
        5 => "git add -A; git commit -qm work".to_owned(),
        6 => "git stash -u; git stash pop".to_owned(),
        7 => "git checkout -qf HEAD -- .".to_owned(),
        8 => "git gc -q --prune=now; git clean -fdq".to_owned(),
        _ => format!("mkdir -p '{one}' && echo '*.x' > '{one}/.gitignore' && echo 1 > '{one}/y'"),
    };
    // Half of them fail, as an agent's do.
    let _ = Command::new("sh")
        .args(["-c", &command])
        .current_dir(root)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
}

struct Game {
    place: Place,
    seed: u64,
    dice: Dice,
    /// The run that is played with, and all forks of it.
    run: String,
    runs: Vec<String>,
    /// Every snapshot that was ever returned, with the files it must give back.
    known: Vec<(String, Files)>,
}

impl Game {
    async fn new(seed: u64) -> Game {
        let place = Place::repository();
        let ws = place.clone().await;
        let known = vec![(ws.base_snapshot().to_owned(), files(ws.path()))];
        Game {
            place,
            seed,
            dice: Dice(seed),
            run: RUN.to_owned(),
            runs: vec![RUN.to_owned()],
            known,
        }
    }

    /// As a daemon that was just started finds it.
    async fn open(&self) -> Workspace {
        let workspaces = Workspaces::new(self.place.home.clone());
        workspaces.open(&self.run).await.unwrap().unwrap()
    }

    fn deed(&mut self) -> Deed {
        let (known, _) = &self.known[self.dice.roll(self.known.len() as u64) as usize];
        let snapshot = known.clone();
        match self.dice.roll(5) {
            0 | 1 => Deed::Snapshot,
            2 | 3 => Deed::Restore(snapshot),
            _ => Deed::Fork {
                run: format!("fork{}", self.runs.len()),
                from: self.run.clone(),
                snapshot,
            },
        }
    }

    async fn step(&mut self, step: u32) {
        let at = format!("seed {} step {step}", self.seed);
        let ws = self.open().await;
        for _ in 0..self.dice.roll(4) {
            disturb(ws.path(), &mut self.dice);
        }
        for _ in 0..self.dice.roll(2) {
            shell(ws.path(), &mut self.dice);
        }
        let before = files(ws.root());
        drop(ws);
        let deed = self.deed();
        match self.dice.roll(4) {
            0 => {
                let points = deed.points();
                let point = points[self.dice.roll(points.len() as u64) as usize];
                strike(&self.place.home, &self.run, &deed, &Blow::At(point));
            }
            1 => {
                let after = Blow::After(self.dice.roll(120));
                strike(&self.place.home, &self.run, &deed, &after);
            }
            // Nobody dies.
            _ => {}
        }
        self.finish(deed, before, &at).await;
    }

    /// Does what the killed one may or may not have done, and looks at all of it.
    async fn finish(&mut self, deed: Deed, before: Files, at: &str) {
        let ws = self.open().await;
        match deed {
            Deed::Snapshot => {
                assert_eq!(files(ws.root()), before, "{at}: a snapshot touches no file");
                let made = ws.snapshot("step").await.unwrap();
                assert!(made.skipped.is_empty(), "{at}: {made:?}");
                assert_eq!(files(ws.root()), before, "{at}");
                let again = ws.snapshot("nothing").await.unwrap();
                assert_eq!(again.id, made.id, "{at}: it had everything at once");
                self.known.push((made.id, before));
            }
            Deed::Restore(id) => {
                let mixed = files(ws.root());
                let restored = ws.restore(&id).await;
                let restored = restored.unwrap_or_else(|error| panic!("{at}: {error}"));
                let (_, wanted) = self.known.iter().find(|(known, _)| *known == id).unwrap();
                assert_same(&files(ws.root()), wanted, at);
                // Of a killed one this may be a mixture; it comes back all the same.
                let mixture = restored.safety.id;
                ws.restore(&mixture).await.unwrap();
                assert_same(&files(ws.root()), &mixed, at);
                self.known.push((mixture, mixed));
            }
            Deed::Fork {
                run,
                from,
                snapshot,
            } => {
                let workspaces = Workspaces::new(self.place.home.clone());
                let fork = workspaces
                    .prepare_fork(&run, &from, &snapshot)
                    .await
                    .unwrap();
                let (_, wanted) = self.known.iter().find(|(id, _)| *id == snapshot).unwrap();
                assert_same(&files(fork.root()), wanted, at);
                assert_eq!(files(ws.root()), before, "{at}: the parent");
                git(fork.path(), &["fsck", "--strict", "--connectivity-only"]);
                self.runs.push(run.clone());
                self.run = run;
            }
        }
    }

    /// Every state ever promised is still there.
    async fn end(self, user: &BTreeMap<PathBuf, String>) {
        let at = format!("seed {} at its end", self.seed);
        let ws = self.open().await;
        for (id, wanted) in &self.known {
            ws.restore(id).await.unwrap();
            assert_same(&files(ws.root()), wanted, &at);
        }
        for run in &self.runs {
            git(
                &self.place.home.join(run).join("snap.git"),
                &["fsck", "--strict"],
            );
        }
        assert_eq!(
            fingerprint(&self.place.project),
            *user,
            "{at}: the user's own"
        );
    }
}

fn assert_same(now: &Files, wanted: &Files, at: &str) {
    let differ = |a: &Files, b: &Files| -> Vec<String> {
        a.iter()
            .filter(|(path, text)| b.get(*path) != Some(text))
            .map(|(path, text)| format!("{} {text}", path.display()))
            .collect()
    };
    let (more, less) = (differ(now, wanted), differ(wanted, now));
    assert!(
        more.is_empty() && less.is_empty(),
        "{at}: is {more:#?}, should be {less:#?}"
    );
}

#[tokio::test]
async fn whatever_dies_when_every_state_comes_back_byte_for_byte() {
    let seeds = std::env::var(MORE).ok().and_then(|n| n.parse().ok());
    for seed in 0..seeds.unwrap_or(SEEDS) {
        let mut game = Game::new(seed).await;
        let user = fingerprint(&game.place.project);
        for step in 0..16 {
            game.step(step).await;
        }
        game.end(&user).await;
    }
}

#[tokio::test]
async fn thirty_eight_rollbacks_in_a_row_leave_no_trace() {
    let place = Place::repository();
    let user = fingerprint(&place.project);
    let ws = place.clone().await;
    let (start, own) = (files(ws.root()), files(&ws.root().join(".git")));
    let mut dice = Dice(38);
    for round in 0..38 {
        for _ in 0..3 {
            let path = dice.path();
            make_way(ws.path(), &path);
            fs::write(ws.path().join(&path), format!("{round}\n")).unwrap();
        }
        clear(ws.path(), &dice.path());
        clear(ws.path(), Path::new("run.sh"));
        ws.snapshot("step").await.unwrap();
        ws.restore(ws.base_snapshot()).await.unwrap();
        assert_same(&files(ws.root()), &start, &format!("round {round}"));
    }
    assert_eq!(files(&ws.root().join(".git")), own, "the clone's history");
    assert_eq!(fingerprint(&place.project), user, "the user's repository");
    assert_eq!(git(ws.path(), &["status", "--porcelain"]), "");
    git(ws.path(), &["fsck", "--strict"]);
    git(
        &place.home.join(RUN).join("snap.git"),
        &["fsck", "--strict"],
    );
}

#[tokio::test]
async fn a_state_a_killed_rollback_left_behind_is_not_lost() {
    let place = Place::repository();
    let ws = place.clone().await;
    crate::support::write(ws.path(), "work.txt", "hours of it\n");
    let (base, before) = (ws.base_snapshot().to_owned(), files(ws.root()));
    drop(ws);
    let deed = Deed::Restore(base);
    for point in ["workspace.restore_saved", "workspace.restore_put_back"] {
        strike(&place.home, RUN, &deed, &Blow::At(point));
        let store = place.home.join(RUN).join("snap.git");
        let kept = git(
            &store,
            &["for-each-ref", "--format=%(objectname)", "refs/kept"],
        );
        let later = Workspaces::new(place.home.clone());
        let ws = later
            .prepare(RUN, &place.project, Mode::Clone)
            .await
            .unwrap();
        let mut found = false;
        for id in kept.lines() {
            ws.restore(id).await.unwrap();
            found |= files(ws.root()) == before;
        }
        assert!(found, "{point}: {kept}");
        // For the next round.
        let safe = kept.lines().find(|id| {
            let tree = git(&store, &["ls-tree", "-r", "--name-only", id]);
            tree.contains("work.txt")
        });
        ws.restore(safe.unwrap()).await.unwrap();
        assert!(fs::exists(ws.root().join("work.txt")).unwrap());
    }
}
