//! Answers byte for byte, as no scripted server would send them.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::driver::{Answered, ToolCall};

/// Answers one request with `head` and `body` and leaves.
async fn answering(head: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        let (mut peer, _) = listener.accept().await.expect("a client");
        let (mut seen, mut bytes) = (Vec::new(), [0; 4096]);
        while !seen.ends_with(b"}") && !seen.ends_with(b"\r\n\r\n") {
            let n = peer.read(&mut bytes).await.expect("a request");
            seen.extend_from_slice(&bytes[..n]);
        }
        let answer = format!(
            "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        peer.write_all(answer.as_bytes()).await.expect("a listener");
    });
    url
}

async fn told(head: &'static str, body: String) -> Result<Turn, TurnError> {
    let url = answering(head, body).await;
    driver(&url)
        .turn(request(vec![user("go")]), &Screen::default())
        .await
}

/// A stream of these events, after a start and before an end for `reason`.
async fn streamed(events: &[&str], reason: &str) -> Turn {
    let mut body = String::from(
        "data: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":1}}}\n\n",
    );
    for event in events {
        body.push_str(&format!("data: {event}\n\n"));
    }
    body.push_str(&format!(
        "data: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{reason}\",\"stop_details\":{{\"category\":\"cyber\"}}}},\"usage\":{{}}}}\n\n\
         data: {{\"type\":\"message_stop\"}}\n\n"
    ));
    told(
        "200 OK\r\ncontent-type: text/event-stream; charset=utf-8",
        body,
    )
    .await
    .expect("an answer")
}

#[tokio::test]
async fn blocks_nobody_knows_and_numbers_nobody_can_hold_are_kept() {
    let turn = streamed(
        &[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"A\/b\u00fc=="}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"hologram","n":12345678901234567890.10,"e":1E400}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"shimmer_delta","x":1}}"#,
            r#"{"type":"content_block_delta","index":77,"delta":{"type":"text_delta","text":"of no block"}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"look","input":{}}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"n\": 1.50"}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"e0, \"n\":2}"}}"#,
            r#"{"type":"content_block_stop","index":2}"#,
        ],
        "tool_use",
    )
    .await;
    let expected = concat!(
        r#"[{"type":"redacted_thinking","data":"A\/b\u00fc=="},"#,
        r#"{"type":"hologram","n":12345678901234567890.10,"e":1E400},"#,
        r#"{"type":"tool_use","id":"t","name":"look","input":{"n": 1.50e0, "n":2}}]"#
    );
    assert_eq!(turn.content, expected);
    let call = ToolCall {
        call_id: "t".into(),
        name: "look".into(),
        input: "{\"n\": 1.50e0, \"n\":2}".into(),
    };
    assert_eq!(turn.calls, [call]);
}

#[tokio::test]
async fn citations_signatures_and_blank_texts_are_put_together() {
    let turn = streamed(
        &[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s\/g"}}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"\n\n"}}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":"","citations":null}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"so"}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"c":1.0}}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"c":2}}}"#,
        ],
        "refusal",
    )
    .await;
    let expected = concat!(
        r#"[{"type":"thinking","thinking":"hm","signature":"s\/g"},"#,
        r#"{"type":"text","text":"so","citations":[{"c":1.0},{"c":2}]}]"#
    );
    assert_eq!(turn.content, expected);
    assert_eq!(turn.stop, Stop::Refusal(Some("cyber".to_owned())));
}

const CALL: &str = r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"look","input":{}}}"#;
const HALF: &str = r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"path\":\"a"}}"#;
const TEXT: &str =
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"I look"}}"#;

#[tokio::test]
async fn a_call_cut_off_by_max_tokens_is_neither_run_nor_sent_back() {
    let turn = streamed(&[TEXT, CALL, HALF], "max_tokens").await;
    assert_eq!(
        (turn.calls.as_slice(), turn.content.as_str()),
        (&[][..], r#"[{"type":"text","text":"I look"}]"#)
    );
    let nothing_left = streamed(&[CALL, HALF], "max_tokens").await;
    assert_eq!(nothing_left.content, "[]");
}

#[tokio::test]
async fn input_that_is_no_json_is_told_to_the_tool_but_not_sent_back() {
    let turn = streamed(&[CALL, HALF], "tool_use").await;
    assert_eq!(turn.calls[0].input, "{\"path\":\"a");
    assert_eq!(
        turn.content,
        r#"[{"type":"tool_use","id":"t","name":"look","input":{}}]"#
    );
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let body = r#"{"type":"message","model":"m","content":[{"type":"text","text":"hi","n":1.0}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":6}}"#;
    let turn = told("200 OK\r\ncontent-type: application/json", body.to_owned())
        .await
        .expect("an answer");
    assert_eq!(
        (turn.text.as_str(), turn.content.as_str()),
        ("hi", r#"[{"type":"text","text":"hi","n":1.0}]"#)
    );
    assert_eq!(turn.usage.expect("usage").parts[0].tokens.output, 6);
}

#[tokio::test]
async fn what_is_no_answer_of_this_api_is_not_taken_for_one() {
    let page = told("200 OK\r\ncontent-type: text/html", "<html>".to_owned())
        .await
        .expect_err("a page");
    assert_eq!(page.kind, OpErrorKind::Server);
    assert!(page.message.contains("base URL"), "{page}");
    let moved = told(
        "307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/",
        String::new(),
    )
    .await
    .expect_err("moved");
    assert_eq!(moved.kind, OpErrorKind::BadRequest);
    let dated = "429 Too Many\r\ndate: Sat, 21 Nov 2026 04:00:00 GMT\r\nretry-after: Sat, 21 Nov 2026 04:00:20 GMT";
    assert_eq!(
        told(dated, String::new())
            .await
            .expect_err("wait")
            .retry_after_ms,
        Some(20_000)
    );
    let empty = told("200 OK\r\ncontent-type: text/event-stream", String::new())
        .await
        .expect_err("nothing");
    assert_eq!(
        (empty.kind, empty.answered),
        (OpErrorKind::Cut, Answered::No)
    );
}

#[tokio::test]
async fn a_key_that_cannot_be_sent_is_not_told() {
    let bad = TurnRequest {
        key: Some(Secret::new("bad\nkey-not-real")),
        ..request(vec![user("go")])
    };
    let error = driver("http://127.0.0.1:1")
        .turn(bad, &Screen::default())
        .await
        .expect_err("no header");
    assert_eq!(error.kind, OpErrorKind::Auth);
    assert!(!error.message.contains("not-real"), "{error}");
}
