//! What goes wrong, and what is made of it.

use testkit::model_server::{ALWAYS, Fault};

use super::*;
use crate::driver::Answered;

#[tokio::test]
async fn refusals_of_the_server_say_what_can_be_done() {
    let faults = [
        (
            Fault::RateLimit {
                retry_after_s: Some(9),
            },
            OpErrorKind::RateLimited,
            Some(9_000),
        ),
        (
            Fault::RateLimit {
                retry_after_s: None,
            },
            OpErrorKind::RateLimited,
            None,
        ),
        (Fault::SpendLimit, OpErrorKind::SpendLimit, None),
        (Fault::Overloaded, OpErrorKind::Overloaded, None),
        (Fault::ServerError, OpErrorKind::Server, None),
        (Fault::BadGateway, OpErrorKind::Server, None),
        (Fault::Unauthorized, OpErrorKind::Auth, None),
        (Fault::Forbidden, OpErrorKind::Auth, None),
        (
            Fault::BadRequest { message: None },
            OpErrorKind::BadRequest,
            None,
        ),
        (Fault::ModelNotFound, OpErrorKind::BadRequest, None),
        (Fault::CutAtStart, OpErrorKind::Cut, None),
        (Fault::CutAfterHeaders, OpErrorKind::Cut, None),
    ];
    for (fault, kind, wait) in faults {
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
async fn an_answer_cut_short_is_an_error_with_what_it_may_cost() {
    let faults = [
        (Fault::CutMid { after_events: 4 }, OpErrorKind::Cut),
        (Fault::CutBeforeStop, OpErrorKind::Cut),
        (Fault::EndEarly { after_events: 4 }, OpErrorKind::Cut),
        (Fault::GarbageMid { after_events: 4 }, OpErrorKind::Cut),
        (Fault::ErrorMid { after_events: 4 }, OpErrorKind::Overloaded),
    ];
    for (fault, kind) in faults {
        let said =
            Said::text("a sentence long enough for several pieces").usage(Billed::of(123, 40));
        let server = server(vec![said.fault(fault.clone(), ALWAYS)]).await;
        let error = ask(&server).await.expect_err("a fault");
        assert_eq!(
            (error.kind, error.answered),
            (kind, Answered::Begun),
            "{fault:?}: {error}"
        );
        let partial = error.partial.expect("usage so far");
        assert_eq!(partial.parts[0].tokens.input, 123, "{fault:?}");
        assert_eq!(partial.parts[0].model, "scripted-1");
        assert!(partial.request_id.is_some());
        let output = partial.parts[0].tokens.output;
        assert_eq!(
            output,
            if matches!(fault, Fault::CutBeforeStop) {
                40
            } else {
                1
            },
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn silence_ends_a_call_before_and_in_the_answer() {
    for (fault, answered) in [
        (Fault::Silence, Answered::No),
        (Fault::SilenceMid { after_events: 3 }, Answered::Begun),
    ] {
        let server = server(vec![Said::text("x").fault(fault.clone(), ALWAYS)]).await;
        let request = TurnRequest {
            silence_ms: 300,
            ..request(vec![user("go")])
        };
        let error = driver(&server.url())
            .turn(request, &Screen::default())
            .await
            .expect_err("silence");
        assert_eq!(
            (error.kind, error.answered),
            (OpErrorKind::Silent, answered),
            "{fault:?}: {error}"
        );
    }
}

#[tokio::test]
async fn a_cancelled_call_ends_at_once_wherever_it_is() {
    use testkit::model_server::HoldPoint;
    for point in [HoldPoint::BeforeAnswer, HoldPoint::AfterEvents(3)] {
        let server = server(vec![Said::text("x")]).await;
        let _gate = server.hold_at("s", 0, point);
        let request = request(vec![user("go")]);
        let cancel = request.cancel.clone();
        let (driver, screen) = (driver(&server.url()), Screen::default());
        let waiting = driver.turn(request, &screen);
        let stopping = async {
            server
                .wait_for_requests(1, Duration::from_secs(20))
                .await
                .expect("the request");
            cancel.cancel();
        };
        let (ended, ()) = tokio::join!(
            tokio::time::timeout(Duration::from_secs(20), waiting),
            stopping
        );
        let error = ended.expect("it ends").expect_err("it was cancelled");
        assert_eq!(error.kind, OpErrorKind::Cancelled, "{point:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_offline() {
    let server = server(vec![Said::text("x")]).await;
    server.go_offline();
    until_connecting(&server, |answered| !answered).await;
    let error = ask(&server).await.expect_err("offline");
    assert_eq!(
        (error.kind, error.answered),
        (OpErrorKind::Offline, Answered::No),
        "{error}"
    );
    server.go_online();
    until_connecting(&server, |answered| answered).await;
    assert_eq!(ask(&server).await.expect("back").text, "x");
}
