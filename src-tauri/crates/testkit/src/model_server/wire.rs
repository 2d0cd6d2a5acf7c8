//! Answers as they look on the wire.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    script::{Block, Turn, Usage},
    view::digest,
};

/// An answer ready to be sent, whole or as a stream.
pub(crate) struct Answer {
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) content: Vec<Value>,
    pub(crate) stop_reason: String,
    pub(crate) usage: Usage,
    pub(crate) chunk_chars: usize,
    pub(crate) unknown_events: bool,
}

/// Characters in a delta unless the turn says otherwise.
const CHUNK_CHARS: usize = 24;

impl Answer {
    /// Mints ids and signatures, and ends the answer early where `max_tokens` does.
    pub(crate) fn new(turn: &Turn, requested_model: &str, max_tokens: u64) -> Self {
        let stop_reason = turn.stop_reason.clone().unwrap_or_else(|| {
            if turn.calls_tools() {
                "tool_use"
            } else {
                "end_turn"
            }
            .to_owned()
        });
        let mut answer = Self {
            id: fresh("msg"),
            model: turn
                .model
                .clone()
                .unwrap_or_else(|| requested_model.to_owned()),
            content: turn.blocks.iter().map(block_json).collect(),
            stop_reason,
            usage: turn.usage.clone(),
            chunk_chars: turn.chunk_chars.unwrap_or(CHUNK_CHARS).max(1),
            unknown_events: turn.unknown_events,
        };
        if answer.usage.output > max_tokens {
            answer.end_at(max_tokens);
        }
        answer
    }

    /// What the API does at `max_tokens`: the text is cut, an unfinished call is not delivered.
    fn end_at(&mut self, max_tokens: u64) {
        let share = max_tokens as f64 / self.usage.output as f64;
        self.content.retain(|block| block["type"] != "tool_use");
        if let Some(Value::String(text)) = self
            .content
            .last_mut()
            .and_then(|block| block.get_mut("text"))
        {
            let keep = (text.chars().count() as f64 * share) as usize;
            *text = text.chars().take(keep.max(1)).collect();
        }
        self.usage.output = max_tokens;
        self.usage.thinking = self.usage.thinking.min(max_tokens);
        self.stop_reason = "max_tokens".to_owned();
    }

    pub(crate) fn message(&self) -> Value {
        json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": self.content,
            "stop_reason": self.stop_reason, "stop_sequence": null, "usage": bill(&self.usage),
        })
    }

    /// The stream, event by event. `message_start` is the first, `message_stop` the last.
    pub(crate) fn events(&self) -> Vec<Value> {
        let mut message = self.message();
        message["content"] = json!([]);
        message["stop_reason"] = Value::Null;
        message["usage"] = opening_usage(&self.usage);
        let mut events = vec![
            json!({"type": "message_start", "message": message}),
            json!({"type": "ping"}),
        ];
        if self.unknown_events {
            events
                .push(json!({"type": "message_weather", "forecast": {"sunny": true}, "index": 99}));
        }
        for (index, block) in self.content.iter().enumerate() {
            self.block_events(index, block, &mut events);
        }
        events.push(json!({
            "type": "message_delta",
            "delta": {"stop_reason": self.stop_reason, "stop_sequence": null},
            "usage": closing_usage(&self.usage),
        }));
        events.push(json!({"type": "message_stop"}));
        events
    }

    fn block_events(&self, index: usize, block: &Value, events: &mut Vec<Value>) {
        let mut start = block.clone();
        let mut deltas = Vec::new();
        match block["type"].as_str() {
            Some("text") => {
                start["text"] = json!("");
                deltas.extend(
                    self.pieces(&block["text"])
                        .map(|text| json!({"type": "text_delta", "text": text})),
                );
            }
            Some("thinking") => {
                start["thinking"] = json!("");
                start["signature"] = json!("");
                deltas.extend(
                    self.pieces(&block["thinking"])
                        .map(|text| json!({"type": "thinking_delta", "thinking": text})),
                );
                deltas.push(json!({"type": "signature_delta", "signature": block["signature"]}));
            }
            _ => {
                start["input"] = json!({});
                deltas.push(json!({"type": "input_json_delta", "partial_json": ""}));
                let input = Value::String(block["input"].to_string());
                deltas.extend(
                    self.pieces(&input)
                        .map(|text| json!({"type": "input_json_delta", "partial_json": text})),
                );
            }
        }
        if self.unknown_events {
            start["x_unknown_field"] = json!([1, null, "tolerate me"]);
        }
        events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        events.extend(
            deltas.into_iter().map(
                |delta| json!({"type": "content_block_delta", "index": index, "delta": delta}),
            ),
        );
        events.push(json!({"type": "content_block_stop", "index": index}));
    }

    pub(crate) fn pieces(&self, text: &Value) -> impl Iterator<Item = String> {
        let chars: Vec<char> = text.as_str().unwrap_or_default().chars().collect();
        chars
            .chunks(self.chunk_chars)
            .map(|piece| piece.iter().collect())
            .collect::<Vec<_>>()
            .into_iter()
    }
}

