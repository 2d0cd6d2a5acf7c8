//! What the system says about a process.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// Memory of a process in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Resident, its program's own pages included.
    pub(crate) resident: u64,
    /// Resident and of no file: what it really added.
    pub(crate) own: u64,
    /// Resident, pages shared with others divided among them.
    pub(crate) share: u64,
    /// The most that was ever resident.
    pub(crate) peak: u64,
}

impl Memory {
    /// Reads `/proc/PID/status`.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))
            .with_context(|| format!("process {pid} is gone"))?;
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let field = |name: &str| {
            let mut lines = status.lines().chain(rollup.lines());
            let line = lines.find(|line| line.starts_with(name))?;
            let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
            Some(kib * 1024)
        };
        Ok(Self {
            resident: field("VmRSS:").context("no VmRSS")?,
            own: field("RssAnon:").unwrap_or_default(),
            share: field("Pss:").unwrap_or_default(),
            peak: field("VmHWM:").unwrap_or_default(),
        })
    }

    /// `21.3 MB resident, 8.1 MB of it in no file; its share 15.0 MB`
    pub(crate) fn words(&self) -> String {
        format!(
            "{:.1} MB resident, {:.1} MB of it in no file; its share {:.1} MB",
            mb(self.resident),
            mb(self.own),
            mb(self.share)
        )
    }
}

/// Megabytes (10^6), as everywhere in this report.
pub(crate) fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Use {
    /// Processor time, all threads that ever were.
    pub(crate) cpu: Duration,
    /// Times a thread of it was woken up or taken off a processor.
    pub(crate) switches: u64,
}

impl Use {
    /// Reads `/proc/PID/stat` (ticks of 10 ms) and the threads' `status`.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("process {pid} is gone"))?;
        // The name in parentheses may hold anything.
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap_or(0) + 1..]
            .split_whitespace()
            .collect();
        let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<u64>().ok());
        let cpu = ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0);
        let mut switches = 0;
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let status = fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
            switches += status
                .lines()
                .filter(|line| line.contains("ctxt_switches:"))
                .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
                .sum::<u64>();
        }
        Ok(Self {
            cpu: Duration::from_millis(cpu * 10),
            switches,
        })
    }

    /// What was used since.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            switches: self.switches.saturating_sub(before.switches),
        }
    }
}
