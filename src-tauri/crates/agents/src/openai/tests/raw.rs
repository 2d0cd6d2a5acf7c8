//! Answers byte for byte, as no scripted server would send them.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Whether the connection is closed behind an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Closed,
    /// It stays open, and nothing more is said.
    Open,
}

async fn answering(head: &'static str, body: String, behind: Behind) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        let (mut peer, _) = listener.accept().await.expect("a client");
        let (mut seen, mut bytes) = (Vec::new(), [0; 4096]);
        while !seen.ends_with(b"}") && !seen.ends_with(b"\r\n\r\n") {
            let n = peer.read(&mut bytes).await.expect("a request");
            seen.extend_from_slice(&bytes[..n]);
        }
        let answer = format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n{body}");
        peer.write_all(answer.as_bytes()).await.expect("a listener");
        if behind == Behind::Open {
            // Until the client has had enough.
            let _ = peer.read(&mut bytes).await;
        }
    });
    url
}

const STREAM: &str = "200 OK\r\ncontent-type: text/event-stream";

async fn told(head: &'static str, body: String, behind: Behind) -> Result<Turn, TurnError> {
    let url = answering(head, body, behind).await;
    let request = request(vec![user("go")]);
    driver(&url).turn(request, &Screen::default()).await
}

async fn streamed(chunks: &[&str]) -> Result<Turn, TurnError> {
    let body = chunks
        .iter()
        .map(|chunk| format!("data: {chunk}\n\n"))
        .collect();
    told(STREAM, body, Behind::Closed).await
}

const HI: &str = r#"{"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}"#;
const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const CALL: &str = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"look","arguments":"{\"path\":"}}]}}]}"#;

#[tokio::test]
async fn an_answer_whose_farewell_is_missing_is_taken_when_the_model_was_done() {
    let turn = streamed(&[HI, STOP]).await.expect("closed without [DONE]");
    assert_eq!((turn.text.as_str(), turn.stop), ("hi", Stop::EndTurn));
    let error = streamed(&[HI]).await.expect_err("never done");
    assert_eq!(error.kind, OpErrorKind::Cut);
    let body = format!("data: {HI}\n\ndata: {STOP}\n\n");
    let began = std::time::Instant::now();
    let turn = told(STREAM, body, Behind::Open).await.expect("kept open");
    assert_eq!(turn.text, "hi");
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "not the whole silence"
    );
}

#[tokio::test]
async fn all_that_servers_call_reasoning_is_kept_as_what_it_is() {
    let turn = streamed(&[
        r#"{"choices":[{"delta":{"reasoning":"h","reasoning_details":[{"type":"reasoning.text","text":"h","signature":"s/g"}]}}]}"#,
        r#"{"choices":[{"delta":{"reasoning":"m","reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}}]}"#,
        r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"!"}]},{"type":"text","text":"so"}]}}]}"#,
        STOP,
        "[DONE]",
    ])
    .await
    .expect("an answer");
    let blocks: Value = serde_json::from_str(&turn.content).expect("JSON");
    assert_eq!(blocks[0]["reasoning"], "hm!");
    assert_eq!(
        blocks[0]["reasoning_details"].as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(turn.text, "so");
}

#[tokio::test]
async fn reasons_to_stop_are_understood() {
    let ends =
        |reason: &str| format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{reason}"}}]}}"#);
    for (reason, stop) in [
        ("length", Stop::MaxTokens),
        (
            "content_filter",
            Stop::Refusal(Some("content_filter".to_owned())),
        ),
        ("stop", Stop::EndTurn),
        ("tool_calls", Stop::EndTurn),
        ("weather", Stop::Other("weather".to_owned())),
    ] {
        let turn = streamed(&[HI, &ends(reason), "[DONE]"])
            .await
            .expect("an answer");
        assert_eq!(turn.stop, stop, "{reason}");
    }
    let refusal = r#"{"choices":[{"delta":{"refusal":"I will not."},"finish_reason":"stop"}]}"#;
    let turn = streamed(&[refusal, "[DONE]"]).await.expect("an answer");
    assert_eq!(
        (turn.stop, turn.text.as_str()),
        (Stop::Refusal(None), "I will not.")
    );
    // Calls whose server says "stop".
    let whole = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":"stop"}]}"#;
    let turn = streamed(&[CALL, whole, "[DONE]"]).await.expect("an answer");
    assert_eq!(
        (turn.stop, turn.calls[0].input.as_str()),
        (Stop::ToolUse, "{\"path\":1}")
    );
}

