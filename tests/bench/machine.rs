//! What the figures were measured on.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;

use crate::samples::Samples;

/// What SQLite writes for one changed page: a frame of the write-ahead log.
const FRAME: usize = 8192 + 24;

/// Frames in the probe's file; written round and round, as a log is after a checkpoint.
const FRAMES: u64 = 500;

/// A file whose syncs are timed: what durability costs before any of our code runs.
pub(crate) struct DiskProbe {
    file: File,
    next: u64,
}

impl DiskProbe {
    /// In this folder, whose file system is the one that is measured.
    pub(crate) fn new(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(format!("probe-{}", uuid::Uuid::new_v4()));
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(&path)
            .context("a file to time the disk with")?;
        // Nobody else needs its name, and so nothing is left behind.
        std::fs::remove_file(&path)?;
        for frame in 0..FRAMES {
            file.write_all_at(&[7; FRAME], frame * FRAME as u64)?;
        }
        file.sync_all()?;
        Ok(Self { file, next: 0 })
    }

    /// Writes a frame and waits until it is durable, so many times.
    pub(crate) fn sync(&mut self, times: usize) -> anyhow::Result<Samples> {
        let mut samples = Samples::default();
        for _ in 0..times {
            let place = self.next % FRAMES * FRAME as u64;
            self.next += 1;
            let began = Instant::now();
            self.file.write_all_at(&[8; FRAME], place)?;
            self.file.sync_data()?;
            samples.push(began.elapsed());
        }
        Ok(samples)
    }
}

/// The facts that stand above every table.
pub(crate) fn facts(folder: &Path, disk: &Samples) -> Vec<(&'static str, String)> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok();
        let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
        text.unwrap_or_default().trim().to_owned()
    };
    let after = |text: &str, field: &str| {
        let line = text.lines().find(|line| line.starts_with(field));
        let value = line.and_then(|line| line.split_once(':')).map(|(_, v)| v);
        value.unwrap_or("unknown").trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = read("/proc/loadavg");
    vec![
        ("cpu", after(&read("/proc/cpuinfo"), "model name")),
        ("cores", cores.to_string()),
        ("memory", after(&read("/proc/meminfo"), "MemTotal")),
        (
            "kernel",
            read("/proc/sys/kernel/osrelease").trim().to_owned(),
        ),
        ("file system", file_system(folder)),
        ("rustc", said("rustc", &["--version"])),
        ("build", built().to_owned()),
        ("commit", said("git", &["rev-parse", "--short", "HEAD"])),
        ("date", said("date", &["--utc", "+%Y-%m-%dT%H:%M:%SZ"])),
        (
            "load before",
            load.split_whitespace()
                .take(3)
                .collect::<Vec<_>>()
                .join(" "),
        ),
        (
            "raw fdatasync of 8 KiB",
            format!("{} ({} of them)", disk.words(), disk.len()),
        ),
    ]
}

/// The kind of the file system a folder is on: the longest mount point above it.
fn file_system(folder: &Path) -> String {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let kinds = mounts.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (place, kind) = (words.next()?, words.next()?);
        folder
            .starts_with(place)
            .then(|| (place.len(), kind.to_owned()))
    });
    kinds.max().map_or("unknown".to_owned(), |(_, kind)| kind)
}

fn built() -> &'static str {
    if cfg!(debug_assertions) {
        "debug (these figures say nothing about the product)"
    } else {
        "release"
    }
}
