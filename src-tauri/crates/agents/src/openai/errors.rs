//! What went wrong, by what can be done about it, in all the forms in which servers that
//! imitate OpenAI's API say so.

#[cfg(test)]
mod tests;

use domain::OpErrorKind;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::driver::TurnError;
use crate::wire::listen::Broken;
use crate::wire::trouble::{
    by_should_retry, header, http_date, request_id, retry_after, shortened, whole_ms,
};

/// The account has no money left, or may not spend more of it (OpenAI's error codes, and
/// the word of those who bill through it).
const SPENT: [&str; 5] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "insufficient_credits",
    "insufficient_balance",
];

/// How servers say that a request is longer than the model's context.
const TOO_LONG: [&str; 6] = [
    "context_length_exceeded",
    "exceed_context_size",
    "maximum context length",
    "context window",
    "context size",
    "context length",
];

/// What an error says, wherever it stood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ApiError {
    message: String,
    /// `error.type`.
    kind: String,
    /// `error.code`, where it is a word.
    code: String,
    /// `error.code`, where it is a status.
    status: Option<u16>,
    /// What it is about (`model`, …).
    param: String,
    /// A filter in front of the model refused, not the credential (OpenRouter).
    moderated: bool,
}

impl ApiError {
    /// Reads an error body; `None` if it is none that anybody sends.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        Self::of(&serde_json::from_slice(body).ok()?)
    }

    /// `{"error": {…}}`, `{"error": "…"}`, `{"object": "error", "message": …}` (vLLM),
    /// `{"detail": …}` (FastAPI), `{"message": "…"}`.
    pub(crate) fn of(body: &Value) -> Option<Self> {
        // Some put the object into a list.
        let body = body.get(0).unwrap_or(body);
        match &body["error"] {
            Value::Null => {}
            Value::String(message) => {
                return Some(Self {
                    message: message.clone(),
                    ..Self::default()
                });
            }
            inner @ Value::Object(_) => return Some(Self::of_object(inner)),
            other => {
                return Some(Self {
                    message: other.to_string(),
                    ..Self::default()
                });
            }
        }
        let detail = match &body["detail"] {
            Value::Null => None,
            Value::String(detail) => Some(detail.clone()),
            other => Some(other.to_string()),
        };
        if let Some(message) = detail {
            return Some(Self {
                message,
                ..Self::default()
            });
        }
        (body["object"] == "error" || body["message"].is_string()).then(|| Self::of_object(body))
    }

    fn of_object(error: &Value) -> Self {
        let word = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        let mut message = match &error["message"] {
            Value::Null => String::new(),
            Value::String(message) => message.clone(),
            other => other.to_string(),
        };
        // OpenRouter's own message is "Provider returned error"; this is the provider's.
        if let Some(raw) = error["metadata"]["raw"].as_str() {
            message = format!("{message}: {raw}");
        }
        let status = error["code"]
            .as_u64()
            .and_then(|code| u16::try_from(code).ok());
        Self {
            message,
            kind: word("type"),
            code: word("code"),
            status,
            param: word("param"),
            moderated: error["metadata"]["reasons"].is_array(),
        }
    }

    pub(super) fn is_about_a_model(&self) -> bool {
        let said = self.message.to_ascii_lowercase();
        let missing = [
            "not found",
            "does not exist",
            "not exist",
            "no such",
            "unknown model",
        ];
        self.code == "model_not_found"
            || self.param == "model"
            || (said.contains("model") && missing.iter().any(|words| said.contains(words)))
    }

    fn is_spent(&self) -> bool {
        SPENT.contains(&self.code.as_str()) || SPENT.contains(&self.kind.as_str())
    }

    fn is_too_long(&self) -> bool {
        let said = self.message.to_ascii_lowercase();
        [self.code.as_str(), self.kind.as_str(), said.as_str()]
            .iter()
            .any(|text| TOO_LONG.iter().any(|words| text.contains(words)))
    }

    fn words(&self) -> String {
        let kind = match (self.code.as_str(), self.kind.as_str()) {
            ("", kind) => kind,
            (code, _) => code,
        };
        let words = match (kind, self.message.trim()) {
            ("", "") => "an error without words".to_owned(),
            (kind, "") => kind.to_owned(),
            ("", message) => message.to_owned(),
            (kind, message) => format!("{message} ({kind})"),
        };
        shortened(&words)
    }

    /// What an error without a status of its own means: one in the middle of a stream.
    fn kind_by_words(&self) -> OpErrorKind {
        if let Some(status) = self.status.and_then(|code| StatusCode::from_u16(code).ok()) {
            return kind_of(status, Some(self));
        }
        let word = format!("{} {}", self.kind, self.code).to_ascii_lowercase();
        match () {
            () if self.is_spent() => OpErrorKind::SpendLimit,
            () if self.is_too_long() => OpErrorKind::BadRequest,
            () if word.contains("rate_limit") => OpErrorKind::RateLimited,
            () if word.contains("overloaded") || word.contains("unavailable") => {
                OpErrorKind::Overloaded
            }
            () if word.contains("authentication") || word.contains("api_key") => OpErrorKind::Auth,
            () if word.contains("invalid_request") => OpErrorKind::BadRequest,
            () => OpErrorKind::Server,
        }
    }
}

impl From<ApiError> for Broken {
    fn from(error: ApiError) -> Self {
        Self::Api {
            kind: error.kind_by_words(),
            words: error.words(),
        }
    }
}

