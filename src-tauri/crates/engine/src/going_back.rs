//! Going back to a checkpoint: conversation and files together, nothing deleted, and
//! undone by going back once more. What cannot be taken back is said before anything is
//! touched.

use std::time::Duration;

use domain::{
    Checkpoint, CheckpointId, Event, MessageOrigin, OpId, OpState, Run, RunId, RunState, Timestamp,
    WorkspaceMode,
};
use store::LeasePurpose;
use workspace::ChangedFile;

use crate::commands::CommandError;
use crate::core::{Core, Engine};
use crate::journal::Batch;
use crate::leases::{Leased, scope_of};

/// How long a run that only waits may take to stop waiting.
const STOPPING: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Something that happened and is not taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The operation.
    pub op: OpId,
    /// Its step.
    pub step: u32,
    /// The tool.
    pub name: String,
    /// One line: the command, the request.
    pub summary: String,
    /// When it began.
    pub at: Timestamp,
}

/// What going back to a checkpoint means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consequences {
    /// Where it goes back to.
    pub checkpoint: Checkpoint,
    /// Steps that no longer count.
    pub steps: u32,
    /// Files that change, seen from the checkpoint to now.
    pub files: Vec<ChangedFile>,
    /// What happened since and cannot be taken back, oldest first.
    pub effects: Vec<Effect>,
    /// Titles of the reviews that are withdrawn.
    pub reviews: Vec<String>,
    /// In words: what else will not be exactly as it was.
    pub remarks: Vec<String>,
}

/// A run that went back.
#[derive(Clone, Debug)]
pub struct WentBack {
    /// It, paused.
    pub run: Run,
    /// The checkpoint that going back to undoes this.
    pub undo: CheckpointId,
    /// What it meant.
    pub consequences: Consequences,
}

impl Engine {
    /// What [`Engine::roll_back`] would do. Touches nothing.
    ///
    /// # Errors
    /// If there is no such checkpoint, or its files cannot be restored.
    pub async fn consequences(
        &self,
        run: RunId,
        to: CheckpointId,
    ) -> Result<Consequences, CommandError> {
        let now = self.core.load(run).await?;
        let checkpoint = self.core.checkpoint_of(&now, to).await?;
        self.core.consequences(&now, checkpoint).await
    }

    /// Takes a run at rest back to a checkpoint; it is paused then. Durable when this
    /// returns; a crash in between is mended by the next start.
    ///
    /// # Errors
    /// If it is not at rest, or has no such checkpoint, or its files could not all be
    /// restored (they are when it is resumed, or the error is given again).
    pub async fn roll_back(
        &self,
        run: RunId,
        to: CheckpointId,
        by: &str,
    ) -> Result<WentBack, CommandError> {
        let core = &self.core;
        // Looked for before anything is stopped: a wrong name must change nothing.
        let checkpoint = core.checkpoint_of(&core.load(run).await?, to).await?;
        let now = core.bring_to_rest(run, by).await?;
        // From before anything is recorded: one that cannot have it does not go back.
        let _folder = core.folder_of(&now).await?;
        let consequences = core.consequences(&now, checkpoint.clone()).await?;
        let now = core.close_open(run).await?;
        let (gone_back, undo) = core.go_back(now, &checkpoint, by).await?;
        faults::crash_point("engine.rolled_back");
        let restored = core.put_files_back(&gone_back).await?;
        Ok(WentBack {
            run: restored,
            undo,
            consequences,
        })
    }

    /// [`Engine::roll_back`], then [`Engine::resume`].
    ///
    /// # Errors
    /// As they do.
    pub async fn resume_from(
        &self,
        run: RunId,
        from: CheckpointId,
        by: &str,
    ) -> Result<WentBack, CommandError> {
        let went = self.roll_back(run, from, by).await?;
        let run = self.resume(run).await?;
        Ok(WentBack { run, ..went })
    }
}

