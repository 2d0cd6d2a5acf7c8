//! What a click on a notice does. A decision goes the way of every decision; what cannot
//! be done any more is answered with another notice.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use domain::{ReviewId, ReviewState, RunState};
use notices::Click;
use protocol::{
    ApiError, DecideRequest, ErrorCode, Notice, NoticeActRequest, NoticeActed, NoticeAction,
    ResumeRequest, RunSelector,
};
use store::ReviewStatus;

use crate::api::{Api, Working};
use crate::handlers;

/// Through what these decisions are given.
const BY: &str = "notification";

/// The desktop application's program.
const DESKTOP: &str = "longhaul-desktop";

/// An application that runs for so long has opened its window.
const OPENS_WITHIN: Duration = Duration::from_secs(5);

/// What is left without a window.
const IN_A_TERMINAL: &str =
    "In a terminal, `longhaul reviews` and `longhaul runs` show what there is.";

/// Does what was clicked.
pub(crate) async fn act(api: &Api, request: NoticeActRequest) -> Result<NoticeActed, ApiError> {
    let NoticeActRequest { action, notice } = request;
    let done = match action {
        NoticeAction::Open => {
            return Ok(NoticeActed {
                open: Some(notice.link),
                refused: None,
            });
        }
        NoticeAction::Approve | NoticeAction::Reject => decide(api, &notice, action).await,
        NoticeAction::Resume => resume(api, &notice).await,
    };
    let refused = match done {
        Ok(()) => None,
        Err(error) if error.code == ErrorCode::Internal => return Err(error),
        Err(error) => Some(error.message),
    };
    if let Some(words) = &refused {
        let reply = notices::reply(&notice, words, api.inner.clock.now());
        api.working()?.notifier.hand_out(api, reply);
    }
    Ok(NoticeActed {
        open: None,
        refused,
    })
}

async fn decide(api: &Api, notice: &Notice, action: NoticeAction) -> Result<(), ApiError> {
    let review = notice.review.ok_or_else(|| {
        ApiError::usage("this notice asks for no decision", "open the item instead")
    })?;
    let request = DecideRequest {
        review: review.to_string(),
        choice: action.key().to_owned(),
        note: None,
        max_cost_usd: None,
        by: BY.to_owned(),
        grace_ms: 0,
        arguments: None,
        rule: None,
    };
    match handlers::decide(api, request).await {
        Ok(_) => Ok(()),
        Err(mut error) => {
            if let Some(words) = already(api.working()?, review).await? {
                error.message = words;
            }
            Err(error)
        }
    }
}

/// What became of a review that is no longer open, in words.
async fn already(working: &Working, id: ReviewId) -> Result<Option<String>, ApiError> {
    let row = working.store.review(id).await.map_err(ApiError::internal)?;
    let Some(row) = row.filter(|row| row.status != ReviewStatus::Open) else {
        return Ok(None);
    };
    if let (ReviewStatus::Withdrawn, Some(why)) = (row.status, &row.withdrawn) {
        return Ok(Some(format!("This no longer needs an answer: {why}.")));
    }
    let ReviewState::Decided(answer) = &row.review.state else {
        return Ok(Some("This no longer needs an answer.".to_owned()));
    };
    let choices = &row.review.choices;
    let chosen = choices.iter().find(|choice| choice.id == answer.choice);
    let label = chosen.map_or(answer.choice.as_str(), |choice| &choice.label);
    let by = match answer.by.as_str() {
        "cli" => "in a terminal",
        "desktop" => "in the window",
        "browser" => "in a browser",
        "notification" => "from a notification",
        _ => "elsewhere",
    };
    Ok(Some(format!("This was answered already, {by}: {label}.")))
}

async fn resume(api: &Api, notice: &Notice) -> Result<(), ApiError> {
    let store = &api.working()?.store;
    let mut resumed = 0;
    for run in &notice.runs {
        let row = store.run_row(*run).await.map_err(ApiError::internal)?;
        if row.is_some_and(|row| row.state == RunState::Interrupted) {
            let runs = RunSelector::One(run.to_string());
            handlers::resume(api, ResumeRequest { runs }).await?;
            resumed += 1;
        }
    }
    if resumed > 0 {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::Conflict,
        "Nothing waits to be resumed any more.",
        "`longhaul runs` lists what there is",
    ))
}

/// Somebody clicked on a notice that the daemon shows itself.
pub(super) async fn clicked(api: Api, click: Click) {
    let notice = click.notice.clone();
    let request = NoticeActRequest {
        action: click.action,
        notice: click.notice,
    };
    tracing::info!(id = notice.id, action = ?request.action, "a notice was clicked");
    let failed = match act(&api, request).await {
        Ok(NoticeActed {
            open: Some(link), ..
        }) => open(&api, &link).await.err(),
        Ok(_) => None,
        Err(error) => Some(error.message),
    };
    if let (Some(words), Ok(working)) = (failed, api.working()) {
        tracing::warn!(%words, "a click on a notice did nothing");
        let reply = notices::reply(&notice, &words, api.inner.clock.now());
        working.notifier.hand_out(&api, reply);
    }
}

/// Starts the desktop application at the item; one that runs is told by the new one.
async fn open(api: &Api, link: &str) -> Result<(), String> {
    let options = &api.inner.options;
    let beside = options.program.with_file_name(DESKTOP);
    let program = match beside.is_file() {
        true => beside,
        false => PathBuf::from(DESKTOP),
    };
    let mut command = tokio::process::Command::new(&program);
    command
        .arg(link)
        .env("LONGHAUL_HOME", &options.paths.home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let mut child = command.spawn().map_err(|error| {
        tracing::warn!(%error, program = %program.display(), "the window cannot be opened");
        format!("Longhaul's window is not installed here. {IN_A_TERMINAL}")
    })?;
    // Where one runs already, the new one tells it and ends well. One that ends badly
    // right away found no display.
    match tokio::time::timeout(OPENS_WITHIN, child.wait()).await {
        Ok(Ok(status)) if !status.success() => {
            tracing::warn!(%status, "the window could not be opened");
            Err(format!(
                "Longhaul's window could not be opened ({status}). {IN_A_TERMINAL}"
            ))
        }
        Ok(_) => Ok(()),
        Err(_) => {
            tokio::spawn(async move { child.wait().await });
            Ok(())
        }
    }
}
