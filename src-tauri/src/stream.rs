//! The window's event streams: documents as the daemon writes them, in batches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client::{Opened, RawItem, RawStream};
use domain::RunId;
use tauri::async_runtime::JoinHandle;
use tauri::ipc::{Channel, InvokeResponseBody};
use tokio::time::{Instant, timeout_at};

use crate::daemon_link::DaemonLink;

/// How long items are collected: one frame of a display, which shows no more anyway.
const FRAME: Duration = Duration::from_millis(16);

/// A batch is sent when it holds so many bytes, however short it took.
const FULL: usize = 256 << 10;

/// The streams that are open, by the number the window knows them by.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u32,
    pumps: HashMap<u32, JoinHandle<()>>,
}

impl Subscriptions {
    /// Opens a stream that ends with [`Self::close`] or with the page.
    pub(crate) fn open(&self, pump: impl Future<Output = ()> + Send + 'static) -> u32 {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.pumps.retain(|_, pump| !pump.inner().is_finished());
        open.last += 1;
        let number = open.last;
        open.pumps.insert(number, tauri::async_runtime::spawn(pump));
        number
    }

    /// Ends a stream. One that is over already is no error.
    pub(crate) fn close(&self, number: u32) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pump) = open.pumps.remove(&number) {
            pump.abort();
        }
    }

    /// Ends all: the page they were for is gone.
    pub(crate) fn close_all(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, pump) in open.pumps.drain() {
            pump.abort();
        }
    }
}

/// Hands the events after `after` to the page until the connection is over; the page
/// opens another one, from where it got to.
pub(crate) async fn pump(
    link: Arc<DaemonLink>,
    after: Option<String>,
    run: Option<RunId>,
    page: Channel<InvokeResponseBody>,
) {
    link.settled().await;
    let mut last = Batch::default();
    match link.client().raw_events(after.as_deref(), run).await {
        Ok(Opened::Stream(mut stream)) => {
            if pass_on(&mut stream, &page).await.is_err() {
                return;
            }
            last.push(END);
        }
        Ok(Opened::UnknownCursor) => {
            last.push(r#"{"type":"resync"}"#);
            last.push(END);
        }
        Err(error) => {
            let error = serde_json::json!({ "type": "end", "error": error.to_api() });
            last.push(&error.to_string());
        }
    }
    // A page that is gone does not mind.
    let _ = last.send(&page);
}

/// The stream's last item, where it ended in good order.
const END: &str = r#"{"type":"end"}"#;

/// The page is gone.
struct PageGone;

/// Until the connection is over.
async fn pass_on(
    stream: &mut RawStream,
    page: &Channel<InvokeResponseBody>,
) -> Result<(), PageGone> {
    while let Some(item) = stream.next().await {
        let mut batch = Batch::default();
        batch.take(item);
        let end = Instant::now() + FRAME;
        while batch.text.len() < FULL {
            match timeout_at(end, stream.next()).await {
                Ok(Some(item)) => batch.take(item),
                Ok(None) | Err(_) => break,
            }
        }
        batch.send(page)?;
    }
    Ok(())
}

/// A JSON array in the making.
#[derive(Debug, Default)]
struct Batch {
    text: String,
}

impl Batch {
    fn take(&mut self, item: RawItem) {
        match item {
            // `{"cursor":…}`
            RawItem::Hello(data) => {
                if let Some(fields) = data.trim_start().strip_prefix('{') {
                    self.push(&format!(r#"{{"type":"hello",{fields}"#));
                }
            }
            RawItem::Event { data, .. } => {
                self.push(&format!(r#"{{"type":"event","frame":{data}}}"#));
            }
            RawItem::Delta(data) => self.push(&format!(r#"{{"type":"delta","delta":{data}}}"#)),
            RawItem::Other => {}
        }
    }

    fn push(&mut self, document: &str) {
        self.text.push(if self.text.is_empty() { '[' } else { ',' });
        self.text.push_str(document);
    }

    fn send(mut self, page: &Channel<InvokeResponseBody>) -> Result<(), PageGone> {
        if self.text.is_empty() {
            return Ok(());
        }
        self.text.push(']');
        page.send(InvokeResponseBody::Json(self.text))
            .map_err(|_| PageGone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_one_json_array() {
        let mut batch = Batch::default();
        batch.take(RawItem::Hello(r#"{"cursor":"s.1"}"#.into()));
        batch.take(RawItem::Event {
            cursor: "s.2".into(),
            data: r#"{"cursor":"s.2"}"#.into(),
        });
        batch.take(RawItem::Delta(r#"{"text":"a]\","}"#.into()));
        batch.take(RawItem::Other);
        batch.push(END);
        let document: serde_json::Value =
            serde_json::from_str(&format!("{}]", batch.text)).expect("JSON");
        let expected = serde_json::json!([
            { "type": "hello", "cursor": "s.1" },
            { "type": "event", "frame": { "cursor": "s.2" } },
            { "type": "delta", "delta": { "text": "a]\"," } },
            { "type": "end" },
        ]);
        assert_eq!(document, expected);
    }
}
