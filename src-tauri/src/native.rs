//! What the window may ask of the machine. Few things, each narrow.

use std::path::Path;
use std::sync::Arc;

use protocol::{ApiError, OpsWanted, ShowRequest};
use tauri::{AppHandle, Manager, State};
use tauri_plugin_autostart::ManagerExt;
use tauri_plugin_dialog::DialogExt;
use tauri_plugin_opener::OpenerExt;
use tokio::sync::oneshot;

use crate::actions::Action;
use crate::daemon_link::DaemonLink;
use crate::{perform, window};

/// Lets the user choose a folder. None: they did not.
#[tauri::command]
pub(crate) async fn choose_folder(app: AppHandle, start: Option<String>) -> Option<String> {
    let (answer, answered) = oneshot::channel();
    let mut dialog = app.dialog().file().set_title("Choose a project folder");
    if let Some(start) = start {
        dialog = dialog.set_directory(start);
    }
    dialog.pick_folder(move |folder| {
        let _ = answer.send(folder);
    });
    let folder = answered.await.ok().flatten()?.into_path().ok()?;
    Some(folder.to_string_lossy().into_owned())
}

/// Asks where, and writes a text file there (an export). False: the user did not.
#[tauri::command]
pub(crate) async fn save_text(
    app: AppHandle,
    name: String,
    text: String,
) -> Result<bool, ApiError> {
    let (answer, answered) = oneshot::channel();
    // The name is a proposal: a folder in it would lead somewhere the user did not look.
    let name: String = name
        .chars()
        .filter(|c| !matches!(c, '/' | '\\' | '\0'))
        .collect();
    let dialog = app.dialog().file().set_title("Save as").set_file_name(name);
    dialog.save_file(move |file| {
        let _ = answer.send(file);
    });
    let chosen = answered.await.ok().flatten();
    let Some(file) = chosen.and_then(|file| file.into_path().ok()) else {
        return Ok(false);
    };
    match tokio::fs::write(&file, text).await {
        Ok(()) => Ok(true),
        Err(error) => Err(ApiError::new(
            protocol::ErrorCode::Internal,
            format!("{} cannot be written: {error}", file.display()),
            "choose another folder",
        )),
    }
}

/// Opens a web page in the user's browser. Nothing but a web page: what an agent wrote
/// must not start programs.
#[tauri::command]
pub(crate) fn open_external(app: AppHandle, url: String) -> Result<(), ApiError> {
    let refused = || ApiError::usage("only web addresses are opened", "copy it instead");
    let address: tauri::Url = url.parse().map_err(|_| refused())?;
    if !matches!(address.scheme(), "http" | "https") {
        return Err(refused());
    }
    let opened = app.opener().open_url(address.as_str(), None::<&str>);
    opened.map_err(|error| {
        ApiError::new(
            protocol::ErrorCode::Internal,
            format!("no browser could be started: {error}"),
            "copy the address instead",
        )
    })
}

/// Opens the folder a run works in, in the user's file manager. The daemon says which one
/// that is: a page cannot name a path.
#[tauri::command]
pub(crate) async fn open_workspace(
    app: AppHandle,
    link: State<'_, Arc<DaemonLink>>,
    run: String,
) -> Result<(), ApiError> {
    let view = link
        .client()
        .show(ShowRequest {
            run,
            ops: OpsWanted::None,
        })
        .await;
    let view = view.map_err(|error| error.to_api())?;
    let folder = view.workspace.path.filter(|path| Path::new(path).is_dir());
    let Some(folder) = folder else {
        return Err(ApiError::not_found(
            "the run's workspace is not there",
            "it is made when the run starts, and gone when it was discarded",
        ));
    };
    // On macOS a folder can be a program, which opening would start: there it is only shown.
    let opened = if cfg!(target_os = "macos") {
        app.opener().reveal_item_in_dir(&folder)
    } else {
        app.opener().open_path(&folder, None::<&str>)
    };
    opened.map_err(|error| {
        ApiError::new(
            protocol::ErrorCode::Internal,
            format!("no file manager could be started: {error}"),
            format!("open {folder} yourself"),
        )
    })
}

/// Whether the application starts at login, without its window.
#[tauri::command]
pub(crate) fn autostart(app: AppHandle) -> Result<bool, ApiError> {
    app.autolaunch().is_enabled().map_err(login_failed)
}

/// Has it start at login, or not any more.
#[tauri::command]
pub(crate) fn set_autostart(app: AppHandle, on: bool) -> Result<(), ApiError> {
    let login = app.autolaunch();
    let done = if on { login.enable() } else { login.disable() };
    done.map_err(login_failed)
}

fn login_failed(error: tauri_plugin_autostart::Error) -> ApiError {
    ApiError::new(
        protocol::ErrorCode::Internal,
        format!("the start at login cannot be changed: {error}"),
        "look at ~/.config/autostart",
    )
}

/// Shows in title and dock how many things wait for the user.
#[tauri::command]
pub(crate) fn set_badge(app: AppHandle, count: Option<u32>) {
    let Some(window) = app.get_webview_window(window::LABEL) else {
        return;
    };
    let count = count.filter(|count| *count > 0);
    let title = count.map_or("Longhaul".to_owned(), |n| format!("({n}) Longhaul"));
    // A desktop without badges, or a window that is going: nothing is lost.
    let _ = window.set_title(&title);
    let _ = window.set_badge_count(count.map(i64::from));
}

/// Does one of the shell's own actions, named by its id.
#[tauri::command]
pub(crate) async fn perform(app: AppHandle, action: String) -> Result<(), ApiError> {
    let Some(action) = Action::of(&action) else {
        return Err(ApiError::not_found(
            format!("the shell has no action '{action}'"),
            "the window and the shell are of different versions: start Longhaul again",
        ));
    };
    perform::perform(&app, action).await
}

/// Starts a daemon that was stopped.
#[tauri::command]
pub(crate) async fn start_daemon(link: State<'_, Arc<DaemonLink>>) -> Result<(), ApiError> {
    link.start().await
}
