//! Finding and killing what a test started. Nothing is killed by name: a process must
//! carry the test's folder in its environment, its working directory or its record.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

/// A process by number and start (field 22 of `/proc/PID/stat`), so that a number given
/// to another process in the meantime is not mistaken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId {
    pub pid: u32,
    pub start: u64,
}

impl ProcessId {
    /// The process that has this number now.
    pub fn of(pid: u32) -> Option<Self> {
        start_of(pid).map(|start| Self { pid, start })
    }

    /// Whether it still runs. A zombie does not.
    pub fn is_alive(self) -> bool {
        start_of(self.pid) == Some(self.start)
    }

    /// Sends it SIGKILL if it still runs.
    pub fn kill(self) {
        self.signal(Signal::KILL);
    }

    /// Sends it SIGTERM if it still runs.
    pub fn terminate(self) {
        self.signal(Signal::TERM);
    }

    fn signal(self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid)
            .ok()
            .and_then(Pid::from_raw)
            .filter(|_| self.is_alive())
        {
            // It may end just now; then there is nothing to do.
            kill_process(pid, signal).ok();
        }
    }

    /// Reads `{"pid": …, "start": …}`, as keepers write it.
    pub(crate) fn from_json(json: &Value) -> Option<Self> {
        Some(Self {
            pid: u32::try_from(json["pid"].as_u64()?).ok()?,
            start: json["start"].as_u64()?,
        })
    }
}

/// Start of the process in clock ticks after boot; `None` if it is gone or a zombie.
fn start_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything, spaces and parentheses too.
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// All processes whose environment or working directory lies in `folder`.
pub fn processes_of(folder: &Path) -> BTreeSet<ProcessId> {
    let needle = folder.to_string_lossy().into_owned();
    let this = std::process::id();
    let numbers = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|pid| *pid != this && belongs(*pid, folder, &needle))
        .filter_map(ProcessId::of)
        .collect()
}

fn belongs(pid: u32, folder: &Path, needle: &str) -> bool {
    let works_there =
        fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    works_there
        || fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|env| String::from_utf8_lossy(&env).contains(needle))
}

/// Waits until none of `processes` runs; true if so within `deadline`. Blocks.
pub fn wait_until_gone(processes: &BTreeSet<ProcessId>, deadline: Duration) -> bool {
    let until = Instant::now() + deadline;
    loop {
        if processes.iter().all(|process| !process.is_alive()) {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a number is in use at all, by whatever process.
pub fn is_in_use(pid: u32) -> bool {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| test_kill_process(pid).is_ok())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_found_by_its_folder_and_killed() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new("sleep")
            .arg("60")
            .current_dir(dir.path())
            .spawn()
            .unwrap();
        let found = processes_of(dir.path());
        assert_eq!(
            found.iter().map(|p| p.pid).collect::<Vec<_>>(),
            [child.id()]
        );
        let other = ProcessId {
            start: 1,
            ..*found.first().unwrap()
        };
        other.kill();
        assert!(
            found.first().unwrap().is_alive(),
            "another process's number was taken for it"
        );
        found.first().unwrap().kill();
        assert!(wait_until_gone(&found, Duration::from_secs(10)));
        child.wait().unwrap();
        assert!(processes_of(dir.path()).is_empty());
    }
}
