//! What a keeper and all it keeps take in memory.

use std::fs;
use std::path::Path;

use crate::processes;
use crate::record::{self, STATE, State};

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
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|line| {
        let rest = line.strip_prefix("VmRSS:")?;
        rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    kib.unwrap_or(0) * 1024
}
