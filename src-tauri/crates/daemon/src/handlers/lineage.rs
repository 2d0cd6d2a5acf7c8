//! Going back to a checkpoint, and forks.

use domain::CheckpointId;
use engine::{ChangeStatus, ChangedFile, Consequences, NewFork, WentBack};
use protocol::{
    ApiError, ConsequencesRequest, ConsequencesView, EffectView, FileChange, ForkRequest, Forked,
    ResumeFromRequest, RollbackRequest, RolledBack,
};

use super::command_error;
use super::runs::BY;
use crate::api::Api;

/// Most files listed; all are counted.
const FILES: usize = 500;

pub(crate) async fn consequences(
    api: &Api,
    request: ConsequencesRequest,
) -> Result<ConsequencesView, ApiError> {
    let run = api.run_id(&request.run).await?;
    let to = checkpoint(&request.to)?;
    let engine = &api.working()?.engine;
    let found = engine.consequences(run, to).await.map_err(command_error)?;
    Ok(view(run, found))
}

pub(crate) async fn rollback(api: &Api, request: RollbackRequest) -> Result<RolledBack, ApiError> {
    let run = api.run_id(&request.run).await?;
    let to = checkpoint(&request.to)?;
    let engine = &api.working()?.engine;
    let went = engine.roll_back(run, to, BY).await.map_err(command_error)?;
    Ok(rolled_back(went))
}

pub(crate) async fn resume_from(
    api: &Api,
    request: ResumeFromRequest,
) -> Result<RolledBack, ApiError> {
    let run = api.run_id(&request.run).await?;
    let from = checkpoint(&request.from)?;
    let engine = &api.working()?.engine;
    let went = engine
        .resume_from(run, from, BY)
        .await
        .map_err(command_error)?;
    Ok(rolled_back(went))
}

pub(crate) async fn fork(api: &Api, request: ForkRequest) -> Result<Forked, ApiError> {
    let parent = api.run_id(&request.run).await?;
    let from = checkpoint(&request.from)?;
    let new = NewFork {
        message: request.message,
    };
    let engine = &api.working()?.engine;
    let run = engine
        .fork(parent, from, new)
        .await
        .map_err(command_error)?;
    Ok(Forked {
        id: run.id,
        state: run.state(),
        parent,
        checkpoint: from.to_string(),
    })
}

fn rolled_back(went: WentBack) -> RolledBack {
    RolledBack {
        id: went.run.id,
        state: went.run.state(),
        checkpoint: went.consequences.checkpoint.id.to_string(),
        undo: went.undo.to_string(),
        consequences: view(went.run.id, went.consequences),
    }
}

fn checkpoint(text: &str) -> Result<CheckpointId, ApiError> {
    text.parse().map_err(|error: domain::ParseIdError| {
        ApiError::usage(
            error.to_string(),
            "`longhaul show` lists a run's checkpoints",
        )
    })
}

fn view(run: domain::RunId, found: Consequences) -> ConsequencesView {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    ConsequencesView {
        run,
        checkpoint: found.checkpoint.id.to_string(),
        step: found.checkpoint.step,
        steps_undone: found.steps,
        files_changed: count(found.files.len()),
        files: found.files.into_iter().take(FILES).map(file).collect(),
        not_undone: found
            .effects
            .into_iter()
            .map(|effect| EffectView {
                op: effect.op.0,
                step: effect.step,
                name: effect.name,
                summary: effect.summary,
                at: effect.at.into(),
            })
            .collect(),
        reviews_withdrawn: found.reviews,
        remarks: found.remarks,
    }
}

fn file(file: ChangedFile) -> FileChange {
    let change = match file.status {
        ChangeStatus::Added => "added",
        ChangeStatus::Modified => "modified",
        ChangeStatus::Deleted => "deleted",
        ChangeStatus::Renamed => "renamed",
        ChangeStatus::TypeChanged => "type-changed",
    };
    FileChange {
        path: file.path,
        change: change.to_owned(),
        added: file.added,
        removed: file.removed,
    }
}
