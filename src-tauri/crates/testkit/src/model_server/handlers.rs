//! The endpoints.

mod answer;
mod arrival;
mod completions;

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Path, State},
    http::{HeaderMap, Method, Uri},
    response::Response,
    routing::{get, post},
};
use serde_json::{Value, json};

use self::{
    answer::answer,
    arrival::{arrive, parse},
};
use super::{
    chat::Api,
    fault::ApiError,
    listener::Scissors,
    record::RequestKind,
    state::{CHAT_MODELS, Shared},
    validate,
};

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(health))
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .route("/v1/chat/completions", post(completions::completions))
        .route("/v1/responses", post(completions::responses))
        .route("/v1/models", get(models))
        .route("/v1/models/{id}", get(model))
        .fallback(unknown)
        .layer(DefaultBodyLimit::disable())
        .with_state(shared)
}

/// What stands before a request's body.
type Head = (Method, Uri, HeaderMap);

/// Answers a request for a model's turn, of whichever API, that `check` finds legal.
async fn turn(
    shared: Arc<Shared>,
    scissors: Scissors,
    (method, uri, headers): Head,
    bytes: &Bytes,
    check: impl FnOnce(&Shared, Value) -> Result<Value, ApiError>,
) -> Response {
    let parsed = parse(bytes);
    let body = parsed.as_ref().ok().cloned().unwrap_or_default();
    let arrival = arrive(&shared, RequestKind::Turn, &method, &uri, &headers, body);
    let mut paused = shared.paused.subscribe();
    // The server owns the sender, so waiting can only end with the pause.
    let _ = paused.wait_for(|paused| !*paused).await;
    let checked = parsed.and_then(|body| {
        arrival.check_key(&shared)?;
        check(&shared, body)
    });
    match checked {
        Ok(body) => answer(&shared, body, arrival, scissors).await,
        Err(error) => arrival.fail(error),
    }
}

async fn messages(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let version = headers
        .get("anthropic-version")
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned);
    let check = |shared: &Shared, body: Value| {
        let inner = shared.lock();
        validate::check(version.as_deref(), &body, &inner.sent)?;
        let model = body["model"].as_str().unwrap_or_default();
        match inner.knows(model) {
            true => Ok(body),
            false => Err(ApiError::new(
                404,
                "not_found_error",
                format!("model: {model}"),
            )),
        }
    };
    turn(shared, scissors, (method, uri, headers), &bytes, check).await
}

async fn count_tokens(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let parsed = parse(&bytes);
    let body = parsed.as_ref().ok().cloned().unwrap_or_default();
    let arrival = arrive(
        &shared,
        RequestKind::CountTokens,
        &method,
        &uri,
        &headers,
        body,
    );
    match parsed.and_then(|_| arrival.check_key(&shared)) {
        // Four bytes a token is the usual estimate for English.
        Ok(()) => arrival.done(json!({"input_tokens": bytes.len() / 4})),
        Err(error) => arrival.fail(error),
    }
}

async fn models(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let arrival = arrive(
        &shared,
        RequestKind::Other,
        &method,
        &uri,
        &headers,
        Value::Null,
    );
    if let Err(error) = arrival.check_key(&shared) {
        return arrival.fail(error);
    }
    if arrival.api == Api::Chat {
        let known = shared.lock().models.clone();
        let names = CHAT_MODELS.into_iter().map(str::to_owned).chain(known);
        let list: Vec<Value> = names
            .map(|id| json!({"id": id, "object": "model", "created": 1_767_225_600, "owned_by": "scripted"}))
            .collect();
        return arrival.done(json!({"object": "list", "data": list}));
    }
    let list: Vec<Value> = shared
        .lock()
        .models
        .iter()
        .map(|id| model_info(id))
        .collect();
    let ends = (
        list.first().map(|m| m["id"].clone()),
        list.last().map(|m| m["id"].clone()),
    );
    arrival.done(json!({"data": list, "has_more": false, "first_id": ends.0, "last_id": ends.1}))
}

async fn model(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let arrival = arrive(
        &shared,
        RequestKind::Other,
        &method,
        &uri,
        &headers,
        Value::Null,
    );
    if let Err(error) = arrival.check_key(&shared) {
        return arrival.fail(error);
    }
    if shared.lock().knows(&id) {
        arrival.done(model_info(&id))
    } else {
        arrival.fail(ApiError::new(
            404,
            "not_found_error",
            format!("model: {id}"),
        ))
    }
}

fn model_info(id: &str) -> Value {
    let (context, output) = if id.contains("4-5") {
        (200_000, 64_000)
    } else {
        (1_000_000, 128_000)
    };
    json!({
        "type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z",
        "max_input_tokens": context, "max_tokens": output, "lifecycle": "active",
    })
}

/// Claude Code asks `HEAD /` before anything else.
async fn health(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    arrive(
        &shared,
        RequestKind::Other,
        &method,
        &uri,
        &headers,
        Value::Null,
    )
    .done(json!({"server": "scripted model"}))
}

async fn unknown(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let arrival = arrive(
        &shared,
        RequestKind::Other,
        &method,
        &uri,
        &headers,
        Value::Null,
    );
    arrival.fail(ApiError::new(
        404,
        "not_found_error",
        format!("{} {} does not exist", method, uri.path()),
    ))
}
