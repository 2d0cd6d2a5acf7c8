//! Putting a run's work into the files of the user's project: uncommitted, or
//! with a commit on the branch they are on. A new branch: `landing`.

use std::path::{Path, PathBuf};

use domain::ApplyInto;
use serde::{Deserialize, Serialize};

use crate::blocking::blocking;
use crate::carry::{Carry, Stop};
use crate::carry_plan::{Phase, Plan, staging};
use crate::git::{Git, GitError};
use crate::merging::ConflictKind;
use crate::prepare::Workspaces;
use crate::snapshot::SnapshotError;
use crate::user_commit::Reached;
use crate::workspace::Workspace;

/// How often it is planned anew when the user's files change meanwhile.
const TRIES: usize = 5;

/// Says that an apply was begun.
const BEGUN: &str = "applying";

/// What to put into the user's project, and how.
#[derive(Debug, Clone, Copy)]
pub struct Apply<'a> {
    /// Which apply this is. Asked again with the same key after a crash, it goes
    /// on, and what was done is told again.
    pub key: &'a str,
    /// [`ApplyInto::Commit`] or [`ApplyInto::Changes`].
    pub into: ApplyInto,
    /// The snapshot whose changes since the start of the run are applied.
    pub snapshot: &'a str,
    /// Only these files and folders, relative to the project; all when empty.
    pub paths: &'a [PathBuf],
    /// Those of which the snapshot has only some hunks ([`crate::Part`]).
    pub in_part: &'a [Vec<u8>],
    /// The commit message.
    pub message: &'a str,
    /// The commit's date, seconds since 1970.
    pub at: i64,
    /// What a person said of the conflicts.
    pub resolution: Option<&'a Resolution>,
}

/// How exactly these conflicts are to be settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// [`Conflicts::digest`]. Should the conflicts be others by now, they come back.
    pub digest: String,
    /// Whose side is taken.
    pub side: TakenSide,
}

/// Whose version of the paths in conflict is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TakenSide {
    /// The run's; the user's are kept as copies.
    Theirs,
    /// The user's: these paths stay as they are.
    Mine,
}

/// What became of an apply.
#[derive(Debug, Clone)]
pub enum ApplyOutcome {
    /// It is done.
    Done(AppliedWork),
    /// Nothing was touched: a person has to decide first.
    Conflicts(Conflicts),
}

/// What was put into the project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedWork {
    /// The branch, or the folder whose files changed.
    pub target: String,
    /// The commit, where one was made.
    pub commit: Option<String>,
    /// Each path of the run's work.
    pub paths: Vec<AppliedPath>,
    /// Where the files are as they were before, if any was replaced or removed.
    pub kept: Option<Kept>,
}

/// The user's files as they were before an apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The git store.
    pub store: PathBuf,
    /// The commit in it: with the files that were replaced or removed.
    pub commit: String,
}

/// What became of one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedPath {
    /// Relative to the top of the project's repository (or the project).
    pub path: String,
    /// What.
    pub what: PathOutcome,
}

/// What became of one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathOutcome {
    /// It is as the run made it.
    Written,
    /// It is gone, as in the run.
    Deleted,
    /// It has the run's changes and the user's.
    Merged,
    /// The user had the same already.
    Same,
    /// It is as the run made it; the user's version is kept aside.
    ReplacedYours,
    /// It is as the user has it.
    KeptYours,
    /// It is inside a submodule, which is not the project's to change.
    LeftOut,
}

/// The paths a person has to decide on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflicts {
    /// Names exactly these paths with exactly these contents on all sides.
    pub digest: String,
    /// At least one.
    pub paths: Vec<Conflict>,
    /// Whether the run's side can be taken: not where a folder is in the way.
    pub replaceable: bool,
    /// How many other paths can be applied as they are.
    pub clean: usize,
}

