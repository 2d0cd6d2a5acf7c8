//! Who may write a home: one process, by a lock the system releases when it dies.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

/// How often a held lock is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// The right to write a home. Lasts as long as this value, at most as long as
/// this process.
#[derive(Debug)]
pub struct Ownership {
    _file: File,
}

/// Why the home is not ours.
#[derive(Debug, thiserror::Error)]
pub enum OwnedBy {
    /// A daemon has it.
    #[error("another Longhaul daemon (process {pid}) is using this home")]
    Process {
        /// Its process id, 0 if it has not written it yet.
        pid: u32,
    },
    /// The lock file cannot be used.
    #[error("the lock file cannot be used: {0}")]
    Unusable(String),
}

impl Ownership {
    /// Takes the lock, waiting up to `wait` for another process to let go of it.
    /// Blocks the calling thread.
    pub fn acquire(home: &Path, wait: Duration) -> Result<Self, OwnedBy> {
        let unusable = |e: std::io::Error| OwnedBy::Unusable(e.to_string());
        std::fs::create_dir_all(home).map_err(unusable)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(home.join("daemon.lock"))
            .map_err(unusable)?;
        let start = Instant::now();
        while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK && error != rustix::io::Errno::INTR {
                return Err(OwnedBy::Unusable(error.to_string()));
            }
            if start.elapsed() >= wait {
                return Err(OwnedBy::Process {
                    pid: pid_in(&mut file),
                });
            }
            std::thread::sleep(RETRY);
        }
        file.set_len(0).map_err(unusable)?;
        file.rewind().map_err(unusable)?;
        write!(file, "{}", std::process::id()).map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

fn pid_in(file: &mut File) -> u32 {
    let mut text = String::new();
    let _ = file.rewind();
    let _ = file.read_to_string(&mut text);
    text.trim().parse().unwrap_or(0)
}
