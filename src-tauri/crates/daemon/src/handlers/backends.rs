//! Backends and their keys. A key comes in here and never goes out again.

use domain::BackendKind;
use engine::BackendConfig;
use protocol::{
    ApiError, BackendAdd, BackendList, BackendListRequest, BackendRemove, BackendRemoved,
    BackendTest, BackendTestRequest, BackendView, ErrorCode, KeySource as GivenKey, KeyView,
};
use secrets::{KeySource, KeychainError, Secret};

use super::promises;
use crate::api::{Api, Working};

/// How long a key command's answer is used, in seconds.
pub(super) const KEY_TTL_S: u64 = 300;

pub(crate) async fn backend_add(api: &Api, request: BackendAdd) -> Result<BackendView, ApiError> {
    // A key's command runs outside of every sandbox.
    let working = api.working()?;
    check_name(&request.name)?;
    check_settings(request.kind, request.base_url.as_deref())?;
    let given = request.key.is_some();
    let key = match request.key {
        Some(key) => keep_key(working, &request.name, key).await?,
        // Changed without a key: the old one stays.
        None => match working.engine.backend(&request.name).await {
            Ok(before) => before.key,
            Err(_) => KeySource::None,
        },
    };
    let base_url = request.base_url.as_deref();
    if !given
        && key == KeySource::None
        && let Some(whose) = wants_key(request.kind, base_url)
    {
        return Err(ApiError::usage(
            format!("{whose} needs a key"),
            "give --key-stdin (kept in the keychain), --key-command CMD or --key-env VAR",
        ));
    }
    let named = request
        .model
        .as_deref()
        .is_some_and(|model| !model.trim().is_empty());
    if request.kind == BackendKind::OpenAi && base_url.is_some() && !named {
        return Err(ApiError::usage(
            "a server that speaks OpenAI's API needs a model: each has others",
            "give --model ID; `longhaul backend found` lists what the servers on this machine offer",
        ));
    }
    let command = command_for(&request.name, request.kind, request.command)?;
    let config = BackendConfig {
        name: request.name.clone(),
        kind: request.kind,
        base_url: request.base_url,
        model: request.model,
        command,
        free: request.free,
        key,
    };
    working.credentials.forget(&config.key);
    let value = serde_json::to_value(&config).map_err(ApiError::internal)?;
    working
        .store
        .put_backend(&config.name, value)
        .await
        .map_err(ApiError::internal)?;
    working.engine.backend_changed(&config.name);
    Ok(view(working, &config))
}

/// What starts it. Only of agents that are known there is a usual command.
pub(super) fn command_for(
    name: &str,
    kind: BackendKind,
    given: Option<String>,
) -> Result<Option<String>, ApiError> {
    let given = given.filter(|command| !command.trim().is_empty());
    if kind != BackendKind::Acp || given.is_some() {
        return Ok(given);
    }
    let usual = agents::acp::usual_command(name).ok_or_else(|| {
        let programs: Vec<&str> = agents::acp::KNOWN.iter().map(|k| k.program).collect();
        ApiError::usage(
            "an agent of kind acp needs the command that starts it",
            format!(
                "give --command 'PROGRAM ARGS', say --command 'gemini --acp'; a backend that is named {} needs none",
                programs.join(", ")
            ),
        )
    })?;
    Ok(Some(usual))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(fine) {
        return Err(ApiError::usage(
            format!("'{name}' cannot be a backend's name"),
            "use letters, digits, '-', '_' and '.'",
        ));
    }
    Ok(())
}

/// Who cannot be asked without a key, if that is so.
fn wants_key(kind: BackendKind, base_url: Option<&str>) -> Option<String> {
    match (kind, base_url) {
        (BackendKind::Anthropic, None) => Some("the Anthropic API".to_owned()),
        (BackendKind::OpenAi, None) => Some("the OpenAI API".to_owned()),
        (BackendKind::OpenAi, Some(url)) if agents::openai::needs_key(base_url) => {
            Some(url.to_owned())
        }
        _ => None,
    }
}

