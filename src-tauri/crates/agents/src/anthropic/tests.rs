//! The driver against a scripted server over real HTTP, and against one that says
//! byte for byte what a test wants.

mod faults;
mod raw;

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use domain::{MessageOrigin, OpErrorKind, OpOutcome};
use secrets::Secret;
use serde_json::json;
use testkit::ModelServer;
use testkit::model_server::{Script, Turn as Said, Usage as Billed};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::driver::{ChatMessage, Delta, HostGone, ObservedCall, Permit, Stop, ToolSpec};

const KEY: &str = "test-key-not-real";

/// Remembers what was streamed.
#[derive(Default)]
struct Screen(Mutex<Vec<Delta>>);

impl Screen {
    fn text(&self) -> String {
        let deltas = self.0.lock().expect("no test panics holding it");
        let text = |delta: &Delta| match delta {
            Delta::Text(text) => Some(text.clone()),
            _ => None,
        };
        deltas.iter().filter_map(text).collect()
    }
}

#[async_trait]
impl Host for Screen {
    fn delta(&self, delta: Delta) {
        self.0
            .lock()
            .expect("no test panics holding it")
            .push(delta);
    }
    async fn session(&self, _: &str, _: &str) -> Result<(), HostGone> {
        Ok(())
    }
    async fn call_started(&self, _: ObservedCall) -> Result<(), HostGone> {
        Ok(())
    }
    async fn call_ended(&self, _: &str, _: OpOutcome, _: &str) -> Result<(), HostGone> {
        Ok(())
    }
    async fn permit(&self, _: ObservedCall) -> Result<Permit, HostGone> {
        Ok(Permit::Allow)
    }
    async fn note(&self, _: &str) -> Result<(), HostGone> {
        Ok(())
    }
}

fn driver(url: &str) -> AnthropicDriver {
    AnthropicDriver::new(url, Http::new().expect("a client")).expect("a URL")
}

fn user(text: &str) -> ChatMessage {
    ChatMessage::User {
        origin: MessageOrigin::User,
        text: text.to_owned(),
    }
}

fn request(conversation: Vec<ChatMessage>) -> TurnRequest {
    let tool = ToolSpec {
        name: "look",
        description: "Looks.",
        input_schema: json!({"type": "object"}),
        class: domain::OpClass::Pure,
    };
    TurnRequest {
        model: "scripted-1".to_owned(),
        frame: frame("Be brief.", &[tool]),
        conversation,
        max_tokens: 4096,
        key: Some(Secret::new(KEY)),
        silence_ms: 20_000,
        cancel: CancellationToken::new(),
        pause: CancellationToken::new(),
        agent: None,
    }
}

async fn server(turns: Vec<Said>) -> ModelServer {
    let server = ModelServer::start().await.expect("a port");
    server.default_script("s", turns.into_iter().fold(Script::new(), Script::turn));
    server
}

async fn ask(server: &ModelServer) -> Result<Turn, TurnError> {
    driver(&server.url())
        .turn(request(vec![user("go")]), &Screen::default())
        .await
}

