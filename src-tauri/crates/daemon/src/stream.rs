//! The event stream: durable events by cursor, streaming text beside them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::{BlobRef, Clock, Event};
use protocol::ApiError;
use protocol::events::{DELTA, Delta, DeltaKind, EventFrame, HELLO, Hello, LogEntry};
use serde::Deserialize;
use store::{Store, Stored};
use tokio::sync::{broadcast, mpsc};

use crate::api::Api;
use crate::server::failure;

/// How often an idle stream says that it lives; a client takes 45 s of silence for a
/// dead connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Longest text shown with an event, in bytes; the rest is in the operation's own view.
const TEXT: usize = 4 << 10;

/// Events whose texts are read together: few enough to be held whole.
const TOGETHER: usize = 64;

/// Events read at a time.
const PAGE: u32 = 500;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    after: Option<String>,
    run: Option<String>,
}

pub(crate) async fn events(State(api): State<Api>, Query(wanted): Query<Wanted>) -> Response {
    match open(api, wanted).await {
        Ok(response) => response,
        Err(error) => failure(error),
    }
}

async fn open(api: Api, wanted: Wanted) -> Result<Response, ApiError> {
    let working = api.working()?;
    let store = working.store.clone();
    let run = match &wanted.run {
        Some(text) => Some(api.run_id(text).await?),
        None => None,
    };
    let from = match wanted.after.as_deref() {
        None | Some("") => store.last_gseq(),
        Some(cursor) => match store.position(cursor) {
            Some(position) => position,
            None => {
                let error =
                    ApiError::not_found("this cursor is not known here", "read everything again");
                let mut response = failure(error);
                *response.status_mut() = StatusCode::GONE;
                return Ok(response);
            }
        },
    };
    let (sender, receiver) = mpsc::channel::<Result<Bytes, Infallible>>(64);
    let source = Source {
        deltas: working.engine.deltas(),
        clock: api.inner.clock.clone(),
        speaking: HashMap::new(),
        store,
        run,
        from,
        sender,
    };
    let closing = api.inner.closing.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = source.pump() => {}
            () = closing.cancelled() => {}
        }
    });
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut response = Body::from_stream(stream).into_response();
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

struct Source {
    store: Store,
    run: Option<domain::RunId>,
    from: u64,
    deltas: broadcast::Receiver<engine::RunDelta>,
    clock: Arc<dyn Clock>,
    /// The model call each run speaks in, until something of the run is recorded.
    speaking: HashMap<domain::RunId, u32>,
    sender: mpsc::Sender<Result<Bytes, Infallible>>,
}

impl Source {
    /// Ends when the client is gone or the store is closed.
    async fn pump(mut self) -> Option<()> {
        let mut grown = self.store.subscribe();
        let hello = Hello {
            cursor: self.store.cursor(self.from),
        };
        self.send(Some(HELLO), None, &hello).await?;
        loop {
            grown.borrow_and_update();
            self.catch_up().await?;
            tokio::select! {
                changed = grown.changed() => changed.ok()?,
                delta = self.deltas.recv() => self.delta(delta).await?,
                () = self.sender.closed() => return None,
                () = tokio::time::sleep(KEEP_ALIVE) => self.line(":\n\n".to_owned()).await?,
            }
        }
    }

    async fn catch_up(&mut self) -> Option<()> {
        loop {
            let last = self.store.last_gseq();
            let page = self
                .store
                .events_after(self.from, PAGE, self.run)
                .await
                .ok()?;
            let read = page.len();
            let places: Vec<_> = page
                .iter()
                .map(|stored| (stored.gseq, stored.run))
                .collect();
            let entries = entries_of(&self.store, page).await;
            for ((gseq, run), entry) in places.into_iter().zip(entries) {
                let cursor = self.store.cursor(gseq);
                let frame = EventFrame {
                    cursor: cursor.clone(),
                    run,
                    entry,
                };
                self.send(None, Some(&cursor), &frame).await?;
                self.from = gseq;
                self.speaking.remove(&run);
            }
            if read < PAGE as usize {
                if self.run.is_some() {
                    self.from = self.from.max(last);
                }
                return Some(());
            }
        }
    }

