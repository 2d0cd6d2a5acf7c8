use serde_json::{Value, json};
use testkit::model_server::{
    ALWAYS, Fault, HoldPoint, ModelServer, Outcome, RequestKind, Script, ScriptBook, Turn, Usage,
};

use crate::http::{Answer, Call, DEADLINE, End, HEADERS, post, request, user};

fn two_calls() -> Script {
    Script::new()
        .turn(
            Turn::new()
                .think("Both at once.")
                .say("Looking around now.")
                .tool("bash", json!({"command": "ls -la /somewhere/far/away"}))
                .tool("bash", json!({"command": "date"}))
                .usage(Usage {
                    cache_read: 300,
                    cache_write_5m: 20,
                    cache_write_1h: 7,
                    thinking: 9,
                    ..Usage::of(100, 40)
                }),
        )
        .turn(Turn::text("All done."))
}

async fn server_with(name: &str, script: Script) -> ModelServer {
    let server = ModelServer::start().await.unwrap();
    server.script(name, script);
    server
}

/// Puts a stream's blocks together as a client does.
fn content_of(answer: &Answer) -> Vec<Value> {
    let mut blocks: Vec<Value> = Vec::new();
    let mut inputs: Vec<String> = Vec::new();
    for event in answer.events() {
        let at = event["index"].as_u64().unwrap_or(0) as usize;
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                blocks.push(event["content_block"].clone());
                inputs.push(String::new());
            }
            "content_block_delta" => {
                for (field, value) in event["delta"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .filter(|(k, _)| *k != "type")
                {
                    if field == "partial_json" {
                        inputs[at].push_str(value.as_str().unwrap());
                    } else {
                        let so_far = blocks[at][field].as_str().unwrap().to_owned();
                        blocks[at][field] = json!(so_far + value.as_str().unwrap());
                    }
                }
            }
            "content_block_stop" if blocks[at]["type"] == "tool_use" => {
                blocks[at]["input"] = serde_json::from_str(&inputs[at]).unwrap()
            }
            _ => {}
        }
    }
    blocks
}

fn results(content: &[Value]) -> Value {
    let calls = content.iter().filter(|b| b["type"] == "tool_use");
    let blocks: Vec<Value> = calls
        .map(|c| json!({"type": "tool_result", "tool_use_id": c["id"], "content": "ok"}))
        .collect();
    json!({"role": "user", "content": blocks})
}

