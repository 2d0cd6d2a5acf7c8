//! Everything that can be asked of the store. Reads see what is committed and
//! never wait for a write.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use domain::{
    BlobRef, Checkpoint, Message, NanoUsd, OpId, Review, ReviewId, Run, RunId, RunState, Timestamp,
};
use serde_json::Value;

use crate::error::ReadError;
use crate::figures::{self, MadeDecision, RuleUse};
use crate::held::{self, HeldCall};
use crate::journal::{self, Stored};
use crate::leases::{self, Lease};
use crate::ledger::{self, GroupBy, LedgerFilter, LedgerRow, LedgerTotals};
use crate::ops::{self, OpRow};
use crate::outbox::{self, OutboxState, Outgoing};
use crate::reviews::{self, PutOff, ReviewFilter, ReviewRow};
use crate::rule_use::{self, RuleCounts};
use crate::runs::{self, PastRun, RunFilter, RunRow};
use crate::settings::{self, BackendRow, PauseRow};
use crate::store::Store;
use crate::{blobs, checkpoints, contents, messages, snapshots};

/// Runs a read on a connection of the pool.
macro_rules! read {
    ($self:ident, $call:expr) => {{
        let mut conn = $self.inner.readers.acquire().await?;
        $call(&mut *conn).await
    }};
}

impl Store {
    /// A run as its journal says it is.
    pub async fn load(&self, run: RunId) -> Result<Option<Run>, ReadError> {
        if let Some(fold) = self.inner.cache.get(run) {
            return Ok(Some(fold.run.clone()));
        }
        // One transaction, so that snapshot, events and head are of one moment.
        let mut tx = self.inner.readers.begin().await?;
        Ok(snapshots::fold(&mut tx, run).await?.map(|fold| fold.run))
    }

    /// Events after a global position, of all runs or one, oldest first.
    pub async fn events_after(
        &self,
        gseq: u64,
        limit: u32,
        run: Option<RunId>,
    ) -> Result<Vec<Stored>, ReadError> {
        let rows = match run {
            None => read!(self, async |c| journal::after(c, gseq, limit).await)?,
            Some(run) => read!(self, async |c| journal::of_run_after(c, run, gseq, limit)
                .await)?,
        };
        Ok(rows.into_iter().map(|row| row.stored).collect())
    }

    /// A run's events from a position on, oldest first.
    pub async fn journal(
        &self,
        run: RunId,
        from_seq: u64,
        limit: u32,
    ) -> Result<Vec<Stored>, ReadError> {
        let rows = read!(self, async |c| journal::of_run(c, run, from_seq, limit)
            .await)?;
        Ok(rows.into_iter().map(|row| row.stored).collect())
    }

    /// A content, checked against its name.
    pub async fn blob(&self, name: &BlobRef) -> Result<Bytes, ReadError> {
        read!(self, async |c| blobs::read(c, &self.inner.home, name).await)
    }

    /// Ends, interruptions, decisions, applies and rollbacks after a global position, newest
    /// first.
    pub async fn of_note(&self, gseq: u64, limit: u32) -> Result<Vec<Stored>, ReadError> {
        let rows = read!(self, async |c| journal::of_note(c, gseq, limit).await)?;
        Ok(rows.into_iter().map(|row| row.stored).collect())
    }

    /// When the event at a global position was recorded.
    pub async fn event_time(&self, gseq: u64) -> Result<Option<Timestamp>, ReadError> {
        let row = read!(self, async |c| journal::at(c, gseq).await)?;
        Ok(row.map(|row| row.stored.entry.at))
    }

    /// How often each kind of review was asked for since a moment, most often first.
    pub async fn reviews_asked(&self, since: Timestamp) -> Result<Vec<(String, u64)>, ReadError> {
        read!(self, async |c| figures::asked(c, since).await)
    }

    /// Decisions about what was asked for since a moment.
    pub async fn decisions_made(&self, since: Timestamp) -> Result<Vec<MadeDecision>, ReadError> {
        read!(self, async |c| figures::decisions(c, since).await)
    }

    /// What rules said of tool calls since a moment.
    pub async fn rule_uses(&self, since: Timestamp) -> Result<Vec<RuleUse>, ReadError> {
        read!(self, async |c| figures::rules(c, since).await)
    }