    /// Streaming text is only for looking at: what a slow client missed is in the journal soon.
    async fn delta(
        &mut self,
        delta: Result<engine::RunDelta, broadcast::error::RecvError>,
    ) -> Option<()> {
        let Ok(delta) = delta else { return Some(()) };
        if self.run.is_some_and(|run| run != delta.run) {
            return Some(());
        }
        let (kind, text) = match delta.delta {
            agents::Delta::Text(text) => (DeltaKind::Text, text),
            agents::Delta::Thinking(text) => (DeltaKind::Thinking, text),
            _ => return Some(()),
        };
        let op = match self.speaking.get(&delta.run) {
            Some(op) => *op,
            None => {
                let run = self.store.load(delta.run).await.ok()??;
                let mut asked = run.open_ops.values();
                let op = asked.find(|op| op.kind == domain::OpKind::Model);
                let op = op.map_or(0, |op| op.id.0);
                self.speaking.insert(delta.run, op);
                op
            }
        };
        self.send(
            Some(DELTA),
            None,
            &Delta {
                run: delta.run,
                op,
                kind,
                at: self.clock.now().into(),
                text,
            },
        )
        .await
    }

    async fn send<T: serde::Serialize>(
        &self,
        name: Option<&str>,
        id: Option<&str>,
        data: &T,
    ) -> Option<()> {
        let data = serde_json::to_string(data).ok()?;
        let name = name
            .map(|name| format!("event: {name}\n"))
            .unwrap_or_default();
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        self.line(format!("{name}{id}data: {data}\n\n")).await
    }

    async fn line(&self, text: String) -> Option<()> {
        self.sender.send(Ok(Bytes::from(text))).await.ok()
    }
}

/// An event as logs and streams show it, with the text of what was said.
pub(crate) async fn entry_of(store: &Store, stored: &Stored) -> LogEntry {
    let texts = texts_of(store, std::slice::from_ref(stored)).await;
    shown(stored.clone(), &texts)
}

/// Several, in few round trips to the store.
pub(crate) async fn entries_of(store: &Store, stored: Vec<Stored>) -> Vec<LogEntry> {
    let mut entries = Vec::with_capacity(stored.len());
    let mut stored = stored.into_iter();
    loop {
        let some: Vec<Stored> = stored.by_ref().take(TOGETHER).collect();
        if some.is_empty() {
            return entries;
        }
        let texts = texts_of(store, &some).await;
        entries.extend(some.into_iter().map(|stored| shown(stored, &texts)));
    }
}

/// What an event refers to and a person may read.
fn said(event: &Event) -> Option<&BlobRef> {
    match event {
        Event::MessageAdded { text, .. } | Event::Briefed { text } => Some(text),
        Event::OpFinished { result, .. } | Event::Completed { result } => Some(result),
        Event::Failed { partial, .. } => partial.as_ref(),
        Event::RunCreated { task, .. } => Some(&task.prompt),
        _ => None,
    }
}

async fn texts_of(store: &Store, stored: &[Stored]) -> HashMap<BlobRef, Bytes> {
    let said = stored.iter().filter_map(|stored| said(&stored.entry.event));
    let names: Vec<BlobRef> = said.cloned().collect();
    if names.is_empty() {
        return HashMap::new();
    }
    if let Ok(contents) = store.blobs(&names).await {
        return names.into_iter().zip(contents).collect();
    }
    // One of them is missing or damaged: the others are still to be read.
    let mut texts = HashMap::new();
    for name in names {
        if let Ok(content) = store.blob(&name).await {
            texts.insert(name, content);
        }
    }
    texts
}

fn shown(stored: Stored, texts: &HashMap<BlobRef, Bytes>) -> LogEntry {
    let text = said(&stored.entry.event).and_then(|name| texts.get(name));
    let text = text.map(|bytes| crate::views::beginning(crate::views::readable(bytes), TEXT));
    let (text, cut) = match text {
        Some((text, cut)) => (Some(text), cut),
        None => (None, false),
    };
    LogEntry {
        seq: stored.entry.seq,
        at: stored.entry.at.into(),
        text,
        cut,
        event: stored.entry.event,
    }
}
