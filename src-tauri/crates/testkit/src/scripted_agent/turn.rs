//! Performing the script.

mod call;
mod conclude;

use std::{sync::Arc, time::Duration};

use rustix::process::{Signal, getpid, kill_process};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use super::{
    Surroundings, VERSION,
    args::Args,
    script::{self, AgentScript, OnResume, Step},
    session::{Line, OpenCall, Session},
    tools,
    wire::{self, Prompt, Wire},
};
use crate::model_server::fresh;

/// What the real program tells the model about a call cut short by its own death.
const INTERRUPTED: &str = "[Tool call interrupted: the session ended while this call was in flight, so its outcome is unknown. \
                           Check whether it took effect before running it again.]";

/// What became of a step.
enum Flow {
    On,
    /// The host interrupted; the reason as the result words it.
    Interrupted(&'static str),
    Exit(i32),
}

/// One API response being told, block by block.
struct Response {
    id: String,
    request_id: String,
    index: usize,
}

pub(crate) struct Performance {
    wire: Arc<Wire>,
    session: Session,
    args: Args,
    surroundings: Surroundings,
    script: Option<AgentScript>,
    prompts: mpsc::UnboundedReceiver<Prompt>,
    response: Option<Response>,
    said: String,
    denials: Vec<Value>,
    results: usize,
    failed: bool,
}

impl Performance {
    pub(crate) fn new(
        wire: Arc<Wire>,
        session: Session,
        args: Args,
        surroundings: Surroundings,
        script: Option<AgentScript>,
        prompts: mpsc::UnboundedReceiver<Prompt>,
    ) -> Self {
        let said = String::new();
        Self {
            wire,
            session,
            args,
            surroundings,
            script,
            prompts,
            response: None,
            said,
            denials: Vec::new(),
            results: 0,
            failed: false,
        }
    }

    /// Answers the user until there is nothing more to read. Returns the exit code.
    pub(crate) async fn perform(mut self) -> i32 {
        for step in self.script.clone().unwrap_or_default().start {
            if let Flow::Exit(code) = Box::pin(self.step(0, &step)).await {
                return code;
            }
        }
        let mut greeted = false;
        while let Some(prompt) = self.prompts.recv().await {
            if !std::mem::replace(&mut greeted, true) {
                tools::greet_servers(&self.wire).await;
            }
            if let Some(code) = self.turn(prompt).await {
                return code;
            }
            if *self.wire.leaving.borrow() {
                break;
            }
        }
        i32::from(self.failed)
    }

    async fn turn(&mut self, prompt: Prompt) -> Option<i32> {
        let began = Instant::now();
        self.wire.begin_turn();
        let script = match self.script_for(&prompt.text) {
            Ok(script) => script,
            Err(error) => {
                wire::complain(&format!("scripted-agent: {error:#}"));
                return Some(2);
            }
        };
        self.session.note(Line::User {
            text: prompt.text.clone(),
        });
        self.begin(&prompt);
        if let Some(open) = self.session.open.take() {
            self.mention(&open, script.on_resume);
        }
        let turn = script.turn(self.session.turn);
        let mut interrupted = None;
        for (n, step) in turn.steps.iter().enumerate().skip(self.session.step) {
            if self.wire.is_interrupted() {
                interrupted = Some("aborted_streaming");
                break;
            }
            match Box::pin(self.step(n, step)).await {
                Flow::On => self.session.note(Line::Step { step: n }),
                Flow::Interrupted(reason) => {
                    interrupted = Some(reason);
                    break;
                }
                Flow::Exit(code) => return Some(code),
            }
        }
        self.end_response("end_turn");
        self.fold_in_late_prompts();
        self.conclude(&turn, interrupted, began);
        self.lifecycle(prompt.uuid.as_deref(), "completed");
        None
    }

    /// The process's script, else the one named by this prompt or by the session's first.
    fn script_for(&self, prompt: &str) -> anyhow::Result<AgentScript> {
        let first = self.session.first_prompt.as_deref().unwrap_or_default();
        match &self.script {
            Some(script) => Ok(script.clone()),
            None => script::named_in(prompt)
                .or_else(|| script::named_in(first))
                .unwrap_or_else(|| Ok(AgentScript::default())),
        }
    }

    fn begin(&self, prompt: &Prompt) {
        self.lifecycle(prompt.uuid.as_deref(), "queued");
        self.wire.say(json!({
            "type": "system", "subtype": "init", "cwd": self.surroundings.cwd, "tools": ["Bash", "Edit", "Read", "Write"],
            "mcp_servers": self.wire.host().mcp_servers.iter().map(|name| json!({"name": name, "status": "connected"})).collect::<Vec<_>>(),
            "model": self.wire.model(), "permissionMode": self.wire.mode(), "slash_commands": [], "apiKeySource": "ANTHROPIC_API_KEY",
            "claude_code_version": VERSION, "output_style": "default", "capabilities": ["msg_lifecycle_v1"],
        }));
        self.lifecycle(prompt.uuid.as_deref(), "started");
        if self.args.replay {
            self.wire.say(json!({
                "type": "user", "message": {"role": "user", "content": prompt.text}, "parent_tool_use_id": null, "isReplay": true,
            }));
        }
    }

    fn lifecycle(&self, command: Option<&str>, state: &str) {
        if let Some(command) = command {
            self.wire
                .say(json!({"type": "command_lifecycle", "command_uuid": command, "state": state}));
        }
    }

