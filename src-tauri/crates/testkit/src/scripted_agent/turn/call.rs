//! One tool call: asking, doing, telling.

use serde_json::{Value, json};

use super::{Flow, Performance, die, fresh};
use crate::scripted_agent::{
    script::DieAt,
    session::Line,
    tools::{self, Done},
};

enum Permission {
    Granted(Value),
    Denied(String),
    Interrupted,
}

impl Performance {
    pub(super) async fn tool(
        &mut self,
        n: usize,
        name: &str,
        input: &Value,
        die_at: Option<DieAt>,
    ) -> Flow {
        let id = fresh("toolu");
        self.session.note(Line::ToolUse {
            step: n,
            id: id.clone(),
            name: name.to_owned(),
            input: input.clone(),
        });
        self.block(json!({"type": "tool_use", "id": id, "name": name, "input": input}));
        self.end_response("tool_use");
        let done = match self.permission(name, input, &id, die_at).await {
            Permission::Granted(input) => {
                die_if(die_at == Some(DieAt::Before));
                let done = tools::run(&self.wire, name, &input, &id, &self.surroundings.cwd).await;
                die_if(die_at == Some(DieAt::After));
                done
            }
            Permission::Denied(reason) => {
                self.denials
                    .push(json!({"tool_name": name, "tool_use_id": id, "tool_input": input}));
                Some(Done::error(reason))
            }
            Permission::Interrupted => None,
        };
        match done {
            Some(done) => {
                self.post_hook(name, input, &id, &done).await;
                self.tool_result(&id, done);
                Flow::On
            }
            None => {
                self.tool_result(&id, Done::error("The user doesn't want to proceed with this tool use. The tool use was rejected."));
                let text =
                    json!([{"type": "text", "text": "[Request interrupted by user for tool use]"}]);
                self.wire.say(json!({"type": "user", "message": {"role": "user", "content": text}, "parent_tool_use_id": null}));
                Flow::Interrupted("aborted_tools")
            }
        }
    }

    fn tool_result(&mut self, id: &str, done: Done) {
        self.session.note(Line::ToolResult {
            id: id.to_owned(),
            content: done.content.clone(),
            is_error: done.is_error,
        });
        let mut block = json!({"type": "tool_result", "content": done.content, "tool_use_id": id});
        if done.is_error {
            block["is_error"] = json!(true);
        }
        self.wire.say(json!({
            "type": "user", "message": {"role": "user", "content": [block]}, "parent_tool_use_id": null, "tool_use_result": done.details,
        }));
    }

    /// Hooks first, then the mode's rules, then the host.
    async fn permission(
        &self,
        name: &str,
        input: &Value,
        id: &str,
        die_at: Option<DieAt>,
    ) -> Permission {
        let hook = self.hook("PreToolUse", name, input, id, Value::Null).await;
        let said = &hook["hookSpecificOutput"];
        if hook["decision"] == "block" || said["permissionDecision"] == "deny" {
            let reason = said["permissionDecisionReason"]
                .as_str()
                .or(hook["reason"].as_str())
                .unwrap_or("denied by a hook");
            return Permission::Denied(reason.to_owned());
        }
        let mode = self.wire.mode();
        let free = name == "Read"
            || mode == "bypassPermissions"
            || (mode == "acceptEdits" && matches!(name, "Write" | "Edit"));
        if free || said["permissionDecision"] == "allow" {
            return Permission::Granted(input.clone());
        }
        if !self.args.asks_on_stdio {
            let message = format!(
                "Claude requested permissions to use {name}, but you haven't granted it yet."
            );
            self.wire.say(json!({"type": "system", "subtype": "permission_denied", "tool_name": name, "tool_use_id": id, "message": message}));
            return Permission::Denied(message);
        }
        let suggestions = if matches!(name, "Write" | "Edit") {
            json!([{"type": "setMode", "mode": "acceptEdits", "destination": "session"}])
        } else {
            json!([])
        };
        let asked = self.wire.begin_asking(json!({
            "subtype": "can_use_tool", "tool_name": name, "display_name": name, "input": input, "permission_suggestions": suggestions,
            "tool_use_id": id,
        }));
        die_if(die_at == Some(DieAt::Asked));
        let Some(answer) = self.wire.hear(asked).await else {
            return Permission::Interrupted;
        };
        match answer["behavior"].as_str() {
            Some("allow") => Permission::Granted(
                answer
                    .get("updatedInput")
                    .filter(|i| i.is_object())
                    .unwrap_or(input)
                    .clone(),
            ),
            _ if answer["interrupt"] == true => Permission::Interrupted,
            _ => Permission::Denied(answer["message"].as_str().unwrap_or("denied").to_owned()),
        }
    }

    async fn post_hook(&self, name: &str, input: &Value, id: &str, done: &Done) {
        self.hook("PostToolUse", name, input, id, json!(done.content))
            .await;
    }

    async fn hook(
        &self,
        event: &str,
        name: &str,
        input: &Value,
        id: &str,
        response: Value,
    ) -> Value {
        let mut answer = Value::Null;
        for callback in self.wire.host().hooks.get(event).into_iter().flatten() {
            let told = json!({
                "session_id": self.session.id, "transcript_path": self.session.file(), "cwd": self.surroundings.cwd,
                "permission_mode": self.wire.mode(), "hook_event_name": event, "tool_name": name, "tool_input": input,
                "tool_use_id": id, "tool_response": response,
            });
            let request = json!({"subtype": "hook_callback", "callback_id": callback, "input": told, "tool_use_id": id});
            answer = self.wire.ask(request).await.unwrap_or_default();
        }
        answer
    }
}

fn die_if(due: bool) {
    if due {
        die();
    }
}
