use domain::MessageOrigin;
use tokio_util::sync::CancellationToken;

use super::*;

fn user(text: &str) -> ChatMessage {
    ChatMessage::User {
        origin: MessageOrigin::User,
        text: text.to_owned(),
    }
}

fn result(call_id: &str, text: &str, outcome: OpOutcome) -> ChatMessage {
    ChatMessage::ToolResult {
        call_id: call_id.to_owned(),
        text: text.to_owned(),
        outcome,
    }
}

fn model(content: &str) -> ChatMessage {
    ChatMessage::Model {
        content: content.to_owned(),
    }
}

fn text_of(model: &str, conversation: Vec<ChatMessage>) -> String {
    let tool = ToolSpec {
        name: "look",
        description: "Looks.",
        input_schema: json!({"type": "object"}),
        class: domain::OpClass::Pure,
    };
    let request = TurnRequest {
        model: model.to_owned(),
        frame: frame(
            "be brief",
            &[
                tool.clone(),
                ToolSpec {
                    name: "see",
                    ..tool
                },
            ],
        ),
        conversation,
        max_tokens: 100,
        key: None,
        silence_ms: 1000,
        cancel: CancellationToken::new(),
        pause: CancellationToken::new(),
        agent: None,
    };
    String::from_utf8(body(&request, Thinking::ByModel).expect("a body")).expect("UTF-8")
}

fn json_of(conversation: Vec<ChatMessage>) -> Value {
    serde_json::from_str(&text_of("claude-opus-4-5", conversation)).expect("JSON")
}

#[test]
fn results_come_first_in_one_user_turn() {
    let body = json_of(vec![
        user("go"),
        model(r#"[{"type":"tool_use","id":"a","name":"look","input":{}}]"#),
        result("a", "1", OpOutcome::Ok),
        user("and"),
        result("b", "", OpOutcome::Error),
        user("   "),
    ]);
    let turn = &body["messages"][2];
    let kinds: Vec<_> = turn["content"]
        .as_array()
        .expect("blocks")
        .iter()
        .map(|b| b["type"].clone())
        .collect();
    assert_eq!(kinds, ["tool_result", "tool_result", "text"]);
    assert_eq!(turn["content"][0].get("is_error"), None);
    assert_eq!(turn["content"][1]["is_error"], true);
    assert_eq!(turn["content"][1]["content"], "(no output)");
    assert_eq!(body["messages"].as_array().expect("a list").len(), 3);
}

#[test]
fn an_answer_is_sent_back_byte_for_byte() {
    let content = r#"[ {"type":"thinking","thinking":"\u00e9/\/","signature":"x=="},{"n":1.0e400,"k":12345678901234567890123,"n":1} ]"#;
    let text = text_of("m", vec![user("go"), model(content), user("on")]);
    assert!(text.contains(content), "{text}");
}

#[test]
fn an_empty_answer_is_left_out() {
    let body = json_of(vec![user("go"), model(" [ ] "), user("go on")]);
    assert_eq!(body["messages"].as_array().expect("a list").len(), 1);
}

#[test]
fn four_places_are_marked_for_the_cache_and_they_move() {
    let answer = r#"[{"type":"text","text":"x"}]"#;
    let body = json_of(vec![
        user("1"),
        model(answer),
        user("2"),
        model(answer),
        user("3a"),
        user("3b"),
    ]);
    assert_eq!(body.to_string().matches("cache_control").count(), 4);
    assert_eq!(body["system"][0]["cache_control"]["type"], "ephemeral");
    assert_eq!(body["tools"][1]["cache_control"]["type"], "ephemeral");
    assert_eq!(
        body["messages"][2]["content"][0]["cache_control"]["type"],
        "ephemeral"
    );
    assert_eq!(
        body["messages"][4]["content"][1]["cache_control"]["type"],
        "ephemeral"
    );
}

#[test]
fn thinking_is_asked_for_where_it_is_taken_and_sampling_never() {
    for name in [
        "claude-opus-4-6",
        "claude-sonnet-5",
        "claude-haiku-5-5-20261007",
        "eu.anthropic.claude-fable-5-2",
    ] {
        assert!(takes_adaptive_thinking(name), "{name}");
    }
    for name in [
        "claude-opus-4-5-20251101",
        "claude-opus-4-20250514",
        "claude-3-7-sonnet",
        "gpt-6",
        "scripted",
        "claude-",
    ] {
        assert!(!takes_adaptive_thinking(name), "{name}");
    }
    let text = text_of("claude-opus-5-5", vec![user("go")]);
    assert!(text.contains(r#""thinking":{"type":"adaptive"}"#), "{text}");
    assert!(
        !["temperature", "top_p", "top_k"]
            .iter()
            .any(|field| text.contains(field)),
        "{text}"
    );
}

#[test]
fn what_another_apis_model_thought_is_left_out() {
    let answer = r#"[{"type":"reasoning","from":"http://here","reasoning_content":"hm"},{"type":"tool_use","id":"a","name":"look","input":{"n": 1.50}}]"#;
    let text = text_of(
        "claude-opus-4-5",
        vec![
            user("go"),
            model(answer),
            result("a", "x", OpOutcome::Ok),
            model(r#"[{"type":"reasoning","from":"http://here","reasoning":"only"}]"#),
            user("more"),
        ],
    );
    assert!(!text.contains("reasoning"), "{text}");
    assert!(
        text.contains(r#"{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"look","input":{"n": 1.50}}]}"#),
        "{text}"
    );
}
