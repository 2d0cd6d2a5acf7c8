//! An agent's turn as the gateway sees it: whose calls these are, when they may be sent,
//! what they cost.
//!
//! A call is let through when its credential's gate lets it and its worst case is set aside.
//! It is recorded while it is sent, and nothing of its answer is passed on before it is on
//! record: a daemon that dies leaves it named, and waiting for the disk costs no time.

mod afford;
mod ahead;
mod booking;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use agents::metering::{self, Asked};
use agents::{Held, TurnError};
use async_trait::async_trait;
use domain::{BackendKind, NanoUsd, OpErrorKind, OpId, OpState, Phase, Run, RunId, WaitCause};
use futures_util::future::{BoxFuture, Shared};
use gateway::{Account, Desk, Ended, Failure, Found, Leave, Next, Refused, Speaks, Upstream};
use limiter::{LimitKind, Permit};
use secrets::{KeySource, Secret};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::ahead::Ahead;
use crate::backends::{ANTHROPIC_URL, BackendConfig, BackendError};
use crate::core::{Core, Engine};
use crate::journal::{Halt, Journal};
use crate::watch::Watch;

/// How often a call looks again whose run nobody works on just now.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How long calls may take to notice that their turn is over.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);

/// One turn's account.
pub(crate) struct Attempt {
    core: Arc<Core>,
    run: RunId,
    op: OpId,
    priority: i32,
    backend: BackendConfig,
    upstream: Upstream,
    journal: Journal,
    over: CancellationToken,
    /// Bookings under way.
    bookings: TaskTracker,
    /// One of them is done.
    booked: Notify,
    /// One call is let through at a time: two that each fit must fit together.
    admitting: tokio::sync::Mutex<()>,
    admitted: Mutex<Admitted>,
    /// Whether calls wait for a limit: an agent that is kept waiting is not silent.
    held: Held,
    /// Whether the run shows that it waits for one.
    limited: AtomicBool,
    /// Where a worker follows the turn.
    watch: Mutex<Option<Arc<Watch>>>,
}

/// Calls that are let through.
#[derive(Default)]
struct Admitted {
    newest: u32,
    calls: HashMap<u32, Sent>,
}

/// One of them.
#[derive(Clone)]
struct Sent {
    model: String,
    reserve: NanoUsd,
    /// The limiter's name for the key it was sent with.
    fingerprint: String,
    /// Resolves when its beginning is on record, to its place there.
    recorded: Shared<BoxFuture<'static, Result<u64, Refused>>>,
    /// What it really cost, from when that is known until it is on record.
    cost: Option<NanoUsd>,
}

/// The attempts that go on.
pub(crate) struct Attempts {
    open: Mutex<HashMap<(RunId, OpId), Arc<Attempt>>>,
    ahead: Ahead,
    /// What an earlier daemon left is known.
    complete: AtomicBool,
}