/// One path in conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Relative to the top of the project's repository (or the project).
    pub path: String,
    /// Why.
    pub kind: ConflictKind,
    /// Both sides and what they began with, for text; cut when long.
    pub sketch: String,
}

/// Why nothing was applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// There is no commit to build on: a copy, or a project without git.
    #[error("this needs a git project and a clone of it; this run works on a {0} without history")]
    NotGit(crate::marker::Mode),
    /// The run worked in the project itself.
    #[error("the run worked in the project itself; there is nothing to apply")]
    InPlace,
    /// The name cannot be that of a branch.
    #[error("\"{0}\" cannot be the name of a branch")]
    BadName(String),
    /// The branch exists and has something else.
    #[error("the branch {0} exists already with other content; choose another name")]
    Occupied(String),
    /// git did not create the branch, say because `a` exists and `a/b` is wanted.
    #[error("the branch {branch} could not be created: {reason}")]
    Refused {
        /// Its name.
        branch: String,
        /// What git said.
        reason: String,
    },
    /// The user's repository is gone or no longer has the commit the run started from.
    #[error("{} no longer has the commit {commit} the run started from", .project.display())]
    BaseGone {
        /// The user's folder.
        project: PathBuf,
        /// The commit.
        commit: String,
    },
    /// The user's folder is gone.
    #[error("{} is not there any more, or is no folder", .0.display())]
    NoProject(PathBuf),
    /// Nothing the run changed is called or in that.
    #[error("the run changed nothing at {0}")]
    UnknownPath(String),
    /// The diff does not have the hunk, or not as it was seen.
    #[error("{path} has no such hunk {number}, or it is another one by now")]
    HunkGone {
        /// The file.
        path: String,
        /// Which of its hunks it was.
        number: u32,
    },
    /// It is a link, was renamed, or became a file of another kind.
    #[error("{0} can only be applied whole, not hunk by hunk")]
    NotInPart(String),
    /// What an earlier apply of the run put there is changed by these hunks.
    #[error("these hunks of {0} stand against what was applied of it before")]
    PartMeetsEarlier(String),
    /// A path that Longhaul does not write.
    #[error("{path} {reason}; choose the others with --path")]
    Unsupported {
        /// The path.
        path: String,
        /// Why not.
        reason: String,
    },
    /// Something of the user's is in the middle of something.
    #[error("{0}")]
    NotNow(String),
    /// The user's files kept changing while it was tried.
    #[error("the project changed while the run's work was being applied, nothing was applied: {0}")]
    Moved(String),
    /// The system refused; the user's files are as they were.
    #[error("{path}: {source}; nothing was applied")]
    System {
        /// The path.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// It is half done and can neither go on nor back now. Resume it later.
    #[error("{path}: {source}; the apply is half done and will be finished when that is mended")]
    Stuck {
        /// The path.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A snapshot or git failed.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

impl From<GitError> for ApplyError {
    fn from(error: GitError) -> ApplyError {
        ApplyError::Snapshot(error.into())
    }
}

impl ApplyError {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> ApplyError {
        SnapshotError::io(path, source).into()
    }

    fn stopped(stop: Stop) -> ApplyError {
        match stop {
            Stop::Changed(path) => ApplyError::Moved(shown(&path)),
            Stop::Io(path, source) => ApplyError::System {
                path: shown(&path),
                source,
            },
        }
    }

    fn stuck(stop: Stop) -> ApplyError {
        let (path, source) = match stop {
            Stop::Changed(path) => (path, std::io::Error::other("it changed meanwhile")),
            Stop::Io(path, source) => (path, source),
        };
        ApplyError::Stuck {
            path: shown(&path),
            source,
        }
    }
}

/// A path for people: what is no UTF-8 is shown as replacement characters.
pub(crate) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

impl Workspace {
    /// Puts the run's changes into the user's project. Each path ends as it was
    /// or as it is to be, whatever dies when; what the user changed meanwhile is
    /// merged or comes back as a conflict, never overwritten unasked.
    pub async fn apply(&self, what: Apply<'_>) -> Result<ApplyOutcome, ApplyError> {
        let inner = self.inner();
        if inner.marker.mode == crate::Mode::InPlace {
            return Err(ApplyError::InPlace);
        }
        let _alone = inner.applies.lock().await;
        let (git, run_dir) = (&*inner.git, inner.run_dir.as_path());
        if let Some(plan) = read(run_dir).await? {
            let again = plan.key == what.key;
            match ended(git, run_dir, plan).await {
                Ok(done) if again => return Ok(ApplyOutcome::Done(done)),
                Ok(_) | Err(ApplyError::Moved(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let mut moved = String::new();
        for _ in 0..TRIES {
            let plan = match self.plan(&what).await? {
                Planned::Ready(plan) => plan,
                Planned::Conflicts(conflicts) => return Ok(ApplyOutcome::Conflicts(conflicts)),
            };
            plan.write(run_dir)
                .map_err(|e| ApplyError::io(run_dir, e))?;
            faults::crash_point("workspace.apply_planned");
            match carry_out(git, run_dir, *plan).await {
                Err(ApplyError::Moved(what)) => moved = what,
                done => return done.map(ApplyOutcome::Done),
            }
        }
        Err(ApplyError::Moved(moved))
    }

    /// Notes that an apply begins, before the caller records that: the run is
    /// named by [`Workspaces::unfinished_applies`] until it is forgotten.
    pub async fn begin_apply(&self) -> Result<(), ApplyError> {
        let run_dir = self.inner().run_dir.clone();
        let note = {
            let run_dir = run_dir.clone();
            move || {
                std::fs::File::create(run_dir.join(BEGUN))?.sync_all()?;
                std::fs::File::open(&run_dir)?.sync_all()
            }
        };
        blocking(note)
            .await
            .map_err(|e| ApplyError::io(&run_dir, e))
    }

    /// Where an apply writes: the project, or the top of its repository.
    pub fn apply_root(&self) -> Result<PathBuf, ApplyError> {
        self.users_root()
    }

    /// Forgets the last apply's result: the caller has recorded it.
    pub async fn forget_apply(&self) -> Result<(), ApplyError> {
        let _alone = self.inner().applies.lock().await;
        let run_dir = self.inner().run_dir.clone();
        let done = blocking({
            let run_dir = run_dir.clone();
            move || match Plan::read(&run_dir)? {
                Some(plan) if plan.phase != Phase::Done => Ok(()),
                _ => {
                    Plan::remove(&run_dir)?;
                    match std::fs::remove_file(run_dir.join(BEGUN)) {
                        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
                        _ => Ok(()),
                    }
                }
            }
        });
        done.await.map_err(|e| ApplyError::io(&run_dir, e))
    }
}

impl Workspaces {
    /// The runs whose apply was begun and not forgotten, or cut off. [`Workspace::apply`] or
    /// [`Workspaces::resume_apply`] brings it to its end.
    pub async fn unfinished_applies(&self) -> std::io::Result<Vec<String>> {
        let root = self.root.clone();
        blocking(move || {
            let entries = match std::fs::read_dir(&root) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
                other => other?,
            };
            let unfinished = entries.flatten().filter(|entry| {
                let plan = Plan::read(&entry.path());
                entry.path().join(BEGUN).exists()
                    || plan.is_ok_and(|p| p.is_some_and(|p| p.phase != Phase::Done))
            });
            Ok(unfinished
                .map(|e| e.file_name().to_string_lossy().into_owned())
                .collect())
        })
        .await
    }

    /// Ends what a crash left of a run's apply: forward where the user's files
    /// allow it ([`ApplyError::Moved`] where not; then all is as it was).
    pub async fn resume_apply(&self, run: &str) -> Result<Option<AppliedWork>, ApplyError> {
        let run_dir = self.root.join(run);
        match read(&run_dir).await? {
            Some(plan) => ended(&self.git, &run_dir, plan).await.map(Some),
            None => Ok(None),
        }
    }
}

/// What is decided for all paths.
pub(crate) enum Planned {
    Ready(Box<Plan>),
    Conflicts(Conflicts),
}

async fn read(run_dir: &Path) -> Result<Option<Plan>, ApplyError> {
    let dir = run_dir.to_owned();
    let plan = blocking(move || Plan::read(&dir)).await;
    plan.map_err(|e| ApplyError::io(&run_dir.join("apply.json"), e))
}

async fn ended(git: &Git, run_dir: &Path, plan: Plan) -> Result<AppliedWork, ApplyError> {
    match plan.phase {
        Phase::Done => Ok(plan.done),
        Phase::Forward => carry_out(git, run_dir, plan).await,
        Phase::Back => {
            take_back(run_dir, plan).await?;
            Err(ApplyError::Moved("it was taken back".to_owned()))
        }
    }
}

/// Brings a durable plan to its end: all done, or all as it was.
async fn carry_out(git: &Git, run_dir: &Path, plan: Plan) -> Result<AppliedWork, ApplyError> {
    // With the branch moved there is no way back: a user may have gone on from it.
    let past = match &plan.commit {
        Some(commit) => commit.reached(git).await? == Reached::After,
        None => false,
    };
    let mut plan = if past {
        plan
    } else {
        forward(run_dir, plan).await?
    };
    if let Some(commit) = &plan.commit
        && let Err(error) = commit.carry_out(git, &plan.run).await
    {
        if past || commit.reached(git).await? == Reached::After {
            let source = std::io::Error::other(error.to_string());
            return Err(ApplyError::Stuck {
                path: "the index".to_owned(),
                source,
            });
        }
        take_back(run_dir, plan).await?;
        return Err(error);
    }
    let dir = run_dir.to_owned();
    blocking(move || {
        if let Ok(carry) = Carry::open(&plan, &dir) {
            carry.clean();
        }
        plan.phase = Phase::Done;
        if let Err(error) = crate::planning::note(&dir, &plan.noted) {
            tracing::warn!(%error, "the next apply will not know of this one");
        }
        // A full disk here costs only what could be told after a crash.
        if let Err(error) = plan.write(&dir) {
            tracing::warn!(%error, "that an apply is done could not be noted");
        }
        let _ = crate::removal::remove_tree(&staging(&dir));
        Ok(plan.done)
    })
    .await
}

async fn forward(run_dir: &Path, plan: Plan) -> Result<Plan, ApplyError> {
    let dir = run_dir.to_owned();
    let (plan, done) = blocking(move || {
        let done = match Carry::open(&plan, &dir) {
            Ok(carry) => carry.forward(),
            Err(error) => Err(Stop::Io(
                plan.root.as_os_str().as_encoded_bytes().to_vec(),
                error,
            )),
        };
        (plan, done)
    })
    .await;
    let Err(stop) = done else { return Ok(plan) };
    take_back(run_dir, plan).await?;
    Err(ApplyError::stopped(stop))
}

async fn take_back(run_dir: &Path, mut plan: Plan) -> Result<(), ApplyError> {
    let dir = run_dir.to_owned();
    blocking(move || {
        plan.phase = Phase::Back;
        // Not noted, a crash now would go forward again: as good an end.
        if let Err(error) = plan.write(&dir) {
            tracing::warn!(%error, "that an apply is taken back could not be noted");
        }
        match Carry::open(&plan, &dir) {
            Ok(carry) => carry.back().map_err(ApplyError::stuck)?,
            // Nothing can be taken back in a folder that is not there.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => {
                let path = plan.root.display().to_string();
                return Err(ApplyError::Stuck { path, source });
            }
        }
        Plan::remove(&dir).map_err(|e| ApplyError::io(&dir, e))
    })
    .await
}
