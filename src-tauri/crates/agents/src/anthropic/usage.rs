//! What a response says it consumed, in the shape prices are computed from.

use domain::{Tokens, UsagePart};
use serde_json::Value;

use crate::driver::Usage;

/// Merges a later report into an earlier one. Later reports are cumulative but
/// lack fields (the TTL split, tier and speed): what they do not say stays.
pub(crate) fn merge(earlier: &mut Value, later: Value) {
    match (earlier, later) {
        (Value::Object(earlier), Value::Object(later)) => {
            for (name, value) in later {
                if !value.is_null() {
                    earlier.insert(name, value);
                }
            }
        }
        (earlier, later @ Value::Object(_)) => *earlier = later,
        _ => {}
    }
}

/// The usage of a response by `model`. With `iterations` each of them is a part
/// and the top level is ignored: it leaves out what compaction, advisors and
/// fallbacks consumed.
pub(crate) fn of(model: &str, raw: Value, request_id: Option<String>) -> Usage {
    let iterations = raw["iterations"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut parts: Vec<UsagePart> = match iterations {
        [] => vec![part(model, &raw, &raw)],
        entries => entries
            .iter()
            .map(|entry| part(model, entry, &raw))
            .collect(),
    };
    // Searches are reported for the whole response and billed once.
    if !iterations.is_empty() && parts.iter().all(|part| part.web_searches == 0) {
        parts[0].web_searches = searches(&raw);
    }
    Usage {
        parts,
        raw,
        request_id,
        ..Usage::default()
    }
}

fn part(model: &str, entry: &Value, top: &Value) -> UsagePart {
    let word = |name: &str| {
        entry[name]
            .as_str()
            .or_else(|| top[name].as_str())
            .map(str::to_owned)
    };
    UsagePart {
        model: entry["model"].as_str().unwrap_or(model).to_owned(),
        tokens: tokens(entry),
        tier: word("service_tier"),
        speed: word("speed"),
        geo: word("inference_geo"),
        web_searches: searches(entry),
    }
}

fn searches(usage: &Value) -> u64 {
    count(&usage["server_tool_use"], "web_search_requests")
}

fn tokens(usage: &Value) -> Tokens {
    let split = &usage["cache_creation"];
    let (short, long) = (
        count(split, "ephemeral_5m_input_tokens"),
        count(split, "ephemeral_1h_input_tokens"),
    );
    // The total is cumulative, the split only said at the start.
    let written = usage["cache_creation_input_tokens"]
        .as_u64()
        .unwrap_or(short + long)
        .max(short + long);
    Tokens {
        input: count(usage, "input_tokens"),
        output: count(usage, "output_tokens"),
        cache_read: count(usage, "cache_read_input_tokens"),
        cache_write: written - long,
        cache_write_long: long,
    }
}

fn count(object: &Value, name: &str) -> u64 {
    object[name].as_u64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_later_report_keeps_what_it_does_not_say() {
        let mut usage = json!({
            "input_tokens": 10, "output_tokens": 1, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 7,
            "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
            "service_tier": "priority", "speed": "fast", "inference_geo": "us",
        });
        merge(
            &mut usage,
            json!({"output_tokens": 99, "service_tier": null, "server_tool_use": {"web_search_requests": 2}}),
        );
        let found = of("claude-opus-5-5", usage, None);
        let tokens = Tokens {
            input: 10,
            output: 99,
            cache_read: 7,
            cache_write: 10,
            cache_write_long: 20,
        };
        assert_eq!(found.parts.len(), 1);
        assert_eq!(found.parts[0].tokens, tokens);
        assert_eq!(found.parts[0].tier.as_deref(), Some("priority"));
        assert_eq!(found.parts[0].speed.as_deref(), Some("fast"));
        assert_eq!(found.parts[0].geo.as_deref(), Some("us"));
        assert_eq!(found.parts[0].web_searches, 2);
    }

    #[test]
    fn iterations_are_the_bill_and_the_top_level_is_not() {
        let usage = json!({
            "input_tokens": 23_000, "output_tokens": 1_000, "server_tool_use": {"web_search_requests": 3},
            "iterations": [
                {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
                {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
                {"type": "advisor_message", "model": "claude-opus-5-5", "input_tokens": 5, "output_tokens": 6},
            ],
        });
        let parts = of("claude-sonnet-5-5", usage, None).parts;
        let seen: Vec<_> = parts
            .iter()
            .map(|p| (p.model.as_str(), p.tokens.input, p.tokens.output))
            .collect();
        assert_eq!(
            seen,
            [
                ("claude-sonnet-5-5", 180_000, 3_500),
                ("claude-sonnet-5-5", 23_000, 1_000),
                ("claude-opus-5-5", 5, 6)
            ]
        );
        assert_eq!(parts.iter().map(|part| part.web_searches).sum::<u64>(), 3);
    }
}
