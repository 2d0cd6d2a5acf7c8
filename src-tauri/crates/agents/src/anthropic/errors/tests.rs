use reqwest::header::{HeaderName, HeaderValue};

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |&(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    pairs.iter().map(pair).collect()
}

fn found(status: u16, pairs: &[(&'static str, &'static str)], body: &str) -> TurnError {
    let status = StatusCode::from_u16(status).expect("a status");
    of_status(
        "http://here",
        "claude-x",
        status,
        &headers(pairs),
        body.as_bytes(),
    )
}

#[test]
fn every_status_says_what_can_be_done() {
    let kinds = [
        (400, OpErrorKind::BadRequest),
        (401, OpErrorKind::Auth),
        (402, OpErrorKind::BadRequest),
        (403, OpErrorKind::Auth),
        (404, OpErrorKind::BadRequest),
        (408, OpErrorKind::Server),
        (409, OpErrorKind::Server),
        (413, OpErrorKind::BadRequest),
        (422, OpErrorKind::BadRequest),
        (429, OpErrorKind::RateLimited),
        (500, OpErrorKind::Server),
        (502, OpErrorKind::Server),
        (503, OpErrorKind::Overloaded),
        (504, OpErrorKind::Server),
        (529, OpErrorKind::Overloaded),
        (307, OpErrorKind::BadRequest),
    ];
    for (status, kind) in kinds {
        assert_eq!(
            found(status, &[], "<html>oops</html>").kind,
            kind,
            "{status}"
        );
    }
}

#[test]
fn spend_limits_are_told_from_rate_limits() {
    let body = |code: &str| {
        format!(
            r#"{{"type":"error","error":{{"type":"rate_limit_error","message":"m","details":{{"error_code":"{code}"}}}}}}"#
        )
    };
    for code in [
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
    ] {
        assert_eq!(found(429, &[], &body(code)).kind, OpErrorKind::SpendLimit);
        assert_eq!(found(400, &[], &body(code)).kind, OpErrorKind::SpendLimit);
    }
    assert_eq!(
        found(429, &[], &body("ramp_limit_exceeded")).kind,
        OpErrorKind::RateLimited
    );
}

#[test]
fn waits_are_read_in_all_their_forms() {
    const NOW: (&str, &str) = ("date", "Sat, 21 Nov 2026 04:00:00 GMT");
    let wait = |pairs: &[(&'static str, &'static str)]| found(429, pairs, "").retry_after_ms;
    assert_eq!(wait(&[("retry-after", "7")]), Some(7_000));
    assert_eq!(wait(&[("retry-after", "0.25"), NOW]), Some(250));
    assert_eq!(
        wait(&[("retry-after-ms", "1500"), ("retry-after", "7")]),
        Some(1_500)
    );
    assert_eq!(
        wait(&[("retry-after", "Sat, 21 Nov 2026 04:02:00 GMT"), NOW]),
        Some(120_000)
    );
    assert_eq!(wait(&[("retry-after", "0")]), None);
    assert_eq!(wait(&[("retry-after", "soon")]), None);
    let resets = [
        NOW,
        ("anthropic-ratelimit-requests-remaining", "12"),
        ("anthropic-ratelimit-requests-reset", "2026-11-21T04:00:01Z"),
        ("anthropic-ratelimit-input-tokens-remaining", "0"),
        (
            "anthropic-ratelimit-input-tokens-reset",
            "2026-11-21T04:00:30Z",
        ),
    ];
    assert_eq!(wait(&resets), Some(30_000));
    assert_eq!(wait(&resets[..3]), Some(1_000));
}

#[test]
fn the_server_may_say_whether_to_try_again() {
    assert_eq!(
        found(500, &[("x-should-retry", "false")], "").kind,
        OpErrorKind::BadRequest
    );
    assert_eq!(
        found(400, &[("x-should-retry", "true")], "").kind,
        OpErrorKind::Server
    );
    assert_eq!(
        found(401, &[("x-should-retry", "true")], "").kind,
        OpErrorKind::Auth
    );
}

#[test]
fn words_name_the_endpoint_and_the_request() {
    let error = found(
        400,
        &[("request-id", "req_1")],
        r#"{"error":{"type":"invalid_request_error","message":"too\nlong"}}"#,
    );
    assert_eq!(
        error.message,
        "http://here answered 400: too long (invalid_request_error) [request req_1]"
    );
}
