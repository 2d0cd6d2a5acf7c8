//! Sending an answer, or what is left of it after a fault.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc;

use super::{
    chat::Api,
    fault::Fault,
    gate::{Barrier, HoldPoint},
    record::{Outcome, partial_bill},
    script::Usage,
    state::Shared,
    wire::bill,
};

/// Follows one request to its end, whichever way it ends: a handler or body dropped
/// because the client left closes the record too.
pub(crate) struct Recording {
    pub(crate) shared: Arc<Shared>,
    pub(crate) seq: usize,
    progress: Option<Progress>,
    open: bool,
}

struct Progress {
    usage: Usage,
    sent: usize,
    total: usize,
}

impl Recording {
    pub(crate) fn new(shared: Arc<Shared>, seq: usize) -> Self {
        Self {
            shared,
            seq,
            progress: None,
            open: true,
        }
    }

    /// From here on the call is billed.
    pub(crate) fn generating(&mut self, usage: &Usage, total: usize) {
        self.progress = Some(Progress {
            usage: usage.clone(),
            sent: 0,
            total,
        });
    }

    fn sent(&mut self, events: usize) {
        if let Some(progress) = &mut self.progress {
            progress.sent = events;
        }
    }

    pub(crate) fn close(mut self, outcome: Outcome) {
        self.settle(outcome);
    }

    fn settle(&mut self, outcome: Outcome) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let bills = self
            .progress
            .take()
            .map(|p| (partial_bill(&p.usage, p.sent, p.total), bill(&p.usage)));
        self.shared.finish(self.seq, outcome, bills);
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let events = self.progress.as_ref().map_or(0, |p| p.sent);
        self.settle(Outcome::Cut { events });
    }
}

enum Piece {
    Data(Bytes),
    /// Drop the connection.
    Cut,
}

/// A response body fed through a channel.
struct Feed {
    from: mpsc::Receiver<Piece>,
    cutting: bool,
}

impl Stream for Feed {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.cutting {
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())));
        }
        match self.from.poll_recv(cx) {
            Poll::Ready(Some(Piece::Data(bytes))) => Poll::Ready(Some(Ok(bytes))),
            Poll::Ready(Some(Piece::Cut)) => {
                // One pending poll makes the server flush what came before the cut.
                self.cutting = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn feed() -> (mpsc::Sender<Piece>, Body) {
    let (to, from) = mpsc::channel(1);
    (
        to,
        Body::from_stream(Feed {
            from,
            cutting: false,
        }),
    )
}

/// How a stream stops before its end.
enum Stop {
    Cut,
    End,
    Silence,
    Say(String),
}

fn stop_of(fault: &Fault, api: Api, total: usize) -> Option<(usize, Stop)> {
    let before_stop = total.saturating_sub(api.last_events());
    let (at, stop) = match fault {
        Fault::CutAfterHeaders | Fault::CutAtStart => (0, Stop::Cut),
        Fault::CutMid { after_events } => (*after_events, Stop::Cut),
        Fault::CutBeforeStop => (before_stop, Stop::Cut),
        Fault::EndEarly { after_events } => (*after_events, Stop::End),
        Fault::ErrorMid { after_events } => (*after_events, Stop::Say(api.error_event())),
        Fault::GarbageMid { after_events } => (
            *after_events,
            Stop::Say("event: content_block_delta\ndata: {\"type\": oops\n\n".to_owned()),
        ),
        Fault::Silence => (0, Stop::Silence),
        Fault::SilenceMid { after_events } => (*after_events, Stop::Silence),
        _ => return None,
    };
    Some((at.min(before_stop), stop))
}

/// What is done to an answer on its way.
pub(crate) struct Treatment {
    pub(crate) api: Api,
    pub(crate) fault: Option<Fault>,
    pub(crate) delay: Duration,
    pub(crate) barriers: Vec<Barrier>,
}

impl Treatment {
    fn delay(&self) -> Duration {
        match self.fault {
            Some(Fault::Slow { chunk_delay_ms }) => Duration::from_millis(chunk_delay_ms),
            _ => self.delay,
        }
    }
}

/// Answers with an event stream: these events, as they stand on the wire.
pub(crate) fn stream(
    events: Vec<String>,
    usage: &Usage,
    treatment: Treatment,
    mut recording: Recording,
) -> Response {
    recording.generating(usage, events.len());
    let (to, body) = feed();
    tokio::spawn(send(events, treatment, recording, to));
    let mut response = body.into_response();
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    response
}

async fn send(
    events: Vec<String>,
    treatment: Treatment,
    mut recording: Recording,
    to: mpsc::Sender<Piece>,
) {
    let total = events.len();
    let stop = treatment
        .fault
        .as_ref()
        .and_then(|fault| stop_of(fault, treatment.api, total));
    for (i, event) in events.into_iter().enumerate() {
        for barrier in treatment
            .barriers
            .iter()
            .filter(|b| stands_at(b.point, i, total))
        {
            tokio::select! {
                () = barrier.pass() => {}
                () = to.closed() => return,
            }
        }
        if let Some((_, stop)) = stop.as_ref().filter(|(at, _)| *at == i) {
            return end_early(stop, i, recording, to).await;
        }
        if !treatment.delay().is_zero() {
            tokio::time::sleep(treatment.delay()).await;
        }
        if to.send(Piece::Data(event.into())).await.is_err() {
            return;
        }
        recording.sent(i + 1);
    }
    // A free place means that the last event left the queue.
    if to.reserve().await.is_ok() {
        recording.close(Outcome::Full);
    }
}

fn stands_at(point: HoldPoint, i: usize, total: usize) -> bool {
    match point {
        HoldPoint::BeforeAnswer => false,
        HoldPoint::AfterEvents(n) => i == n.min(total - 1),
        HoldPoint::BeforeStop => i + 1 == total,
    }
}

async fn end_early(stop: &Stop, events: usize, recording: Recording, to: mpsc::Sender<Piece>) {
    if matches!(stop, Stop::Silence) {
        to.closed().await;
    }
    // Recorded first: a test that sees the end must find it in the record.
    recording.close(Outcome::Cut { events });
    match stop {
        Stop::Cut => drop(to.send(Piece::Cut).await),
        Stop::Say(text) => drop(to.send(Piece::Data(text.clone().into())).await),
        Stop::End | Stop::Silence => {}
    }
}

/// Answers with one JSON document. Faults in mid-stream cut the connection here.
pub(crate) async fn whole(
    text: String,
    usage: &Usage,
    treatment: Treatment,
    mut recording: Recording,
) -> Response {
    recording.generating(usage, 1);
    let (to, body) = feed();
    let stop = treatment.fault.as_ref();
    match stop.and_then(|fault| stop_of(fault, treatment.api, 1)) {
        Some((_, stop)) => {
            let stop = if matches!(stop, Stop::Silence) {
                Stop::Silence
            } else {
                Stop::Cut
            };
            tokio::spawn(async move { end_early(&stop, 0, recording, to).await });
        }
        None => {
            tokio::time::sleep(treatment.delay()).await;
            tokio::spawn(async move {
                if to.send(Piece::Data(text.into())).await.is_ok() && to.reserve().await.is_ok() {
                    recording.sent(1);
                    recording.close(Outcome::Full);
                }
            });
        }
    }
    let mut response = body.into_response();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
