//! Removing and measuring trees an agent may have left in any state.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// Removes `dir` and all below, also folders without write permission (a Go
/// module cache is made of them). Links are removed, never followed.
pub(crate) fn remove_tree(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        Err(error) => return Err(error),
    }
    open_folders(dir)?;
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn open_folders(dir: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(dir)?.is_dir() {
        return Ok(());
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_folders(&entry.path())?;
        }
    }
    Ok(())
}

/// Bytes allocated below `dir`, each inode once. Objects hard-linked with the
/// user's repository are counted although they take no extra room.
pub(crate) fn allocated(dir: &Path) -> io::Result<u64> {
    sum(dir, |_| true)
}

/// Bytes allocated below `dir` in files that have no name elsewhere.
pub(crate) fn unshared(dir: &Path) -> io::Result<u64> {
    sum(dir, |meta| meta.is_dir() || meta.nlink() == 1)
}

fn sum(dir: &Path, counts: impl Fn(&fs::Metadata) -> bool) -> io::Result<u64> {
    let mut seen = HashSet::new();
    let mut folders = vec![dir.to_owned()];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // Agents create and remove while we look.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                folders.push(entry.path());
            }
            if counts(&meta) && seen.insert((meta.dev(), meta.ino())) {
                bytes += meta.blocks() * 512;
            }
        }
    }
    Ok(bytes)
}
