//! A scripted model behind the real protocols: the Anthropic Messages API and OpenAI's chat
//! completions over HTTP on the loopback interface, saying what a script tells it to and
//! failing where it is told to. The same scripts answer both.
//!
//! The server keeps no conversation. Which script applies is read from the marker
//! `[[script:NAME]]` in the first user message, which turn is due from the number of
//! answers in the history. So a client may crash, retry, resume or fork, and the server
//! may be restarted: the same history gets the same answer.

mod chat;
mod fault;
mod gate;
mod handlers;
mod listener;
mod record;
mod reply;
mod responses;
mod script;
mod state;
mod validate;
mod view;
mod wire;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use tokio::{sync::watch, task::JoinHandle};

pub use self::{
    chat::Manner,
    fault::{ALWAYS, Fault, FaultRule, FaultScope},
    gate::{Gate, HoldPoint},
    record::{Delivered, Ledger, LedgerRow, Outcome, RequestKind, RequestRecord, Totals},
    script::{Block, Responder, Script, ScriptBook, Turn, Usage},
    view::{RequestView, ToolResult},
};

use self::{
    listener::{CuttableListener, Link, Scissors},
    state::Shared,
};
pub(crate) use self::{view::text_of, wire::fresh};

/// A running scripted model. Dropping it ends it and cuts its connections.
pub struct ModelServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    link: watch::Sender<Link>,
    task: JoinHandle<()>,
}

