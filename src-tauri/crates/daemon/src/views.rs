//! Domain values as the protocol's documents.

use domain::{BlobRef, Budget, OpId, Phase, PlanState, Run, RunState};
use protocol::{
    ApiError, BudgetView, CheckpointView, ForkView, OpView, OpsWanted, PlanItemView, Progress,
    Recovery, RunSummary, RunView, Usage, WorkspaceView,
};
use store::{OpRow, RunRow, Store};

/// Most operations in one view; the newest are shown, all are in the logs.
const OPS: u32 = 2_000;

/// Everything about one run; its reviews are the caller's to add.
pub(crate) async fn run_view(
    store: &Store,
    run: &Run,
    wanted: OpsWanted,
) -> Result<RunView, ApiError> {
    let state = run.state();
    let causes: Vec<String> = match state {
        RunState::Waiting => run
            .causes()
            .iter()
            .map(|cause| cause.word().to_owned())
            .collect(),
        _ => Vec::new(),
    };
    let wait = run.waits.first().filter(|_| state == RunState::Waiting);
    let (ops, checkpoints) = match wanted {
        OpsWanted::All => {
            let from = OpId(run.ops_recorded.saturating_sub(OPS) + 1);
            let ops = store.ops(run.id, from, OPS).await;
            let checkpoints = store.checkpoints(run.id).await;
            (
                ops.map_err(ApiError::internal)?,
                checkpoints.map_err(ApiError::internal)?,
            )
        }
        OpsWanted::None => (Vec::new(), Vec::new()),
    };
    Ok(RunView {
        id: run.id,
        state,
        cause: causes.first().cloned().or_else(|| rest_cause(run)),
        causes,
        detail: wait.map(|w| w.detail.clone()).or_else(|| rest_detail(run)),
        until: wait.and_then(|w| w.until).map(Into::into),
        backend: run.backend.clone(),
        kind: run.task.kind,
        model: run.task.model.clone(),
        answered_by: run.answered_by.clone(),
        project: run.task.project.clone(),
        title: run.task.title.clone(),
        prompt: text(store, &run.task.prompt).await?,
        verify: run.task.verify.clone(),
        policy: run.task.policy.to_string(),
        fallback: run.task.fallback.clone(),
        after: run.task.after.map(|id| id.to_string()),
        fork: run.task.fork.as_ref().map(|fork| ForkView {
            run: fork.run,
            checkpoint: fork.checkpoint.to_string(),
        }),
        priority: run.task.priority,
        workspace: workspace_view(run),
        progress: progress(run),
        steps: run.step,
        attempts: run.attempts,
        tests_changed: run.tests_changed.clone(),
        ops: ops.iter().map(op_view).collect(),
        usage: (&run.spent).into(),
        cost_usd: run.spent.settled,
        unsettled_cost_usd: run.spent.unsettled,
        unpriced_requests: run.spent.unpriced_requests,
        budget: budget_view(run, &run.budget),
        checkpoints: checkpoints
            .iter()
            .map(|c| CheckpointView {
                id: c.id.to_string(),
                step: c.step,
                at: c.at.into(),
                undone: !run.counts(c.seq),
            })
            .collect(),
        reviews: Vec::new(),
        result: said(store, run.result.as_ref()).await?,
        partial_result: said(store, run.partial.as_ref()).await?,
        recovery: recovery(store, run).await?,
        created_at: run.created_at.into(),
        started_at: run.started_at.map(Into::into),
        ended_at: run.ended_at.map(Into::into),
        updated_at: run.last_at.into(),
        simulated: run.task.kind == domain::BackendKind::Rehearsal,
    })
}

/// Why a run that does not wait is where it is.
pub(crate) fn rest_cause(run: &Run) -> Option<String> {
    match run.phase {
        Phase::Failed => run
            .failure
            .as_ref()
            .map(|failure| failure.cause.word().to_owned()),
        Phase::Interrupted => run.interrupted.as_ref().map(|i| i.cause.word().to_owned()),
        _ => None,
    }
}

pub(crate) fn rest_detail(run: &Run) -> Option<String> {
    match run.phase {
        Phase::Failed => run.failure.as_ref().map(|failure| failure.message.clone()),
        Phase::Interrupted => run.interrupted.as_ref().map(|i| i.detail.clone()),
        _ => None,
    }
}

fn workspace_view(run: &Run) -> WorkspaceView {
    let facts = run.workspace.as_ref();
    WorkspaceView {
        kind: run.task.workspace,
        path: facts.map(|w| w.path.clone()),
        branch: facts.and_then(|w| w.branch.clone()),
        base: facts.and_then(|w| w.base.clone()),
        left_out: facts.map_or(0, |w| w.left_out),
        discarded: run.discarded,
        bytes: None,
        sandbox: None,
    }
}