impl Attempts {
    /// Those of a daemon with this home, before it has any.
    pub(crate) fn new(home: &Path) -> Self {
        Self {
            open: Mutex::default(),
            ahead: Ahead::new(home),
            complete: AtomicBool::new(false),
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<(RunId, OpId), Arc<Attempt>>> {
        self.open.lock().expect("no code panics while holding this")
    }

    /// All that outlived an earlier daemon are found again.
    pub(crate) fn are_complete(&self) {
        self.complete.store(true, Ordering::SeqCst);
    }
}

impl Desk for Core {
    fn find(&self, run: RunId, op: OpId) -> Found {
        match self.attempts.open().get(&(run, op)) {
            Some(attempt) => Found::Open(Arc::new(Till(attempt.clone()))),
            None if self.attempts.complete.load(Ordering::SeqCst) => Found::Over,
            None => Found::NotYet,
        }
    }
}

impl Engine {
    /// What the gateway asks about its callers.
    pub fn desk(&self) -> Arc<dyn Desk> {
        self.core.clone()
    }
}

impl Core {
    /// Opens the way for a turn, or finds it open. None for a backend whose agent brings
    /// its own login, or without a gateway.
    pub(crate) fn open_attempt(
        self: &Arc<Self>,
        run: &Run,
        op: OpId,
        backend: &BackendConfig,
    ) -> Result<Option<Arc<Attempt>>, BackendError> {
        if self.parts.gateway.is_none() || !backend.passes_the_gateway() {
            return Ok(None);
        }
        let mut open = self.attempts.open();
        if let Some(attempt) = open.get(&(run.id, op)) {
            return Ok(Some(attempt.clone()));
        }
        let attempt = Arc::new(Attempt {
            upstream: self.upstream(backend)?,
            core: self.clone(),
            run: run.id,
            op,
            priority: run.task.priority,
            backend: backend.clone(),
            journal: self.journal(run.id),
            over: CancellationToken::new(),
            bookings: TaskTracker::new(),
            booked: Notify::new(),
            admitting: tokio::sync::Mutex::default(),
            admitted: Mutex::default(),
            held: Held::default(),
            limited: AtomicBool::new(run.waits.iter().any(domain::Wait::is_limit)),
            watch: Mutex::default(),
        });
        open.insert((run.id, op), attempt.clone());
        Ok(Some(attempt))
    }

    /// The way is open again for an agent that outlived a daemon.
    pub(crate) async fn reopen_attempt(self: &Arc<Self>, run: &Run, op: OpId) {
        let opened = match self.backend(&run.backend).await {
            Ok(backend) => self.open_attempt(run, op, &backend).map(|_| ()),
            Err(error) => Err(error),
        };
        if let Err(error) = opened {
            tracing::warn!(run = %run.id, %error, "an agent's calls cannot be passed on");
        }
    }

    fn upstream(&self, backend: &BackendConfig) -> Result<Upstream, BackendError> {
        let (speaks, usual) = match backend.kind {
            BackendKind::ClaudeCode => (Speaks::Anthropic, ANTHROPIC_URL),
            _ => (Speaks::OpenAi, agents::openai::OPENAI_URL),
        };
        let url = backend.base_url.as_deref().unwrap_or(usual);
        let base = metering::address(url).map_err(|error| BackendError::Misconfigured {
            name: backend.name.clone(),
            problem: error.to_string(),
        })?;
        Ok(Upstream {
            client: self.parts.http.client_for(&base),
            base,
            speaks,
        })
    }
}

impl BackendConfig {
    /// Whether its calls go through the gateway: those of an agent that is given a key. One
    /// that signs in by itself is left alone.
    pub fn passes_the_gateway(&self) -> bool {
        let known = matches!(self.kind, BackendKind::ClaudeCode | BackendKind::Codex);
        known && self.key != KeySource::None
    }
}

impl Attempt {
    /// The backend as its agent sees it: the gateway is its server.
    pub(crate) fn seen_by_the_agent(&self) -> Option<(BackendConfig, Secret)> {
        let door = self.core.parts.gateway.as_ref()?;
        let url = match self.upstream.speaks {
            Speaks::Anthropic => door.url(),
            Speaks::OpenAi => format!("{}/v1", door.url()),
        };
        let backend = BackendConfig {
            base_url: Some(url),
            ..self.backend.clone()
        };
        let token = door.token(self.run, self.op);
        // What names the run's attempt is not to be read in its journal.
        self.core.parts.redactor.add(&token);
        Some((backend, token))
    }

    /// A worker follows the turn from here on.
    pub(crate) fn follow(&self, watch: Arc<Watch>) -> Held {
        *self.watch() = Some(watch);
        self.held.clone()
    }

    fn watch(&self) -> MutexGuard<'_, Option<Arc<Watch>>> {
        self.watch
            .lock()
            .expect("no code panics while holding this")
    }

    fn admitted(&self) -> MutexGuard<'_, Admitted> {
        self.admitted
            .lock()
            .expect("no code panics while holding this")
    }

    /// Ends the turn for this reason.
    fn end_turn(&self, error: TurnError) {
        if let Some(watch) = &*self.watch() {
            watch.explain(error);
        }
    }

    /// The turn is over: nothing passes any more, and what was under way is booked when
    /// this returns.
    pub(crate) async fn close(self: &Arc<Self>) {
        self.core.attempts.open().remove(&(self.run, self.op));
        self.over.cancel();
        let booked = async {
            loop {
                let told = self.booked.notified();
                if self.admitted().calls.is_empty() {
                    return;
                }
                told.await;
            }
        };
        // An answer nobody reads does not notice.
        if tokio::time::timeout(CLOSED_WITHIN, booked).await.is_err() {
            let left: Vec<u32> = self.admitted().calls.keys().copied().collect();
            for call in left {
                self.book_closed(call);
            }
        }
        self.bookings.close();
        self.bookings.wait().await;
    }

