//! Notifications over the session bus (freedesktop.org's specification).

use std::sync::atomic::{AtomicBool, Ordering};

use notify_rust::{Hint, Notification, NotificationHandle, NotificationResponse, Timeout, Urgency};
use protocol::{Notice, NoticeAction, NoticeKind};
use tokio::sync::OnceCell;

use super::{LIMIT, ScreenError};

/// A notification on the screen. Keeps the connection it can be clicked through.
pub(super) struct Handle(NotificationHandle);

impl Handle {
    /// The server's number.
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(super) async fn close(&self) {
        self.0.close_async().await;
    }

    /// What was chosen; none if it went away unclicked.
    pub(super) async fn clicked(&self, notice: &Notice) -> Option<NoticeAction> {
        let mut answer = None;
        self.0
            .wait_for_action_async(|response: &NotificationResponse| {
                answer = Some(response.clone());
            })
            .await;
        match answer? {
            NotificationResponse::Default => Some(NoticeAction::Open),
            NotificationResponse::Action(key) => NoticeAction::ALL
                .into_iter()
                .find(|action| action.key() == key && notice.actions.contains(action)),
            _ => None,
        }
    }
}

/// Shows a notice in the place of `replaced`.
pub(super) async fn show(notice: &Notice, replaced: Option<u32>) -> Result<Handle, ScreenError> {
    let markup = body_is_markup().await?;
    let body = if markup {
        escaped(&notice.body)
    } else {
        notice.body.clone()
    };
    let mut notification = Notification::new();
    notification
        .appname("Longhaul")
        .summary(&notice.title)
        .body(&body)
        .icon("longhaul")
        .hint(Hint::DesktopEntry("longhaul".to_owned()));
    // What has to be answered stays until it is; the rest goes as the desktop likes.
    match notice.kind {
        NoticeKind::NeedsYou => notification
            .urgency(Urgency::Normal)
            .timeout(Timeout::Never),
        NoticeKind::Finished | NoticeKind::Limit => notification.urgency(Urgency::Low),
        _ => notification.urgency(Urgency::Normal),
    };
    notification.action("default", "Open");
    for action in notice.actions.iter().filter(|a| **a != NoticeAction::Open) {
        notification.action(action.key(), action.label());
    }
    if notice.actions.contains(&NoticeAction::Open) {
        notification.action(NoticeAction::Open.key(), NoticeAction::Open.label());
    }
    if let Some(id) = replaced {
        notification.id(id);
    }
    match tokio::time::timeout(LIMIT, notification.show_async()).await {
        Ok(Ok(handle)) => Ok(Handle(handle)),
        Ok(Err(error)) => Err(ScreenError::Refused(error.to_string())),
        Err(_) => Err(ScreenError::Silent),
    }
}

/// Whether the server reads markup in bodies; asked once.
async fn body_is_markup() -> Result<bool, ScreenError> {
    static MARKUP: OnceCell<bool> = OnceCell::const_new();
    /// The question blocks a thread for as long as the server is silent: never two.
    static ASKING: AtomicBool = AtomicBool::new(false);
    let ask = async || {
        if ASKING.swap(true, Ordering::SeqCst) {
            return Err(ScreenError::Silent);
        }
        let asked = tokio::task::spawn_blocking(|| {
            let answer = notify_rust::get_capabilities();
            ASKING.store(false, Ordering::SeqCst);
            answer
        });
        match tokio::time::timeout(LIMIT, asked).await {
            Ok(Ok(Ok(can))) => Ok(can.iter().any(|one| one == "body-markup")),
            Ok(Ok(Err(error))) => Err(ScreenError::Refused(error.to_string())),
            Ok(Err(error)) => Err(ScreenError::Refused(error.to_string())),
            Err(_) => Err(ScreenError::Silent),
        }
    };
    MARKUP.get_or_try_init(ask).await.copied()
}

/// Text that reads the same where markup is understood.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agents_markup_is_only_text() {
        assert_eq!(
            escaped("<a href='x'>Approve & go</a>"),
            "&lt;a href=&apos;x&apos;&gt;Approve &amp; go&lt;/a&gt;"
        );
    }
}
