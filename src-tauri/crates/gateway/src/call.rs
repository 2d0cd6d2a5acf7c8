//! One request, from the leave to send it to the first of its answer.

use std::sync::Arc;

use agents::TurnError;
use agents::metering::{self, Api, Asked, Tap};
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use domain::OpErrorKind;

use crate::account::{Account, Failure, Leave, Next, Refused};
use crate::answer::{Flight, passed_on};
use crate::headers;
use crate::refusal;
use crate::route::{Way, target};

/// The most that is read of an answer that is an error.
const ERROR_LIMIT: usize = 1024 * 1024;

/// What came back that is no answer.
enum Trouble {
    /// An error by its status, read whole.
    Error {
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
        error: TurnError,
    },
    Nothing(TurnError),
}

/// Makes the call as often as its account says, and passes on what comes of it.
pub(crate) async fn make(
    account: Arc<dyn Account>,
    way: Way,
    head: Parts,
    body: Bytes,
) -> Response {
    let api = match way {
        Way::Metered(api) => Some(api),
        _ => None,
    };
    let asked = match api {
        None => None,
        Some(api) => match Asked::read(api, &body) {
            Some(asked) => Some(asked),
            None => return refusal::bad("Longhaul: the request names no model, or is no JSON"),
        },
    };
    loop {
        let over = account.over();
        let leave = tokio::select! {
            () = over.cancelled() => return refusal::of(&Refused::Over),
            leave = account.admit(asked.as_ref()) => leave,
        };
        let leave = match leave {
            Ok(leave) => leave,
            Err(refused) => return refusal::of(&refused),
        };
        match once(&account, leave, asked.as_ref(), &head, &body).await {
            Some(response) => return response,
            None => continue,
        }
    }
}

/// Sends it once. None: again.
async fn once(
    account: &Arc<dyn Account>,
    leave: Leave,
    asked: Option<&Asked>,
    head: &Parts,
    body: &Bytes,
) -> Option<Response> {
    let Leave {
        call,
        key,
        permit,
        recorded,
    } = leave;
    let mut flight = Flight::new(account.clone(), call, permit);
    let upstream = account.upstream();
    let Some(onwards) = headers::onwards(&head.headers, upstream.speaks, key.as_ref()) else {
        let words = "the API key has characters that no key has: was it copied whole?";
        let error = TurnError::refused(OpErrorKind::Auth, words.to_owned());
        return after(flight, Trouble::Nothing(error)).await;
    };
    let request = upstream
        .client
        .request(
            head.method.clone(),
            target(
                upstream.speaks,
                &upstream.base,
                head.uri.path(),
                head.uri.query(),
            ),
        )
        .headers(onwards)
        .body(body.clone());
    let endpoint = metering::name_of(&upstream.base);
    let sent = tokio::time::timeout(account.silence(), request.send());
    let (sent, recorded) = tokio::select! {
        biased;
        () = account.over().cancelled() => {
            flight.close();
            return Some(refusal::of(&Refused::Over));
        }
        both = async { tokio::join!(sent, recorded) } => both,
    };
    if let Err(refused) = recorded {
        // What is not on record is not used.
        flight.close();
        return Some(refusal::of(&refused));
    }
    let response = match sent {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            let error = metering::unanswered(&endpoint, &error);
            return after(flight, Trouble::Nothing(error)).await;
        }
        Err(_) => {
            let seconds = account.silence().as_secs();
            let words = format!("{endpoint} said nothing for {seconds} s");
            return after(
                flight,
                Trouble::Nothing(TurnError::refused(OpErrorKind::Silent, words)),
            )
            .await;
        }
    };
    if response.status().is_success() {
        let tap = asked.map(|asked| Tap::new(asked, response.headers()));
        flight.answering(response.status().as_u16(), tap);
        return Some(passed_on(response, flight));
    }
    let trouble = read(response, asked, &endpoint).await;
    after(flight, trouble).await
}

async fn read(response: reqwest::Response, asked: Option<&Asked>, endpoint: &str) -> Trouble {
    let status = response.status();
    let headers = response.headers().clone();
    let body = bounded(response).await;
    let free = Asked {
        api: Api::Messages,
        model: String::new(),
        max_tokens: None,
        bytes: 0,
    };
    let error = metering::refusal(asked.unwrap_or(&free), endpoint, status, &headers, &body);
    if status.is_redirection() {
        // The agent would follow it past the gateway.
        return Trouble::Nothing(error);
    }
    Trouble::Error {
        status,
        headers,
        body,
        error,
    }
}

/// Books what came to nothing, and either passes it on or says that it is sent again.
async fn after(mut flight: Flight, trouble: Trouble) -> Option<Response> {
    let (status, error, response) = match trouble {
        Trouble::Error {
            status,
            headers,
            body,
            error,
        } => (Some(status), error, same(status, &headers, body)),
        Trouble::Nothing(error) => {
            let response = in_our_words(&error);
            (None, error, response)
        }
    };
    let status = status.map(|status| status.as_u16());
    let failure = Failure { status, error };
    match flight.failed(failure).await {
        Next::Again => None,
        Next::PassOn => Some(response),
    }
}

fn in_our_words(error: &TurnError) -> Response {
    let words = format!("Longhaul: {}", error.message);
    match error.kind {
        OpErrorKind::Silent => refusal::no_answer(StatusCode::GATEWAY_TIMEOUT, &words),
        OpErrorKind::BadRequest | OpErrorKind::Auth => refusal::bad(&words),
        _ => refusal::no_answer(StatusCode::BAD_GATEWAY, &words),
    }
}

/// The server's own answer.
fn same(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Response {
    let mut response = (status, Body::from(body)).into_response();
    *response.headers_mut() = headers::without_connection(headers);
    response
        .headers_mut()
        .remove(axum::http::header::CONTENT_LENGTH);
    response
}

async fn bounded(mut response: reqwest::Response) -> Bytes {
    let mut body = BytesMut::new();
    while let Ok(Some(bytes)) = response.chunk().await {
        let room = ERROR_LIMIT.saturating_sub(body.len());
        body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if body.len() >= ERROR_LIMIT {
            break;
        }
    }
    body.freeze()
}
