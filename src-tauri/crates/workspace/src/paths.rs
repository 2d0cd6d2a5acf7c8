//! Keeping file tools inside the workspace.
//!
//! Names are resolved by the kernel (`openat2` with `RESOLVE_BENEATH`), so that
//! a link swapped in between checking and opening leads nowhere. Where there is
//! no `openat2`, each folder on the way is opened without following links.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::workspace::Workspace;

/// Why a path is not one a tool may use.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// It leads, or could lead, out of the workspace.
    #[error("{} is outside the workspace", .0.display())]
    Outside(PathBuf),
    /// It is in a `.git`, which tools may read but not write.
    #[error("{} is inside .git, which may not be written", .0.display())]
    GitInternals(PathBuf),
    /// It is a FIFO, a socket or a device.
    #[error("{} is not a regular file", .0.display())]
    Special(PathBuf),
    /// It is a folder where a file is needed.
    #[error("{} is a folder", .0.display())]
    IsFolder(PathBuf),
    /// Something on the way to it is not a folder.
    #[error("{} is below something that is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// There is no such file.
    #[error("{} does not exist", .0.display())]
    NotFound(PathBuf),
    /// It cannot be a path.
    #[error("not a path: {0:?}")]
    Invalid(String),
    /// The system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl PathError {
    pub(crate) fn from_errno(path: &Path, errno: Errno) -> PathError {
        let path = path.to_owned();
        match errno {
            Errno::XDEV | Errno::LOOP | Errno::AGAIN => PathError::Outside(path),
            Errno::NOENT => PathError::NotFound(path),
            Errno::NOTDIR => PathError::NotAFolder(path),
            Errno::ISDIR => PathError::IsFolder(path),
            Errno::NXIO => PathError::Special(path),
            other => PathError::Io {
                path,
                source: other.into(),
            },
        }
    }
}

/// What becomes of links on the way.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Links {
    /// Followed as long as they stay inside.
    Inside,
    /// Refused: the path was resolved before and must not have changed since.
    Refused,
}

impl Workspace {
    /// The real path of `path` (relative to the workspace, or absolute inside
    /// it), which need not exist. Refused if it leads outside.
    ///
    /// Meant for showing a path or for starting a process in it: an agent may
    /// swap a folder for a link right after. To read and write use
    /// [`Workspace::read_file`] and [`Workspace::perform`], which cannot be
    /// tricked that way.
    pub fn resolve(&self, path: &str) -> Result<PathBuf, PathError> {
        Ok(self.path().join(self.real(path)?))
    }

    /// `path` relative to the workspace, without links or `..` in it; what does
    /// not exist yet follows what does.
    pub(crate) fn real(&self, path: &str) -> Result<PathBuf, PathError> {
        let relative = self.relative(path)?;
        let outside = || PathError::Outside(PathBuf::from(path));
        let root = self.open_root()?;
        let mut existing: Vec<Component<'_>> = relative.components().collect();
        let mut missing: Vec<OsString> = Vec::new();
        loop {
            let there: PathBuf = existing.iter().collect();
            match open_beneath(&root, &there, look(), Links::Inside) {
                Ok(_) => {
                    let mut real = self.canonical(&there).ok_or_else(outside)?;
                    real.extend(missing.iter().rev());
                    return Ok(real);
                }
                Err(Errno::NOENT) => match existing.pop() {
                    Some(Component::Normal(name)) => {
                        let parent: PathBuf = existing.iter().collect();
                        // A link to nothing: writing there would create what it names.
                        if is_link(&root, &parent.join(name)) {
                            return Err(outside());
                        }
                        missing.push(name.to_owned());
                    }
                    // `..` out of a folder that does not exist.
                    _ => return Err(outside()),
                },
                Err(errno) => return Err(PathError::from_errno(Path::new(path), errno)),
            }
        }
    }

    /// As [`Workspace::real`], for a path that is to be written.
    pub(crate) fn real_for_writing(&self, path: &str) -> Result<PathBuf, PathError> {
        let real = self.real(path)?;
        refuse_git_internals(&real)?;
        if real.as_os_str().is_empty() {
            return Err(PathError::IsFolder(real));
        }
        Ok(real)
    }

    fn relative(&self, path: &str) -> Result<PathBuf, PathError> {
        if path.is_empty() || path.contains('\0') {
            return Err(PathError::Invalid(path.to_owned()));
        }
        let given = Path::new(path);
        if !given.is_absolute() {
            return Ok(given.to_owned());
        }
        match given.strip_prefix(self.path()) {
            Ok(inside) => Ok(inside.to_owned()),
            Err(_) => Err(PathError::Outside(given.to_owned())),
        }
    }

