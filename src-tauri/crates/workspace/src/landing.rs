//! Landing a run's work in the user's repository, as a new branch.
//!
//! The commit is built in the run's store, packed, unpacked into the user's
//! object store, and one ref is created. HEAD, index, files, hooks and remotes
//! of the user are not touched.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::apply::{AppliedPath, ApplyError, PathOutcome, shown};
use crate::clone::is_lfs_pointer;
use crate::git::{Call, Git, first_line, zero_separated};
use crate::planning::Selection;
use crate::repository::verified;
use crate::snapshot::{SnapshotError, dated};
use crate::workspace::Workspace;

/// What to land, and how it is called.
#[derive(Debug, Clone, Copy)]
pub struct ApplyBranch<'a> {
    /// The snapshot whose changes since the start of the run are landed.
    pub snapshot: &'a str,
    /// The name of the new branch, without `refs/heads/`.
    pub branch: &'a str,
    /// The commit message.
    pub message: &'a str,
    /// The commit's date, seconds since 1970.
    pub at: i64,
    /// Only these files and folders, relative to the project; all when empty.
    pub paths: &'a [PathBuf],
}

/// A branch that has the run's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Its name.
    pub branch: String,
    /// The commit it is at.
    pub commit: String,
    /// Changed paths inside submodules, which a branch cannot carry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<PathBuf>,
    /// Each path of the run's work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<AppliedPath>,
}

impl Workspace {
    /// Creates a branch in the user's repository: one commit on top of the
    /// commit the run started from, with what changed from the start of the run
    /// to the snapshot. Line ends and encodings are stored as the repository's
    /// `.gitattributes` ask. Done again with the same snapshot, it is the same
    /// branch.
    pub async fn apply_branch(&self, what: ApplyBranch<'_>) -> Result<Applied, ApplyError> {
        let marker = &self.inner().marker;
        let base = marker
            .base_commit
            .clone()
            .ok_or(ApplyError::NotGit(marker.mode))?;
        let top = self.users_top(&base).await?;
        let landing = Landing {
            workspace: self,
            git: &self.inner().git,
            what,
            base,
            top,
        };
        landing.check_name().await?;
        let scratch = tempfile::Builder::new()
            .prefix("apply-")
            .tempdir_in(&self.inner().run_dir)
            .map_err(|e| SnapshotError::io(&self.inner().run_dir, e))?;
        let (tree, changes) = landing.tree(scratch.path()).await?;
        landing.refuse_filtered(scratch.path(), &changes).await?;
        let commit = match landing.existing(&tree).await? {
            Some(commit) => commit,
            None => landing.land(scratch.path(), &tree).await?,
        };
        Ok(Applied {
            branch: what.branch.to_owned(),
            commit,
            paths: changes.outcomes(),
            left_out: changes.left_out,
        })
    }
}

impl Workspace {
    /// The top of the user's work tree, if it still has the commit `base`.
    /// `index-pack` looks for objects in the wrong place anywhere else (git 2.47).
    pub(crate) async fn users_top(&self, base: &str) -> Result<PathBuf, ApplyError> {
        let (git, project) = (&self.inner().git, self.project());
        let gone = || ApplyError::BaseGone {
            project: project.to_owned(),
            commit: base.to_owned(),
        };
        if !project.is_dir() {
            return Err(gone());
        }
        let answer = git
            .ask(Call::new(project, "rev-parse").arg("--show-toplevel"))
            .await?;
        if answer.code != 0 {
            return Err(gone());
        }
        let top = PathBuf::from(first_line(&answer.stdout));
        let commit = verified(git, &top, &format!("{base}^{{commit}}")).await?;
        commit.map(|_| top).ok_or_else(gone)
    }
}

pub(crate) struct Landing<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) git: &'a Git,
    pub(crate) what: ApplyBranch<'a>,
    pub(crate) base: String,
    pub(crate) top: PathBuf,
}

