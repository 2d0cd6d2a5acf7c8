//! A run in the user's own folder: it works only while the folder is its own.

use std::sync::atomic::Ordering;

use domain::{Event, MessageOrigin, Op, OpError, OpErrorKind, OpKind, OpState, Run, WaitCause};
use domain::{Timestamp, WorkspaceMode};
use store::{Lease, LeasePurpose, WriteError};

use crate::journal::{Batch, Halt};
use crate::leases::{AtWork, InLine, Leased, Place, scope_of};
use crate::worker::Worker;

/// Most paths named to the agent.
const NAMED: usize = 40;

/// What the model is told of a call that another run came before.
const OVERTAKEN: &str = "Not run: another run has worked in this folder since you asked for it. \
                         Look at the files as they are now; ask again if it is still right.";

impl From<WriteError> for Halt {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::DiskFull => Self::NoSpace,
            other => Self::Store(other.to_string()),
        }
    }
}

impl Worker {
    /// Makes the folder the run's own, where it works in the user's. Waits in line for
    /// it, without its slot.
    pub(crate) async fn hold_folder(&self, run: Run) -> Result<Run, Halt> {
        if run.task.workspace != WorkspaceMode::InPlace {
            return Ok(run);
        }
        if self.lease.lock().await.is_some() {
            return Ok(run);
        }
        let scope = scope_of(std::path::Path::new(&run.task.project)).await;
        let in_line = InLine::stand(&self.core, Place::of(&run), &scope);
        let leased = loop {
            let mut changes = self.core.leases.changes();
            let leases = self.core.store().leases().await?;
            // What it had before a restart is still its own, whoever waits.
            let ahead = match leases.iter().any(|lease| lease.run == self.id) {
                true => None,
                false => in_line.ahead(),
            };
            let in_the_way = match ahead {
                None => match self
                    .core
                    .try_lease(&scope, self.id, LeasePurpose::InPlace)
                    .await?
                {
                    Ok(leased) => break leased,
                    Err(holder) => Some(holder),
                },
                Some(_) => leases
                    .into_iter()
                    .find(|lease| store::overlaps(&lease.scope, &scope)),
            };
            self.wait_in_line(&scope, in_the_way.as_ref(), ahead)
                .await?;
            self.rest().await;
            tokio::select! {
                changed = changes.changed() => changed.map_err(|_| Halt::Stopped)?,
                () = self.until_stale(in_the_way.as_ref()) => {}
                () = self.control.stop.cancelled() => return Err(Halt::Stopped),
            }
        };
        faults::crash_point("engine.leased");
        *self.lease.lock().await = Some(leased);
        drop(in_line);
        self.folder_is_ours(&scope).await
    }

    /// Until the holder will have been silent for too long.
    async fn until_stale(&self, holder: Option<&Lease>) {
        let Some(holder) = holder else {
            return std::future::pending().await;
        };
        let stale_at = holder.beat_at.0 + self.core.settings().lock_stale_after_ms;
        tokio::time::sleep(self.core.until(Timestamp(stale_at))).await;
    }

    async fn wait_in_line(
        &self,
        scope: &str,
        holder: Option<&Lease>,
        ahead: Option<domain::RunId>,
    ) -> Result<(), Halt> {
        let words = match (holder, ahead) {
            (Some(lease), _) => {
                let title = self.title_of(lease.run).await?;
                let does = match lease.purpose {
                    LeasePurpose::InPlace => "works in",
                    LeasePurpose::Apply => "is put into",
                };
                format!(
                    "'{title}' (run {}) {does} {} since {}; this run goes on when it has ended there",
                    lease.run,
                    lease.scope,
                    clock_words(lease.taken_at)
                )
            }
            (None, Some(run)) => format!(
                "'{}' (run {run}) is to work in {scope} before this run",
                self.title_of(run).await?
            ),
            (None, None) => return Ok(()),
        };
        self.begin_wait_saying(WaitCause::Lock, &words).await
    }

    async fn title_of(&self, run: domain::RunId) -> Result<String, Halt> {
        let run = self.core.store().load(run).await?;
        Ok(run.map(|run| run.task.title).unwrap_or_default())
    }