impl Core {
    pub(crate) async fn checkpoint_of(
        &self,
        run: &Run,
        wanted: CheckpointId,
    ) -> Result<Checkpoint, CommandError> {
        let mut all = self.store().checkpoints(run.id).await?;
        if let Some(found) = all.iter().position(|c| c.id == wanted) {
            return Ok(all.swap_remove(found));
        }
        let hint = match all.last() {
            Some(last) => format!("it has cp1 to {}; `longhaul show` lists them", last.id),
            None => "it has none yet: wait for its first step to end".to_owned(),
        };
        Err(CommandError::not_now(
            format!("the run has no checkpoint {wanted}"),
            hint,
        ))
    }

    async fn consequences(
        &self,
        run: &Run,
        checkpoint: Checkpoint,
    ) -> Result<Consequences, CommandError> {
        let workspace = self.workspace_of(run).await?;
        let files = workspace
            .changed_files(Some(&checkpoint.snapshot), None)
            .await
            .map_err(|e| CommandError::Workspace(format!("it cannot go back: {e}")))?;
        let since = self.happened_since(run, checkpoint.seq).await?;
        let running = run.open_ops.values().any(|op| op.state == OpState::Started);
        let mut remarks = Vec::new();
        if running {
            remarks.push("What is still running is ended first.".to_owned());
        }
        if since.anything {
            remarks.push(
                "Files that git ignores (say, installed packages) stay as they are now.".to_owned(),
            );
        }
        if since.anything && run.task.workspace == WorkspaceMode::Clone {
            remarks.push(
                "Commits and branches made in the clone's own .git stay; its files go back."
                    .to_owned(),
            );
        }
        if run.task.workspace == WorkspaceMode::InPlace {
            remarks.push(format!(
                "It works in the project itself: your own changes below {} since then are taken back too. \
                 Undoing brings them again.",
                run.task.project
            ));
        }
        if !run.task.kind.is_native() {
            remarks.push(
                "The agent's own memory cannot be taken back: it begins a new session and is told what \
                 was done until then."
                    .to_owned(),
            );
        }
        if run.applied > 0 {
            remarks.push("What was applied to your repository stays there.".to_owned());
        }
        Ok(Consequences {
            checkpoint,
            steps: since.steps,
            files,
            effects: since.effects,
            reviews: run.reviews.values().map(|r| r.title.clone()).collect(),
            remarks,
        })
    }

    /// Nothing of the run goes on any more.
    async fn bring_to_rest(&self, run: RunId, by: &str) -> Result<Run, CommandError> {
        let now = self
            .change(run, |now| match now.state() {
                RunState::Queued | RunState::Running | RunState::Verifying => {
                    Err(CommandError::not_now(
                        format!("the run is {}", now.state()),
                        "pause it first (`longhaul pause`), or wait until it is at rest",
                    ))
                }
                RunState::Waiting => Ok(Batch::of(Event::Paused { by: by.to_owned() })),
                _ if now.discarded => Err(CommandError::not_now(
                    "its workspace was discarded",
                    "there is nothing to go back to; start a new run",
                )),
                _ => Ok(Batch::default()),
            })
            .await?;
        self.await_worker(run).await?;
        self.kill_keepers(&now).await;
        self.load(run).await
    }

