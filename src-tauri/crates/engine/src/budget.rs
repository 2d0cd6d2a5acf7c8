//! Budgets: the worst case is set aside before a call and settled after it.

use domain::{Budget, BudgetLimit, Event, FailCause, NanoUsd, Op, ReviewKind, Run, WaitCause};

use crate::asks;
use crate::conversation::Room;
use crate::journal::{Batch, Halt};
use crate::think::Call;
use crate::worker::Worker;

/// A call the budget allows.
pub(crate) struct Reserve {
    /// Worst case set aside.
    pub(crate) reserve: NanoUsd,
    /// Most tokens the answer may have.
    pub(crate) max_tokens: u64,
}

/// Whether the next call is allowed.
pub(crate) enum Affordable {
    /// It is.
    Yes(Reserve),
    /// It was not, a person was asked and answered: the run as it is now.
    Asked(Box<Run>),
}

impl Affordable {
    fn asked(run: Run) -> Self {
        Self::Asked(Box::new(run))
    }
}

impl Worker {
    /// Sets aside the worst case of the next call, with fewer answer tokens if
    /// that makes it fit; asks a person when it does not.
    pub(crate) async fn afford(&self, run: &Run, call: &Call) -> Result<Affordable, Halt> {
        let settings = self.core.settings();
        let prompt = self.estimate_prompt(run, call).await?;
        let known = self
            .core
            .parts
            .prices
            .max_output(&call.model)
            .unwrap_or(u64::MAX);
        let mut max_tokens = settings.max_answer_tokens.min(known);
        if let Some(cap) = run.budget.max_tokens {
            let left = cap.saturating_sub(run.spent.tokens.counted());
            max_tokens = max_tokens.min(left.saturating_sub(prompt / 10).max(1));
        }
        if call.backend.free {
            return Ok(Affordable::Yes(Reserve {
                reserve: NanoUsd::ZERO,
                max_tokens,
            }));
        }
        let worst = |tokens| {
            self.core
                .parts
                .prices
                .worst_case(&call.model, prompt, tokens, self.core.now())
        };
        let Some(full) = worst(max_tokens) else {
            return self.afford_unpriced(run, call, max_tokens).await;
        };
        let Some(cap) = run.budget.max_cost else {
            return Ok(Affordable::Yes(Reserve {
                reserve: full,
                max_tokens,
            }));
        };
        let left = cap.left_after(run.committed_cost());
        if full <= left && self.last_call_cost(run).await? <= left {
            return Ok(Affordable::Yes(Reserve {
                reserve: full,
                max_tokens,
            }));
        }
        let fitting = fit(max_tokens, left, worst);
        // What the last call really cost is the best guess of what the next one will.
        let too_dear = self.last_call_cost(run).await? > left;
        match fitting {
            Some((tokens, reserve)) if tokens >= settings.min_answer_tokens && !too_dear => {
                Ok(Affordable::Yes(Reserve {
                    reserve,
                    max_tokens: tokens,
                }))
            }
            _ => {
                let detail = format!(
                    "Spent {} of {} dollars ({} of it may have been billed); the next call may cost {}.",
                    run.committed_cost(),
                    cap,
                    run.spent.unsettled,
                    full
                );
                Ok(Affordable::asked(
                    self.ask_for_budget(BudgetLimit::Cost, detail).await?,
                ))
            }
        }
    }

    async fn afford_unpriced(
        &self,
        run: &Run,
        call: &Call,
        max_tokens: u64,
    ) -> Result<Affordable, Halt> {
        if run.budget.max_cost.is_none() {
            return Ok(Affordable::Yes(Reserve {
                reserve: NanoUsd::ZERO,
                max_tokens,
            }));
        }
        Ok(Affordable::asked(
            self.ask_about_price(run, &call.model).await?,
        ))
    }

    /// Asks whether the run may go on without a cost cap.
    pub(crate) async fn ask_about_price(&self, run: &Run, model: &str) -> Result<Run, Halt> {
        let review = asks::unpriced(run, model, self.core.now());
        self.ask_budget_review(review, "the price of the model is not known")
            .await
    }

    /// Reads what the next call is sent, and says how many tokens that may be.
    async fn estimate_prompt(&self, run: &Run, call: &Call) -> Result<u64, Halt> {
        let frame = serde_json::to_string(self.frame(run, call)).map_or(0, |text| text.len());
        let room = self.room(call, frame);
        let mut conversation = self.conversation.lock().await;
        conversation.fit(&self.journal, run, room).await?;
        Ok(agents::anthropic::estimate_tokens(
            conversation.bytes() + frame,
        ))
    }

