//! Claude Code's stream-json.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::model_server::text_of;

use super::voice::{Heard, Voice};

pub(super) struct Claude {
    session: String,
    words: String,
    messages: u64,
}

impl Claude {
    pub(super) fn new(args: &[String]) -> Self {
        let given = |flag: &str| {
            let at = args.iter().position(|arg| arg == flag)?;
            args.get(at + 1).cloned()
        };
        let session = given("--resume").or_else(|| given("--session-id"));
        Self {
            session: session.unwrap_or_else(|| Uuid::new_v4().to_string()),
            words: String::new(),
            messages: 0,
        }
    }

    fn message(&mut self, block: Value) -> Value {
        self.messages += 1;
        json!({"type": "assistant", "session_id": self.session, "parent_tool_use_id": null, "message": {
            "id": format!("msg-{}", self.messages), "type": "message", "role": "assistant", "model": "claude-sonnet-5-5",
            "content": [block], "usage": {"input_tokens": 100, "output_tokens": 10}}})
    }
}

impl Voice for Claude {
    fn hear(&mut self, message: &Value, out: &mut Vec<Value>) -> Heard {
        match message["type"].as_str() {
            Some("user") => {
                self.words = text_of(&message["message"]["content"]);
                return Heard::Prompt;
            }
            Some("control_request") => {
                out.push(
                    json!({"type": "control_response", "response": {"subtype": "success",
                    "request_id": message["request_id"], "response": {}}}),
                );
                if message["request"]["subtype"] == "interrupt" {
                    return Heard::Interrupt;
                }
            }
            Some("control_response") => {
                let allowed = message["response"]["response"]["behavior"] == "allow";
                return Heard::Answer { allowed };
            }
            _ => {}
        }
        Heard::Nothing
    }

    fn session(&self) -> String {
        self.session.clone()
    }

    fn prompt(&self) -> String {
        self.words.clone()
    }

    fn folder(&self) -> &'static str {
        ".claude/rough"
    }

    fn begin(&mut self, out: &mut Vec<Value>) {
        out.push(json!({"type": "system", "subtype": "init", "session_id": self.session, "model": "claude-sonnet-5-5",
            "tools": ["Bash"]}));
        out.push(json!({"type": "something_quite_new", "sunny": true}));
    }

    fn text(&mut self, text: &str, out: &mut Vec<Value>) {
        let message = self.message(json!({"type": "text", "text": text}));
        out.push(message);
    }

    fn chunk(&mut self, text: &str, out: &mut Vec<Value>) {
        out.push(json!({"type": "stream_event", "parent_tool_use_id": null, "event": {"type": "content_block_delta",
            "index": 0, "delta": {"type": "text_delta", "text": text}}}));
    }

    fn call_begins(&mut self, call: &str, command: &str, out: &mut Vec<Value>) {
        let block =
            json!({"type": "tool_use", "id": call, "name": "Bash", "input": {"command": command}});
        let message = self.message(block);
        out.push(message);
    }

    fn ask(&mut self, question: &str, call: &str, command: &str, out: &mut Vec<Value>) {
        out.push(json!({"type": "control_request", "request_id": question, "request": {"subtype": "can_use_tool",
            "tool_name": "Bash", "input": {"command": command}, "tool_use_id": call}}));
    }

    fn call_ended(&mut self, call: &str, output: &str, fine: bool, out: &mut Vec<Value>) {
        let block = json!({"type": "tool_result", "tool_use_id": call, "content": output, "is_error": !fine});
        out.push(json!({"type": "user", "parent_tool_use_id": null, "message": {"role": "user", "content": [block]}}));
    }

    fn end(&mut self, interrupted: bool, out: &mut Vec<Value>) {
        let (subtype, reason) = match interrupted {
            true => ("error_during_execution", "aborted_tools"),
            false => ("success", "completed"),
        };
        out.push(json!({"type": "result", "subtype": subtype, "is_error": interrupted, "result": "The agent is done.",
            "num_turns": 1, "session_id": self.session, "terminal_reason": reason, "total_cost_usd": 0.0125,
            "usage": {"input_tokens": 900, "output_tokens": 80}, "modelUsage": {"claude-sonnet-5-5": {
                "inputTokens": 900, "outputTokens": 80, "costUSD": 0.0125}}}));
    }
}
