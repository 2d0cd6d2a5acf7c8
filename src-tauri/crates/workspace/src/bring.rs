//! Files the user lists to be brought along, such as `.env`: often secrets, so
//! they are kept out of snapshots, diffs and what is applied.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use crate::along::{BringPath, fits};
use crate::copy::{copy_path, is_special};
use crate::prepare_error::PrepareError;

/// In the snapshot store: paths relative to the work tree, NUL after each, that
/// no snapshot has, whatever `.gitignore` says.
pub(crate) const KEPT_OUT: &str = "kept-out";

/// What came of a list.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    /// Relative to the root of the workspace.
    pub(crate) paths: Vec<PathBuf>,
    /// What did not come, each with the reason.
    pub(crate) not: Vec<String>,
}

/// What a file means that is in the workspace already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum There {
    /// It is committed: the user's file is left where it is.
    Committed,
    /// It was copied, because nothing ignores it.
    Copied,
}

/// From where to where.
pub(crate) struct Bringing<'a> {
    /// The project.
    pub(crate) from: &'a Path,
    /// The root of the workspace.
    pub(crate) root: &'a Path,
    /// The project's folder below it.
    pub(crate) prefix: &'a str,
    pub(crate) there: There,
    /// Most bytes.
    pub(crate) limit: u64,
}

impl Bringing<'_> {
    /// Brings what `list` names. What is not there, leads out or is committed is
    /// no error but said.
    pub(crate) fn bring(&self, list: &[BringPath]) -> Result<Brought, PrepareError> {
        let mut brought = Brought::default();
        let mut files = Vec::new();
        for entry in list {
            let parts: Vec<&str> = entry.parts().collect();
            let before = files.len() + brought.not.len();
            expand(
                self.from,
                Path::new(""),
                &parts,
                &mut files,
                &mut brought.not,
            );
            if files.len() + brought.not.len() == before {
                brought
                    .not
                    .push(format!("{}: there is none", entry.as_str()));
            }
        }
        self.bring_files(files, brought)
    }

    fn bring_files(
        &self,
        mut files: Vec<PathBuf>,
        mut brought: Brought,
    ) -> Result<Brought, PrepareError> {
        files.sort();
        files.dedup();
        let size =
            |path: &PathBuf| fs::symlink_metadata(self.from.join(path)).map_or(0, |m| m.len());
        let bytes = files.iter().map(size).sum();
        if bytes > self.limit {
            let limit = self.limit;
            return Err(PrepareError::TooLarge { bytes, limit });
        }
        for path in files {
            let inside = Path::new(self.prefix).join(&path);
            let to = self.root.join(&inside);
            let present = to.symlink_metadata().is_ok();
            if present && self.there == There::Committed {
                brought
                    .not
                    .push(format!("{}: it is committed", path.display()));
            } else if !real_folders(self.root, &inside) {
                brought.not.push(format!(
                    "{}: its folder is a link or a file",
                    path.display()
                ));
            } else {
                if !present {
                    copy_path(&self.from.join(&path), &to)?;
                }
                brought.paths.push(inside);
            }
        }
        Ok(brought)
    }
}

/// The files below `dir` that `parts` names, relative to `project`.
fn expand(
    project: &Path,
    dir: &Path,
    parts: &[&str],
    files: &mut Vec<PathBuf>,
    not: &mut Vec<String>,
) {
    let Some((part, rest)) = parts.split_first() else {
        return;
    };
    for name in names(&project.join(dir), part) {
        let path = dir.join(name);
        let full = project.join(&path);
        let Ok(meta) = full.symlink_metadata() else {
            continue;
        };
        if !rest.is_empty() {
            match meta.is_dir() {
                true => expand(project, &path, rest, files, not),
                false if meta.is_symlink() => {
                    not.push(format!("{}: links are not followed", path.display()));
                }
                false => {}
            }
        } else if meta.is_dir() {
            all_below(project, &path, files, not);
        } else {
            take(project, path, files, not);
        }
    }
}

/// The names in `dir` that are as `part` says.
fn names(dir: &Path, part: &str) -> Vec<std::ffi::OsString> {
    if !part.contains(['*', '?']) {
        return vec![part.into()];
    }
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name())
        .filter(|name| name != ".git" && name.to_str().is_some_and(|name| fits(part, name)))
        .collect();
    names.sort();
    names
}

