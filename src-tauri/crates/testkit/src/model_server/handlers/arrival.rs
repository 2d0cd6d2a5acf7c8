//! A request as it comes in, and the plain answers.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;

use crate::model_server::{
    chat::Api,
    fault::ApiError,
    record::{Outcome, RequestKind, RequestRecord},
    reply::Recording,
    state::{Bodies, Shared},
    wire::fresh,
};

/// The API's limit on a request, bytes.
const MAX_REQUEST: usize = 32 << 20;

/// Headers that are recorded. Credentials are not among them.
const RECORDED_HEADERS: [&str; 7] = [
    "anthropic-version",
    "anthropic-beta",
    "user-agent",
    "x-stainless-retry-count",
    "content-type",
    "accept",
    "x-app",
];
/// A request before anything was made of it.
pub(super) struct Arrival {
    pub(super) recording: Recording,
    pub(super) request_id: String,
    pub(super) key: Option<String>,
    /// Whose words the answer is in.
    pub(super) api: Api,
}

pub(super) fn arrive(
    shared: &Arc<Shared>,
    kind: RequestKind,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Value,
) -> Arrival {
    let request_id = fresh("req");
    let key = key_of(headers);
    let at_us = shared.elapsed_us();
    let mut inner = shared.lock();
    let seq = inner.records.len();
    let record = RequestRecord {
        seq,
        request_id: request_id.clone(),
        at_ms: at_us / 1000,
        at_us,
        ended_us: None,
        method: method.to_string(),
        path: uri
            .path_and_query()
            .map_or_else(|| uri.path().to_owned(), ToString::to_string),
        kind,
        script: String::new(),
        turn: 0,
        attempt: 0,
        conversation: String::new(),
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        key: inner.label(key.as_deref()),
        headers: RECORDED_HEADERS
            .iter()
            .filter_map(|name| {
                Some((
                    (*name).to_owned(),
                    headers.get(*name)?.to_str().ok()?.to_owned(),
                ))
            })
            .collect(),
        body: match inner.bodies {
            Bodies::Kept => body,
            Bodies::Forgotten => Value::Null,
        },
        outcome: Outcome::Pending,
        billed: None,
        worst_case: None,
    };
    inner.records.push(record);
    drop(inner);
    shared.revision.send_modify(|n| *n += 1);
    Arrival {
        recording: Recording::new(shared.clone(), seq),
        request_id,
        key,
        api: Api::of(uri.path(), headers),
    }
}

/// The API prefers `x-api-key` where both are sent.
fn key_of(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    text("x-api-key")
        .or_else(|| text("authorization")?.strip_prefix("Bearer "))
        .map(str::to_owned)
}

impl Arrival {
    pub(super) fn fail(self, error: ApiError) -> Response {
        let status =
            StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response =
            (status, Json(self.api.error_body(&error, &self.request_id))).into_response();
        if let Some(seconds) = error.retry_after_s {
            response
                .headers_mut()
                .insert("retry-after", HeaderValue::from(seconds));
        }
        let response = with_id(response, self.api, &self.request_id);
        self.recording.close(Outcome::Error {
            status: error.status,
            message: error.message,
        });
        response
    }

    pub(super) fn done(self, body: Value) -> Response {
        let response = with_id(Json(body).into_response(), self.api, &self.request_id);
        self.recording.close(Outcome::Full);
        response
    }

    pub(super) fn check_key(&self, shared: &Shared) -> Result<(), ApiError> {
        match (&shared.lock().valid_key, &self.key) {
            (Some(_), None) => Err(ApiError::new(
                401,
                "authentication_error",
                "x-api-key header is required",
            )),
            (Some(valid), Some(key)) if valid != key => Err(ApiError::new(
                401,
                "authentication_error",
                "invalid x-api-key",
            )),
            _ => Ok(()),
        }
    }
}

pub(super) fn with_id(mut response: Response, api: Api, request_id: &str) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        api.id_header(),
        HeaderValue::from_str(request_id).expect("ids are hex"),
    );
    if api == Api::Messages {
        headers.insert(
            "anthropic-organization-id",
            HeaderValue::from_static("00000000-0000-4000-8000-000000000000"),
        );
    }
    response
}

/// The limits the API reports with every answer; far away and never reached.
pub(super) fn with_limits(mut response: Response, api: Api) -> Response {
    for (name, value) in api.far_limits() {
        let name = HeaderName::try_from(name).expect("a legal header name");
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

pub(super) fn parse(body: &Bytes) -> Result<Value, ApiError> {
    if body.len() > MAX_REQUEST {
        return Err(ApiError::new(
            413,
            "request_too_large",
            "Request exceeds the maximum size",
        ));
    }
    let value: Value = serde_json::from_slice(body)
        .map_err(|e| ApiError::invalid(format!("The request body is not valid JSON: {e}")))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(ApiError::invalid("The request body must be an object"))
    }
}
