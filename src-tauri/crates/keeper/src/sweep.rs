//! What is done about keepers from outside: ending what a dead one left behind,
//! telling who is inside a run, and giving the disk back.
//!
//! A process belongs to a keeper if it carries its mark in its environment, or is
//! in the child's session and not older than the child. Only what left the session
//! *and* rewrote its environment escapes, and only after its keeper was killed: a
//! living keeper ends its whole tree, whatever it did to itself.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::processes::{self, ProcessId, Stat};
use crate::record::{self, EXIT, SPEC, STATE, State};
use crate::spec::Spec;

/// How deep below the root keepers' folders may lie (`root/RUN/OP`).
const DEPTH: u32 = 3;

/// How long killed processes are waited for.
const REAP_WITHIN: Duration = Duration::from_secs(5);

/// A process that outlived its keeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// Which.
    pub id: ProcessId,
    /// The name of the program.
    pub name: String,
}

/// A dead keeper whose tree was ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaped {
    /// [`Spec::id`].
    pub id: String,
    /// The keeper's folder.
    pub dir: PathBuf,
    /// What was killed.
    pub killed: Vec<Stray>,
    /// What could not be killed within five seconds (it hangs in the kernel).
    pub surviving: Vec<Stray>,
}

/// A keeper whose tree is looked for.
#[derive(Clone, Copy)]
pub(crate) struct Suspect<'a> {
    pub(crate) id: &'a str,
    pub(crate) keeper: ProcessId,
    pub(crate) child: Option<ProcessId>,
}

impl Suspect<'_> {
    fn owns(&self, process: &Stat, marker: Option<&str>) -> bool {
        // Nothing older than the keeper can be its doing, whatever it says.
        if process.id.start < self.keeper.start {
            return false;
        }
        let in_session = self
            .child
            .is_some_and(|c| process.session == c.pid && process.id.start >= c.start);
        in_session || marker == Some(self.id)
    }
}

