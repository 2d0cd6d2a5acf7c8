//! The git store that snapshots are kept in, and bringing its index up to what
//! the files are now.
//!
//! The store has its own object folder, index and configuration; the
//! workspace's `.git` (if any) is neither read nor written. File contents are
//! stored byte for byte: `info/attributes` switches every conversion off, so
//! that a restore gives back exactly what was there.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::blocking::blocking;
use crate::bring;
use crate::copy::unignored;
use crate::git::{Call, Git, GitError, zero_separated};
use crate::snapshot::SnapshotError;
use crate::upkeep::Upkeep;

/// Temporary files of [`crate::Workspace::perform`]; never part of a snapshot.
pub(crate) const TEMP_PREFIX: &str = ".longhaul-tmp-";

/// Nothing is converted on the way in or out; highest precedence of all attributes.
const RAW: &str = "* -text -eol -ident -filter -working-tree-encoding\n";

/// A git that was orphaned by a killed daemon may hold the index for as long.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct SnapStore {
    pub(crate) git: Arc<Git>,
    pub(crate) dir: PathBuf,
    work_tree: PathBuf,
    /// The folder of `work_tree` that snapshots are limited to; empty for all.
    scope: String,
    /// Id and tree of the newest snapshot, as far as this process knows. Held
    /// through every change of the index.
    pub(crate) newest: tokio::sync::Mutex<Option<(String, String)>>,
    pub(crate) upkeep: Upkeep,
}

/// What the index holds after the files were looked at.
pub(crate) struct Staged {
    /// The newest snapshot.
    pub(crate) head: Option<String>,
    /// The tree of the files; `None` when it is that of `head`.
    pub(crate) tree: Option<String>,
    /// Paths that could not be taken along.
    pub(crate) skipped: Vec<PathBuf>,
}

#[derive(Default)]
struct Noticed {
    head: Option<String>,
    gone: Vec<Vec<u8>>,
    there: Vec<Vec<u8>>,
    repositories: Vec<Vec<u8>>,
    already_staged: usize,
}

impl SnapStore {
    pub(crate) fn at(git: Arc<Git>, dir: PathBuf, work_tree: PathBuf, scope: String) -> SnapStore {
        SnapStore {
            git,
            dir,
            work_tree,
            scope,
            newest: tokio::sync::Mutex::new(None),
            upkeep: Upkeep::default(),
        }
    }

    /// Makes the empty store on disk. `excludes`: patterns beside `.gitignore`.
    pub(crate) async fn create(&self, format: &str, excludes: &[u8]) -> Result<(), SnapshotError> {
        let parent = self
            .dir
            .parent()
            .expect("the store is inside the run's folder");
        let init = Call::new(parent, "init")
            .args([
                "--quiet",
                "--bare",
                "--template=",
                "--initial-branch=snapshots",
            ])
            .arg(format!("--object-format={format}"))
            .arg(&self.dir);
        self.git.run(init).await?;
        let bare = Call::new(&self.dir, "config").args(["--file", "config", "core.bare", "false"]);
        self.git.run(bare).await?;
        let mut patterns = excludes.to_vec();
        patterns.extend_from_slice(format!("\n{TEMP_PREFIX}*\n").as_bytes());
        let info = self.dir.join("info");
        let write = || {
            std::fs::create_dir_all(&info)?;
            std::fs::write(info.join("exclude"), patterns)?;
            std::fs::write(info.join("attributes"), RAW)
        };
        write().map_err(|e| SnapshotError::io(&info, e))
    }

    /// The top of the files.
    pub(crate) fn work_tree(&self) -> &Path {
        &self.work_tree
    }

    /// A call that needs the store only.
    pub(crate) fn call(&self, command: &'static str) -> Call {
        Call::new(&self.dir, command).env("GIT_DIR", &self.dir)
    }

    /// A call that looks at or changes the files.
    pub(crate) fn tree_call(&self, command: &'static str) -> Call {
        Call::new(&self.work_tree, command)
            .env("GIT_DIR", &self.dir)
            .env("GIT_WORK_TREE", &self.work_tree)
            .env("GIT_OPTIONAL_LOCKS", "1")
            .long()
    }

