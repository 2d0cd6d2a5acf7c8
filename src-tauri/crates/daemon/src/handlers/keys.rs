//! Changing a backend that is there: its key, its model, its address.

use engine::BackendConfig;
use protocol::{ApiError, BackendChange, BackendKey, BackendView};
use secrets::KeySource;

use super::backends::{check_settings, keep_key, no_backend, view};
use crate::api::{Api, Working};

pub(crate) async fn backend_key(api: &Api, request: BackendKey) -> Result<BackendView, ApiError> {
    let working = api.working()?;
    let mut config = known(working, &request.name).await?;
    let before = config.key.clone();
    config.key = match request.key {
        Some(key) => keep_key(working, &request.name, key).await?,
        None => KeySource::None,
    };
    keep(working, &config).await?;
    // Only now: a key that could not be replaced stays.
    if let KeySource::Keychain { account } = &before
        && config.key != before
        && let Err(error) = working.credentials.keychain().delete(account).await
    {
        tracing::warn!(%error, backend = %config.name, "its old key could not be removed from the keychain");
    }
    working.credentials.forget(&before);
    working.credentials.forget(&config.key);
    working.engine.backend_changed(&config.name);
    Ok(view(working, &config))
}

pub(crate) async fn backend_change(
    api: &Api,
    request: BackendChange,
) -> Result<BackendView, ApiError> {
    let working = api.working()?;
    let mut config = known(working, &request.name).await?;
    let given = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    if let Some(model) = request.model {
        config.model = given(model);
    }
    if let Some(url) = request.base_url {
        config.base_url = given(url);
        check_settings(config.kind, config.base_url.as_deref())?;
    }
    if let Some(free) = request.free {
        config.free = free;
    }
    keep(working, &config).await?;
    working.engine.backend_changed(&config.name);
    Ok(view(working, &config))
}

async fn known(working: &Working, name: &str) -> Result<BackendConfig, ApiError> {
    let config = working.engine.backend(name).await;
    config.map_err(|_| no_backend(name))
}

async fn keep(working: &Working, config: &BackendConfig) -> Result<(), ApiError> {
    let value = serde_json::to_value(config).map_err(ApiError::internal)?;
    let kept = working.store.put_backend(&config.name, value).await;
    kept.map_err(ApiError::internal)
}
