//! What can go wrong between a client and a model API, as data.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

/// `times` of a fault that never goes away.
pub const ALWAYS: u32 = u32::MAX;

/// One way for a request to go wrong. In JSON: `{"kind": "rate_limit", "retry_after_s": 2}`.
///
/// `after_events` counts server-sent events, `message_start` being the first; a
/// stream is always stopped before its `message_stop`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// 429, with a `retry-after` header in seconds if given.
    RateLimit {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u64>,
    },
    /// 429 with `error.details.error_code = enforced_spend_limit_reached` and no `retry-after`.
    SpendLimit,
    /// 529 `overloaded_error`.
    Overloaded,
    /// 500 `api_error`.
    ServerError,
    /// 502 with an HTML page, as a proxy in between answers.
    BadGateway,
    /// 401 `authentication_error`, whatever the key.
    Unauthorized,
    /// 403 `permission_error`.
    Forbidden,
    /// 400 `invalid_request_error`.
    BadRequest {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// 404 `not_found_error` for the model.
    ModelNotFound,
    /// Any other status.
    Status {
        status: u16,
        error_type: String,
        message: String,
    },
    /// The connection drops without a byte of an answer.
    CutAtStart,
    /// Status line and headers arrive, then the connection drops.
    CutAfterHeaders,
    /// The connection drops in the middle of the stream.
    CutMid {
        #[serde(alias = "after_chunks")]
        after_events: usize,
    },
    /// Everything but `message_stop` arrives, then the connection drops.
    CutBeforeStop,
    /// The body ends properly, but early: no error on the wire, only a missing `message_stop`.
    EndEarly {
        #[serde(alias = "after_chunks")]
        after_events: usize,
    },
    /// `event: error` with `overloaded_error` in the middle of a 200 stream.
    ErrorMid {
        #[serde(alias = "after_chunks")]
        after_events: usize,
    },
    /// A data line that is no JSON, then the stream ends.
    GarbageMid {
        #[serde(alias = "after_chunks")]
        after_events: usize,
    },
    /// Headers, then nothing until the client leaves.
    Silence,
    /// The stream stops talking until the client leaves.
    SilenceMid {
        #[serde(alias = "after_chunks")]
        after_events: usize,
    },
    /// A correct answer, this many milliseconds between events.
    Slow { chunk_delay_ms: u64 },
}

/// For whom a fault's `times` are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultScope {
    /// Each conversation (first user message) meets the fault `times` times.
    #[default]
    Conversation,
    /// All conversations together do.
    Global,
}

/// A fault of a turn: the first `times` requests for that turn meet it. Rules are
/// used up in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRule {
    #[serde(flatten)]
    pub fault: Fault,
    /// How often; 1 if absent. In JSON also `"always"`.
    #[serde(
        default = "once",
        deserialize_with = "times_in",
        serialize_with = "times_out"
    )]
    pub times: u32,
    #[serde(default)]
    pub scope: FaultScope,
}

fn once() -> u32 {
    1
}

fn times_in<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match Value::deserialize(from)? {
        Value::String(word) if word == "always" => Ok(ALWAYS),
        Value::Number(n) if n.as_u64().is_some_and(|n| n < u64::from(ALWAYS)) => Ok(n
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(ALWAYS)),
        other => Err(serde::de::Error::custom(format!(
            "times must be a number or \"always\", not {other}"
        ))),
    }
}

fn times_out<S: Serializer>(times: &u32, to: S) -> Result<S::Ok, S::Error> {
    if *times == ALWAYS {
        to.serialize_str("always")
    } else {
        to.serialize_u32(*times)
    }
}

/// An error answer as the API words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) code: Option<&'static str>,
    pub(crate) retry_after_s: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(status: u16, kind: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind: kind.to_owned(),
            message: message.into(),
            code: None,
            retry_after_s: None,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    pub(crate) fn body(&self, request_id: &str) -> Value {
        let mut error = json!({"type": self.kind, "message": self.message});
        if let Some(code) = self.code {
            error["details"] = json!({"error_visibility": "user_facing", "error_code": code});
        }
        json!({"type": "error", "error": error, "request_id": request_id})
    }
}

impl Fault {
    /// The error answer of a fault that is one; `None` for faults of the connection or the stream.
    pub(crate) fn as_error(&self, model: &str) -> Option<ApiError> {
        let error = match self {
            Self::RateLimit { retry_after_s } => ApiError {
                retry_after_s: *retry_after_s,
                ..ApiError::new(
                    429,
                    "rate_limit_error",
                    "This request would exceed your organization's rate limit (scripted)",
                )
            },
            Self::SpendLimit => ApiError {
                code: Some("enforced_spend_limit_reached"),
                ..ApiError::new(
                    429,
                    "rate_limit_error",
                    "You have reached your specified API usage limits (scripted)",
                )
            },
            Self::Overloaded => ApiError::new(529, "overloaded_error", "Overloaded (scripted)"),
            Self::ServerError => {
                ApiError::new(500, "api_error", "Internal server error (scripted)")
            }
            Self::Unauthorized => ApiError::new(401, "authentication_error", "invalid x-api-key"),
            Self::Forbidden => ApiError::new(
                403,
                "permission_error",
                "Your API key does not have permission to use the specified resource (scripted)",
            ),
            Self::BadRequest { message } => ApiError::invalid(
                message
                    .clone()
                    .unwrap_or_else(|| "bad request (scripted)".to_owned()),
            ),
            Self::ModelNotFound => ApiError::new(404, "not_found_error", format!("model: {model}")),
            Self::Status {
                status,
                error_type,
                message,
            } => ApiError::new(*status, error_type, message.clone()),
            _ => return None,
        };
        Some(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_back_as_written() {
        let json =
            json!({"kind": "cut_mid", "after_chunks": 3, "times": "always", "scope": "global"});
        let rule: FaultRule = serde_json::from_value(json).expect("a rule");
        assert_eq!(rule.fault, Fault::CutMid { after_events: 3 });
        assert_eq!((rule.times, rule.scope), (ALWAYS, FaultScope::Global));
        let again: FaultRule =
            serde_json::from_value(serde_json::to_value(&rule).expect("json")).expect("a rule");
        assert_eq!(again, rule);
    }

    #[test]
    fn a_misspelt_fault_is_refused() {
        assert!(serde_json::from_value::<FaultRule>(json!({"kind": "rate_limits"})).is_err());
        assert!(
            serde_json::from_value::<FaultRule>(json!({"kind": "overloaded", "times": "often"}))
                .is_err()
        );
    }
}
