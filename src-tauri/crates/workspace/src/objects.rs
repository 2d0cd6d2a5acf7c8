//! Taking over the objects of a git store: by hard links, or borrowed.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// As deep as git itself follows alternates (`alternate nesting too deep`).
const ALTERNATES_DEPTH: usize = 5;
/// A repack by the user may take a pack away between listing and linking.
const ATTEMPTS: usize = 5;

/// Hard-links every object of the store `from` (and of its alternates) into the
/// store `to`, or copies where links are not possible. `to` depends on nothing
/// but itself afterwards.
pub(crate) fn link_store(from: &Path, to: &Path) -> io::Result<()> {
    let mut stores = Vec::new();
    collect_stores(from, 0, &mut stores, &mut HashSet::new());
    for store in stores {
        let mut attempt = 1;
        while let Err(error) = link_one(&store, to) {
            if error.kind() != io::ErrorKind::NotFound || attempt == ATTEMPTS {
                return Err(error);
            }
            attempt += 1;
        }
    }
    Ok(())
}

/// Lets the store `by` read the objects of the store `from` (`alternates`). It
/// names it absolutely, so that a clone of `by` finds it too.
pub(crate) fn borrow(from: &Path, by: &Path) -> io::Result<()> {
    fs::create_dir_all(by.join("info"))?;
    let mut line = quoted(from.as_os_str().as_bytes());
    line.push(b'\n');
    fs::write(by.join("info/alternates"), line)
}

/// As git quotes a path that would not survive as a line (gitrepository-layout,
/// "objects/info/alternates"): double quotes, and octal escapes.
fn quoted(path: &[u8]) -> Vec<u8> {
    if !path.contains(&b'\n') {
        return path.to_vec();
    }
    let mut out = vec![b'"'];
    for byte in path {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            0..=31 => out.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
    out
}

/// Whether some objects are only at a remote (a partial clone).
pub(crate) fn lacks_objects(store: &Path) -> bool {
    let Ok(entries) = fs::read_dir(store.join("pack")) else {
        return false;
    };
    entries
        .flatten()
        .any(|e| e.path().extension().is_some_and(|ext| ext == "promisor"))
}

fn collect_stores(store: &Path, depth: usize, out: &mut Vec<PathBuf>, seen: &mut HashSet<PathBuf>) {
    let known = fs::canonicalize(store).unwrap_or_else(|_| store.to_owned());
    if !seen.insert(known.clone()) {
        return;
    }
    out.push(known);
    if depth == ALTERNATES_DEPTH {
        return;
    }
    let text = fs::read_to_string(store.join("info/alternates")).unwrap_or_default();
    for line in text
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        collect_stores(&store.join(line), depth + 1, out, seen);
    }
}

/// Loose objects first: a repack moves objects from loose into packs, so this
/// order sees each of them at least once.
fn link_one(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.len() == 2 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            fs::create_dir_all(to.join(&name))?;
            link_files(&entry.path(), &to.join(&name), Wanted::Loose)?;
        }
    }
    fs::create_dir_all(to.join("pack"))?;
    match link_files(&from.join("pack"), &to.join("pack"), Wanted::Packs) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !from.join("pack").exists() => {
            Ok(())
        }
        done => done,
    }
}

#[derive(Clone, Copy)]
enum Wanted {
    Loose,
    Packs,
}

impl Wanted {
    /// Names git writes for finished objects; anything else there is temporary,
    /// or an index over several packs that would not fit this store.
    fn covers(self, name: &str) -> bool {
        match self {
            Wanted::Loose => name.bytes().all(|b| b.is_ascii_hexdigit()),
            Wanted::Packs => {
                name.starts_with("pack-")
                    && [".pack", ".idx", ".rev"]
                        .iter()
                        .any(|ending| name.ends_with(ending))
            }
        }
    }
}

fn link_files(from: &Path, to: &Path, wanted: Wanted) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        // A loose folder emptied by a repack: its objects are in a pack now.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && matches!(wanted, Wanted::Loose) =>
        {
            return Ok(());
        }
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if !wanted.covers(&name.to_string_lossy()) || !entry.file_type()?.is_file() {
            continue;
        }
        match link_or_copy(&entry.path(), &to.join(&name)) {
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && matches!(wanted, Wanted::Loose) => {}
            done => done?,
        }
    }
    Ok(())
}

fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
        // Another file system, a link limit, or hard links protected by the
        // kernel because the file belongs to somebody else.
        Err(_) => fs::copy(from, to).map(drop),
    }
}
