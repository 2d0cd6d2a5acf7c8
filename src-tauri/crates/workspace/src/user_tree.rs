//! The user's files, looked at and changed through an open folder: never over a
//! link, never outside.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::paths::{Links, look as only_looking, open_beneath};
use crate::sides::{Kind, Name, ancestors};

/// A file or link as it is on disk: two equal images are the same to git.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Image {
    pub(crate) kind: Kind,
    /// BLAKE3 of the contents, or of a link's target.
    pub(crate) hash: String,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Absent,
    File(Kind),
    Folder,
    /// Something on the way is no folder.
    Below(Name),
    Special,
}

/// Whether names that differ only in case are the same file there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Told,
    Ignored,
}

pub(crate) struct UserTree {
    root: OwnedFd,
    case: Case,
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

fn as_path(name: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(name))
}

/// The folder a path is in, and its own name.
pub(crate) fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|b| *b == b'/') {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => (&[], name),
    }
}

impl UserTree {
    pub(crate) fn open(path: &Path) -> io::Result<UserTree> {
        let root = rustix::fs::open(path, FOLDER, Mode::empty())?;
        let case = if ignores_case(path) {
            Case::Ignored
        } else {
            Case::Told
        };
        Ok(UserTree { root, case })
    }

    pub(crate) fn ignores_case(&self) -> bool {
        self.case == Case::Ignored
    }

    /// The folder `name`, without following links.
    pub(crate) fn folder(&self, name: &[u8]) -> Result<OwnedFd, Errno> {
        open_beneath(&self.root, as_path(name), FOLDER, Links::Refused)
    }

