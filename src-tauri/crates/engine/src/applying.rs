//! Putting a run's result into the user's project: only what was verified, one apply of a
//! project at a time, and what stands against what the user did meanwhile is asked.
//!
//! An apply is in the journal before anything is touched and until it has ended. Whoever
//! finds it there, after a crash too, goes on with it: the workspace knows how far it came.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::{
    Answer, ApplyInto, Applying, Digest, Event, HunkName, ReviewId, ReviewKind, Run, RunId,
};
use store::LeasePurpose;
use tokio::sync::oneshot;
use workspace::{
    AppliedWork, ApplyBranch, ApplyError, ApplyOutcome, Conflicts, Part, Resolution, TakenSide,
    Workspace,
};

use crate::apply_words::{detail, gate, report_of, words};
use crate::asks;
use crate::commands::CommandError;
use crate::control::Control;
use crate::core::{Core, Engine};
use crate::journal::{Batch, Halt};
use crate::leases::Leased;

/// How long until one that is stuck half done (a full disk) is tried again.
const STUCK: Duration = Duration::from_secs(10);

/// How often an apply looks whether the one before it has cleared away.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What somebody wants applied.
#[derive(Clone, Debug)]
pub struct Apply {
    /// Into what.
    pub into: ApplyInto,
    /// The name of the branch, if it becomes one; one is made up otherwise.
    pub branch: Option<String>,
    /// Only these files and folders, relative to the project; all when there are no hunks
    /// either.
    pub paths: Vec<String>,
    /// And these hunks of other files, as [`Engine::diff`] names them.
    pub hunks: Vec<HunkName>,
    /// Who: `cli`, `desktop`.
    pub by: String,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct ApplyReport {
    /// What was applied; with a review, nothing yet.
    pub work: AppliedWork,
    /// Somebody has to decide first.
    pub review: Option<ReviewId>,
    /// What about.
    pub conflicts: Vec<ConflictPath>,
}

/// A path that stands against what the user did.
#[derive(Clone, Debug)]
pub struct ConflictPath {
    /// Relative to the top of the project's repository.
    pub path: String,
    /// In words.
    pub why: String,
}

type Told = oneshot::Sender<Result<ApplyReport, CommandError>>;

impl Engine {
    /// Puts the run's last checkpoint into the user's project. Returns when it is there, or
    /// when a person has to decide; then it goes on by itself after the decision. It goes
    /// on, too, when the caller does not wait.
    pub async fn apply(&self, run: RunId, wish: Apply) -> Result<ApplyReport, CommandError> {
        let core = &self.core;
        let now = core.load(run).await?;
        gate(&now)?;
        core.applier_gone(run).await?;
        let workspace = core.workspace_of(&now).await?;
        workspace.begin_apply().await.map_err(|e| words(&e))?;
        let began = core.change(run, |now| begun(now, &wish)).await?;
        faults::crash_point("engine.apply_began");
        let (told, outcome) = oneshot::channel();
        core.spawn_applier(began.id, Some(told));
        let stopped =
            || CommandError::not_now("Longhaul is stopping", "it goes on at its next start");
        outcome.await.map_err(|_| stopped())?
    }
}

fn begun(now: &Run, wish: &Apply) -> Result<Batch, CommandError> {
    gate(now)?;
    let checkpoint = now.checkpoint.as_ref().expect("the gate asks for one");
    let branch = (wish.into == ApplyInto::Branch).then(|| {
        let named = wish.branch.clone();
        named.unwrap_or_else(|| branch_of(now))
    });
    Ok(Batch::of(Event::ApplyBegan {
        into: wish.into,
        branch,
        snapshot: checkpoint.snapshot.clone(),
        paths: wish.paths.clone(),
        hunks: wish.hunks.clone(),
        by: wish.by.clone(),
    }))
}

fn branch_of(run: &Run) -> String {
    let id = run.id.to_string();
    format!("longhaul/{}", &id[id.len() - 8..])
}

/// What one try came to.
enum Tried {
    Done(AppliedWork),
    Conflicts(Conflicts),
    Refused(CommandError),
    Stuck(CommandError),
}

impl Core {
    /// Returns when nothing is at work any more on an apply that the journal has as over:
    /// what it still clears away would be the next one's.
    async fn applier_gone(&self, run: RunId) -> Result<(), CommandError> {
        let at_work = || {
            let appliers = self.appliers.lock();
            let appliers = appliers.expect("no code panics while holding the appliers");
            appliers.contains_key(&run)
        };
        while at_work() {
            gate(&self.load(run).await?)?;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    pub(crate) fn poke_applier(&self, run: RunId) {
        let appliers = self.appliers.lock();
        let appliers = appliers.expect("no code panics while holding the appliers");
        if let Some(control) = appliers.get(&run) {
            control.poke();
        }
    }

    /// Goes on with the applies that the journal has as begun.
    pub(crate) async fn take_up_applies(self: &Arc<Self>) {
        let left = match self.workspaces.unfinished_applies().await {
            Ok(left) => left,
            Err(error) => {
                tracing::error!(%error, "unfinished applies could not be looked for");
                return;
            }
        };
        for name in left {
            if let Ok(run) = name.parse::<RunId>() {
                self.spawn_applier(run, None);
            }
        }
    }

    /// Starts what brings a begun apply to its end, unless it is at work already.
    fn spawn_applier(self: &Arc<Self>, run: RunId, mut told: Option<Told>) {
        if self.leaving.is_cancelled() {
            return;
        }
        let control = Control::new();
        {
            let appliers = self.appliers.lock();
            let mut appliers = appliers.expect("no code panics while holding the appliers");
            if appliers.contains_key(&run) {
                return;
            }
            appliers.insert(run, control.clone());
        }
        let core = self.clone();
        self.tasks.spawn(async move {
            let ended = loop {
                match core.apply_on(run, &control, &mut told).await {
                    Err(Halt::Superseded(_)) => {}
                    Err(Halt::NoSpace) => tokio::select! {
                        () = tokio::time::sleep(STUCK) => {}
                        () = core.leaving.cancelled() => break Ok(()),
                    },
                    ended => break ended,
                }
            };
            let appliers = core.appliers.lock();
            appliers
                .expect("no code panics while holding the appliers")
                .remove(&run);
            if let Err(error) = ended {
                tracing::warn!(%run, %error, "an apply is left for the next start");
            }
        });
    }

    /// Brings the run's apply to its end, waiting for a person where it must.
    async fn apply_on(
        self: &Arc<Self>,
        id: RunId,
        control: &Control,
        told: &mut Option<Told>,
    ) -> Result<(), Halt> {
        let journal = self.journal(id);
        loop {
            let mut changes = control.changes();
            let run = journal.load().await?;
            let Some(applying) = run.applying.clone() else {
                return self.forget(&run).await;
            };
            let asked = asks::pending(&run, ReviewKind::Conflict).map(|(_, review)| review);
            let decided = match asked {
                None => None,
                Some(review) => match review.decision(self.now()).cloned() {
                    Some(answer) => Some((review.id, answer, review.digest.clone())),
                    None => {
                        let until = review.effective_at().map(|at| self.until(at));
                        tokio::select! {
                            _ = changes.changed() => {}
                            () = tokio::time::sleep(until.unwrap_or(Duration::MAX)) => {}
                            () = self.leaving.cancelled() => return Ok(()),
                        }
                        continue;
                    }
                },
            };
            let Some(_lease) = self.project_to_itself(&run, &applying, told).await? else {
                return Ok(());
            };
            let tried = self.try_apply(&run, &applying, decided.as_ref()).await;
            faults::crash_point("engine.apply_tried");
            let used = decided.map(|(review, _, _)| Event::ReviewUsed { review });
            self.record_try(&run, tried, used, told).await?;
        }
    }

    /// The project's lease for an apply; waits in line for it. `None` when the engine leaves.
    async fn project_to_itself(
        self: &Arc<Self>,
        run: &Run,
        applying: &Applying,
        told: &mut Option<Told>,
    ) -> Result<Option<Leased>, Halt> {
        let workspace = self.workspace_of(run).await;
        let root = match workspace.and_then(|ws| ws.apply_root().map_err(|e| words(&e))) {
            Ok(root) => root,
            // Said in full by the try itself.
            Err(_) => PathBuf::from(&run.task.project),
        };
        let scope = crate::leases::scope_of(&root).await;
        let store = |error: store::WriteError| Halt::Store(error.to_string());
        loop {
            let mut freed = self.leases.changes();
            let holder = match self.try_lease(&scope, run.id, LeasePurpose::Apply).await {
                Ok(Ok(lease)) => return Ok(Some(lease)),
                Ok(Err(holder)) => holder,
                Err(error) => return Err(store(error)),
            };
            // A branch touches no file of theirs.
            let in_the_way =
                holder.purpose == LeasePurpose::InPlace && applying.into != ApplyInto::Branch;
            if in_the_way && let Some(told) = told.take() {
                let problem = format!("the run {} works in {scope} itself", holder.run);
                let hint = "wait for it to end, or apply as a branch";
                let refused = CommandError::not_now(problem.clone(), hint);
                let ended = Batch::of(Event::ApplyEnded { why: problem });
                self.journal(run.id).append(ended).await?;
                self.forget(run).await?;
                let _ = told.send(Err(refused));
                return Ok(None);
            }
            tokio::select! {
                _ = freed.changed() => {}
                // One that is stale is taken over without anybody saying so.
                () = tokio::time::sleep(STUCK) => {}
                () = self.leaving.cancelled() => return Ok(None),
            }
        }
    }

    async fn try_apply(
        &self,
        run: &Run,
        applying: &Applying,
        decided: Option<&(ReviewId, Answer, Option<Digest>)>,
    ) -> Tried {
        let workspace = match self.workspace_of(run).await {
            Ok(workspace) => workspace,
            Err(error) => return Tried::Refused(error),
        };
        let choice = decided.map(|(_, answer, _)| answer.choice.as_str());
        if choice == Some("cancel") {
            let problem = "you chose not to apply it";
            let hint = "nothing was changed; apply again whenever you like";
            return Tried::Refused(CommandError::not_now(problem, hint));
        }
        let paths: Vec<PathBuf> = applying.paths.iter().map(PathBuf::from).collect();
        // The same part each time it is tried: it is made of what is recorded.
        let part = workspace.part(&applying.snapshot, &paths, &applying.hunks);
        let part = match part.await {
            Ok(part) => part,
            Err(error) => return Tried::Refused(words(&error)),
        };
        let done = match (applying.into, choice) {
            (ApplyInto::Branch, _) | (_, Some("branch")) => {
                as_branch(&workspace, run, applying, &part)
                    .await
                    .map(ApplyOutcome::Done)
            }
            (into, choice) => {
                let side = match choice {
                    Some("theirs") => Some(TakenSide::Theirs),
                    Some("mine") => Some(TakenSide::Mine),
                    _ => None,
                };
                let digest = decided.and_then(|(_, _, digest)| digest.clone());
                let resolution = side.zip(digest).map(|(side, digest)| Resolution {
                    digest: digest.0,
                    side,
                });
                let message = message(run);
                let what = workspace::Apply {
                    key: &format!("{}-{}", applying.since.0, applying.snapshot),
                    into,
                    snapshot: &part.snapshot,
                    paths: &part.paths,
                    in_part: &part.in_part,
                    message: &message,
                    at: applying.since.0 / 1000,
                    resolution: resolution.as_ref(),
                };
                workspace.apply(what).await
            }
        };
        match done {
            Ok(ApplyOutcome::Done(work)) => Tried::Done(work),
            Ok(ApplyOutcome::Conflicts(conflicts)) => Tried::Conflicts(conflicts),
            Err(error @ ApplyError::Stuck { .. }) => Tried::Stuck(words(&error)),
            Err(error) => Tried::Refused(words(&error)),
        }
    }

    /// Records what a try came to, with the decision it used in the same commit.
    async fn record_try(
        &self,
        run: &Run,
        tried: Tried,
        used: Option<Event>,
        told: &mut Option<Told>,
    ) -> Result<(), Halt> {
        let journal = self.journal(run.id);
        let mut batch = Batch::default();
        batch.events.extend(used);
        let outcome = match tried {
            Tried::Done(work) => {
                batch.push(Event::Applied {
                    target: work.target.clone(),
                    commit: work.commit.clone().unwrap_or_default(),
                });
                Ok(ApplyReport {
                    work,
                    review: None,
                    conflicts: Vec::new(),
                })
            }
            Tried::Conflicts(conflicts) => {
                let text = self.redact(&detail(&conflicts));
                let review = asks::conflict(run, &conflicts, text, self.now());
                let asked = review.id;
                batch.push(Event::ReviewRequested {
                    review: Box::new(review),
                });
                Ok(report_of(&conflicts, asked))
            }
            Tried::Refused(error) => {
                let why = self.redact(&error.to_string());
                batch.push(Event::ApplyEnded { why });
                Err(error)
            }
            Tried::Stuck(error) => {
                // The journal still has it as begun; the decision, if any, is not used up.
                if let Some(told) = told.take() {
                    let _ = told.send(Err(error));
                }
                tokio::select! {
                    () = tokio::time::sleep(STUCK) => {}
                    () = self.leaving.cancelled() => return Err(Halt::Stopped),
                }
                return Ok(());
            }
        };
        let ended = !matches!(&outcome, Ok(report) if report.review.is_some());
        journal.append(batch).await?;
        faults::crash_point("engine.apply_recorded");
        if ended {
            self.forget(run).await?;
        }
        if let Some(told) = told.take() {
            let _ = told.send(outcome);
        }
        Ok(())
    }

    /// What the workspace kept for the case of a crash is not needed any more.
    async fn forget(&self, run: &Run) -> Result<(), Halt> {
        let forgotten = match self.workspace_of(run).await {
            Ok(workspace) => workspace.forget_apply().await.map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = forgotten {
            tracing::warn!(run = %run.id, %error, "the notes of an apply could not be removed");
        }
        Ok(())
    }
}

fn message(run: &Run) -> String {
    format!("{}\n\nMade by Longhaul run {}.", run.task.title, run.id)
}

async fn as_branch(
    workspace: &Workspace,
    run: &Run,
    applying: &Applying,
    part: &Part,
) -> Result<AppliedWork, ApplyError> {
    let branch = applying.branch.clone().unwrap_or_else(|| branch_of(run));
    let at = run
        .checkpoint
        .as_ref()
        .map_or(applying.since, |checkpoint| checkpoint.at);
    let what = ApplyBranch {
        snapshot: &part.snapshot,
        branch: &branch,
        message: &message(run),
        at: at.0 / 1000,
        paths: &part.paths,
    };
    let applied = workspace.apply_branch(what).await?;
    Ok(AppliedWork {
        target: applied.branch,
        commit: Some(applied.commit),
        paths: applied.paths,
        kept: None,
    })
}