/// Whether such a backend could be used at all.
pub(super) fn check_settings(kind: BackendKind, base_url: Option<&str>) -> Result<(), ApiError> {
    if kind == BackendKind::Rehearsal && base_url.is_none() {
        return Err(ApiError::usage(
            "a rehearsal backend needs --base-url",
            "`longhaul rehearse` sets one up by itself",
        ));
    }
    if let Some(url) = base_url
        && kind.is_native()
    {
        let http = agents::Http::new().map_err(ApiError::internal)?;
        let looked_at = match kind {
            BackendKind::OpenAi => agents::openai::OpenAiDriver::new(url, http).map(|_| ()),
            _ => agents::anthropic::AnthropicDriver::new(url, http).map(|_| ()),
        };
        looked_at.map_err(|e| {
            ApiError::usage(
                e.to_string(),
                "give --base-url as https://host or http://host:port",
            )
        })?;
    }
    Ok(())
}

pub(super) async fn keep_key(
    working: &Working,
    name: &str,
    key: GivenKey,
) -> Result<KeySource, ApiError> {
    match key {
        GivenKey::Command { command } => Ok(KeySource::Command {
            command,
            ttl_s: KEY_TTL_S,
        }),
        GivenKey::Env { var } => Ok(KeySource::Env { var }),
        GivenKey::Keychain { key } => {
            let text = key.0.trim().to_owned();
            if text.is_empty() {
                return Err(ApiError::usage(
                    "the key is empty",
                    "pipe it in: `… --key-stdin < key.txt`",
                ));
            }
            let secret = Secret::new(text);
            working.redactor.add(&secret);
            working
                .credentials
                .keychain()
                .set(name, &secret)
                .await
                .map_err(keychain_error)?;
            Ok(KeySource::Keychain {
                account: name.to_owned(),
            })
        }
    }
}

fn keychain_error(error: KeychainError) -> ApiError {
    ApiError::new(
        ErrorCode::Credential,
        error.to_string(),
        "unlock or start your keychain, or use --key-command CMD or --key-env VAR; a key is never kept in a file",
    )
}

pub(crate) async fn backend_list(
    api: &Api,
    _request: BackendListRequest,
) -> Result<BackendList, ApiError> {
    let working = api.working()?;
    let rows = working.store.backends().await.map_err(ApiError::internal)?;
    let configs = rows
        .into_iter()
        .filter_map(|row| serde_json::from_value::<BackendConfig>(row.config).ok());
    Ok(BackendList {
        backends: configs.map(|config| view(working, &config)).collect(),
    })
}

pub(crate) async fn backend_remove(
    api: &Api,
    request: BackendRemove,
) -> Result<BackendRemoved, ApiError> {
    let working = api.working()?;
    let config = working
        .engine
        .backend(&request.name)
        .await
        .map_err(|_| no_backend(&request.name))?;
    working
        .store
        .remove_backend(&request.name)
        .await
        .map_err(ApiError::internal)?;
    working.credentials.forget(&config.key);
    if let KeySource::Keychain { account } = &config.key
        && let Err(error) = working.credentials.keychain().delete(account).await
    {
        tracing::warn!(%error, backend = %request.name, "its key could not be removed from the keychain");
    }
    Ok(BackendRemoved { name: request.name })
}

pub(crate) async fn backend_test(
    api: &Api,
    request: BackendTestRequest,
) -> Result<BackendTest, ApiError> {
    let working = api.working()?;
    let engine = &working.engine;
    engine
        .backend(&request.name)
        .await
        .map_err(|_| no_backend(&request.name))?;
    let tried = engine.test_backend(&request.name).await;
    Ok(super::agents::tested(working, &request.name, tried))
}

pub(super) fn no_backend(name: &str) -> ApiError {
    ApiError::not_found(
        format!("there is no backend '{name}'"),
        "`longhaul backend list` shows those that are set up",
    )
}

pub(super) fn view(working: &Working, config: &BackendConfig) -> BackendView {
    BackendView {
        name: config.name.clone(),
        kind: config.kind,
        base_url: config.base_url.clone(),
        model: config.model_for(None),
        command: config.command.clone(),
        free: config.free,
        key: key_view(&config.key),
        simulated: config.kind == BackendKind::Rehearsal,
        added_at: None,
        promises: promises::of(config, working.engine.prices()),
    }
}

/// How a key is come by, without the key.
pub(crate) fn key_view(key: &KeySource) -> KeyView {
    match key {
        KeySource::None => KeyView::None,
        KeySource::Keychain { .. } => KeyView::Keychain,
        KeySource::Command { command, .. } => KeyView::Command {
            command: command.clone(),
        },
        KeySource::Env { var } => KeyView::Env { var: var.clone() },
    }
}
