//! What Codex does, as the journal knows it: its items that are calls.

use domain::{OpClass, OpOutcome};
use serde_json::{Value, json};

use crate::driver::ObservedCall;
use crate::supervised::{one_line, text};

/// The item as a call; None for what is none (messages, thoughts, plans).
pub(crate) fn observed(item: &Value) -> Option<ObservedCall> {
    let call = |name: String, input: Value, summary: String, class: OpClass| ObservedCall {
        call_id: text(item, "id").to_owned(),
        name,
        input: input.to_string(),
        summary: one_line(&summary),
        class,
    };
    let kept = |field: &str| item[field].clone();
    Some(match text(item, "type") {
        // What Codex itself takes for reading is not believed after a crash.
        "commandExecution" => {
            let command = script(text(item, "command"));
            let input = json!({"command": command, "cwd": kept("cwd")});
            call("shell".to_owned(), input, command, OpClass::AtMostOnce)
        }
        "fileChange" => {
            let changes = kept("changes");
            let paths = paths(&changes);
            let summary = paths.join(", ");
            let input = json!({"changes": changes});
            call(
                "apply_patch".to_owned(),
                input,
                summary,
                OpClass::AtMostOnce,
            )
        }
        "mcpToolCall" => {
            let name = format!("mcp__{}__{}", text(item, "server"), text(item, "tool"));
            let summary = item["arguments"].to_string();
            call(name, kept("arguments"), summary, OpClass::AtMostOnce)
        }
        "dynamicToolCall" => {
            let summary = item["arguments"].to_string();
            let name = text(item, "tool").to_owned();
            call(name, kept("arguments"), summary, OpClass::AtMostOnce)
        }
        "collabAgentToolCall" => {
            let name = format!("agent_{}", text(item, "tool"));
            let input = json!({"prompt": kept("prompt")});
            call(
                name,
                input,
                text(item, "prompt").to_owned(),
                OpClass::AtMostOnce,
            )
        }
        "webSearch" => {
            let query = text(item, "query").to_owned();
            call(
                "web_search".to_owned(),
                json!({"query": query}),
                query,
                OpClass::Pure,
            )
        }
        _ => return None,
    })
}

/// Whether it asks before it does this, as far as the kind of item tells.
pub(crate) fn is_asked_about(item: &Value) -> bool {
    matches!(text(item, "type"), "commandExecution" | "fileChange")
}

/// How a call ended, from its completed item.
pub(crate) fn ended(item: &Value) -> (OpOutcome, String) {
    let fine = text(item, "status") == "completed";
    let code = item["exitCode"].as_i64();
    let outcome = match fine && code.unwrap_or(0) == 0 && item["success"] != false {
        true => OpOutcome::Ok,
        false => OpOutcome::Error,
    };
    let said = match text(item, "type") {
        "commandExecution" => {
            let mut said = text(item, "aggregatedOutput").to_owned();
            if let Some(code) = code.filter(|code| *code != 0) {
                said.push_str(&format!("\n[exit code {code}]"));
            }
            said
        }
        "fileChange" => paths(&item["changes"]).join("\n"),
        "mcpToolCall" if !item["error"].is_null() => text(&item["error"], "message").to_owned(),
        "mcpToolCall" => readable(&item["result"]["content"]),
        "dynamicToolCall" => readable(&item["contentItems"]),
        _ => String::new(),
    };
    match (text(item, "status"), said.trim().is_empty()) {
        ("declined", true) => (outcome, "it was declined".to_owned()),
        _ => (outcome, said),
    }
}

/// The script that is run, without the shell around it.
fn script(command: &str) -> String {
    match shlex::split(command).as_deref() {
        Some([_, flag, script]) if matches!(flag.as_str(), "-lc" | "-c") => script.clone(),
        _ => command.to_owned(),
    }
}

fn paths(changes: &Value) -> Vec<&str> {
    let list = changes.as_array().into_iter().flatten();
    list.map(|change| text(change, "path")).collect()
}

fn readable(blocks: &Value) -> String {
    let blocks = blocks.as_array().into_iter().flatten();
    let texts: Vec<&str> = blocks.map(|block| text(block, "text")).collect();
    texts.join("\n")
}
