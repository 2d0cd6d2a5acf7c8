//! What one run's commands see.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::{Access, Mount, Network, list};
use crate::marker::Mode;
use crate::workspace::Workspace;

/// What is the same for all runs: the machine, and the user's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// What commands get of the environment; `HOME`, `PATH` and the folders of
    /// toolchains are looked up in it.
    pub env: BTreeMap<String, String>,
    /// Longhaul's home and its folders for sockets: hidden.
    pub own: Vec<PathBuf>,
    /// Caches besides those known, writable. A name that is not absolute is one below
    /// the home.
    pub caches: Vec<PathBuf>,
    /// Folders and files that may be written besides, by the user's wish.
    pub writable: Vec<PathBuf>,
    /// Whether commands can talk to others.
    pub network: Network,
}

/// What a command sees, and what it may write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boundary {
    /// In the order in which they are made: a folder before what is in it.
    pub(super) mounts: Vec<Mount>,
    pub(super) network: Network,
    /// The home as the environment names it, and where it really is.
    home: Option<(PathBuf, PathBuf)>,
    /// What is never let out.
    own: Vec<PathBuf>,
}

impl Boundary {
    /// Only what every boundary has, for trying whether one can be drawn.
    pub(super) fn smallest(temp: &Path) -> Boundary {
        let mut boundary = Boundary::default();
        boundary.temp(temp);
        boundary.run_folder();
        boundary
    }

    /// The boundary of a workspace. Looks at the disk.
    pub fn of(workspace: &Workspace, around: &Surroundings) -> std::io::Result<Boundary> {
        let mut boundary = Boundary::smallest(&workspace.temp_folder()?);
        boundary.network = around.network;
        boundary.own = around.own.iter().filter_map(|own| real(own)).collect();
        boundary.homes(&around.env);
        for (variable, below) in list::BY_VARIABLE {
            if let Some(folder) = around.env.get(*variable) {
                boundary.named_folder(Path::new(folder), below);
            }
        }
        let path = around.env.get("PATH");
        for folder in path.into_iter().flat_map(std::env::split_paths) {
            boundary.reveal(&folder);
        }
        for wanted in around.caches.iter().chain(&around.writable) {
            boundary.allow(wanted);
        }
        for own in boundary.own.clone() {
            // Elsewhere it is out of sight already.
            if boundary.shows(&own, &own) {
                boundary.put(own.clone(), own, Access::Empty);
            }
        }
        boundary.workspace(workspace);
        boundary.in_order();
        Ok(boundary)
    }

    /// Lets this be written too; a name that is not absolute is one below the home.
    /// What is Longhaul's own is not let out.
    pub fn allow(&mut self, path: &Path) {
        let path = match &self.home {
            Some((_, home)) => home.join(path),
            None => path.to_owned(),
        };
        let Some(real) = real(&path).filter(|real| !self.is_own(real)) else {
            return;
        };
        let at = self.seen_at(&path);
        if at != real && !self.shows(&at, &real) {
            self.put(real.clone(), at, Access::Write);
        }
        self.put(real.clone(), real, Access::Write);
        self.in_order();
    }

    /// Lets this be read if it is below something hidden: a program outside the known
    /// folders, and where it really is.
    pub fn reveal(&mut self, path: &Path) {
        let Some(real) = real(path).filter(|real| !self.is_own(real)) else {
            return;
        };
        for at in [self.seen_at(path), real.clone()] {
            let is_a_home = self
                .home
                .as_ref()
                .is_some_and(|(_, home)| home.starts_with(&at));
            if !is_a_home && !self.shows(&at, &real) {
                self.put(real.clone(), at, Access::Read);
            }
        }
        self.in_order();
    }

    /// Keeps this as it is, in something that may be written otherwise.
    pub fn protect(&mut self, path: &Path) {
        if let Some(real) = real(path) {
            let at = self.seen_at(path);
            if at != real && self.is_made_below(&at) {
                self.put(real.clone(), at, Access::Read);
            }
            self.put(real.clone(), real, Access::Read);
            self.in_order();
        }
    }

