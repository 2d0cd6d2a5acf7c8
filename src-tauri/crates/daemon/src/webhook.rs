//! Tells a program of the user's of reviews and of runs that end. What is to be told stands in
//! the store's outbox since the event it tells of; it is sent until the other side has taken it,
//! and no run ever waits for that.

mod send;

use std::sync::Mutex;
use std::time::Duration;

use domain::Timestamp;
use protocol::{ApiError, Moment, WebhookState, WebhookTopic};
use secrets::{KeySource, Secret};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Outgoing, Store, Told, WEBHOOK};
use tokio::sync::Notify;

pub(crate) use self::send::checked_url;
use self::send::{Failure, Parcel, Post};
use crate::api::{Api, Ending, Working};

/// What is recorded within this time is looked at together.
const SETTLE: Duration = Duration::from_millis(200);

/// Deliveries read at a time.
const PAGE: u32 = 20;

/// The longest time between two tries.
const LONGEST_MS: i64 = 3_600_000;

/// Tries before a delivery is given up. With the longest time between them: about a day.
const TRIES: u32 = 32;

/// How long after a read that failed the next one is made.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The webhook as it is kept, in the setting [`WEBHOOK`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    pub(crate) events: Vec<WebhookTopic>,
    pub(crate) key: KeySource,
}

/// What the task that tells and the calls that change it share.
#[derive(Default)]
pub(crate) struct Teller {
    /// Something about the webhook changed.
    pub(crate) woken: Notify,
    /// The first wait after a try that failed, in milliseconds; doubles.
    first_ms: Mutex<Option<u64>>,
}

impl Teller {
    /// From now on the first wait is this long.
    pub(crate) fn pace(&self, first_ms: u64) {
        *self.first_ms.lock().expect("nobody panics with it") = Some(first_ms);
        self.woken.notify_one();
    }

    fn wait_ms(&self, tries: u32) -> i64 {
        let first = self.first_ms.lock().expect("nobody panics with it");
        let first = i64::try_from(first.unwrap_or(crate::settings::WEBHOOK_RETRY_MS));
        let doubled = first
            .unwrap_or(LONGEST_MS)
            .saturating_mul(1 << tries.min(20));
        doubled.clamp(1, LONGEST_MS)
    }
}

/// The webhook, if one is set up.
pub(crate) async fn kept(store: &Store) -> Result<Option<Webhook>, store::ReadError> {
    let value = store.setting(WEBHOOK).await?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

/// Delivers, for as long as the daemon works.
pub(crate) async fn deliver(api: Api) {
    let Ok(working) = api.working() else { return };
    let post = match Post::new() {
        Ok(post) => post,
        Err(error) => return tracing::error!(%error, "no webhook can be told anything"),
    };
    let mut ending = api.inner.ending.subscribe();
    let mut grown = working.store.subscribe();
    loop {
        grown.borrow_and_update();
        let pause = match turn(&api, working, &post).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(%error, "the webhook's outbox could not be read or written");
                Some(LOOK_AGAIN)
            }
        };
        let due = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = grown.changed() => match changed {
                Ok(()) => tokio::time::sleep(SETTLE).await,
                Err(_) => return,
            },
            () = working.teller.woken.notified() => {}
            () = due => {}
            () = async { let _ = ending.wait_for(|how| *how != Ending::No).await; } => return,
        }
    }
}

/// Sends what is due. Returns when the next is.
async fn turn(api: &Api, working: &Working, post: &Post) -> Result<Option<Duration>, String> {
    let store = &working.store;
    let failed = |error: store::ReadError| error.to_string();
    let Some(webhook) = kept(store).await.map_err(failed)? else {
        return Ok(None);
    };
    loop {
        let now = api.inner.clock.now();
        let rows = store.outbox_due(now, PAGE).await.map_err(failed)?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            faults::crash_point("webhook.before_sent");
            let told = send_one(api, working, post, &webhook, &row).await;
            faults::crash_point("webhook.sent");
            let recorded = store.record_told(row.id, told).await;
            recorded.map_err(|error| error.to_string())?;
        }
    }
    let next = store.outbox().await.map_err(failed)?.next_due;
    let now = api.inner.clock.now();
    Ok(next.map(|at| Duration::from_millis(at.ms_since(now).max(0).unsigned_abs())))
}

