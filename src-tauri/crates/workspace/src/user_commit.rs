//! A commit on the branch the user is on, and the index that goes with it.
//!
//! The user's git is kept out by its own means: the index is replaced under
//! `index.lock`, the branch moves only from the commit that was seen.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::apply::ApplyError;
use crate::carry_plan::CommitStep;
use crate::git::{Call, Git, first_line, zero_separated};
use crate::repository::{Found, Repository, verified};
use crate::sides::{Kind, Name, Side};
use crate::snapshot::SnapshotError;

/// A git the user started holds the index no longer than this while it works.
const PATIENCE: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(30);

/// What git is in the middle of, by what it leaves in its folder.
const UNFINISHED: [(&str, &str); 6] = [
    ("MERGE_HEAD", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase or `git am`"),
    ("BISECT_LOG", "a bisection"),
];

/// Where a commit goes.
pub(crate) struct UsersBranch {
    pub(crate) repo: Repository,
    /// In full, `refs/heads/…`.
    pub(crate) name: String,
    pub(crate) head: String,
}

/// The branch the user is on, if a commit can be put there now.
pub(crate) async fn users_branch(git: &Git, project: &Path) -> Result<UsersBranch, ApplyError> {
    let refused = |why: &str| ApplyError::NotNow(why.to_owned());
    let Found::Repository(repo) = Repository::find(git, project).await? else {
        return Err(refused("the project is not a git repository with files"));
    };
    for (name, what) in UNFINISHED {
        if repo.git_dir.join(name).symlink_metadata().is_ok() {
            return Err(ApplyError::NotNow(format!(
                "{what} is not finished in {}; finish or abort it",
                repo.top.display()
            )));
        }
    }
    let Some(name) = branch_at_head(git, &repo.top).await? else {
        return Err(refused(
            "HEAD is detached: no branch is checked out; check one out, or apply as a branch",
        ));
    };
    let Some(head) = repo.head.clone() else {
        return Err(refused("the branch has no commit yet; apply as changes"));
    };
    Ok(UsersBranch {
        repo: *repo,
        name,
        head,
    })
}

async fn branch_at_head(git: &Git, top: &Path) -> Result<Option<String>, ApplyError> {
    let answer = git
        .ask(Call::new(top, "symbolic-ref").args(["--quiet", "HEAD"]))
        .await?;
    let name = first_line(&answer.stdout);
    Ok((answer.code == 0 && name.starts_with("refs/heads/")).then_some(name))
}

/// Waits until no git of the user's works on the index.
pub(crate) async fn await_users_git(git_dir: &Path) -> Result<(), ApplyError> {
    let lock = git_dir.join("index.lock");
    let mut waited = Duration::ZERO;
    while lock.symlink_metadata().is_ok() {
        if waited >= PATIENCE {
            return Err(busy(&lock));
        }
        tokio::time::sleep(STEP).await;
        waited += STEP;
    }
    Ok(())
}

fn busy(lock: &Path) -> ApplyError {
    ApplyError::NotNow(format!(
        "git is at work in the project ({} exists); try again, and if no git runs, remove that file",
        lock.display()
    ))
}

/// How the step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// The branch does not have the commit.
    Before,
    /// The branch is at the commit, or has gone on from it.
    After,
}

impl CommitStep {
    pub(crate) async fn reached(&self, git: &Git) -> Result<Reached, ApplyError> {
        let Some(now) = verified(git, &self.top, &format!("{}^{{commit}}", self.branch)).await?
        else {
            return Ok(Reached::Before);
        };
        if now == self.old {
            return Ok(Reached::Before);
        }
        let ask = Call::new(&self.top, "merge-base").args(["--is-ancestor", &self.new, &now]);
        let answer = git.ask(ask).await?;
        Ok(if answer.code == 0 {
            Reached::After
        } else {
            Reached::Before
        })
    }

    /// Moves the branch and replaces the index, both under the index' lock.
    pub(crate) async fn carry_out(&self, git: &Git, run: &str) -> Result<(), ApplyError> {
        let lock = IndexLock::take(&self.git_dir, run).await?;
        let moved = match self.reached(git).await? {
            Reached::After => Ok(()),
            Reached::Before => self.move_branch(git, run).await,
        };
        if let Err(error) = moved {
            lock.release();
            return Err(error);
        }
        faults::crash_point("workspace.apply_branch_moved");
        let renewed = self.renew_index(git, &lock).await;
        if let Err(error) = renewed {
            lock.release();
            return Err(error);
        }
        lock.replace()
    }

    async fn move_branch(&self, git: &Git, run: &str) -> Result<(), ApplyError> {
        // Under the lock, no git checks out another one.
        if branch_at_head(git, &self.top).await?.as_ref() != Some(&self.branch) {
            return Err(ApplyError::Moved(
                "another branch was checked out meanwhile".to_owned(),
            ));
        }
        let update = Call::new(&self.top, "update-ref")
            .arg("-m")
            .arg(format!("longhaul: run {run} applied"))
            .args(["HEAD", &self.new, &self.old]);
        let answer = git.ask(update).await?;
        if answer.code == 0 {
            return Ok(());
        }
        Err(ApplyError::Moved(answer.stderr))
    }

