//! Setting aside what a call may cost, and putting it on record.

use std::collections::HashMap;

use agents::metering::Asked;
use domain::{BudgetLimit, Event, NanoUsd, Run};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use gateway::{Leave, Refused};
use limiter::Permit;
use secrets::Secret;

use super::ahead::Line;
use super::{Attempt, Sent, not_now};
use crate::budget::used_words;
use crate::journal::{Batch, Halt};

impl Attempt {
    /// Lets a call through that the budget allows.
    pub(super) async fn admit_call(
        &self,
        asked: &Asked,
        key: Option<Secret>,
        fingerprint: String,
        permit: Permit,
    ) -> Result<Leave, Refused> {
        let _one = self.admitting.lock().await;
        // Before the run is read: what ends meanwhile is in one of the two.
        let under_way = self.admitted().calls.clone();
        let run = self.load().await?;
        let hidden = hidden(&run, &under_way);
        let reserve = self.afford(&run, asked, hidden)?;
        let call = self.admitted().newest.max(run.calls_sent) + 1;
        let line = Line {
            run: self.run,
            op: self.op,
            call,
            api: asked.api.word().to_owned(),
            model: self.core.redact(&asked.model),
            reserve,
        };
        let recorded = self.write_ahead(line.clone())?;
        let sent = Sent {
            model: line.model,
            reserve,
            fingerprint,
            recorded: recorded.clone(),
            cost: None,
        };
        let mut admitted = self.admitted();
        admitted.newest = call;
        admitted.calls.insert(call, sent);
        Ok(Leave {
            call: Some(call),
            key,
            permit,
            recorded: recorded.map(|place| place.map(|_| ())).boxed(),
        })
    }

    /// Puts a call where no death of this process hides it, and on its way to the journal.
    fn write_ahead(
        &self,
        line: Line,
    ) -> Result<Shared<BoxFuture<'static, Result<u64, Refused>>>, Refused> {
        let (core, journal) = (self.core.clone(), self.journal.clone());
        if let Err(error) = core.attempts.ahead.sent(line.clone()) {
            return Err(not_now(&Halt::Store(error.to_string())));
        }
        faults::crash_point("engine.call_written_ahead");
        // On its own: it is recorded also if whoever waits for it goes.
        let recording = self.bookings.spawn(async move {
            let (run, call) = (line.run, line.call);
            let recorded = journal.append(Batch::of(sent(line))).await;
            match &recorded {
                Ok(_) => core.attempts.ahead.recorded(run, call),
                Err(_) => core.attempts.ahead.ended(run, call),
            }
            recorded.map(|run| run.head).map_err(|halt| not_now(&halt))
        });
        let recorded = async move {
            let ended = recording.await;
            ended.unwrap_or_else(|_| Err(Refused::NotNow("Longhaul is stopping".to_owned())))
        };
        Ok(recorded.boxed().shared())
    }

    /// The worst case of a call, or as much of it as the budget has left: what is sent
    /// cannot be changed, and an agent asks for far more answer than it gets.
    fn afford(&self, run: &Run, asked: &Asked, hidden: Hidden) -> Result<NanoUsd, Refused> {
        let spent = run.spent.settled + run.spent.unsettled + hidden.spent;
        let (tokens, calls) = (&run.spent.tokens, run.spent.tool_calls);
        if let Some(limit) = run
            .budget
            .exhausted(spent, tokens, calls, run.spent.active_ms)
        {
            return Err(self.over_budget(limit, &used_words(run)));
        }
        if self.backend.free {
            return Ok(NanoUsd::ZERO);
        }
        let settings = self.core.settings();
        let (prices, now) = (&self.core.parts.prices, self.core.now());
        let limits = prices.limits(&asked.model).unwrap_or_default();
        let most_in = limits.context_window.or(limits.max_input_tokens);
        let prompt =
            agents::anthropic::estimate_tokens(asked.bytes).min(most_in.unwrap_or(u64::MAX));
        let most_out = limits
            .max_output_tokens
            .unwrap_or(settings.max_answer_tokens);
        let answer = asked.max_tokens.unwrap_or(most_out).min(most_out);
        let worst = |tokens| prices.worst_case(&asked.model, prompt, tokens, now);
        let Some(worst_case) = worst(answer) else {
            return self.afford_unpriced(run, &asked.model);
        };
        let Some(cap) = run.budget.max_cost else {
            return Ok(worst_case);
        };
        let left = cap.left_after(run.committed_cost() + hidden.spent + hidden.reserved);
        let least = worst(answer.min(settings.min_answer_tokens)).unwrap_or(worst_case);
        if least > left {
            let words = format!(
                "spent {spent} of {cap} dollars, {} more are set aside; the next call costs up to {worst_case}",
                run.reserved() + hidden.reserved
            );
            return Err(self.over_budget(BudgetLimit::Cost, &words));
        }
        Ok(worst_case.min(left))
    }

    fn over_budget(&self, limit: BudgetLimit, words: &str) -> Refused {
        if let Some(watch) = &*self.watch() {
            watch.used_up(limit);
        }
        Refused::Never(format!(
            "Longhaul: this task's budget does not allow it: {words}"
        ))
    }

    /// A cost cap cannot be kept without a price: a person is asked first.
    fn afford_unpriced(&self, run: &Run, model: &str) -> Result<NanoUsd, Refused> {
        if run.budget.max_cost.is_none() {
            return Ok(NanoUsd::ZERO);
        }
        if let Some(watch) = &*self.watch() {
            watch.without_price(model);
        }
        Err(Refused::Never(format!(
            "Longhaul: the price of {model} is not known, and this task has a cost cap"
        )))
    }
}

/// What the journal does not show yet.
#[derive(Clone, Copy, Default)]
struct Hidden {
    /// Of calls that are over, beyond what is set aside for them.
    spent: NanoUsd,
    /// Of calls whose beginning is on its way to the disk.
    reserved: NanoUsd,
}

fn hidden(run: &Run, under_way: &HashMap<u32, Sent>) -> Hidden {
    let mut hidden = Hidden::default();
    for (call, sent) in under_way {
        let begun = matches!(sent.recorded.peek(), Some(Ok(place)) if *place <= run.head);
        match (run.calls.contains_key(call), sent.cost) {
            (true, None) => {}
            (true, Some(cost)) => hidden.spent += NanoUsd((cost.0 - sent.reserve.0).max(0)),
            // Its end is in the journal as well.
            (false, _) if begun => {}
            (false, None) => hidden.reserved += sent.reserve,
            (false, Some(cost)) => hidden.spent += cost,
        }
    }
    hidden
}

/// The journal's record of a call that is sent.
pub(super) fn sent(line: Line) -> Event {
    Event::CallSent {
        op: line.op,
        call: line.call,
        api: line.api,
        model: line.model,
        reserve: line.reserve,
    }
}