async fn send_one(
    api: &Api,
    working: &Working,
    post: &Post,
    webhook: &Webhook,
    row: &Outgoing,
) -> Told {
    let delivery = format!("{}.{}", working.store.store_id(), row.gseq);
    let sent = send(api, working, post, webhook, (&delivery, row)).await;
    let Err(error) = sent else {
        return Told::Delivered;
    };
    tracing::warn!(%error, delivery, tries = row.tries + 1, "the webhook was not told");
    let error = error.to_string();
    if row.tries + 1 >= TRIES {
        return Told::GivenUp { error };
    }
    let wait = working.teller.wait_ms(row.tries);
    let due = api.inner.clock.now().plus_ms(wait);
    Told::Failed { error, due }
}

async fn send(
    api: &Api,
    working: &Working,
    post: &Post,
    webhook: &Webhook,
    (delivery, row): (&str, &Outgoing),
) -> Result<(), Failure> {
    let secret = secret(working, webhook).await?;
    let parcel = Parcel {
        url: &webhook.url,
        delivery,
        event: &row.event,
        body: &body_of(delivery, &row.event, row.at, &row.body),
        at: api.inner.clock.now(),
    };
    post.send(&secret, &parcel).await
}

async fn secret(working: &Working, webhook: &Webhook) -> Result<Secret, Failure> {
    let secret = working.credentials.get(&webhook.key).await;
    let secret = secret.map_err(|error| Failure::Secret(error.to_string()))?;
    working.redactor.add(&secret);
    Ok(secret)
}

/// The document that is sent: the same at every try.
fn body_of(delivery: &str, event: &str, at: Timestamp, more: &Value) -> String {
    let mut body = json!({
        "delivery": delivery,
        "event": event,
        "at": Moment::from(at),
    });
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    body.to_string()
}

/// Sends one delivery that tells of nothing, now; the delivery's id, and what came of it.
pub(crate) async fn test(
    api: &Api,
    working: &Working,
) -> Result<(String, Result<(), Failure>), ApiError> {
    let webhook = kept(&working.store).await.map_err(ApiError::internal)?;
    let webhook = webhook.ok_or_else(|| {
        ApiError::usage(
            "no webhook is set up",
            "`longhaul webhook set URL` sets one up",
        )
    })?;
    let at = api.inner.clock.now();
    let delivery = format!("{}.test.{}", working.store.store_id(), at.0);
    let row = Outgoing {
        id: 0,
        gseq: 0,
        event: "test".to_owned(),
        body: json!({}),
        at,
        tries: 0,
    };
    let post = Post::new().map_err(ApiError::internal)?;
    let sent = send(api, working, &post, &webhook, (&delivery, &row)).await;
    Ok((delivery, sent))
}

/// How telling goes, if anybody is told.
pub(crate) async fn state(working: &Working) -> Result<Option<WebhookState>, ApiError> {
    let store = &working.store;
    let Some(webhook) = kept(store).await.map_err(ApiError::internal)? else {
        return Ok(None);
    };
    let outbox = store.outbox().await.map_err(ApiError::internal)?;
    let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let error = outbox.error.as_deref().unwrap_or("it was not reached");
    let words = match (outbox.failing, outbox.given_up, outbox.waiting) {
        (0, 0, 0) => "everything was delivered".to_owned(),
        (0, 0, waiting) => format!("{waiting} to be delivered"),
        (0, gone, _) => format!("{gone} could not be delivered and were given up: {error}"),
        (_, _, waiting) => {
            format!("{waiting} still to be delivered; the last try failed: {error}")
        }
    };
    Ok(Some(WebhookState {
        host: send::host_of(&webhook.url),
        events: webhook.events,
        key: crate::handlers::key_view(&webhook.key),
        ok: outbox.failing == 0 && outbox.given_up == 0,
        words,
        waiting: small(outbox.waiting),
        given_up: small(outbox.given_up),
        next_at: outbox
            .next_due
            .filter(|_| outbox.waiting > 0)
            .map(Into::into),
        delivered_at: outbox.delivered_at.map(Into::into),
    }))
}
