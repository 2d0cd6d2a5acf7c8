//! What became of a call: its row in the ledger, what the limiter and the run are told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use agents::TurnError;
use agents::metering::Metered;
use domain::{CallEnd, Charge, Event, Figure, NanoUsd, OpErrorKind, Run};
use gateway::{Ended, Failure, Next};
use limiter::Permit;

use super::afford::sent;
use super::ahead::{Left, Recorded};
use super::{Attempt, Sent};
use crate::core::Core;
use crate::journal::{Batch, Halt, Journal};

impl Attempt {
    pub(super) async fn book_failure(
        self: &Arc<Self>,
        call: Option<u32>,
        permit: Permit,
        failure: Failure,
    ) -> Next {
        let Failure { status, error } = failure;
        let end = match (status, error.kind) {
            (Some(_), _) => CallEnd::Refused,
            (None, OpErrorKind::Cut) => CallEnd::Cut,
            (None, OpErrorKind::Silent) => CallEnd::Silent,
            (None, OpErrorKind::Offline) => CallEnd::Unreached,
            (None, _) => CallEnd::Refused,
        };
        let sent = call.and_then(|call| self.admitted().calls.get(&call).cloned());
        let fingerprint = sent.map(|sent| sent.fingerprint);
        let next = self.what_next(permit, &error, fingerprint).await;
        if let Some(call) = call {
            let billed = matches!(end, CallEnd::Cut | CallEnd::Silent);
            let metered = billed.then_some(Metered::Part(None));
            self.book(call, end, error.message, status, metered);
        }
        next
    }

    /// Limits are waited out here; the agent hears of what it has to know.
    async fn what_next(
        &self,
        permit: Permit,
        error: &TurnError,
        fingerprint: Option<String>,
    ) -> Next {
        if crate::gate::tell(permit, error.kind, error.retry_after_ms) {
            return Next::Again;
        }
        match error.kind {
            OpErrorKind::Auth => match fingerprint {
                Some(used) => self.key_was_refused(error, &used).await,
                None => Next::PassOn,
            },
            OpErrorKind::SpendLimit => {
                self.end_turn(error.clone());
                Next::PassOn
            }
            _ => Next::PassOn,
        }
    }

    /// The same call goes on with another key, if there is one by now.
    async fn key_was_refused(&self, error: &TurnError, used: &str) -> Next {
        let credentials = &self.core.parts.credentials;
        if let Ok(now) = credentials.refresh_after_401(&self.backend.key).await {
            if credentials.fingerprint(&now) != used {
                return Next::Again;
            }
            self.core.refuse(&self.backend.name, used.to_owned());
        }
        self.end_turn(error.clone());
        Next::PassOn
    }

    pub(super) fn book_end(self: &Arc<Self>, call: u32, ended: Ended) {
        if let (Some(permit), Some(broken)) = (ended.permit, &ended.broken) {
            crate::gate::tell(permit, broken.kind, None);
        }
        self.book(
            call,
            ended.end,
            ended.detail,
            ended.status,
            Some(ended.metered),
        );
        if ended.end == CallEnd::Answered && self.limited.swap(false, Ordering::SeqCst) {
            let journal = self.journal.clone();
            self.bookings
                .spawn(async move { limits_over(&journal).await });
        }
    }

    /// Without `metered` nothing can have been billed.
    fn book(
        self: &Arc<Self>,
        call: u32,
        end: CallEnd,
        detail: String,
        status: Option<u16>,
        metered: Option<Metered>,
    ) {
        let detail = match detail.is_empty() {
            true => detail,
            false => self
                .core
                .redact(&format!("{}: {detail}", self.backend.name)),
        };
        let sent = self.admitted().calls.get(&call).cloned();
        let Some(sent) = sent.filter(|sent| sent.cost.is_none()) else {
            return; // booked already
        };
        let charge = metered.map(|metered| Box::new(self.charge_of(&sent, metered)));
        if let Some(sent) = self.admitted().calls.get_mut(&call) {
            let cost = charge.as_ref().and_then(|charge| charge.cost);
            sent.cost = Some(cost.unwrap_or_default());
        }
        let ended = Event::CallEnded {
            op: self.op,
            call,
            end,
            status,
            detail,
            charge,
        };
        let booking = self.clone().record_end(call, sent, ended);
        self.bookings.spawn(booking);
    }

