//! Runs: starting, looking, steering.

use std::path::PathBuf;

use domain::{Budget, RunId, RunState};
use engine::{BackendError, NewRun, StartError};
use protocol::{
    ApiError, CancelRequest, DiffRequest, DiffView, DiscardRequest, ErrorCode, Estimate, LogPage,
    LogsRequest, MessageRequest, PauseRequest, ResumeRequest, RunAck, RunAcks, RunRequest,
    RunSelector, RunStarted, RunView, SandboxView, ShowRequest,
};

use super::command_error;
use crate::api::Api;
use crate::{stream, views};

/// Log entries in one page unless the client asks for fewer.
const PAGE: u32 = 1000;

/// Who is behind a call that names nobody.
pub(super) const BY: &str = "user";

pub(crate) async fn start_run(api: &Api, request: RunRequest) -> Result<RunStarted, ApiError> {
    let engine = &api.working()?.engine;
    let project = PathBuf::from(&request.project);
    if !project.is_absolute() {
        return Err(ApiError::usage(
            "the project must be an absolute path",
            "give --project a folder",
        ));
    }
    let project = project.canonicalize().unwrap_or(project);
    let after = match &request.after {
        Some(text) => Some(api.run_id(text).await?),
        None => None,
    };
    let estimate = engine.estimate(&project).await;
    let budget = budget(&request, api.inner.settings.config().budget())?;
    let new = NewRun {
        prompt: request.prompt,
        project,
        backend: request.backend,
        model: request.model,
        verify: request.verify,
        workspace: request.workspace,
        policy: request.policy,
        budget,
        after,
        fallback: request.fallback,
        priority: request.priority,
    };
    let run = engine.start_run(new).await.map_err(start_error)?;
    let mut notes = Vec::new();
    if run.task.kind == domain::BackendKind::Rehearsal {
        notes.push("simulated: a scripted model answers".to_owned());
    }
    Ok(RunStarted {
        id: run.id,
        estimate: estimate.map(|e| Estimate {
            runs: u32::try_from(e.runs).unwrap_or(u32::MAX),
            cost_usd: e.cost,
            duration_s: u64::try_from(e.active_ms / 1000).unwrap_or_default(),
        }),
        notes,
    })
}

fn budget(request: &RunRequest, base: Budget) -> Result<Budget, ApiError> {
    let duration = match request.max_duration_s {
        Some(s) => Some(i64::try_from(s.saturating_mul(1000)).map_err(|_| {
            ApiError::usage(
                "that duration is too long",
                "give --max-duration as 30m or 4h",
            )
        })?),
        None => base.max_active_ms,
    };
    Ok(Budget {
        max_cost: request.max_cost_usd.or(base.max_cost),
        max_tokens: request.max_tokens.or(base.max_tokens),
        max_tool_calls: request.max_tool_calls.or(base.max_tool_calls),
        max_active_ms: duration,
    })
}

pub(crate) fn start_error(error: StartError) -> ApiError {
    let words = error.to_string();
    match error {
        StartError::Backend(BackendError::Unknown(_)) => {
            ApiError::not_found(words, "`longhaul backend list` shows those that are set up")
        }
        StartError::WhichBackend(_) => ApiError::usage(
            words,
            "add one with `longhaul backend add`, or name one with --backend",
        ),
        StartError::Backend(_) => ApiError::new(
            ErrorCode::Refused,
            words,
            "`longhaul backend list` shows its settings",
        ),
        StartError::Project(_) => ApiError::usage(words, "give --project a folder you can read"),
        StartError::Invalid(_) => {
            ApiError::usage(words, "`longhaul run --help` explains the options")
        }
        StartError::UnknownRun(_) => ApiError::not_found(words, "`longhaul runs` lists them"),
        StartError::Store(why) => ApiError::internal(why),
    }
}

pub(crate) async fn show(api: &Api, request: ShowRequest) -> Result<RunView, ApiError> {
    let id = api.run_id(&request.run).await?;
    let store = &api.working()?.store;
    let run = store.load(id).await.map_err(ApiError::internal)?;
    let run = run.ok_or_else(|| {
        ApiError::not_found(
            format!("there is no run {id}"),
            "`longhaul runs` lists them",
        )
    })?;
    let working = api.working()?;
    let mut view = views::run_view(store, &run, request.ops).await?;
    view.reviews = super::reviews::of_run(working, &run).await?;
    let sandbox = working.engine.sandbox_of(&run).await;
    view.workspace.sandbox = Some(SandboxView {
        used: sandbox.used,
        why: (!sandbox.used).then_some(sandbox.detail),
    });
    view.workspace.bytes = working.engine.workspace_bytes(id);
    Ok(view)
}