/// The endpoint does not offer the model.
pub(super) fn not_offered(
    endpoint: &str,
    model: &str,
    offered: &[String],
    named: usize,
) -> TurnError {
    let mut message = format!("{endpoint} does not know the model \"{model}\"");
    if offered.is_empty() {
        message.push_str("; it offers none (is one loaded?)");
    } else {
        let some: Vec<&str> = offered.iter().take(named).map(String::as_str).collect();
        let more = if offered.len() > named { ", …" } else { "" };
        message.push_str(&format!("; it offers {}{more}", some.join(", ")));
    }
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
    let mut message = words(endpoint, model, status, api.as_ref());
    if let Some(id) = request_id(headers) {
        message.push_str(&format!(" [request {}]", shortened(&id)));
    }
    let retry_after_ms = match kind {
        OpErrorKind::RateLimited => retry_after(headers)
            .or_else(|| limit_reset(headers))
            .or_else(|| said_wait(&api?.message)),
        OpErrorKind::Overloaded | OpErrorKind::Server => retry_after(headers),
        _ => None,
    };
    TurnError {
        retry_after_ms,
        ..TurnError::refused(kind, message)
    }
}

fn words(endpoint: &str, model: &str, status: StatusCode, api: Option<&ApiError>) -> String {
    let code = status.as_u16();
    match api {
        Some(api) if code == 404 && api.is_about_a_model() && !model.is_empty() => {
            format!(
                "{endpoint} does not know the model \"{model}\": {}",
                api.words()
            )
        }
        // The engine sends less where it reads these words.
        Some(api) if api.is_too_long() => {
            let words = api.words();
            format!("{endpoint} answered {code}: longer than the model's context length: {words}")
        }
        Some(api) if code == 404 => {
            let words = api.words();
            format!("{endpoint} answered 404: {words}: is the base URL right? (Most end in /v1.)")
        }
        Some(api) => format!("{endpoint} answered {code}: {}", api.words()),
        None if status.is_redirection() => {
            format!("{endpoint} answered {code}: it has moved; set the new address as the base URL")
        }
        None if code == 404 => format!(
            "{endpoint} answered 404, and not in the words of OpenAI's API: is the base URL right? (Most end in /v1.)"
        ),
        None => format!("{endpoint} answered {status}, and not in the words of OpenAI's API"),
    }
}

fn kind_of(status: StatusCode, api: Option<&ApiError>) -> OpErrorKind {
    if api.is_some_and(ApiError::is_spent) {
        return OpErrorKind::SpendLimit;
    }
    match status.as_u16() {
        402 => OpErrorKind::SpendLimit,
        403 if api.is_some_and(|api| api.moderated) => OpErrorKind::BadRequest,
        401 | 403 => OpErrorKind::Auth,
        429 => OpErrorKind::RateLimited,
        503 | 529 => OpErrorKind::Overloaded,
        // llama.cpp and vLLM say it with a 500 now and then.
        500.. if api.is_some_and(ApiError::is_too_long) => OpErrorKind::BadRequest,
        408 | 409 | 500.. => OpErrorKind::Server,
        _ => OpErrorKind::BadRequest,
    }
}

/// When the limits that are used up are reset: the latest of them; if none says that it
/// is, the earliest reset of all.
fn limit_reset(headers: &HeaderMap) -> Option<u64> {
    let (mut exhausted, mut any) = (None, None);
    for gauge in ["-requests", "-tokens", ""] {
        let reset = header(headers, &format!("x-ratelimit-reset{gauge}"));
        let Some(wait) = reset.and_then(|text| wait_of(text, headers)) else {
            continue;
        };
        any = Some(any.map_or(wait, |other: u64| other.min(wait)));
        if header(headers, &format!("x-ratelimit-remaining{gauge}")) == Some("0") {
            exhausted = Some(exhausted.map_or(wait, |other: u64| other.max(wait)));
        }
    }
    exhausted.or(any)
}

/// Beyond this a bare number is a moment since 1970 and no wait: 2001-09-09.
const MOMENT: f64 = 1e9;

/// A reset: a length of time (`6m0s`, `20ms`, `59.5`), or a moment in seconds or
/// milliseconds (OpenRouter), measured against the answer's own `date`.
fn wait_of(text: &str, headers: &HeaderMap) -> Option<u64> {
    let Ok(number) = text.parse::<f64>() else {
        return length_of(text);
    };
    if number < MOMENT {
        return whole_ms(number * 1000.0);
    }
    let moment_ms = if number < MOMENT * 1000.0 {
        number * 1000.0
    } else {
        number
    };
    let now = http_date(header(headers, "date")?)?;
    whole_ms(moment_ms - now.as_millisecond() as f64)
}

/// A length of time as Go writes it: `1h2m3.5s`, `20ms`.
fn length_of(text: &str) -> Option<u64> {
    let (mut rest, mut ms) = (text.trim(), 0.0);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        ms += number
            * match &rest[..end] {
                "d" => 86_400_000.0,
                "h" => 3_600_000.0,
                "m" => 60_000.0,
                "s" => 1000.0,
                "ms" => 1.0,
                "us" | "µs" => 0.001,
                "ns" => 0.000_001,
                _ => return None,
            };
        rest = &rest[end..];
    }
    whole_ms(ms)
}

/// "Please try again in 6m0s."
fn said_wait(message: &str) -> Option<u64> {
    let (_, rest) = message.split_once("try again in ")?;
    let word = rest.split_whitespace().next()?;
    length_of(word.trim_end_matches(['.', ',', ';', ')']))
}
