//! OpenAI's Responses API, as Codex speaks it: the same scripts in its words.

use serde_json::{Value, json};

use super::{
    fault::ApiError,
    script::Usage,
    wire::{Answer, fresh, sse},
};

/// Refuses what the API would refuse of a request.
pub(crate) fn check(body: &Value) -> Result<(), ApiError> {
    let refused = |message: String| Err(ApiError::new(400, "invalid_request_error", message));
    let Some(items) = body["input"].as_array() else {
        return refused("Missing required parameter: 'input'.".to_owned());
    };
    let mut called: Vec<&Value> = Vec::new();
    for item in items {
        match item["type"].as_str() {
            Some("function_call" | "custom_tool_call") => called.push(&item["call_id"]),
            Some("function_call_output" | "custom_tool_call_output") => {
                let id = &item["call_id"];
                let Some(at) = called.iter().position(|call| *call == id) else {
                    return refused(format!(
                        "No tool call found for function call output with call_id {id}."
                    ));
                };
                called.remove(at);
            }
            _ => {}
        }
    }
    match called.first() {
        Some(id) => refused(format!("No tool output found for function call {id}.")),
        None => Ok(()),
    }
}

/// A request in the words of the Messages API, for the scripts.
pub(crate) fn as_messages(body: &Value) -> Value {
    let mut system = vec![body["instructions"].as_str().unwrap_or_default().to_owned()];
    let mut messages: Vec<Value> = Vec::new();
    for item in body["input"].as_array().into_iter().flatten() {
        let block = match item["type"].as_str() {
            Some("function_call") => {
                let arguments = item["arguments"].as_str().unwrap_or_default();
                let input: Value = serde_json::from_str(arguments).unwrap_or_default();
                call(item, input)
            }
            Some("custom_tool_call") => call(item, json!({"input": item["input"]})),
            Some("function_call_output" | "custom_tool_call_output") => {
                let text = readable(&item["output"]);
                json!({"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": item["call_id"], "content": text},
                ]})
            }
            Some("message") | None => match item["role"].as_str() {
                Some("developer" | "system") => {
                    system.push(readable(&item["content"]));
                    continue;
                }
                role => {
                    let text = readable(&item["content"]);
                    json!({"role": role, "content": [{"type": "text", "text": text}]})
                }
            },
            // Thoughts, and what is newer than this server.
            Some(_) => continue,
        };
        join(&mut messages, block);
    }
    let tools: Vec<Value> = body["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tool| json!({"name": tool["name"], "description": tool["description"], "input_schema": tool["parameters"]}))
        .collect();
    json!({
        "model": body["model"], "system": system.join("\n"), "messages": messages, "tools": tools,
        "max_tokens": body["max_output_tokens"], "stream": body["stream"],
    })
}

fn call(item: &Value, input: Value) -> Value {
    json!({"role": "assistant", "content": [
        {"type": "tool_use", "id": item["call_id"], "name": item["name"], "input": input},
    ]})
}

/// What one side said in one go is one message, however many items it has here.
fn join(messages: &mut Vec<Value>, message: Value) {
    if let Some(last) = messages.last_mut()
        && last["role"] == message["role"]
        && let (Some(blocks), Some(more)) = (
            last["content"].as_array_mut(),
            message["content"].as_array(),
        )
    {
        blocks.extend(more.iter().cloned());
        return;
    }
    messages.push(message);
}