/// Living processes of these keepers, each with the index of its keeper.
pub(crate) fn strays(suspects: &[Suspect<'_>]) -> Vec<(usize, Stray)> {
    let me = std::process::id();
    let mut found = Vec::new();
    for process in processes::all() {
        if process.is_zombie() || process.id.pid == me {
            continue;
        }
        let marker = processes::marker(process.id.pid);
        let owner = suspects
            .iter()
            .position(|s| s.owns(&process, marker.as_deref()));
        if let Some(index) = owner {
            let name = processes::name(process.id.pid);
            found.push((
                index,
                Stray {
                    id: process.id,
                    name,
                },
            ));
        }
    }
    found
}

/// Ends what dead keepers below `root` left running. Blocks for up to five
/// seconds. Living keepers are not touched, nor is any process that merely has a
/// number they once had.
pub fn reap(root: &Path) -> Vec<Reaped> {
    let boot_id = processes::boot_id();
    let dead: Vec<(PathBuf, Spec, State)> = keepers(root)
        .into_iter()
        .filter(|dir| !dir.join(EXIT).exists())
        .filter_map(|dir| {
            let state: State = record::read(&dir.join(STATE)).ok()??;
            let spec: Spec = record::read(&dir.join(SPEC)).ok()??;
            Some((dir, spec, state))
        })
        .filter(|(_, _, state)| state.boot_id == boot_id && !state.keeper.is_alive())
        .collect();
    if dead.is_empty() {
        return Vec::new();
    }
    let suspects: Vec<Suspect<'_>> = dead
        .iter()
        .map(|(_, spec, state)| Suspect {
            id: &spec.id,
            keeper: state.keeper,
            child: state.child,
        })
        .collect();
    let (killed, surviving) = kill_until_gone(&suspects);
    let of = |list: &[(usize, Stray)], index: usize| -> Vec<Stray> {
        list.iter()
            .filter(|(i, _)| *i == index)
            .map(|(_, s)| s.clone())
            .collect()
    };
    dead.iter()
        .enumerate()
        .map(|(index, (dir, spec, _))| Reaped {
            id: spec.id.clone(),
            dir: dir.clone(),
            killed: of(&killed, index),
            surviving: of(&surviving, index),
        })
        .filter(|r| !r.killed.is_empty() || !r.surviving.is_empty())
        .collect()
}

type Found = Vec<(usize, Stray)>;

/// Again and again, because a tree may fork while it is being killed.
fn kill_until_gone(suspects: &[Suspect<'_>]) -> (Found, Found) {
    let until = Instant::now() + REAP_WITHIN;
    let (mut killed, mut seen) = (Vec::new(), HashSet::new());
    loop {
        let alive = strays(suspects);
        if alive.is_empty() {
            return (killed, Vec::new());
        }
        if Instant::now() >= until {
            let stuck: HashSet<ProcessId> = alive.iter().map(|(_, s)| s.id).collect();
            killed.retain(|(_, s): &(usize, Stray)| !stuck.contains(&s.id));
            return (killed, alive);
        }
        for (index, stray) in alive {
            if stray.id.signal(Signal::KILL) && seen.insert(stray.id) {
                killed.push((index, stray));
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Where a process is, seen from the keepers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Inside something a keeper keeps.
    Inside,
    /// Looked at up to the first process, and no keeper was met.
    Outside,
    /// It, or a process it comes from, ended before it could be looked at.
    Unknown,
}

/// How often a line of ancestors is followed again after it was cut: a process whose
/// parent ends gets another one, which may be a keeper.
const FOLLOWED: usize = 5;

/// Whether `pid` is inside something a keeper below `root` keeps: an ancestor (or
/// itself) is such a keeper or its child, or carries its mark. What cannot be
/// looked at counts as inside only by its ancestors.
pub fn place_of(pid: u32, root: &Path) -> Place {
    let (mut ids, mut members) = (HashSet::new(), HashSet::new());
    for dir in keepers(root) {
        if let Ok(Some(spec)) = record::read::<Spec>(&dir.join(SPEC)) {
            ids.insert(spec.id);
        }
        if let Ok(Some(state)) = record::read::<State>(&dir.join(STATE)) {
            members.insert(state.keeper);
            members.extend(state.child);
        }
    }
    let known = |stat: &processes::Stat| {
        members.contains(&stat.id)
            || processes::marker(stat.id.pid).is_some_and(|id| ids.contains(&id))
    };
    // Number 0 stands for a process in a namespace that cannot be seen from here.
    if pid == 0 {
        return Place::Unknown;
    }
    let places = (0..FOLLOWED).map(|_| follow(pid, &known));
    places
        .into_iter()
        .find(|place| *place != Place::Unknown)
        .unwrap_or(Place::Unknown)
}

/// Follows a process's ancestors up to the first of all.
fn follow(pid: u32, known: &dyn Fn(&processes::Stat) -> bool) -> Place {
    let (mut current, mut seen) = (pid, HashSet::new());
    while current > 1 && seen.insert(current) {
        let Some(stat) = processes::stat(current) else {
            return Place::Unknown;
        };
        if known(&stat) {
            return Place::Inside;
        }
        current = stat.parent;
    }
    Place::Outside
}

/// Removes a keeper's folder and socket.
///
/// # Errors
/// `ResourceBusy` if its keeper lives; else what the file system says. A folder
/// that is gone already is no error.
pub fn collect_garbage(dir: &Path) -> io::Result<()> {
    let lock = match record::open_lock(dir) {
        Ok(lock) => lock,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    lock.try_lock().map_err(|_| {
        io::Error::new(
            io::ErrorKind::ResourceBusy,
            "the keeper of this folder is alive",
        )
    })?;
    if let Ok(Some(spec)) = record::read::<Spec>(&dir.join(SPEC)) {
        let _ = fs::remove_file(spec.socket);
    }
    // A keeper that is only now being started finds no spec, and does nothing.
    fs::remove_dir_all(dir)
}

/// The keepers' folders below `root`, in no order.
pub fn keepers(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut front) = (Vec::new(), vec![(root.to_owned(), 0)]);
    while let Some((dir, depth)) = front.pop() {
        let Ok(entries) = fs::read_dir(&dir) else {
            continue;
        };
        for entry in entries.flatten() {
            if entry.file_name() == SPEC {
                found.push(dir.clone());
            } else if depth < DEPTH && entry.file_type().is_ok_and(|t| t.is_dir()) {
                front.push((entry.path(), depth + 1));
            }
        }
    }
    found
}
