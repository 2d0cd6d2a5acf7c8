//! Doing what the tray and the palette ask for.

use std::sync::Arc;

use domain::{RunId, RunState};
use protocol::{
    ApiError, PauseRequest, ResumeRequest, RunSelector, RunsRequest, StopHow, StopRequest,
};
use tauri::{AppHandle, Manager};
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons, MessageDialogKind};
use tokio::sync::oneshot;

use crate::actions::Action;
use crate::daemon_link::DaemonLink;
use crate::links::Route;
use crate::window;

/// Does it.
///
/// # Errors
/// The daemon's own words, or that it cannot be reached.
pub(crate) async fn perform(app: &AppHandle, action: Action) -> Result<(), ApiError> {
    let link = Arc::clone(&app.state::<Arc<DaemonLink>>());
    match action {
        Action::OpenInbox => window::open(app, Some(Route::Inbox)),
        Action::OpenRun(run) => window::open(app, Some(Route::Run(run.to_string()))),
        Action::NewRun => window::open(app, Some(Route::NewRun)),
        Action::OpenWindow => window::open(app, None),
        Action::QuitWindow => app.exit(0),
        Action::ResumeRun(run) => resume(&link, run).await?,
        Action::ResumeInterrupted => resume_interrupted(&link).await?,
        Action::PauseAll => {
            let runs = RunSelector::All;
            let answer = link.client().pause(PauseRequest { runs }).await;
            answer.map_err(|error| error.to_api())?;
        }
        Action::StopEverything => {
            if confirmed(app).await {
                stop(&link).await?;
            }
        }
        Action::StartDaemon => link.start().await?,
    }
    Ok(())
}

async fn resume(link: &DaemonLink, run: RunId) -> Result<(), ApiError> {
    let runs = RunSelector::One(run.to_string());
    let answer = link.client().resume(ResumeRequest { runs }).await;
    answer.map(drop).map_err(|error| error.to_api())
}

/// One after the other; one that cannot be resumed does not keep back the others.
async fn resume_interrupted(link: &DaemonLink) -> Result<(), ApiError> {
    let request = RunsRequest {
        state: Some(RunState::Interrupted),
        ..RunsRequest::default()
    };
    let list = link.client().runs(request).await;
    let list = list.map_err(|error| error.to_api())?;
    let mut first_refusal = Ok(());
    for run in &list.runs {
        let resumed = resume(link, run.id).await;
        first_refusal = first_refusal.and(resumed);
    }
    first_refusal
}

async fn stop(link: &DaemonLink) -> Result<(), ApiError> {
    let how = StopHow::Drain;
    let answer = link.client().stop(StopRequest { how }).await;
    answer.map(drop).map_err(|error| error.to_api())
}

async fn confirmed(app: &AppHandle) -> bool {
    let (answer, answered) = oneshot::channel();
    app.dialog()
        .message(
            "Every run stops at its next safe point and nothing new starts, until Longhaul is \
             started again. Nothing is lost: runs that were stopped can be resumed.",
        )
        .title("Stop everything?")
        .kind(MessageDialogKind::Warning)
        .buttons(MessageDialogButtons::OkCancelCustom(
            "Stop everything".to_owned(),
            "Go on".to_owned(),
        ))
        .show(move |stop| {
            let _ = answer.send(stop);
        });
    answered.await.unwrap_or(false)
}
