//! The lines of the Agent Client Protocol, version 1, that we write, and what a process had
//! done by those it wrote.

use serde_json::{Value, json};

use crate::supervised::child::Survey;
pub(crate) use crate::supervised::rpc::Line;
use crate::supervised::rpc::Version;
use crate::supervised::text;
use crate::supervised::uses::Telling;

/// The ids of our requests; one process gets at most one of each.
pub(crate) const INITIALIZE: u64 = 1;
pub(crate) const AUTHENTICATE: u64 = 2;
pub(crate) const SESSION: u64 = 3;
pub(crate) const MODEL: u64 = 4;
pub(crate) const PROMPT: u64 = 5;

/// The version of the protocol that is spoken here.
pub(crate) const VERSION: u64 = 1;

/// The protocol's word for "log in first".
const AUTH_REQUIRED: i64 = -32000;

/// An id that is longer names nothing anybody would print: its digest stands for it.
const ID_MAX: usize = 200;

const RPC: Version = Version::Two;

/// What a process had done, from one of its lines.
pub(crate) fn survey(seen: &mut Survey, bytes: &[u8]) {
    match Line::parse(bytes) {
        Line::Response(SESSION, Ok(_)) => seen.opened = true,
        Line::Response(PROMPT, _) => seen.begun = true,
        // What comes before is told again of an earlier process.
        Line::Notification(method, params) if method == "session/update" && seen.opened => {
            let update = &params["update"];
            seen.begun |= is_work(update);
            let Some(telling) = telling(update) else {
                return;
            };
            let id = call_id(update);
            let name = seen.uses.name(&id, telling);
            if is_over(update) {
                seen.uses.end(&id);
                seen.settled.extend(name);
            }
        }
        Line::Notification(method, params) if method == "$/cancel_request" => {
            seen.withdrawn.insert(params["requestId"].to_string());
        }
        Line::Request(_, method, params) if method == "session/request_permission" => {
            seen.begun = true;
            let id = call_id(&params["toolCall"]);
            seen.uses.name(&id, Telling::Begins);
        }
        _ => {}
    }
}

/// Whether an update can only come of a prompt.
pub(crate) fn is_work(update: &Value) -> bool {
    matches!(
        text(update, "sessionUpdate"),
        "agent_message_chunk" | "agent_thought_chunk" | "tool_call" | "tool_call_update" | "plan"
    )
}

/// How an update tells of a call, if it does.
pub(crate) fn telling(update: &Value) -> Option<Telling> {
    match text(update, "sessionUpdate") {
        "tool_call" => Some(Telling::Begins),
        "tool_call_update" => Some(Telling::Known),
        _ => None,
    }
}

/// Whether what is told of a call is its end.
pub(crate) fn is_over(update: &Value) -> bool {
    matches!(text(update, "status"), "completed" | "failed")
}

/// The id of the call that an update or a question is about.
pub(crate) fn call_id(call: &Value) -> String {
    let id = text(call, "toolCallId");
    match id.len() > ID_MAX {
        true => blake3::hash(id.as_bytes()).to_hex().to_string(),
        false => id.to_owned(),
    }
}

/// Whether a refusal means that the user has to log in.
pub(crate) fn wants_login(error: &Value) -> bool {
    let code = error["code"].as_i64();
    let said = text(error, "message").to_ascii_lowercase();
    code == Some(AUTH_REQUIRED) || code == Some(401) || said.contains("authentication required")
}

/// The first line we send. Nothing is offered of files and terminals: an agent works with its
/// own, inside the boundary that is drawn around its process.
pub(crate) fn initialize() -> Vec<u8> {
    request(
        INITIALIZE,
        "initialize",
        json!({
            "protocolVersion": VERSION,
            "clientCapabilities": {"fs": {"readTextFile": false, "writeTextFile": false}, "terminal": false},
            "clientInfo": {"name": "longhaul", "title": "Longhaul", "version": env!("CARGO_PKG_VERSION")},
        }),
    )
}

/// Chooses a way to log in.
pub(crate) fn authenticate(method: &str) -> Vec<u8> {
    request(AUTHENTICATE, "authenticate", json!({"methodId": method}))
}

/// How a session is come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    New,
    /// It is gone on with; nothing of it is told again.
    Resume(String),
    /// The same, but all of it is told again first.
    Load(String),
}

/// Opens a session in a folder.
pub(crate) fn open(open: &Open, cwd: &str) -> Vec<u8> {
    let mut params = json!({"cwd": cwd, "mcpServers": []});
    let method = match open {
        Open::New => "session/new",
        Open::Resume(id) => {
            params["sessionId"] = id.as_str().into();
            "session/resume"
        }
        Open::Load(id) => {
            params["sessionId"] = id.as_str().into();
            "session/load"
        }
    };
    request(SESSION, method, params)
}

/// Sets an option of the session.
pub(crate) fn set_option(session: &str, option: &str, value: &str) -> Vec<u8> {
    request(
        MODEL,
        "session/set_config_option",
        json!({"sessionId": session, "configId": option, "value": value}),
    )
}

/// Sets the model, where that is no option like others.
pub(crate) fn set_model(session: &str, model: &str) -> Vec<u8> {
    request(
        MODEL,
        "session/set_model",
        json!({"sessionId": session, "modelId": model}),
    )
}

/// What the agent is asked to do, in one or two pieces.
pub(crate) fn prompt(session: &str, pieces: &[&str]) -> Vec<u8> {
    let pieces = pieces.iter().filter(|piece| !piece.is_empty());
    let blocks: Vec<Value> = pieces
        .map(|piece| json!({"type": "text", "text": piece}))
        .collect();
    request(
        PROMPT,
        "session/prompt",
        json!({"sessionId": session, "prompt": blocks}),
    )
}

/// Asks the agent to end its turn.
pub(crate) fn cancel(session: &str) -> Vec<u8> {
    RPC.notification("session/cancel", json!({"sessionId": session}))
}

/// The answer to a question whether it may: one of its options, or none where the turn is
/// being ended or no option fits.
pub(crate) fn outcome(request_id: &str, option: Option<&str>) -> Vec<u8> {
    let outcome = match option {
        Some(option) => json!({"outcome": "selected", "optionId": option}),
        None => json!({"outcome": "cancelled"}),
    };
    RPC.result(request_id, json!({"outcome": outcome}))
}

/// For questions this driver has nothing to say to.
pub(crate) fn unsupported(request_id: &str, what: &str) -> Vec<u8> {
    RPC.unsupported(request_id, what)
}

fn request(id: u64, method: &str, params: Value) -> Vec<u8> {
    RPC.request(id, method, params)
}