    /// How often each rule decided about calls since a moment, to the day.
    pub async fn rule_counts(&self, since: Timestamp) -> Result<RuleCounts, ReadError> {
        read!(self, async |c| rule_use::since(c, since).await)
    }

    /// What is due to be told to the webhook, oldest first.
    pub async fn outbox_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Outgoing>, ReadError> {
        read!(self, async |c| outbox::due(c, now, limit).await)
    }

    /// How telling the webhook goes.
    pub async fn outbox(&self) -> Result<OutboxState, ReadError> {
        read!(self, async |c| outbox::state(c).await)
    }

    /// Runs that pass the filter, newest first.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, ReadError> {
        read!(self, async |c| runs::list(c, filter).await)
    }

    /// One run's row.
    pub async fn run_row(&self, run: RunId) -> Result<Option<RunRow>, ReadError> {
        read!(self, async |c| runs::get(c, run).await)
    }

    /// These runs' rows, in no order; those there are none of are left out.
    pub async fn run_rows(&self, runs: &[RunId]) -> Result<Vec<RunRow>, ReadError> {
        read!(self, async |c| runs::of_ids(c, runs).await)
    }

    /// Runs that something goes on in: queued, running, verifying; oldest first.
    pub async fn active_runs(&self) -> Result<Vec<RunRow>, ReadError> {
        let mut rows = self.unfinished_runs().await?;
        rows.retain(|row| !row.state.at_rest());
        Ok(rows)
    }

    /// Runs that are not completed, failed or cancelled, oldest first.
    pub async fn unfinished_runs(&self) -> Result<Vec<RunRow>, ReadError> {
        read!(self, async |c| runs::unfinished(c).await)
    }

    /// Runs whose id begins so; none when it cannot be the beginning of an id.
    pub async fn find_runs(&self, prefix: &str, limit: u32) -> Result<Vec<RunId>, ReadError> {
        let Some(hex) = runs::hex_prefix(prefix) else {
            return Ok(Vec::new());
        };
        read!(self, async |c| runs::find(c, &hex, limit).await)
    }

    /// How many runs are in each state that has any.
    pub async fn run_counts(&self) -> Result<Vec<(RunState, u64)>, ReadError> {
        read!(self, async |c| runs::counts(c).await)
    }

    /// The project's newest completed runs, for an estimate of the next.
    pub async fn history(&self, project: &str, limit: u32) -> Result<Vec<PastRun>, ReadError> {
        read!(self, async |c| runs::history(c, project, limit).await)
    }

    /// A run's operations from a number on, oldest first.
    pub async fn ops(&self, run: RunId, from: OpId, limit: u32) -> Result<Vec<OpRow>, ReadError> {
        read!(self, async |c| ops::list(c, run, from, limit).await)
    }

    /// Those of these calls that are intended and have not begun.
    pub async fn held_calls(
        &self,
        calls: &[(RunId, OpId)],
    ) -> Result<HashMap<(RunId, OpId), HeldCall>, ReadError> {
        read!(self, async |c| held::list(c, calls).await)
    }

    /// The cost of the run's last model call whose cost is known.
    pub async fn last_call_cost(&self, run: RunId) -> Result<Option<NanoUsd>, ReadError> {
        read!(self, async |c| ops::last_call_cost(c, run).await)
    }

    /// Reviews that pass the filter, in its order.
    pub async fn reviews(&self, filter: &ReviewFilter) -> Result<Vec<ReviewRow>, ReadError> {
        read!(self, async |c| reviews::list(c, filter).await)
    }

    /// How many reviews are open and not put off at `now`, of all runs.
    pub async fn count_open_reviews(&self, now: Timestamp) -> Result<u64, ReadError> {
        read!(self, async |c| reviews::count_open(c, now).await)
    }

    /// How many open reviews (of one run, or of all) are put off at `now`, and when the
    /// first of them comes back.
    pub async fn reviews_put_off(
        &self,
        run: Option<RunId>,
        now: Timestamp,
    ) -> Result<PutOff, ReadError> {
        read!(self, async |c| reviews::put_off(c, run, now).await)
    }

    /// Open reviews nobody has answered since `cutoff` or longer.
    pub async fn reviews_waiting_since(&self, cutoff: Timestamp) -> Result<Vec<Review>, ReadError> {
        read!(self, async |c| reviews::waiting_since(c, cutoff).await)
    }

    /// Since when the open review waits that waits longest for an answer.
    pub async fn longest_wait(&self) -> Result<Option<Timestamp>, ReadError> {
        read!(self, async |c| reviews::longest_wait(c).await)
    }

    /// One review.
    pub async fn review(&self, id: ReviewId) -> Result<Option<ReviewRow>, ReadError> {
        read!(self, async |c| reviews::get(c, id).await)
    }

    /// Whose review it is.
    pub async fn run_of_review(&self, id: ReviewId) -> Result<Option<RunId>, ReadError> {
        read!(self, async |c| runs::of_review(c, id).await)
    }

    /// Reviews whose id begins so; none when it cannot be the beginning of an id.
    pub async fn find_reviews(&self, prefix: &str, limit: u32) -> Result<Vec<ReviewId>, ReadError> {
        let Some(hex) = runs::hex_prefix(prefix) else {
            return Ok(Vec::new());
        };
        read!(self, async |c| reviews::find(c, &hex, limit).await)
    }

    /// Whether a person is asked about `subject` in any run, or has answered and not yet
    /// been heard.
    pub async fn is_asked_about(&self, subject: &str) -> Result<bool, ReadError> {
        read!(self, async |c| reviews::is_asked_about(c, subject).await)
    }

    /// The conversation's messages from the `from`-th (0-based) on.
    pub async fn messages(&self, run: RunId, from: u32) -> Result<Vec<Message>, ReadError> {
        self.messages_in(run, from..u32::MAX).await
    }

    /// Those of a run's messages that have these numbers (from 0).
    pub async fn messages_in(
        &self,
        run: RunId,
        numbers: Range<u32>,
    ) -> Result<Vec<Message>, ReadError> {
        let Some(run) = self.load(run).await? else {
            return Ok(Vec::new());
        };
        read!(self, async |c| messages::conversation(
            c, &run, run.head, numbers
        )
        .await)
    }

    /// Several contents, in the order of their names.
    pub async fn blobs(&self, names: &[BlobRef]) -> Result<Vec<Bytes>, ReadError> {
        let mut conn = self.inner.readers.acquire().await?;
        contents::read(&mut conn, &self.inner.home, names).await
    }

    /// A run's checkpoints, oldest first.
    pub async fn checkpoints(&self, run: RunId) -> Result<Vec<Checkpoint>, ReadError> {
        read!(self, async |c| checkpoints::list(c, run).await)
    }

    /// Charges that pass the filter, oldest first.
    pub async fn ledger(&self, filter: &LedgerFilter) -> Result<Vec<LedgerRow>, ReadError> {
        read!(self, async |c| ledger::list(c, filter).await)
    }

    /// Sums of charges per group.
    pub async fn ledger_totals(
        &self,
        by: GroupBy,
        filter: &LedgerFilter,
    ) -> Result<Vec<LedgerTotals>, ReadError> {
        read!(self, async |c| ledger::totals(c, by, filter).await)
    }

    /// Every backend, by name.
    pub async fn backends(&self) -> Result<Vec<BackendRow>, ReadError> {
        read!(self, async |c| settings::backends(c).await)
    }

    /// One backend's configuration.
    pub async fn backend(&self, name: &str) -> Result<Option<Value>, ReadError> {
        read!(self, async |c| settings::backend(c, name).await)
    }

    /// Every lease that is held, in the order in which they were taken.
    pub async fn leases(&self) -> Result<Vec<Lease>, ReadError> {
        read!(self, async |c| leases::list(c).await)
    }

    /// Every limiter pause.
    pub async fn pauses(&self) -> Result<Vec<PauseRow>, ReadError> {
        read!(self, async |c| settings::pauses(c).await)
    }

    /// A setting's value.
    pub async fn setting(&self, name: &str) -> Result<Option<Value>, ReadError> {
        read!(self, async |c| settings::setting(c, name).await)
    }
}
