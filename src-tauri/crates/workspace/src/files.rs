//! Reading and writing single files of a workspace.
//!
//! A write is planned (what is there, what will be), journalled by the caller,
//! performed, and after a crash probed: the world tells whether it happened.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::blocking::blocking;
use crate::paths::{Links, PathError, look, open_beneath, refuse_git_internals};
use crate::staging::TEMP_PREFIX;
use crate::workspace::Workspace;

/// BLAKE3 of a file's contents, 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileHash(String);

impl FileHash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> FileHash {
        FileHash(blake3::hash(bytes).to_hex().to_string())
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A write that is decided but perhaps not done: small enough for a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedWrite {
    /// Relative to the workspace, no links in it.
    pub path: PathBuf,
    /// What is there; `None` when there is no file.
    pub before: Option<FileHash>,
    /// What will be there.
    pub after: FileHash,
}

/// How the world stands to a planned write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    /// It did not happen: it can be performed.
    Before,
    /// It happened.
    After,
    /// Somebody did something else there.
    Neither,
}

/// Contents of a file, as far as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFile {
    /// The first bytes, at most the limit.
    pub bytes: Vec<u8>,
    /// The file's whole size in bytes.
    pub size: u64,
}

impl ReadFile {
    /// Whether the file is longer than what was read.
    pub fn is_cut(&self) -> bool {
        self.size > self.bytes.len() as u64
    }
}

/// Why a write was not performed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The path may not be written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The file is not what it was when the write was planned. Plan again.
    #[error("{} was changed by somebody else meanwhile", .0.display())]
    Changed(PathBuf),
    /// The bytes are not those that were planned.
    #[error("the bytes for {} are not the planned ones", .0.display())]
    OtherBytes(PathBuf),
}

impl Workspace {
    /// The first `limit` bytes of a file inside the workspace.
    pub async fn read_file(&self, path: &str, limit: u64) -> Result<ReadFile, PathError> {
        let (workspace, path) = (self.clone(), path.to_owned());
        blocking(move || {
            let real = workspace.real(&path)?;
            let root = workspace.open_root()?;
            let (file, size) = open_regular(&root, &real)?;
            let mut bytes = Vec::new();
            file.take(limit)
                .read_to_end(&mut bytes)
                .map_err(io(&real))?;
            let size = size.max(bytes.len() as u64);
            Ok(ReadFile { bytes, size })
        })
        .await
    }

    /// Plans to make `bytes` the contents of `path`. Writes nothing.
    pub async fn plan_write(&self, path: &str, bytes: &[u8]) -> Result<PlannedWrite, PathError> {
        let after = FileHash::of(bytes);
        let (workspace, path) = (self.clone(), path.to_owned());
        blocking(move || {
            let real = workspace.real_for_writing(&path)?;
            let before = workspace.current(&real)?;
            Ok(PlannedWrite {
                path: real,
                before,
                after,
            })
        })
        .await
    }

    /// Performs a planned write: durable when it returns, whole or not at all
    /// whatever happens. Nothing is done when it is done already; refused when
    /// the file is neither as before nor as after. Permission bits are kept.
    /// Missing folders are made.
    pub async fn perform(&self, write: &PlannedWrite, bytes: &[u8]) -> Result<(), WriteError> {
        if FileHash::of(bytes) != write.after {
            return Err(WriteError::OtherBytes(write.path.clone()));
        }
        let unflushed = |source| PathError::Io {
            path: write.path.clone(),
            source,
        };
        self.settled().await.map_err(unflushed)?;
        let (workspace, write, bytes) = (self.clone(), write.clone(), bytes.to_owned());
        blocking(move || {
            let inner = workspace.inner();
            let _alone = inner
                .writes
                .lock()
                .expect("no write panics while it holds this");
            match workspace.world(&write)? {
                World::After => Ok(()),
                World::Neither => Err(WriteError::Changed(write.path.clone())),
                World::Before => Ok(workspace.replace(&write.path, &bytes)?),
            }
        })
        .await
    }

    /// Whether a planned write happened.
    pub async fn probe(&self, write: &PlannedWrite) -> Result<World, PathError> {
        let (workspace, write) = (self.clone(), write.clone());
        blocking(move || workspace.world(&write)).await
    }

    fn world(&self, write: &PlannedWrite) -> Result<World, PathError> {
        let now = match self.current(&write.path) {
            Ok(now) => now,
            Err(PathError::Io { path, source }) => return Err(PathError::Io { path, source }),
            // A link, folder or FIFO where the file was or should be.
            Err(_) => return Ok(World::Neither),
        };
        Ok(match now {
            Some(hash) if hash == write.after => World::After,
            now if now == write.before => World::Before,
            _ => World::Neither,
        })
    }

