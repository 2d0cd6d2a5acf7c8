//! The Agent Client Protocol.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::model_server::text_of;

use super::{
    script::Resumes,
    voice::{Heard, Voice},
};

pub(super) struct Acp {
    resumes: Resumes,
    version: u64,
    session: String,
    /// The request that is answered at the end of the turn, and what it says.
    prompt: Value,
    words: String,
    tokens: u64,
}

impl Acp {
    pub(super) fn new(resumes: Resumes, version: Option<u64>) -> Self {
        Self {
            resumes,
            version: version.unwrap_or(1),
            session: String::new(),
            prompt: Value::Null,
            words: String::new(),
            tokens: 0,
        }
    }

    fn update(&self, update: Value) -> Value {
        json!({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": self.session, "update": update}})
    }

    fn capabilities(&self) -> Value {
        let session = match self.resumes {
            Resumes::Quietly => json!({"resume": {}}),
            _ => json!({}),
        };
        let loads = matches!(self.resumes, Resumes::Loudly | Resumes::InVain);
        json!({"loadSession": loads, "sessionCapabilities": session})
    }

    fn chunk_of(&self, kind: &str, text: &str) -> Value {
        self.update(json!({"sessionUpdate": kind, "content": {"type": "text", "text": text}}))
    }
}

impl Voice for Acp {
    fn hear(&mut self, message: &Value, out: &mut Vec<Value>) -> Heard {
        let (id, params) = (&message["id"], &message["params"]);
        let mut answer =
            |result: Value| out.push(json!({"jsonrpc": "2.0", "id": id, "result": result}));
        match message["method"].as_str() {
            Some("initialize") => {
                let capabilities = self.capabilities();
                answer(
                    json!({"protocolVersion": self.version, "agentCapabilities": capabilities,
                    "agentInfo": {"name": "rough", "version": "0.0.1"}, "authMethods": []}),
                );
            }
            Some("session/new") => {
                self.session = Uuid::new_v4().to_string();
                answer(json!({"sessionId": self.session}));
            }
            Some("session/load") if self.resumes == Resumes::InVain => {
                out.push(json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32603, "message": "Internal error",
                    "data": {"details": "No previous sessions found for this project."}}}));
            }
            Some("session/load") => {
                self.session = params["sessionId"].as_str().unwrap_or_default().to_owned();
                // All of it again, as it was: not this turn's.
                let again = json!({"sessionUpdate": "tool_call", "toolCallId": "of-old", "title": "of old", "kind": "execute",
                    "status": "pending", "rawInput": {"command": "true"}});
                out.push(self.chunk_of("user_message_chunk", "once upon a time"));
                out.push(self.update(again));
                out.push(json!({"jsonrpc": "2.0", "id": id, "result": null}));
                // Not all of them wait for their own words.
                out.push(self.chunk_of("agent_message_chunk", "and they lived happily"));
            }
            Some("session/resume") => {
                self.session = params["sessionId"].as_str().unwrap_or_default().to_owned();
                answer(json!({}));
            }
            Some("session/prompt") => {
                self.prompt = id.clone();
                self.words = text_of(&params["prompt"]);
                return Heard::Prompt;
            }
            Some("session/cancel") => return Heard::Interrupt,
            Some(method) if !id.is_null() => {
                out.push(json!({"jsonrpc": "2.0", "id": id,
                    "error": {"code": -32601, "message": format!("Method not found: {method}")}}));
            }
            Some(_) => {}
            None if message["result"]["outcome"].is_object() => {
                let allowed = message["result"]["outcome"]["optionId"] == "once";
                return Heard::Answer { allowed };
            }
            None => {}
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
        ".rough"
    }

    fn begin(&mut self, out: &mut Vec<Value>) {
        out.push(self.update(
            json!({"sessionUpdate": "available_commands_update", "availableCommands": []}),
        ));
        out.push(self.update(json!({"sessionUpdate": "something_quite_new", "sunny": true})));
    }

    fn text(&mut self, text: &str, out: &mut Vec<Value>) {
        out.push(self.chunk_of("agent_thought_chunk", "Hm."));
        out.push(self.chunk_of("agent_message_chunk", text));
    }

    fn chunk(&mut self, text: &str, out: &mut Vec<Value>) {
        out.push(self.chunk_of("agent_message_chunk", text));
    }

    fn call_begins(&mut self, call: &str, command: &str, out: &mut Vec<Value>) {
        // In pieces, as they do.
        out.push(self.update(json!({"sessionUpdate": "tool_call", "toolCallId": call, "title": "bash", "kind": "execute",
            "status": "pending", "rawInput": {}})));
        out.push(self.update(
            json!({"sessionUpdate": "tool_call_update", "toolCallId": call, "title": command,
            "status": "in_progress", "rawInput": {"command": command}}),
        ));
    }

    fn ask(&mut self, question: &str, call: &str, command: &str, out: &mut Vec<Value>) {
        out.push(json!({"jsonrpc": "2.0", "id": question, "method": "session/request_permission", "params": {
            "sessionId": self.session,
            "toolCall": {"toolCallId": call, "title": command, "kind": "execute", "status": "pending",
                "rawInput": {"command": command}},
            "options": [
                {"optionId": "always", "kind": "allow_always", "name": "Always"},
                {"optionId": "once", "kind": "allow_once", "name": "Once"},
                {"optionId": "no", "kind": "reject_once", "name": "No"},
            ]}}));
    }

    fn call_ended(&mut self, call: &str, output: &str, fine: bool, out: &mut Vec<Value>) {
        self.tokens += 100;
        let status = match fine {
            true => "completed",
            false => "failed",
        };
        out.push(self.update(
            json!({"sessionUpdate": "tool_call_update", "toolCallId": call, "status": status,
            "content": [{"type": "content", "content": {"type": "text", "text": output}}]}),
        ));
    }

    fn end(&mut self, interrupted: bool, out: &mut Vec<Value>) {
        let reason = match interrupted {
            true => "cancelled",
            false => "end_turn",
        };
        out.push(self.update(
            json!({"sessionUpdate": "usage_update", "used": 1000, "size": 200_000,
            "cost": {"amount": 0.0125, "currency": "USD"}}),
        ));
        out.push(json!({"jsonrpc": "2.0", "id": self.prompt, "result": {"stopReason": reason,
            "usage": {"inputTokens": 900 + self.tokens, "outputTokens": 80, "cachedReadTokens": 5000}}}));
    }
}
