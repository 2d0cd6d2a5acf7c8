//! How a turn ended that was not completed, from the error it gave.

use domain::OpErrorKind;
use serde_json::Value;

use crate::driver::TurnError;
use crate::supervised::text;

/// A failed turn's error as one of ours. `error` is the protocol's `TurnError`.
pub(crate) fn of(error: &Value) -> TurnError {
    let kind = kind(error);
    let said = match text(error, "message") {
        "" => "it gave no reason",
        said => said,
    };
    let words = match (kind, status(error)) {
        (OpErrorKind::Auth, _) => {
            format!("codex's credential was refused ({said}): run `codex login`, or mend the key")
        }
        (_, Some(status)) => format!("codex's request failed with {status}: {said}"),
        (_, None) => format!("codex ended its turn with an error: {said}"),
    };
    TurnError::refused(kind, words)
}

/// The HTTP status an error tells of.
pub(crate) fn status(error: &Value) -> Option<u64> {
    let about = error["codexErrorInfo"].as_object()?;
    about
        .values()
        .find_map(|about| about["httpStatusCode"].as_u64())
}

/// What may be done about it.
pub(crate) fn kind(error: &Value) -> OpErrorKind {
    match error["codexErrorInfo"].as_str() {
        Some("unauthorized") => return OpErrorKind::Auth,
        // Of a subscription; it says when it opens again in words only.
        Some("usageLimitExceeded" | "rateLimitExceeded") => return OpErrorKind::RateLimited,
        Some("sessionBudgetExceeded") => return OpErrorKind::SpendLimit,
        Some("serverOverloaded" | "flexUnavailable" | "policyCapacityUnavailable") => {
            return OpErrorKind::Overloaded;
        }
        Some("internalServerError") => return OpErrorKind::Server,
        Some("contextWindowExceeded" | "modelNotFound" | "badRequest") => {
            return OpErrorKind::BadRequest;
        }
        Some("cyberPolicy" | "misalignmentPolicyViolation" | "inferenceHookDenied") => {
            return OpErrorKind::Refused;
        }
        _ => {}
    }
    match status(error) {
        Some(401 | 403) => OpErrorKind::Auth,
        Some(402) => OpErrorKind::SpendLimit,
        Some(429) => OpErrorKind::RateLimited,
        Some(503 | 529) => OpErrorKind::Overloaded,
        Some(400..500) => OpErrorKind::BadRequest,
        Some(500..) => OpErrorKind::Server,
        _ if says(error, "httpConnectionFailed") => OpErrorKind::Offline,
        _ if says(error, "responseStreamConnectionFailed") => OpErrorKind::Offline,
        _ if says(error, "responseStreamDisconnected") => OpErrorKind::Cut,
        _ => OpErrorKind::Agent,
    }
}

fn says(error: &Value, what: &str) -> bool {
    error["codexErrorInfo"].get(what).is_some()
}
