//! Tells on the desktop what happened while nobody looked: through the desktop
//! application that holds the lease, else by itself.

mod act;
mod call;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use domain::{BackendKind, Event};
use notices::{Board, Click, Desk, Happened, Memory, Screen, Subject, Wishes};
use protocol::{Notice, NoticeKind};
use store::{ReviewStatus, Stored};
use tokio::sync::{Notify, mpsc};

pub(crate) use self::act::act;
use crate::api::{Api, Ending, Working};
use crate::environment;

/// The setting that holds what was told.
const MEMORY: &str = "notices";

/// What is recorded within this time is read together.
const SETTLE: Duration = Duration::from_millis(200);

/// Events read at a time.
const PAGE: u32 = 500;

/// After so many events that told nothing, the place is remembered all the same: the
/// next daemon need not read them again.
const REMEMBER_EVERY: u64 = 500;

/// How long after a read that failed the next one is tried.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// What is to be told, who shows it, and the daemon's own way of showing it.
pub(crate) struct Notifier {
    state: Mutex<State>,
    wishes: Mutex<Wishes>,
    /// Something to do for [`tell`].
    woken: Notify,
    /// Something for calls that wait.
    offered: Notify,
    screen: Screen,
    clicks: Mutex<Option<mpsc::UnboundedReceiver<Click>>>,
    /// What was recorded last. One record at a time, in order.
    recorded: tokio::sync::Mutex<Option<Memory>>,
    calls: AtomicU64,
    said_no_bus: AtomicBool,
    said_broken: AtomicBool,
}

#[derive(Default)]
struct State {
    board: Board,
    desk: Desk,
    /// The holder's newest call.
    call: u64,
}

impl Notifier {
    pub(crate) fn new(wishes: Wishes) -> Arc<Self> {
        let (sender, clicks) = mpsc::unbounded_channel();
        Arc::new(Self {
            state: Mutex::default(),
            wishes: Mutex::new(wishes),
            woken: Notify::new(),
            offered: Notify::new(),
            screen: Screen::new(sender),
            clicks: Mutex::new(Some(clicks)),
            recorded: tokio::sync::Mutex::default(),
            calls: AtomicU64::new(0),
            said_no_bus: AtomicBool::new(false),
            said_broken: AtomicBool::new(false),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nobody panics while holding the notices")
    }

    /// From now on these kinds are told.
    pub(crate) fn wish(&self, wishes: Wishes) {
        *self
            .wishes
            .lock()
            .expect("nobody panics while holding the wishes") = wishes;
        self.woken.notify_one();
    }

    /// Hands a notice to whoever shows notices now.
    fn hand_out(self: &Arc<Self>, api: &Api, notice: Notice) {
        let left = self.state().desk.offer(notice, api.inner.clock.now());
        match left {
            None => {
                self.offered.notify_waiters();
                // Its 5 s begin.
                self.woken.notify_one();
            }
            Some(notice) => self.show_here(api, notice),
        }
    }

    /// Shows a notice without waiting for it: the notification server may be slow.
    fn show_here(self: &Arc<Self>, api: &Api, notice: Notice) {
        let (notifier, api) = (self.clone(), api.clone());
        tokio::spawn(async move { notifier.show(&api, notice).await });
    }

    async fn show(&self, api: &Api, notice: Notice) {
        let answers = notice.kind == NoticeKind::Reply;
        let still_true = |notifier: &Self| answers || notifier.state().board.is_open(&notice.id);
        if !still_true(self) {
            return;
        }
        if !environment::has_session_bus() {
            if !self.said_no_bus.swap(true, Ordering::SeqCst) {
                tracing::info!("there is no session bus: nothing is told on a desktop");
            }
            // Not worth a commit: see REMEMBER_EVERY.
            self.state().board.delivered(&notice.id);
            return;
        }
        if !notices::asks(notice.kind) {
            self.delivered(api, &notice.id).await;
        }
        faults::crash_point("notices.before_shown");
        match self.screen.show(&notice).await {
            Ok(()) => tracing::info!(id = notice.id, kind = ?notice.kind, "a notice was shown"),
            Err(error) if self.said_broken.swap(true, Ordering::SeqCst) => {
                tracing::debug!(%error, "a notice was not shown");
            }
            Err(error) => tracing::warn!(%error, "a notice was not shown; said once"),
        }
        self.delivered(api, &notice.id).await;
        if !still_true(self) {
            self.screen.close(&notice.id).await;
        }
    }

    /// It need not be told again, also not by the next daemon.
    async fn delivered(&self, api: &Api, id: &str) {
        self.state().board.delivered(id);
        if let Ok(working) = api.working() {
            self.remember(api, working).await;
        }
    }

    async fn remember(&self, api: &Api, working: &Working) {
        let mut recorded = self.recorded.lock().await;
        let memory = self.state().board.memory(api.inner.clock.now()).clone();
        if recorded.as_ref() == Some(&memory) {
            return;
        }
        let Ok(value) = serde_json::to_value(&memory) else {
            return;
        };
        match working.store.put_setting(MEMORY, Some(value)).await {
            Ok(()) => *recorded = Some(memory),
            Err(error) => tracing::warn!(%error, "what was told could not be recorded"),
        }
    }
}

/// Tells, for as long as the daemon works.
pub(crate) async fn tell(api: Api) {
    let Ok(working) = api.working() else { return };
    let notifier = working.notifier.clone();
    let clicks = notifier.clicks.lock().ok().and_then(|mut c| c.take());
    let Some(mut clicks) = clicks else { return };
    let mut ending = api.inner.ending.subscribe();
    let mut grown = working.store.subscribe();
    if let Err(error) = begin(&api, working).await {
        tracing::error!(%error, "nothing is told on the desktop");
        return;
    }
    loop {
        grown.borrow_and_update();
        let pause = match turn(&api, working).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(%error, "the journal could not be read for notices");
                Some(TRY_AGAIN)
            }
        };
        let due = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = grown.changed() => match changed {
                Ok(()) => tokio::time::sleep(SETTLE).await,
                Err(_) => return,
            },
            () = notifier.woken.notified() => {}
            () = due => {}
            Some(click) = clicks.recv() => {
                tokio::spawn(act::clicked(api.clone(), click));
            }
            () = async { let _ = ending.wait_for(|how| *how != Ending::No).await; } => break,
        }
    }
    notifier.remember(&api, working).await;
    // Nobody would hear of a click any more.
    notifier.screen.close_all().await;
}