fn readable(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts
                .iter()
                .filter_map(|part| part["text"].as_str())
                .collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// The stream, event by event; `response.completed` is the last.
pub(crate) fn events(answer: &Answer) -> Vec<String> {
    let id = fresh("resp");
    let response = |status: &str, output: &[Value], usage: Value| {
        json!({
            "id": id, "object": "response", "created_at": 1_790_000_000, "status": status, "model": answer.model,
            "output": output, "usage": usage, "error": null, "incomplete_details": null,
        })
    };
    let mut events = vec![
        json!({"type": "response.created", "response": response("in_progress", &[], Value::Null)}),
    ];
    let mut output = Vec::new();
    for block in &answer.content {
        let index = output.len();
        let item = match block["type"].as_str() {
            Some("text") => said(answer, block, index, &mut events),
            Some("thinking") => thought(answer, block, index, &mut events),
            _ => called(answer, block, index, &mut events),
        };
        events.push(
            json!({"type": "response.output_item.done", "output_index": index, "item": item}),
        );
        output.push(item);
    }
    let done = response("completed", &output, usage(&answer.usage));
    events.push(json!({"type": "response.completed", "response": done}));
    events
        .iter_mut()
        .enumerate()
        .map(|(at, event)| {
            event["sequence_number"] = json!(at);
            sse(event)
        })
        .collect()
}

fn said(answer: &Answer, block: &Value, index: usize, events: &mut Vec<Value>) -> Value {
    let id = fresh("msg");
    let item = |status: &str, content: Value| json!({"type": "message", "id": id, "role": "assistant", "status": status, "content": content});
    events.push(json!({"type": "response.output_item.added", "output_index": index, "item": item("in_progress", json!([]))}));
    let part = json!({"type": "output_text", "text": "", "annotations": []});
    events.push(json!({"type": "response.content_part.added", "item_id": id, "output_index": index, "content_index": 0, "part": part}));
    events.extend(answer.pieces(&block["text"]).map(|piece| {
        json!({"type": "response.output_text.delta", "item_id": id, "output_index": index, "content_index": 0, "delta": piece})
    }));
    let whole = json!([{"type": "output_text", "text": block["text"], "annotations": []}]);
    item("completed", whole)
}

fn thought(answer: &Answer, block: &Value, index: usize, events: &mut Vec<Value>) -> Value {
    let id = fresh("rs");
    let item = |summary: Value| json!({"type": "reasoning", "id": id, "summary": summary, "encrypted_content": null});
    events.push(json!({"type": "response.output_item.added", "output_index": index, "item": item(json!([]))}));
    let part = json!({"type": "summary_text", "text": ""});
    events.push(json!({"type": "response.reasoning_summary_part.added", "item_id": id, "output_index": index, "summary_index": 0, "part": part}));
    events.extend(answer.pieces(&block["thinking"]).map(|piece| {
        json!({"type": "response.reasoning_summary_text.delta", "item_id": id, "output_index": index, "summary_index": 0, "delta": piece})
    }));
    item(json!([{"type": "summary_text", "text": block["thinking"]}]))
}

/// A call; one whose input is a text alone is of a tool that takes free text.
fn called(answer: &Answer, block: &Value, index: usize, events: &mut Vec<Value>) -> Value {
    let (free, kind) = match block["input"].as_str() {
        Some(text) => (Some(text), "custom_tool_call"),
        None => (None, "function_call"),
    };
    let (field, written, prefix) = match free {
        Some(text) => ("input", text.to_owned(), "ctc"),
        None => ("arguments", block["input"].to_string(), "fc"),
    };
    let id = fresh(prefix);
    let item = |status: &str, written: &str| json!({"type": kind, "id": id, "call_id": block["id"], "name": block["name"], "status": status, field: written});
    events.push(json!({"type": "response.output_item.added", "output_index": index, "item": item("in_progress", "")}));
    let delta = match free {
        Some(_) => "response.custom_tool_call_input.delta",
        None => "response.function_call_arguments.delta",
    };
    events.extend(
        answer.pieces(&Value::String(written.clone())).map(
            |piece| json!({"type": delta, "item_id": id, "output_index": index, "delta": piece}),
        ),
    );
    item("completed", &written)
}

/// The usage as this API reports it: the prompt with all that was cached.
fn usage(usage: &Usage) -> Value {
    let written = usage.cache_write_5m + usage.cache_write_1h;
    let input = usage.input + usage.cache_read + written;
    json!({
        "input_tokens": input, "output_tokens": usage.output, "total_tokens": input + usage.output,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": written},
        "output_tokens_details": {"reasoning_tokens": usage.thinking},
    })
}