#[tokio::test]
async fn a_conversation_follows_its_script() {
    let server = server_with("two", two_calls()).await;
    let prompt = user("please [[script:two]]");
    let first = post(server.address(), &request(json!([prompt]))).await;
    assert_eq!((first.status, &first.end), (200, &End::Whole));
    assert!(first.headers["content-type"].starts_with("text/event-stream"));
    assert!(
        first
            .headers
            .contains_key("anthropic-ratelimit-requests-remaining")
    );
    let events = first.events();
    assert_eq!(
        events[0]["message"]["usage"]["cache_creation"],
        json!({"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 7})
    );
    let end = &events[events.len() - 2];
    assert_eq!(end["delta"]["stop_reason"], "tool_use");
    assert_eq!(end["usage"]["output_tokens"], 40);
    assert!(
        end["usage"].get("service_tier").is_none() && end["usage"].get("cache_creation").is_none()
    );
    assert_eq!(first.kinds().last().unwrap(), "message_stop");

    let content = content_of(&first);
    let kinds: Vec<&str> = content
        .iter()
        .map(|b| b["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use", "tool_use"]);
    assert_eq!(content[2]["input"]["command"], "ls -la /somewhere/far/away");

    let history = json!([prompt, {"role": "assistant", "content": content}, results(&content)]);
    let mut unstreamed = request(history);
    unstreamed["stream"] = json!(false);
    let second = post(server.address(), &unstreamed).await;
    assert_eq!(second.json()["content"][0]["text"], "All done.");
    assert_eq!(second.json()["stop_reason"], "end_turn");

    let totals = server.ledger().totals();
    assert_eq!(
        (
            totals.requests,
            totals.input,
            totals.output,
            totals.cache_write_1h
        ),
        (2, 1100, 90, 7)
    );
    let first = &server.requests()[0];
    assert_eq!(
        (first.outcome.clone(), first.kind),
        (Outcome::Full, RequestKind::Turn)
    );
    assert!(
        !serde_json::to_string(first)
            .unwrap()
            .contains("test-key-not-real"),
        "the record gives the key away"
    );
}

#[tokio::test]
async fn a_history_the_api_would_refuse_is_refused() {
    let server = server_with("two", two_calls()).await;
    let prompt = user("[[script:two]]");
    let content = content_of(&post(server.address(), &request(json!([prompt]))).await);
    let answer = json!({"role": "assistant", "content": content});
    let full = results(&content);
    let mut half = full.clone();
    half["content"].as_array_mut().unwrap().pop();
    let mut twice = full.clone();
    twice["content"]
        .as_array_mut()
        .unwrap()
        .push(full["content"][0].clone());
    let mut other_call = answer.clone();
    other_call["content"][2]["input"] = json!({"command": "rm -rf /"});
    let mut other_thought = answer.clone();
    other_thought["content"][0]["thinking"] = json!("Something else.");
    let mut no_thought = answer.clone();
    no_thought["content"].as_array_mut().unwrap().remove(0);
    let cases = [
        (json!([prompt, answer, half]), "without `tool_result`"),
        (
            json!([prompt, answer, user("go on")]),
            "without `tool_result`",
        ),
        (json!([prompt, answer, twice]), "single result"),
        (json!([prompt, full]), "unexpected `tool_use_id`"),
        (json!([answer, full]), "first message"),
        (json!([prompt, answer]), "prefill"),
        (json!([prompt, answer, full, answer, full]), "unique"),
        (json!([prompt, other_call, full]), "not the call"),
        (json!([prompt, other_thought, full]), "signature"),
        (json!([prompt, no_thought, full]), "cannot be modified"),
        (json!([user("")]), "non-empty"),
    ];
    for (history, words) in cases {
        let refused = post(server.address(), &request(history)).await;
        assert_eq!(refused.status, 400, "{words}");
        let message = refused.json()["error"]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            message.contains(words),
            "{message:?} does not say {words:?}"
        );
    }
    let legal = post(
        server.address(),
        &request(json!([prompt, answer, full, user("and then?")])),
    )
    .await;
    assert_eq!(legal.status, 200, "{}", legal.body);
}

#[tokio::test]
async fn a_gate_holds_an_answer_at_its_place() {
    let server = server_with("held", Script::new().turn(Turn::text("one two three"))).await;
    let before = server.hold("held", 0);
    let late = server.hold_at("held", 0, HoldPoint::BeforeStop);
    let body = request(json!([user("[[script:held]]")]));
    let mut call = Call::send(server.address(), "POST /v1/messages", &HEADERS, &body)
        .await
        .unwrap();
    before.arrived(DEADLINE).await.unwrap();
    before.release();
    let seen = call.read_until("message_delta").await;
    late.arrived(DEADLINE).await.unwrap();
    assert!(!seen.contains("message_stop"));
    drop(late);
    assert!(
        call.read_until("message_stop")
            .await
            .contains("message_stop")
    );
    server
        .wait_for(DEADLINE, |seen| seen[0].outcome == Outcome::Full)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_client_that_dies_at_a_gate_is_noticed() {
    let server = server_with("held", Script::new().turn(Turn::text("never"))).await;
    let gate = server.hold("held", 0);
    let body = request(json!([user("[[script:held]]")]));
    let call = Call::send(server.address(), "POST /v1/messages", &HEADERS, &body)
        .await
        .unwrap();
    gate.arrived(DEADLINE).await.unwrap();
    drop(call);
    server
        .wait_for(DEADLINE, |seen| {
            seen[0].outcome == Outcome::Cut { events: 0 }
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_computed_turn_sees_the_tool_results() {
    let script = Script::new()
        .turn(Turn::new().tool("bash", json!({"command": "date"})))
        .turn_with(|view| Turn::text(format!("it said {}", view.tool_results()[0].text)));
    let server = server_with("look", script).await;
    let prompt = user("[[script:look]]");
    let content = content_of(&post(server.address(), &request(json!([prompt]))).await);
    let history = json!([prompt, {"role": "assistant", "content": content}, results(&content)]);
    assert_eq!(
        content_of(&post(server.address(), &request(history)).await)[0]["text"],
        "it said ok"
    );
}

#[tokio::test]
async fn what_an_agent_asks_on_the_side_disturbs_nothing() {
    let server = server_with("two", two_calls()).await;
    let title = json!({"model": "claude-haiku-4-5-20251001", "max_tokens": 64, "messages": [user("Title for: go [[script:two]]")]});
    let answer = Call::send(
        server.address(),
        "POST /v1/messages?beta=true",
        &HEADERS,
        &title,
    )
    .await
    .unwrap()
    .finish()
    .await;
    assert_eq!(answer.json()["stop_reason"], "end_turn");
    for head in ["HEAD /", "GET /v1/models", "GET /v1/models/claude-opus-5-5"] {
        let answer = Call::send(server.address(), head, &HEADERS, &Value::Null)
            .await
            .unwrap()
            .finish()
            .await;
        assert_eq!(answer.status, 200, "{head}");
    }
    let counted = Call::send(
        server.address(),
        "POST /v1/messages/count_tokens",
        &HEADERS,
        &title,
    )
    .await
    .unwrap()
    .finish()
    .await;
    assert!(counted.json()["input_tokens"].as_u64().unwrap() > 10);
    assert!(server.requests_of("two").is_empty());
    assert_eq!(server.ledger().rows.len(), 1, "a title is billed");
}

#[tokio::test]
async fn max_tokens_ends_an_answer_early() {
    let server = server_with("two", two_calls()).await;
    let mut body = request(json!([user("[[script:two]]")]));
    body["max_tokens"] = json!(10);
    let answer = post(server.address(), &body).await;
    assert_eq!(
        answer
            .events()
            .iter()
            .find(|e| e["type"] == "message_delta")
            .unwrap()["delta"]["stop_reason"],
        "max_tokens"
    );
    assert!(content_of(&answer).iter().all(|b| b["type"] != "tool_use"));
    assert_eq!(server.ledger().totals().output, 10);
}

#[tokio::test]
async fn strange_events_are_sent_on_request() {
    let server = ModelServer::start().await.unwrap();
    server.default_script(
        "odd",
        Script::new().turn(Turn::text("hello").with_unknown_events()),
    );
    let answer = post(server.address(), &request(json!([user("hi")]))).await;
    assert!(answer.kinds().contains(&"message_weather".to_owned()));
    assert_eq!(content_of(&answer)[0]["text"], "hello");
}

#[tokio::test]
async fn a_pause_holds_everything() {
    let server = ModelServer::start().await.unwrap();
    server.pause_all();
    server.inject(Fault::Slow { chunk_delay_ms: 1 }, ALWAYS);
    let call = Call::send(
        server.address(),
        "POST /v1/messages",
        &HEADERS,
        &request(json!([user("hi")])),
    )
    .await
    .unwrap();
    let seen = server.wait_for_requests(1, DEADLINE).await.unwrap();
    assert_eq!(seen[0].outcome, Outcome::Pending);
    server.resume_all();
    assert_eq!(call.finish().await.kinds().last().unwrap(), "message_stop");
}

#[tokio::test]
async fn a_script_file_works_as_the_builder_does() {
    let book = json!({
        "default": "fix",
        "scripts": {"fix": {"turns": [
            {"blocks": [{"type": "text", "text": "Let me see."}, {"type": "tool_use", "name": "bash", "input": {"command": "sh test.sh"}}],
             "usage": {"input": 1200, "output": 60, "cache_write_1h": 900}, "faults": [{"kind": "overloaded", "times": 1}]},
            {"blocks": [{"type": "text", "text": "Fixed."}]}
        ]}}
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("scripts.json");
    std::fs::write(&file, book.to_string()).unwrap();
    let server = ModelServer::start().await.unwrap();
    server.load(ScriptBook::from_file(&file).unwrap());
    let body = request(json!([user("hi")]));
    assert_eq!(post(server.address(), &body).await.status, 529);
    let answer = post(server.address(), &body).await;
    assert_eq!(
        answer
            .events()
            .iter()
            .find(|e| e["type"] == "message_delta")
            .unwrap()["delta"]["stop_reason"],
        "tool_use"
    );
    assert_eq!(server.ledger().totals().cache_write_1h, 900);
}
