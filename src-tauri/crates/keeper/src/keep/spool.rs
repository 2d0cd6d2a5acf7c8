//! One output stream of the child on its way to disk.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::ioctl_fionbio;

use crate::TAIL_BYTES;
use crate::record::StreamEnd;
use crate::wire::Stream;

/// Reads per turn of the loop, so that a flood cannot keep clients waiting.
const READS_PER_TURN: usize = 16;

pub(super) struct Spool {
    /// None once the last writer closed its end.
    pipe: Option<PipeReader>,
    file: File,
    tail_path: PathBuf,
    max: u64,
    written: u64,
    kept: u64,
    released: u64,
    tail: VecDeque<u8>,
    error: Option<String>,
}

impl Spool {
    pub(super) fn create(
        dir: &Path,
        stream: Stream,
        pipe: Option<PipeReader>,
        max: u64,
    ) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            ioctl_fionbio(pipe, true)?;
        }
        let path = super::spool_path(dir, stream.file());
        Ok(Self {
            pipe,
            file: OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(path)?,
            tail_path: super::spool_path(dir, stream.tail_file()),
            max,
            written: 0,
            kept: 0,
            released: 0,
            tail: VecDeque::new(),
            error: None,
        })
    }

    pub(super) fn source(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.pipe.is_none()
    }

    /// Bytes a reader can read.
    pub(super) fn kept(&self) -> u64 {
        self.kept
    }

    /// Bytes the child wrote.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Takes what is there, without waiting.
    pub(super) fn drain(&mut self, buffer: &mut [u8]) {
        for _ in 0..READS_PER_TURN {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(buffer) {
                Ok(0) => self.pipe = None,
                Ok(n) => self.take(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.pipe = None,
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let whole = self.kept == self.written && self.error.is_none();
        self.written += bytes.len() as u64;
        // Offsets are positions in the stream: after a gap nothing may follow.
        let room = if whole {
            self.max.saturating_sub(self.kept - self.released)
        } else {
            0
        };
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        if fits > 0 {
            match self.file.write_all(&bytes[..fits]) {
                Ok(()) => self.kept += fits as u64,
                Err(e) => self.fail(&e),
            }
        }
        if self.kept < self.written {
            let rest = if self.error.is_none() {
                &bytes[fits..]
            } else {
                bytes
            };
            let skip = rest.len().saturating_sub(TAIL_BYTES);
            self.tail.extend(&rest[skip..]);
            let over = self.tail.len().saturating_sub(TAIL_BYTES);
            self.tail.drain(..over);
        }
    }

    /// A full disk must neither end nor block the child: what is on disk counts.
    fn fail(&mut self, error: &io::Error) {
        self.error = Some(error.to_string());
        self.kept = self.file.metadata().map_or(self.kept, |m| m.len());
    }

    /// Gives the disk space of the first `up_to` bytes back; offsets stay.
    pub(super) fn release(&mut self, up_to: u64) -> io::Result<()> {
        let up_to = up_to.min(self.kept);
        if up_to > self.released {
            let mode = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            fallocate(&self.file, mode, 0, up_to)?;
            self.released = up_to;
        }
        Ok(())
    }

    /// Everything is on disk when this returns.
    pub(super) fn settle(&mut self) -> StreamEnd {
        if let Err(error) = self.file.sync_data() {
            self.fail(&error);
        }
        if !self.tail.is_empty() {
            let saved = save_tail(&self.tail_path, self.tail.make_contiguous());
            if let Err(error) = saved {
                self.error.get_or_insert(error.to_string());
                self.tail.clear();
            }
        }
        StreamEnd {
            written: self.written,
            kept: self.kept,
            tail: self.tail.len() as u64,
            error: self.error.clone(),
        }
    }
}

fn save_tail(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_data());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}