    /// The run as it is, if this turn of it goes on.
    async fn load(&self) -> Result<Run, Refused> {
        loop {
            let run = self.journal.load().await.map_err(|halt| not_now(&halt))?;
            let goes_on = run
                .open_ops
                .get(&self.op)
                .is_some_and(|op| op.state == OpState::Started);
            if !goes_on || run.state().is_over() {
                return Err(Refused::Over);
            }
            // An agent that outlived its daemon spends nothing until its run goes on.
            if run.phase != Phase::Interrupted {
                return Ok(run);
            }
            let _held = self.held.hold();
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits at the credential's gate, showing why and until when.
    async fn pass(&self, fingerprint: &str) -> Result<Permit, Refused> {
        let gate = self.core.parts.limiter.gate(fingerprint);
        let run = self.run.to_string();
        loop {
            let mut held = None;
            if let Some(pause) = gate.blocked() {
                held = Some(self.held.hold());
                self.show_limit(&pause).await?;
            }
            tokio::select! {
                acquired = gate.acquire(&run, self.priority, &self.over) => {
                    return acquired.map_err(|_| Refused::Over);
                }
                () = gate.changed() => drop(held),
            }
        }
    }

    async fn show_limit(&self, pause: &limiter::Pause) -> Result<(), Refused> {
        let run = self.load().await?;
        let since = crate::gate::limited_since(&run, self.core.now());
        if pause.until.ms_since(since) > self.core.settings().max_wait_ms {
            let why = format!("{}; that is longer than max_wait allows", pause.words());
            let error = TurnError::refused(OpErrorKind::RateLimited, why.clone());
            self.end_turn(error);
            return Err(Refused::Never(format!("Longhaul: {why}")));
        }
        let cause = match pause.kind {
            LimitKind::Offline => WaitCause::Offline,
            _ => WaitCause::RateLimit,
        };
        self.limited.store(true, Ordering::SeqCst);
        let detail = self.core.redact(&pause.words());
        let shown = crate::gate::begin_wait(&self.journal, cause, Some(pause.until), detail).await;
        // A run that is being stopped shows no waits any more.
        match shown {
            Ok(()) | Err(Halt::Superseded(_)) => Ok(()),
            Err(halt) => Err(not_now(&halt)),
        }
    }
}

/// An attempt as the gateway has it.
struct Till(Arc<Attempt>);

#[async_trait]
impl Account for Till {
    fn upstream(&self) -> &Upstream {
        &self.0.upstream
    }

    fn silence(&self) -> Duration {
        Duration::from_millis(self.0.core.settings().silence_ms.max(1))
    }

    fn over(&self) -> &CancellationToken {
        &self.0.over
    }

    async fn admit(&self, asked: Option<&Asked>) -> Result<Leave, Refused> {
        let attempt = &self.0;
        let (key, fingerprint) = match attempt.core.usable_key(&attempt.backend).await {
            Ok(found) => found,
            Err(problem) => {
                let problem = attempt.core.redact(&problem);
                attempt.end_turn(TurnError::refused(OpErrorKind::Auth, problem.clone()));
                return Err(Refused::Never(format!("Longhaul: {problem}")));
            }
        };
        let permit = attempt.pass(&fingerprint).await?;
        match asked {
            None => Ok(Leave {
                call: None,
                key,
                permit,
                recorded: Box::pin(std::future::ready(Ok(()))),
            }),
            Some(asked) => attempt.admit_call(asked, key, fingerprint, permit).await,
        }
    }

    async fn failed(&self, call: Option<u32>, permit: Permit, failure: Failure) -> Next {
        self.0.book_failure(call, permit, failure).await
    }

    fn ended(&self, call: u32, ended: Ended) {
        self.0.book_end(call, ended);
    }
}

fn not_now(halt: &Halt) -> Refused {
    tracing::warn!(%halt, "a call of an agent cannot be recorded");
    Refused::NotNow("Longhaul cannot record the call just now".to_owned())
}
