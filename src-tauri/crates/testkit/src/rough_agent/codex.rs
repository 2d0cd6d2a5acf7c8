//! Codex's app-server.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::model_server::text_of;

use super::voice::{Heard, Voice};

const TURN: &str = "turn-1";

#[derive(Default)]
pub(super) struct Codex {
    thread: String,
    words: String,
    commands: Vec<(String, String)>,
    answers: u64,
}

impl Codex {
    fn item(&self, event: &str, item: Value) -> Value {
        json!({"method": event, "params": {"threadId": self.thread, "turnId": TURN, "item": item}})
    }

    fn command(&self, call: &str) -> &str {
        let mut known = self.commands.iter();
        known
            .find(|(id, _)| id == call)
            .map_or("", |(_, command)| command)
    }

    fn count(&mut self, out: &mut Vec<Value>) {
        self.answers += 1;
        let tokens = |n: u64| json!({"inputTokens": 1000 * n, "cachedInputTokens": 0, "outputTokens": 50 * n});
        out.push(
            json!({"method": "thread/tokenUsage/updated", "params": {"threadId": self.thread,
            "tokenUsage": {"total": tokens(self.answers), "last": tokens(1)}}}),
        );
    }
}

impl Voice for Codex {
    fn hear(&mut self, message: &Value, out: &mut Vec<Value>) -> Heard {
        let (id, params) = (&message["id"], &message["params"]);
        let mut answer = |result: Value| out.push(json!({"id": id, "result": result}));
        match message["method"].as_str() {
            Some("initialize") => answer(json!({"userAgent": "rough"})),
            Some("thread/start") => {
                self.thread = Uuid::new_v4().to_string();
                answer(json!({"thread": {"id": self.thread}, "model": "gpt-5.5"}));
            }
            Some("thread/resume") => {
                self.thread = params["threadId"].as_str().unwrap_or_default().to_owned();
                answer(json!({"thread": {"id": self.thread}, "model": "gpt-5.5"}));
            }
            Some("turn/start") => {
                self.words = text_of(&params["input"]);
                answer(json!({"turn": {"id": TURN}}));
                return Heard::Prompt;
            }
            Some("turn/interrupt") => {
                answer(json!({}));
                return Heard::Interrupt;
            }
            Some(_) if !id.is_null() => answer(json!({})),
            Some(_) => {}
            None if message["result"]["decision"].is_string() => {
                let allowed = message["result"]["decision"] == "accept";
                return Heard::Answer { allowed };
            }
            None => {}
        }
        Heard::Nothing
    }

    fn session(&self) -> String {
        self.thread.clone()
    }

    fn prompt(&self) -> String {
        self.words.clone()
    }

    fn folder(&self) -> &'static str {
        ".codex/rough"
    }

    fn begin(&mut self, out: &mut Vec<Value>) {
        out.push(json!({"method": "turn/started", "params": {"threadId": self.thread, "turn": {"id": TURN}}}));
        out.push(json!({"method": "something/quiteNew", "params": {"sunny": true}}));
    }

    fn text(&mut self, text: &str, out: &mut Vec<Value>) {
        let item = |text: &str| json!({"type": "agentMessage", "id": "m", "text": text});
        out.push(self.item("item/started", item("")));
        self.chunk(text, out);
        out.push(self.item("item/completed", item(text)));
        self.count(out);
    }

    fn chunk(&mut self, text: &str, out: &mut Vec<Value>) {
        out.push(
            json!({"method": "item/agentMessage/delta", "params": {"itemId": "m", "delta": text}}),
        );
    }

    fn call_begins(&mut self, call: &str, command: &str, out: &mut Vec<Value>) {
        self.commands.push((call.to_owned(), command.to_owned()));
        let item = json!({"type": "commandExecution", "id": call, "command": command, "status": "inProgress"});
        out.push(self.item("item/started", item));
    }

    fn ask(&mut self, question: &str, call: &str, command: &str, out: &mut Vec<Value>) {
        out.push(
            json!({"id": question, "method": "item/commandExecution/requestApproval",
            "params": {"threadId": self.thread, "itemId": call, "command": command}}),
        );
    }

    fn call_ended(&mut self, call: &str, output: &str, fine: bool, out: &mut Vec<Value>) {
        let (status, code) = match fine {
            true => ("completed", 0),
            false => ("failed", 1),
        };
        let item = json!({"type": "commandExecution", "id": call, "command": self.command(call), "status": status,
            "exitCode": code, "aggregatedOutput": output});
        out.push(self.item("item/completed", item));
        self.count(out);
    }

    fn end(&mut self, interrupted: bool, out: &mut Vec<Value>) {
        let status = match interrupted {
            true => "interrupted",
            false => "completed",
        };
        out.push(
            json!({"method": "turn/completed", "params": {"turn": {"id": TURN, "status": status}}}),
        );
    }
}
