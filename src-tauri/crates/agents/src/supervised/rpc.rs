//! JSON-RPC in lines, read tolerantly: what two of the agents' languages are made of.

use serde_json::{Value, json};

use super::dialect::{line, text};

/// JSON-RPC's word for a method nobody has.
pub(crate) const METHOD_NOT_FOUND: i64 = -32601;

/// One line from the agent.
#[derive(Debug)]
pub(crate) enum Line {
    /// An answer to a request of ours: its id, and the result or the error object.
    Response(u64, Result<Value, Value>),
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
            (Some(id), true) => match (id.as_u64(), message.get("error").is_some()) {
                (Some(id), true) => Self::Response(id, Err(message["error"].take())),
                (Some(id), false) => Self::Response(id, Ok(message["result"].take())),
                (None, _) => Self::Garbage,
            },
            (None, true) => Self::Garbage,
        }
    }
}

/// How a message of ours begins: Codex leaves the version out, others insist on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Unsaid,
    Two,
}

impl Version {
    /// A request.
    pub(crate) fn request(self, id: u64, method: &str, params: Value) -> Vec<u8> {
        self.message(json!({"id": id, "method": method, "params": params}))
    }

    /// Word of something.
    pub(crate) fn notification(self, method: &str, params: Value) -> Vec<u8> {
        self.message(json!({"method": method, "params": params}))
    }

    /// The answer to a question; its id is JSON text as it was given.
    pub(crate) fn result(self, request_id: &str, result: Value) -> Vec<u8> {
        self.message(json!({"id": id(request_id), "result": result}))
    }

    /// For questions nobody here has anything to say to.
    pub(crate) fn unsupported(self, request_id: &str, what: &str) -> Vec<u8> {
        self.message(json!({"id": id(request_id), "error": {
            "code": METHOD_NOT_FOUND, "message": format!("{what} is not supported here"),
        }}))
    }

    fn message(self, mut message: Value) -> Vec<u8> {
        if self == Self::Two {
            message["jsonrpc"] = "2.0".into();
        }
        line(&message)
    }
}

fn id(request_id: &str) -> Value {
    serde_json::from_str(request_id).unwrap_or(Value::Null)
}
