//! New runs: what was asked is checked and recorded before anything is promised.

use std::path::{Path, PathBuf};

use domain::{
    BlobRef, Budget, Event, FailCause, Preset, QueueReason, ReviewKind, Run, RunId, Task,
    WaitCause, WorkspaceMode,
};

use crate::asks;
use crate::backends::BackendError;
use crate::core::Engine;
use crate::ids::new_run_id;
use crate::journal::{Batch, Halt};
use crate::worker::Worker;

/// Longest title of a run, in characters: what lists have room for.
const TITLE: usize = 120;

/// Longest prompt: beyond it, a file in the project is the better place.
const PROMPT_LIMIT: usize = 1024 * 1024;

/// How many of a project's completed runs an estimate is made from.
const HISTORY: u32 = 20;

/// A task as the user gave it.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// What to do.
    pub prompt: String,
    /// The project folder, absolute.
    pub project: PathBuf,
    /// The backend's name; `None`: the only one there is.
    pub backend: Option<String>,
    /// The model, where not the backend's own.
    pub model: Option<String>,
    /// A command that must succeed at the end.
    pub verify: Option<String>,
    /// Clone, copy or in place; `None`: what fits the project.
    pub workspace: Option<WorkspaceMode>,
    /// The policy; `None`: the user's default.
    pub policy: Option<Preset>,
    /// Caps.
    pub budget: Budget,
    /// Starts only after this run is completed.
    pub after: Option<RunId>,
    /// Backends that may answer instead.
    pub fallback: Vec<String>,
    /// Higher starts first.
    pub priority: i32,
}

/// Why a task was not taken.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A backend it names cannot be used.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// No backend is set up, or several and none was named.
    #[error("{0}")]
    WhichBackend(String),
    /// The project folder cannot be used.
    #[error("{0}")]
    Project(String),
    /// A value is out of range.
    #[error("{0}")]
    Invalid(String),
    /// The run it is to follow does not exist.
    #[error("there is no run {0} to follow")]
    UnknownRun(RunId),
    /// The journal could not be written.
    #[error("{0}")]
    Store(String),
}

/// What runs in this project took so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// How many completed runs it is made from.
    pub runs: u64,
    /// Their median cost.
    pub cost: domain::NanoUsd,
    /// Their median active time in milliseconds.
    pub active_ms: i64,
}

impl Engine {
    /// Takes a task: durable when this returns, started as soon as a slot is free.
    pub async fn start_run(&self, new: NewRun) -> Result<Run, StartError> {
        let core = &self.core;
        let prompt = core.redact(new.prompt.trim());
        check_values(&new, &prompt)?;
        let backend = core
            .backend(&self.backend_name(new.backend.clone()).await?)
            .await?;
        core.driver(&backend)?;
        for name in &new.fallback {
            let other = core.backend(name).await?;
            if other.kind.is_native() != backend.kind.is_native() {
                return Err(StartError::Invalid(format!(
                    "fallback '{name}' is of kind {}: it cannot go on with a conversation of kind {}",
                    other.kind, backend.kind
                )));
            }
        }
        if let Some(after) = new.after
            && core
                .store()
                .load(after)
                .await
                .map_err(store_error)?
                .is_none()
        {
            return Err(StartError::UnknownRun(after));
        }
        let mode = workspace_mode(&core.workspaces, &new).await?;
        let task = Task {
            title: asks::first_line(&prompt, TITLE),
            prompt: BlobRef::of(prompt.as_bytes()),
            project: new.project.display().to_string(),
            model: backend.model_for(new.model.as_deref()),
            backend: backend.name,
            kind: backend.kind,
            workspace: mode,
            policy: new.policy.unwrap_or(core.settings().policy),
            verify: new.verify.filter(|v| !v.trim().is_empty()),
            budget: new.budget,
            fallback: new.fallback,
            priority: new.priority,
            after: new.after,
            fork: None,
        };
        let id = new_run_id();
        let events = vec![
            Event::RunCreated {
                run: id,
                task: Box::new(task),
            },
            Event::Queued {
                reason: QueueReason::New,
            },
        ];
        faults::crash_point("engine.before_created");
        let created = core
            .store()
            .append(id, None, events, vec![prompt.into()])
            .await;
        let run = created.map_err(|e| StartError::Store(e.to_string()))?.run;
        faults::crash_point("engine.created");
        core.spawn_worker(id);
        Ok(run)
    }

