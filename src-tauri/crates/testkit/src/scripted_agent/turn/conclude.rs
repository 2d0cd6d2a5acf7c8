//! The end of a turn.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Performance;
use crate::scripted_agent::{
    script::{AgentTurn, AgentUsage},
    session::Line,
    wire::uuid,
};

impl Performance {
    pub(super) fn conclude(&mut self, turn: &AgentTurn, interrupted: Option<&str>, began: Instant) {
        if let Some(error) = &turn.error {
            self.tell_error(&error.message);
        }
        let spent = turn.usage;
        let mut total = self.session.total;
        total.input += spent.input;
        total.output += spent.output;
        total.cache_read += spent.cache_read;
        total.cache_write += spent.cache_write;
        let cost = self.session.cost_usd + turn.cost_usd;
        self.session.note(Line::Result {
            total_cost_usd: cost,
            total,
        });
        let model = self.wire.model();
        let by_model = |usage: AgentUsage, cost: f64| {
            let fields = json!({
                "inputTokens": usage.input, "outputTokens": usage.output, "cacheReadInputTokens": usage.cache_read,
                "cacheCreationInputTokens": usage.cache_write, "webSearchRequests": 0, "costUSD": cost, "contextWindow": 1_000_000,
                "maxOutputTokens": 128_000, "canonicalModel": model, "provider": "firstParty", "costBasis": "list",
            });
            Value::Object([(model.clone(), fields)].into_iter().collect())
        };
        let duration = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut result = json!({
            "type": "result", "subtype": "success", "is_error": false, "num_turns": 1, "stop_reason": "end_turn",
            "duration_ms": duration, "duration_api_ms": duration, "total_cost_usd": cost,
            "usage": {
                "input_tokens": spent.input, "cache_creation_input_tokens": spent.cache_write, "cache_read_input_tokens": spent.cache_read,
                "output_tokens": spent.output, "service_tier": "standard", "iterations": [], "speed": "standard",
                "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": spent.cache_write},
            },
            "modelUsage": by_model(total, cost), "model_usage_since_last_result": by_model(spent, turn.cost_usd),
            "permission_denials": std::mem::take(&mut self.denials), "terminal_reason": "completed", "api_error_status": null,
            "result": turn.result.clone().unwrap_or_else(|| std::mem::take(&mut self.said)), "result_index": self.results,
        });
        if let Some(error) = &turn.error {
            result["is_error"] = json!(true);
            result["result"] = json!(error.message);
            result["stop_reason"] = json!("stop_sequence");
            result["terminal_reason"] = json!("api_error");
            result["api_error_status"] = json!(error.status);
        }
        if let Some(reason) = interrupted {
            result["is_error"] = json!(true);
            result["subtype"] = json!("error_during_execution");
            result["terminal_reason"] = json!(reason);
            result["errors"] = json!(["interrupted"]);
            if let Some(fields) = result.as_object_mut() {
                fields.remove("result");
            }
        }
        self.failed = result["is_error"] == true;
        self.results += 1;
        self.wire.say(result);
    }

    /// A failed API call is told as an answer of the model `<synthetic>`.
    fn tell_error(&self, message: &str) {
        self.wire.say(json!({
            "type": "assistant", "parent_tool_use_id": null,
            "message": {
                "id": uuid(), "type": "message", "role": "assistant", "model": "<synthetic>", "stop_reason": "stop_sequence",
                "stop_sequence": "", "content": [{"type": "text", "text": message}],
                "usage": {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
            },
        }));
    }
}
