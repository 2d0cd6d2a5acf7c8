//! Where a path leads, by its words alone: inside the workspace, or not.

use std::path::{Component, Path, PathBuf};

/// What a call finds around it, as far as paths are concerned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    /// The folder the run works in.
    pub workspace: Option<&'a Path>,
    /// Its own temporary folder, where its sandbox makes one.
    pub temp: Option<&'a Temp>,
}

/// A sandbox's private temporary folders. What is written there nobody else sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Temp {
    /// Where they are seen.
    pub folders: Vec<PathBuf>,
    /// Below them, or above: what others see all the same.
    pub shared: Vec<PathBuf>,
}

impl Temp {
    fn has(&self, path: &Path) -> bool {
        let below = |folder: &PathBuf| path != folder && path.starts_with(folder);
        let shared = |other: &PathBuf| other.starts_with(path) || path.starts_with(other);
        self.folders.iter().any(below) && !self.shared.iter().any(shared)
    }
}

/// A folder: relative to the workspace, or an absolute one of its own temporary folders;
/// `None` where it is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place(Option<PathBuf>);

impl Default for Place {
    fn default() -> Self {
        Self(Some(PathBuf::new()))
    }
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// Into the workspace: the path from its top, empty for the top itself.
    Inside(PathBuf),
    /// Into the run's own temporary folder.
    Temp(PathBuf),
    /// Somewhere else: the path as far as it is known.
    Outside(String),
    /// Nobody can say.
    Unknown,
}

impl Place {
    /// Nobody can say where this is.
    pub(crate) fn unknown() -> Self {
        Self(None)
    }

    /// The place after `cd` to `path`.
    pub(crate) fn then(&self, path: Option<&str>, around: Around<'_>) -> Self {
        let top = |path: &str| around.temp.is_some_and(|temp| is_top(temp, path));
        match path.map(|path| (path, self.leads(path, around))) {
            Some((_, Leads::Inside(folder) | Leads::Temp(folder))) => Self(Some(folder)),
            Some((path, Leads::Outside(_))) if top(path) => Self(Some(path.into())),
            // An absolute folder elsewhere: everything relative is elsewhere, too.
            _ => Self::unknown(),
        }
    }

    /// Where `path` leads from here.
    pub(crate) fn leads(&self, path: &str, around: Around<'_>) -> Leads {
        let outside = || Leads::Outside(path.to_owned());
        if path.starts_with('~') || path.contains("://") {
            return outside();
        }
        let given = Path::new(path);
        let from_here = match &self.0 {
            Some(folder) => folder.join(given),
            None if given.is_absolute() => given.to_owned(),
            None => return Leads::Unknown,
        };
        let inside = match from_here.is_absolute() {
            false => Some(from_here.as_path()),
            true => around
                .workspace
                .and_then(|top| from_here.strip_prefix(top).ok()),
        };
        if let Some(inside) = inside {
            return straight(inside).map_or_else(outside, Leads::Inside);
        }
        // Of `/tmp/x/../../etc` only what is left of it counts.
        let rest = from_here.strip_prefix("/").ok().and_then(straight);
        match (rest.map(|rest| Path::new("/").join(rest)), around.temp) {
            (Some(straight), Some(temp)) if temp.has(&straight) => Leads::Temp(straight),
            _ => outside(),
        }
    }
}

fn is_top(temp: &Temp, path: &str) -> bool {
    temp.folders.iter().any(|folder| folder == Path::new(path))
}

/// A relative path without its detours; `None` if they lead out of where it begins.
fn straight(path: &Path) -> Option<PathBuf> {
    let mut folder = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => folder.push(name),
            Component::ParentDir if !folder.pop() => return None,
            _ => {}
        }
    }
    Some(folder)
}
