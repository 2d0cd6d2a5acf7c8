use domain::{MessageOrigin, OpClass};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::anthropic::frame;
use crate::driver::ToolSpec;

const HERE: &str = "http://here/v1";

fn user(text: &str) -> ChatMessage {
    ChatMessage::User {
        origin: MessageOrigin::User,
        text: text.to_owned(),
    }
}

fn model(content: &str) -> ChatMessage {
    ChatMessage::Model {
        content: content.to_owned(),
    }
}

fn result(call_id: &str, text: &str, outcome: OpOutcome) -> ChatMessage {
    ChatMessage::ToolResult {
        call_id: call_id.to_owned(),
        text: text.to_owned(),
        outcome,
    }
}

const PLAIN: Dialect = Dialect {
    limit: LimitField::MaxTokens,
    ask_usage: AskUsage::Yes,
    reasoning: SendReasoning::Yes,
    vendor: Vendor::Other,
};

fn sent(conversation: Vec<ChatMessage>, dialect: Dialect) -> Value {
    let tool = ToolSpec {
        name: "look",
        description: "Looks.",
        input_schema: json!({"type": "object"}),
        class: OpClass::Pure,
    };
    let request = TurnRequest {
        model: "gpt-5.4".to_owned(),
        frame: frame("be brief", &[tool]),
        conversation,
        max_tokens: 100,
        key: None,
        silence_ms: 1000,
        cancel: CancellationToken::new(),
        pause: CancellationToken::new(),
        agent: None,
    };
    let body = body(&request, HERE, dialect).expect("a body");
    serde_json::from_slice(&body).expect("JSON")
}

fn messages(conversation: Vec<ChatMessage>) -> Value {
    sent(conversation, PLAIN)["messages"].clone()
}

#[test]
fn the_front_is_the_same_in_the_words_of_this_api() {
    let body = sent(vec![user("go")], PLAIN);
    assert_eq!(
        body,
        json!({
            "model": "gpt-5.4",
            "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "go"}],
            "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}],
            "stream": true, "stream_options": {"include_usage": true}, "max_tokens": 100,
        })
    );
    let other = Dialect {
        limit: LimitField::MaxCompletionTokens,
        ask_usage: AskUsage::No,
        reasoning: SendReasoning::No,
        vendor: Vendor::OpenRouter,
    };
    let body = sent(vec![user("go")], other);
    assert_eq!(body["max_completion_tokens"], 100);
    assert_eq!(body["usage"], json!({"include": true}));
    assert!(body.get("max_tokens").is_none() && body.get("stream_options").is_none());
}

#[test]
fn results_follow_their_answer_and_texts_come_after_them_as_one() {
    let found = messages(vec![
        user("go"),
        model(
            r#"[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"I look."},{"type":"tool_use","id":"a","name":"look","input":{"n": 1.50}},{"type":"tool_use","id":"b","name":"look","input":{}}]"#,
        ),
        result("a", "", OpOutcome::Ok),
        user("one more thing"),
        result("b", "no such file", OpOutcome::Error),
        user("and another"),
        model(r#"[{"type":"thinking","thinking":"only","signature":"s"}]"#),
        user("go on"),
    ]);
    assert_eq!(
        found,
        json!([
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{\"n\": 1.50}"}},
                {"id": "b", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "a", "content": "(no output)"},
            {"role": "tool", "tool_call_id": "b", "content": "Error: no such file"},
            {"role": "user", "content": "one more thing\n\nand another\n\ngo on"},
        ])
    );
}

#[test]
fn reasoning_goes_back_only_where_it_came_from_and_only_within_its_calls() {
    let answer = |from: &str| {
        model(&format!(
            r#"[{{"type":"reasoning","from":"{from}","reasoning_content":"hm"}},{{"type":"tool_use","id":"a","name":"look","input":{{}}}}]"#
        ))
    };
    let within = messages(vec![
        user("go"),
        answer(HERE),
        result("a", "x", OpOutcome::Ok),
    ]);
    assert_eq!(within[2]["reasoning_content"], "hm");
    assert_eq!(within[2]["content"], Value::Null);
    let elsewhere = messages(vec![
        user("go"),
        answer("http://there"),
        result("a", "x", OpOutcome::Ok),
    ]);
    assert_eq!(elsewhere[2].get("reasoning_content"), None);
    let over = messages(vec![
        user("go"),
        answer(HERE),
        result("a", "x", OpOutcome::Ok),
        user("more"),
    ]);
    assert_eq!(over[2].get("reasoning_content"), None);
}

#[test]
fn an_empty_conversation_is_not_sent() {
    let nothing = TurnRequest {
        model: "m".to_owned(),
        frame: frame("be brief", &[]),
        conversation: vec![model("[]"), user(" ")],
        max_tokens: 1,
        key: None,
        silence_ms: 1,
        cancel: CancellationToken::new(),
        pause: CancellationToken::new(),
        agent: None,
    };
    assert!(body(&nothing, HERE, PLAIN).is_err());
}
