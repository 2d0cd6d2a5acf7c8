//! The driver against a scripted server over real HTTP, and against one that says byte
//! for byte what a test wants.

mod raw;

use std::sync::Mutex;

use async_trait::async_trait;
use domain::{MessageOrigin, OpOutcome, Tokens};
use serde_json::json;
use testkit::ModelServer;
use testkit::model_server::{ALWAYS, Fault, Manner, Script, Turn as Said, Usage as Billed};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::anthropic::{AnthropicDriver, frame};
use crate::driver::{ChatMessage, Counted, Delta, HostGone, ObservedCall, Permit, Stop, ToolSpec};

const KEY: &str = "test-key-not-real";

/// Remembers what was streamed and remarked.
#[derive(Default)]
struct Screen {
    deltas: Mutex<Vec<Delta>>,
    notes: Mutex<Vec<String>>,
}

impl Screen {
    fn text(&self) -> String {
        let deltas = self.deltas.lock().expect("no test panics holding it");
        let text = |delta: &Delta| match delta {
            Delta::Text(text) => Some(text.clone()),
            _ => None,
        };
        deltas.iter().filter_map(text).collect()
    }

    fn notes(&self) -> Vec<String> {
        self.notes
            .lock()
            .expect("no test panics holding it")
            .clone()
    }
}

