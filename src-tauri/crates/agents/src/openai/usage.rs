//! What an answer says it consumed; where it says nothing, what it must have been about.

use domain::{NanoUsd, Tokens, UsagePart};
use serde_json::{Value, json};

use crate::anthropic::estimate_tokens;
use crate::driver::{Counted, Usage};

/// What is known of an answer besides its usage object.
pub(crate) struct Seen<'a> {
    /// The model that answered.
    pub(crate) model: &'a str,
    /// The processing tier the response names.
    pub(crate) tier: Option<&'a str>,
    /// Bytes of the request.
    pub(crate) sent: usize,
    /// Bytes of the answer, thinking included.
    pub(crate) answered: usize,
    /// The provider's id of the request.
    pub(crate) request_id: Option<String>,
}

/// Whether this is a usage object with anything in it.
pub(crate) fn is_reported(raw: &Value) -> bool {
    let counts = ["prompt_tokens", "completion_tokens", "total_tokens"];
    counts
        .iter()
        .any(|field| raw[*field].as_u64().is_some_and(|count| count > 0))
}

/// The usage of an answer, estimated if it reports none.
pub(crate) fn of(raw: Value, seen: Seen<'_>) -> Usage {
    let part = |tokens| UsagePart {
        model: seen.model.to_owned(),
        tokens,
        tier: seen.tier.map(str::to_owned),
        ..UsagePart::default()
    };
    if !is_reported(&raw) {
        let tokens = Tokens {
            input: estimate_tokens(seen.sent),
            output: estimate_tokens(seen.answered),
            ..Tokens::default()
        };
        return Usage {
            parts: vec![part(tokens)],
            raw: json!({"not_reported": {"bytes_sent": seen.sent, "bytes_answered": seen.answered}}),
            request_id: seen.request_id,
            counted: Counted::Estimated,
            cost: None,
        };
    }
    Usage {
        parts: vec![part(tokens(&raw))],
        cost: cost(&raw),
        raw,
        request_id: seen.request_id,
        counted: Counted::Reported,
    }
}

/// The usage of an answer of the Responses API, whose words for the same counts are others.
pub(crate) fn of_response(raw: Value, seen: Seen<'_>) -> Usage {
    if raw["input_tokens"].is_null() {
        return of(Value::Null, seen);
    }
    let in_chat_words = json!({
        "prompt_tokens": raw["input_tokens"],
        "prompt_tokens_details": raw["input_tokens_details"],
        "completion_tokens": raw["output_tokens"],
        "total_tokens": raw["total_tokens"],
        "cost": raw["cost"],
    });
    Usage {
        raw,
        ..of(in_chat_words, seen)
    }
}

/// `prompt_tokens` includes what was read from and written to a cache.
fn tokens(usage: &Value) -> Tokens {
    let count = |object: &Value, field: &str| object[field].as_u64().unwrap_or(0);
    let details = &usage["prompt_tokens_details"];
    let prompt = count(usage, "prompt_tokens");
    // DeepSeek has a field of its own.
    let read = count(details, "cached_tokens").max(count(usage, "prompt_cache_hit_tokens"));
    let read = read.min(prompt);
    let written = count(details, "cache_write_tokens").min(prompt - read);
    let long = count(&details["cache_write_tokens_details"], "ttl_12h_tokens").min(written);
    Tokens {
        input: prompt - read - written,
        output: output(usage),
        cache_read: read,
        cache_write: written - long,
        cache_write_long: long,
    }
}

/// `completion_tokens` includes thinking, but not everywhere: where the total is larger by
/// just that, it does not.
fn output(usage: &Value) -> u64 {
    let count = |field: &str| usage[field].as_u64().unwrap_or(0);
    let (prompt, answer, total) = (
        count("prompt_tokens"),
        count("completion_tokens"),
        count("total_tokens"),
    );
    let thinking = usage["completion_tokens_details"]["reasoning_tokens"]
        .as_u64()
        .unwrap_or(0);
    if thinking > 0 && total == prompt + answer + thinking {
        answer + thinking
    } else {
        answer
    }
}

/// Dollars that the server itself says the call cost (OpenRouter), with what it says the
/// user's own account at the model's provider is charged beside.
fn cost(usage: &Value) -> Option<NanoUsd> {
    let own = nano(&usage["cost"])?;
    let upstream = match usage["is_byok"] == true {
        true => nano(&usage["cost_details"]["upstream_inference_cost"]).unwrap_or(NanoUsd::ZERO),
        false => NanoUsd::ZERO,
    };
    Some(own + upstream)
}

/// Below a million dollars a double holds nano-dollars exactly enough to be rounded.
pub(crate) fn nano(dollars: &Value) -> Option<NanoUsd> {
    let dollars = dollars.as_f64()?;
    (0.0..1e6)
        .contains(&dollars)
        .then(|| NanoUsd((dollars * 1e9).round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(raw: Value) -> Usage {
        let seen = Seen {
            model: "m",
            tier: Some("priority"),
            sent: 3_000,
            answered: 300,
            request_id: Some("r".to_owned()),
        };
        of(raw, seen)
    }

    #[test]
    fn cached_tokens_are_no_input_and_thinking_is_output() {
        let usage = found(json!({
            "prompt_tokens": 1_000, "completion_tokens": 70, "total_tokens": 1_070,
            "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 300,
                "cache_write_tokens_details": {"ttl_30m_tokens": 200, "ttl_12h_tokens": 100}},
            "completion_tokens_details": {"reasoning_tokens": 50},
        }));
        let tokens = Tokens {
            input: 100,
            output: 70,
            cache_read: 600,
            cache_write: 200,
            cache_write_long: 100,
        };
        assert_eq!(usage.parts[0].tokens, tokens);
        assert_eq!(usage.parts[0].tier.as_deref(), Some("priority"));
        assert_eq!((usage.counted, usage.cost), (Counted::Reported, None));
        let apart = found(json!({
            "prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 80,
            "prompt_cache_hit_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 50},
        }));
        let tokens = apart.parts[0].tokens;
        assert_eq!((tokens.input, tokens.cache_read, tokens.output), (6, 4, 70));
    }

    #[test]
    fn a_cost_that_is_reported_is_taken_to_the_nano_dollar() {
        let usage = found(json!({"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.000123456}));
        assert_eq!(usage.cost, Some(NanoUsd(123_456)));
        let own_key = json!({"prompt_tokens": 1, "cost": 0.05, "is_byok": true,
            "cost_details": {"upstream_inference_cost": 1.1}});
        assert_eq!(found(own_key).cost, Some(NanoUsd(1_150_000_000)));
        assert_eq!(found(json!({"prompt_tokens": 1, "cost": -1})).cost, None);
    }

    #[test]
    fn what_is_not_reported_is_estimated_and_marked() {
        for raw in [
            Value::Null,
            json!({"prompt_tokens": 0, "completion_tokens": 0}),
        ] {
            let usage = found(raw);
            assert_eq!(usage.counted, Counted::Estimated);
            let tokens = usage.parts[0].tokens;
            assert_eq!((tokens.input, tokens.output), (1_000, 100));
        }
    }
}
