//! The copy, for folders git has no commit of.

use std::fs;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

use crate::blocking::blocking;
use crate::bring::{self, Bringing, There};
use crate::marker::Marker;
use crate::prepare::Plan;
use crate::prepare_error::PrepareError;
use crate::workspace::snap_store;

/// A walk over what `.gitignore` files below `root` do not leave out. Not those
/// above: a `*` in a home folder's `.gitignore` is common and says nothing here.
pub(crate) fn unignored(root: &Path) -> WalkBuilder {
    let mut walk = WalkBuilder::new(root);
    walk.hidden(false)
        .ignore(false)
        .parents(false)
        .git_global(false)
        .git_exclude(true)
        .git_ignore(true)
        .require_git(false)
        .follow_links(false)
        .filter_entry(|entry| entry.file_name() != ".git");
    walk
}

pub(crate) async fn make(plan: &Plan) -> Result<Marker, PrepareError> {
    let dir = plan.files_dir(&plan.project);
    let (from, to, limit) = (plan.project.clone(), dir.clone(), plan.limit());
    let special = blocking(move || copy_tree(&from, &to, limit)).await?;
    let store = snap_store(plan.git.clone(), &plan.run_dir, &dir, plan.mode, "");
    store.create("sha1", b"").await?;
    let mut marker = plan.marker(dir.clone());
    marker.left_out.special = special;
    let (list, from, kept) = (
        plan.along.bring.clone(),
        plan.project.clone(),
        store.dir.clone(),
    );
    let brought = blocking(move || {
        let bringing = Bringing {
            from: &from,
            root: &dir,
            prefix: "",
            there: There::Copied,
            limit,
        };
        let brought = bringing.bring(&list)?;
        bring::keep_out(&kept, &[&kept.join("info/exclude")], &brought.paths)
            .map_err(PrepareError::io(&kept))?;
        Ok::<_, PrepareError>(brought)
    })
    .await?;
    marker.left_out.not_brought = brought.not;
    plan.finish(&store, marker).await
}

enum Kind {
    Folder,
    File,
    Link,
    Special,
}

fn kind(entry: &DirEntry) -> Kind {
    match entry.file_type() {
        Some(kind) if kind.is_dir() => Kind::Folder,
        Some(kind) if kind.is_file() => Kind::File,
        Some(kind) if kind.is_symlink() => Kind::Link,
        _ => Kind::Special,
    }
}

/// Measures, then copies. Returns how many special files were left out.
fn copy_tree(from: &Path, to: &Path, limit: u64) -> Result<u64, PrepareError> {
    let (mut bytes, mut special, mut entries) = (0, 0, Vec::new());
    for entry in unignored(from).build() {
        let entry = entry.map_err(|error| unreadable(from, error))?;
        match kind(&entry) {
            Kind::Special => special += 1,
            Kind::File => {
                let size = entry
                    .metadata()
                    .map_err(|error| unreadable(entry.path(), error))?
                    .len();
                bytes += size;
                entries.push(entry);
            }
            Kind::Folder | Kind::Link => entries.push(entry),
        }
    }
    if bytes > limit {
        return Err(PrepareError::TooLarge { bytes, limit });
    }
    for entry in entries {
        let relative = entry
            .path()
            .strip_prefix(from)
            .expect("the walk stays below its root");
        copy_entry(&entry, &to.join(relative))?;
    }
    Ok(special)
}

fn copy_entry(entry: &DirEntry, to: &Path) -> Result<(), PrepareError> {
    match kind(entry) {
        Kind::Folder => fs::create_dir_all(to).map_err(PrepareError::io(to)),
        Kind::Link | Kind::File => copy_path(entry.path(), to),
        Kind::Special => Ok(()),
    }
}

/// Copies a file, or a link as a link. There is nothing at `to` yet.
pub(crate) fn copy_path(from: &Path, to: &Path) -> Result<(), PrepareError> {
    let unreadable = |source| PrepareError::Unreadable {
        path: from.to_owned(),
        source,
    };
    let meta = fs::symlink_metadata(from).map_err(unreadable)?;
    if meta.is_symlink() {
        let target = fs::read_link(from).map_err(unreadable)?;
        return std::os::unix::fs::symlink(target, to).map_err(PrepareError::io(to));
    }
    // copy_file_range underneath: shares blocks where the file system can.
    fs::copy(from, to).map_err(unreadable)?;
    keep_time(from, to);
    Ok(())
}

/// A FIFO, socket or device.
pub(crate) fn is_special(kind: fs::FileType) -> bool {
    !(kind.is_file() || kind.is_dir() || kind.is_symlink())
}

/// Build tools compare times. A file without write permission keeps the new one.
fn keep_time(from: &Path, to: &Path) {
    let modified = fs::metadata(from).and_then(|meta| meta.modified());
    let file = fs::File::options().write(true).open(to);
    if let (Ok(modified), Ok(file)) = (modified, file) {
        let _ = file.set_modified(modified);
    }
}

fn unreadable(path: &Path, error: ignore::Error) -> PrepareError {
    let named = failing_path(&error).unwrap_or_else(|| path.to_owned());
    let source = match error.into_io_error() {
        Some(source) => source,
        None => std::io::Error::other("the folder could not be walked"),
    };
    PrepareError::Unreadable {
        path: named,
        source,
    }
}

fn failing_path(error: &ignore::Error) -> Option<PathBuf> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path.clone()),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            failing_path(err)
        }
        _ => None,
    }
}