    /// Shows the file `from` at `at`, to be written.
    pub fn put_at(&mut self, from: &Path, at: &Path) {
        if let Some(from) = real(from) {
            let at = self.seen_at(at);
            self.put(from, at, Access::Write);
            self.in_order();
        }
    }

    /// Whether a mount covers it, so that it is not what is there outside.
    fn is_made_below(&self, at: &Path) -> bool {
        self.mounts.iter().any(|mount| at.starts_with(&mount.at))
    }

    /// Whether what is really at `real` is seen at `at`.
    fn shows(&self, at: &Path, real: &Path) -> bool {
        let covering = self.mounts.iter().filter(|mount| at.starts_with(&mount.at));
        let Some(mount) = covering.max_by_key(|mount| mount.at.components().count()) else {
            return true;
        };
        let rest = at.strip_prefix(&mount.at).unwrap_or(Path::new(""));
        matches!(mount.access, Access::Read | Access::Write)
            && mount
                .from
                .components()
                .chain(rest.components())
                .eq(real.components())
    }

    /// Where a path is seen inside. The empty home has no links in it; elsewhere those on
    /// the way are there as outside.
    fn seen_at(&self, path: &Path) -> PathBuf {
        if let Some((named, home)) = &self.home
            && let Ok(rest) = path
                .strip_prefix(named)
                .or_else(|_| path.strip_prefix(home))
            && rest.components().all(|c| matches!(c, Component::Normal(_)))
        {
            return home.join(rest);
        }
        real(path).unwrap_or_else(|| path.to_owned())
    }

    fn is_own(&self, real: &Path) -> bool {
        self.own.iter().any(|own| real.starts_with(own))
    }

    fn temp(&mut self, temp: &Path) {
        // One folder for both: what is left in it is there for the next command.
        self.put(temp.to_owned(), "/tmp".into(), Access::Write);
        if Path::new("/var/tmp").is_dir() {
            self.put(temp.to_owned(), "/var/tmp".into(), Access::Write);
        }
    }

    fn run_folder(&mut self) {
        // The second is a link to the first on most systems.
        let folders = ["/run", "/var/run"].map(|name| real(Path::new(name)));
        for sockets in folders.into_iter().flatten() {
            self.put(sockets.clone(), sockets, Access::Empty);
        }
        for kept in list::OF_RUN {
            if let Some(from) = real(Path::new(kept)) {
                self.put(from, kept.into(), Access::Read);
            }
        }
    }

    /// The homes of the user: as the system says, and as the environment says. Neither is
    /// hidden where it is the root of everything, as for some users in containers.
    fn homes(&mut self, env: &BTreeMap<String, String>) {
        for named in homes(env) {
            let Some(home) = real(&named) else { continue };
            if !home.is_dir() || home.components().count() < 2 {
                continue;
            }
            self.put(home.clone(), home.clone(), Access::Empty);
            for (name, access) in list::OF_HOME {
                let at = home.join(name);
                if let Some(from) = real(&at) {
                    self.put(from, at, *access);
                }
            }
            for name in list::SETTINGS {
                let at = home.join(name);
                if let Some(from) = real(&at).filter(|from| holds_no_secret(from)) {
                    self.put(from, at, Access::Read);
                }
            }
            self.home = Some((named, home));
        }
    }

    fn named_folder(&mut self, folder: &Path, below: &[(&str, Access)]) {
        for (name, access) in below {
            let at = match *name {
                "" => folder.to_owned(),
                name => folder.join(name),
            };
            match (access, real(&at)) {
                (_, None) => {}
                (Access::Read, Some(_)) => self.reveal(&at),
                (Access::Write, Some(_)) => self.allow(&at),
                (Access::Nothing | Access::Empty, Some(real)) => {
                    if self.shows(&real, &real) {
                        self.put(real.clone(), real, *access);
                    }
                }
            }
        }
    }

