use reqwest::header::{HeaderName, HeaderValue};

use super::*;

fn found(status: u16, pairs: &[(&'static str, &'static str)], body: &str) -> TurnError {
    let pair = |&(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    let headers: HeaderMap = pairs.iter().map(pair).collect();
    let status = StatusCode::from_u16(status).expect("a status");
    of_status("http://here/v1", "gpt-x", status, &headers, body.as_bytes())
}

#[test]
fn every_status_says_what_can_be_done() {
    for (status, kind) in [
        (400, OpErrorKind::BadRequest),
        (401, OpErrorKind::Auth),
        (402, OpErrorKind::SpendLimit),
        (403, OpErrorKind::Auth),
        (404, OpErrorKind::BadRequest),
        (408, OpErrorKind::Server),
        (422, OpErrorKind::BadRequest),
        (429, OpErrorKind::RateLimited),
        (500, OpErrorKind::Server),
        (502, OpErrorKind::Server),
        (503, OpErrorKind::Overloaded),
        (307, OpErrorKind::BadRequest),
    ] {
        assert_eq!(
            found(status, &[], "<html>oops</html>").kind,
            kind,
            "{status}"
        );
    }
}

#[test]
fn all_forms_of_an_error_are_read() {
    for (status, body, kind, words) in [
        (
            401,
            r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
            OpErrorKind::Auth,
            "Incorrect API key (invalid_api_key)",
        ),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            OpErrorKind::SpendLimit,
            "current quota",
        ),
        (
            404,
            r#"{"error":{"message":"The model `gpt-x` does not exist","type":"invalid_request_error","code":"model_not_found"}}"#,
            OpErrorKind::BadRequest,
            "does not know the model \"gpt-x\"",
        ),
        (
            404,
            r#"{"error":"model 'gpt-x' not found, try pulling it first"}"#,
            OpErrorKind::BadRequest,
            "does not know the model \"gpt-x\"",
        ),
        (
            404,
            r#"{"detail":"Not Found"}"#,
            OpErrorKind::BadRequest,
            "is the base URL right?",
        ),
        (
            400,
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","code":400}"#,
            OpErrorKind::BadRequest,
            "context length",
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_ctx":4096}}"#,
            OpErrorKind::BadRequest,
            "context length",
        ),
        (
            400,
            r#"{"error":{"message":"too long","code":"context_length_exceeded"}}"#,
            OpErrorKind::BadRequest,
            "context length",
        ),
        (
            500,
            r#"{"error":{"code":500,"message":"input is larger than the context size","type":"server_error"}}"#,
            OpErrorKind::BadRequest,
            "context length",
        ),
        (
            402,
            r#"{"error":{"code":402,"message":"Insufficient credits"}}"#,
            OpErrorKind::SpendLimit,
            "Insufficient credits",
        ),
        (
            403,
            r#"{"error":{"code":403,"message":"flagged","metadata":{"reasons":["violence"]}}}"#,
            OpErrorKind::BadRequest,
            "flagged",
        ),
        (
            502,
            r#"{"error":{"code":502,"message":"Provider returned error","metadata":{"raw":"the real cause"}}}"#,
            OpErrorKind::Server,
            "the real cause",
        ),
        (
            422,
            r#"{"detail":[{"loc":["body","model"],"msg":"Field required"}]}"#,
            OpErrorKind::BadRequest,
            "Field required",
        ),
        (
            503,
            r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
            OpErrorKind::Overloaded,
            "Loading model",
        ),
        (
            500,
            r#"[{"error":{"code":500,"message":"in a list"}}]"#,
            OpErrorKind::Server,
            "in a list",
        ),
        (
            500,
            r#"{"error":{}}"#,
            OpErrorKind::Server,
            "an error without words",
        ),
    ] {
        let error = found(status, &[], body);
        assert_eq!(error.kind, kind, "{body}");
        assert!(error.message.contains(words), "{body}: {}", error.message);
    }
}

#[test]
fn resets_are_read_in_every_form() {
    let reset = |pairs: &[(&'static str, &'static str)]| found(429, pairs, "").retry_after_ms;
    assert_eq!(
        reset(&[("retry-after", "7"), ("x-ratelimit-reset-requests", "9s")]),
        Some(7_000)
    );
    assert_eq!(reset(&[("retry-after-ms", "1500")]), Some(1_500));
    for (text, ms) in [
        ("6m0s", 360_000),
        ("1s", 1_000),
        ("20ms", 20),
        ("1h2m3.5s", 3_723_500),
        ("59.5", 59_500),
    ] {
        assert_eq!(
            reset(&[("x-ratelimit-reset-tokens", text)]),
            Some(ms),
            "{text}"
        );
    }
    for text in ["0s", "soon", "5x", "", "-3"] {
        assert_eq!(reset(&[("x-ratelimit-reset-tokens", text)]), None, "{text}");
    }
    let both = [
        ("x-ratelimit-reset-requests", "10ms"),
        ("x-ratelimit-remaining-requests", "41"),
        ("x-ratelimit-reset-tokens", "5s"),
        ("x-ratelimit-remaining-tokens", "0"),
    ];
    assert_eq!(
        reset(&both),
        Some(5_000),
        "the limit that is used up counts"
    );
    let moment = [
        ("date", "Sat, 21 Nov 2026 04:00:00 GMT"),
        ("x-ratelimit-reset", "1795233620000"),
    ];
    assert_eq!(reset(&moment), Some(20_000));
    let said = r#"{"error":{"message":"Rate limit reached. Please try again in 1m30s. Visit …"}}"#;
    assert_eq!(found(429, &[], said).retry_after_ms, Some(90_000));
    assert_eq!(found(401, &[("retry-after", "7")], "").retry_after_ms, None);
}

#[test]
fn an_error_in_the_middle_of_a_stream_says_what_it_is() {
    for (body, kind) in [
        (
            r#"{"error":{"code":429,"message":"slow down"}}"#,
            OpErrorKind::RateLimited,
        ),
        (
            r#"{"error":{"code":"rate_limit_exceeded","message":"slow down"}}"#,
            OpErrorKind::RateLimited,
        ),
        (
            r#"{"error":{"code":502,"message":"gone"}}"#,
            OpErrorKind::Server,
        ),
        (
            r#"{"error":{"type":"insufficient_quota","message":"no money"}}"#,
            OpErrorKind::SpendLimit,
        ),
        (r#"{"error":"something"}"#, OpErrorKind::Server),
    ] {
        let error = ApiError::read(body.as_bytes()).expect("an error");
        assert_eq!(error.kind_by_words(), kind, "{body}");
    }
}
