//! One run's worker: decide the next thing, do it, look again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use domain::{
    Event, FailCause, InterruptCause, MessageOrigin, Phase, QueueReason, ReviewId, Run, RunId,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::control::Control;
use crate::conversation::Conversation;
use crate::core::Core;
use crate::journal::{Batch, Halt, Journal};
use crate::leases::Leased;
use crate::slots::Slot;

/// How often in a row a worker looks again after being superseded before it
/// gives up: an endless disagreement with the journal is a bug, not work.
const MAX_SUPERSEDED: u32 = 50;

/// How long a run waits before it looks whether the disk has space again.
const NO_SPACE_MS: i64 = 10_000;

pub(crate) struct Worker {
    pub(crate) core: Arc<Core>,
    pub(crate) id: RunId,
    pub(crate) journal: Journal,
    pub(crate) control: Control,
    pub(crate) conversation: Mutex<Conversation>,
    /// Only one effect of a run happens at a time; reading may go on beside it.
    pub(crate) effects: Arc<Mutex<()>>,
    /// One budget question at a time.
    pub(crate) asking: Arc<Mutex<()>>,
    slot: Mutex<Option<Slot>>,
    busy: AtomicUsize,
    /// Whether anything may have changed files since the last snapshot.
    pub(crate) changed: AtomicBool,
    /// Whether it was told that commands are not sandboxed.
    pub(crate) told_unconfined: AtomicBool,
    /// Remarks that are on the timeline already.
    told: std::sync::Mutex<std::collections::HashSet<String>>,
    /// What stays the same from request to request.
    pub(crate) frame: std::sync::OnceLock<agents::Frame>,
    /// Answers cut off by their token limit, in a row.
    pub(crate) continues: AtomicU32,
    /// The user's folder, where the run works in it.
    pub(crate) lease: Mutex<Option<Leased>>,
    /// Its folder was taken over: nothing more is changed until it is its own again.
    pub(crate) fenced: AtomicBool,
    /// When this worker last got its slot.
    chunk_began: Mutex<Option<domain::Timestamp>>,
}

impl Worker {
    pub(crate) fn new(core: Arc<Core>, id: RunId, control: Control) -> Self {
        Self {
            journal: core.journal(id),
            core,
            id,
            control,
            conversation: Mutex::default(),
            effects: Arc::default(),
            asking: Arc::default(),
            slot: Mutex::default(),
            busy: AtomicUsize::new(0),
            changed: AtomicBool::new(true),
            told_unconfined: AtomicBool::new(false),
            told: std::sync::Mutex::default(),
            continues: AtomicU32::new(0),
            frame: std::sync::OnceLock::new(),
            lease: Mutex::default(),
            fenced: AtomicBool::new(false),
            chunk_began: Mutex::default(),
        }
    }

    /// Whether this worker says it for the first time.
    pub(crate) fn is_news(&self, text: &str) -> bool {
        let mut told = self.told.lock().expect("no panic while it is held");
        told.insert(text.to_owned())
    }

    /// Works until the run comes to rest or is to stop.
    pub(crate) async fn drive(self) {
        self.work_on().await;
        self.give_up_folder().await;
        self.core.collect_keepers_of(self.id).await;
    }

    async fn work_on(&self) {
        let mut superseded = 0;
        loop {
            let head = self
                .journal
                .load()
                .await
                .map(|run| run.head)
                .unwrap_or_default();
            match Box::pin(self.work()).await {
                Ok(()) | Err(Halt::Stopped) => return,
                Err(Halt::Superseded(why)) => {
                    let moved = self
                        .journal
                        .load()
                        .await
                        .is_ok_and(|run| run.head > head + 1);
                    superseded = if moved { 0 } else { superseded + 1 };
                    tracing::debug!(run = %self.id, %why, "looking again");
                    if superseded > MAX_SUPERSEDED {
                        self.give_up(&why).await;
                        return;
                    }
                }
                Err(Halt::NoSpace) => {
                    tracing::error!(run = %self.id, "the disk is full; the run waits for space");
                    if self.sleep(NO_SPACE_MS).await.is_err() {
                        return;
                    }
                }
                Err(Halt::Store(why)) => {
                    self.give_up(&why).await;
                    return;
                }
            }
        }
    }

    async fn give_up(&self, why: &str) {
        tracing::error!(run = %self.id, %why, "the run stops: its worker cannot go on");
        let event = Event::Interrupted {
            cause: InterruptCause::Stalled,
            detail: self
                .core
                .redact(&format!("the engine could not go on: {why}")),
            last_alive: self.core.now(),
        };
        if let Err(error) = self.journal.append(Batch::of(event)).await {
            tracing::error!(run = %self.id, %error, "and could not record it");
        }
    }