impl Landing<'_> {
    fn full_name(&self) -> String {
        format!("refs/heads/{}", self.what.branch)
    }

    async fn check_name(&self) -> Result<(), ApplyError> {
        let call = Call::new(&self.workspace.inner().run_dir, "check-ref-format");
        let answer = self.git.ask(call.arg(self.full_name())).await?;
        if answer.code != 0 || self.what.branch.starts_with('-') || self.what.branch == "HEAD" {
            return Err(ApplyError::BadName(self.what.branch.to_owned()));
        }
        Ok(())
    }

    /// The commit the branch is at, if it is what would be landed.
    async fn existing(&self, tree: &str) -> Result<Option<String>, ApplyError> {
        let name = format!("{}^{{commit}}", self.full_name());
        let Some(commit) = verified(self.git, &self.top, &name).await? else {
            return Ok(None);
        };
        let read = |what: String| async move { verified(self.git, &self.top, &what).await };
        let same_tree = read(format!("{commit}^{{tree}}")).await?.as_deref() == Some(tree);
        let same_base = read(format!("{commit}^1")).await?.as_ref() == Some(&self.base);
        let merge = read(format!("{commit}^2")).await?.is_some();
        if same_tree && same_base && !merge {
            return Ok(Some(commit));
        }
        Err(ApplyError::Occupied(self.what.branch.to_owned()))
    }

    /// The base commit's tree with the run's changes. Files are written out as
    /// they are and added with the repository's attributes in force, which the
    /// snapshots themselves ignore.
    pub(crate) async fn tree(&self, scratch: &Path) -> Result<(String, Landed), ApplyError> {
        let changes = self.changes().await?;
        let files = scratch.join("files");
        std::fs::create_dir(&files).map_err(|e| SnapshotError::io(&files, e))?;
        let store = &self.workspace.inner().store;
        let raw = |command| {
            Call::new(&files, command)
                .env("GIT_DIR", &store.dir)
                .env("GIT_WORK_TREE", &files)
                .env("GIT_INDEX_FILE", scratch.join("raw.index"))
                .long()
        };
        self.git
            .run(raw("read-tree").arg(self.what.snapshot))
            .await?;
        let write_out = raw("checkout-index").args(["-f", "-z", "--stdin"]);
        self.git
            .run(write_out.input(listed(&changes.there)))
            .await?;

        let plain = scratch.join("apply.git");
        let init = Call::new(scratch, "init")
            .args(["--quiet", "--bare", "--template="])
            .arg(format!(
                "--object-format={}",
                self.workspace.inner().marker.object_format
            ))
            .arg(&plain);
        self.git.run(init).await?;
        let landing = |command| {
            Call::new(&files, command)
                .env("GIT_DIR", &plain)
                .env("GIT_WORK_TREE", &files)
                .env("GIT_OBJECT_DIRECTORY", store.dir.join("objects"))
                .env("GIT_INDEX_FILE", scratch.join("landing.index"))
                .long()
        };
        self.git.run(landing("read-tree").arg(&self.base)).await?;
        let remove = landing("update-index").args(["--force-remove", "-z", "--stdin"]);
        self.git.run(remove.input(listed(&changes.gone))).await?;
        let add = landing("update-index").args(["--add", "--replace", "-z", "--stdin"]);
        self.git.run(add.input(listed(&changes.there))).await?;
        let tree = self.git.line(landing("write-tree")).await?;
        Ok((tree, changes))
    }

    /// What a filter of the user's is to put into the repository in another form cannot be
    /// put there as it is: encrypted files would be there in the clear, large ones whole. A
    /// pointer of git LFS is what its filter makes.
    async fn refuse_filtered(&self, scratch: &Path, changes: &Landed) -> Result<(), ApplyError> {
        let ask = Call::new(&self.top, "check-attr").args(["-z", "--stdin", "filter"]);
        let out = self
            .git
            .run(ask.input(listed(&changes.there)).long())
            .await?;
        let mut fields = out.split(|b| *b == 0);
        while let (Some(path), Some(_), Some(filter)) =
            (fields.next(), fields.next(), fields.next())
        {
            let file = scratch.join("files").join(OsStr::from_bytes(path));
            let none = matches!(filter, b"unspecified" | b"unset");
            if none || (filter == b"lfs" && is_lfs_pointer(&file)) {
                continue;
            }
            let filter = String::from_utf8_lossy(filter);
            return Err(ApplyError::Unsupported {
                path: shown(path),
                reason: format!("goes through the git filter \"{filter}\", which is not run"),
            });
        }
        Ok(())
    }

    async fn changes(&self) -> Result<Landed, ApplyError> {
        let store = &self.workspace.inner().store;
        let (from, to) = (
            store.tree(self.workspace.base_snapshot()).await?,
            store.tree(self.what.snapshot).await?,
        );
        let list = store.call("ls-tree").args(["-r", "-z", &self.base]).long();
        let list = self.git.run(list).await?;
        let submodules: HashSet<&[u8]> = zero_separated(&list)
            .filter(|entry| entry.starts_with(b"160000 "))
            .filter_map(|entry| entry.splitn(2, |b| *b == b'\t').nth(1))
            .collect();
        let diff = store
            .call("diff-tree")
            .args(["-r", "-z", "--no-renames", "--name-status"]);
        let diff = self.git.run(diff.args([&from, &to]).long()).await?;
        let mut changes = Landed::default();
        let names = zero_separated(&diff).skip(1).step_by(2);
        let prefix = &self.workspace.inner().marker.prefix;
        let wanted = Selection::new(prefix, self.what.paths, names)?;
        let mut parts = zero_separated(&diff);
        while let (Some(status), Some(path)) = (parts.next(), parts.next()) {
            if !wanted.has(path) {
                continue;
            }
            if within(path, &submodules) {
                changes
                    .left_out
                    .push(PathBuf::from(OsStr::from_bytes(path)));
            } else if status == b"D" {
                changes.gone.push(path.to_vec());
            } else {
                changes.there.push(path.to_vec());
            }
        }
        Ok(changes)
    }

    async fn land(&self, scratch: &Path, tree: &str) -> Result<String, ApplyError> {
        let store = &self.workspace.inner().store;
        let date = format!("@{} +0000", self.what.at);
        let commit = dated(store.call("commit-tree"), &date)
            .args([tree, "-p", &self.base])
            .input(self.what.message.as_bytes().to_vec());
        let commit = self.git.line(commit).await?;
        let pack = store
            .call("pack-objects")
            .args(["--quiet", "--revs"])
            .arg(scratch.join("landing"))
            .input(format!("{commit}\n^{}\n", self.base).into_bytes())
            .long();
        let name = self.git.line(pack).await?;
        let path = scratch.join(format!("landing-{name}.pack"));
        let file = std::fs::File::open(&path).map_err(|e| SnapshotError::io(&path, e))?;
        let unpack = Call::new(&self.top, "index-pack").args(["--stdin", "--strict"]);
        self.git.run(unpack.input_file(file).long()).await?;
        self.create_branch(&commit, tree).await
    }

    async fn create_branch(&self, commit: &str, tree: &str) -> Result<String, ApplyError> {
        let never = "0".repeat(commit.len());
        let create = Call::new(&self.top, "update-ref")
            .arg("-m")
            .arg(format!("longhaul: run {}", self.workspace.run()))
            .args([&self.full_name(), commit, &never]);
        let answer = self.git.ask(create).await?;
        if answer.code == 0 {
            return Ok(commit.to_owned());
        }
        // Somebody may have created it since it was looked for.
        let refused = || ApplyError::Refused {
            branch: self.what.branch.to_owned(),
            reason: answer.stderr,
        };
        self.existing(tree).await?.ok_or_else(refused)
    }
}