    /// A call an earlier process left open: told to the user, and by default left behind.
    fn mention(&mut self, open: &OpenCall, on_resume: OnResume) {
        self.block(json!({"type": "text", "text": format!("My {} call ({}) has no result. {INTERRUPTED}", open.name, open.id)}));
        self.end_response("end_turn");
        self.session.note(Line::ToolResult {
            id: open.id.clone(),
            content: INTERRUPTED.to_owned(),
            is_error: true,
        });
        if on_resume == OnResume::Skip {
            self.session.note(Line::Step { step: open.step });
        }
    }

    /// Messages that came in while the turn ran belong to it: one result for all.
    fn fold_in_late_prompts(&mut self) {
        while let Ok(late) = self.prompts.try_recv() {
            self.session.note(Line::User { text: late.text });
            for state in ["queued", "started", "completed"] {
                self.lifecycle(late.uuid.as_deref(), state);
            }
        }
    }

    async fn step(&mut self, n: usize, step: &Step) -> Flow {
        match step {
            Step::Think { text } => self
                .block(json!({"type": "thinking", "thinking": text, "signature": "c2NyaXB0ZWQ="})),
            Step::Text { text } => {
                self.said.clone_from(text);
                self.block(json!({"type": "text", "text": text}));
            }
            Step::Tool { name, input, die } => return self.tool(n, name, input, *die).await,
            Step::ApiRetry {
                status,
                error,
                delay_ms,
                attempt,
            } => {
                self.wire.say(json!({
                    "type": "system", "subtype": "api_retry", "attempt": attempt, "max_retries": 10, "retry_delay_ms": delay_ms,
                    "error_status": status, "error": error,
                }));
                return self.pause(*delay_ms).await;
            }
            Step::Garbage { text } => wire::print(text),
            Step::Stderr { text } => wire::complain(text),
            Step::Event { line } => self.wire.say(line.clone()),
            Step::Sleep { ms } => return self.pause(*ms).await,
            Step::Hang { deaf } => {
                self.wire.deaf.send_replace(*deaf);
                self.wire
                    .say(json!({"type": "system", "subtype": "status", "status": "requesting"}));
                return self.pause(u64::MAX).await;
            }
            Step::Die => {
                self.session.note(Line::Step { step: n });
                die();
            }
            Step::Exit { code } => {
                self.session.note(Line::Step { step: n });
                return Flow::Exit(*code);
            }
        }
        Flow::On
    }

    async fn pause(&self, ms: u64) -> Flow {
        tokio::select! {
            () = sleep(Duration::from_millis(ms)) => Flow::On,
            () = self.wire.interrupted() => Flow::Interrupted("aborted_streaming"),
        }
    }

    /// Tells one content block, as the real program does: one assistant message each.
    fn block(&mut self, block: Value) {
        let usage = json!({"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1});
        if self.response.is_none() {
            self.wire
                .say(json!({"type": "system", "subtype": "status", "status": "requesting"}));
            self.response = Some(Response {
                id: fresh("msg"),
                request_id: fresh("req"),
                index: 0,
            });
            let message = self.message(json!([]), &usage);
            self.partial(json!({"type": "message_start", "message": message}));
        }
        let index = self.response.as_ref().map_or(0, |r| r.index);
        let (empty, delta) = start_and_delta(&block);
        self.partial(
            json!({"type": "content_block_start", "index": index, "content_block": empty}),
        );
        self.partial(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        let request_id = self.response.as_ref().map(|r| r.request_id.clone());
        let message = self.message(json!([block]), &usage);
        self.wire.say(json!({"type": "assistant", "message": message, "parent_tool_use_id": null, "request_id": request_id}));
        self.partial(json!({"type": "content_block_stop", "index": index}));
        if let Some(response) = &mut self.response {
            response.index += 1;
        }
    }

    fn message(&self, content: Value, usage: &Value) -> Value {
        json!({
            "id": self.response.as_ref().map(|r| &r.id), "type": "message", "role": "assistant", "model": self.wire.model(),
            "content": content, "stop_reason": null, "stop_sequence": null, "usage": usage,
        })
    }

    fn end_response(&mut self, stop_reason: &str) {
        if self.response.is_some() {
            let delta = json!({"stop_reason": stop_reason, "stop_sequence": null});
            self.partial(
                json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 1}}),
            );
            self.partial(json!({"type": "message_stop"}));
            self.response = None;
        }
    }

    fn partial(&self, event: Value) {
        if self.args.partial {
            self.wire
                .say(json!({"type": "stream_event", "event": event, "parent_tool_use_id": null}));
        }
    }
}

/// A block as it starts, and the delta that completes it.
fn start_and_delta(block: &Value) -> (Value, Value) {
    let mut empty = block.clone();
    let delta = match block["type"].as_str() {
        Some("text") => {
            empty["text"] = json!("");
            json!({"type": "text_delta", "text": block["text"]})
        }
        Some("thinking") => {
            empty["thinking"] = json!("");
            json!({"type": "thinking_delta", "thinking": block["thinking"]})
        }
        _ => {
            empty["input"] = json!({});
            json!({"type": "input_json_delta", "partial_json": block["input"].to_string()})
        }
    };
    (empty, delta)
}

/// As the kernel's memory killer does it: nothing is cleaned up.
fn die() -> ! {
    kill_process(getpid(), Signal::KILL).ok();
    std::process::abort()
}
