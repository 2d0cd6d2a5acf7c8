//! What people may ask of a run. Each command changes the journal first; the
//! worker is poked afterwards and finds out by itself.

use std::time::Duration;

use domain::{
    Event, FailCause, HunkName, InterruptCause, MessageOrigin, Phase, QueueReason, Run, RunId,
};
use store::AppendError;

use crate::core::{Core, Engine};
use crate::journal::Batch;

/// What a run changed, against where it started.
#[derive(Clone, Debug)]
pub struct Diff {
    /// As a unified diff.
    pub text: String,
    /// Paths of the changed files.
    pub files: Vec<String>,
    /// Its hunks, in its order.
    pub hunks: Vec<HunkName>,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such run.
    #[error("there is no run {0}")]
    Unknown(RunId),
    /// It does not fit the run as it is now.
    #[error("{problem}")]
    NotNow {
        /// What is in the way.
        problem: String,
        /// What can be done.
        hint: String,
    },
    /// The workspace or the repository refused.
    #[error("{0}")]
    Workspace(String),
    /// The journal could not be read or written.
    #[error("{0}")]
    Store(String),
}

impl CommandError {
    pub(crate) fn not_now(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::NotNow {
            problem: problem.into(),
            hint: hint.into(),
        }
    }
}

impl From<AppendError> for CommandError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Illegal(why) => Self::not_now(
                why.to_string(),
                "look at the run (`longhaul show`) and try again",
            ),
            other => Self::Store(other.to_string()),
        }
    }
}

impl From<store::ReadError> for CommandError {
    fn from(error: store::ReadError) -> Self {
        Self::Store(error.to_string())
    }
}

impl Engine {
    /// Stops a run at its next operation boundary until somebody resumes it.
    pub async fn pause(&self, run: RunId, by: &str) -> Result<Run, CommandError> {
        let paused = self
            .core
            .change(run, |now| {
                if now.phase == Phase::Paused {
                    return Ok(Batch::default());
                }
                if now.state().is_over() {
                    return Err(CommandError::not_now(
                        format!("the run is {} already", now.state()),
                        "there is nothing to pause",
                    ));
                }
                Ok(Batch::of(Event::Paused { by: by.to_owned() }))
            })
            .await?;
        if let Some(control) = self.core.control(run) {
            control.stop_soon();
        }
        Ok(paused)
    }

    /// Lets a paused, interrupted or failed run go on where it stopped.
    pub async fn resume(&self, run: RunId) -> Result<Run, CommandError> {
        let now = self.core.load(run).await?;
        // It went back and was cut off in it: first the files, then anything else.
        self.core.restore_files(&now).await?;
        let resumed = self.core.change(run, resumption).await?;
        if resumed.phase == Phase::Queued {
            self.core.spawn_worker(run);
        }
        Ok(resumed)
    }

    /// Ends a run: open reviews are withdrawn, what runs is killed, the workspace stays.
    pub async fn cancel(&self, run: RunId, by: &str) -> Result<Run, CommandError> {
        let cancelled = self.core.change(run, |now| cancellation(now, by)).await?;
        match self.core.control(run) {
            Some(control) => control.kill_now(),
            None => self.core.kill_keepers(&cancelled).await,
        }
        self.core.clone().close_after_cancel(run);
        Ok(cancelled)
    }

    /// Says something to the agent; it is heard with the next model call.
    pub async fn message(&self, run: RunId, text: &str) -> Result<Run, CommandError> {
        let now = self.core.load(run).await?;
        if now.state().is_over() && now.phase != Phase::Failed {
            return Err(CommandError::not_now(
                format!("the run is {}; nobody hears this", now.state()),
                "start a new run with what you want to say",
            ));
        }
        let mut batch = Batch::default();
        let text = batch.blob(self.core.redact(text));
        batch.push(Event::MessageAdded {
            origin: MessageOrigin::User,
            text,
        });
        let run_now = self.core.append(run, batch).await?;
        self.core.poke(run);
        Ok(run_now)
    }

