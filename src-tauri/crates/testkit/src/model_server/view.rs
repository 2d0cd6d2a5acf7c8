//! A request as the scripts see it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::script::find_marker;

/// A result the client returned for a tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    pub tool_use_id: String,
    /// Its text blocks, joined.
    pub text: String,
    pub is_error: bool,
}

/// A `/v1/messages` request and where in which script it stands.
#[derive(Clone, Debug)]
pub struct RequestView {
    /// Name of the script; empty if the prompt names none and there is no default.
    pub script: String,
    /// Parameters of the marker.
    pub params: BTreeMap<String, String>,
    /// How often the model has answered in this history, which is the turn it is asked for.
    pub turn: usize,
    /// How often this turn of this conversation was asked for before.
    pub attempt: u32,
    /// Digest of the first user message's text.
    pub conversation: String,
    pub body: Value,
    pub(crate) marked: Marked,
}

/// Whether the prompt names its script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marked {
    Yes,
    No,
}

impl RequestView {
    pub(crate) fn new(body: Value, default_script: Option<&str>) -> Self {
        let messages = messages_of(&body);
        let prompt = messages
            .iter()
            .find(|m| m["role"] == "user")
            .map(|m| text_of(&m["content"]))
            .unwrap_or_default();
        let marker = find_marker(&prompt).or_else(|| find_marker(&text_of(&body["system"])));
        let marked = if marker.is_some() {
            Marked::Yes
        } else {
            Marked::No
        };
        let (script, params) = marker.unwrap_or_else(|| {
            (
                default_script.unwrap_or_default().to_owned(),
                BTreeMap::new(),
            )
        });
        let turn = answers_in(messages);
        let conversation = digest(&prompt);
        Self {
            script,
            params,
            turn,
            attempt: 0,
            conversation,
            body,
            marked,
        }
    }

    /// Text of the first user message.
    pub fn prompt(&self) -> String {
        self.messages()
            .iter()
            .find(|m| m["role"] == "user")
            .map(|m| text_of(&m["content"]))
            .unwrap_or_default()
    }

    /// Text of the last user message, tool results excluded.
    pub fn last_user_text(&self) -> String {
        self.messages()
            .iter()
            .rev()
            .find(|m| m["role"] == "user")
            .map(|m| text_of(&m["content"]))
            .unwrap_or_default()
    }

    pub fn system(&self) -> String {
        text_of(&self.body["system"])
    }

    pub fn model(&self) -> &str {
        self.body["model"].as_str().unwrap_or_default()
    }

    pub fn messages(&self) -> &[Value] {
        messages_of(&self.body)
    }

    /// Names of the tools on offer.
    pub fn tools(&self) -> Vec<&str> {
        self.body["tools"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|tool| tool["name"].as_str())
            .collect()
    }

    /// The tool results that came in after the model's last answer.
    pub fn tool_results(&self) -> Vec<ToolResult> {
        let since = self
            .messages()
            .iter()
            .rposition(|m| m["role"] == "assistant")
            .map_or(0, |last| last + 1);
        let blocks = self.messages()[since..]
            .iter()
            .filter_map(|m| m["content"].as_array())
            .flatten();
        blocks
            .filter(|block| block["type"] == "tool_result")
            .map(|block| ToolResult {
                tool_use_id: block["tool_use_id"].as_str().unwrap_or_default().to_owned(),
                text: text_of(&block["content"]),
                is_error: block["is_error"].as_bool().unwrap_or(false),
            })
            .collect()
    }

    /// A request an agent makes on the side (titles, summaries): unmarked prompts to a
    /// small model without tools. Scripts do not apply to it.
    pub(crate) fn is_side_request(&self) -> bool {
        self.tools().is_empty()
            && self.marked == Marked::No
            && (self.model().contains("haiku") || self.asks_for_a_title())
    }

    fn asks_for_a_title(&self) -> bool {
        let system = self.system().to_lowercase();
        ["title", "summar", "topic"]
            .iter()
            .any(|word| system.contains(word))
    }
}

fn messages_of(body: &Value) -> &[Value] {
    body["messages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// Answers in a history; neighbouring assistant messages are one, as for the API.
fn answers_in(messages: &[Value]) -> usize {
    let mut answers = 0;
    let mut last = "";
    for message in messages {
        let role = message["role"].as_str().unwrap_or_default();
        if role == "assistant" && last != "assistant" {
            answers += 1;
        }
        last = role;
    }
    answers
}

/// The text of a `content` or `system` field, which is a string or a list of blocks.
pub(crate) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

/// A short stable name for a text (FNV-1a, 64 bit). Tells texts apart; protects nothing.
pub(crate) fn digest(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_turn_is_the_number_of_answers() {
        let body = json!({"model": "m", "messages": [
            {"role": "user", "content": [{"type": "text", "text": "go [[script:x]]"}]},
            {"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "42", "is_error": true}]},
        ]});
        let view = RequestView::new(body, Some("other"));
        assert_eq!((view.script.as_str(), view.turn), ("x", 1));
        assert_eq!(
            view.tool_results(),
            [ToolResult {
                tool_use_id: "t1".into(),
                text: "42".into(),
                is_error: true
            }]
        );
    }

    #[test]
    fn a_title_request_is_aside() {
        let title = json!({"model": "claude-haiku-4-5", "messages": [{"role": "user", "content": "name this"}]});
        assert!(RequestView::new(title.clone(), Some("d")).is_side_request());
        let mut main = title;
        main["tools"] = json!([{"name": "bash"}]);
        assert!(!RequestView::new(main, Some("d")).is_side_request());
    }
}
