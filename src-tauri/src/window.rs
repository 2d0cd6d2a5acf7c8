//! The one window.

use tauri::webview::{NewWindowResponse, PageLoadEvent};
use tauri::{AppHandle, Emitter, Manager, Url, WebviewUrl, WebviewWindowBuilder};
use tauri_plugin_dialog::{DialogExt, MessageDialogKind};

use crate::links::Route;
use crate::once::first_time;
use crate::stream::Subscriptions;
use crate::surroundings::Surroundings;
use crate::tray;

/// Its name inside the program, and in the capability that is given to it.
pub(crate) const LABEL: &str = "main";

/// The event by which an open page is told to show a place; its payload is the path.
const OPEN: &str = "open";

/// The mark that the desktop's missing tray was explained.
const NO_TRAY: &str = "no-tray";

/// Shows the window, and in it a place.
pub(crate) fn open(app: &AppHandle, route: Option<Route>) {
    let path = route.map(|route| route.path());
    let shown = match app.get_webview_window(LABEL) {
        Some(window) => path
            .map_or(Ok(()), |path| window.emit(OPEN, path))
            .and_then(|()| window.show())
            .and_then(|()| window.unminimize())
            .and_then(|()| window.set_focus()),
        None => make(app, path),
    };
    if let Err(error) = shown {
        tracing::error!(%error, "the window cannot be shown");
    }
}

fn make(app: &AppHandle, path: Option<String>) -> tauri::Result<()> {
    let home = app.state::<Surroundings>().launch.paths.home.clone();
    // The interface's router reads what follows the hash.
    let page = format!("index.html#{}", path.as_deref().unwrap_or("/"));
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App(page.into()))
        .title("Longhaul")
        .inner_size(1240.0, 820.0)
        .min_inner_size(480.0, 360.0)
        // What the page keeps (which columns, which theme) is this home's too.
        .data_directory(home.join("desktop/webview"))
        // The page never leaves itself, whatever an agent wrote into it.
        .on_navigation(is_ours)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .on_page_load(|window, load| {
            if load.event() == PageLoadEvent::Started {
                window.state::<Subscriptions>().close_all();
            }
        })
        .build()?;
    Ok(())
}

/// Whether an address is the page's own: the embedded files, or the development server.
fn is_ours(address: &Url) -> bool {
    let host = address.host_str().unwrap_or_default();
    match address.scheme() {
        "tauri" => host == "localhost",
        "http" | "https" if host == "tauri.localhost" => true,
        "http" => cfg!(dev) && host == "127.0.0.1",
        _ => false,
    }
}

/// The window was closed: it goes into the tray where there is one, else the program
/// ends, which is explained once. Runs go on either way.
pub(crate) async fn put_away(app: AppHandle) {
    if tray::has_host().await {
        if let Some(window) = app.get_webview_window(LABEL)
            && let Err(error) = window.hide()
        {
            tracing::error!(%error, "the window cannot be hidden");
        }
        return;
    }
    let marks = app.state::<Surroundings>().desktop_file("said");
    if first_time(&marks, NO_TRAY) {
        let quit = app.clone();
        app.dialog()
            .message(
                "This desktop shows no tray icons, so closing the window quits it.\n\n\
                 Your runs go on in the background. Open Longhaul again to see them, or use \
                 the `longhaul` command.",
            )
            .title("Runs go on")
            .kind(MessageDialogKind::Info)
            .show(move |_| quit.exit(0));
        return;
    }
    app.exit(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_stays_where_it_is() {
        let ours = |text: &str| is_ours(&text.parse().expect("an address"));
        assert!(ours("tauri://localhost/index.html#/runs"));
        for other in [
            "https://example.org/",
            "tauri://example.org/",
            "http://localhost.example.org/",
            "file:///etc/passwd",
            "data:text/html,x",
            "javascript:alert(1)",
            "about:blank",
        ] {
            assert!(!ours(other), "{other}");
        }
    }
}
