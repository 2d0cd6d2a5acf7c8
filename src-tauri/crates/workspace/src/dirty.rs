//! The user's uncommitted changes: counted, or taken along.
//!
//! They are looked at through the clone's `.git` and a copy of the user's index,
//! so that neither the user's configuration nor their index is touched.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::clone::copy_with_time;
use crate::copy::{copy_path, is_special};
use crate::git::{Call, Git, zero_separated};
use crate::prepare_error::PrepareError;
use crate::repository::Repository;

/// What differs between the user's work tree and its HEAD.
#[derive(Debug, Default)]
pub(crate) struct Dirty {
    /// Relative to the top of the work tree.
    pub(crate) tracked: Vec<PathBuf>,
    /// The same; a folder as a whole where it is only counted, and always where
    /// it is a repository of its own.
    pub(crate) untracked: Vec<PathBuf>,
}

impl Dirty {
    /// All but what is one of `paths` or below one.
    pub(crate) fn without(mut self, paths: &[Vec<u8>]) -> Dirty {
        let kept = |path: &PathBuf| {
            let out = |other: &Vec<u8>| path.starts_with(OsStr::from_bytes(other));
            !paths.iter().any(out)
        };
        self.tracked.retain(kept);
        self.untracked.retain(kept);
        self
    }
}

/// How closely untracked files are looked at.
#[derive(Clone, Copy)]
pub(crate) enum Untracked {
    /// A folder with nothing tracked is one thing.
    Folders,
    /// File by file.
    Files,
}

/// Looks, with `clone` (a `.git` at the user's HEAD) as the repository.
pub(crate) async fn look(
    git: &Git,
    clone: &Path,
    repo: &Repository,
    untracked: Untracked,
    scratch: &Path,
) -> Result<Dirty, PrepareError> {
    let index = tempfile::NamedTempFile::new_in(scratch).map_err(PrepareError::io(scratch))?;
    match copy_with_time(&repo.git_dir.join("index"), index.path()) {
        // Nothing was ever staged; an empty file is no index to git.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::remove_file(index.path()).map_err(PrepareError::io(scratch))?;
        }
        done => done.map_err(PrepareError::io(&repo.git_dir))?,
    }
    let mut call = Call::new(&repo.top, "status")
        .env("GIT_DIR", clone)
        .env("GIT_WORK_TREE", &repo.top)
        .env("GIT_INDEX_FILE", index.path())
        .args(["--porcelain=v1", "-z", "--no-renames"])
        .arg("--ignore-submodules=dirty")
        .long();
    call = call.arg(match untracked {
        Untracked::Folders => "--untracked-files=normal",
        Untracked::Files => "--untracked-files=all",
    });
    let out = git.run(call).await?;
    let mut dirty = Dirty::default();
    for entry in zero_separated(&out).filter(|entry| entry.len() > 3) {
        let path = PathBuf::from(OsStr::from_bytes(&entry[3..]));
        match entry.starts_with(b"??") {
            true => dirty.untracked.push(path),
            false => dirty.tracked.push(path),
        }
    }
    Ok(dirty)
}

/// How many there are, or `None` (with a warning in the log) if that cannot be told.
pub(crate) fn counts(looked: Result<Dirty, PrepareError>) -> Option<(u64, u64)> {
    match looked {
        Ok(dirty) => Some((dirty.tracked.len() as u64, dirty.untracked.len() as u64)),
        Err(error) => {
            tracing::warn!(%error, "uncommitted changes could not be counted");
            None
        }
    }
}

/// What of the user's changes could not be taken.
#[derive(Debug, Default)]
pub(crate) struct NotTaken {
    /// Folders that are repositories of their own, and submodules.
    pub(crate) repositories: u64,
    /// FIFOs, sockets, devices.
    pub(crate) special: u64,
}

/// Makes `to`, which has the files of HEAD, like the work tree `from` in all of
/// `dirty`.
pub(crate) fn overlay(
    from: &Path,
    to: &Path,
    dirty: &Dirty,
    limit: u64,
) -> Result<NotTaken, PrepareError> {
    let mut not = NotTaken::default();
    let (mut gone, mut there, mut bytes) = (Vec::new(), Vec::new(), 0);
    for path in dirty.tracked.iter().chain(&dirty.untracked) {
        let full = from.join(path);
        match fs::symlink_metadata(&full) {
            // A folder where a file was, not a submodule.
            Ok(meta) if meta.is_dir() && is_leaf(&to.join(path)) => gone.push(path),
            Ok(meta) if meta.is_dir() => not.repositories += 1,
            Ok(meta) if is_special(meta.file_type()) => {
                not.special += 1;
                gone.push(path);
            }
            Ok(meta) => {
                bytes += meta.len();
                there.push(path);
            }
            // Also "not a folder": something above it is a file now.
            Err(error) if is_absent(&error) => gone.push(path),
            Err(source) => return Err(PrepareError::Unreadable { path: full, source }),
        }
    }
    if bytes > limit {
        return Err(PrepareError::TooLarge { bytes, limit });
    }
    // Removed first: a file may stand where a folder was.
    for path in gone {
        remove(to, path).map_err(PrepareError::io(&to.join(path)))?;
    }
    for path in there {
        make_way(to, path).map_err(PrepareError::io(&to.join(path)))?;
        copy_path(&from.join(path), &to.join(path))?;
    }
    Ok(not)
}

fn is_leaf(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_dir())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Removes a file and the folders above it that are empty then.
fn remove(root: &Path, path: &Path) -> io::Result<()> {
    match fs::remove_file(root.join(path)) {
        Err(error) if is_absent(&error) => return Ok(()),
        // A submodule the user removed: an empty folder here.
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            return crate::removal::remove_tree(&root.join(path));
        }
        done => done?,
    }
    for folder in path.ancestors().skip(1) {
        let empty = !folder.as_os_str().is_empty() && fs::remove_dir(root.join(folder)).is_ok();
        if !empty {
            break;
        }
    }
    Ok(())
}

/// Real folders above `path`, and nothing at it.
fn make_way(root: &Path, path: &Path) -> io::Result<()> {
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.pop();
    for folder in above.into_iter().rev() {
        let folder = root.join(folder);
        match fs::symlink_metadata(&folder) {
            Ok(meta) if meta.is_dir() => continue,
            Ok(_) => fs::remove_file(&folder)?,
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(error),
        }
        fs::create_dir(&folder)?;
    }
    let full = root.join(path);
    match fs::symlink_metadata(&full) {
        Ok(meta) if meta.is_dir() => crate::removal::remove_tree(&full),
        Ok(_) => fs::remove_file(&full),
        Err(_) => Ok(()),
    }
}
