//! A user's project in a temporary folder, and a Longhaul home beside it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use workspace::{Mode, Workspace, Workspaces};

pub(crate) const RUN: &str = "0199aaaa-0000-7000-8000-000000000001";

pub(crate) struct Place {
    _dir: tempfile::TempDir,
    pub(crate) project: PathBuf,
    pub(crate) home: PathBuf,
    pub(crate) outside: PathBuf,
    pub(crate) workspaces: Workspaces,
}

impl Place {
    /// An empty folder as the project.
    pub(crate) fn empty() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(dir.path()).unwrap();
        let (project, home, outside) = (top.join("project"), top.join("home"), top.join("outside"));
        for folder in [&project, &outside] {
            fs::create_dir(folder).unwrap();
        }
        let workspaces = Workspaces::new(home.clone());
        Place {
            _dir: dir,
            project,
            home,
            outside,
            workspaces,
        }
    }

    /// A repository with a few files and one commit.
    pub(crate) fn repository() -> Place {
        let place = Place::empty();
        git(&place.project, &["init", "-q", "-b", "main"]);
        place.write("README.md", "# project\n");
        place.write("src/lib.rs", "fn one() {}\n");
        place.write("run.sh", "#!/bin/sh\necho run\n");
        fs::set_permissions(
            place.project.join("run.sh"),
            fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        std::os::unix::fs::symlink("README.md", place.project.join("link")).unwrap();
        place.write(".gitignore", "target/\n*.log\n");
        place.commit("first");
        place
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        write(&self.project, path, text);
    }

    pub(crate) fn commit(&self, message: &str) {
        git(&self.project, &["add", "-A"]);
        git(&self.project, &["commit", "-q", "-m", message]);
    }

    pub(crate) async fn clone(&self) -> Workspace {
        self.workspaces
            .prepare(RUN, &self.project, Mode::Clone)
            .await
            .unwrap()
    }

    pub(crate) async fn copy(&self) -> Workspace {
        self.workspaces
            .prepare(RUN, &self.project, Mode::Copy)
            .await
            .unwrap()
    }

    pub(crate) async fn in_place(&self) -> Workspace {
        self.workspaces
            .prepare(RUN, &self.project, Mode::InPlace)
            .await
            .unwrap()
    }
}

pub(crate) fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub(crate) fn read(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join(path)).unwrap()
}

/// git as a user would run it, but apart from this machine's configuration.
pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .current_dir(dir)
        .args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "A User")
        .env("GIT_AUTHOR_EMAIL", "user@example.invalid")
        .env("GIT_COMMITTER_NAME", "A User")
        .env("GIT_COMMITTER_EMAIL", "user@example.invalid")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success(),
        "git {args:?} in {}: {said}",
        dir.display()
    );
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

/// Everything below `dir`: kind, permission bits, time of change, contents. Of git
/// objects not the time: a git that is asked to write an object it has already
/// makes that one look new, and a hard link shares its time.
pub(crate) fn fingerprint(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut out = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let object = path.iter().any(|part| part == "objects") && meta.is_file();
            let time = match object {
                true => format!("{:o}", meta.mode()),
                false => format!("{:o} {}.{}", meta.mode(), meta.mtime(), meta.mtime_nsec()),
            };
            let contents = contents(&path, &meta);
            if meta.is_dir() {
                folders.push(path.clone());
            }
            out.insert(
                path.strip_prefix(dir).unwrap().to_owned(),
                format!("{time} {contents}"),
            );
        }
    }
    out
}

/// The files below `dir` that a snapshot holds: without `.git`, folders, times
/// and any permission but "executable".
pub(crate) fn files(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut out = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            if path.file_name().unwrap() == ".git" {
                continue;
            }
            if meta.is_dir() {
                folders.push(path);
                continue;
            }
            let executable = meta.is_file() && meta.mode() & 0o100 != 0;
            let text = format!("{executable} {}", contents(&path, &meta));
            out.insert(path.strip_prefix(dir).unwrap().to_owned(), text);
        }
    }
    out
}

fn contents(path: &Path, meta: &fs::Metadata) -> String {
    if meta.is_symlink() {
        return format!("link {}", fs::read_link(path).unwrap().display());
    }
    if meta.is_file() {
        return format!("file {}", blake3::hash(&fs::read(path).unwrap()));
    }
    "folder".to_owned()
}