impl ModelServer {
    /// Starts a server on a free port of the loopback interface.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_on(0).await
    }

    /// Starts a server on `port` of the loopback interface; 0 means any.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start_on(port: u16) -> anyhow::Result<Self> {
        let (link, linked) = watch::channel(Link::Up);
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = CuttableListener::bind(wanted, linked)
            .await
            .with_context(|| format!("cannot listen on {wanted}"))?;
        let address = listener.address();
        let shared = Arc::new(Shared::new());
        let service =
            handlers::router(shared.clone()).into_make_service_with_connect_info::<Scissors>();
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, service).await {
                tracing::error!(%error, "the scripted model server ended");
            }
        });
        Ok(Self {
            shared,
            address,
            link,
            task,
        })
    }

    /// `http://127.0.0.1:PORT`, what a client takes for its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds or replaces a script. Prompts choose it by `[[script:NAME]]`.
    pub fn script(&self, name: &str, script: Script) -> &Self {
        self.shared.lock().scripts.insert(name.to_owned(), script);
        self
    }

    /// Adds a script that also answers prompts without a marker.
    pub fn default_script(&self, name: &str, script: Script) -> &Self {
        self.script(name, script);
        self.shared.lock().default_script = Some(name.to_owned());
        self
    }

    /// Adds all scripts of a book; its default, if it names one, becomes the server's.
    pub fn load(&self, book: ScriptBook) -> &Self {
        let mut inner = self.shared.lock();
        inner.scripts.extend(book.scripts);
        inner.default_script = book.default.or(inner.default_script.take());
        drop(inner);
        self
    }

    /// Adds the scripts of a file.
    ///
    /// # Errors
    /// If it cannot be read or is not a script book.
    pub fn load_file(&self, path: &Path) -> anyhow::Result<&Self> {
        Ok(self.load(ScriptBook::from_file(path)?))
    }

    /// The next `times` turns requested, of whatever script, meet `fault`. Injected faults
    /// queue up and come before scripted ones.
    pub fn inject(&self, fault: Fault, times: u32) {
        self.shared.lock().inject(fault, times);
    }

    /// Forgets injected faults that were not met yet.
    pub fn clear_injected(&self) {
        self.shared.lock().clear_injected();
    }

    /// Records no bodies from now on, for benches with thousands of long requests.
    pub fn forget_bodies(&self) -> &Self {
        self.shared.lock().bodies = state::Bodies::Forgotten;
        self
    }

    /// From now on only this key is accepted (401 otherwise); `None` accepts anything.
    pub fn set_valid_key(&self, key: Option<&str>) {
        self.shared.lock().valid_key = key.map(str::to_owned);
    }

    /// Whose manners chat completions have: OpenAI's, unless said otherwise.
    pub fn set_manner(&self, manner: Manner) {
        self.shared.lock().manner = manner;
    }

    /// Records show `label` where this key was used.
    pub fn name_key(&self, key: &str, label: &str) {
        self.shared
            .lock()
            .key_names
            .insert(key.to_owned(), label.to_owned());
    }

    /// The models that exist, by the beginning of their ids. `scripted…` always does.
    pub fn set_models<I: IntoIterator<Item = S>, S: Into<String>>(&self, models: I) {
        self.shared.lock().models = models.into_iter().map(Into::into).collect();
    }

    /// Requests are taken but not answered until [`resume_all`](Self::resume_all).
    pub fn pause_all(&self) {
        self.shared.paused.send_replace(true);
    }

    pub fn resume_all(&self) {
        self.shared.paused.send_replace(false);
    }

    /// Takes the server off the network: connections are cut, new ones refused.
    pub fn go_offline(&self) {
        self.link.send_replace(Link::Down);
    }

    /// Brings it back on the same port.
    pub fn go_online(&self) {
        self.link.send_replace(Link::Up);
    }

    /// Holds requests for a turn before anything is answered, until the gate is released or dropped.
    pub fn hold(&self, script: &str, turn: usize) -> Gate {
        self.hold_at(script, turn, HoldPoint::BeforeAnswer)
    }

    /// Holds answers of a turn at a point of their stream.
    pub fn hold_at(&self, script: &str, turn: usize, point: HoldPoint) -> Gate {
        let (gate, barrier) = gate::gate(script, turn, point);
        self.shared.lock().barriers.push(barrier);
        gate
    }

    /// All requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.lock().records.clone()
    }

    /// The requests for turns of `script`.
    pub fn requests_of(&self, script: &str) -> Vec<RequestRecord> {
        self.requests()
            .into_iter()
            .filter(|r| r.kind == RequestKind::Turn && r.script == script)
            .collect()
    }

    /// What a vendor would have billed so far.
    pub fn ledger(&self) -> Ledger {
        Ledger::of(&self.shared.lock().records)
    }

    /// Waits until `n` turns were requested (side requests and model lists do not count).
    ///
    /// # Errors
    /// If fewer were within `deadline`.
    pub async fn wait_for_requests(
        &self,
        n: usize,
        deadline: Duration,
    ) -> anyhow::Result<Vec<RequestRecord>> {
        self.wait_for(deadline, |records| {
            records
                .iter()
                .filter(|r| r.kind == RequestKind::Turn)
                .count()
                >= n
        })
        .await
    }

    /// Waits until the records satisfy `wanted`, and returns them.
    ///
    /// # Errors
    /// If they do not within `deadline`; the message lists what there was.
    pub async fn wait_for(
        &self,
        deadline: Duration,
        wanted: impl Fn(&[RequestRecord]) -> bool,
    ) -> anyhow::Result<Vec<RequestRecord>> {
        let mut changes = self.shared.revision.subscribe();
        let shared = &self.shared;
        let waited = tokio::time::timeout(deadline, async {
            loop {
                changes.borrow_and_update();
                let records = shared.lock().records.clone();
                if wanted(&records) || changes.changed().await.is_err() {
                    return records;
                }
            }
        });
        waited.await.map_err(|_| {
            let seen: Vec<String> = self.requests().iter().map(|r| format!("{} {}#{} {:?}", r.path, r.script, r.turn, r.outcome)).collect();
            anyhow::anyhow!("the model server did not see what was waited for within {deadline:?}; it saw {seen:?}")
        })
    }

    /// Ends when the server does, which is when it is dropped.
    pub async fn serve(mut self) {
        let _ = (&mut self.task).await;
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.link.send_replace(Link::Down);
        self.task.abort();
    }
}