    async fn work(&self) -> Result<(), Halt> {
        let mut run = self.journal.load().await?;
        if !matches!(run.phase, Phase::Queued | Phase::Active | Phase::Verifying) {
            return Ok(());
        }
        run = Box::pin(self.begin(run)).await?;
        loop {
            if !matches!(run.phase, Phase::Active | Phase::Verifying) {
                return Ok(());
            }
            self.check_stop()?;
            run = self.settle_open_ops(run).await?;
            run = self.take_checkpoint(run).await?;
            run = Box::pin(self.yield_if_due(run)).await?;
            // A turn that goes on is watched as it goes; nobody should wait for a person first.
            if !self.agent_is_alive(&run) {
                run = Box::pin(self.mind_budget(run)).await?;
            }
            let (done, unheard) = {
                let mut conversation = self.conversation.lock().await;
                conversation.catch_up(&self.journal, &run).await?;
                conversation.reach(&self.journal, run.heard).await?;
                let done = conversation.model_spoke_last() && !has_open_call(&run);
                (done, conversation.unheard(run.heard))
            };
            run = match (done, unheard.is_empty()) {
                (true, true) => Box::pin(self.conclude(run)).await?,
                (true, false) if run.task.kind.is_native() => self.say_again(unheard).await?,
                _ => Box::pin(self.think(run)).await?,
            };
        }
    }

    /// What the user said while the last answer was on its way stands before that answer
    /// in the journal, where the model would take it for answered.
    async fn say_again(&self, unheard: Vec<agents::ChatMessage>) -> Result<Run, Halt> {
        let mut text = "The user said this while you were answering:".to_owned();
        for message in unheard {
            if let agents::ChatMessage::User { text: said, .. } = message {
                text.push_str("\n\n");
                text.push_str(&said);
            }
        }
        let mut batch = Batch::default();
        let text = batch.blob(text);
        batch.push(Event::MessageAdded {
            origin: MessageOrigin::Continue,
            text,
        });
        self.journal.append(batch).await
    }

    /// Gets the run a slot, a workspace and its first message.
    async fn begin(&self, mut run: Run) -> Result<Run, Halt> {
        if run.phase == Phase::Queued {
            run = self.await_dependency(run).await?;
            run = self.await_resources(run).await?;
            // Before it has a slot: others work while it waits.
            run = self.hold_folder(run).await?;
            self.enter().await?;
            let mut batch = self.dependency_decision(&self.journal.load().await?);
            batch.events.extend(self.dependency_note(&run).await?);
            batch.push(Event::Started {
                backend: run.backend.clone(),
                model: run.task.model.clone(),
            });
            run = self.journal.append(batch).await?;
        } else {
            run = self.hold_folder(run).await?;
            self.enter().await?;
        }
        *self.chunk_began.lock().await = Some(self.core.now());
        if run.attempts == 1 && run.step == 0 {
            run = self.preflight(run).await?;
        }
        run = self.prepare_workspace(run).await?;
        if run.messages == 0 && run.phase == Phase::Active {
            let event = Event::MessageAdded {
                origin: MessageOrigin::Prompt,
                text: run.task.prompt.clone(),
            };
            run = self.journal.append(Batch::of(event)).await?;
        }
        Ok(run)
    }

    pub(crate) fn check_stop(&self) -> Result<(), Halt> {
        if self.control.stop.is_cancelled() {
            Err(Halt::Stopped)
        } else {
            Ok(())
        }
    }

    /// Makes sure the run has a slot; it is kept until [`Worker::rest`].
    pub(crate) async fn enter(&self) -> Result<(), Halt> {
        let mut slot = self.slot.lock().await;
        if slot.is_none() {
            let priority = self.journal.load().await?.task.priority;
            let granted = tokio::select! {
                granted = self.core.slots.acquire(priority) => granted,
                () = self.control.stop.cancelled() => return Err(Halt::Stopped),
            };
            *slot = Some(granted);
            // Its share begins with the slot: what it waited for before is not its work.
            *self.chunk_began.lock().await = Some(self.core.now());
        }
        Ok(())
    }