    /// Brings the index up to the files. The caller holds `newest`.
    pub(crate) async fn stage(&self) -> Result<Staged, SnapshotError> {
        self.await_lock("index").await;
        self.stand_up()
            .map_err(|e| SnapshotError::io(&self.work_tree, e))?;
        let noticed = match self.notice().await {
            // After a power loss the index, which is not flushed, may be cut off.
            Err(GitError::Failed { stderr, .. }) => {
                tracing::warn!(%stderr, "the snapshot index is unreadable; making it anew");
                self.renew_index().await?;
                self.notice().await?
            }
            other => other?,
        };
        let mut skipped = Vec::new();
        let (gone, there) = self.settle(&noticed, &mut skipped).await;
        if gone.is_empty()
            && there.is_empty()
            && noticed.already_staged == 0
            && noticed.head.is_some()
        {
            return Ok(Staged {
                head: noticed.head,
                tree: None,
                skipped,
            });
        }
        // Removed first: a path below what is a link now cannot be looked at.
        self.update_index(&["--force-remove"], gone).await?;
        self.update_index(&["--add", "--remove", "--replace"], there)
            .await?;
        let tree = self.git.line(self.call("write-tree").long()).await?;
        Ok(Staged {
            head: noticed.head,
            tree: Some(tree),
            skipped,
        })
    }

    /// An agent that deleted all it had still has a workspace: an empty one. A
    /// project in place that is gone is not ours to make.
    fn stand_up(&self) -> std::io::Result<()> {
        let run_dir = self
            .dir
            .parent()
            .expect("the store is inside the run's folder");
        if self.work_tree.starts_with(run_dir) {
            std::fs::create_dir_all(&self.work_tree)?;
        }
        Ok(())
    }

    /// What the index knows beyond the newest snapshot can be found out again.
    async fn renew_index(&self) -> Result<(), SnapshotError> {
        let index = self.dir.join("index");
        match std::fs::remove_file(&index) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(SnapshotError::io(&index, error));
            }
            _ => {}
        }
        self.git.run(self.call("read-tree").arg("HEAD")).await?;
        Ok(())
    }

    async fn update_index(&self, how: &[&str], paths: Vec<Vec<u8>>) -> Result<(), GitError> {
        if paths.is_empty() {
            return Ok(());
        }
        let mut input = Vec::new();
        for path in paths {
            input.extend_from_slice(&path);
            input.push(0);
        }
        let call = self
            .tree_call("update-index")
            .args(how)
            .args(["-z", "--stdin"])
            .input(input);
        self.git.run(call).await.map(drop)
    }

    /// `git status` and not `git add -A`: it names a repository inside the
    /// workspace instead of recording it as one opaque entry, sees through
    /// folders swapped for links, and refreshes what it knows of the files.
    async fn notice(&self) -> Result<Noticed, GitError> {
        let mut call = self.tree_call("status").args([
            "--porcelain=v2",
            "-z",
            "--branch",
            "--no-renames",
            "--untracked-files=all",
            // Anything more would start a git inside, under a configuration an agent can write.
            "--ignore-submodules=dirty",
        ]);
        if !self.scope.is_empty() {
            call = call.args(["--", &self.scope]);
        }
        Ok(parse_status(&self.git.run(call).await?))
    }

    /// Turns what git noticed into paths to remove from and to put into the index.
    async fn settle(
        &self,
        noticed: &Noticed,
        skipped: &mut Vec<PathBuf>,
    ) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let (work_tree, mut there) = (self.work_tree.clone(), noticed.there.clone());
        let (mut gone, mut repositories) = (noticed.gone.clone(), noticed.repositories.clone());
        let store = self.dir.clone();
        let (gone, there, left) = blocking(move || {
            // A repository where a file was: git says the file is gone, or has
            // changed its type, and nothing of what is in it.
            let changed = gone.iter().chain(&there);
            let swapped: Vec<Vec<u8>> = changed
                .filter(|path| is_repository(&work_tree, path))
                .cloned()
                .collect();
            there.retain(|path| !swapped.contains(path));
            for path in swapped {
                repositories.push([&path[..], b"/"].concat());
                gone.push(path);
            }
            for repository in repositories {
                there.extend(files_of_repository(&work_tree, &repository));
            }
            // A `.gitignore` of the agent's could say that they are not ignored.
            let kept_out = bring::kept_out(&store);
            there.retain(|path| !kept_out.iter().any(|out| within(path, out)));
            let mut left = Vec::new();
            there.retain(|path| match fitness(&work_tree, path) {
                Fitness::Fit => true,
                Fitness::Special => {
                    gone.push(path.clone());
                    false
                }
                Fitness::Unfit => {
                    left.push(PathBuf::from(OsStr::from_bytes(path)));
                    false
                }
            });
            (gone, there, left)
        })
        .await;
        skipped.extend(left);
        (gone, there)
    }

    /// A lock left by a git that was killed is removed; one that still works is
    /// waited for. `name` is what is locked, relative to the store.
    pub(crate) async fn await_lock(&self, name: &str) {
        let lock = self.dir.join(format!("{name}.lock"));
        let step = Duration::from_millis(50);
        let mut waited = Duration::ZERO;
        while lock.exists() && waited < LOCK_PATIENCE {
            tokio::time::sleep(step).await;
            waited += step;
        }
        if waited >= LOCK_PATIENCE && std::fs::remove_file(&lock).is_ok() {
            tracing::warn!(lock = %lock.display(), "removed the lock of a git that was killed");
        }
    }
}

