//! Passing the credential's gate, and telling it what came back.

use agents::TurnError;
use domain::{Event, OpErrorKind, Run, Timestamp, WaitCause};
use limiter::{Limit, LimitKind, Permit};

use crate::backends::BackendConfig;
use crate::journal::{Batch, Halt, Journal};
use crate::worker::Worker;

/// How waiting at the gate ended.
pub(crate) enum Passed {
    /// Go.
    Yes(Permit),
    /// Waiting any longer makes no sense: why.
    TooLong(String),
    /// Somebody decided not to wait any longer: by which review, and why there was a wait.
    Ended(domain::ReviewId, String),
}

impl Worker {
    /// Waits until the credential's gate lets a call through, showing why and
    /// until when. The wait is over when the call was answered, not when it is let
    /// through: one that meets the limit again waits on.
    pub(crate) async fn pass_gate(&self, fingerprint: &str) -> Result<Passed, Halt> {
        let gate = self.core.parts.limiter.gate(fingerprint);
        let priority = self.journal.load().await?.task.priority;
        loop {
            let mut changes = self.control.changes();
            if let Some(review) = self.ended_the_wait().await? {
                let why = gate.blocked().map(|pause| pause.words());
                return Ok(Passed::Ended(review, why.unwrap_or_default()));
            }
            let pause = gate.blocked();
            let mut asked = None;
            if let Some(pause) = &pause {
                let cause = match pause.kind {
                    LimitKind::Offline => WaitCause::Offline,
                    _ => WaitCause::RateLimit,
                };
                if let Some(why) = self.too_long(pause).await? {
                    return Ok(Passed::TooLong(why));
                }
                self.begin_wait(cause, Some(pause.until), &pause.words())
                    .await?;
                asked = self.mind_long_wait(pause).await?;
                self.rest().await;
            }
            let decided = async {
                match &asked {
                    Some(review) => self.await_decision(&mut changes, review).await,
                    None => std::future::pending().await,
                }
            };
            let run = self.id.to_string();
            let acquired = tokio::select! {
                acquired = gate.acquire(&run, priority, &self.control.stop) => acquired,
                // A pause may have begun or been lengthened meanwhile: show it, and give the
                // slot to others (the call that ends the pause needs one).
                () = gate.changed() => continue,
                decided = decided => {
                    decided?;
                    continue;
                }
            };
            let Ok(permit) = acquired else {
                return Err(Halt::Stopped);
            };
            return Ok(Passed::Yes(permit));
        }
    }

    /// Whether the backend's credential is paused.
    pub(crate) async fn is_paused(&self, backend: &BackendConfig) -> bool {
        let Ok((_, fingerprint)) = self.core.usable_key(backend).await else {
            return false;
        };
        self.core
            .parts
            .limiter
            .gate(&fingerprint)
            .blocked()
            .is_some()
    }

    /// Ends the waits that limits and networks caused, also those that an earlier
    /// daemon recorded.
    pub(crate) async fn limits_over(&self) -> Result<(), Halt> {
        let run = self.journal.load().await?;
        let mut batch = Batch::default();
        for wait in run.waits.iter().filter(|wait| wait.is_limit()) {
            batch.push(Event::WaitEnded { cause: wait.cause });
        }
        self.nobody_need_wait(&run, &mut batch);
        if batch.events.is_empty() {
            return Ok(());
        }
        self.enter().await?;
        self.journal.append(batch).await.map(|_| ())
    }

    /// Whether this pause ends too late: beyond the longest allowed wait, or
    /// long enough that a named fallback should answer instead.
    async fn too_long(&self, pause: &limiter::Pause) -> Result<Option<String>, Halt> {
        let settings = self.core.settings();
        let run = self.journal.load().await?;
        let since = limited_since(&run, self.core.now());
        let total = pause.until.ms_since(since);
        // Who said that it goes on waiting has said so of all of it.
        if total > settings.max_wait_ms && !self.agreed_to_wait(&run, since).await? {
            return Ok(Some(format!(
                "{}; waiting longer than {} is not allowed (max_wait)",
                pause.words(),
                hours(settings.max_wait_ms)
            )));
        }
        let long = total > settings.fallback_after_ms;
        Ok((long && self.next_fallback(&run).await.0.is_some()).then(|| pause.words()))
    }

    /// Shows why nothing goes on, unless that is shown already.
    pub(crate) async fn begin_wait(
        &self,
        cause: WaitCause,
        until: Option<Timestamp>,
        detail: &str,
    ) -> Result<(), Halt> {
        begin_wait(&self.journal, cause, until, self.core.redact(detail)).await
    }

    /// Shows why nothing goes on, in other words too where they have changed.
    pub(crate) async fn begin_wait_saying(
        &self,
        cause: WaitCause,
        detail: &str,
    ) -> Result<(), Halt> {
        let detail = self.core.redact(detail);
        let run = self.journal.load().await?;
        let said = |wait: &domain::Wait| wait.cause == cause && wait.detail == detail;
        if run.waits.iter().any(said) {
            return Ok(());
        }
        let until = None;
        let began = Event::WaitBegan {
            cause,
            until,
            detail,
        };
        self.journal.append(Batch::of(began)).await.map(|_| ())
    }

    pub(crate) async fn sleep(&self, ms: i64) -> Result<(), Halt> {
        let until = std::time::Duration::from_millis(u64::try_from(ms).unwrap_or_default());
        tokio::select! {
            () = tokio::time::sleep(until) => Ok(()),
            () = self.control.stop.cancelled() => Err(Halt::Stopped),
        }
    }

    /// What came back decides whether the whole credential pauses.
    /// Whether it was a limit.
    pub(crate) fn tell_gate(&self, permit: Permit, error: &TurnError) -> bool {
        tell(permit, error.kind, error.retry_after_ms)
    }
}

/// Pauses the credential if this is a limit; whether it is.
pub(crate) fn tell(permit: Permit, kind: OpErrorKind, retry_after_ms: Option<u64>) -> bool {
    let kind = match kind {
        OpErrorKind::RateLimited => LimitKind::RateLimit,
        OpErrorKind::Overloaded => LimitKind::Overloaded,
        OpErrorKind::Offline => LimitKind::Offline,
        _ => return false,
    };
    permit.limited(Limit {
        kind,
        retry_after_ms,
    });
    true
}

/// Shows why nothing goes on, unless that is shown already.
pub(crate) async fn begin_wait(
    journal: &Journal,
    cause: WaitCause,
    until: Option<Timestamp>,
    detail: String,
) -> Result<(), Halt> {
    let run = journal.load().await?;
    if run
        .waits
        .iter()
        .any(|w| w.cause == cause && w.until == until)
    {
        return Ok(());
    }
    let began = Event::WaitBegan {
        cause,
        until,
        detail,
    };
    journal.append(Batch::of(began)).await.map(|_| ())
}

/// Since when limits keep the run from being answered: what is on record, which a
/// restart of the daemon does not change. `now` where nothing is.
pub(crate) fn limited_since(run: &Run, now: Timestamp) -> Timestamp {
    let waits = run.waits.iter().filter(|wait| wait.is_limit());
    waits.map(|wait| wait.since).min().unwrap_or(now)
}

fn hours(ms: i64) -> String {
    match ms / 60_000 {
        minutes if minutes < 60 => format!("{minutes} min"),
        minutes => format!("{} h", minutes / 60),
    }
}