fn all_below(project: &Path, dir: &Path, files: &mut Vec<PathBuf>, not: &mut Vec<String>) {
    let entries = match fs::read_dir(project.join(dir)) {
        Ok(entries) => entries,
        Err(error) => return not.push(format!("{}: {error}", dir.display())),
    };
    for entry in entries
        .flatten()
        .filter(|entry| entry.file_name() != ".git")
    {
        let path = dir.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => all_below(project, &path, files, not),
            _ => take(project, path, files, not),
        }
    }
}

fn take(project: &Path, path: PathBuf, files: &mut Vec<PathBuf>, not: &mut Vec<String>) {
    let full = project.join(&path);
    let Ok(meta) = full.symlink_metadata() else {
        return;
    };
    if is_special(meta.file_type()) {
        not.push(format!("{}: it is no file", path.display()));
    } else if meta.is_symlink() && !stays_inside(project, &full) {
        not.push(format!("{}: it leads out of the project", path.display()));
    } else {
        files.push(path);
    }
}

/// Whether the link has a relative target that exists inside the project.
fn stays_inside(project: &Path, link: &Path) -> bool {
    let relative = fs::read_link(link).is_ok_and(|target| target.is_relative());
    relative && fs::canonicalize(link).is_ok_and(|real| real.starts_with(project))
}

/// Makes the folders above `path`; false where one is something else.
pub(crate) fn real_folders(root: &Path, path: &Path) -> bool {
    let mut folder = root.to_owned();
    let above = path.parent().unwrap_or(Path::new(""));
    above.components().all(|part| {
        let Component::Normal(name) = part else {
            return false;
        };
        folder.push(name);
        match folder.symlink_metadata() {
            Ok(meta) => meta.is_dir(),
            Err(_) => fs::create_dir(&folder).is_ok(),
        }
    })
}

/// Tells the store to keep `paths` out, and git in a clone to leave them alone.
pub(crate) fn keep_out(store: &Path, excludes: &[&Path], paths: &[PathBuf]) -> std::io::Result<()> {
    use std::io::Write as _;
    if paths.is_empty() {
        return Ok(());
    }
    let (mut list, mut patterns) = (Vec::new(), Vec::new());
    for path in paths {
        let bytes = path.as_os_str().as_bytes();
        list.extend_from_slice(bytes);
        list.push(0);
        patterns.push(b'/');
        for byte in bytes {
            if b"*?[\\ !#".contains(byte) {
                patterns.push(b'\\');
            }
            patterns.push(*byte);
        }
        patterns.push(b'\n');
    }
    fs::write(store.join(KEPT_OUT), list)?;
    for file in excludes {
        let mut file = fs::File::options().append(true).create(true).open(file)?;
        file.write_all(b"\n")?;
        file.write_all(&patterns)?;
    }
    Ok(())
}

/// What the store at `store` keeps out.
pub(crate) fn kept_out(store: &Path) -> Vec<Vec<u8>> {
    let list = fs::read(store.join(KEPT_OUT)).unwrap_or_default();
    crate::git::zero_separated(&list)
        .map(<[u8]>::to_vec)
        .collect()
}

/// The same as paths to bring again, relative to the project.
pub(crate) fn again(store: &Path, prefix: &str) -> Vec<PathBuf> {
    let kept = kept_out(store);
    kept.iter()
        .map(|path| Path::new(OsStr::from_bytes(path)))
        .filter_map(|path| path.strip_prefix(prefix).ok())
        .map(Path::to_owned)
        .collect()
}

impl Bringing<'_> {
    /// Brings what another run brought. Its own files may be the agent's by now.
    pub(crate) fn bring_again(&self, paths: Vec<PathBuf>) -> Result<Brought, PrepareError> {
        let (mut files, mut not) = (Vec::new(), Vec::new());
        for path in paths {
            let inside = real_inside(self.from, &path);
            match inside {
                true => take(self.from, path, &mut files, &mut not),
                false => not.push(format!("{}: there is none", path.display())),
            }
        }
        let paths = Vec::new();
        self.bring_files(files, Brought { paths, not })
    }
}

/// Whether `path` is there and no folder above it is a link.
fn real_inside(root: &Path, path: &Path) -> bool {
    let above: Vec<&Path> = path.ancestors().skip(1).collect();
    let folders = above.iter().filter(|part| !part.as_os_str().is_empty());
    let real = |part: &&Path| {
        root.join(part)
            .symlink_metadata()
            .is_ok_and(|meta| meta.is_dir())
    };
    folders.copied().collect::<Vec<_>>().iter().all(real)
        && root.join(path).symlink_metadata().is_ok()
}