/// Takes up where the last daemon ended. A home that is new to notices begins now: nobody
/// wants to be told of its past.
async fn begin(api: &Api, working: &Working) -> Result<(), store::ReadError> {
    let store = &working.store;
    let last = store.last_gseq();
    let kept = store.setting(MEMORY).await?;
    let known = kept.and_then(|value| serde_json::from_value::<Memory>(value).ok());
    let memory = known.filter(|memory| memory.mark <= last);
    working.notifier.recorded.lock().await.clone_from(&memory);
    let new = memory.is_none();
    let mut board = Board::new(memory.unwrap_or_else(|| Memory {
        mark: last,
        ..Memory::default()
    }));
    for row in store.unfinished_runs().await? {
        if row.kind != BackendKind::Rehearsal
            && row.causes.contains(&domain::WaitCause::RateLimit)
            && let Some(run) = store.load(row.id).await?
        {
            for wait in &run.waits {
                board.waits(row.id, &row.title, wait);
            }
        }
    }
    working.notifier.state().board = board;
    if new {
        working.notifier.remember(api, working).await;
    }
    Ok(())
}

/// Reads what happened, hands out what is due. How long until something is due again.
async fn turn(api: &Api, working: &Working) -> Result<Option<Duration>, store::ReadError> {
    let notifier = &working.notifier;
    loop {
        let from = notifier.state().board.read();
        let page = working.store.events_after(from, PAGE, None).await?;
        for stored in &page {
            hear(api, working, stored).await?;
        }
        if page.len() < PAGE as usize {
            break;
        }
    }
    let now = api.inner.clock.now();
    let wishes = notifier
        .wishes
        .lock()
        .expect("nobody panics while holding the wishes")
        .clone();
    let (changes, overdue, mark) = {
        let mut state = notifier.state();
        let changes = state.board.due(now, &wishes);
        for id in &changes.close {
            state.desk.close(id);
        }
        let overdue = state.desk.overdue(now);
        (changes, overdue, state.board.memory(now).mark)
    };
    for id in &changes.close {
        notifier.screen.close(id).await;
    }
    if !changes.close.is_empty() {
        notifier.offered.notify_waiters();
    }
    for notice in changes.show {
        notifier.hand_out(api, redacted(working, notice));
    }
    for notice in overdue {
        tracing::info!(id = notice.id, "the desktop application did not show this");
        notifier.show_here(api, notice);
    }
    let recorded = notifier
        .recorded
        .lock()
        .await
        .as_ref()
        .map_or(0, |m| m.mark);
    if mark.saturating_sub(recorded) >= REMEMBER_EVERY {
        notifier.remember(api, working).await;
    }
    let state = notifier.state();
    let next = state
        .board
        .next()
        .into_iter()
        .chain(state.desk.next())
        .min();
    Ok(next.map(|at| Duration::from_millis(at.ms_since(now).max(1).unsigned_abs())))
}

async fn hear(api: &Api, working: &Working, stored: &Stored) -> Result<(), store::ReadError> {
    let event = &stored.entry.event;
    let mut subject = Subject::default();
    if notices::worth_a_look(event) {
        let row = working.store.run_row(stored.run).await?;
        match row.filter(|row| row.kind != BackendKind::Rehearsal) {
            Some(row) => subject.title = row.title,
            None => {
                working.notifier.state().board.pass(stored.gseq);
                return Ok(());
            }
        }
        subject.low_risk = low_risk(working, stored).await?;
    }
    let happened = Happened {
        gseq: stored.gseq,
        run: stored.run,
        at: stored.entry.at,
        event,
    };
    let now = api.inner.clock.now();
    working.notifier.state().board.hear(happened, &subject, now);
    Ok(())
}

/// Whether a requested review may be approved from a notice.
async fn low_risk(working: &Working, stored: &Stored) -> Result<bool, store::ReadError> {
    let Event::ReviewRequested { review } = &stored.entry.event else {
        return Ok(false);
    };
    // As it is by now: the event tells how it was.
    let row = working.store.review(review.id).await?;
    let Some(row) = row.filter(|row| row.status == ReviewStatus::Open) else {
        return Ok(false);
    };
    let facts = working.engine.call_facts(&[&row.review]).await;
    Ok(facts.is_ok_and(|facts| facts.iter().any(|facts| facts.low_risk)))
}

/// The journal holds no known secret; one that became known since may stand there.
fn redacted(working: &Working, mut notice: Notice) -> Notice {
    notice.title = working.redactor.redact(&notice.title).into_owned();
    notice.body = working.redactor.redact(&notice.body).into_owned();
    notice
}
