//! How a turn ended, from its `result` line. A failed API call is told as
//! `subtype: success` with `is_error: true`, so both are looked at.

use domain::OpErrorKind;
use serde_json::{Value, json};

use super::protocol::{Freshness, Seen, charge, readable, text};
use super::tally::Tally;
use crate::driver::{Answered, Stop, Turn, TurnError, Usage};

/// What a refused or failed request is called.
pub(crate) fn words_for(status: Option<u64>, error: &str) -> String {
    match status {
        Some(401 | 403) => {
            format!("claude's credential was refused ({error}): log in again or mend the key")
        }
        Some(status) => format!("claude's request failed with {status} ({error})"),
        None => format!("claude's request failed ({error})"),
    }
}

/// Whether a result says that there is no session `id`: nothing was done, and the
/// error names it. Looked at only before the agent's `init`.
pub(crate) fn knows_no(result: &Value, id: &str) -> bool {
    text(result, "subtype") == "error_during_execution"
        && result["num_turns"].as_u64() == Some(0)
        && errors(result).contains(id)
}

/// The turn, or why there is none.
pub(crate) fn of(
    result: &Value,
    fresh: Freshness,
    seen: Seen,
    tally: &Tally,
    last_text: &str,
) -> Result<Turn, TurnError> {
    let answered = if seen.requests > 0 {
        Answered::Begun
    } else {
        Answered::No
    };
    let model = seen.model.clone();
    let charge = charge(result, fresh, seen);
    if text(result, "subtype") == "success" && result["is_error"] != true {
        let words = match text(result, "result") {
            "" => last_text,
            words => words,
        };
        return Ok(Turn {
            content: json!([{"type": "text", "text": words}]).to_string(),
            text: words.to_owned(),
            calls: Vec::new(),
            stop: stop(text(result, "stop_reason")),
            model,
            usage: None,
            charge: Some(charge),
        });
    }
    let spent = charge.tokens.prompt() + charge.tokens.output > 0;
    // A failed turn's report may leave out what it could not finish: the larger counts.
    let short = tally.exceeds(&charge.tokens);
    let reported = Usage {
        parts: charge.parts.clone(),
        raw: charge.raw.clone(),
        request_id: charge.request_id.clone(),
        ..Usage::default()
    };
    Err(TurnError {
        partial: if short {
            tally.at_an_end()
        } else {
            spent.then_some(reported)
        },
        charge: (spent && !short && charge.cost.is_some()).then(|| Box::new(charge)),
        answered,
        ..TurnError::refused(kind(result), message(result))
    })
}

fn stop(word: &str) -> Stop {
    match word {
        "end_turn" | "" => Stop::EndTurn,
        "refusal" => Stop::Refusal(None),
        "max_tokens" => Stop::MaxTokens,
        "model_context_window_exceeded" => Stop::ContextFull,
        // The turn is over: that the last message asked for tools is no wish of its own.
        "tool_use" | "stop_sequence" => Stop::EndTurn,
        other => Stop::Other(other.to_owned()),
    }
}

fn kind(result: &Value) -> OpErrorKind {
    if text(result, "api_error_type") == "billing_error" {
        return OpErrorKind::SpendLimit;
    }
    match result["api_error_status"].as_u64() {
        Some(401 | 403) => OpErrorKind::Auth,
        Some(402) => OpErrorKind::SpendLimit,
        Some(429) => OpErrorKind::RateLimited,
        Some(503 | 529) => OpErrorKind::Overloaded,
        Some(400..500) => OpErrorKind::BadRequest,
        Some(500..) => OpErrorKind::Server,
        _ if text(result, "stop_reason") == "refusal" => OpErrorKind::Refused,
        _ => OpErrorKind::Agent,
    }
}

fn message(result: &Value) -> String {
    let said = match readable(&result["result"]) {
        said if said.is_empty() => errors(result),
        said => said,
    };
    let said = if said.is_empty() {
        "it gave no reason".to_owned()
    } else {
        said
    };
    match text(result, "subtype") {
        "success" => format!("claude ended its turn with an error: {said}"),
        "error_max_turns" => format!("claude reached its limit of turns: {said}"),
        "error_max_budget_usd" => format!("claude reached its own cost limit: {said}"),
        "error_during_execution" => {
            format!(
                "claude's turn was broken off ({}): {said}",
                text(result, "terminal_reason")
            )
        }
        other => format!("claude's turn ended with {other}: {said}"),
    }
}

fn errors(result: &Value) -> String {
    let list = result["errors"].as_array();
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join("; ")
}