    /// How much of the conversation the model takes beside `frame` bytes of instructions.
    fn room(&self, call: &Call, frame: usize) -> Room {
        let limits = self.core.parts.prices.limits(&call.model);
        let limits = limits.unwrap_or_default();
        let answer = self.core.settings().max_answer_tokens;
        let answer = limits.max_output_tokens.unwrap_or(answer).min(answer);
        Room::of(
            limits.context_window.or(limits.max_input_tokens),
            answer,
            frame,
        )
    }

    async fn last_call_cost(&self, run: &Run) -> Result<NanoUsd, Halt> {
        Ok(self
            .core
            .store()
            .last_call_cost(run.id)
            .await?
            .unwrap_or_default())
    }

    /// Between steps: a used-up cap asks, a nearly used-up one tells the agent.
    pub(crate) async fn mind_budget(&self, run: Run) -> Result<Run, Halt> {
        if let Some(limit) = run.exhausted() {
            let detail = used_words(&run);
            return self.ask_for_budget(limit, detail).await;
        }
        if run.nearly_exhausted() && !run.warned && run.step > 0 {
            let mut batch = Batch::default();
            let text = batch.blob(format!(
                "Longhaul: this task's budget is nearly used up ({}). Wrap up now: finish or leave the work in a \
                 consistent state and say what is left.",
                used_words(&run)
            ));
            batch.push(Event::BudgetWarned);
            batch.push(Event::MessageAdded {
                origin: domain::MessageOrigin::WrapUp,
                text,
            });
            return self.journal.append(batch).await;
        }
        Ok(run)
    }

    /// Before an operation: caps that the calls of one answer could overrun.
    pub(crate) async fn mind_budget_before_op(&self, run: &Run, op: &Op) -> Result<(), Halt> {
        let over = |run: &Run| {
            let calls = run
                .budget
                .max_tool_calls
                .is_some_and(|cap| run.spent.tool_calls > cap);
            let time = run
                .budget
                .max_active_ms
                .is_some_and(|cap| run.spent.active_ms >= cap);
            calls
                .then_some(BudgetLimit::ToolCalls)
                .or(time.then_some(BudgetLimit::Time))
        };
        let Some(_) = over(run) else { return Ok(()) };
        let _one = self.asking.lock().await;
        let run = self.journal.load().await?;
        if !run.open_ops.contains_key(&op.id) {
            return Err(Halt::Superseded(format!("{} is over", op.id)));
        }
        let Some(limit) = over(&run) else {
            return Ok(());
        };
        let run = self.ask_for_budget(limit, used_words(&run)).await?;
        if run.state().is_over() {
            Err(Halt::Stopped)
        } else {
            Ok(())
        }
    }

    /// The call fits: a question that an earlier look at the budget asked is over
    /// (the backend became free, a price became known).
    pub(crate) async fn budget_fits(&self, run: &Run) -> Result<(), Halt> {
        let mut batch = Batch::default();
        if run.waits.iter().any(|w| w.cause == WaitCause::Budget) {
            batch.push(Event::WaitEnded {
                cause: WaitCause::Budget,
            });
        }
        for (id, _) in run
            .reviews
            .iter()
            .filter(|(_, r)| r.kind == ReviewKind::Budget)
        {
            batch.push(Event::ReviewWithdrawn {
                review: *id,
                why: "the next call fits the budget".to_owned(),
            });
        }
        if batch.events.is_empty() {
            return Ok(());
        }
        self.journal.append(batch).await.map(|_| ())
    }

    /// Asks for more, waits, and does what was decided.
    pub(crate) async fn ask_for_budget(
        &self,
        limit: BudgetLimit,
        detail: String,
    ) -> Result<Run, Halt> {
        let run = self.journal.load().await?;
        let review = asks::budget(&run, limit, detail.clone(), self.core.now());
        self.ask_budget_review(review, &detail).await
    }