    async fn await_worker(&self, run: RunId) -> Result<(), CommandError> {
        let Some(control) = self.control(run) else {
            return Ok(());
        };
        control.stop_soon();
        let ended = async {
            while self.control(run).is_some() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(STOPPING, ended).await.map_err(|_| {
            CommandError::not_now(
                "its last operation is still going on",
                "wait until it has ended (`longhaul logs --follow`), or cancel the run",
            )
        })
    }

    /// Withdraws what is asked and closes what is open: after going back, neither an
    /// answer nor an outcome would mean anything.
    async fn close_open(&self, run: RunId) -> Result<Run, CommandError> {
        loop {
            let now = self.load(run).await?;
            let mut batch = Batch::default();
            for review in now.reviews.keys() {
                batch.push(Event::ReviewWithdrawn {
                    review: *review,
                    why: "the run went back to a checkpoint".to_owned(),
                });
            }
            for op in now.open_ops.values() {
                let charge = self.charge_of_lost_turn(&now, op).await;
                crate::ops::cancel_charged(op, charge, &mut batch);
            }
            if batch.events.is_empty() {
                return Ok(now);
            }
            if let Some(run) = self.append_if_at(&now, batch).await? {
                return Ok(run);
            }
        }
    }

    /// Records the way back, and before it a checkpoint of how things are now.
    async fn go_back(
        &self,
        mut now: Run,
        to: &Checkpoint,
        by: &str,
    ) -> Result<(Run, CheckpointId), CommandError> {
        loop {
            let workspace = self.workspace_of(&now).await?;
            let files = workspace
                .snapshot(&format!("before going back to {}", to.id))
                .await
                .map_err(|e| CommandError::Workspace(e.to_string()))?;
            let mut batch = Batch::default();
            let known = now.checkpoint.as_ref().filter(|newest| {
                newest.snapshot == files.id && newest.messages == now.messages && newest.seq > 0
            });
            let undo = match known {
                Some(newest) => newest.id,
                None => {
                    let undo = CheckpointId(now.next_checkpoint());
                    batch.push(Event::CheckpointTaken {
                        checkpoint: undo,
                        step: now.step,
                        snapshot: files.id,
                        messages: now.messages,
                    });
                    undo
                }
            };
            batch.push(Event::RolledBack {
                to: to.id,
                seq: to.seq,
                snapshot: to.snapshot.clone(),
                messages: to.messages,
                by: by.to_owned(),
            });
            if !now.task.kind.is_native() {
                let told = self.told_again(&now, to).await?;
                let text = batch.blob(told);
                batch.push(Event::MessageAdded {
                    origin: MessageOrigin::Briefing,
                    text,
                });
            }
            match self.append_if_at(&now, batch).await? {
                Some(run) => return Ok((run, undo)),
                None => now = self.load(now.id).await?,
            }
        }
    }

    /// Makes the files those of the checkpoint the run went back to, if they are not yet.
    pub(crate) async fn restore_files(
        self: &std::sync::Arc<Self>,
        run: &Run,
    ) -> Result<Run, CommandError> {
        if run.restoring.is_none() {
            return Ok(run.clone());
        }
        let _folder = self.folder_of(run).await?;
        self.put_files_back(run).await
    }

    /// The same for one whose folder is its own already.
    async fn put_files_back(&self, run: &Run) -> Result<Run, CommandError> {
        let Some(snapshot) = run.restoring.clone() else {
            return Ok(run.clone());
        };
        let workspace = self.workspace_of(run).await?;
        workspace.restore(&snapshot).await.map_err(|e| {
            CommandError::Workspace(format!("not all files could be restored: {e}"))
        })?;
        faults::crash_point("engine.files_restored");
        let event = Event::FilesRestored { snapshot };
        self.append(run.id, Batch::of(event)).await
    }

    /// The user's folder, where the run works in it: nobody else changes it meanwhile.
    async fn folder_of(
        self: &std::sync::Arc<Self>,
        run: &Run,
    ) -> Result<Option<Leased>, CommandError> {
        if run.task.workspace != WorkspaceMode::InPlace {
            return Ok(None);
        }
        let scope = scope_of(std::path::Path::new(&run.task.project)).await;
        let leased = self
            .try_lease(&scope, run.id, LeasePurpose::InPlace)
            .await
            .map_err(|e| CommandError::Store(e.to_string()))?;
        match leased {
            Ok(leased) => Ok(Some(leased)),
            Err(holder) => Err(CommandError::not_now(
                format!("the run {} works in {} now", holder.run, holder.scope),
                "wait until it has ended there, or pause it",
            )),
        }
    }

    /// A run that was cut off while it went back: its files follow now.
    pub(crate) async fn finish_going_back(
        self: &std::sync::Arc<Self>,
        run: Run,
    ) -> Result<Run, CommandError> {
        match self.restore_files(&run).await {
            Err(CommandError::Store(why)) => Err(CommandError::Store(why)),
            // It is said again, with a way out, when somebody resumes the run.
            Err(error) => {
                tracing::error!(run = %run.id, %error, "the files of a run that went back are not restored yet");
                Ok(run)
            }
            restored => restored,
        }
    }
}