    /// Enters, and says that something goes on until the guard is dropped.
    pub(crate) async fn busy(&self) -> Result<Busy<'_>, Halt> {
        // Counted first: a sibling that rests meanwhile must not take the slot away again.
        self.busy.fetch_add(1, Ordering::SeqCst);
        let busy = Busy(&self.busy);
        self.enter().await?;
        Ok(busy)
    }

    /// Gives the slot to others while nothing of this run goes on.
    pub(crate) async fn rest(&self) {
        let mut slot = self.slot.lock().await;
        if self.busy.load(Ordering::SeqCst) == 0 {
            slot.take();
        }
    }

    /// The right to change the world, one operation of the run at a time.
    pub(crate) async fn effect(&self) -> OwnedMutexGuard<()> {
        self.effects.clone().lock_owned().await
    }

    /// Lets others work when this run has had its share and somebody waits.
    async fn yield_if_due(&self, run: Run) -> Result<Run, Halt> {
        let began = *self.chunk_began.lock().await;
        let worked = began.map_or(0, |began| self.core.now().ms_since(began));
        if worked < self.core.settings().chunk_ms
            || !self.core.slots.contended()
            || run.phase != Phase::Active
        {
            return Ok(run);
        }
        self.journal
            .append(Batch::of(Event::Queued {
                reason: QueueReason::Yielded,
            }))
            .await?;
        self.rest().await;
        Box::pin(self.begin(self.journal.load().await?)).await
    }

    async fn take_checkpoint(&self, run: Run) -> Result<Run, Halt> {
        let taken = run.checkpoint.as_ref().map_or(0, |c| c.step);
        if run.step <= taken || !run.open_ops.is_empty() {
            return Ok(run);
        }
        let snapshot = match (&run.checkpoint, self.changed.load(Ordering::SeqCst)) {
            (Some(last), false) => last.snapshot.clone(),
            _ => match self.snapshot(&run).await? {
                Ok(snapshot) => snapshot,
                Err(why) => return self.fail(FailCause::Workspace, why).await,
            },
        };
        faults::crash_point("engine.snapshot_taken");
        let event = Event::CheckpointTaken {
            checkpoint: domain::CheckpointId(run.next_checkpoint()),
            step: run.step,
            snapshot,
            messages: run.messages,
        };
        self.journal.append(Batch::of(event)).await
    }

    async fn snapshot(&self, run: &Run) -> Result<Result<String, String>, Halt> {
        // Cleared first: a change made while the snapshot is taken is seen by the next.
        self.changed.store(false, Ordering::SeqCst);
        let workspace = match self.open_workspace(run).await {
            Ok(workspace) => workspace,
            Err(why) => return Ok(Err(why)),
        };
        let taken = workspace.snapshot(&format!("step {}", run.step)).await;
        Ok(taken
            .map(|s| s.id)
            .map_err(|error| format!("the workspace cannot be snapshotted: {error}")))
    }

    /// Ends the run as failed, with what the model last said as partial result.
    pub(crate) async fn fail(&self, cause: FailCause, message: String) -> Result<Run, Halt> {
        self.fail_after(None, cause, message).await
    }

    /// Ends the run as failed because of what a person decided: the decision is used
    /// up with it, so that no crash can fall between and have it asked again.
    pub(crate) async fn fail_after(
        &self,
        decided: Option<ReviewId>,
        cause: FailCause,
        message: String,
    ) -> Result<Run, Halt> {
        let run = self.journal.load().await?;
        let partial = self.last_words(&run).await?;
        let mut batch = Batch::default();
        self.add_failure(&run, decided, (cause, message), partial, &mut batch);
        self.journal.append(batch).await
    }

    /// What ends `run` as failed: nobody is asked any more, nothing stays open.
    pub(crate) fn add_failure(
        &self,
        run: &Run,
        decided: Option<ReviewId>,
        (cause, message): (FailCause, String),
        partial: Option<String>,
        batch: &mut Batch,
    ) {
        close_reviews(run, decided, batch);
        for op in run.open_ops.values() {
            crate::ops::cancel(op, batch);
        }
        let partial = partial.map(|text| batch.blob(text));
        batch.push(Event::Failed {
            cause,
            message: self.core.redact(&message),
            partial,
        });
    }

    /// The last text the model said, if any.
    pub(crate) async fn last_words(&self, run: &Run) -> Result<Option<String>, Halt> {
        let mut conversation = self.conversation.lock().await;
        conversation.catch_up(&self.journal, run).await?;
        conversation.last_model_text(&self.journal).await
    }
}

/// Uses up the decision that ends the run, and withdraws what nobody needs to decide any more.
pub(crate) fn close_reviews(run: &Run, decided: Option<ReviewId>, batch: &mut Batch) {
    for review in run.reviews.keys().copied() {
        batch.push(if decided == Some(review) {
            Event::ReviewUsed { review }
        } else {
            Event::ReviewWithdrawn {
                review,
                why: "the run ended".to_owned(),
            }
        });
    }
}

fn has_open_call(run: &Run) -> bool {
    run.open_ops
        .values()
        .any(|op| op.kind == domain::OpKind::Model)
}

/// Something of the run goes on as long as this lives.
pub(crate) struct Busy<'a>(&'a AtomicUsize);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
