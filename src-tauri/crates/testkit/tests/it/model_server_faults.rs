use serde_json::{Value, json};
use testkit::model_server::{
    Delivered, Fault, FaultRule, FaultScope, ModelServer, Outcome, Script, Turn, Usage,
};

use crate::http::{Call, DEADLINE, End, HEADERS, post, request, user};

#[tokio::test]
async fn errors_look_like_the_apis() {
    let server = ModelServer::start().await.unwrap();
    let body = request(json!([user("hi")]));
    let cases = [
        (
            Fault::RateLimit {
                retry_after_s: Some(7),
            },
            429,
            "rate_limit_error",
        ),
        (Fault::Overloaded, 529, "overloaded_error"),
        (Fault::ServerError, 500, "api_error"),
        (Fault::Unauthorized, 401, "authentication_error"),
        (Fault::Forbidden, 403, "permission_error"),
        (
            Fault::BadRequest { message: None },
            400,
            "invalid_request_error",
        ),
        (Fault::ModelNotFound, 404, "not_found_error"),
        (Fault::SpendLimit, 429, "rate_limit_error"),
    ];
    for (fault, _, _) in &cases {
        server.inject(fault.clone(), 1);
    }
    for (fault, status, kind) in &cases {
        let answer = post(server.address(), &body).await;
        assert_eq!(
            (
                answer.status,
                answer.json()["error"]["type"].as_str().unwrap()
            ),
            (*status, *kind),
            "{fault:?}"
        );
        assert_eq!(
            answer.headers.get("retry-after").map(String::as_str),
            matches!(fault, Fault::RateLimit { .. }).then_some("7")
        );
        let code = &answer.json()["error"]["details"]["error_code"];
        assert_eq!(
            code == "enforced_spend_limit_reached",
            *fault == Fault::SpendLimit
        );
    }
    assert_eq!(
        post(server.address(), &body).await.status,
        200,
        "the injected faults are used up"
    );
    let ledger = server.ledger();
    assert_eq!(ledger.totals().requests, 1, "errors are not billed");
    assert_eq!(
        ledger
            .rows
            .iter()
            .filter(|r| r.delivered == Delivered::Error)
            .count(),
        cases.len()
    );
}

#[tokio::test]
async fn streams_break_where_they_are_told_to() {
    let server = ModelServer::start().await.unwrap();
    server.default_script(
        "long",
        Script::new().turn(Turn::text("x".repeat(24 * 5)).usage(Usage::of(100, 100))),
    );
    // message_start, ping, block start, five deltas, block stop, message_delta, message_stop
    let cases = [
        (Fault::CutAtStart, 0, End::Cut, 0),
        (Fault::CutAfterHeaders, 200, End::Cut, 0),
        (Fault::CutMid { after_events: 5 }, 200, End::Cut, 5),
        (Fault::CutBeforeStop, 200, End::Cut, 10),
        (Fault::EndEarly { after_events: 4 }, 200, End::Whole, 4),
        (Fault::CutMid { after_events: 99 }, 200, End::Cut, 10),
    ];
    let body = request(json!([user("hi")]));
    for (fault, status, end, events) in cases {
        server.inject(fault.clone(), 1);
        let answer = post(server.address(), &body).await;
        assert_eq!(
            (answer.status, answer.end, answer.events().len()),
            (status, end, events),
            "{fault:?}"
        );
        let record = server.requests().pop().unwrap();
        assert_eq!(record.outcome, Outcome::Cut { events }, "{fault:?}");
        assert!(
            record.billed.unwrap()["input_tokens"] == 100,
            "a cut answer is still billed for its input"
        );
    }
    server.inject(Fault::ErrorMid { after_events: 4 }, 1);
    let answer = post(server.address(), &body).await;
    assert_eq!((answer.status, answer.end), (200, End::Whole));
    assert_eq!(
        answer.events().last().unwrap()["error"]["type"],
        "overloaded_error"
    );
    server.inject(Fault::GarbageMid { after_events: 4 }, 1);
    let answer = post(server.address(), &body).await;
    assert!(answer.body.contains("oops") && answer.events().len() == 4);
}

