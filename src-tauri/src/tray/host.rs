//! Whether the desktop shows tray icons.

use std::time::Duration;

/// A session bus that takes longer has no tray for us.
const LIMIT: Duration = Duration::from_secs(2);

/// On Linux somebody must play the host on the session bus (GNOME has none without an
/// extension); elsewhere the system does.
pub(crate) async fn has_host() -> bool {
    if cfg!(not(target_os = "linux")) {
        return true;
    }
    matches!(tokio::time::timeout(LIMIT, ask()).await, Ok(Ok(true)))
}

async fn ask() -> zbus::Result<bool> {
    const WATCHER: &str = "org.kde.StatusNotifierWatcher";
    let bus = zbus::Connection::session().await?;
    let answer = bus
        .call_method(
            Some(WATCHER),
            "/StatusNotifierWatcher",
            Some("org.freedesktop.DBus.Properties"),
            "Get",
            &(WATCHER, "IsStatusNotifierHostRegistered"),
        )
        .await?;
    let value: zbus::zvariant::OwnedValue = answer.body().deserialize()?;
    Ok(bool::try_from(value)?)
}
