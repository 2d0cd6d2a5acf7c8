//! Answering a legal request by its script.

use std::{sync::Arc, time::Duration};

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;

use super::arrival::{Arrival, with_id, with_limits};
use crate::model_server::{
    chat::{self, Api},
    fault::Fault,
    gate::{Barrier, HoldPoint},
    listener::Scissors,
    record::{Outcome, RequestKind},
    reply::{self, Treatment},
    responses,
    script::{Script, Turn, Usage},
    state::Shared,
    view::RequestView,
    wire::{Answer, sse},
};

pub(super) async fn answer(
    shared: &Arc<Shared>,
    body: Value,
    mut arrival: Arrival,
    scissors: Scissors,
) -> Response {
    let (view, script) = {
        let mut inner = shared.lock();
        let body = match arrival.api {
            Api::Messages => body,
            Api::Chat => chat::as_messages(&body),
            Api::Responses => responses::as_messages(&body),
        };
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
            arrival.recording.generating(&turn.usage, 1);
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
        let here = |b: &&Barrier| {
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
        match arrival.api {
            Api::Messages => inner.sent.remember(&answer.content),
            // Nothing of what is thought goes back on this API.
            Api::Chat | Api::Responses => inner
                .sent
                .remember(&chat::without_thinking(&answer.content)),
        }
        inner
            .barriers
            .iter()
            .filter(|b| b.script == view.script && b.turn == view.turn)
            .cloned()
            .collect()
    };
    let treatment = Treatment {
        api: arrival.api,
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
    let streamed = view.body["stream"] == true;
    let usage = &answer.usage;
    let (api, id) = (arrival.api, arrival.request_id.clone());
    let response = match (streamed, api) {
        (true, Api::Messages) => {
            let events = answer.events().iter().map(sse).collect();
            reply::stream(events, usage, treatment, arrival.recording)
        }
        (true, Api::Chat) => {
            let events = chat::events(answer, &view.body);
            reply::stream(events, usage, treatment, arrival.recording)
        }
        // Whoever speaks it here has it streamed.
        (_, Api::Responses) => {
            let events = responses::events(answer);
            reply::stream(events, usage, treatment, arrival.recording)
        }
        (false, Api::Messages) => {
            let text = answer.message().to_string();
            reply::whole(text, usage, treatment, arrival.recording).await
        }
        (false, Api::Chat) => {
            let text = chat::whole(answer, &view.body).to_string();
            reply::whole(text, usage, treatment, arrival.recording).await
        }
    };
    with_limits(with_id(response, api, &id), api)
}

async fn side_answer(view: &RequestView, arrival: Arrival) -> Response {
    let turn = Turn::text("{\"title\": \"Scripted side answer\"}").usage(Usage::of(200, 10));
    let api = arrival.api;
    let answer = Answer::new(&turn, view.model(), u64::MAX);
    send(
        &answer,
        Treatment {
            api,
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