pub(crate) fn progress(run: &Run) -> Progress {
    let count = |state| {
        u32::try_from(run.plan.iter().filter(|item| item.state == state).count())
            .unwrap_or(u32::MAX)
    };
    let open = run
        .open_ops
        .values()
        .next_back()
        // A model call's summary says its model already.
        .map(|op| match op.summary.starts_with(&op.name) {
            true => op.summary.clone(),
            false => format!("{} {}", op.name, op.summary),
        });
    let active = run
        .plan
        .iter()
        .find(|item| item.state == PlanState::Active)
        .map(|item| item.text.clone());
    Progress {
        done: count(PlanState::Done),
        total: u32::try_from(run.plan.len()).unwrap_or(u32::MAX),
        now: open.or(active).filter(|_| !run.state().is_over()),
        plan: run
            .plan
            .iter()
            .map(|item| PlanItemView {
                text: item.text.clone(),
                state: item.state,
            })
            .collect(),
    }
}

pub(crate) fn op_view(op: &OpRow) -> OpView {
    OpView {
        id: op.id.0,
        step: op.step,
        kind: op.kind,
        name: op.name.clone(),
        summary: op.summary.clone(),
        class: op.class,
        mode: op.mode,
        state: op.state,
        outcome: match (&op.error, op.outcome) {
            (Some(_), _) => Some("error".to_owned()),
            (None, outcome) => outcome.map(|o| o.word().to_owned()),
        },
        started_at: op.started_at.map(Into::into),
        ended_at: op.ended_at.map(Into::into),
        tokens: op
            .figure
            .is_some()
            .then(|| Usage::new(&op.tokens, u64::from(op.tries.max(1)))),
        cost_usd: op.cost,
    }
}

/// Whole seconds of milliseconds.
pub(crate) fn seconds(ms: i64) -> u64 {
    u64::try_from(ms / 1000).unwrap_or_default()
}

fn budget_view(run: &Run, budget: &Budget) -> BudgetView {
    BudgetView {
        max_cost_usd: budget.max_cost,
        max_tokens: budget.max_tokens,
        max_tool_calls: budget.max_tool_calls,
        max_duration_s: budget.max_active_ms.map(seconds),
        used_cost_usd: run.committed_cost(),
        used_tokens: run.spent.tokens.counted(),
        used_tool_calls: run.spent.tool_calls,
        used_duration_s: seconds(run.spent.active_ms),
    }
}

async fn recovery(store: &Store, run: &Run) -> Result<Option<Recovery>, ApiError> {
    let briefing = match &run.briefing {
        Some(blob) => Some(text(store, blob).await?),
        None => None,
    };
    let interrupted = run.interrupted.as_ref();
    if briefing.is_none() && interrupted.is_none() {
        return Ok(None);
    }
    Ok(Some(Recovery {
        cause: interrupted.map(|i| i.cause.word().to_owned()),
        detail: interrupted.map(|i| i.detail.clone()),
        at: interrupted.map(|i| i.at.into()),
        briefing,
    }))
}

/// A run in a list.
pub(crate) fn summary(row: &RunRow) -> RunSummary {
    let causes: Vec<String> = match row.state {
        RunState::Waiting => row
            .causes
            .iter()
            .map(|cause| cause.word().to_owned())
            .collect(),
        _ => Vec::new(),
    };
    RunSummary {
        id: row.id,
        state: row.state,
        cause: causes
            .first()
            .cloned()
            .or_else(|| row.failure.map(|cause| cause.word().to_owned())),
        causes,
        title: row.title.clone(),
        project: row.project.clone(),
        backend: row.backend.clone(),
        kind: row.kind,
        model: row.model.clone(),
        until: row.wake_at.map(Into::into),
        detail: None,
        now: None,
        answered_by: row.answered_by.clone(),
        max_cost_usd: None,
        max_duration_s: None,
        used_duration_s: seconds(row.spent.active_ms),
        tool_calls: row.spent.tool_calls,
        steps: row.step,
        open_reviews: row.open_reviews,
        cost_usd: row.spent.settled,
        unsettled_cost_usd: row.spent.unsettled,
        created_at: row.created_at.into(),
        updated_at: row.updated_at.into(),
        heard_at: row.updated_at.into(),
        ended_at: row.ended_at.map(Into::into),
        simulated: row.kind == domain::BackendKind::Rehearsal,
    }
}

async fn text(store: &Store, blob: &BlobRef) -> Result<String, ApiError> {
    let bytes = store.blob(blob).await.map_err(ApiError::internal)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn said(store: &Store, blob: Option<&BlobRef>) -> Result<Option<String>, ApiError> {
    match blob {
        Some(blob) => Ok(Some(text(store, blob).await?)),
        None => Ok(None),
    }
}

/// A model's content blocks as their text; anything else as it is.
pub(crate) fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let Ok(serde_json::Value::Array(blocks)) = serde_json::from_str(&text) else {
        return text.into_owned();
    };
    let texts: Vec<&str> = blocks
        .iter()
        .filter_map(|block| block.get("text")?.as_str())
        .collect();
    texts.join("\n")
}

/// The first bytes of a text, to the beginning of a letter; whether that is not all.
pub(crate) fn beginning(mut text: String, bytes: usize) -> (String, bool) {
    if text.len() <= bytes {
        return (text, false);
    }
    text.truncate(text.floor_char_boundary(bytes));
    (text, true)
}