    /// The index as it is, with the commit's entries where the user staged nothing.
    async fn renew_index(&self, git: &Git, lock: &IndexLock) -> Result<(), ApplyError> {
        let now = staged(
            git,
            &self.top,
            &lock.own,
            self.index.iter().map(|step| &step.path),
        )
        .await?;
        let mut info = Vec::new();
        for step in &self.index {
            let staged = now.get(&step.path).cloned().unwrap_or(Staged::Nothing);
            let as_before = match (&staged, &step.before) {
                (Staged::Nothing, None) => true,
                (Staged::File(side), Some(before)) => side == before,
                _ => false,
            };
            if as_before {
                info.extend_from_slice(&index_info(
                    &step.path,
                    step.after.as_ref(),
                    self.new.len(),
                ));
            }
        }
        let update = Call::new(&self.top, "update-index")
            .env("GIT_INDEX_FILE", &lock.own)
            .args(["-z", "--index-info"])
            .input(info)
            .long();
        git.run(update).await?;
        Ok(())
    }
}

/// A line of `update-index -z --index-info`: an entry, or its removal.
pub(crate) fn index_info(path: &[u8], side: Option<&Side>, digits: usize) -> Vec<u8> {
    let facts = match side {
        Some(side) => format!("{} {} 0\t", side.kind.mode(), side.oid),
        None => format!("0 {} 0\t", "0".repeat(digits)),
    };
    [facts.as_bytes(), path, b"\0"].concat()
}

/// What the index has of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Staged {
    Nothing,
    File(Side),
    /// Not merged, a submodule, or left out by a sparse checkout.
    Other,
    Sparse,
}

/// What an index has of these paths.
pub(crate) async fn staged<'a>(
    git: &Git,
    top: &Path,
    index: &Path,
    paths: impl Iterator<Item = &'a Name>,
) -> Result<std::collections::HashMap<Name, Staged>, ApplyError> {
    let wanted: std::collections::HashSet<&Name> = paths.collect();
    let list = Call::new(top, "ls-files")
        .env("GIT_INDEX_FILE", index)
        .args(["--cached", "--stage", "-t", "-z"])
        .long();
    let out = git.run(list).await?;
    let mut found = std::collections::HashMap::new();
    for entry in zero_separated(&out) {
        let Some(tab) = entry.iter().position(|b| *b == b'\t') else {
            continue;
        };
        let path = entry[tab + 1..].to_vec();
        if !wanted.contains(&path) {
            continue;
        }
        let fields: Vec<&[u8]> = entry[..tab].split(|b| *b == b' ').collect();
        let what = match fields[..] {
            [b"S", ..] => Staged::Sparse,
            [_, mode, oid, b"0"] => match Kind::of_mode(mode) {
                Some(kind) => {
                    let oid = String::from_utf8_lossy(oid).into_owned();
                    Staged::File(Side { kind, oid })
                }
                None => Staged::Other,
            },
            _ => Staged::Other,
        };
        found.insert(path, what);
    }
    Ok(found)
}

/// The user's `index.lock`, held by a hard link to a file of our own, so that
/// one that a crash left behind is known to be ours.
struct IndexLock {
    /// What the lock is a link to.
    mark: PathBuf,
    /// The index that is to be.
    own: PathBuf,
    lock: PathBuf,
    index: PathBuf,
}

impl IndexLock {
    async fn take(git_dir: &Path, run: &str) -> Result<IndexLock, ApplyError> {
        let lock = IndexLock {
            mark: git_dir.join(format!("longhaul-lock-{run}")),
            own: git_dir.join(format!("longhaul-index-{run}")),
            lock: git_dir.join("index.lock"),
            index: git_dir.join("index"),
        };
        lock.release();
        let mut waited = Duration::ZERO;
        loop {
            await_users_git(git_dir).await?;
            if lock
                .try_take()
                .map_err(|error| SnapshotError::io(&lock.lock, error))?
            {
                return Ok(lock);
            }
            if waited >= PATIENCE {
                return Err(busy(&lock.lock));
            }
            tokio::time::sleep(STEP).await;
            waited += STEP;
        }
    }

    /// Takes the lock and a copy of the index, which nobody changes from then on.
    fn try_take(&self) -> std::io::Result<bool> {
        std::fs::File::create(&self.mark)?;
        match std::fs::hard_link(&self.mark, &self.lock) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(error),
        }
        faults::crash_point("workspace.apply_index_locked");
        match std::fs::copy(&self.index, &self.own) {
            Ok(_) => Ok(true),
            Err(error) => {
                self.release();
                Err(error)
            }
        }
    }

    fn replace(&self) -> Result<(), ApplyError> {
        let done = || {
            std::fs::File::open(&self.own)?.sync_all()?;
            std::fs::rename(&self.own, &self.index)
        };
        let replaced = done().map_err(|error| SnapshotError::io(&self.index, error).into());
        faults::crash_point("workspace.apply_index_replaced");
        self.release();
        replaced
    }

    /// Lets go of the lock, also of one that an earlier try left.
    fn release(&self) {
        let _ = std::fs::remove_file(&self.own);
        let _ = std::fs::remove_file(self.own.with_extension("lock"));
        if is_same(&self.mark, &self.lock) {
            let _ = std::fs::remove_file(&self.lock);
        }
        let _ = std::fs::remove_file(&self.mark);
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let facts = |path: &Path| std::fs::symlink_metadata(path).map(|m| (m.dev(), m.ino()));
    matches!((facts(one), facts(other)), (Ok(a), Ok(b)) if a == b)
}
