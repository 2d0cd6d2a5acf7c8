//! Lines in and out.

use std::{
    collections::HashMap,
    io::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot, watch},
};
use uuid::Uuid;

use super::{VERSION, args::Args};

pub(crate) fn uuid() -> String {
    Uuid::new_v4().to_string()
}

/// Writes a line to standard output. A closed one is no reason to stop: the real program
/// finishes its turn too.
pub(crate) fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).ok();
}

pub(crate) fn complain(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}

/// A message of the user.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    pub(crate) text: String,
    pub(crate) uuid: Option<String>,
}

impl Prompt {
    pub(crate) fn plain(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            uuid: None,
        }
    }
}

/// What `initialize` asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    /// Callback ids by hook event.
    pub(crate) hooks: HashMap<String, Vec<String>>,
    pub(crate) mcp_servers: Vec<String>,
}

pub(crate) struct Wire {
    session: String,
    model: Mutex<String>,
    mode: Mutex<String>,
    pending: Mutex<HashMap<String, oneshot::Sender<Value>>>,
    host: Mutex<Host>,
    /// Counts interrupts.
    interrupts: watch::Sender<u32>,
    /// How many of them came before this turn, and mean nothing to it.
    stale: watch::Sender<u32>,
    /// Set by a deaf hang.
    pub(crate) deaf: watch::Sender<bool>,
    /// Set by SIGINT: end after this turn.
    pub(crate) leaving: watch::Sender<bool>,
    /// Process group of the command that runs, 0 if none.
    pub(crate) running: watch::Sender<i32>,
    /// Set when standard input has ended: nobody will answer any more.
    unheard: watch::Sender<bool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wire {
    pub(crate) fn new(session: String, args: &Args) -> Self {
        Self {
            session,
            model: Mutex::new(
                args.model
                    .clone()
                    .unwrap_or_else(|| "claude-opus-5-5".to_owned()),
            ),
            mode: Mutex::new(args.permission_mode.clone()),
            pending: Mutex::default(),
            host: Mutex::default(),
            interrupts: watch::Sender::new(0),
            stale: watch::Sender::new(0),
            deaf: watch::Sender::new(false),
            leaving: watch::Sender::new(false),
            running: watch::Sender::new(0),
            unheard: watch::Sender::new(false),
        }
    }

    pub(crate) fn model(&self) -> String {
        lock(&self.model).clone()
    }

    pub(crate) fn mode(&self) -> String {
        lock(&self.mode).clone()
    }

    pub(crate) fn host(&self) -> Host {
        lock(&self.host).clone()
    }

    /// Sends a message of this session.
    pub(crate) fn say(&self, mut message: Value) {
        if let Some(fields) = message.as_object_mut() {
            fields
                .entry("session_id")
                .or_insert_with(|| json!(self.session));
            fields.entry("uuid").or_insert_with(|| json!(uuid()));
        }
        print(&message.to_string());
    }

    /// Asks the host and waits for its answer; `None` if interrupted.
    pub(crate) async fn ask(&self, request: Value) -> Option<Value> {
        let answer = self.begin_asking(request);
        self.hear(answer).await
    }

    pub(crate) fn begin_asking(&self, request: Value) -> (String, oneshot::Receiver<Value>) {
        let id = uuid();
        let (to, from) = oneshot::channel();
        // Otherwise the asker's end is dropped, which counts as no answer.
        if !*self.unheard.borrow() {
            lock(&self.pending).insert(id.clone(), to);
        }
        print(
            &json!({"type": "control_request", "request_id": id, "request": request}).to_string(),
        );
        (id, from)
    }

    pub(crate) async fn hear(
        &self,
        (id, answer): (String, oneshot::Receiver<Value>),
    ) -> Option<Value> {
        tokio::select! {
            answer = answer => answer.ok(),
            () = self.interrupted() => {
                lock(&self.pending).remove(&id);
                print(&json!({"type": "control_cancel_request", "request_id": id}).to_string());
                None
            }
        }
    }

    /// From here on only new interrupts count.
    pub(crate) fn begin_turn(&self) {
        self.stale.send_replace(*self.interrupts.borrow());
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        *self.interrupts.borrow() > *self.stale.borrow()
    }

    /// Waits until this turn is interrupted; at once if it was, at whatever step.
    pub(crate) async fn interrupted(&self) {
        let stale = *self.stale.borrow();
        // The sender is ours, so this ends only with an interrupt.
        let _ = self.interrupts.subscribe().wait_for(|n| *n > stale).await;
    }

    /// Reads standard input to its end. Blocks; for a thread of its own.
    pub(crate) fn read(&self, prompts: &mpsc::UnboundedSender<Prompt>) {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let Ok(message) = serde_json::from_str::<Value>(&line) else {
                complain(&format!("scripted-agent: not JSON: {line}"));
                continue;
            };
            match message["type"].as_str() {
                Some("user") => drop(prompts.send(prompt_of(&message))),
                Some("control_request") => {
                    self.control(&message["request_id"], &message["request"])
                }
                Some("control_response") => self.answered(&message["response"]),
                _ => {}
            }
        }
        self.unheard.send_replace(true);
        lock(&self.pending).clear();
    }