#[tokio::test]
async fn a_call_cut_off_by_the_limit_is_neither_run_nor_sent_back() {
    let length = r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#;
    let turn = streamed(&[HI, CALL, length, "[DONE]"])
        .await
        .expect("an answer");
    assert_eq!((turn.stop, turn.calls.len()), (Stop::MaxTokens, 0));
    assert_eq!(turn.content, r#"[{"type":"text","text":"hi"}]"#);
    let stop = r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#;
    let turn = streamed(&[CALL, stop, "[DONE]"]).await.expect("an answer");
    assert_eq!(turn.calls[0].input, "{\"path\":", "the tool is told");
    assert_eq!(
        turn.content,
        r#"[{"type":"tool_use","id":"a","name":"look","input":{}}]"#
    );
}

#[tokio::test]
async fn errors_within_a_stream_are_errors() {
    for (chunk, kind) in [
        (
            r#"{"error":{"code":429,"message":"slow down"}}"#,
            OpErrorKind::RateLimited,
        ),
        (
            r#"{"error":{"code":502,"message":"gone"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
            OpErrorKind::Server,
        ),
        (
            r#"{"object":"error","message":"EngineDeadError","code":500}"#,
            OpErrorKind::Server,
        ),
        (
            r#"{"choices":[{"delta":{},"finish_reason":"error"}]}"#,
            OpErrorKind::Server,
        ),
        ("7", OpErrorKind::Cut),
    ] {
        let error = streamed(&[HI, chunk]).await.expect_err("an error");
        assert_eq!(
            (error.kind, error.answered),
            (kind, Answered::Begun),
            "{chunk}: {error}"
        );
    }
}

#[tokio::test]
async fn a_lost_answer_tells_what_had_been_counted() {
    let counted = r#"{"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":40,"completion_tokens":2,"total_tokens":42}}"#;
    let error = streamed(&[counted]).await.expect_err("cut");
    assert_eq!(error.partial.expect("counted").parts[0].tokens.input, 40);
    assert!(streamed(&[HI]).await.expect_err("cut").partial.is_none());
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let body = r#"{"id":"gen-1","model":"m-2026-01-01","choices":[{"message":{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"look","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11,"cost":0.0000001}}"#;
    let json = "200 OK\r\ncontent-type: application/json";
    let turn = told(json, body.to_owned(), Behind::Closed)
        .await
        .expect("an answer");
    assert_eq!((turn.calls.len(), turn.model.as_str()), (1, "m-2026-01-01"));
    let usage = turn.usage.expect("usage");
    assert_eq!(usage.request_id.as_deref(), Some("gen-1"));
    assert_eq!(usage.cost, Some(domain::NanoUsd(100)));
    let error = told(
        json,
        r#"{"error":"no such thing"}"#.to_owned(),
        Behind::Closed,
    )
    .await;
    assert_eq!(error.expect_err("an error").kind, OpErrorKind::Server);
}

#[tokio::test]
async fn a_page_is_not_taken_for_an_answer() {
    let page = "200 OK\r\ncontent-type: text/html";
    let error = told(page, "<html>".to_owned(), Behind::Closed)
        .await
        .expect_err("a page");
    assert!(error.message.contains("base URL"), "{error}");
    let list = told(
        "200 OK\r\ncontent-type: application/json",
        "{}".to_owned(),
        Behind::Closed,
    )
    .await;
    assert_eq!(list.expect_err("nothing").kind, OpErrorKind::Cut);
}
