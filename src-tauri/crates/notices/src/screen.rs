//! The system's notifications. Both the daemon and the desktop application show notices
//! with this; it needs a tokio runtime.

#[cfg(not(all(unix, not(target_os = "macos"))))]
mod absent;
#[cfg(all(unix, not(target_os = "macos")))]
mod freedesktop;

#[cfg(not(all(unix, not(target_os = "macos"))))]
use self::absent as platform;
#[cfg(all(unix, not(target_os = "macos")))]
use self::freedesktop as platform;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::{Notice, NoticeAction};
use tokio::sync::mpsc;

/// A notification server that takes longer does not work.
const LIMIT: Duration = Duration::from_secs(5);

/// Notifications that can be clicked at the same time; the oldest makes place.
const AT_ONCE: usize = 32;

/// Why a notice is not shown.
#[derive(Debug, thiserror::Error)]
pub enum ScreenError {
    /// There is no notification server, or it refuses.
    #[error("the system's notifications do not work: {0}")]
    Refused(String),
    /// There is one, and it does not answer.
    #[error("the system's notifications do not answer")]
    Silent,
}

/// Somebody clicked on a notice.
#[derive(Clone, Debug)]
pub struct Click {
    /// The notice.
    pub notice: Notice,
    /// What was chosen; a click on the notice itself opens.
    pub action: NoticeAction,
}

/// Shows notices and tells of clicks. Cheap to clone.
#[derive(Clone)]
pub struct Screen {
    shown: Arc<Mutex<Shown>>,
    clicks: mpsc::UnboundedSender<Click>,
}

#[derive(Default)]
struct Shown {
    /// By slot.
    places: HashMap<String, Place>,
    serial: u64,
}

struct Place {
    id: String,
    serial: u64,
    handle: Arc<platform::Handle>,
    watch: tokio::task::AbortHandle,
}

impl Screen {
    /// Tells `clicks` of what is clicked.
    pub fn new(clicks: mpsc::UnboundedSender<Click>) -> Self {
        Self {
            shown: Arc::default(),
            clicks,
        }
    }

    fn shown(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.shown
            .lock()
            .expect("nobody panics while holding what is shown")
    }

    /// Shows a notice in the place of an earlier one with the same slot.
    ///
    /// # Errors
    /// [`ScreenError`]: there is nothing to show it with. Never takes longer than 10 s.
    pub async fn show(&self, notice: &Notice) -> Result<(), ScreenError> {
        let replaced = self.shown().places.get(&notice.slot).map(|p| p.handle.id());
        let showing = platform::show(notice, replaced);
        let handle = tokio::time::timeout(LIMIT * 2, showing)
            .await
            .map_err(|_| ScreenError::Silent)??;
        let handle = Arc::new(handle);
        let mut shown = self.shown();
        shown.serial += 1;
        let serial = shown.serial;
        let watch = tokio::spawn(self.clone().watch(notice.clone(), serial, handle.clone()));
        let place = Place {
            id: notice.id.clone(),
            serial,
            handle,
            watch: watch.abort_handle(),
        };
        if let Some(old) = shown.places.insert(notice.slot.clone(), place) {
            old.watch.abort();
        }
        if shown.places.len() > AT_ONCE
            && let Some(oldest) = shown
                .places
                .iter()
                .min_by_key(|(_, place)| place.serial)
                .map(|(slot, _)| slot.clone())
            && let Some(place) = shown.places.remove(&oldest)
        {
            place.watch.abort();
        }
        Ok(())
    }

    /// Waits until the notification is clicked or gone.
    async fn watch(self, notice: Notice, serial: u64, handle: Arc<platform::Handle>) {
        let action = handle.clicked(&notice).await;
        {
            let mut shown = self.shown();
            if shown
                .places
                .get(&notice.slot)
                .is_some_and(|p| p.serial == serial)
            {
                shown.places.remove(&notice.slot);
            }
        }
        if let Some(action) = action {
            // A click takes the notification away; some servers leave it.
            let _ = tokio::time::timeout(LIMIT, handle.close()).await;
            let _ = self.clicks.send(Click { notice, action });
        }
    }

    /// Takes a notice away, if it is still there.
    pub async fn close(&self, id: &str) {
        let place = {
            let mut shown = self.shown();
            let slot = shown
                .places
                .iter()
                .find(|(_, place)| place.id == id)
                .map(|(slot, _)| slot.clone());
            slot.and_then(|slot| shown.places.remove(&slot))
        };
        if let Some(place) = place {
            place.watch.abort();
            let _ = tokio::time::timeout(LIMIT, place.handle.close()).await;
        }
    }

    /// Takes all of them away: nobody will hear of a click on them.
    pub async fn close_all(&self) {
        let places: Vec<Place> = self
            .shown()
            .places
            .drain()
            .map(|(_, place)| place)
            .collect();
        let closing = async {
            for place in &places {
                place.watch.abort();
                place.handle.close().await;
            }
        };
        let _ = tokio::time::timeout(LIMIT, closing).await;
    }
}