#[tokio::test]
async fn silence_lasts_until_the_client_leaves() {
    let server = ModelServer::start().await.unwrap();
    server.inject(Fault::SilenceMid { after_events: 3 }, 1);
    let body = request(json!([user("hi")]));
    let mut call = Call::send(server.address(), "POST /v1/messages", &HEADERS, &body)
        .await
        .unwrap();
    call.read_until("content_block_start").await;
    assert_eq!(server.requests()[0].outcome, Outcome::Pending);
    drop(call);
    server
        .wait_for(DEADLINE, |seen| {
            seen[0].outcome == Outcome::Cut { events: 3 }
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn scripted_faults_are_counted_for_each_conversation() {
    let rule = |fault: Fault, times, scope| FaultRule {
        fault,
        times,
        scope,
    };
    let mut turn = Turn::text("fine");
    turn.faults = vec![
        rule(Fault::Overloaded, 2, FaultScope::Conversation),
        rule(
            Fault::RateLimit {
                retry_after_s: None,
            },
            1,
            FaultScope::Global,
        ),
    ];
    let server = ModelServer::start().await.unwrap();
    server.script("shaky", Script::new().turn(turn));
    let mut statuses = Vec::new();
    for run in ["one [[script:shaky]]", "two [[script:shaky]]"] {
        for _ in 0..4 {
            statuses.push(
                post(server.address(), &request(json!([user(run)])))
                    .await
                    .status,
            );
        }
    }
    assert_eq!(statuses, [529, 529, 429, 200, 529, 529, 200, 200]);
    let attempts: Vec<u32> = server
        .requests_of("shaky")
        .iter()
        .map(|r| r.attempt)
        .collect();
    assert_eq!(attempts, [0, 1, 2, 3, 0, 1, 2, 3]);
}

#[tokio::test]
async fn the_server_can_leave_the_network_and_come_back() {
    let server = ModelServer::start().await.unwrap();
    server.default_script(
        "slow",
        Script::new().after(Turn::text("back again").fault(Fault::Silence, 1)),
    );
    let body = request(json!([user("hi")]));
    let mut call = Call::send(server.address(), "POST /v1/messages", &HEADERS, &body)
        .await
        .unwrap();
    call.read_until("200 OK").await;
    server.go_offline();
    assert_eq!(call.finish().await.end, End::Cut);
    assert!(
        Call::send(server.address(), "HEAD /", &[], &Value::Null)
            .await
            .is_err(),
        "connections are refused"
    );
    server.go_online();
    let back = tokio::time::timeout(DEADLINE, async {
        loop {
            match Call::send(server.address(), "POST /v1/messages", &HEADERS, &body).await {
                Ok(call) => return call.finish().await,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    assert!(back.await.unwrap().body.contains("back again"));
}

#[tokio::test]
async fn requests_must_be_well_formed() {
    let server = ModelServer::start().await.unwrap();
    let good = request(json!([user("hi")]));
    let without = |field: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        body
    };
    assert!(
        post(server.address(), &without("max_tokens")).await.json()["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("max_tokens")
    );
    let mut warm = good.clone();
    warm["temperature"] = json!(1.0);
    assert_eq!(post(server.address(), &warm).await.status, 400);
    let old = [("anthropic-version", "2023-06-01")];
    assert_eq!(
        Call::send(server.address(), "POST /v1/messages", &old, &warm)
            .await
            .unwrap()
            .finish()
            .await
            .status,
        200
    );
    assert_eq!(
        Call::send(server.address(), "POST /v1/messages", &[], &good)
            .await
            .unwrap()
            .finish()
            .await
            .status,
        400
    );
    let mut unknown = good.clone();
    unknown["model"] = json!("gpt-6-sol");
    assert_eq!(post(server.address(), &unknown).await.status, 404);

    server.set_valid_key(Some("another-test-key"));
    assert_eq!(
        post(server.address(), &good).await.json()["error"]["type"],
        "authentication_error"
    );
    server.set_valid_key(Some("test-key-not-real"));
    assert_eq!(post(server.address(), &good).await.status, 200);
}
