//! The desktop shell: a window and a tray icon over the daemon's socket. Nothing here is
//! durable and nothing here owns a run; that ends with this process what the user sees,
//! and nothing else.
//!
//! Read `daemon_link.rs` (who answers, and who is started when nobody does), then
//! `ipc.rs` (what the window may ask), then `tray.rs`.

mod actions;
mod daemon_link;
mod ipc;
mod links;
mod native;
mod notifications;
mod once;
mod perform;
mod stream;
mod surroundings;
mod tray;
mod window;

use std::process::ExitCode;
use std::sync::Arc;

use tauri::{App, AppHandle, Manager, RunEvent, WindowEvent};
use tauri_plugin_window_state::StateFlags;

use crate::daemon_link::DaemonLink;
use crate::stream::Subscriptions;
use crate::surroundings::{Appearance, Surroundings};

/// Runs the application until it is quit.
#[allow(clippy::print_stderr)] // there is no window yet that could say it
pub fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .init();
    let surroundings = match Surroundings::read() {
        Ok(surroundings) => surroundings,
        Err(why) => {
            eprintln!("longhaul-desktop: {why}");
            return ExitCode::FAILURE;
        }
    };
    match build(surroundings) {
        Ok(app) => {
            app.run(on_event);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("longhaul-desktop: the window system cannot be used: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build(surroundings: Surroundings) -> tauri::Result<App> {
    // The second start of a home hands its arguments over and ends: before all else.
    let single = tauri_plugin_single_instance::Builder::new()
        .dbus_id(surroundings.bus_name())
        .callback(|app, arguments, _| {
            let asked = surroundings::Arguments::of(arguments.into_iter().skip(1));
            if asked.appearance == Appearance::Shown {
                window::open(app, asked.route);
            }
        })
        .build();
    // Where the window was is this home's affair too.
    let placement = tauri_plugin_window_state::Builder::new()
        .with_state_flags(StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED)
        .with_filename(surroundings.desktop_file("window.json").to_string_lossy())
        .build();
    tauri::Builder::default()
        .plugin(single)
        .plugin(placement)
        .plugin(tauri_plugin_deep_link::init())
        .plugin(
            tauri_plugin_autostart::Builder::new()
                .app_name("Longhaul")
                .arg(surroundings::HIDDEN)
                .build(),
        )
        .plugin(tauri_plugin_dialog::init())
        .plugin(
            tauri_plugin_opener::Builder::new()
                .open_js_links_on_click(false)
                .build(),
        )
        .invoke_handler(tauri::generate_handler![
            ipc::call,
            ipc::subscribe,
            ipc::unsubscribe,
            native::autostart,
            native::choose_folder,
            native::open_external,
            native::open_workspace,
            native::perform,
            native::save_text,
            native::set_autostart,
            native::set_badge,
            native::start_daemon,
        ])
        .setup(move |app| {
            set_up(app.handle(), surroundings);
            Ok(())
        })
        .build(tauri::generate_context!())
}

fn set_up(app: &AppHandle, surroundings: Surroundings) {
    let link = Arc::new(DaemonLink::new(surroundings.launch.clone()));
    app.manage(Arc::clone(&link));
    app.manage(Subscriptions::default());
    let arguments = surroundings.arguments.clone();
    app.manage(surroundings);
    if arguments.appearance == Appearance::Shown {
        window::open(app, arguments.route);
    }
    notifications::show(app, Arc::clone(&link));
    let tray = tray::show(app);
    let watcher = Arc::clone(&link);
    tauri::async_runtime::spawn(async move { watcher.keep().await });
    match tray {
        Ok(tray) => {
            tauri::async_runtime::spawn(tray.keep_current(link));
        }
        // The same is offered by the window.
        Err(error) => tracing::warn!(%error, "no tray icon"),
    }
}

fn on_event(app: &AppHandle, event: RunEvent) {
    match event {
        // Without a window the tray icon is all there is to see, and that is fine.
        RunEvent::ExitRequested {
            code: None, api, ..
        } => api.prevent_exit(),
        RunEvent::WindowEvent {
            label,
            event: WindowEvent::CloseRequested { api, .. },
            ..
        } if label == window::LABEL => {
            api.prevent_close();
            tauri::async_runtime::spawn(window::put_away(app.clone()));
        }
        // macOS: a click on the icon in the dock.
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => window::open(app, None),
        #[cfg(target_os = "macos")]
        RunEvent::Opened { urls } => {
            let route = urls.iter().find_map(|url| links::route_of(url.as_str()));
            window::open(app, route);
        }
        _ => {}
    }
}