    /// Asks, waits, and does what was decided.
    async fn ask_budget_review(&self, review: domain::Review, detail: &str) -> Result<Run, Halt> {
        let run = self.journal.load().await?;
        let mut batch = Batch::default();
        if !run.waits.iter().any(|w| w.cause == WaitCause::Budget) {
            batch.push(Event::WaitBegan {
                cause: WaitCause::Budget,
                until: None,
                detail: detail.to_owned(),
            });
        }
        if asks::pending(&run, ReviewKind::Budget).is_none() {
            batch.push(Event::ReviewRequested {
                review: Box::new(review),
            });
        }
        if !batch.events.is_empty() {
            self.journal.append(batch).await?;
        }
        loop {
            let mut changes = self.control.changes();
            let run = self.journal.load().await?;
            let Some((id, review)) = asks::pending(&run, ReviewKind::Budget) else {
                return Ok(run);
            };
            let Some(answer) = review.decision(self.core.now()) else {
                self.await_decision(&mut changes, review).await?;
                continue;
            };
            if answer.choice != "more" {
                let why = format!("ended at its budget: {detail}");
                return self.fail_after(Some(id), FailCause::BudgetEnded, why).await;
            }
            self.enter().await?;
            let budget = raised(
                &run,
                review.subject.as_deref() == Some(asks::UNPRICED),
                answer.max_cost,
            );
            let mut batch = Batch::of(Event::ReviewUsed { review: id });
            batch.push(Event::BudgetChanged { budget });
            batch.push(Event::WaitEnded {
                cause: WaitCause::Budget,
            });
            return self.journal.append(batch).await;
        }
    }
}

/// The caps after *more*: what is used up grows by its first amount again, or
/// to what the user named.
fn raised(run: &Run, unpriced: bool, named: Option<NanoUsd>) -> Budget {
    let first = run.task.budget;
    let mut budget = run.budget;
    if let Some(cost) = named {
        budget.max_cost = Some(cost);
    } else if unpriced {
        budget.max_cost = None;
    } else if run
        .exhausted()
        .is_none_or(|limit| limit == BudgetLimit::Cost)
    {
        budget.max_cost = budget
            .max_cost
            .map(|cap| cap + first.max_cost.unwrap_or(cap));
    }
    match run.exhausted() {
        Some(BudgetLimit::Tokens) => {
            budget.max_tokens = budget.max_tokens.map(|c| c + first.max_tokens.unwrap_or(c))
        }
        Some(BudgetLimit::ToolCalls) => {
            budget.max_tool_calls = budget
                .max_tool_calls
                .map(|c| c + first.max_tool_calls.unwrap_or(c));
        }
        Some(BudgetLimit::Time) => {
            budget.max_active_ms = budget
                .max_active_ms
                .map(|c| c + first.max_active_ms.unwrap_or(c));
        }
        Some(BudgetLimit::Cost) | None => {}
    }
    budget
}

pub(crate) fn used_words(run: &Run) -> String {
    let mut words = Vec::new();
    if let Some(cap) = run.budget.max_cost {
        words.push(format!("${} of ${cap}", run.committed_cost()));
    }
    if let Some(cap) = run.budget.max_tokens {
        words.push(format!("{} of {cap} tokens", run.spent.tokens.counted()));
    }
    if let Some(cap) = run.budget.max_tool_calls {
        words.push(format!("{} of {cap} tool calls", run.spent.tool_calls));
    }
    if let Some(cap) = run.budget.max_active_ms {
        words.push(format!(
            "{} of {} minutes",
            run.spent.active_ms / 60_000,
            cap / 60_000
        ));
    }
    words.join(", ")
}

/// The most answer tokens whose worst case fits in `left`, and that worst case.
fn fit(max: u64, left: NanoUsd, worst: impl Fn(u64) -> Option<NanoUsd>) -> Option<(u64, NanoUsd)> {
    let (mut low, mut high) = (0, max);
    if worst(0)? > left {
        return None;
    }
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if worst(middle)? <= left {
            low = middle
        } else {
            high = middle - 1
        }
    }
    Some((low, worst(low)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_the_most_tokens_that_the_rest_can_pay() {
        let price = |tokens: u64| Some(NanoUsd(1_000 + 10 * i64::try_from(tokens).unwrap()));
        assert_eq!(
            fit(1_000, NanoUsd(2_000), price),
            Some((100, NanoUsd(2_000)))
        );
        assert_eq!(fit(50, NanoUsd(2_000), price), Some((50, NanoUsd(1_500))));
        assert_eq!(fit(50, NanoUsd(999), price), None);
    }
}