fn is_repository(work_tree: &Path, path: &[u8]) -> bool {
    let full = work_tree.join(OsStr::from_bytes(path));
    let folder = std::fs::symlink_metadata(&full).is_ok_and(|meta| meta.is_dir());
    folder && full.join(".git").symlink_metadata().is_ok()
}

/// Whether `path` is `folder` or below it.
fn within(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

enum Fitness {
    Fit,
    /// A FIFO, socket or device where a file was.
    Special,
    /// Unreadable, or a name git does not take.
    Unfit,
}

fn fitness(work_tree: &Path, path: &[u8]) -> Fitness {
    if path
        .split(|b| *b == b'/')
        .any(|part| part.eq_ignore_ascii_case(b".git"))
    {
        return Fitness::Unfit;
    }
    let full = work_tree.join(OsStr::from_bytes(path));
    let Ok(meta) = std::fs::symlink_metadata(&full) else {
        return Fitness::Fit;
    };
    let kind = meta.file_type();
    if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
        return Fitness::Special;
    }
    if kind.is_file() && rustix::fs::access(&full, rustix::fs::Access::READ_OK).is_err() {
        return Fitness::Unfit;
    }
    Fitness::Fit
}

/// The files of a repository inside the workspace, relative to the work tree.
fn files_of_repository(work_tree: &Path, repository: &[u8]) -> Vec<Vec<u8>> {
    let inner = work_tree.join(OsStr::from_bytes(repository));
    // From the top, for the `.gitignore` files on the way down to count.
    let walk = unignored(work_tree)
        .filter_entry(move |entry| {
            let path = entry.path();
            entry.file_name() != ".git" && (inner.starts_with(path) || path.starts_with(&inner))
        })
        .build();
    walk.flatten()
        .filter(|entry| {
            entry
                .file_type()
                .is_some_and(|kind| kind.is_file() || kind.is_symlink())
        })
        .filter_map(|entry| {
            let relative = entry.path().strip_prefix(work_tree).ok()?;
            let bytes = relative.as_os_str().as_bytes();
            bytes.starts_with(repository).then(|| bytes.to_vec())
        })
        .collect()
}

/// Format: git-status(1), "Porcelain Format Version 2", with `-z`.
fn parse_status(bytes: &[u8]) -> Noticed {
    let mut noticed = Noticed::default();
    for record in zero_separated(bytes) {
        match record[0] {
            b'#' => {
                let oid = record
                    .strip_prefix(b"# branch.oid ")
                    .map(String::from_utf8_lossy);
                if let Some(oid) = oid.filter(|oid| crate::repository::is_object_id(oid)) {
                    noticed.head = Some(oid.into_owned());
                }
            }
            b'1' => {
                let mut fields = record.splitn(9, |b| *b == b' ');
                let state = fields.nth(1).unwrap_or_default();
                let path = fields.nth(6).unwrap_or_default().to_vec();
                match state.get(1) {
                    Some(b'D') => noticed.gone.push(path),
                    Some(b'.') | None => {}
                    Some(_) => noticed.there.push(path),
                }
                noticed.already_staged += usize::from(state.first() != Some(&b'.'));
            }
            b'?' => {
                let path = record[2..].to_vec();
                match path.last() {
                    Some(b'/') => noticed.repositories.push(path),
                    _ => noticed.there.push(path),
                }
            }
            _ => {}
        }
    }
    noticed
}
