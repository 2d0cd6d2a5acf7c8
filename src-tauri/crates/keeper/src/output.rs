//! Reading a spool: from any offset, at any time, during the run and after it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use crate::client::blocking;
use crate::connection::{Keeper, Outcome};
use crate::wire::{Progress, Stream};

/// The most bytes of one [`Output::next`].
const PIECE: usize = 64 * 1024;

/// A reader of one spool. What it yields are the child's bytes as they were
/// written, which need not be text.
pub struct Output {
    path: PathBuf,
    file: Option<Arc<File>>,
    offset: u64,
    live: Option<Live>,
}

struct Live {
    /// Keeps the connection that wakes this reader.
    _keeper: Keeper,
    progress: watch::Receiver<Progress>,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl Output {
    pub(crate) fn following(keeper: Keeper, stream: Stream, offset: u64) -> Self {
        let path = keeper.dir().join(stream.file());
        let (progress, outcome) = keeper.subscribe();
        let live = Some(Live {
            _keeper: keeper,
            progress,
            outcome,
        });
        Self {
            path,
            file: None,
            offset,
            live,
        }
    }

    /// Reads what is there of the spool of a keeper that ended.
    pub fn of_ended(dir: &Path, stream: Stream, offset: u64) -> Self {
        Self {
            path: dir.join(stream.file()),
            file: None,
            offset,
            live: None,
        }
    }

    /// The position of the next byte: what a later reader can continue from.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next bytes, at most 64 KiB; None at the end of what will ever be there.
    /// Waits while the child lives and writes nothing. Cancel-safe.
    ///
    /// # Errors
    /// What the file system says; the position is unchanged.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            // Looked at before reading: what is announced after is not overlooked.
            let ended = self.live.as_mut().is_none_or(|live| {
                live.progress.borrow_and_update();
                live.outcome.borrow_and_update().is_some()
            });
            let piece = self.read().await?;
            if !piece.is_empty() {
                self.offset += piece.len() as u64;
                return Ok(Some(piece));
            }
            match &mut self.live {
                Some(live) if !ended => tokio::select! {
                    _ = live.progress.changed() => {}
                    _ = live.outcome.changed() => {}
                },
                _ => return Ok(None),
            }
        }
    }

    /// Everything to the end, at once: for output known to be small.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    async fn read(&mut self) -> io::Result<Vec<u8>> {
        let (path, known, offset) = (self.path.clone(), self.file.clone(), self.offset);
        let (file, piece) = blocking(move || {
            let file = match known {
                Some(file) => file,
                None => Arc::new(File::open(path)?),
            };
            let mut piece = vec![0; PIECE];
            let read = file.read_at(&mut piece, offset)?;
            piece.truncate(read);
            Ok((file, piece))
        })
        .await?;
        self.file = Some(file);
        Ok(piece)
    }
}

/// The end of a stream whose spool was cut, at most [`crate::TAIL_BYTES`]; empty if
/// it was not.
///
/// # Errors
/// What the file system says.
pub fn tail(dir: &Path, stream: Stream) -> io::Result<Vec<u8>> {
    match std::fs::read(dir.join(stream.tail_file())) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}