    /// The wait is over. A run that had begun before hears that others may have been
    /// here; what it had asked for and nothing has begun of is not done blindly.
    async fn folder_is_ours(&self, scope: &str) -> Result<Run, Halt> {
        let lost = self.fenced.swap(false, Ordering::SeqCst);
        let run = self.journal.load().await?;
        let waited = run.waits.iter().any(|wait| wait.cause == WaitCause::Lock);
        if !waited && !lost {
            return Ok(run);
        }
        let mut batch = Batch::default();
        if waited {
            batch.push(Event::WaitEnded {
                cause: WaitCause::Lock,
            });
        }
        if run.workspace.is_some() && run.messages > 0 {
            self.changed.store(true, Ordering::SeqCst);
            for op in run.open_ops.values() {
                overtaken(&run, op, &mut batch);
            }
            let text = batch.blob(self.changed_meanwhile(&run, scope).await);
            batch.push(Event::MessageAdded {
                origin: MessageOrigin::Briefing,
                text,
            });
        }
        self.journal.append(batch).await
    }

    async fn changed_meanwhile(&self, run: &Run, scope: &str) -> String {
        let mut text = format!(
            "Longhaul: you waited because another run worked in {scope}, which is your folder too. \
             Files may have changed meanwhile: look at them again before you go on."
        );
        let Some(checkpoint) = &run.checkpoint else {
            return text;
        };
        let changed = match self.open_workspace(run).await {
            Ok(workspace) => workspace
                .changed_files(Some(&checkpoint.snapshot), None)
                .await
                .unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        if !changed.is_empty() {
            text.push_str("\nThese differ from your last checkpoint:");
            for file in changed.iter().take(NAMED) {
                text.push_str(&format!("\n- {}", file.path));
            }
            if changed.len() > NAMED {
                text.push_str(&format!("\n… and {} more", changed.len() - NAMED));
            }
        }
        self.core.redact(&text)
    }

    /// Before an effect in the user's own folder: it must still be the run's.
    pub(crate) async fn must_hold_folder(&self) -> Result<(), Halt> {
        let mut lease = self.lease.lock().await;
        let holds = match lease.as_ref() {
            Some(leased) => leased.holds().await?,
            // Not in place, or lost a moment ago.
            None => !self.fenced.load(Ordering::SeqCst),
        };
        if holds {
            return Ok(());
        }
        self.fenced.store(true, Ordering::SeqCst);
        *lease = None;
        Err(Halt::Superseded(
            "its folder was taken over by another run".to_owned(),
        ))
    }

    /// Says that a command of the run works in the folder, if it is one it has to hold.
    pub(crate) async fn at_work(&self) -> Option<AtWork> {
        self.lease.lock().await.as_ref().map(Leased::work)
    }

    /// Returns when the folder was taken over; never for a run that works elsewhere.
    pub(crate) async fn folder_lost(&self) {
        let lost = self.lease.lock().await.as_ref().map(|l| l.lost());
        match lost {
            Some(lost) => lost.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Whether the folder was taken over and is not its own again.
    pub(crate) fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::SeqCst)
    }

    /// Gives the folder back when the run rests without a worker.
    pub(crate) async fn give_up_folder(&self) {
        let Some(leased) = self.lease.lock().await.take() else {
            return;
        };
        // A daemon that leaves may leave commands at work.
        if !self.core.leaving.is_cancelled()
            && let Ok(run) = self.journal.load().await
        {
            let project = std::path::PathBuf::from(run.task.project);
            let lifted = tokio::task::spawn_blocking(move || workspace::unguard_git(&project));
            if let Ok(Err(error)) = lifted.await {
                tracing::warn!(run = %self.id, %error, "its .git could not be left as it was");
            }
        }
        drop(leased);
    }
}

/// A call that nothing has begun of is not made any more: it was meant for other files.
fn overtaken(run: &Run, op: &Op, batch: &mut Batch) {
    let unbegun = op.kind == OpKind::Tool && op.state == OpState::Intended;
    if !unbegun || !run.task.kind.is_native() || op.class == domain::OpClass::Pure {
        return;
    }
    if let Some(review) = op.review {
        batch.push(Event::ReviewWithdrawn {
            review,
            why: "another run has worked in the folder meanwhile".to_owned(),
        });
    }
    let result = batch.blob(OVERTAKEN);
    batch.push(Event::OpFailed {
        op: op.id,
        error: OpError {
            kind: OpErrorKind::Cancelled,
            message: "another run has worked in the folder meanwhile".to_owned(),
            retry_at: None,
        },
        result: Some(result),
        charge: None,
    });
}

/// A time of day that does not depend on where the reader is.
fn clock_words(at: Timestamp) -> String {
    let minutes = at.0.div_euclid(60_000).rem_euclid(24 * 60);
    format!("{:02}:{:02} UTC", minutes / 60, minutes % 60)
}
