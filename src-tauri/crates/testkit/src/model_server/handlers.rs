//! The endpoints.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    fault::{ApiError, Fault},
    gate::HoldPoint,
    listener::Scissors,
    record::{Outcome, RequestKind, RequestRecord},
    reply::{self, Recording, Treatment},
    script::{Script, Turn, Usage},
    state::Shared,
    validate,
    view::RequestView,
    wire::{Answer, fresh},
};

/// The API's limit on a request, bytes.
const MAX_REQUEST: usize = 32 << 20;

/// Headers that are recorded. Credentials are not among them.
const RECORDED_HEADERS: [&str; 7] = [
    "anthropic-version",
    "anthropic-beta",
    "user-agent",
    "x-stainless-retry-count",
    "content-type",
    "accept",
    "x-app",
];

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(health))
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .route("/v1/models", get(models))
        .route("/v1/models/{id}", get(model))
        .fallback(unknown)
        .layer(DefaultBodyLimit::disable())
        .with_state(shared)
}

/// A request before anything was made of it.
struct Arrival {
    recording: Recording,
    request_id: String,
    key: Option<String>,
}

fn arrive(
    shared: &Arc<Shared>,
    kind: RequestKind,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Value,
) -> Arrival {
    let request_id = fresh("req");
    let key = key_of(headers);
    let at_ms = shared.elapsed_ms();
    let mut inner = shared.lock();
    let seq = inner.records.len();
    let record = RequestRecord {
        seq,
        request_id: request_id.clone(),
        at_ms,
        method: method.to_string(),
        path: uri
            .path_and_query()
            .map_or_else(|| uri.path().to_owned(), ToString::to_string),
        kind,
        script: String::new(),
        turn: 0,
        attempt: 0,
        conversation: String::new(),
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        key: inner.label(key.as_deref()),
        headers: RECORDED_HEADERS
            .iter()
            .filter_map(|name| {
                Some((
                    (*name).to_owned(),
                    headers.get(*name)?.to_str().ok()?.to_owned(),
                ))
            })
            .collect(),
        body,
        outcome: Outcome::Pending,
        billed: None,
        worst_case: None,
    };
    inner.records.push(record);
    drop(inner);
    shared.revision.send_modify(|n| *n += 1);
    Arrival {
        recording: Recording::new(shared.clone(), seq),
        request_id,
        key,
    }
}

/// The API prefers `x-api-key` where both are sent.
fn key_of(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    text("x-api-key")
        .or_else(|| text("authorization")?.strip_prefix("Bearer "))
        .map(str::to_owned)
}

impl Arrival {
    fn fail(self, error: ApiError) -> Response {
        let status =
            StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(error.body(&self.request_id))).into_response();
        if let Some(seconds) = error.retry_after_s {
            response
                .headers_mut()
                .insert("retry-after", HeaderValue::from(seconds));
        }
        let response = with_id(response, &self.request_id);
        self.recording.close(Outcome::Error {
            status: error.status,
            message: error.message,
        });
        response
    }

    fn done(self, body: Value) -> Response {
        let response = with_id(Json(body).into_response(), &self.request_id);
        self.recording.close(Outcome::Full);
        response
    }

    fn check_key(&self, shared: &Shared) -> Result<(), ApiError> {
        match (&shared.lock().valid_key, &self.key) {
            (Some(_), None) => Err(ApiError::new(
                401,
                "authentication_error",
                "x-api-key header is required",
            )),
            (Some(valid), Some(key)) if valid != key => Err(ApiError::new(
                401,
                "authentication_error",
                "invalid x-api-key",
            )),
            _ => Ok(()),
        }
    }
}

fn with_id(mut response: Response, request_id: &str) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        "request-id",
        HeaderValue::from_str(request_id).expect("ids are hex"),
    );
    headers.insert(
        "anthropic-organization-id",
        HeaderValue::from_static("00000000-0000-4000-8000-000000000000"),
    );
    response
}