    fn canonical(&self, existing: &Path) -> Option<PathBuf> {
        let real = std::fs::canonicalize(self.path().join(existing)).ok()?;
        real.strip_prefix(self.path()).ok().map(Path::to_owned)
    }

    pub(crate) fn open_root(&self) -> Result<OwnedFd, PathError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::open(self.path(), flags, Mode::empty())
            .map_err(|errno| PathError::from_errno(self.path(), errno))
    }
}

/// `real` is relative to the workspace. The folder the project is in may itself
/// be below a `.git`, which is the user's choice.
pub(crate) fn refuse_git_internals(real: &Path) -> Result<(), PathError> {
    if real
        .iter()
        .any(|part| part.as_bytes().eq_ignore_ascii_case(b".git"))
    {
        return Err(PathError::GitInternals(real.to_owned()));
    }
    Ok(())
}

/// Opens for looking only: no FIFO waits, no device is touched.
#[cfg(target_os = "linux")]
pub(crate) fn look() -> OFlags {
    OFlags::PATH | OFlags::CLOEXEC
}

/// Opens for looking only: no FIFO waits.
#[cfg(not(target_os = "linux"))]
pub(crate) fn look() -> OFlags {
    OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC
}

fn is_link(root: &OwnedFd, path: &Path) -> bool {
    let parent = path.parent().unwrap_or(Path::new(""));
    let Some(name) = path.file_name() else {
        return false;
    };
    let Ok(folder) = open_beneath(root, parent, look() | OFlags::DIRECTORY, Links::Inside) else {
        return false;
    };
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}

/// Opens `relative` below `root` and nowhere else.
#[cfg(target_os = "linux")]
pub(crate) fn open_beneath(
    root: &OwnedFd,
    relative: &Path,
    flags: OFlags,
    links: Links,
) -> Result<OwnedFd, Errno> {
    use rustix::fs::ResolveFlags;
    /// With `..` in the path the kernel asks to try again whenever anything is
    /// renamed meanwhile (openat2(2), EAGAIN).
    const ATTEMPTS: usize = 16;

    let path = if relative.as_os_str().is_empty() {
        Path::new(".")
    } else {
        relative
    };
    let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    if matches!(links, Links::Refused) {
        resolve |= ResolveFlags::NO_SYMLINKS;
    }
    for _ in 0..ATTEMPTS {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::NOSYS) => return walk_beneath(root, relative, flags),
            done => return done,
        }
    }
    Err(Errno::AGAIN)
}

/// Opens `relative` below `root` and nowhere else.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open_beneath(
    root: &OwnedFd,
    relative: &Path,
    flags: OFlags,
    _links: Links,
) -> Result<OwnedFd, Errno> {
    walk_beneath(root, relative, flags)
}

/// Folder by folder, following no link at all.
fn walk_beneath(root: &OwnedFd, relative: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut names = Vec::new();
    for part in relative.components() {
        match part {
            Component::Normal(name) => names.push(name),
            Component::CurDir => {}
            _ => return Err(Errno::XDEV),
        }
    }
    let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Some((last, parents)) = names.split_last() else {
        return rustix::fs::openat(root, ".", flags, Mode::empty());
    };
    let mut at = rustix::io::fcntl_dupfd_cloexec(root.as_fd(), 0)?;
    for name in parents {
        at = rustix::fs::openat(&at, *name, folder, Mode::empty())?;
    }
    rustix::fs::openat(&at, *last, flags | OFlags::NOFOLLOW, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_openat2_no_link_is_followed() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(dir.path().join("in/deep")).expect("folders");
        std::fs::write(dir.path().join("in/deep/file"), "x").expect("a file");
        std::os::unix::fs::symlink("in/deep", dir.path().join("link")).expect("a link");
        std::os::unix::fs::symlink("deep/file", dir.path().join("in/link")).expect("a link");
        let root: OwnedFd = std::fs::File::open(dir.path()).expect("the folder").into();
        let open = |path: &str| walk_beneath(&root, Path::new(path), OFlags::RDONLY).map(drop);
        assert_eq!(open("in/deep/file"), Ok(()));
        assert_eq!(open("./in/./deep"), Ok(()));
        assert!(open("link/file").is_err());
        assert!(open("in/link").is_err());
        assert_eq!(open("in/../in/deep/file"), Err(Errno::XDEV));
        assert_eq!(open("/etc/passwd"), Err(Errno::XDEV));
    }
}
