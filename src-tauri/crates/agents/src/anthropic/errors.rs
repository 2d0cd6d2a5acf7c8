//! What went wrong, by what can be done about it.
//!
//! The table of statuses and types is the vendor's ("Errors" in its API
//! reference, and its SDK's retry rules); `facts/apis.md` §2 and §3.

#[cfg(test)]
mod tests;

use domain::OpErrorKind;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;

use crate::driver::TurnError;
use crate::wire::listen::Broken;
use crate::wire::trouble::{by_should_retry, header, ms_until, request_id, retry_after, shortened};

/// Spend limits: they end with the month or when somebody raises them, so
/// nothing is gained by asking again.
const SPEND_LIMITS: &[&str] = &[
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
];

/// What an error body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// `error.type`.
    pub(super) kind: String,
    message: String,
    /// `error.details.error_code`.
    code: Option<String>,
    request_id: Option<String>,
}

impl ApiError {
    /// Reads an error body; `None` if it is none of this API.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Body {
            error: Inner,
            #[serde(default)]
            request_id: Option<String>,
        }
        #[derive(Deserialize)]
        struct Inner {
            #[serde(rename = "type", default)]
            kind: Option<String>,
            #[serde(default)]
            message: Option<String>,
            #[serde(default)]
            details: Option<serde_json::Value>,
        }
        let body: Body = serde_json::from_slice(body).ok()?;
        let code = body
            .error
            .details
            .and_then(|details| details["error_code"].as_str().map(str::to_owned));
        Some(Self {
            kind: body.error.kind.unwrap_or_default(),
            message: body.error.message.unwrap_or_default(),
            code,
            request_id: body.request_id,
        })
    }

    fn is_spend_limit(&self) -> bool {
        self.code
            .as_deref()
            .is_some_and(|code| SPEND_LIMITS.contains(&code))
    }

    /// What an error that came in the middle of a stream means.
    fn kind_by_type(&self) -> OpErrorKind {
        match self.kind.as_str() {
            _ if self.is_spend_limit() => OpErrorKind::SpendLimit,
            "overloaded_error" => OpErrorKind::Overloaded,
            "rate_limit_error" => OpErrorKind::RateLimited,
            "authentication_error" | "permission_error" => OpErrorKind::Auth,
            "invalid_request_error"
            | "not_found_error"
            | "billing_error"
            | "request_too_large"
            | "request_body_too_large_after_decoding" => OpErrorKind::BadRequest,
            _ => OpErrorKind::Server,
        }
    }

    fn words(&self) -> String {
        let words = match (self.kind.as_str(), self.message.trim()) {
            ("", "") => "an error without words".to_owned(),
            (kind, "") => kind.to_owned(),
            ("", message) => message.to_owned(),
            (kind, message) => format!("{message} ({kind})"),
        };
        shortened(&words)
    }
}

/// The endpoint does not have the model.
pub(super) fn unknown_model(endpoint: &str, model: &str) -> TurnError {
    let message = format!("{endpoint} does not know the model \"{model}\"");
    TurnError::refused(OpErrorKind::BadRequest, message)
}

/// An answer that is an error by its status.
pub(crate) fn of_status(
    endpoint: &str,
    model: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> TurnError {
    let api = ApiError::read(body);
    let kind = by_should_retry(kind_of(status, api.as_ref()), headers);
    if status == StatusCode::NOT_FOUND
        && api
            .as_ref()
            .is_some_and(|api| api.kind == "not_found_error")
        && !model.is_empty()
    {
        return unknown_model(endpoint, model);
    }
    let mut message = match &api {
        Some(api) => format!("{endpoint} answered {}: {}", status.as_u16(), api.words()),
        None if status.is_redirection() => {
            format!(
                "{endpoint} answered {}: it has moved; set the new address as the base URL",
                status.as_u16()
            )
        }
        None => format!("{endpoint} answered {status}, and not in the words of the Messages API"),
    };
    let request_id = request_id(headers).or_else(|| api.and_then(|api| api.request_id));
    if let Some(id) = request_id {
        message.push_str(&format!(" [request {}]", shortened(&id)));
    }
    let retry_after_ms = match kind {
        OpErrorKind::RateLimited => retry_after(headers).or_else(|| limit_reset(headers)),
        OpErrorKind::Overloaded | OpErrorKind::Server => retry_after(headers),
        _ => None,
    };
    TurnError {
        retry_after_ms,
        ..TurnError::refused(kind, message)
    }
}

impl From<ApiError> for Broken {
    fn from(error: ApiError) -> Self {
        Self::Api {
            kind: error.kind_by_type(),
            words: error.words(),
        }
    }
}

fn kind_of(status: StatusCode, api: Option<&ApiError>) -> OpErrorKind {
    if api.is_some_and(ApiError::is_spend_limit) {
        return OpErrorKind::SpendLimit;
    }
    match status.as_u16() {
        401 | 403 => OpErrorKind::Auth,
        429 => OpErrorKind::RateLimited,
        503 | 529 => OpErrorKind::Overloaded,
        408 | 409 | 500.. => OpErrorKind::Server,
        _ => OpErrorKind::BadRequest,
    }
}

/// When the limits that are used up are reset: the latest of them; if none says
/// that it is, the earliest reset of all.
fn limit_reset(headers: &HeaderMap) -> Option<u64> {
    let (mut exhausted, mut any) = (None, None);
    for kind in ["requests", "tokens", "input-tokens", "output-tokens"] {
        let name = |what: &str| format!("anthropic-ratelimit-{kind}-{what}");
        let reset: Option<Timestamp> =
            header(headers, &name("reset")).and_then(|text| text.parse().ok());
        let Some(wait) = reset.and_then(|reset| ms_until(reset, headers)) else {
            continue;
        };
        any = Some(any.map_or(wait, |other: u64| other.min(wait)));
        if header(headers, &name("remaining")) == Some("0") {
            exhausted = Some(exhausted.map_or(wait, |other: u64| other.max(wait)));
        }
    }
    exhausted.or(any)
}