fn block_json(block: &Block) -> Value {
    match block {
        Block::Text { text } => json!({"type": "text", "text": text}),
        Block::Thinking { thinking } => {
            json!({"type": "thinking", "thinking": thinking, "signature": signature(thinking)})
        }
        Block::ToolUse { name, input, id } => {
            let input = if input.is_null() {
                json!({})
            } else {
                input.clone()
            };
            json!({"type": "tool_use", "id": id.clone().unwrap_or_else(|| fresh("toolu")), "name": name, "input": input})
        }
    }
}

/// What a thinking block is signed with: made from the text alone, so that a restarted
/// server still knows its own signatures.
pub(crate) fn signature(thinking: &str) -> String {
    format!(
        "scripted.{}.{}",
        digest(thinking),
        digest(&format!("second half of {thinking}"))
    )
}

/// A new id with the API's kind of prefix.
pub(crate) fn fresh(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::new_v4().simple())
}

/// One event in the text/event-stream format.
pub(crate) fn sse(event: &Value) -> String {
    format!(
        "event: {}\ndata: {event}\n\n",
        event["type"].as_str().unwrap_or("message")
    )
}

/// `message_start.usage`: everything known before the first word.
fn opening_usage(usage: &Usage) -> Value {
    let mut json = json!({
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write_5m, "ephemeral_1h_input_tokens": usage.cache_write_1h},
        "output_tokens": usage.output.min(1),
        "service_tier": usage.service_tier,
        "inference_geo": usage.inference_geo.as_deref().unwrap_or("not_available"),
    });
    if let Some(speed) = &usage.speed {
        json["speed"] = json!(speed);
    }
    json
}

/// `message_delta.usage`: cumulative, and without the split, the tier and the speed.
fn closing_usage(usage: &Usage) -> Value {
    let mut json = json!({
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    });
    add_details(&mut json, usage);
    json
}

/// The whole usage of an answer, as an unstreamed one carries it and the ledger books it.
pub(crate) fn bill(usage: &Usage) -> Value {
    let mut json = opening_usage(usage);
    json["output_tokens"] = json!(usage.output);
    add_details(&mut json, usage);
    json
}

fn add_details(json: &mut Value, usage: &Usage) {
    if usage.thinking > 0 {
        json["output_tokens_details"] = json!({"thinking_tokens": usage.thinking});
    }
    if usage.web_search_requests + usage.web_fetch_requests > 0 {
        json["server_tool_use"] = json!({"web_search_requests": usage.web_search_requests, "web_fetch_requests": usage.web_fetch_requests});
    }
    if !usage.iterations.is_empty() {
        json["iterations"] = json!(usage.iterations);
    }
}
