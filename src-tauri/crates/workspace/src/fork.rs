//! A fork: a new run's workspace that begins with a state of another run.
//!
//! All of it comes from the other run's snapshots. The user's folder is not
//! read: it may have changed since, or have lost the commit the runs start from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use crate::along::Along;
use crate::blocking::blocking;
use crate::bring::{self, Bringing, There};
use crate::clone::{BASE_REFS, Clone, own_branch, take_over_shallow};
use crate::git::{Call, Git};
use crate::marker::{ForkedFrom, Marker, Mode};
use crate::prepare::{Plan, Workspaces, checked, to_its_end, whole};
use crate::prepare_error::PrepareError;
use crate::repository::is_object_id;
use crate::snapshot::{REF, SnapshotError};
use crate::staging::SnapStore;
use crate::workspace::{Inner, Workspace, snap_store};
use crate::{objects, sparse};

impl Workspaces {
    /// The workspace of `run`, made from `snapshot` of the run `parent` if it is
    /// not there. Its base (commit, snapshot, project) is the parent's, so a diff
    /// or an apply has all changes since the user's commit. It depends on the
    /// parent for nothing afterwards, and has all the parent's snapshots.
    ///
    /// What a killed process left half-made is made again; a whole one is never
    /// touched, also when the parent is gone by then. Not in the fork: ignored
    /// files, and commits the agent made in the parent's `.git` (the files of
    /// those commits are).
    pub async fn prepare_fork(
        &self,
        run: &str,
        parent: &str,
        snapshot: &str,
    ) -> Result<Workspace, PrepareError> {
        if run == parent {
            return Err(PrepareError::BadRun(run.to_owned()));
        }
        let fork = Fork {
            git: self.git.clone(),
            root: self.root.clone(),
            along: Along {
                copy_limit: Some(self.copy_limit),
                ..Along::default()
            },
            run: checked(run)?,
            from: ForkedFrom {
                run: checked(parent)?,
                snapshot: snapshot.to_owned(),
            },
        };
        let slots = (self.slot(run), self.slot(parent));
        to_its_end(async move {
            // Always in the same order, so that two forks cannot wait for each other.
            let (mut open, from) = if fork.run < fork.from.run {
                let own = slots.0.lock_owned().await;
                (own, slots.1.lock_owned().await)
            } else {
                let from = slots.1.lock_owned().await;
                (slots.0.lock_owned().await, from)
            };
            let inner = match open.upgrade() {
                Some(inner) => fork.same_as(&inner.marker).map(|()| inner)?,
                None => Arc::new(fork.find_or_make(&from).await?),
            };
            *open = Arc::downgrade(&inner);
            Ok(Workspace::from_inner(inner))
        })
        .await
    }
}

struct Fork {
    git: Arc<Git>,
    root: PathBuf,
    along: Along,
    run: String,
    from: ForkedFrom,
}

impl Fork {
    fn same_as(&self, marker: &Marker) -> Result<(), PrepareError> {
        if marker.forked_from.as_ref() == Some(&self.from) {
            return Ok(());
        }
        Err(PrepareError::Taken {
            mode: marker.mode,
            project: marker.project.clone(),
        })
    }

    async fn find_or_make(self, parent: &Weak<Inner>) -> Result<Inner, PrepareError> {
        let run_dir = self.root.join(&self.run);
        if let Some(marker) = whole(&run_dir)? {
            self.same_as(&marker)?;
            return Ok(Inner::open(self.git, run_dir, marker));
        }
        let parent = self.parent(parent)?;
        self.check_snapshot(&parent.store).await?;
        let plan = Plan {
            git: self.git,
            root: self.root,
            run: self.run,
            run_dir,
            project: parent.marker.project.clone(),
            mode: parent.marker.mode,
            along: self.along,
        };
        plan.clear().await?;
        let marker = make(&plan, &parent, self.from).await?;
        plan.seal(marker).await
    }

    /// The run to fork. Its files may be lost, its snapshots may not.
    fn parent(&self, open: &Weak<Inner>) -> Result<Arc<Inner>, PrepareError> {
        let gone = || PrepareError::NoParent(self.from.run.clone());
        let run_dir = self.root.join(&self.from.run);
        let inner = match open.upgrade() {
            Some(inner) => inner,
            None => {
                let marker = Marker::read(&run_dir)
                    .map_err(PrepareError::io(&run_dir))?
                    .filter(|marker| !marker.is_torn())
                    .ok_or_else(gone)?;
                Arc::new(Inner::open(self.git.clone(), run_dir, marker))
            }
        };
        if inner.marker.mode == Mode::InPlace {
            let reason = "a run in place works on your own files, of which there is only one state; \
                          roll it back instead, or start a new run";
            return Err(PrepareError::unsupported(Mode::InPlace, reason));
        }
        Ok(inner)
    }

    /// Only what the run recorded: the store has the user's commits too.
    async fn check_snapshot(&self, store: &SnapStore) -> Result<(), PrepareError> {
        let id = self.from.snapshot.as_str();
        let recorded = is_object_id(id) && {
            let call = store
                .call("for-each-ref")
                .args(["--count=1", "--format=%(refname)"])
                .arg(format!("--contains={id}"))
                .args(["refs/heads", "refs/kept"]);
            let answer = self.git.ask(call).await?;
            answer.code == 0 && !answer.stdout.is_empty()
        };
        if recorded {
            return Ok(());
        }
        Err(PrepareError::NoSnapshot {
            run: self.from.run.clone(),
            snapshot: id.to_owned(),
        })
    }
}

