//! Notices on the desktop. The daemon says what is told; this program shows it while it
//! runs, with or without a window, and the daemon does when it is gone.

use std::sync::Arc;
use std::time::Duration;

use notices::{Click, Screen};
use protocol::{NoticeActRequest, NoticeActed, NoticesRequest};
use tauri::AppHandle;
use tokio::sync::mpsc;

use crate::daemon_link::DaemonLink;
use crate::links;
use crate::window;

/// How long a call waits for something to show, in milliseconds.
const WAIT_MS: u32 = 25_000;

/// Spacing of attempts while the daemon does not answer or another program shows notices.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Shows notices for as long as the application runs.
pub(crate) fn show(app: &AppHandle, link: Arc<DaemonLink>) {
    let (sender, clicks) = mpsc::unbounded_channel();
    let screen = Screen::new(sender);
    tauri::async_runtime::spawn(hold_lease(Arc::clone(&link), screen));
    tauri::async_runtime::spawn(mind_clicks(app.clone(), link, clicks));
}

async fn hold_lease(link: Arc<DaemonLink>, screen: Screen) {
    let holder = format!("desktop-{}", std::process::id());
    let mut shown = Vec::new();
    loop {
        link.settled().await;
        let request = NoticesRequest {
            holder: holder.clone(),
            shown: shown.clone(),
            wait_ms: WAIT_MS,
            leaving: false,
        };
        let Ok(answer) = link.client().notices(request).await else {
            tokio::time::sleep(TRY_AGAIN).await;
            continue;
        };
        shown.clear();
        for id in &answer.close {
            screen.close(id).await;
        }
        for notice in &answer.show {
            match screen.show(notice).await {
                Ok(()) => shown.push(notice.id.clone()),
                // What is not named as shown, the daemon shows, if it can.
                Err(error) => tracing::warn!(%error, "a notice was not shown"),
            }
        }
        if !answer.leased {
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }
}

async fn mind_clicks(
    app: AppHandle,
    link: Arc<DaemonLink>,
    mut clicks: mpsc::UnboundedReceiver<Click>,
) {
    while let Some(Click { notice, action }) = clicks.recv().await {
        let item = links::route_of(&notice.link);
        let request = NoticeActRequest { action, notice };
        link.settled().await;
        match link.client().notice_act(request).await {
            Ok(NoticeActed {
                open: Some(link), ..
            }) => window::open(&app, links::route_of(&link)),
            // Done, or the daemon answers with another notice.
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "a click on a notice did nothing");
                // The window says how it stands.
                window::open(&app, item);
            }
        }
    }
}
