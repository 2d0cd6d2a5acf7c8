//! `POST /v1/chat/completions` and `POST /v1/responses`.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, Method, Uri},
    response::Response,
};
use serde_json::json;

use super::{
    answer::answer,
    arrival::{arrive, parse},
};
use crate::model_server::{
    chat, fault::ApiError, listener::Scissors, record::RequestKind, responses, state::Shared,
};

pub(super) async fn completions(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let parsed = parse(&bytes);
    let body = parsed.as_ref().ok().cloned().unwrap_or_default();
    let arrival = arrive(&shared, RequestKind::Turn, &method, &uri, &headers, body);
    let mut paused = shared.paused.subscribe();
    // The server owns the sender, so waiting can only end with the pause.
    let _ = paused.wait_for(|paused| !*paused).await;
    let checked = parsed.and_then(|mut body| {
        arrival.check_key(&shared)?;
        let inner = shared.lock();
        chat::check(&body, inner.manner, &inner.sent)?;
        let model = body["model"].as_str().unwrap_or_default();
        if !inner.knows(model) && inner.manner == chat::Manner::OpenAi {
            let message =
                format!("The model `{model}` does not exist or you do not have access to it.");
            return Err(ApiError::new(404, "not_found_error", message));
        }
        // Told apart from what the client sent by its name.
        body["x_manner"] = json!(inner.manner);
        Ok(body)
    });
    match checked {
        Ok(body) => answer(&shared, body, arrival, scissors).await,
        Err(error) => arrival.fail(error),
    }
}

pub(super) async fn responses(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let parsed = parse(&bytes);
    let body = parsed.as_ref().ok().cloned().unwrap_or_default();
    let arrival = arrive(&shared, RequestKind::Turn, &method, &uri, &headers, body);
    let mut paused = shared.paused.subscribe();
    // The server owns the sender, so waiting can only end with the pause.
    let _ = paused.wait_for(|paused| !*paused).await;
    let checked = parsed.and_then(|body| {
        arrival.check_key(&shared)?;
        responses::check(&body)?;
        Ok(body)
    });
    match checked {
        Ok(body) => answer(&shared, body, arrival, scissors).await,
        Err(error) => arrival.fail(error),
    }
}
