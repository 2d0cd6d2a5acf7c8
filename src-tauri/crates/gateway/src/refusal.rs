//! Answers of the gateway's own, in words that all APIs' clients read. The status says
//! whether the agent may try again (measured: 400 and 403 are not retried, 5xx are).

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::account::Refused;

/// How soon an agent may ask again that came too early, in seconds.
const SOON: &str = "1";

/// Whoever asked is not let in.
pub(crate) fn not_let_in(words: &str) -> Response {
    answer(StatusCode::FORBIDDEN, "permission_error", words)
}

/// This passes for nobody.
pub(crate) fn unknown(method: &axum::http::Method, path: &str) -> Response {
    let words = format!("{method} {path} does not pass Longhaul's gateway");
    answer(StatusCode::NOT_FOUND, "not_found_error", &words)
}

/// This request can never be sent.
pub(crate) fn bad(words: &str) -> Response {
    answer(StatusCode::BAD_REQUEST, "invalid_request_error", words)
}

/// The same may pass in a moment.
pub(crate) fn not_now(words: &str) -> Response {
    let mut answer = answer(StatusCode::SERVICE_UNAVAILABLE, "api_error", words);
    answer
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static(SOON));
    answer
}

/// The server behind gave no answer.
pub(crate) fn no_answer(status: StatusCode, words: &str) -> Response {
    answer(status, "api_error", words)
}

pub(crate) fn of(refused: &Refused) -> Response {
    match refused {
        Refused::Over => not_let_in(OVER),
        Refused::NotNow(why) => not_now(why),
        Refused::Never(why) => bad(why),
    }
}

/// What a token is told whose attempt is over.
pub(crate) const OVER: &str = "Longhaul: this token's attempt is over";

fn answer(status: StatusCode, kind: &str, words: &str) -> Response {
    let body = json!({"type": "error", "error": {"type": kind, "message": words}});
    (status, Json(body)).into_response()
}
