//! The high-water anchor: what the journal's end was, kept outside the database,
//! because a database whose log was cut opens without complaint.
//!
//! The file is a ring of fixed slots. A slot is written in place after every
//! commit and made durable at least once a second; a torn slot fails its sum and
//! leaves the older ones standing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use domain::RunId;
use uuid::Uuid;

const SLOT: usize = 128;
const SLOTS: u64 = 32;
const BODY: usize = 96;
const MAGIC: &[u8; 8] = b"LHANCHR1";

/// The newest event known to be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) store: Uuid,
    pub(crate) gseq: u64,
    pub(crate) run: RunId,
    pub(crate) seq: u64,
    pub(crate) hash: [u8; 32],
}

impl Mark {
    fn to_slot(self) -> [u8; SLOT] {
        let mut slot = [0; SLOT];
        slot[..8].copy_from_slice(MAGIC);
        slot[8..24].copy_from_slice(self.store.as_bytes());
        slot[24..32].copy_from_slice(&self.gseq.to_le_bytes());
        slot[32..48].copy_from_slice(self.run.0.as_bytes());
        slot[48..56].copy_from_slice(&self.seq.to_le_bytes());
        slot[56..88].copy_from_slice(&self.hash);
        let sum = blake3::hash(&slot[..BODY]);
        slot[BODY..].copy_from_slice(sum.as_bytes());
        slot
    }

    fn from_slot(slot: &[u8]) -> Option<Self> {
        let field = |from: usize, to: usize| slot.get(from..to);
        if field(0, 8)? != MAGIC || field(BODY, SLOT)? != blake3::hash(field(0, BODY)?).as_bytes() {
            return None;
        }
        Some(Self {
            store: Uuid::from_slice(field(8, 24)?).ok()?,
            gseq: u64::from_le_bytes(field(24, 32)?.try_into().ok()?),
            run: RunId(Uuid::from_slice(field(32, 48)?).ok()?),
            seq: u64::from_le_bytes(field(48, 56)?.try_into().ok()?),
            hash: field(56, 88)?.try_into().ok()?,
        })
    }
}

/// What the anchor file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is none (yet).
    None,
    /// There is one and no slot of it is whole.
    Unreadable,
    /// The newest mark.
    Mark {
        mark: Mark,
        /// Slots that are written and do not verify. One may be torn by a power
        /// loss; that is no loss, since the others stand.
        bad_slots: u32,
    },
}

/// Reads `<home>/anchor`.
pub(crate) fn read(home: &Path) -> io::Result<Found> {
    let bytes = match std::fs::read(path(home)) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::None),
        Err(e) => return Err(e),
    };
    let slots = bytes.chunks(SLOT).filter(|s| s.iter().any(|b| *b != 0));
    let (mut newest, mut bad_slots, mut written) = (None::<Mark>, 0, 0);
    for slot in slots {
        written += 1;
        match Mark::from_slot(slot) {
            Some(mark) if newest.is_none_or(|n| mark.gseq > n.gseq) => newest = Some(mark),
            Some(_) => {}
            None => bad_slots += 1,
        }
    }
    Ok(match newest {
        Some(mark) => Found::Mark { mark, bad_slots },
        None if written == 0 => Found::None,
        None => Found::Unreadable,
    })
}

/// Where the anchor of a home is.
pub(crate) fn path(home: &Path) -> PathBuf {
    home.join("anchor")
}

/// The anchor as the writer keeps it.
#[derive(Debug)]
pub(crate) struct Anchor {
    file: File,
    next: u64,
    dirty: bool,
}

impl Anchor {
    pub(crate) fn open(home: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path(home))?;
        file.set_len(SLOT as u64 * SLOTS)?;
        Ok(Self {
            file,
            next: 0,
            dirty: false,
        })
    }

    /// Writes a mark. It is durable after the next [`Anchor::sync`].
    pub(crate) fn write(&mut self, mark: Mark) -> io::Result<()> {
        self.file
            .write_all_at(&mark.to_slot(), self.next % SLOTS * SLOT as u64)?;
        self.next += 1;
        self.dirty = true;
        Ok(())
    }

    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Makes the newest mark durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.sync_data()?;
            self.dirty = false;
            faults::crash_point("store.anchor_written");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(gseq: u64) -> Mark {
        Mark {
            store: Uuid::from_u128(7),
            gseq,
            run: RunId(Uuid::from_u128(8)),
            seq: gseq,
            hash: [3; 32],
        }
    }

    #[test]
    fn the_newest_whole_slot_counts() {
        let home = tempfile::tempdir().expect("a temp folder");
        let mut anchor = Anchor::open(home.path()).expect("the anchor opens");
        assert_eq!(read(home.path()).expect("it reads"), Found::None);
        for gseq in 1..=40 {
            anchor.write(mark(gseq)).expect("a slot is written");
        }
        let newest_slot = 39 % SLOTS * SLOT as u64;
        anchor
            .file
            .write_all_at(b"x", newest_slot + 60)
            .expect("a byte is changed");
        let expected = Found::Mark {
            mark: mark(39),
            bad_slots: 1,
        };
        assert_eq!(read(home.path()).expect("it reads"), expected);
    }
}