    /// The hash of the file at `real`, `None` when there is none.
    fn current(&self, real: &Path) -> Result<Option<FileHash>, PathError> {
        let root = self.open_root()?;
        let file = match open_regular(&root, real) {
            Ok((file, _)) => file,
            Err(PathError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file).map_err(io(real))?;
        Ok(Some(FileHash(hasher.finalize().to_hex().to_string())))
    }

    fn replace(&self, real: &Path, bytes: &[u8]) -> Result<(), PathError> {
        // A plan comes back from a journal: what was true of it is checked again.
        refuse_git_internals(real)?;
        let errno = |errno| PathError::from_errno(real, errno);
        let name = real
            .file_name()
            .ok_or_else(|| PathError::IsFolder(real.to_owned()))?;
        let folder = self.folder_for(real)?;
        let temp = temp_name(real);
        // Left by a write that was killed; this one takes its place.
        let _ = rustix::fs::unlinkat(&folder, &temp, AtFlags::empty());
        let written = fill(&folder, &temp, name, bytes, real);
        let renamed = written.and_then(|()| {
            faults::crash_point("workspace.write_temp");
            rustix::fs::renameat(&folder, &temp, &folder, name).map_err(errno)
        });
        if let Err(error) = renamed {
            let _ = rustix::fs::unlinkat(&folder, &temp, AtFlags::empty());
            return Err(error);
        }
        faults::crash_point("workspace.write_renamed");
        rustix::fs::fsync(&folder).map_err(errno)
    }

    /// The folder `real` goes into, made if needed.
    fn folder_for(&self, real: &Path) -> Result<OwnedFd, PathError> {
        let errno = |errno| PathError::from_errno(real, errno);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = self.open_root()?;
        let parent = real.parent().unwrap_or(Path::new(""));
        if let Ok(folder) = open_beneath(&root, parent, flags, Links::Refused) {
            return Ok(folder);
        }
        let mut at = root;
        for name in parent {
            match rustix::fs::mkdirat(&at, name, Mode::from_raw_mode(0o777)) {
                Ok(()) => rustix::fs::fsync(&at).map_err(errno)?,
                Err(Errno::EXIST) => {}
                Err(other) => return Err(errno(other)),
            }
            at = open_beneath(&at, Path::new(name), flags, Links::Refused).map_err(errno)?;
        }
        Ok(at)
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> PathError {
    let path = path.to_owned();
    move |source| PathError::Io { path, source }
}

/// The same for each try, so that a killed write leaves at most one behind.
fn temp_name(real: &Path) -> OsString {
    let digest = blake3::hash(real.as_os_str().as_encoded_bytes()).to_hex();
    format!("{TEMP_PREFIX}{}", &digest[..16]).into()
}

/// Opens a regular file for reading, with its size. The type is looked at
/// before it is opened: opening a device can already do something.
fn open_regular(root: &OwnedFd, real: &Path) -> Result<(File, u64), PathError> {
    let errno = |errno| PathError::from_errno(real, errno);
    let seen = open_beneath(root, real, look(), Links::Refused).map_err(errno)?;
    regular(&seen, real)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = open_beneath(root, real, flags, Links::Refused).map_err(errno)?;
    let size = regular(&file, real)?;
    Ok((File::from(file), size))
}

fn regular(fd: &OwnedFd, real: &Path) -> Result<u64, PathError> {
    let stat = rustix::fs::fstat(fd).map_err(|errno| PathError::from_errno(real, errno))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(u64::try_from(stat.st_size).unwrap_or(0)),
        FileType::Directory => Err(PathError::IsFolder(real.to_owned())),
        FileType::Symlink => Err(PathError::Outside(real.to_owned())),
        _ => Err(PathError::Special(real.to_owned())),
    }
}

fn fill(
    folder: &OwnedFd,
    temp: &OsStr,
    name: &OsStr,
    bytes: &[u8],
    real: &Path,
) -> Result<(), PathError> {
    let errno = |errno| PathError::from_errno(real, errno);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(folder, temp, flags, Mode::from_raw_mode(0o666)).map_err(errno)?;
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        // Not set-uid and the like: new contents do not inherit them.
        Ok(old) => {
            let bits = Mode::from_raw_mode(old.st_mode & 0o777);
            rustix::fs::fchmod(&fd, bits).map_err(errno)?;
        }
        Err(Errno::NOENT) => {}
        Err(other) => return Err(errno(other)),
    }
    let mut file = File::from(fd);
    file.write_all(bytes).map_err(io(real))?;
    file.sync_all().map_err(io(real))
}
