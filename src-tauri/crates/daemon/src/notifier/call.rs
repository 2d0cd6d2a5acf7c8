//! Calls of the desktop application that shows notices.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use notices::Held;
use protocol::{ApiError, Notices, NoticesRequest};

use super::Notifier;
use crate::api::Api;

impl Notifier {
    /// A call of the desktop application: see [`protocol::NoticesRequest`].
    pub(crate) async fn call(
        self: &Arc<Self>,
        api: &Api,
        request: NoticesRequest,
    ) -> Result<Notices, ApiError> {
        let wait = Duration::from_millis(request.wait_ms.min(protocol::MAX_NOTICES_WAIT_MS).into());
        let until = tokio::time::Instant::now() + wait;
        let mut connection = Connection {
            notifier: self.clone(),
            serial: self.calls.fetch_add(1, Ordering::SeqCst) + 1,
            holder: request.holder.clone(),
            answered: false,
        };
        if !request.shown.is_empty() {
            {
                let mut state = self.state();
                let holds = state.desk.call(&request, api.inner.clock.now()) != Held::ByAnother;
                for id in request.shown.iter().filter(|_| holds) {
                    state.board.delivered(id);
                }
            }
            self.remember(api, api.working()?).await;
        }
        loop {
            let changed = self.offered.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let (held, given) = self.look(api, &request, connection.serial);
            if let Some(given) = given {
                connection.answered = true;
                return Ok(given);
            }
            let over = tokio::select! {
                () = &mut changed => false,
                () = tokio::time::sleep_until(until) => true,
                () = api.inner.closing.cancelled() => true,
            };
            if over || held == Held::Left {
                connection.answered = true;
                let leased = held == Held::ByCaller;
                if leased {
                    self.state().desk.answered(api.inner.clock.now());
                }
                return Ok(Notices {
                    leased,
                    ..Notices::default()
                });
            }
        }
    }

    fn look(&self, api: &Api, request: &NoticesRequest, serial: u64) -> (Held, Option<Notices>) {
        let now = api.inner.clock.now();
        let mut state = self.state();
        let held = state.desk.call(request, now);
        let given = match held {
            Held::ByCaller => {
                state.call = state.call.max(serial);
                state.desk.give(now)
            }
            Held::ByAnother => None,
            Held::Left => Some(Notices::default()),
        };
        drop(state);
        self.woken.notify_one();
        if held == Held::Left {
            self.offered.notify_waiters();
        }
        (held, given)
    }
}

/// A call that waits. If it is dropped before it was answered, its caller is gone.
struct Connection {
    notifier: Arc<Notifier>,
    serial: u64,
    holder: String,
    answered: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        let mut state = self.notifier.state();
        // The same caller may have called again already.
        if state.call == self.serial {
            state.desk.lost(&self.holder);
        }
        drop(state);
        self.notifier.woken.notify_one();
        self.notifier.offered.notify_waiters();
    }
}