async fn make(plan: &Plan, parent: &Inner, from: ForkedFrom) -> Result<Marker, PrepareError> {
    let old = &parent.marker;
    let dir = plan.files_dir(&old.root);
    let store = snap_store(plan.git.clone(), &plan.run_dir, &dir, plan.mode, "");
    store.create(&old.object_format, b"").await?;
    take_over_store(parent, &store).await?;
    faults::crash_point("workspace.fork_linked");
    let branch = old.branch.as_ref().map(|_| own_branch(&plan.run));
    if let (Some(branch), Some(head)) = (&branch, &old.base_commit) {
        let clone = Clone {
            git: &plan.git,
            dir: &dir,
            branch,
            head,
        };
        clone.create(&store, &old.object_format).await?;
        fill(&store, &from.snapshot).await?;
        clone.know_files(&store).await?;
    } else {
        fill(&store, &from.snapshot).await?;
    }
    let mut marker = plan.marker(dir);
    marker.prefix.clone_from(&old.prefix);
    marker.branch = branch;
    marker.base_commit.clone_from(&old.base_commit);
    marker.base_snapshot.clone_from(&old.base_snapshot);
    marker.object_format.clone_from(&old.object_format);
    marker.left_out = old.left_out.clone();
    marker.uncommitted = old.uncommitted;
    bring_again(&plan.project, &store, &mut marker, plan.limit()).await?;
    marker.forked_from = Some(from);
    Ok(marker)
}

/// What is kept out of snapshots cannot come from them: it comes from the user's
/// folder, as it is there now, if it is.
async fn bring_again(
    project: &Path,
    store: &SnapStore,
    marker: &mut Marker,
    limit: u64,
) -> Result<(), PrepareError> {
    let (store, root, prefix) = (
        store.dir.clone(),
        marker.root.clone(),
        marker.prefix.clone(),
    );
    let project = project.to_owned();
    let brought = blocking(move || {
        let bringing = Bringing {
            from: &project,
            root: &root,
            prefix: &prefix,
            there: There::Committed,
            limit,
        };
        bringing.bring_again(bring::again(&store, &prefix))
    })
    .await?;
    marker.left_out.not_brought = brought.not;
    Ok(())
}

/// Objects by links, refs and settings by copies. Snapshots the parent takes
/// meanwhile wait.
async fn take_over_store(parent: &Inner, store: &SnapStore) -> Result<(), PrepareError> {
    let _still = parent.store.newest.lock().await;
    let (old, new) = (parent.store.dir.clone(), store.dir.clone());
    let shown = store.dir.clone();
    blocking(move || {
        let kept = sparse::KEPT
            .into_iter()
            .chain(["info/exclude", BASE_REFS, bring::KEPT_OUT]);
        for file in kept {
            match std::fs::copy(old.join(file), new.join(file)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        objects::link_store(&old.join("objects"), &new.join("objects"))
    })
    .await
    .map_err(PrepareError::io(&shown))?;
    take_over_shallow(&parent.store.dir, &store.dir)?;
    let list = parent.store.call("for-each-ref").args([
        "--format=%(objectname) %(refname)",
        "refs/kept",
        "refs/heads",
    ]);
    let out = store.git.run(list).await?;
    let refs: BTreeSet<String> = String::from_utf8_lossy(&out)
        .lines()
        .filter_map(|line| line.split_once(' '))
        // Also what came after the snapshot that the fork begins with.
        .map(|(id, name)| match name {
            REF => format!("create refs/kept/{id} {id}\n"),
            name => format!("create {name} {id}\n"),
        })
        .collect();
    let refs = refs.into_iter().collect::<String>().into_bytes();
    let set = store.call("update-ref").arg("--stdin").input(refs);
    store.git.run(set).await?;
    Ok(())
}

/// Makes the still empty workspace exactly `snapshot`.
async fn fill(store: &SnapStore, snapshot: &str) -> Result<(), PrepareError> {
    let held = store.newest.lock().await;
    std::fs::create_dir_all(store.work_tree()).map_err(PrepareError::io(store.work_tree()))?;
    store.put_back(snapshot).await?;
    let wrong = store.different().await?;
    if !wrong.is_empty() {
        return Err(PrepareError::Snapshot(SnapshotError::NotRestored {
            paths: wrong,
            safety: snapshot.to_owned(),
        }));
    }
    store.point(REF, snapshot).await?;
    drop(held);
    Ok(())
}

impl Clone<'_> {
    /// Gives the clone an index of its start commit that knows the files on
    /// disk, so that the agent's first `git status` need not read them all.
    async fn know_files(&self, store: &SnapStore) -> Result<(), PrepareError> {
        self.git.run(self.call("read-tree").arg("HEAD")).await?;
        sparse::know_absent(self, store).await?;
        // Ends with 1 where files differ, which is what a fork is for.
        let refresh: Call = self.call("update-index").args(["-q", "--refresh"]).long();
        self.git.ask(refresh).await?;
        Ok(())
    }
}
