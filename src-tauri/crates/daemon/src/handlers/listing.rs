//! The list of runs: whole, what changed since, or with certain words.

use std::collections::HashMap;
use std::time::Duration;

use domain::{Run, RunId, RunState};
use protocol::{ApiError, RunList, RunSummary, RunsRequest};
use store::{RunFilter, RunRow, Store};
use tokio::time::Instant;

use crate::api::Api;
use crate::views;

/// How long a search for words may take.
const SEARCH: Duration = Duration::from_millis(1500);

/// Runs looked through between two looks at the time.
const AT_ONCE: usize = 100;

pub(crate) async fn runs(api: &Api, request: RunsRequest) -> Result<RunList, ApiError> {
    let store = &api.working()?.store;
    // Before the rows are read: what is recorded meanwhile is in the next answer, too.
    let cursor = store.cursor(store.last_gseq());
    let since = match &request.since {
        Some(cursor) => Some(store.position(cursor).ok_or_else(|| {
            ApiError::not_found("this cursor is not known here", "read the whole list again")
        })?),
        None => None,
    };
    let words = words(request.text.as_deref());
    let filter = RunFilter {
        // What left a state must be seen to have left it.
        state: request.state.filter(|_| since.is_none()),
        project: request.project,
        backend: request.backend,
        since,
        limit: request.limit.filter(|_| words.is_empty()),
    };
    let rows = store.runs(&filter).await.map_err(ApiError::internal)?;
    let limit = request.limit.map_or(usize::MAX, |limit| limit as usize);
    let (rows, partial) = match words.is_empty() {
        true => (rows, false),
        false => with_words(store, rows, &words, limit).await?,
    };
    Ok(RunList {
        runs: summaries(api, rows).await?,
        cursor,
        partial,
    })
}

fn words(text: Option<&str>) -> Vec<String> {
    let text = text.unwrap_or_default().to_lowercase();
    text.split_whitespace().map(str::to_owned).collect()
}

/// The runs that have every word in title, project or prompt, or in what was said,
/// newest first, as far as the time goes.
async fn with_words(
    store: &Store,
    rows: Vec<RunRow>,
    words: &[String],
    limit: usize,
) -> Result<(Vec<RunRow>, bool), ApiError> {
    let until = Instant::now() + SEARCH;
    let mut found = Vec::new();
    let mut rows = rows.into_iter();
    loop {
        let some: Vec<RunRow> = rows.by_ref().take(AT_ONCE).collect();
        if some.is_empty() || found.len() >= limit {
            found.truncate(limit);
            return Ok((found, false));
        }
        if Instant::now() >= until {
            return Ok((found, true));
        }
        found.extend(matching(store, some, words).await?);
    }
}

async fn matching(
    store: &Store,
    rows: Vec<RunRow>,
    words: &[String],
) -> Result<Vec<RunRow>, ApiError> {
    let ids: Vec<RunId> = rows.iter().map(|row| row.id).collect();
    let prompts = store.prompts(&ids).await.map_err(ApiError::internal)?;
    let mut missing: HashMap<&str, Vec<RunId>> = HashMap::new();
    let mut lacks: HashMap<RunId, usize> = HashMap::new();
    for row in &rows {
        let prompt = prompts.get(&row.id).map_or("", String::as_str);
        let text = format!("{}\n{}\n{prompt}", row.title, row.project).to_lowercase();
        for word in words.iter().filter(|word| !text.contains(word.as_str())) {
            missing.entry(word).or_default().push(row.id);
            *lacks.entry(row.id).or_default() += 1;
        }
    }
    for (word, runs) in missing {
        let said = store.runs_where_said(&runs, word).await;
        for run in said.map_err(ApiError::internal)? {
            lacks.entry(run).and_modify(|n| *n -= 1);
        }
    }
    let has_all = |row: &RunRow| lacks.get(&row.id).is_none_or(|n| *n == 0);
    Ok(rows.into_iter().filter(has_all).collect())
}

/// The rows as a list shows them. Of runs that are not over their folds are looked at:
/// they are few and mostly at hand.
pub(crate) async fn summaries(api: &Api, rows: Vec<RunRow>) -> Result<Vec<RunSummary>, ApiError> {
    let store = &api.working()?.store;
    let failed: Vec<RunId> = rows
        .iter()
        .filter(|row| row.state == RunState::Failed)
        .map(|row| row.id)
        .collect();
    let failures = store.failures(&failed).await.map_err(ApiError::internal)?;
    let mut list = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut summary = views::summary(row);
        if !row.state.is_over() {
            let run = store.load(row.id).await.map_err(ApiError::internal)?;
            if let Some(run) = run {
                tell_of_live(api, &mut summary, &run);
            }
        }
        if let Some(message) = failures.get(&row.id) {
            summary.detail = Some(message.clone());
        }
        list.push(summary);
    }
    Ok(list)
}

/// One run's row as a list shows it.
pub(crate) async fn summary_of(api: &Api, run: RunId) -> Result<RunSummary, ApiError> {
    let row = api.working()?.store.run_row(run).await;
    let row = row.map_err(ApiError::internal)?.ok_or_else(|| {
        ApiError::not_found(
            format!("there is no run {run}"),
            "`longhaul runs` lists them",
        )
    })?;
    let mut one = summaries(api, vec![row]).await?;
    one.pop()
        .ok_or_else(|| ApiError::internal("a run's row has no summary"))
}

fn tell_of_live(api: &Api, summary: &mut RunSummary, run: &Run) {
    let progress = views::progress(run);
    let wait = run
        .waits
        .first()
        .filter(|_| summary.state == RunState::Waiting);
    summary.until = wait.and_then(|wait| wait.until).map(Into::into);
    summary.detail = wait
        .map(|wait| wait.detail.clone())
        .filter(|words| !words.is_empty())
        .or_else(|| views::rest_detail(run));
    if summary.cause.is_none() {
        summary.cause = views::rest_cause(run);
    }
    summary.now = progress.now.filter(|_| !summary.state.at_rest());
    summary.max_cost_usd = run.budget.max_cost;
    summary.max_duration_s = run.budget.max_active_ms.map(views::seconds);
    if let Some(at) = api.inner.heard.at(run.id) {
        summary.heard_at = summary.heard_at.max(at.into());
    }
}