    fn workspace(&mut self, workspace: &Workspace) {
        let inner = workspace.inner();
        match workspace.mode() {
            Mode::Clone | Mode::Copy => {
                self.put_same(workspace.root(), Access::Write);
                // A clone borrows its objects from there.
                let lent = inner.run_dir.join("snap.git/objects");
                if lent.is_dir() {
                    self.put_same(&lent, Access::Read);
                }
            }
            Mode::InPlace => {
                self.put_same(workspace.path(), Access::Write);
                self.guard_git(&workspace.path().join(".git"));
            }
        }
    }

    /// What git runs of itself stays as the user left it, and `.git` stays where it is:
    /// moved away, another could be put in its place.
    fn guard_git(&mut self, git: &Path) {
        let Ok(about) = git.symlink_metadata() else {
            return;
        };
        if !about.is_dir() {
            self.put_same(git, Access::Read);
            return;
        }
        self.put_same(git, Access::Write);
        let hooks = git.join("hooks");
        // Otherwise one with a hook in it could be made.
        let _ = std::fs::create_dir(&hooks);
        for (name, contents) in list::OF_GIT_MADE {
            // Whole from the first moment: the user's git may read it in the next.
            let file = git.join(name);
            if file.symlink_metadata().is_err() {
                let written = tempfile::NamedTempFile::new_in(git).and_then(|mut new| {
                    std::io::Write::write_all(&mut new, contents.as_bytes())?;
                    Ok(new.persist_noclobber(&file)?)
                });
                if let Err(error) = written {
                    tracing::warn!(%error, file = %file.display(), "not kept from a command");
                }
            }
            self.put_same(&file, Access::Read);
        }
        for kept in list::OF_GIT {
            let kept = git.join(kept);
            if kept.exists() {
                self.put_same(&kept, Access::Read);
            }
        }
    }

    fn put_same(&mut self, path: &Path, access: Access) {
        self.put(path.to_owned(), path.to_owned(), access);
    }

    fn put(&mut self, from: PathBuf, at: PathBuf, access: Access) {
        if from.to_str().is_some() && at.to_str().is_some() {
            // What is said last of a path counts.
            self.mounts.retain(|mount| mount.at != at);
            self.mounts.push(Mount { from, at, access });
        }
    }

    fn in_order(&mut self) {
        self.mounts
            .sort_by_key(|mount| mount.at.components().count());
    }
}

/// Takes away again what was put into a project's `.git` to keep commands from making it.
/// Nothing of it changes what git does.
pub fn unguard_git(project: &Path) -> std::io::Result<()> {
    for (name, contents) in list::OF_GIT_MADE {
        let file = project.join(".git").join(name);
        let is_file = file.symlink_metadata().is_ok_and(|about| about.is_file());
        if is_file && std::fs::read(&file)? == contents.as_bytes() {
            std::fs::remove_file(&file)?;
        }
    }
    Ok(())
}

/// From passwd(5).
/// The homes of the user, as the system and as the environment names them.
pub fn homes(env: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let named = env.get("HOME").map(PathBuf::from);
    [home_on_record(), named].into_iter().flatten().collect()
}

fn home_on_record() -> Option<PathBuf> {
    let own = rustix::process::getuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2) == Some(&own.as_str())).then(|| fields.get(5).map(PathBuf::from))?
    })
}

/// Where the path really is; None if there is nothing.
fn real(path: &Path) -> Option<PathBuf> {
    path.is_absolute().then(|| path.canonicalize().ok())?
}

fn holds_no_secret(file: &Path) -> bool {
    std::fs::read_to_string(file).is_ok_and(|text| {
        let text = text.to_lowercase();
        !list::SECRET_WORDS.iter().any(|word| text.contains(word))
    })
}
