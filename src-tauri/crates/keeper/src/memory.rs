//! What a keeper and all it keeps take in memory.

use std::fs;
use std::path::Path;

use crate::processes;
use crate::record::{self, STATE, State};

/// Bytes of memory this machine has; `None` where that is not said (`/proc/meminfo`).
pub fn installed_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    Some(sum_of(&text, &["MemTotal:"])).filter(|bytes| *bytes > 0)
}

/// Bytes in memory of the keeper in this folder, its child and all that started;
/// `None` if it does not live.
pub fn memory_of(dir: &Path) -> Option<u64> {
    let state: State = record::read(&dir.join(STATE)).ok()??;
    if !state.keeper.is_alive() {
        return None;
    }
    let below = processes::descendants(state.keeper.pid);
    let pids = below.iter().map(|stat| stat.id.pid);
    Some(pids.chain([state.keeper.pid]).map(resident).sum())
}

/// Its part of the memory; 0 once it is gone.
fn resident(pid: u32) -> u64 {
    sum_of(&status(pid), &["VmRSS:"])
}

/// What would be free without it: memory no file is behind, in the swap or not.
pub(crate) fn own(pid: u32) -> u64 {
    sum_of(&status(pid), &["RssAnon:", "VmSwap:"])
}

fn status(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default()
}

/// Bytes in these lines of a file of `/proc` that says KiB (proc_pid_status(5),
/// proc_meminfo(5)).
fn sum_of(text: &str, names: &[&str]) -> u64 {
    let kib = text.lines().filter_map(|line| {
        let rest = names.iter().find_map(|name| line.strip_prefix(name))?;
        rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    kib.sum::<u64>() * 1024
}