    async fn backend_name(&self, named: Option<String>) -> Result<String, StartError> {
        if let Some(name) = named {
            return Ok(name);
        }
        let rows = self.core.store().backends().await.map_err(store_error)?;
        let mut names: Vec<String> = rows.into_iter().map(|row| row.name).collect();
        match names.len() {
            0 => Err(StartError::WhichBackend(
                "no backend is set up yet".to_owned(),
            )),
            1 => Ok(names.remove(0)),
            _ => Err(StartError::WhichBackend(format!(
                "several backends are set up ({})",
                names.join(", ")
            ))),
        }
    }

    /// What runs in this project took so far, if any completed.
    pub async fn estimate(&self, project: &Path) -> Option<Estimate> {
        let history = self
            .core
            .store()
            .history(&project.display().to_string(), HISTORY)
            .await
            .ok()?;
        let mut costs: Vec<_> = history.iter().filter_map(|run| run.cost).collect();
        let mut times: Vec<_> = history.iter().map(|run| run.active_ms).collect();
        costs.sort_unstable();
        times.sort_unstable();
        let (cost, active_ms) = (*costs.get(costs.len() / 2)?, *times.get(times.len() / 2)?);
        Some(Estimate {
            runs: history.len() as u64,
            cost,
            active_ms,
        })
    }
}

fn store_error(error: store::ReadError) -> StartError {
    StartError::Store(error.to_string())
}

fn check_values(new: &NewRun, prompt: &str) -> Result<(), StartError> {
    if prompt.is_empty() {
        return Err(StartError::Invalid("the prompt is empty".to_owned()));
    }
    if prompt.len() > PROMPT_LIMIT {
        return Err(StartError::Invalid(format!(
            "the prompt has {} bytes; the longest allowed is {PROMPT_LIMIT}. Put the text into a file of the project \
             and name it in the prompt",
            prompt.len()
        )));
    }
    let budget = &new.budget;
    let zero = budget.max_cost.is_some_and(|c| c.0 <= 0)
        || budget.max_tokens == Some(0)
        || budget.max_tool_calls == Some(0)
        || budget.max_active_ms.is_some_and(|ms| ms <= 0);
    if zero {
        return Err(StartError::Invalid(
            "a budget must be more than zero".to_owned(),
        ));
    }
    Ok(())
}

async fn workspace_mode(
    workspaces: &workspace::Workspaces,
    new: &NewRun,
) -> Result<WorkspaceMode, StartError> {
    let metadata = std::fs::metadata(&new.project).map_err(|error| {
        StartError::Project(format!("{} cannot be used: {error}", new.project.display()))
    })?;
    if !metadata.is_dir() {
        return Err(StartError::Project(format!(
            "{} is not a folder",
            new.project.display()
        )));
    }
    std::fs::read_dir(&new.project).map_err(|error| {
        StartError::Project(format!("{} cannot be read: {error}", new.project.display()))
    })?;
    let fitting = workspaces
        .default_mode(&new.project)
        .await
        .map_err(|e| StartError::Project(e.to_string()))?;
    if new.workspace == Some(WorkspaceMode::Clone) && fitting != WorkspaceMode::Clone {
        return Err(StartError::Project(format!(
            "{} is not a git repository with a commit, so it cannot be cloned; use --workspace copy",
            new.project.display()
        )));
    }
    Ok(new.workspace.unwrap_or(fitting))
}

impl Worker {
    /// Before the first step: is the backend there, and does it take the key?
    /// What only a real call can tell is left to the first call.
    pub(crate) async fn preflight(&self, run: Run) -> Result<Run, Halt> {
        let call = match self.call_of(&run).await {
            Ok(call) => call,
            Err(why) => return self.fail(FailCause::Backend, why).await,
        };
        let Some((key, _)) = self.credential(&run, &call.backend).await? else {
            return self.journal.load().await;
        };
        if !call.backend.kind.is_native()
            && let Err(error) = call.driver.check(Some(&call.model), None).await
        {
            return self.fail(FailCause::Agent, error.message).await;
        }
        drop(key);
        self.journal.load().await
    }