#[async_trait]
impl Host for Screen {
    fn delta(&self, delta: Delta) {
        let mut deltas = self.deltas.lock().expect("no test panics holding it");
        deltas.push(delta);
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
    async fn note(&self, text: &str) -> Result<(), HostGone> {
        let mut notes = self.notes.lock().expect("no test panics holding it");
        notes.push(text.to_owned());
        Ok(())
    }
}

fn driver(url: &str) -> OpenAiDriver {
    OpenAiDriver::new(url, Http::new().expect("a client")).expect("a URL")
}

fn user(text: &str) -> ChatMessage {
    ChatMessage::User {
        origin: MessageOrigin::User,
        text: text.to_owned(),
    }
}

fn result(call: &crate::ToolCall, text: &str) -> ChatMessage {
    ChatMessage::ToolResult {
        call_id: call.call_id.clone(),
        text: text.to_owned(),
        outcome: OpOutcome::Ok,
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
    let request = request(vec![user("go")]);
    driver(&server.url())
        .turn(request, &Screen::default())
        .await
}

#[tokio::test]
async fn text_is_streamed_and_the_usage_is_reported() {
    let billed = Billed {
        cache_read: 7,
        cache_write_5m: 3,
        thinking: 5,
        service_tier: "priority".to_owned(),
        ..Billed::of(111, 22)
    };
    let said = Said::text("Hello there, this is a longer sentence — with ünicode.")
        .think("Hm, let me see.")
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
    let blocks: Value = serde_json::from_str(&turn.content).expect("JSON");
    assert_eq!(blocks[0]["type"], "reasoning");
    assert_eq!(blocks[0]["reasoning_content"], "Hm, let me see.");
    assert_eq!(blocks[1]["text"], turn.text);
    let usage = turn.usage.expect("usage");
    let tokens = Tokens {
        input: 111,
        output: 22,
        cache_read: 7,
        cache_write: 3,
        cache_write_long: 0,
    };
    assert_eq!(usage.parts[0].tokens, tokens);
    assert_eq!(usage.parts[0].tier.as_deref(), Some("priority"));
    assert_eq!((usage.counted, usage.cost), (Counted::Reported, None));
    let seen = &server.requests()[0];
    assert_eq!(usage.request_id.as_deref(), Some(seen.request_id.as_str()));
    assert_eq!(seen.path, "/v1/chat/completions");
    assert_ne!(seen.key, "none");
    assert_eq!(screen.notes(), [""; 0]);
}

#[tokio::test]
async fn parallel_calls_go_back_as_they_came() {
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
    let inputs: Vec<&str> = turn.calls.iter().map(|call| call.input.as_str()).collect();
    assert_eq!(
        inputs,
        [
            "{\"path\":\"a\",\"n\":[1,2.5,{\"deep\":\"\u{1F600}\"}]}",
            "{}"
        ]
    );
    let mut talk = vec![
        user("go"),
        ChatMessage::Model {
            content: turn.content.clone(),
        },
    ];
    // The server's own order is not the calls': any is legal.
    talk.extend(turn.calls.iter().rev().map(|call| result(call, "seen")));
    talk.push(user("and then?"));
    // A server that sends reasoning and takes none back is asked again without.
    let turn = driver
        .turn(request(talk), &screen)
        .await
        .expect("a legal conversation");
    assert_eq!(turn.text, "done");
}

#[tokio::test]
async fn one_conversation_goes_on_with_either_api() {
    let turns = vec![
        Said::new().think("hm").tool("look", json!({"n": 1.5})),
        Said::new()
            .say("Again.")
            .tool("look", json!({"n": 2}))
            .tool("look", json!({"n": 3})),
        Said::new().think("so").tool("look", json!({"n": 4})),
        Said::text("done"),
    ];
    let server = server(turns).await;
    let url = server.url();
    let http = || Http::new().expect("a client");
    let anthropic = AnthropicDriver::new(&url, http()).expect("a URL");
    let drivers: [&dyn Driver; 4] = [&anthropic, &driver(&url), &anthropic, &driver(&url)];
    let mut talk = vec![user("go")];
    for (at, driver) in drivers.into_iter().enumerate() {
        let answered = driver.turn(request(talk.clone()), &Screen::default()).await;
        let turn = answered.unwrap_or_else(|error| panic!("turn {at}: {error}"));
        talk.push(ChatMessage::Model {
            content: turn.content,
        });
        talk.extend(turn.calls.iter().map(|call| result(call, "seen")));
        assert_eq!(turn.calls.is_empty(), at == 3);
    }
}

#[tokio::test]
async fn a_plain_server_without_usage_numbers_ids_or_end_is_understood() {
    let turns = vec![
        Said::new()
            .say("I look.")
            .tool("look", json!({"n": 1}))
            .tool("look", json!({"n": 2})),
        Said::new().tool("look", json!({"n": 3})),
        Said::text("done"),
    ];
    let server = server(turns).await;
    server.set_manner(Manner::Plain);
    let driver = driver(&server.url());
    let mut talk = vec![user("go")];
    let mut ids = Vec::new();
    for calls in [2, 1, 0] {
        let keyless = TurnRequest {
            key: None,
            ..request(talk.clone())
        };
        let turn = driver
            .turn(keyless, &Screen::default())
            .await
            .expect("an answer");
        assert_eq!(turn.calls.len(), calls, "{turn:?}");
        let usage = turn.usage.expect("estimated");
        assert_eq!(usage.counted, Counted::Estimated);
        assert!(usage.parts[0].tokens.input > 10 && usage.parts[0].tokens.output > 0);
        ids.extend(turn.calls.iter().map(|call| call.call_id.clone()));
        talk.push(ChatMessage::Model {
            content: turn.content,
        });
        talk.extend(turn.calls.iter().map(|call| result(call, "seen")));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "an id is given once");
    assert_eq!(server.requests()[0].key, "none");
}

#[tokio::test]
async fn refusals_of_the_server_say_what_can_be_done() {
    let bad = || Fault::BadRequest { message: None };
    let wait = Fault::RateLimit {
        retry_after_s: Some(9),
    };
    for (fault, kind, wait) in [
        (wait, OpErrorKind::RateLimited, Some(9_000)),
        (Fault::SpendLimit, OpErrorKind::SpendLimit, None),
        (Fault::Overloaded, OpErrorKind::Overloaded, None),
        (Fault::ServerError, OpErrorKind::Server, None),
        (Fault::BadGateway, OpErrorKind::Server, None),
        (Fault::Unauthorized, OpErrorKind::Auth, None),
        (Fault::Forbidden, OpErrorKind::Auth, None),
        (bad(), OpErrorKind::BadRequest, None),
        (Fault::ModelNotFound, OpErrorKind::BadRequest, None),
        (Fault::CutAtStart, OpErrorKind::Cut, None),
        (Fault::CutAfterHeaders, OpErrorKind::Cut, None),
    ] {
        let server = server(vec![Said::text("x").fault(fault.clone(), ALWAYS)]).await;
        let error = ask(&server).await.expect_err("a fault");
        assert_eq!(
            (error.kind, error.retry_after_ms, error.answered),
            (kind, wait, Answered::No),
            "{fault:?}: {error}"
        );
        assert!(
            error.partial.is_none() && !error.message.contains(KEY),
            "{error}"
        );
        assert!(error.message.contains("127.0.0.1"), "{error}");
        assert_eq!(
            server.requests().len(),
            1,
            "{fault:?}: nothing is retried behind our back"
        );
    }
}

#[tokio::test]
async fn a_stream_that_ends_before_its_end_is_no_answer() {
    for (fault, kind) in [
        (Fault::CutMid { after_events: 2 }, OpErrorKind::Cut),
        (Fault::CutBeforeStop, OpErrorKind::Cut),
        (Fault::EndEarly { after_events: 2 }, OpErrorKind::Cut),
        (Fault::ErrorMid { after_events: 2 }, OpErrorKind::Server),
        (Fault::GarbageMid { after_events: 2 }, OpErrorKind::Cut),
    ] {
        let server = server(vec![
            Said::text("A long enough answer to be cut off.").fault(fault.clone(), 1),
        ])
        .await;
        let error = ask(&server).await.expect_err("no answer");
        assert_eq!(
            (error.kind, error.answered),
            (kind, Answered::Begun),
            "{fault:?}: {error}"
        );
    }
    let server = server(vec![
        Said::text("Silence.").fault(Fault::SilenceMid { after_events: 2 }, 1),
    ])
    .await;
    let hasty = TurnRequest {
        silence_ms: 100,
        ..request(vec![user("go")])
    };
    let error = driver(&server.url())
        .turn(hasty, &Screen::default())
        .await
        .expect_err("silence");
    assert_eq!(error.kind, OpErrorKind::Silent);
}

#[tokio::test]
async fn the_newer_name_of_the_limit_is_learned_from_a_refusal_and_kept() {
    let server = server(vec![Said::text("x")]).await;
    let http = Http::new().expect("a client");
    for requests in [2, 3] {
        // A driver lives for one call; what was learned lives with the connections.
        let driver = OpenAiDriver::new(&server.url(), http.clone()).expect("a URL");
        let newer = TurnRequest {
            model: "gpt-5.4".to_owned(),
            ..request(vec![user("go")])
        };
        driver
            .turn(newer, &Screen::default())
            .await
            .expect("an answer");
        assert_eq!(server.requests().len(), requests);
    }
    assert_eq!(server.requests()[2].body["max_completion_tokens"], 4096);
}

#[tokio::test]
async fn a_call_in_the_text_is_no_answer() {
    let text = "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"path\": \"a\"}}\n</tool_call>";
    let turn = ask(&server(vec![Said::text(text)]).await)
        .await
        .expect("an answer");
    assert_eq!(turn.stop, Stop::CallInText("look".to_owned()));
}

#[tokio::test]
async fn a_server_that_reads_less_than_it_is_sent_is_told_on() {
    let server = server(vec![Said::text("x").usage(Billed::of(20, 5))]).await;
    let screen = Screen::default();
    let long = "many words ".repeat(100);
    let asked = driver(&server.url())
        .turn(request(vec![user(&long)]), &screen)
        .await;
    asked.expect("an answer");
    assert!(
        screen.notes()[0].contains("leaves out the tools"),
        "{:?}",
        screen.notes()
    );
}

#[tokio::test]
async fn a_check_says_what_is_wrong_and_costs_nothing() {
    let server = server(vec![Said::text("x")]).await;
    server.set_valid_key(Some(KEY));
    let driver = driver(&server.url());
    let key = Secret::new(KEY);
    let fine = driver
        .check(Some("gpt-5.4"), Some(&key))
        .await
        .expect("known");
    assert!(fine.models.iter().any(|model| model == "gpt-5.4"));
    driver.check(None, Some(&key)).await.expect("reachable");
    let unknown = driver
        .check(Some("gpt-0"), Some(&key))
        .await
        .expect_err("unknown");
    assert!(unknown.message.contains("it offers gpt-"), "{unknown}");
    let other = Secret::new("test-key-not-real-2");
    let refused = driver
        .check(Some("gpt-5.4"), Some(&other))
        .await
        .expect_err("refused");
    assert_eq!(refused.kind, OpErrorKind::Auth);
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.path == "/v1/models")
    );
}

#[test]
fn addresses_are_completed_and_keys_wanted_where_it_makes_sense() {
    let url = |given: &str| driver(given).endpoint();
    assert_eq!(url("http://localhost:11434"), "http://localhost:11434/v1");
    assert_eq!(
        url("http://localhost:11434/v1/"),
        "http://localhost:11434/v1"
    );
    assert_eq!(
        url("https://openrouter.ai/api/v1"),
        "https://openrouter.ai/api/v1"
    );
    assert_eq!(
        url("https://example.invalid/v1beta/openai/"),
        "https://example.invalid/v1beta/openai"
    );
    for open in [
        "http://127.0.0.1:1234",
        "http://[::1]:8080/v1",
        "http://192.168.1.7:11434",
        "http://gpu.local:8000",
        "http://gpu:8000",
    ] {
        assert!(!needs_key(Some(open)), "{open}");
    }
    for closed in [
        None,
        Some("https://openrouter.ai/api/v1"),
        Some("https://8.8.8.8/v1"),
    ] {
        assert!(needs_key(closed), "{closed:?}");
    }
}