    fn answered(&self, response: &Value) {
        let waiting = response["request_id"]
            .as_str()
            .and_then(|id| lock(&self.pending).remove(id));
        if let Some(waiting) = waiting {
            waiting.send(response["response"].clone()).ok();
        }
    }

    fn control(&self, id: &Value, request: &Value) {
        let answer = match request["subtype"].as_str().unwrap_or_default() {
            "initialize" => {
                *lock(&self.host) = host_of(request);
                json!({
                    "commands": [], "agents": [], "output_style": "default", "models": [{"value": "default", "resolvedModel": self.model()}],
                    "account": {"apiKeySource": "ANTHROPIC_API_KEY", "apiProvider": "firstParty"}, "pid": std::process::id(),
                    "claude_code_version": VERSION, "current_permission_mode": self.mode(), "session_state": "idle",
                })
            }
            "interrupt" => {
                if !*self.deaf.borrow() {
                    self.interrupts.send_modify(|n| *n += 1);
                }
                json!({"still_queued": []})
            }
            "set_model" => {
                *lock(&self.model) = request["model"]
                    .as_str()
                    .unwrap_or("claude-opus-5-5")
                    .to_owned();
                json!({})
            }
            "set_permission_mode" => {
                *lock(&self.mode) = request["mode"].as_str().unwrap_or("default").to_owned();
                json!({"mode": self.mode()})
            }
            _ => json!({}),
        };
        let response = json!({"subtype": "success", "request_id": id, "response": answer});
        print(&json!({"type": "control_response", "response": response}).to_string());
    }

    /// SIGTERM ends it at once (143), SIGINT after the interrupted turn; commands die with it.
    pub(crate) async fn obey_signals(self: std::sync::Arc<Self>) {
        let (Ok(mut term), Ok(mut int)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        ) else {
            return;
        };
        loop {
            let terminated = tokio::select! {
                _ = term.recv() => true,
                _ = int.recv() => false,
            };
            if *self.deaf.borrow() {
                continue;
            }
            super::tools::kill_group(*self.running.borrow());
            if terminated {
                std::process::exit(143);
            }
            self.leaving.send_replace(true);
            self.interrupts.send_modify(|n| *n += 1);
        }
    }
}

fn prompt_of(message: &Value) -> Prompt {
    let content = &message["message"]["content"];
    Prompt {
        text: crate::model_server::text_of(content),
        uuid: message["uuid"].as_str().map(str::to_owned),
    }
}

fn host_of(request: &Value) -> Host {
    let strings = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect()
    };
    let hooks = request["hooks"].as_object().into_iter().flatten();
    let ids = |matchers: &Value| {
        matchers
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|m| strings(&m["hookCallbackIds"]))
            .collect()
    };
    Host {
        hooks: hooks
            .map(|(event, matchers)| (event.clone(), ids(matchers)))
            .collect(),
        mcp_servers: strings(&request["sdkMcpServers"]),
    }
}