/// The limits the API reports with every answer; far away and never reached.
fn with_limits(mut response: Response) -> Response {
    for gauge in ["requests", "tokens", "input-tokens", "output-tokens"] {
        for (part, value) in [
            ("limit", "4000000"),
            ("remaining", "3999999"),
            ("reset", "2099-01-01T00:00:00Z"),
        ] {
            let name = HeaderName::try_from(format!("anthropic-ratelimit-{gauge}-{part}"))
                .expect("a legal header name");
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

fn parse(body: &Bytes) -> Result<Value, ApiError> {
    if body.len() > MAX_REQUEST {
        return Err(ApiError::new(
            413,
            "request_too_large",
            "Request exceeds the maximum size",
        ));
    }
    let value: Value = serde_json::from_slice(body)
        .map_err(|e| ApiError::invalid(format!("The request body is not valid JSON: {e}")))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(ApiError::invalid("The request body must be an object"))
    }
}

async fn messages(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let parsed = parse(&bytes);
    let body = parsed.as_ref().ok().cloned().unwrap_or_default();
    let arrival = arrive(&shared, RequestKind::Turn, &method, &uri, &headers, body);
    let mut paused = shared.paused.subscribe();
    // The server owns the sender, so waiting can only end with the pause.
    let _ = paused.wait_for(|paused| !*paused).await;
    let checked = parsed.and_then(|body| {
        arrival.check_key(&shared)?;
        let version = headers
            .get("anthropic-version")
            .and_then(|v| v.to_str().ok());
        let inner = shared.lock();
        validate::check(version, &body, &inner.sent)?;
        let model = body["model"].as_str().unwrap_or_default();
        if inner.knows(model) {
            Ok(body)
        } else {
            Err(ApiError::new(
                404,
                "not_found_error",
                format!("model: {model}"),
            ))
        }
    });
    match checked {
        Ok(body) => answer(&shared, body, arrival, scissors).await,
        Err(error) => arrival.fail(error),
    }
}

async fn answer(
    shared: &Arc<Shared>,
    body: Value,
    arrival: Arrival,
    scissors: Scissors,
) -> Response {
    let (view, script) = {
        let mut inner = shared.lock();
        let mut view = RequestView::new(body, inner.default_script.as_deref());
        let script = inner.scripts.get(&view.script).cloned();
        let side = view.is_side_request();
        if !side {
            view.attempt = inner.count_attempt(&view);
        }
        (view, if side { None } else { Some(script) })
    };
    // Outside the lock: the turn may be computed by a test.
    let turn = script
        .as_ref()
        .map(|script| turn_of(script.as_ref(), &view));
    // An agent's title request may quote a marked prompt; without tools it cannot mean a turn that calls one.
    let turn = turn.filter(|turn| !(turn.calls_tools() && view.tools().is_empty()));
    note(shared, &arrival, &view, turn.is_some());
    let Some(turn) = turn else {
        return side_answer(&view, arrival).await;
    };
    hold(shared, &view).await;
    let fault = {
        let mut inner = shared.lock();
        inner
            .take_injected()
            .or_else(|| inner.take_scripted(&view, &turn))
    };
    if let Some(error) = fault
        .as_ref()
        .and_then(|fault| fault.as_error(view.model()))
    {
        return arrival.fail(error);
    }
    match fault {
        Some(Fault::BadGateway) => bad_gateway(arrival),
        Some(Fault::CutAtStart) => {
            scissors.cut();
            arrival.recording.close(Outcome::Cut { events: 0 });
            StatusCode::BAD_GATEWAY.into_response()
        }
        fault => deliver(shared, &view, &turn, fault, arrival).await,
    }
}

fn turn_of(script: Option<&Script>, view: &RequestView) -> Turn {
    match script {
        Some(script) => script.at(view),
        None if view.script.is_empty() => Turn::text("Hello from the scripted model."),
        None => Turn::text(format!("There is no script named \"{}\".", view.script)),
    }
}

fn note(shared: &Shared, arrival: &Arrival, view: &RequestView, is_turn: bool) {
    shared.update(arrival.recording.seq, |record| {
        record.kind = if is_turn {
            RequestKind::Turn
        } else {
            RequestKind::Side
        };
        record.script.clone_from(&view.script);
        record.turn = view.turn;
        record.attempt = view.attempt;
        record.conversation.clone_from(&view.conversation);
    });
}

async fn hold(shared: &Shared, view: &RequestView) {
    let standing: Vec<_> = {
        let inner = shared.lock();
        let here = |b: &&super::gate::Barrier| {
            b.script == view.script && b.turn == view.turn && b.point == HoldPoint::BeforeAnswer
        };
        inner.barriers.iter().filter(here).cloned().collect()
    };
    for barrier in standing {
        barrier.pass().await;
    }
}

async fn deliver(
    shared: &Arc<Shared>,
    view: &RequestView,
    turn: &Turn,
    fault: Option<Fault>,
    arrival: Arrival,
) -> Response {
    let answer = Answer::new(
        turn,
        view.model(),
        view.body["max_tokens"].as_u64().unwrap_or(u64::MAX),
    );
    let barriers = {
        let mut inner = shared.lock();
        inner.sent.remember(&answer.content);
        inner
            .barriers
            .iter()
            .filter(|b| b.script == view.script && b.turn == view.turn)
            .cloned()
            .collect()
    };
    let treatment = Treatment {
        fault,
        delay: Duration::from_millis(turn.chunk_delay_ms),
        barriers,
    };
    send(&answer, treatment, view, arrival).await
}

async fn send(
    answer: &Answer,
    treatment: Treatment,
    view: &RequestView,
    arrival: Arrival,
) -> Response {
    let response = if view.body["stream"] == true {
        reply::stream(answer, treatment, arrival.recording)
    } else {
        reply::whole(answer, treatment, arrival.recording).await
    };
    with_limits(with_id(response, &arrival.request_id))
}

async fn side_answer(view: &RequestView, arrival: Arrival) -> Response {
    let turn = Turn::text("{\"title\": \"Scripted side answer\"}").usage(Usage::of(200, 10));
    let answer = Answer::new(&turn, view.model(), u64::MAX);
    send(
        &answer,
        Treatment {
            fault: None,
            delay: Duration::ZERO,
            barriers: Vec::new(),
        },
        view,
        arrival,
    )
    .await
}

fn bad_gateway(arrival: Arrival) -> Response {
    let html = "<html><head><title>502 Bad Gateway</title></head><body>scripted</body></html>";
    let response = (StatusCode::BAD_GATEWAY, [(CONTENT_TYPE, "text/html")], html).into_response();
    arrival.recording.close(Outcome::Error {
        status: 502,
        message: "bad gateway".to_owned(),
    });
    response
}

async fn count_tokens(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let parsed = parse(&bytes);
    let body = parsed.as_ref().ok().cloned().unwrap_or_default();
    let arrival = arrive(
        &shared,
        RequestKind::CountTokens,
        &method,
        &uri,
        &headers,
        body,
    );
    match parsed.and_then(|_| arrival.check_key(&shared)) {
        // Four bytes a token is the usual estimate for English.
        Ok(()) => arrival.done(json!({"input_tokens": bytes.len() / 4})),
        Err(error) => arrival.fail(error),
    }
}

async fn models(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let arrival = arrive(
        &shared,
        RequestKind::Other,
        &method,
        &uri,
        &headers,
        Value::Null,
    );
    if let Err(error) = arrival.check_key(&shared) {
        return arrival.fail(error);
    }
    let list: Vec<Value> = shared
        .lock()
        .models
        .iter()
        .map(|id| model_info(id))
        .collect();
    let ends = (
        list.first().map(|m| m["id"].clone()),
        list.last().map(|m| m["id"].clone()),
    );
    arrival.done(json!({"data": list, "has_more": false, "first_id": ends.0, "last_id": ends.1}))
}

async fn model(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let arrival = arrive(
        &shared,
        RequestKind::Other,
        &method,
        &uri,
        &headers,
        Value::Null,
    );
    if let Err(error) = arrival.check_key(&shared) {
        return arrival.fail(error);
    }
    if shared.lock().knows(&id) {
        arrival.done(model_info(&id))
    } else {
        arrival.fail(ApiError::new(
            404,
            "not_found_error",
            format!("model: {id}"),
        ))
    }
}

fn model_info(id: &str) -> Value {
    let (context, output) = if id.contains("4-5") {
        (200_000, 64_000)
    } else {
        (1_000_000, 128_000)
    };
    json!({
        "type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z",
        "max_input_tokens": context, "max_tokens": output, "lifecycle": "active",
    })
}

/// Claude Code asks `HEAD /` before anything else.
async fn health(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    arrive(
        &shared,
        RequestKind::Other,
        &method,
        &uri,
        &headers,
        Value::Null,
    )
    .done(json!({"server": "scripted model"}))
}

async fn unknown(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let arrival = arrive(
        &shared,
        RequestKind::Other,
        &method,
        &uri,
        &headers,
        Value::Null,
    );
    arrival.fail(ApiError::new(
        404,
        "not_found_error",
        format!("{} {} does not exist", method, uri.path()),
    ))
}
