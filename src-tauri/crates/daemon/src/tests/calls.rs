//! Calls that are wrong in themselves, and what names mean.

use client::ClientError;
use protocol::{ApiError, CostRequest, ErrorCode, Moment, ShowRequest, StatusRequest};

use super::{InProcess, RUN, now};

pub(super) fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> ApiError {
    match answer {
        Err(ClientError::Refused(error)) => error,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_no_call_is_answered_with_words() {
    let daemon = InProcess::new().await;
    let (status, error) = daemon.error("POST /v1/fly", b"{}").await;
    assert_eq!((status, error.code), (404, ErrorCode::NotFound));
    let (status, error) = daemon.error("GET /v1/runs", b"").await;
    assert_eq!((status, error.code), (400, ErrorCode::Usage));
    for body in [&b"{"[..], b"[]", b"\xff\xfe", b"{\"run\":7}"] {
        let (status, error) = daemon.error("POST /v1/show", body).await;
        assert_eq!((status, error.code), (400, ErrorCode::Usage));
    }
}

#[tokio::test]
async fn a_request_that_is_too_long_is_told_so() {
    let daemon = InProcess::new().await;
    let body = format!("{{\"run\":\"{}\"}}", "a".repeat(17 << 20));
    let (status, error) = daemon.error("POST /v1/show", body.as_bytes()).await;
    assert_eq!((status, error.code), (400, ErrorCode::Usage));
    assert!(error.message.contains("16777216"), "{error}");
    // And it serves on.
    daemon.client().status(StatusRequest {}).await.unwrap();
}

#[tokio::test]
async fn a_run_is_meant_by_a_beginning_that_only_it_has() {
    let daemon = InProcess::new().await;
    let other = "01990000-0000-7000-8000-0000000000ff";
    daemon.run(RUN).await;
    daemon.run(other).await;
    let show = async |run: &str| {
        let request = ShowRequest {
            run: run.to_owned(),
            ..ShowRequest::default()
        };
        daemon.client().show(request).await
    };
    assert_eq!(show(RUN).await.unwrap().id.to_string(), RUN);
    let beginning = &other[..other.len() - 1];
    assert_eq!(show(beginning).await.unwrap().id.to_string(), other);
    let both = refused(show("0199").await);
    assert_eq!(both.code, ErrorCode::Ambiguous);
    assert!(both.message.contains(RUN) && both.message.contains(other));
    for nobody in [
        "ffff",
        "",
        "%",
        "not-hex",
        "01990000-0000-7000-8000-0000000000aa",
    ] {
        assert_eq!(
            refused(show(nobody).await).code,
            ErrorCode::NotFound,
            "{nobody}"
        );
    }
}

#[tokio::test]
async fn costs_are_asked_for_from_any_moment_on() {
    let daemon = InProcess::new().await;
    let (century, now) = (3_155_760_000_000, now());
    for since in [now.plus_ms(-century), now, now.plus_ms(century)] {
        let request = CostRequest {
            since: Some(Moment(since)),
            ..CostRequest::default()
        };
        let report = daemon.client().cost(request).await.unwrap();
        assert_eq!(report.since, Some(Moment(since)));
        assert!(report.rows.is_empty());
    }
    let (status, error) = daemon
        .error("POST /v1/cost", br#"{"since":"yesterday"}"#)
        .await;
    assert_eq!((status, error.code), (400, ErrorCode::Usage));
}
