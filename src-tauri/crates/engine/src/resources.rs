//! Memory and disk: a run does not start on a machine that has too little of
//! either, and says so instead of failing somewhere in the middle.

use std::path::Path;
use std::time::Duration;

use domain::{Event, Run, WaitCause};

use crate::journal::{Batch, Halt};
use crate::worker::Worker;

/// Free bytes below which nothing is started: room for a clone and the journal.
const DISK: u64 = 200 * 1024 * 1024;

/// Available bytes of memory below which nothing is started.
const MEMORY: u64 = 256 * 1024 * 1024;

/// How often a waiting run looks again.
const RECHECK: Duration = Duration::from_secs(15);

/// What there is too little of, in words.
fn shortage(home: &Path) -> Option<String> {
    let mib = |bytes: u64| bytes / (1024 * 1024);
    if let Ok(disk) = rustix::fs::statvfs(home) {
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < DISK {
            return Some(format!(
                "the disk has {} MiB left; a run needs {} MiB to start",
                mib(free),
                mib(DISK)
            ));
        }
    }
    let available = available_memory()?;
    (available < MEMORY).then(|| {
        format!(
            "{} MiB of memory are available; a run needs {} MiB to start",
            mib(available),
            mib(MEMORY)
        )
    })
}

/// `MemAvailable` of /proc/meminfo (Linux): what can be used without swapping.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

impl Worker {
    /// Waits until there is memory and disk enough to start.
    pub(crate) async fn await_resources(&self, run: Run) -> Result<Run, Halt> {
        let mut waited = false;
        while let Some(words) = shortage(&self.core.parts.home) {
            self.begin_wait(WaitCause::Memory, None, &words).await?;
            waited = true;
            self.rest().await;
            tokio::select! {
                () = tokio::time::sleep(RECHECK) => {}
                () = self.control.stop.cancelled() => return Err(Halt::Stopped),
            }
        }
        let stale = run.waits.iter().any(|wait| wait.cause == WaitCause::Memory);
        if !waited && !stale {
            return Ok(run);
        }
        let over = Event::WaitEnded {
            cause: WaitCause::Memory,
        };
        self.journal.append(Batch::of(over)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_memory_is_read() {
        assert!(available_memory().is_none_or(|bytes| bytes > 1024 * 1024));
    }

    #[test]
    fn a_folder_that_is_not_there_is_no_shortage_of_disk() {
        let words = shortage(Path::new("/nowhere/at/all"));
        assert!(words.is_none_or(|words| words.contains("memory")));
    }
}
