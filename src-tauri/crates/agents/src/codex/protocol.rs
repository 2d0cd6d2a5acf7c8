//! The app-server's lines: JSON-RPC without its `jsonrpc` field, read tolerantly, and the
//! few lines we write.

use serde_json::{Value, json};

use crate::supervised::child::Survey;
pub(crate) use crate::supervised::rpc::Line;
use crate::supervised::rpc::Version;
use crate::supervised::{line, text};

/// What this protocol's messages leave out.
const RPC: Version = Version::Unsaid;

/// The ids of our requests; one process gets one of each, but for [`STEER`], whose answers
/// nobody waits for.
pub(crate) const INITIALIZE: u64 = 1;
pub(crate) const THREAD: u64 = 2;
pub(crate) const TURN: u64 = 3;
pub(crate) const INTERRUPT: u64 = 4;
pub(crate) const CLEAN: u64 = 5;
pub(crate) const STEER: u64 = 6;

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
    RPC.result(request_id, json!({"decision": decision}))
}

/// For requests this driver has nothing to say to.
pub(crate) fn unsupported(request_id: &str, what: &str) -> Vec<u8> {
    RPC.unsupported(request_id, what)
}

fn request(id: u64, method: &str, params: Value) -> Vec<u8> {
    RPC.request(id, method, params)
}
