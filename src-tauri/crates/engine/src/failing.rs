//! What follows a try that failed: again, another backend, or the end of the run.

use agents::{Answered, TurnError};
use domain::{Charge, Event, FailCause, Op, OpError, OpErrorKind, OpKind, Run};

use crate::backends::BackendConfig;
use crate::journal::{Batch, Halt};
use crate::think::Call;
use crate::worker::Worker;

/// How providers say that a request is longer than the model's context.
const TOO_LONG: [&str; 6] = [
    "prompt is too long",
    "context length",
    "context limit",
    "context window",
    "context size",
    "request_too_large",
];

/// What a failed try leads to.
pub(crate) enum After {
    /// Try again at this time (the gate or a delay sees to it).
    Again,
    /// Ask again with less of the conversation.
    Shorter,
    /// Give up on this backend.
    GiveUp(FailCause),
}

impl Worker {
    /// Decides what follows a failed try. Credential failures are seen to here.
    pub(crate) async fn after_failure(
        &self,
        call: &Call,
        error: &TurnError,
        tries: u32,
    ) -> Result<After, Halt> {
        let settings = self.core.settings();
        Ok(match error.kind {
            OpErrorKind::RateLimited | OpErrorKind::Overloaded | OpErrorKind::Offline => {
                After::Again
            }
            OpErrorKind::Server | OpErrorKind::Cut if tries < settings.tries => After::Again,
            OpErrorKind::Server | OpErrorKind::Cut => After::GiveUp(FailCause::Backend),
            OpErrorKind::Auth => {
                self.mark_refused(&call.backend).await;
                After::Again
            }
            OpErrorKind::Silent | OpErrorKind::Cancelled => After::Again,
            OpErrorKind::SpendLimit => After::GiveUp(FailCause::SpendLimit),
            OpErrorKind::BadRequest if self.can_shorten(error).await => After::Shorter,
            OpErrorKind::BadRequest => After::GiveUp(FailCause::BadRequest),
            _ => After::GiveUp(FailCause::Backend),
        })
    }

    pub(crate) async fn record_failure(
        &self,
        run: &Run,
        op: &Op,
        call: &Call,
        error: TurnError,
        after: After,
        tries: u32,
    ) -> Result<Run, Halt> {
        let charge = self.lost_charge(op, call, &error);
        let delay = self.delay(&error, tries);
        let next_at = self.core.now().plus_ms(delay);
        let kind = error.kind;
        let runner = format!("{} ({})", call.backend.name, call.model);
        let op_error = self.error_of(&runner, &error);
        let words = op_error.message.clone();
        match after {
            After::Shorter => {
                let failed = Event::OpFailed {
                    op: op.id,
                    error: op_error,
                    result: None,
                    charge,
                };
                self.journal.append(Batch::of(failed)).await
            }
            After::GiveUp(cause) => {
                let failed = Event::OpFailed {
                    op: op.id,
                    error: op_error,
                    result: None,
                    charge,
                };
                self.journal.append(Batch::of(failed)).await?;
                self.switch_or_fail(run, cause, words).await
            }
            After::Again => {
                let retried = Event::OpRetried {
                    op: op.id,
                    error: op_error,
                    next_at,
                    charge,
                };
                let run = self.journal.append(Batch::of(retried)).await?;
                faults::crash_point("engine.call_retried");
                match kind {
                    OpErrorKind::Silent => self.stalled(&words).await,
                    OpErrorKind::Cancelled => Err(Halt::Stopped),
                    OpErrorKind::Server | OpErrorKind::Cut => {
                        self.sleep(delay).await?;
                        Ok(run)
                    }
                    _ => Ok(run),
                }
            }
        }
    }

    /// What the journal says of a failed turn, naming who failed. Known secrets are removed.
    pub(crate) fn error_of(&self, runner: &str, error: &TurnError) -> OpError {
        let retry_in = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let retry_at = error.retry_after_ms.map(retry_in);
        OpError {
            kind: error.kind,
            message: self.core.redact(&format!("{runner}: {}", error.message)),
            retry_at: retry_at.map(|ms| self.core.now().plus_ms(ms)),
        }
    }

    /// Whether the provider found the request too long and less can be sent.
    async fn can_shorten(&self, error: &TurnError) -> bool {
        let said = error.message.to_ascii_lowercase();
        TOO_LONG.iter().any(|words| said.contains(words))
            && self.conversation.lock().await.too_long()
    }

    /// A try that may have been billed is booked at its worst case.
    fn lost_charge(&self, op: &Op, call: &Call, error: &TurnError) -> Option<Box<Charge>> {
        let billed = error.answered == Answered::Begun
            || matches!(
                error.kind,
                OpErrorKind::Cut | OpErrorKind::Silent | OpErrorKind::Cancelled
            );
        billed.then(|| {
            Box::new(
                self.core
                    .unsettled(call, op.reserve, error.partial.as_ref()),
            )
        })
    }

    /// 15 s doubling with up to a quarter of jitter, for failures that are not limits.
    fn delay(&self, error: &TurnError, tries: u32) -> i64 {
        if !matches!(error.kind, OpErrorKind::Server | OpErrorKind::Cut) {
            return 0;
        }
        let base = self
            .core
            .settings()
            .retry_ms
            .saturating_mul(1 << (tries - 1).min(6));
        // Spread by run and try, so that runs that failed together do not return together.
        let dice = blake3::hash(format!("{}:{tries}", self.id).as_bytes()).as_bytes()[0];
        let jitter = u64::from(dice) * base / 1024;
        i64::try_from(base - jitter).unwrap_or(i64::MAX)
    }

    /// Lets the next named fallback answer, or fails the run.
    pub(crate) async fn switch_or_fail(
        &self,
        run: &Run,
        cause: FailCause,
        why: String,
    ) -> Result<Run, Halt> {
        let (next, skipped) = self.next_fallback(run).await;
        if !skipped.is_empty() {
            let mut notes = Batch::default();
            for why in skipped {
                let text = format!("a named fallback is skipped: {why}");
                notes.push(Event::Noted { text });
            }
            self.journal.append(notes).await?;
        }
        let Some(next) = next else {
            return self.fail(cause, why).await;
        };
        let model = next.model_for(None);
        let now = self.journal.load().await?;
        let mut batch = Batch::default();
        for op in now.open_ops.values().filter(|op| op.kind == OpKind::Model) {
            crate::ops::cancel(op, &mut batch);
        }
        for wait in &now.waits {
            batch.push(Event::WaitEnded { cause: wait.cause });
        }
        self.nobody_need_wait(&now, &mut batch);
        batch.push(Event::BackendSwitched {
            backend: next.name,
            model,
            why,
        });
        self.journal.append(batch).await
    }

    /// The next named fallback that can be used, and why those before it cannot.
    pub(crate) async fn next_fallback(&self, run: &Run) -> (Option<BackendConfig>, Vec<String>) {
        let names = &run.task.fallback;
        let used = names.iter().position(|name| *name == run.backend);
        let mut skipped = Vec::new();
        for name in names.iter().skip(used.map_or(0, |at| at + 1)) {
            let found = self.core.backend(name).await;
            match found.and_then(|backend| self.core.driver(&backend).map(|_| backend)) {
                Ok(backend) => return (Some(backend), skipped),
                Err(error) => skipped.push(error.to_string()),
            }
        }
        (None, skipped)
    }
}