    async fn record_end(self: Arc<Self>, call: u32, sent: Sent, ended: Event) {
        // Without a beginning there is nothing to end: it was refused then.
        let begun = sent.recorded.await.is_ok();
        faults::crash_point("engine.call_answered");
        if begun {
            match self.journal.append(Batch::of(ended)).await {
                Ok(_) => self.core.attempts.ahead.ended(self.run, call),
                // It stays open, and the next start books it as lost.
                Err(halt) => tracing::error!(call, %halt, "the end of a call is not recorded"),
            }
        }
        self.admitted().calls.remove(&call);
        self.booked.notify_waiters();
    }

    /// Books a call that did not hear of its turn's end.
    pub(super) fn book_closed(self: &Arc<Self>, call: u32) {
        let metered = Some(Metered::Part(None));
        self.book(call, CallEnd::Closed, String::new(), None, metered);
    }

    fn charge_of(&self, sent: &Sent, metered: Metered) -> Charge {
        match metered {
            Metered::Whole(usage) => {
                let model = usage.parts.last().map_or("", |part| part.model.as_str());
                Charge {
                    requests: 1,
                    ..self.core.charge(&self.backend, &usage, model)
                }
            }
            Metered::Part(part) => {
                let row = self
                    .core
                    .unsettled_for(&sent.model, sent.reserve, part.as_ref());
                lost(row, self.backend.free)
            }
        }
    }
}

impl Core {
    /// Books calls of an earlier daemon that its journal does not know, or whose run is over.
    pub(crate) async fn take_up_calls(&self) -> Result<(), Halt> {
        for Left { line, recorded } in self.attempts.ahead.left() {
            let journal = self.journal(line.run);
            let Ok(run) = journal.load().await else {
                continue;
            };
            let run = match run.calls.contains_key(&line.call) || recorded == Recorded::Yes {
                true => run,
                false => journal.append(Batch::of(sent(line))).await?,
            };
            self.settle_calls(&journal, run).await?;
        }
        self.attempts.ahead.settled();
        Ok(())
    }

    /// Books what an earlier daemon sent and did not live to see the end of.
    pub(crate) async fn settle_calls(&self, journal: &Journal, run: Run) -> Result<Run, Halt> {
        if run.calls.is_empty() {
            return Ok(run);
        }
        let free = self.backend(&run.backend).await.is_ok_and(|b| b.free);
        let mut batch = Batch::default();
        for (call, sent) in &run.calls {
            let row = self.unsettled_for(&sent.model, sent.reserve, None);
            batch.push(Event::CallEnded {
                op: sent.op,
                call: *call,
                end: CallEnd::Lost,
                status: None,
                detail: format!(
                    "{}: Longhaul's background service ended while a call of {} was under way",
                    run.backend, sent.model
                ),
                charge: Some(Box::new(lost(row, free))),
            });
        }
        journal.append(batch).await
    }
}

/// The row of a call that may have been billed. Without a price it has none: nothing is
/// shown as zero that is not known to be.
fn lost(row: Charge, free: bool) -> Charge {
    match row.cost {
        Some(NanoUsd::ZERO) if !free => Charge {
            cost: None,
            figure: Figure::Unpriced,
            ..row
        },
        _ => row,
    }
}

async fn limits_over(journal: &Journal) {
    let Ok(run) = journal.load().await else {
        return;
    };
    let mut batch = Batch::default();
    for wait in run.waits.iter().filter(|wait| wait.is_limit()) {
        batch.push(Event::WaitEnded { cause: wait.cause });
    }
    if !batch.events.is_empty()
        && let Err(halt) = journal.append(batch).await
    {
        tracing::debug!(%halt, "a wait stays on the timeline");
    }
}