/// The paths a landing is about.
#[derive(Default)]
pub(crate) struct Landed {
    gone: Vec<Vec<u8>>,
    there: Vec<Vec<u8>>,
    pub(crate) left_out: Vec<PathBuf>,
}

impl Landed {
    fn outcomes(&self) -> Vec<AppliedPath> {
        let all = |paths: &[Vec<u8>], what| {
            let path = |path: &Vec<u8>| AppliedPath {
                path: shown(path),
                what,
            };
            paths.iter().map(path).collect::<Vec<_>>()
        };
        let mut done = all(&self.gone, PathOutcome::Deleted);
        done.extend(all(&self.there, PathOutcome::Written));
        done.extend(self.left_out.iter().map(|path| AppliedPath {
            path: path.display().to_string(),
            what: PathOutcome::LeftOut,
        }));
        done.sort_by(|a, b| a.path.cmp(&b.path));
        done
    }
}

fn within(path: &[u8], folders: &HashSet<&[u8]>) -> bool {
    let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/');
    slashes
        .map(|(at, _)| &path[..at])
        .chain([path])
        .any(|part| folders.contains(part))
}

fn listed(paths: &[Vec<u8>]) -> Vec<u8> {
    paths
        .iter()
        .flat_map(|path| path.iter().copied().chain([0]))
        .collect()
}