    /// Waits until the run it depends on is completed; asks when it will not be.
    pub(crate) async fn await_dependency(&self, run: Run) -> Result<Run, Halt> {
        let Some(after) = run.task.after else {
            return Ok(run);
        };
        if run.attempts > 0 {
            return Ok(run);
        }
        let mut grown = self.core.store().subscribe();
        loop {
            let Some(other) = self.core.store().load(after).await? else {
                return Ok(run);
            };
            match other.phase {
                domain::Phase::Completed => return self.dependency_over().await,
                domain::Phase::Failed | domain::Phase::Cancelled => {
                    if self.ask_about_dependency(&other).await? {
                        return self.dependency_over().await;
                    }
                    return Err(Halt::Stopped);
                }
                _ => {
                    let detail = format!("starts when '{}' is completed", other.task.title);
                    self.begin_wait_saying(WaitCause::Dependency, &detail)
                        .await?;
                }
            }
            tokio::select! {
                changed = grown.changed() => changed.map_err(|_| Halt::Stopped)?,
                () = self.control.stop.cancelled() => return Err(Halt::Stopped),
            }
        }
    }

    async fn dependency_over(&self) -> Result<Run, Halt> {
        let run = self.journal.load().await?;
        let mut batch = Batch::default();
        if let Some((review, asked)) = asks::pending(&run, ReviewKind::Dependency)
            && asked.decision(self.core.now()).is_none()
        {
            batch.push(Event::ReviewWithdrawn {
                review,
                why: "the run it follows is completed".to_owned(),
            });
        }
        if run.waits.iter().any(|w| w.cause == WaitCause::Dependency) {
            batch.push(Event::WaitEnded {
                cause: WaitCause::Dependency,
            });
        }
        if batch.events.is_empty() {
            return Ok(run);
        }
        self.journal.append(batch).await
    }

    /// A run works on the project as it is, not on what the run before it made.
    pub(crate) async fn dependency_note(&self, run: &Run) -> Result<Option<Event>, Halt> {
        let Some(after) = run.task.after.filter(|_| run.attempts == 0) else {
            return Ok(None);
        };
        let Some(other) = self.core.store().load(after).await? else {
            return Ok(None);
        };
        let lies_apart = other.task.workspace != WorkspaceMode::InPlace && other.step > 0;
        let unapplied = other.phase == domain::Phase::Completed && other.applied == 0;
        Ok((lies_apart && unapplied).then(|| Event::Noted {
            text: format!(
                "This run starts from the project as it is: the result of '{}' has not been applied. \
                 If this run needs it, cancel this one, apply it (`longhaul apply {after}`) and start again.",
                other.task.title
            ),
        }))
    }

    /// *Start anyway* is used up by the start itself: until there is a slot the run may
    /// be paused, or Longhaul stopped, and nobody should be asked again.
    pub(crate) fn dependency_decision(&self, run: &Run) -> Batch {
        let holds = |review: &domain::Review| review.decision(self.core.now()).is_some();
        let decided = asks::pending(run, ReviewKind::Dependency).filter(|(_, r)| holds(r));
        let used = decided.map(|(review, _)| Event::ReviewUsed { review });
        Batch {
            events: used.into_iter().collect(),
            blobs: Vec::new(),
        }
    }

    /// `true`: start anyway. `false`: the run was ended.
    async fn ask_about_dependency(&self, other: &Run) -> Result<bool, Halt> {
        let detail = format!("'{}' is {}", other.task.title, other.state());
        self.begin_wait_saying(WaitCause::Dependency, &detail)
            .await?;
        let mut grown = self.core.store().subscribe();
        loop {
            let mut changes = self.control.changes();
            // It may be resumed, and come to its end after all.
            let other_now = self.core.store().load(other.id).await?;
            if other_now.is_some_and(|other| other.phase == domain::Phase::Completed) {
                return Ok(true);
            }
            let run = self.journal.load().await?;
            let Some((id, review)) = asks::pending(&run, ReviewKind::Dependency) else {
                let review = Box::new(asks::dependency(&run, other, self.core.now()));
                self.journal
                    .append(Batch::of(Event::ReviewRequested { review }))
                    .await?;
                continue;
            };
            let Some(answer) = review.decision(self.core.now()) else {
                tokio::select! {
                    changed = self.await_decision(&mut changes, review) => changed?,
                    changed = grown.changed() => changed.map_err(|_| Halt::Stopped)?,
                }
                continue;
            };
            if answer.choice == "start" {
                return Ok(true);
            }
            self.fail_after(Some(id), FailCause::Dependency, detail)
                .await?;
            return Ok(false);
        }
    }
}
