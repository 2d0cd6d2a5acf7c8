//! Setting up the webhook, and trying it.

use protocol::{
    ApiError, WebhookRemove, WebhookRequest, WebhookSet, WebhookTest, WebhookTestRequest,
    WebhookView,
};
use secrets::KeySource;
use store::WEBHOOK;

use super::backends::keep_key;
use crate::api::{Api, Working};
use crate::webhook::{self, Webhook};

/// The secret's entry in the keychain. A backend cannot have this name.
const ACCOUNT: &str = "webhook:secret";

pub(crate) async fn webhook(api: &Api, _request: WebhookRequest) -> Result<WebhookView, ApiError> {
    let webhook = webhook::state(api.working()?).await?;
    Ok(WebhookView { webhook })
}

pub(crate) async fn webhook_set(api: &Api, request: WebhookSet) -> Result<WebhookView, ApiError> {
    const HOW: &str = "give an https address, or http on this machine";
    let working = api.working()?;
    webhook::checked_url(&request.url).map_err(|why| ApiError::usage(why, HOW))?;
    if request.events.is_empty() {
        let words = "there is nothing to tell";
        return Err(ApiError::usage(words, "name reviews, runs or both"));
    }
    let before = kept(working).await?;
    let key = match (request.key, &before) {
        (Some(key), _) => keep_key(working, ACCOUNT, key).await?,
        (None, Some(before)) => before.key.clone(),
        (None, None) => {
            return Err(ApiError::usage(
                "a webhook needs a secret that signs what is sent",
                "give --key-stdin (kept in the keychain), --key-command CMD or --key-env VAR",
            ));
        }
    };
    working.credentials.forget(&key);
    let wanted = Webhook {
        url: request.url.trim().to_owned(),
        events: request.events,
        key,
    };
    let value = serde_json::to_value(&wanted).map_err(ApiError::internal)?;
    let put = working.store.put_setting(WEBHOOK, Some(value)).await;
    put.map_err(ApiError::internal)?;
    if let Some(before) = before.filter(|before| before.key != wanted.key) {
        forget_key(working, &before.key).await;
    }
    working.teller.woken.notify_one();
    webhook(api, WebhookRequest {}).await
}

pub(crate) async fn webhook_remove(
    api: &Api,
    _request: WebhookRemove,
) -> Result<WebhookView, ApiError> {
    let working = api.working()?;
    let before = kept(working).await?;
    let removed = working.store.put_setting(WEBHOOK, None).await;
    removed.map_err(ApiError::internal)?;
    let cleared = working.store.clear_outbox().await;
    cleared.map_err(ApiError::internal)?;
    if let Some(before) = before {
        forget_key(working, &before.key).await;
    }
    webhook(api, WebhookRequest {}).await
}

async fn kept(working: &Working) -> Result<Option<Webhook>, ApiError> {
    let kept = webhook::kept(&working.store).await;
    kept.map_err(ApiError::internal)
}

async fn forget_key(working: &Working, key: &KeySource) {
    if let KeySource::Keychain { account } = key
        && let Err(error) = working.credentials.keychain().delete(account).await
    {
        tracing::warn!(%error, "the webhook's secret could not be removed from the keychain");
    }
    working.credentials.forget(key);
}

pub(crate) async fn webhook_test(
    api: &Api,
    _request: WebhookTestRequest,
) -> Result<WebhookTest, ApiError> {
    let (delivery, sent) = webhook::test(api, api.working()?).await?;
    Ok(WebhookTest {
        ok: sent.is_ok(),
        words: match sent {
            Ok(()) => "it was taken".to_owned(),
            Err(error) => error.to_string(),
        },
        delivery,
    })
}
