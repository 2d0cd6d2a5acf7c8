use reqwest::header::HeaderValue;
use serde_json::json;

use super::*;

fn asked(api: Api) -> Asked {
    Asked {
        api,
        model: "asked".to_owned(),
        max_tokens: Some(10),
        bytes: 300,
    }
}

fn headers(kind: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(kind));
    headers.insert("request-id", HeaderValue::from_static("req_1"));
    headers
}

/// Hears the events in pieces of this many bytes.
fn heard(api: Api, events: &[serde_json::Value], size: usize) -> Tap {
    let mut tap = Tap::new(&asked(api), &headers("text/event-stream"));
    let text: String = events.iter().map(|e| format!("data: {e}\n\n")).collect();
    text.as_bytes()
        .chunks(size)
        .for_each(|piece| tap.hear(piece));
    tap
}

fn whole(tap: &Tap) -> Usage {
    match tap.metered() {
        Metered::Whole(usage) => usage,
        Metered::Part(part) => panic!("only a part: {part:?}"),
    }
}

fn message(parts: usize) -> Vec<serde_json::Value> {
    let all = [
        json!({"type": "message_start", "message": {"model": "answered", "usage": {"input_tokens": 10,
            "cache_read_input_tokens": 7, "output_tokens": 1}}}),
        json!({"type": "content_block_delta", "delta": {"text": "it says \"type\": \"message_stop\""}}),
        json!({"type": "message_delta", "usage": {"output_tokens": 20}}),
        json!({"type": "message_stop"}),
    ];
    all.into_iter().take(parts).collect()
}

#[test]
fn a_message_is_counted_when_it_is_complete_however_it_arrives() {
    for size in [1, 7, 10_000] {
        let tap = heard(Api::Messages, &message(4), size);
        let usage = whole(&tap);
        let tokens = usage.parts[0].tokens;
        assert_eq!(
            (tokens.input, tokens.cache_read, tokens.output),
            (10, 7, 20)
        );
        assert_eq!(usage.parts[0].model, "answered");
        assert_eq!(usage.request_id.as_deref(), Some("req_1"));
    }
}

#[test]
fn a_message_that_is_cut_has_only_what_it_had_counted() {
    let Metered::Part(Some(part)) = heard(Api::Messages, &message(2), 50).metered() else {
        panic!("it had begun")
    };
    assert_eq!(part.parts[0].tokens.input, 10);
    assert!(matches!(
        heard(Api::Messages, &[], 50).metered(),
        Metered::Part(None)
    ));
    let last = heard(Api::Messages, &message(3), 50);
    assert!(
        matches!(last.metered(), Metered::Part(Some(_))),
        "no message_stop came"
    );
}

#[test]
fn what_breaks_an_answer_off_is_named() {
    let mut events = message(2);
    events.push(
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    );
    let tap = heard(Api::Messages, &events, 9);
    let broken = tap.broken().unwrap();
    assert_eq!(broken.kind, OpErrorKind::Overloaded);
    assert!(!tap.is_complete());
}

#[test]
fn a_response_counts_its_cached_tokens_apart() {
    let usage = json!({"input_tokens": 100, "input_tokens_details": {"cached_tokens": 60}, "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 4}, "total_tokens": 109});
    let events = [
        json!({"type": "response.created", "response": {"model": "gpt-5.5", "usage": null}}),
        json!({"type": "response.output_text.delta", "delta": "hi"}),
        json!({"type": "response.completed", "response": {"model": "gpt-5.5-2026", "service_tier": "default", "usage": usage}}),
    ];
    let found = whole(&heard(Api::Responses, &events, 13));
    let tokens = found.parts[0].tokens;
    assert_eq!(
        (tokens.input, tokens.cache_read, tokens.output),
        (40, 60, 9)
    );
    assert_eq!(found.parts[0].model, "gpt-5.5-2026");
    assert_eq!(found.parts[0].tier.as_deref(), Some("default"));
    assert_eq!(found.raw, usage, "kept as it was received");
    assert!(matches!(
        heard(Api::Responses, &events[..2], 13).metered(),
        Metered::Part(None)
    ));
}

#[test]
fn chat_is_counted_by_its_last_chunk_and_estimated_without_one() {
    let piece = json!({"model": "m", "choices": [{"delta": {"content": "x".repeat(300)}, "finish_reason": null}]});
    let last = json!({"model": "m", "choices": [{"delta": {}, "finish_reason": "stop"}]});
    let count = json!({"model": "m", "choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 8,
        "prompt_tokens_details": {"cached_tokens": 20}}});
    let tap = heard(Api::Chat, &[piece.clone(), last.clone(), count], 11);
    let tokens = whole(&tap).parts[0].tokens;
    assert_eq!(
        (tokens.input, tokens.cache_read, tokens.output),
        (30, 20, 8)
    );

    let mut uncounted = heard(Api::Chat, &[piece, last], 11);
    assert!(matches!(uncounted.metered(), Metered::Part(None)));
    uncounted.hear(b"data: [DONE]\n\n");
    let usage = whole(&uncounted);
    assert_eq!(usage.counted, Counted::Estimated);
    assert_eq!(
        (usage.parts[0].tokens.input, usage.parts[0].tokens.output),
        (100, 100)
    );
}

#[test]
fn an_answer_that_is_not_streamed_is_counted_too() {
    let mut tap = Tap::new(&asked(Api::Messages), &headers("application/json"));
    let body =
        json!({"type": "message", "model": "m", "usage": {"input_tokens": 3, "output_tokens": 4}})
            .to_string();
    tap.hear(body.as_bytes());
    assert!(matches!(tap.metered(), Metered::Part(None)), "it may go on");
    tap.end();
    assert_eq!(whole(&tap).parts[0].tokens.output, 4);
}

#[test]
fn what_cannot_be_read_is_not_guessed() {
    let mut headers = headers("text/event-stream");
    headers.insert("content-encoding", HeaderValue::from_static("gzip"));
    let mut tap = Tap::new(&asked(Api::Messages), &headers);
    tap.hear(b"data: {\"type\":\"message_stop\"}\n\n");
    tap.end();
    assert!(matches!(tap.metered(), Metered::Part(None)));
}

#[test]
fn a_request_says_what_it_asks_for() {
    let read = |api, body: serde_json::Value| Asked::read(api, body.to_string().as_bytes());
    let body = json!({"model": "m", "messages": [{"max_tokens": 1}], "max_tokens": 32_000});
    assert_eq!(read(Api::Messages, body).unwrap().max_tokens, Some(32_000));
    let body = json!({"model": "m", "input": [], "max_output_tokens": 7});
    assert_eq!(read(Api::Responses, body).unwrap().max_tokens, Some(7));
    assert_eq!(
        read(Api::Chat, json!({"model": "m"})).unwrap().max_tokens,
        None
    );
    assert_eq!(read(Api::Chat, json!({"messages": []})), None);
}