pub(crate) async fn logs(api: &Api, request: LogsRequest) -> Result<LogPage, ApiError> {
    let run = api.run_id(&request.run).await?;
    let store = &api.working()?.store;
    let limit = request.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let page = store
        .journal(run, request.after + 1, limit)
        .await
        .map_err(ApiError::internal)?;
    let entries = stream::entries_of(store, page).await;
    let next = entries
        .last()
        .map(|entry| entry.seq)
        .filter(|_| entries.len() == limit as usize);
    Ok(LogPage { run, entries, next })
}

pub(crate) async fn resume(api: &Api, request: ResumeRequest) -> Result<RunAcks, ApiError> {
    let engine = &api.working()?.engine;
    let mut acks = Vec::new();
    for id in selected(
        api,
        &request.runs,
        &[RunState::Paused, RunState::Interrupted],
    )
    .await?
    {
        let run = engine.resume(id).await.map_err(command_error)?;
        acks.push(RunAck {
            id,
            state: run.state(),
        });
    }
    Ok(RunAcks { runs: acks })
}

pub(crate) async fn pause(api: &Api, request: PauseRequest) -> Result<RunAcks, ApiError> {
    let engine = &api.working()?.engine;
    let working = [
        RunState::Queued,
        RunState::Running,
        RunState::Waiting,
        RunState::Verifying,
    ];
    let mut acks = Vec::new();
    for id in selected(api, &request.runs, &working).await? {
        let run = engine.pause(id, BY).await.map_err(command_error)?;
        acks.push(RunAck {
            id,
            state: run.state(),
        });
    }
    Ok(RunAcks { runs: acks })
}

async fn selected(api: &Api, runs: &RunSelector, all: &[RunState]) -> Result<Vec<RunId>, ApiError> {
    match runs {
        RunSelector::One(text) => Ok(vec![api.run_id(text).await?]),
        RunSelector::All => {
            let rows = api
                .working()?
                .store
                .unfinished_runs()
                .await
                .map_err(ApiError::internal)?;
            Ok(rows
                .iter()
                .filter(|row| all.contains(&row.state))
                .map(|row| row.id)
                .collect())
        }
    }
}

pub(crate) async fn cancel(api: &Api, request: CancelRequest) -> Result<RunAck, ApiError> {
    let id = api.run_id(&request.run).await?;
    let run = api
        .working()?
        .engine
        .cancel(id, BY)
        .await
        .map_err(command_error)?;
    Ok(RunAck {
        id,
        state: run.state(),
    })
}

pub(crate) async fn message(api: &Api, request: MessageRequest) -> Result<RunAck, ApiError> {
    let id = api.run_id(&request.run).await?;
    if request.text.trim().is_empty() {
        return Err(ApiError::usage("the message is empty", "say something"));
    }
    let run = api
        .working()?
        .engine
        .message(id, &request.text)
        .await
        .map_err(command_error)?;
    Ok(RunAck {
        id,
        state: run.state(),
    })
}

pub(crate) async fn diff(api: &Api, request: DiffRequest) -> Result<DiffView, ApiError> {
    let run = api.run_id(&request.run).await?;
    let diff = api
        .working()?
        .engine
        .diff(run)
        .await
        .map_err(command_error)?;
    Ok(DiffView {
        run,
        diff: diff.text,
        files: diff.files,
        hunks: diff.hunks,
    })
}

pub(crate) async fn discard(api: &Api, request: DiscardRequest) -> Result<RunAck, ApiError> {
    let id = api.run_id(&request.run).await?;
    let working = api.working()?;
    working.engine.discard(id).await.map_err(command_error)?;
    let run = working.store.load(id).await.map_err(ApiError::internal)?;
    Ok(RunAck {
        id,
        state: run.map_or(RunState::Cancelled, |run| run.state()),
    })
}
