//! The app-server's lines: JSON-RPC without its `jsonrpc` field, read tolerantly, and the
//! few lines we write.

use serde_json::{Value, json};

use crate::supervised::child::Survey;
use crate::supervised::{line, text};

/// The ids of our requests; one process gets one of each, but for [`STEER`], whose answers
/// nobody waits for.
pub(crate) const INITIALIZE: u64 = 1;
pub(crate) const THREAD: u64 = 2;
pub(crate) const TURN: u64 = 3;
pub(crate) const INTERRUPT: u64 = 4;
pub(crate) const CLEAN: u64 = 5;
pub(crate) const STEER: u64 = 6;

/// JSON-RPC's word for a method nobody has.
const METHOD_NOT_FOUND: i64 = -32601;

/// One line from the agent.
#[derive(Debug)]
pub(crate) enum Line {
    /// An answer to a request of ours: its id, and the result or the error's words.
    Response(u64, Result<Value, String>),
    /// It asks us something: the id as JSON text, the method, the parameters.
    Request(String, String, Value),
    /// It tells of something.
    Notification(String, Value),
    /// Not a message.
    Garbage,
}

impl Line {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let Ok(Value::Object(fields)) = serde_json::from_slice(bytes) else {
            return Self::Garbage;
        };
        let mut message = Value::Object(fields);
        let method = text(&message, "method").to_owned();
        let id = message.get("id").filter(|id| !id.is_null()).cloned();
        match (id, method.is_empty()) {
            (Some(id), false) => Self::Request(id.to_string(), method, message["params"].take()),
            (None, false) => Self::Notification(method, message["params"].take()),
            (Some(id), true) => match (id.as_u64(), message.get("error")) {
                (Some(id), Some(error)) => {
                    Self::Response(id, Err(text(error, "message").to_owned()))
                }
                (Some(id), None) => Self::Response(id, Ok(message["result"].take())),
                (None, _) => Self::Garbage,
            },
            (None, true) => Self::Garbage,
        }
    }
}

/// What a process had done, from one of its lines.
pub(crate) fn survey(seen: &mut Survey, bytes: &[u8]) {
    match Line::parse(bytes) {
        Line::Response(TURN, Ok(_)) => seen.begun = true,
        Line::Notification(method, params) => match method.as_str() {
            "turn/started" => seen.begun = true,
            "item/completed" => {
                seen.settled.insert(text(&params["item"], "id").to_owned());
            }
            // Answered, or taken back.
            "serverRequest/resolved" => {
                seen.withdrawn.insert(params["requestId"].to_string());
            }
            _ => {}
        },
        Line::Response(..) | Line::Request(..) | Line::Garbage => {}
    }
}

/// The first line we send.
pub(crate) fn initialize() -> Vec<u8> {
    request(
        INITIALIZE,
        "initialize",
        json!({
            "clientInfo": {"name": "longhaul", "title": "Longhaul", "version": env!("CARGO_PKG_VERSION")},
            // For the cleaning of terminals that go on behind an interrupted turn.
            "capabilities": {"experimentalApi": true},
        }),
    )
}

/// What a thread is told, new or resumed.
pub(crate) struct Settings<'a> {
    pub(crate) cwd: &'a str,
    /// Empty: its own default.
    pub(crate) model: &'a str,
    /// Added to its own instructions.
    pub(crate) system: &'a str,
    pub(crate) sandbox: &'a str,
}

/// Begins a thread, or goes on with `resumed`.
pub(crate) fn thread(resumed: Option<&str>, settings: &Settings<'_>) -> Vec<u8> {
    let mut params = json!({
        "cwd": settings.cwd,
        "approvalPolicy": "untrusted",
        // By the person in front of Longhaul, not by a model.
        "approvalsReviewer": "user",
        "sandbox": settings.sandbox,
    });
    if !settings.model.is_empty() {
        params["model"] = settings.model.into();
    }
    if !settings.system.is_empty() {
        params["developerInstructions"] = settings.system.into();
    }
    let mut lines = line(&json!({"method": "initialized"}));
    lines.extend(match resumed {
        Some(thread) => {
            params["threadId"] = thread.into();
            params["excludeTurns"] = true.into();
            request(THREAD, "thread/resume", params)
        }
        None => request(THREAD, "thread/start", params),
    });
    lines
}

/// A message of the user, which begins a turn.
pub(crate) fn turn(thread: &str, prompt: &str) -> Vec<u8> {
    let input = json!([{"type": "text", "text": prompt}]);
    request(
        TURN,
        "turn/start",
        json!({"threadId": thread, "input": input}),
    )
}

/// Words for the model in mid-turn.
pub(crate) fn steer(thread: &str, turn: &str, words: &str) -> Vec<u8> {
    let params = json!({
        "threadId": thread, "expectedTurnId": turn,
        "input": [{"type": "text", "text": words}],
    });
    request(STEER, "turn/steer", params)
}

/// Asks the agent to end its turn.
pub(crate) fn interrupt(thread: &str, turn: &str) -> Vec<u8> {
    request(
        INTERRUPT,
        "turn/interrupt",
        json!({"threadId": thread, "turnId": turn}),
    )
}

/// Ends the commands an interrupted turn leaves running: by design it does (measured).
pub(crate) fn clean(thread: &str) -> Vec<u8> {
    request(
        CLEAN,
        "thread/backgroundTerminals/clean",
        json!({"threadId": thread}),
    )
}

/// The answer to a question whether it may.
pub(crate) fn decision(request_id: &str, decision: &str) -> Vec<u8> {
    line(&json!({"id": id(request_id), "result": {"decision": decision}}))
}

/// For requests this driver has nothing to say to.
pub(crate) fn unsupported(request_id: &str, what: &str) -> Vec<u8> {
    line(&json!({"id": id(request_id), "error": {
        "code": METHOD_NOT_FOUND, "message": format!("{what} is not supported here"),
    }}))
}

/// The id as it was given: JSON text.
fn id(request_id: &str) -> Value {
    serde_json::from_str(request_id).unwrap_or(Value::Null)
}

fn request(id: u64, method: &str, params: Value) -> Vec<u8> {
    line(&json!({"id": id, "method": method, "params": params}))
}
