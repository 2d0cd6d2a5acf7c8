//! Passing the credential's gate, and telling it what came back.

use agents::TurnError;
use domain::{Event, OpErrorKind, Timestamp, WaitCause};
use limiter::{Limit, LimitKind, Permit};

use crate::journal::{Batch, Halt};
use crate::worker::Worker;

/// How waiting at the gate ended.
pub(crate) enum Passed {
    /// Go.
    Yes(Permit),
    /// Waiting any longer makes no sense: why.
    TooLong(String),
}

impl Worker {
    /// Waits until the credential's gate lets a call through, showing why and
    /// until when. `began` is when this call was first wanted.
    pub(crate) async fn pass_gate(
        &self,
        fingerprint: &str,
        began: Timestamp,
    ) -> Result<Passed, Halt> {
        let gate = self.core.parts.limiter.gate(fingerprint);
        let priority = self.journal.load().await?.task.priority;
        loop {
            let pause = gate.blocked();
            if let Some(pause) = &pause {
                let cause = match pause.kind {
                    LimitKind::Offline => WaitCause::Offline,
                    _ => WaitCause::RateLimit,
                };
                if let Some(why) = self.too_long(pause, began).await? {
                    self.limits_over().await?;
                    return Ok(Passed::TooLong(why));
                }
                self.begin_wait(cause, Some(pause.until), &pause.words())
                    .await?;
                self.rest().await;
            }
            let run = self.id.to_string();
            let acquired = tokio::select! {
                acquired = gate.acquire(&run, priority, &self.control.stop) => acquired,
                // A pause may have begun or been lengthened meanwhile: show it, and give the
                // slot to others (the call that ends the pause needs one).
                () = gate.changed() => continue,
            };
            let Ok(permit) = acquired else {
                return Err(Halt::Stopped);
            };
            self.limits_over().await?;
            return Ok(Passed::Yes(permit));
        }
    }

    /// Ends the waits that limits and networks caused, also those that an earlier
    /// daemon recorded.
    async fn limits_over(&self) -> Result<(), Halt> {
        let run = self.journal.load().await?;
        let mut batch = Batch::default();
        for wait in run
            .waits
            .iter()
            .filter(|w| matches!(w.cause, WaitCause::RateLimit | WaitCause::Offline))
        {
            batch.push(Event::WaitEnded { cause: wait.cause });
        }
        if batch.events.is_empty() {
            return Ok(());
        }
        self.enter().await?;
        self.journal.append(batch).await.map(|_| ())
    }

    /// Whether this pause ends too late: beyond the longest allowed wait, or
    /// long enough that a named fallback should answer instead.
    async fn too_long(
        &self,
        pause: &limiter::Pause,
        began: Timestamp,
    ) -> Result<Option<String>, Halt> {
        let settings = self.core.settings();
        let total = pause.until.ms_since(began);
        if total > settings.max_wait_ms {
            return Ok(Some(format!(
                "{}; waiting longer than {} is not allowed (max_wait)",
                pause.words(),
                hours(settings.max_wait_ms)
            )));
        }
        let run = self.journal.load().await?;
        let at = run
            .task
            .fallback
            .iter()
            .position(|name| *name == run.backend)
            .map_or(0, |at| at + 1);
        if at < run.task.fallback.len() && total > settings.fallback_after_ms {
            return Ok(Some(pause.words()));
        }
        Ok(None)
    }

    /// What came back decides whether the whole credential pauses.
    pub(crate) fn tell_gate(&self, permit: Permit, error: &TurnError) {
        let kind = match error.kind {
            OpErrorKind::RateLimited => LimitKind::RateLimit,
            OpErrorKind::Overloaded => LimitKind::Overloaded,
            OpErrorKind::Offline => LimitKind::Offline,
            _ => return drop(permit),
        };
        permit.limited(Limit {
            kind,
            retry_after_ms: error.retry_after_ms,
        });
    }
}

fn hours(ms: i64) -> String {
    match ms / 60_000 {
        minutes if minutes < 60 => format!("{minutes} min"),
        minutes => format!("{} h", minutes / 60),
    }
}
