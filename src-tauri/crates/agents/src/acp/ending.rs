//! Why a turn ended without an answer. The protocol has no words of its own for the model
//! API's troubles: they are in an error's code, in what an agent adds, or in its text only.

use domain::OpErrorKind;
use serde_json::Value;

use crate::codex;
use crate::driver::TurnError;
use crate::supervised::text;

/// The longest message of an agent that is passed on, in bytes.
const WORDS_MAX: usize = 1000;

/// An error answer to one of our requests.
pub(crate) fn of(agent: &str, error: &Value) -> TurnError {
    let said = words(error);
    let kind = kind(error, &said);
    TurnError {
        retry_after_ms: retry_after(&said),
        ..TurnError::refused(kind, sentence(agent, kind, &said))
    }
}

/// A turn that was called complete and was not: what was said in the place of an answer, and
/// the last trouble that was told of, in Codex's words.
pub(crate) fn in_text(agent: &str, trouble: &Value, said: &str) -> TurnError {
    let said = match (said.trim(), text(trouble, "message")) {
        ("", "") => "it gave no reason",
        ("", trouble) => trouble,
        (said, _) => said,
    };
    let kind = match trouble.is_null() {
        false => codex::trouble(trouble),
        true => by_words(said),
    };
    TurnError::refused(kind, sentence(agent, kind, said))
}

fn sentence(agent: &str, kind: OpErrorKind, said: &str) -> String {
    let said = super::calls::within(said, WORDS_MAX);
    match kind {
        OpErrorKind::Auth => {
            format!(
                "{agent} is not logged in, or its credential was refused ({said}): log in with it, or mend the key"
            )
        }
        _ => format!("{agent} ended its turn with an error: {said}"),
    }
}

/// What an error says: its message, and what it adds where the message says nothing.
pub(crate) fn words(error: &Value) -> String {
    let message = text(error, "message");
    let details = match &error["data"] {
        Value::String(details) => details.as_str(),
        data => match text(data, "details") {
            "" => text(data, "message"),
            details => details,
        },
    };
    match (message, details) {
        ("", "") => "it gave no reason".to_owned(),
        (message, "") => message.to_owned(),
        ("" | "Internal error", details) => details.to_owned(),
        (message, details) => format!("{message}: {details}"),
    }
}

fn kind(error: &Value, said: &str) -> OpErrorKind {
    if super::protocol::wants_login(error) {
        return OpErrorKind::Auth;
    }
    match text(&error["data"], "errorKind") {
        "rate_limit" => return OpErrorKind::RateLimited,
        "authentication_failed" | "authentication_error" => return OpErrorKind::Auth,
        "billing_error" => return OpErrorKind::SpendLimit,
        "invalid_request" => return OpErrorKind::BadRequest,
        _ => {}
    }
    // Some give the model API's status as the code.
    match error["code"]
        .as_i64()
        .and_then(|code| u16::try_from(code).ok())
    {
        Some(status @ 400..600) => by_status(status),
        _ => by_words(said),
    }
}

fn by_status(status: u16) -> OpErrorKind {
    match status {
        401 | 403 => OpErrorKind::Auth,
        402 => OpErrorKind::SpendLimit,
        429 => OpErrorKind::RateLimited,
        503 | 529 => OpErrorKind::Overloaded,
        400..500 => OpErrorKind::BadRequest,
        _ => OpErrorKind::Server,
    }
}

/// By the status a text names, or the words that are usual for it.
fn by_words(said: &str) -> OpErrorKind {
    let said = said.to_ascii_lowercase();
    let named = said
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() == 3)
        .filter_map(|word| word.parse::<u16>().ok())
        .find(|status| matches!(status, 400..=403 | 429 | 500 | 502 | 503 | 529));
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match named {
        Some(status) => by_status(status),
        None if says(&["rate limit", "quota", "too many requests"]) => OpErrorKind::RateLimited,
        None if says(&["overloaded", "at capacity"]) => OpErrorKind::Overloaded,
        None if says(&["invalid api key", "api key not valid", "unauthorized"]) => {
            OpErrorKind::Auth
        }
        None if says(&["credit balance", "billing"]) => OpErrorKind::SpendLimit,
        None if says(&["bad request", "invalid_request"]) => OpErrorKind::BadRequest,
        None => OpErrorKind::Agent,
    }
}

/// Gemini CLI's words for when to come again.
fn retry_after(said: &str) -> Option<u64> {
    let (_, after) = said.split_once("retry after ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u64>().ok()?.checked_mul(1000)
}