/// Waits until a connection is answered, or is not, as wanted.
async fn until_connecting(server: &ModelServer, wanted: fn(bool) -> bool) {
    let waiting = async {
        while !wanted(
            tokio::net::TcpStream::connect(server.address())
                .await
                .is_ok(),
        ) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .expect("the server changes its mind");
}

#[tokio::test]
async fn text_is_streamed_and_the_usage_is_reported() {
    let billed = Billed {
        cache_read: 7,
        cache_write_5m: 3,
        cache_write_1h: 4,
        web_search_requests: 2,
        ..Billed::of(11, 22)
    };
    let said = Said::text("Hello there, this is a longer sentence — with ünicode.")
        .usage(billed)
        .model("scripted-exact");
    let server = server(vec![said.with_unknown_events()]).await;
    let screen = Screen::default();
    let turn = driver(&server.url())
        .turn(request(vec![user("go")]), &screen)
        .await
        .expect("an answer");

    assert_eq!(
        turn.text,
        "Hello there, this is a longer sentence — with ünicode."
    );
    assert_eq!(screen.text(), turn.text);
    assert_eq!(
        (turn.stop, turn.calls.len(), turn.model.as_str()),
        (Stop::EndTurn, 0, "scripted-exact")
    );
    assert!(
        turn.content
            .contains(r#""x_unknown_field":[1,null,"tolerate me"]"#),
        "{}",
        turn.content
    );
    let usage = turn.usage.expect("usage");
    let tokens = domain::Tokens {
        input: 11,
        output: 22,
        cache_read: 7,
        cache_write: 3,
        cache_write_long: 4,
    };
    assert_eq!(
        (usage.parts[0].tokens, usage.parts[0].web_searches),
        (tokens, 2)
    );
    assert_eq!(
        usage.request_id.as_deref(),
        Some(server.requests()[0].request_id.as_str())
    );
    let seen = &server.requests()[0];
    assert_eq!(
        seen.headers.get("anthropic-version").map(String::as_str),
        Some(API_VERSION)
    );
    assert_ne!(seen.key, "none");
}

#[tokio::test]
async fn thinking_and_parallel_calls_go_back_as_they_came() {
    let first = Said::new()
        .think("Let me \"look\" at\nboth: äöü")
        .say("I look.")
        .tool(
            "look",
            json!({"path": "a", "n": [1, 2.5, {"deep": "\u{1F600}"}]}),
        )
        .tool("look", json!({}));
    let server = server(vec![first, Said::text("done")]).await;
    let driver = driver(&server.url());
    let screen = Screen::default();
    let turn = driver
        .turn(request(vec![user("go")]), &screen)
        .await
        .expect("an answer");
    assert_eq!(turn.stop, Stop::ToolUse);
    let inputs: Vec<_> = turn
        .calls
        .iter()
        .map(|call| (call.name.as_str(), call.input.as_str()))
        .collect();
    assert_eq!(
        inputs[0],
        (
            "look",
            "{\"path\":\"a\",\"n\":[1,2.5,{\"deep\":\"\u{1F600}\"}]}"
        )
    );
    assert_eq!(inputs[1], ("look", "{}"));

    // The server refuses a history in which a call or a signed block was changed.
    let mut conversation = vec![
        user("go"),
        ChatMessage::Model {
            content: turn.content.clone(),
        },
    ];
    for call in &turn.calls {
        let (call_id, text) = (call.call_id.clone(), "seen".to_owned());
        conversation.push(ChatMessage::ToolResult {
            call_id,
            text,
            outcome: OpOutcome::Ok,
        });
    }
    let last = driver
        .turn(request(conversation), &screen)
        .await
        .expect("a second answer");
    assert_eq!(last.text, "done");
    let sent = &server.requests()[1].body["messages"][1]["content"];
    let received: serde_json::Value = serde_json::from_str(&turn.content).expect("JSON");
    assert_eq!(sent, &received);
    assert!(
        screen
            .0
            .lock()
            .expect("free")
            .contains(&Delta::Tool("look".to_owned()))
    );
}

#[tokio::test]
async fn every_stop_reason_is_told() {
    let reasons = [
        ("end_turn", Stop::EndTurn),
        ("stop_sequence", Stop::EndTurn),
        ("max_tokens", Stop::MaxTokens),
        ("pause_turn", Stop::Pause),
        ("refusal", Stop::Refusal(None)),
        ("model_context_window_exceeded", Stop::ContextFull),
        ("something_new", Stop::Other("something_new".to_owned())),
    ];
    for (word, stop) in reasons {
        let server = server(vec![Said::text("x").stop(word)]).await;
        assert_eq!(ask(&server).await.expect("an answer").stop, stop, "{word}");
    }
}

#[tokio::test]
async fn a_check_finds_out_about_model_key_and_server() {
    let server = server(vec![Said::text("x")]).await;
    server.set_valid_key(Some(KEY));
    let key = Secret::new(KEY);
    let driver = driver(&server.url());
    assert_eq!(
        driver
            .check(Some("scripted-1"), Some(&key))
            .await
            .expect("fine")
            .models,
        ["scripted-1"]
    );
    driver
        .check(None, Some(&key))
        .await
        .expect("fine without a model");
    server.set_models(["claude-"]);
    let unknown = driver
        .check(Some("gpt-9"), Some(&key))
        .await
        .expect_err("unknown");
    assert_eq!(unknown.kind, OpErrorKind::BadRequest);
    assert!(
        unknown
            .message
            .contains("does not know the model \"gpt-9\""),
        "{unknown}"
    );
    let wrong = driver
        .check(Some("claude-x"), Some(&Secret::new("another-key-not-real")))
        .await
        .expect_err("wrong key");
    assert_eq!(wrong.kind, OpErrorKind::Auth);
    assert!(!wrong.message.contains("another-key"), "{wrong}");
    server.go_offline();
    until_connecting(&server, |answered| !answered).await;
    // Without connections of the time before.
    let driver = self::driver(&server.url());
    assert_eq!(
        driver
            .check(None, Some(&key))
            .await
            .expect_err("offline")
            .kind,
        OpErrorKind::Offline
    );
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.path != "/v1/messages"),
        "a check costs nothing"
    );
}

#[test]
fn base_urls_are_looked_at() {
    let url = |given: &str| {
        let driver = AnthropicDriver::new(given, Http::new().expect("a client"));
        driver.map(|driver| driver.base.to_string())
    };
    assert_eq!(
        url("http://localhost:11434/v1/").as_deref(),
        Ok("http://localhost:11434/")
    );
    assert_eq!(
        url(" https://example.invalid/api/ ").as_deref(),
        Ok("https://example.invalid/api")
    );
    assert_eq!(
        url("https://u:p@example.invalid"),
        Err(BaseUrlError::Credentials)
    );
    assert_eq!(
        url("https://example.invalid/?key=x"),
        Err(BaseUrlError::Query)
    );
    assert_eq!(
        url("ftp://example.invalid"),
        Err(BaseUrlError::Scheme("ftp".to_owned()))
    );
    assert_eq!(
        url("example"),
        Err(BaseUrlError::NotAUrl("example".to_owned()))
    );
    let driver = driver("https://example.invalid/api");
    assert_eq!(
        driver.url(&["v1", "models", "a/../b?c"]).as_str(),
        "https://example.invalid/api/v1/models/a%2F..%2Fb%3Fc"
    );
}
