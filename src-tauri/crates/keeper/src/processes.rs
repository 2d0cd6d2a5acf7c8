//! Processes as `/proc` shows them. A pid alone says nothing after a crash: it may
//! belong to another process by now. Pid and start time together do not recur
//! within a boot.

use std::collections::{HashMap, HashSet};
use std::fs;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::spec::MARKER;

/// A process of this boot, unmistakably.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The number.
    pub pid: u32,
    /// Clock ticks after boot at which it started (field 22 of `/proc/PID/stat`).
    pub start: u64,
}

impl ProcessId {
    /// The process that has this number now.
    pub fn of(pid: u32) -> Option<Self> {
        stat(pid).map(|s| s.id)
    }

    /// Whether exactly this process is still there and not a zombie.
    pub fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|s| s.id == self && !s.is_zombie())
    }

    /// Signals exactly this process. False if it is gone.
    pub(crate) fn signal(self, signal: Signal) -> bool {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return false;
        };
        // The descriptor pins the process; the check after it is opened, not
        // before, is what makes this safe against a number that was reused.
        let Ok(fd) = pidfd_open(pid, PidfdFlags::empty()) else {
            return false;
        };
        stat(self.pid).is_some_and(|s| s.id == self) && pidfd_send_signal(fd, signal).is_ok()
    }
}

/// The fields of `/proc/PID/stat` used here (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    pub(crate) id: ProcessId,
    state: u8,
    pub(crate) parent: u32,
    pub(crate) session: u32,
    /// Own and reaped children's CPU time, in ticks.
    pub(crate) own_ticks: u64,
    pub(crate) reaped_ticks: u64,
}

impl Stat {
    pub(crate) fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

/// The process that has this number now.
pub(crate) fn stat(pid: u32) -> Option<Stat> {
    parse_stat(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(pid: u32, raw: &[u8]) -> Option<Stat> {
    // The name in parentheses may hold anything, parentheses included.
    let after_name = raw.iter().rposition(|b| *b == b')')? + 2;
    let text = std::str::from_utf8(raw.get(after_name..)?).ok()?;
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    // proc_pid_stat(5) counts from 1 and starts with pid and name: field n is at n - 3.
    let number = |n: usize| fields.get(n - 3)?.parse::<u64>().ok();
    Some(Stat {
        id: ProcessId {
            pid,
            start: number(22)?,
        },
        state: *fields.first()?.as_bytes().first()?,
        parent: u32::try_from(number(4)?).ok()?,
        session: u32::try_from(number(6)?).ok()?,
        own_ticks: number(14)? + number(15)?,
        reaped_ticks: number(16)? + number(17)?,
    })
}

/// The numbers a process has in the namespaces below this one, from the outermost in
/// (`NSpid` in `/proc/PID/status`, proc_pid_status(5)).
pub(crate) fn inner_pids(pid: u32) -> Vec<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let numbers = line.unwrap_or_default().split_ascii_whitespace();
    numbers.skip(1).filter_map(|n| n.parse().ok()).collect()
}

/// All processes that can be seen.
pub(crate) fn all() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(stat)
        .collect()
}

/// Everything below `root`, which is not in the list.
pub(crate) fn descendants(root: u32) -> Vec<Stat> {
    let all = all();
    let mut children: HashMap<u32, Vec<&Stat>> = HashMap::new();
    for stat in &all {
        children.entry(stat.parent).or_default().push(stat);
    }
    let (mut found, mut seen, mut front) = (Vec::new(), HashSet::from([root]), vec![root]);
    while let Some(parent) = front.pop() {
        for stat in children.get(&parent).into_iter().flatten() {
            // The table is no snapshot: a reused number could close a circle.
            if seen.insert(stat.id.pid) {
                found.push(**stat);
                front.push(stat.id.pid);
            }
        }
    }
    found
}

/// The numbers of everything below `root`. Of its own part of the table only, so cheap
/// enough to ask every second; who begins or ends meanwhile may be missing
/// (`/proc/PID/task/TID/children`, proc_tid_children(5)).
pub(crate) fn numbers_below(root: u32) -> Vec<u32> {
    let (mut found, mut seen) = (Vec::new(), HashSet::from([root]));
    let mut front = vec![root];
    while let Some(parent) = front.pop() {
        for child in children(parent) {
            if seen.insert(child) {
                found.push(child);
                front.push(child);
            }
        }
    }
    found
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let of_task = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).ok();
    let lists = tasks.into_iter().flatten().flatten().filter_map(of_task);
    let numbers = |list: String| -> Vec<u32> {
        let words = list.split_ascii_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    lists.flat_map(numbers).collect()
}

/// The keeper id in the environment `pid` was started with, if that may be read.
pub(crate) fn marker(pid: u32) -> Option<String> {
    let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environ.split(|b| *b == 0).find_map(|entry| {
        let value = entry.strip_prefix(MARKER.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    })
}

/// The name of the program, for people.
pub(crate) fn name(pid: u32) -> String {
    fs::read(format!("/proc/{pid}/comm"))
        .map(|raw| String::from_utf8_lossy(&raw).trim_end().to_owned())
        .unwrap_or_default()
}

/// Changes with every boot. Empty if the kernel does not say.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// Milliseconds of CPU time in `ticks`. `/proc` counts in USER_HZ, which is 100
/// on every architecture Linux runs on but Alpha (time(7), sysconf `_SC_CLK_TCK`).
pub(crate) fn ticks_to_ms(ticks: u64) -> u64 {
    ticks * 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let raw = b"42 (a) S (b) R 7 42 41 0 -1 0 1 2 3 4 10 20 30 40 20 0 1 0 12345 0 0";
        let stat = parse_stat(42, raw).expect("a well-formed line");
        assert_eq!(
            stat.id,
            ProcessId {
                pid: 42,
                start: 12345
            }
        );
        assert_eq!((stat.parent, stat.session), (7, 41));
        assert_eq!((stat.own_ticks, stat.reaped_ticks), (30, 70));
    }

    #[test]
    fn another_start_time_is_another_process() {
        let me = ProcessId::of(std::process::id()).expect("this process is in /proc");
        assert!(me.is_alive());
        let reused = ProcessId {
            start: me.start + 1,
            ..me
        };
        assert!(!reused.is_alive());
        assert!(
            !reused.signal(Signal::KILL),
            "this process would be dead now"
        );
    }
}
