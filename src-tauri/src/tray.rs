//! The tray icon and its menu. They show what the daemon says, at most twice a second,
//! and work with the window closed.

mod host;
mod menu;
mod picture;

use std::sync::Arc;
use std::time::Duration;

use domain::RunState;
use protocol::{DaemonStatus, RunSummary, RunsRequest, StatusRequest};
use tauri::AppHandle;
use tauri::menu::MenuEvent;
use tokio::time::sleep;

use crate::actions::Action;
use crate::daemon_link::{DaemonLink, LinkState};
use crate::perform::perform;

pub(crate) use host::has_host;

use menu::ShownMenu;
use picture::{Facts, Mood, Picture, RunLine};

/// Shortest time between two looks.
const AT_MOST_EVERY: Duration = Duration::from_millis(500);

/// The icon.
pub(crate) struct Tray {
    app: AppHandle,
    icon: tauri::tray::TrayIcon,
    menu: ShownMenu,
    mood: Mood,
}

/// Puts the icon up, before anything is known.
pub(crate) fn show(app: &AppHandle) -> tauri::Result<Tray> {
    let first = Picture::of(&Facts::new(LinkState::Connecting));
    let menu = ShownMenu::build(app, first.lines)?;
    let icon = tauri::tray::TrayIconBuilder::with_id("longhaul")
        .icon(icon_of(first.mood))
        .tooltip("Longhaul")
        .menu(menu.menu())
        .on_menu_event(on_menu_event)
        .build(app)?;
    Ok(Tray {
        app: app.clone(),
        icon,
        menu,
        mood: first.mood,
    })
}

fn icon_of(mood: Mood) -> tauri::image::Image<'static> {
    match mood {
        Mood::Calm => tauri::include_image!("icons/tray/calm.png"),
        Mood::Working => tauri::include_image!("icons/tray/working.png"),
        Mood::NeedsYou => tauri::include_image!("icons/tray/needs-you.png"),
        Mood::Trouble => tauri::include_image!("icons/tray/trouble.png"),
    }
}

fn on_menu_event(app: &AppHandle, event: MenuEvent) {
    let Some(action) = Action::of(event.id().as_ref()) else {
        return;
    };
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        if let Err(error) = perform(&app, action).await {
            complain(&app, &error);
        }
    });
}

/// There may be no window: what failed is said by a dialog of its own.
fn complain(app: &AppHandle, error: &protocol::ApiError) {
    use tauri_plugin_dialog::{DialogExt, MessageDialogKind};
    app.dialog()
        .message(format!("{}\n\n{}", error.message, error.hint))
        .title("That did not work")
        .kind(MessageDialogKind::Error)
        .show(|_| {});
}

impl Tray {
    /// Keeps icon and menu as the daemon says, for as long as the application runs.
    pub(crate) async fn keep_current(mut self, link: Arc<DaemonLink>) {
        let mut news = link.news();
        loop {
            news.borrow_and_update();
            let state = link.state().borrow().clone();
            let facts = look(&link, state).await;
            if let Err(error) = self.draw(Picture::of(&facts)) {
                tracing::warn!(%error, "the tray icon cannot be drawn");
            }
            sleep(AT_MOST_EVERY).await;
            if news.changed().await.is_err() {
                return;
            }
        }
    }

    fn draw(&mut self, picture: Picture) -> tauri::Result<()> {
        if let Some(menu) = self.menu.change_to(&self.app, picture.lines)? {
            self.icon.set_menu(Some(menu.menu().clone()))?;
            self.menu = menu;
        }
        if self.mood != picture.mood {
            self.icon.set_icon(Some(icon_of(picture.mood)))?;
            self.mood = picture.mood;
        }
        // Where tooltips are shown. Linux has none: the first line says the same.
        self.icon.set_tooltip(Some(&picture.status))
    }
}

/// Reads what is shown. What cannot be read is not shown.
async fn look(link: &DaemonLink, state: LinkState) -> Facts {
    let mut facts = Facts::new(state);
    if facts.link != LinkState::Up {
        return facts;
    }
    let Ok(status) = link.client().status(StatusRequest {}).await else {
        return facts;
    };
    for &state in picture::LIVE {
        facts.live.extend(runs(link, &status, state).await);
    }
    facts.interrupted = runs(link, &status, RunState::Interrupted).await;
    facts.status = Some(status);
    facts
}

async fn runs(link: &DaemonLink, status: &DaemonStatus, state: RunState) -> Vec<RunLine> {
    if status
        .runs
        .get(state.word())
        .is_none_or(|count| *count == 0)
    {
        return Vec::new();
    }
    let request = RunsRequest {
        state: Some(state),
        limit: Some(picture::MOST_RUNS),
        ..RunsRequest::default()
    };
    match link.client().runs(request).await {
        Ok(list) => list.runs.iter().map(line_of).collect(),
        Err(_) => Vec::new(),
    }
}

fn line_of(run: &RunSummary) -> RunLine {
    RunLine {
        id: run.id,
        title: run.title.clone(),
        state: run.state,
        cause: run.cause.clone(),
        steps: run.steps,
        cost: run.cost_usd,
        open_reviews: run.open_reviews,
    }
}