    pub(crate) fn look(&self, name: &[u8]) -> Result<Seen, Errno> {
        let (parent, own) = split(name);
        let flags = only_looking() | OFlags::DIRECTORY;
        let folder = match open_beneath(&self.root, as_path(parent), flags, Links::Refused) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => return Ok(Seen::Absent),
            Err(Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => return self.obstacle(name),
            Err(other) => return Err(other),
        };
        let stat = match rustix::fs::statat(&folder, own, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(Seen::Absent),
            Err(other) => return Err(other),
        };
        if self.ignores_case() && !self.has_exactly(parent, own)? {
            return Ok(Seen::Absent);
        }
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if stat.st_mode & 0o100 != 0 => Seen::File(Kind::Executable),
            FileType::RegularFile => Seen::File(Kind::Plain),
            FileType::Symlink => Seen::File(Kind::Link),
            FileType::Directory => Seen::Folder,
            _ => Seen::Special,
        })
    }

    /// The first thing on the way to `name` that is no folder.
    fn obstacle(&self, name: &[u8]) -> Result<Seen, Errno> {
        for above in ancestors(name) {
            let (parent, own) = split(above);
            let folder = self.folder(parent)?;
            let stat = rustix::fs::statat(&folder, own, AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                return Ok(Seen::Below(above.to_vec()));
            }
        }
        // It changed while it was looked at.
        Ok(Seen::Special)
    }

    /// Where case does not count, whether an entry is written exactly so.
    fn has_exactly(&self, parent: &[u8], own: &[u8]) -> Result<bool, Errno> {
        let folder = self.folder(parent)?;
        for entry in rustix::fs::Dir::read_from(&folder)? {
            if entry?.file_name().to_bytes() == own {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All that is in the folder `name`, however deep, without folders.
    pub(crate) fn below(&self, name: &[u8]) -> Result<Vec<Name>, Errno> {
        let (mut folders, mut out) = (vec![name.to_vec()], Vec::new());
        while let Some(at) = folders.pop() {
            let folder = self.folder(&at)?;
            for entry in rustix::fs::Dir::read_from(&folder)? {
                let entry = entry?;
                let own = entry.file_name().to_bytes();
                if own == b"." || own == b".." {
                    continue;
                }
                let inner = [&at[..], b"/", own].concat();
                let stat = rustix::fs::statat(&folder, own, AtFlags::SYMLINK_NOFOLLOW)?;
                match FileType::from_raw_mode(stat.st_mode) {
                    FileType::Directory => folders.push(inner),
                    _ => out.push(inner),
                }
            }
        }
        Ok(out)
    }

    /// What is at `name`, hashed, if it is a file or link.
    pub(crate) fn image(&self, name: &[u8]) -> io::Result<Option<Image>> {
        let (parent, own) = split(name);
        match self.look(name)? {
            Seen::File(kind) => {
                let folder = self.folder(parent)?;
                image_in(&folder, own, kind, &mut io::sink()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// As [`UserTree::image`], with a copy of the contents put at `to`.
    pub(crate) fn copy_out(&self, name: &[u8], kind: Kind, to: &Path) -> io::Result<Image> {
        let folder = self.folder(split(name).0)?;
        let mut copy = File::create(to)?;
        let image = image_in(&folder, split(name).1, kind, &mut copy)?;
        copy.sync_all()?;
        Ok(image)
    }

    /// The permission bits at `name`, if something is there.
    pub(crate) fn bits(&self, name: &[u8]) -> Option<u32> {
        let folder = self.folder(split(name).0).ok()?;
        let stat = rustix::fs::statat(&folder, split(name).1, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(stat.st_mode & 0o777)
    }

    /// The folder `name`, made with all above it where needed.
    pub(crate) fn make_folder(&self, name: &[u8]) -> Result<OwnedFd, Errno> {
        if let Ok(folder) = self.folder(name) {
            return Ok(folder);
        }
        for part in ancestors(name).chain([name]) {
            let (parent, own) = split(part);
            let at = self.folder(parent)?;
            match rustix::fs::mkdirat(&at, own, Mode::from_raw_mode(0o777)) {
                Ok(()) => rustix::fs::fsync(&at)?,
                Err(Errno::EXIST) => {}
                Err(other) => return Err(other),
            }
        }
        self.folder(name)
    }

    /// Removes the folder `name` if it is empty, and those above it that get
    /// empty by that, but not the top.
    pub(crate) fn prune(&self, name: &[u8]) {
        let mut at = name;
        while !at.is_empty() {
            let (parent, own) = split(at);
            let Ok(folder) = self.folder(parent) else {
                return;
            };
            if rustix::fs::unlinkat(&folder, own, AtFlags::REMOVEDIR).is_err() {
                return;
            }
            at = parent;
        }
    }

    /// Removes the folder `name` with all empty folders in it. Files stay, and
    /// with them the folders they are in.
    pub(crate) fn remove_empty(&self, name: &[u8]) -> Result<(), Errno> {
        let folder = match self.folder(name) {
            Ok(folder) => folder,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
            Err(other) => return Err(other),
        };
        for entry in rustix::fs::Dir::read_from(&folder)? {
            let own = entry?.file_name().to_bytes().to_vec();
            if own != b"." && own != b".." {
                let inner = [name, b"/", &own].concat();
                // What is no folder is found out by removing the one it is in.
                let _ = self.remove_empty(&inner);
            }
        }
        let (parent, own) = split(name);
        rustix::fs::unlinkat(&self.folder(parent)?, own, AtFlags::REMOVEDIR)
    }

    pub(crate) fn unlink(&self, name: &[u8]) -> Result<(), Errno> {
        let (parent, own) = split(name);
        match rustix::fs::unlinkat(&self.folder(parent)?, own, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            done => done,
        }
    }

    /// Renames to a name that nothing has.
    pub(crate) fn move_new(&self, from: &[u8], to: &[u8]) -> Result<(), Errno> {
        let (source, target) = (self.folder(split(from).0)?, self.folder(split(to).0)?);
        let (from, to) = (split(from).1, split(to).1);
        match rustix::fs::renameat_with(&source, from, &target, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                rustix::fs::linkat(&source, from, &target, to, AtFlags::empty())?;
                rustix::fs::unlinkat(&source, from, AtFlags::empty())
            }
            done => done,
        }
    }

    /// Renames over what is there, if anything.
    pub(crate) fn move_over(&self, from: &[u8], to: &[u8]) -> Result<(), Errno> {
        let (source, target) = (self.folder(split(from).0)?, self.folder(split(to).0)?);
        rustix::fs::renameat(&source, split(from).1, &target, split(to).1)
    }

    /// Swaps two files in one move; no moment in which either is missing.
    pub(crate) fn exchange(&self, one: &[u8], other: &[u8]) -> Result<(), Errno> {
        let (a, b) = (self.folder(split(one).0)?, self.folder(split(other).0)?);
        let flags = RenameFlags::EXCHANGE;
        rustix::fs::renameat_with(&a, split(one).1, &b, split(other).1, flags)
    }

    /// Writes a new file or link at `name`, contents flushed. `bits` are the
    /// permissions, or those a new file gets.
    pub(crate) fn fill(
        &self,
        name: &[u8],
        kind: Kind,
        contents: &Path,
        bits: Option<u32>,
    ) -> io::Result<()> {
        let (parent, own) = split(name);
        let folder = self.folder(parent)?;
        if kind == Kind::Link {
            let target = OsString::from_vec(std::fs::read(contents)?);
            return Ok(rustix::fs::symlinkat(target, &folder, own)?);
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let new = if kind == Kind::Executable {
            0o777
        } else {
            0o666
        };
        let fd = rustix::fs::openat(&folder, own, flags, Mode::from_raw_mode(new))?;
        if let Some(bits) = bits {
            rustix::fs::fchmod(&fd, Mode::from_raw_mode(bits_for(kind, bits)))?;
        }
        let mut file = File::from(fd);
        io::copy(&mut File::open(contents)?, &mut file)?;
        file.flush()?;
        file.sync_all()
    }

    /// Makes the names in the folder `name` durable.
    pub(crate) fn sync(&self, name: &[u8]) -> Result<(), Errno> {
        match self.folder(name) {
            Ok(folder) => rustix::fs::fsync(folder),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(other) => Err(other),
        }
    }
}

/// The bits a file had, with its executable ones as `kind` says: for those who
/// may read it.
fn bits_for(kind: Kind, bits: u32) -> u32 {
    let bits = bits & 0o777;
    match kind {
        Kind::Executable if bits & 0o111 != 0 => bits | 0o100,
        Kind::Executable => bits | 0o100 | (bits & 0o444) >> 2,
        _ if bits & 0o100 != 0 => bits & !0o111,
        _ => bits,
    }
}

fn image_in(
    folder: &OwnedFd,
    own: &[u8],
    kind: Kind,
    copy: &mut dyn io::Write,
) -> io::Result<Image> {
    let mut hasher = blake3::Hasher::new();
    if kind == Kind::Link {
        let target = rustix::fs::readlinkat(folder, own, Vec::new())?;
        hasher.update(target.as_bytes());
        copy.write_all(target.as_bytes())?;
    } else {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(folder, own, flags, Mode::empty())?);
        let mut part = vec![0; 64 * 1024];
        loop {
            match file.read(&mut part)? {
                0 => break,
                n => {
                    hasher.update(&part[..n]);
                    copy.write_all(&part[..n])?;
                }
            }
        }
    }
    Ok(Image {
        kind,
        hash: hasher.finalize().to_hex().to_string(),
    })
}

/// The image of `contents` (a file, for a link its target).
pub(crate) fn image_of(contents: &Path, kind: Kind) -> io::Result<Image> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(contents)?)?;
    Ok(Image {
        kind,
        hash: hasher.finalize().to_hex().to_string(),
    })
}

/// Looks for an entry that is found under a name of other case too.
fn ignores_case(root: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(entries) = std::fs::read_dir(root) else {
        return false;
    };
    let swapped = |name: &OsStr| -> Option<OsString> {
        let swap = |b: u8| {
            if b.is_ascii_lowercase() {
                b.to_ascii_uppercase()
            } else {
                b.to_ascii_lowercase()
            }
        };
        let other: Vec<u8> = name.as_bytes().iter().map(|b| swap(*b)).collect();
        (other != name.as_bytes()).then(|| OsString::from_vec(other))
    };
    let facts = |path: &Path| std::fs::symlink_metadata(path).map(|m| (m.dev(), m.ino()));
    entries
        .flatten()
        .find_map(|entry| Some((entry.path(), root.join(swapped(&entry.file_name())?))))
        .is_some_and(|(one, other)| match (facts(&one), facts(&other)) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        })
}
