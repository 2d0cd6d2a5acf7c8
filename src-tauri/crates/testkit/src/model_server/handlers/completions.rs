//! `POST /v1/chat/completions` and `POST /v1/responses`.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, Method, Uri},
    response::Response,
};
use serde_json::{Value, json};

use super::turn;
use crate::model_server::{
    chat, fault::ApiError, listener::Scissors, responses as wire, state::Shared,
};

pub(super) async fn completions(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let check = |shared: &Shared, mut body: Value| {
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
    };
    turn(shared, scissors, (method, uri, headers), &bytes, check).await
}

pub(super) async fn responses(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let check = |_: &Shared, body: Value| wire::check(&body).map(|()| body);
    turn(shared, scissors, (method, uri, headers), &bytes, check).await
}
