//! Forks: a new run from a checkpoint of another, with a workspace, a ledger and a budget
//! of its own, and what was said until then by reference.

use domain::{
    CheckpointId, Event, Fork, MessageOrigin, QueueReason, Run, RunId, Task, WorkspaceMode,
};

use crate::commands::CommandError;
use crate::core::{Core, Engine};
use crate::ids::new_run_id;
use crate::journal::Batch;

/// How a fork begins.
#[derive(Clone, Debug, Default)]
pub struct NewFork {
    /// Said to the agent before it goes on.
    pub message: Option<String>,
}

impl Engine {
    /// Makes a new run that goes on from a checkpoint of `parent`, which is left as it
    /// is. Durable when this returns, started as soon as a slot is free.
    ///
    /// # Errors
    /// If there is no such checkpoint, or its files are gone, or the backend is.
    pub async fn fork(
        &self,
        parent: RunId,
        from: CheckpointId,
        new: NewFork,
    ) -> Result<Run, CommandError> {
        let core = &self.core;
        let run = core.load(parent).await?;
        if run.task.workspace == WorkspaceMode::InPlace {
            return Err(CommandError::not_now(
                "the run works in the project itself, and two cannot",
                "roll it back instead, or start a new run with --workspace clone",
            ));
        }
        let checkpoint = core.checkpoint_of(&run, from).await?;
        let backend = core
            .backend(&run.task.backend)
            .await
            .map_err(|e| CommandError::not_now(e.to_string(), "add the backend again"))?;
        core.driver(&backend)
            .map_err(|e| CommandError::not_now(e.to_string(), "look at the backend's settings"))?;
        // Looked at now, so that nothing is made that could not begin.
        core.workspace_of(&run)
            .await?
            .changed_files(Some(&checkpoint.snapshot), Some(&checkpoint.snapshot))
            .await
            .map_err(|e| CommandError::Workspace(format!("its files are not there: {e}")))?;
        let mut batch = Batch::default();
        let id = new_run_id();
        let task = Task {
            after: None,
            fork: Some(Box::new(Fork {
                run: parent,
                checkpoint: checkpoint.id,
                seq: checkpoint.seq,
                messages: checkpoint.messages,
                snapshot: checkpoint.snapshot.clone(),
            })),
            ..run.task.clone()
        };
        batch.push(Event::RunCreated {
            run: id,
            task: Box::new(task),
        });
        batch.push(Event::CheckpointTaken {
            checkpoint: CheckpointId(1),
            step: 0,
            snapshot: checkpoint.snapshot.clone(),
            messages: checkpoint.messages,
        });
        if !run.task.kind.is_native() {
            let told = core.told_again(&run, &checkpoint).await?;
            say(&mut batch, MessageOrigin::Briefing, told);
        }
        if let Some(message) = new.message.filter(|text| !text.trim().is_empty()) {
            say(&mut batch, MessageOrigin::User, core.redact(&message));
        }
        batch.push(Event::Queued {
            reason: QueueReason::New,
        });
        let append = core.store().append(id, None, batch.events, batch.blobs);
        let run = append.await.map_err(CommandError::from)?.run;
        faults::crash_point("engine.forked");
        core.spawn_worker(id);
        Ok(run)
    }
}

fn say(batch: &mut Batch, origin: MessageOrigin, text: String) {
    let text = batch.blob(text);
    batch.push(Event::MessageAdded { origin, text });
}

impl Core {
    /// The run's workspace, made if it is not there: a fork's from its parent's.
    pub(crate) async fn prepare(
        &self,
        run: &Run,
    ) -> Result<workspace::Workspace, workspace::PrepareError> {
        let id = run.id.to_string();
        match &run.task.fork {
            Some(fork) => {
                let parent = fork.run.to_string();
                self.workspaces
                    .prepare_fork(&id, &parent, &fork.snapshot)
                    .await
            }
            None => {
                let project = std::path::Path::new(&run.task.project);
                let mut along = self.project_settings(run).along;
                along.base = run.workspace.as_ref().and_then(|w| w.base.clone());
                self.workspaces
                    .prepare_with(&id, project, run.task.workspace, along)
                    .await
            }
        }
    }
}