    /// What the run changed.
    pub async fn diff(&self, run: RunId) -> Result<Diff, CommandError> {
        let now = self.core.load(run).await?;
        let workspace = self.core.workspace_of(&now).await?;
        let diff = workspace.diff_bytes(None, None).await;
        let diff = diff.map_err(|e| CommandError::Workspace(e.to_string()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let files = workspace::by_file(&diff);
        Ok(Diff {
            files: files.iter().map(|file| text(&file.path)).collect(),
            hunks: workspace::hunk_names(&files),
            text: text(&diff),
        })
    }

    /// Removes the workspace of a run that is over.
    pub async fn discard(&self, run: RunId) -> Result<(), CommandError> {
        let now = self.core.load(run).await?;
        if !now.state().is_over() {
            return Err(CommandError::not_now(
                format!("the run is {}; its files are needed", now.state()),
                "cancel it first",
            ));
        }
        // Asked again, it may be that the first time did not come to its end.
        if !now.discarded {
            self.core.append(run, Batch::of(Event::Discarded)).await?;
        }
        self.core
            .workspaces
            .discard(&run.to_string())
            .await
            .map_err(|e| CommandError::Workspace(e.to_string()))
    }

    /// Stops all work at operation boundaries; keepers live on. Returns when no
    /// worker is left, at the latest after the grace period.
    pub async fn leave(&self, grace: Duration) {
        let core = &self.core;
        core.leaving.cancel();
        let working = core.controls();
        for (_, control) in &working {
            control.leave();
        }
        core.tasks.close();
        if tokio::time::timeout(grace, core.tasks.wait())
            .await
            .is_err()
        {
            for (_, control) in core.controls() {
                control.kill.cancel();
            }
            let _ = tokio::time::timeout(Duration::from_secs(5), core.tasks.wait()).await;
        }
        for (run, _) in working {
            if let Err(error) = core.interrupt_for_shutdown(run).await {
                tracing::warn!(%run, %error, "could not record that the run was interrupted");
            }
        }
    }
}

/// What makes a run go on; nothing when it does already.
fn resumption(now: &Run) -> Result<Batch, CommandError> {
    match now.phase {
        Phase::Queued | Phase::Active | Phase::Verifying => return Ok(Batch::default()),
        Phase::Paused | Phase::Interrupted | Phase::Failed => {}
        Phase::Completed | Phase::Cancelled => {
            return Err(CommandError::not_now(
                format!("the run is {}", now.state()),
                "start a new run, or apply what this one made",
            ));
        }
    }
    let mut batch = crate::stalled::answered_by_resuming(now);
    batch.events.extend(crate::expiry::asked_again(now));
    batch.push(Event::Queued {
        reason: QueueReason::Resumed,
    });
    if now.phase == Phase::Failed && now.backend != now.task.backend {
        batch.push(Event::BackendSwitched {
            backend: now.task.backend.clone(),
            model: now.task.model.clone(),
            why: "the user resumed the run: its own backend is asked first".to_owned(),
        });
    }
    let gave_up = matches!(
        now.failure.as_ref().map(|failure| failure.cause),
        Some(FailCause::Refused | FailCause::BadRequest)
    );
    if gave_up {
        // The model may have spoken last, and a run whose model spoke last is done.
        let text = batch.blob("The user resumed the task where it had ended. Go on with it.");
        batch.push(Event::MessageAdded {
            origin: MessageOrigin::Continue,
            text,
        });
    }
    Ok(batch)
}

/// What ends a run by its user's wish; nothing when it is over that way already.
fn cancellation(now: &Run, by: &str) -> Result<Batch, CommandError> {
    if now.phase == Phase::Completed {
        return Err(CommandError::not_now(
            "the run is completed already",
            "`longhaul discard` removes its files",
        ));
    }
    let mut batch = Batch::default();
    if now.phase == Phase::Cancelled {
        return Ok(batch);
    }
    for review in now.reviews.keys() {
        batch.push(Event::ReviewWithdrawn {
            review: *review,
            why: "the run was cancelled".to_owned(),
        });
    }
    batch.push(Event::Cancelled { by: by.to_owned() });
    Ok(batch)
}

impl Core {
    /// Records what `make` says of the run as it is now. Should its worker be faster, it is
    /// asked again: what a command withdraws or ends must be what there is.
    pub(crate) async fn change(
        &self,
        run: RunId,
        make: impl Fn(&Run) -> Result<Batch, CommandError>,
    ) -> Result<Run, CommandError> {
        loop {
            let now = self.load(run).await?;
            let batch = make(&now)?;
            if batch.events.is_empty() {
                return Ok(now);
            }
            if let Some(done) = self.append_if_at(&now, batch).await? {
                return Ok(done);
            }
        }
    }

    /// Records a batch if the run is still as it was; `None` if it is not.
    pub(crate) async fn append_if_at(
        &self,
        run: &Run,
        batch: Batch,
    ) -> Result<Option<Run>, CommandError> {
        let append = self
            .store()
            .append(run.id, Some(run.head), batch.events, batch.blobs);
        match append.await {
            Ok(done) => Ok(Some(done.run)),
            Err(AppendError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn load(&self, run: RunId) -> Result<Run, CommandError> {
        self.store()
            .load(run)
            .await?
            .ok_or(CommandError::Unknown(run))
    }

    pub(crate) async fn append(&self, run: RunId, batch: Batch) -> Result<Run, CommandError> {
        Ok(self
            .store()
            .append(run, None, batch.events, batch.blobs)
            .await?
            .run)
    }

    pub(crate) async fn workspace_of(
        &self,
        run: &Run,
    ) -> Result<workspace::Workspace, CommandError> {
        if run.discarded || run.workspace.is_none() {
            let problem = if run.discarded {
                "its workspace was discarded"
            } else {
                "it has no workspace yet"
            };
            return Err(CommandError::not_now(
                problem,
                "nothing can be shown or applied",
            ));
        }
        let workspace = self.prepare(run).await;
        workspace.map_err(|e| CommandError::Workspace(e.to_string()))
    }

    async fn interrupt_for_shutdown(&self, run: RunId) -> Result<(), CommandError> {
        let now = self.load(run).await?;
        // A run that only waits is not interrupted by a stop: it waits on.
        let working = matches!(now.phase, Phase::Active | Phase::Verifying);
        if !working || now.state() == domain::RunState::Waiting {
            return Ok(());
        }
        let event = Event::Interrupted {
            cause: InterruptCause::Shutdown,
            detail: "Longhaul was stopped while it worked".to_owned(),
            last_alive: self.now(),
        };
        self.append(run, Batch::of(event)).await.map(|_| ())
    }

    /// Ends the commands of a run that has no worker.
    pub(crate) async fn kill_keepers(&self, run: &Run) {
        for op in run.open_ops.values().filter(|op| op.keeper.is_some()) {
            let dir = self.keeper_dir(&crate::shell::keeper_dir_name(op));
            if let Ok(keeper::Adoption::Alive(keeper)) = keeper::adopt(&dir).await {
                let _ = keeper.kill_tree().await;
            }
        }
    }

    /// When the cancelled run's worker has ended, closes what it left open.
    fn close_after_cancel(self: std::sync::Arc<Self>, run: RunId) {
        self.tasks.clone().spawn(async move {
            self.worker_ended(run).await;
            self.close_ended(run).await;
            self.collect_keepers_of(run).await;
        });
    }

    /// Closes what a run that is over left open.
    pub(crate) async fn close_ended(&self, run: RunId) {
        let Ok(now) = self.load(run).await else {
            return;
        };
        let mut batch = Batch::default();
        for op in now.open_ops.values().filter(|_| now.state().is_over()) {
            let charge = self.charge_of_lost_turn(&now, op).await;
            crate::ops::cancel_charged(op, charge, &mut batch);
        }
        if !batch.events.is_empty()
            && let Err(error) = self.append(run, batch).await
        {
            tracing::warn!(%run, %error, "could not close what the cancelled run left open");
        }
    }
}
