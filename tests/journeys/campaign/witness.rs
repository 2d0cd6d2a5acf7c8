//! Somebody who watches the event stream all the time and forgets nothing: what was
//! shown to him once must be in the journal for ever.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::{Client, StreamItem};
use domain::{Event, RunId};
use protocol::{EventFrame, LogEntry};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Debug, Default)]
struct Seen {
    entries: BTreeMap<(RunId, u64), LogEntry>,
    complaints: Vec<String>,
}

/// A watcher; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Witness {
    seen: Arc<Mutex<Seen>>,
    moved: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Witness {
    /// Watches from `cursor` on.
    pub(crate) fn from(client: Client, cursor: String) -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let (moving, moved) = watch::channel(0);
        let notebook = seen.clone();
        let task = tokio::spawn(async move {
            let mut stream = client.events(Some(cursor), None);
            loop {
                match stream.next().await {
                    Ok(StreamItem::Event(frame)) => {
                        note(&mut notebook.lock().expect("nothing panics here"), *frame);
                        moving.send_modify(|n| *n += 1);
                    }
                    Ok(StreamItem::Delta(_)) => {}
                    Ok(StreamItem::Resync) => notebook
                        .lock()
                        .expect("nothing panics here")
                        .complaints
                        .push("the event stream no longer knew its own cursor".to_owned()),
                    // No daemon for long: the campaign may be slow. Go on from the same place.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        });
        Self { seen, moved, task }
    }

    /// Everything seen.
    pub(crate) fn entries(&self) -> BTreeMap<(RunId, u64), LogEntry> {
        self.seen
            .lock()
            .expect("nothing panics here")
            .entries
            .clone()
    }

    /// How many events were seen.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().expect("nothing panics here").entries.len()
    }

    /// Counts what is seen.
    pub(crate) fn counter(&self) -> watch::Receiver<u64> {
        self.moved.clone()
    }

    /// What was wrong with the stream itself.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.seen
            .lock()
            .expect("nothing panics here")
            .complaints
            .clone()
    }

    /// Whether any event seen satisfies `wanted`.
    pub(crate) fn saw(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        let seen = self.seen.lock().expect("nothing panics here");
        seen.entries.values().any(|entry| wanted(&entry.event))
    }

    /// Returns when something new is seen, or after `longest`.
    pub(crate) async fn moved(&mut self, longest: Duration) {
        let _ = tokio::time::timeout(longest, self.moved.changed()).await;
    }
}

fn note(seen: &mut Seen, frame: EventFrame) {
    let key = (frame.run, frame.entry.seq);
    if seen.entries.contains_key(&key) {
        let again = format!(
            "the event stream showed event {} of run {} twice",
            key.1, key.0
        );
        seen.complaints.push(again);
    }
    if key.1 > 1 && !seen.entries.contains_key(&(key.0, key.1 - 1)) {
        let gap = format!(
            "the event stream left out event {} of run {}",
            key.1 - 1,
            key.0
        );
        seen.complaints.push(gap);
    }
    seen.entries.insert(key, frame.entry);
}
