//! The tools, which really do what they are asked.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::process::Command;

use super::wire::Wire;

/// What came of a call.
pub(crate) struct Done {
    pub(crate) content: String,
    pub(crate) is_error: bool,
    /// The structured form the real program adds.
    pub(crate) details: Value,
}

impl Done {
    pub(crate) fn ok(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            is_error: false,
            details: Value::Null,
        }
    }

    pub(crate) fn error(content: impl Into<String>) -> Self {
        let content = content.into();
        Self {
            details: json!(format!("Error: {content}")),
            content,
            is_error: true,
        }
    }
}

/// Does it; `None` if interrupted meanwhile.
pub(crate) async fn run(
    wire: &Wire,
    name: &str,
    input: &Value,
    id: &str,
    cwd: &Path,
) -> Option<Done> {
    match name {
        "Bash" => bash(wire, input["command"].as_str().unwrap_or_default(), cwd).await,
        "Write" => Some(write(
            &path_of(input, cwd),
            input["content"].as_str().unwrap_or_default(),
        )),
        "Edit" => Some(edit(&path_of(input, cwd), input)),
        "Read" => Some(read(&path_of(input, cwd))),
        _ => match name
            .strip_prefix("mcp__")
            .and_then(|rest| rest.split_once("__"))
        {
            Some((server, tool)) => mcp(wire, server, tool, input, id).await,
            None => Some(Done::error(format!(
                "<tool_use_error>Error: No such tool available: {name}</tool_use_error>"
            ))),
        },
    }
}

fn path_of(input: &Value, cwd: &Path) -> PathBuf {
    cwd.join(input["file_path"].as_str().unwrap_or_default())
}

/// The command gets a process group of its own and survives a killed agent, as with the
/// real program.
async fn bash(wire: &Wire, command: &str, cwd: &Path) -> Option<Done> {
    let child = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn();
    let child = match child {
        Ok(child) => child,
        Err(error) => return Some(Done::error(error.to_string())),
    };
    let group = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .unwrap_or(0);
    wire.running.send_replace(group);
    let ended = tokio::select! {
        output = child.wait_with_output() => Some(output),
        () = wire.interrupted() => None,
    };
    wire.running.send_replace(0);
    let Some(output) = ended else {
        kill_group(group);
        return None;
    };
    Some(match output {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout)
                .trim_end()
                .to_owned();
            match output.status.code() {
                Some(0) => Done {
                    details: json!({"stdout": text, "stderr": "", "interrupted": false}),
                    ..Done::ok(text)
                },
                code => Done::error(format!("Exit code {}\n{text}", code.unwrap_or(137))),
            }
        }
        Err(error) => Done::error(error.to_string()),
    })
}

/// Kills a command and what it started.
pub(crate) fn kill_group(group: i32) {
    if let Some(group) = Pid::from_raw(group).filter(|group| group.as_raw_nonzero().get() > 1) {
        // It may have ended just now.
        kill_process_group(group, Signal::KILL).ok();
    }
}

fn write(path: &Path, content: &str) -> Done {
    let original = fs::read_to_string(path).ok();
    let made = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, content));
    match made {
        Ok(()) => Done {
            details: json!({
                "type": if original.is_some() { "update" } else { "create" }, "filePath": path, "content": content,
                "structuredPatch": [], "originalFile": original, "userModified": false,
            }),
            ..Done::ok(format!("File created successfully at: {}", path.display()))
        },
        Err(error) => Done::error(error.to_string()),
    }
}

fn edit(path: &Path, input: &Value) -> Done {
    let (old, new) = (
        input["old_string"].as_str().unwrap_or_default(),
        input["new_string"].as_str().unwrap_or_default(),
    );
    match fs::read_to_string(path) {
        Err(error) => Done::error(error.to_string()),
        Ok(text) if old.is_empty() || !text.contains(old) => {
            Done::error("<tool_use_error>String to replace not found in file.</tool_use_error>")
        }
        Ok(text) => match fs::write(path, text.replacen(old, new, 1)) {
            Ok(()) => Done {
                details: json!({"filePath": path, "oldString": old, "newString": new, "originalFile": text, "structuredPatch": []}),
                ..Done::ok(format!("The file {} has been updated.", path.display()))
            },
            Err(error) => Done::error(error.to_string()),
        },
    }
}

fn read(path: &Path) -> Done {
    fs::read_to_string(path).map_or_else(|error| Done::error(error.to_string()), Done::ok)
}

async fn mcp(wire: &Wire, server: &str, tool: &str, input: &Value, id: &str) -> Option<Done> {
    let params = json!({"name": tool, "arguments": input, "_meta": {"claudecode/toolUseId": id}});
    let answer = mcp_message(
        wire,
        server,
        json!({"method": "tools/call", "params": params, "jsonrpc": "2.0", "id": 2}),
    )
    .await?;
    let result = &answer["mcp_response"]["result"];
    let text = crate::model_server::text_of(&result["content"]);
    let failed = result["isError"] == true || result.is_null();
    Some(if failed {
        Done::error(text)
    } else {
        Done::ok(text)
    })
}

pub(crate) async fn mcp_message(wire: &Wire, server: &str, message: Value) -> Option<Value> {
    wire.ask(json!({"subtype": "mcp_message", "server_name": server, "message": message}))
        .await
}

/// Gets to know the host's tool servers, as the real program does before its first turn.
pub(crate) async fn greet_servers(wire: &Wire) {
    for server in wire.host().mcp_servers {
        let info = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "claude-code", "version": super::VERSION}});
        mcp_message(
            wire,
            &server,
            json!({"method": "initialize", "params": info, "jsonrpc": "2.0", "id": 0}),
        )
        .await;
        mcp_message(
            wire,
            &server,
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        )
        .await;
        mcp_message(
            wire,
            &server,
            json!({"method": "tools/list", "jsonrpc": "2.0", "id": 1}),
        )
        .await;
    }
}
