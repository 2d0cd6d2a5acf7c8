//! An agent's turn, watched: it is ended when the budget is used up, not when the
//! agent has come to its own end.

use std::sync::{Mutex, OnceLock};

use agents::{TurnError, Usage};
use domain::{BudgetLimit, RunState};
use tokio_util::sync::CancellationToken;

use crate::agent_turn::living_turn;
use crate::backends::BackendConfig;
use crate::journal::Halt;
use crate::worker::Worker;

/// One turn under watch.
pub(crate) struct Watch {
    backend: BackendConfig,
    /// Ends the turn.
    stop: CancellationToken,
    used: Mutex<Option<Usage>>,
    over: OnceLock<BudgetLimit>,
    /// Why the turn cannot go on, where the gateway knows better than the agent says.
    explained: OnceLock<TurnError>,
    /// A model without a price, where there is a cost cap.
    unpriced: OnceLock<String>,
}

impl Watch {
    pub(crate) fn new(backend: BackendConfig, stop: CancellationToken) -> Self {
        Self {
            backend,
            stop,
            used: Mutex::default(),
            over: OnceLock::new(),
            explained: OnceLock::new(),
            unpriced: OnceLock::new(),
        }
    }

    /// Ends the turn for this cap.
    pub(crate) fn used_up(&self, limit: BudgetLimit) {
        let _ = self.over.set(limit);
        self.end();
    }

    /// Ends the turn for this reason, whatever its agent will call it.
    pub(crate) fn explain(&self, error: TurnError) {
        let _ = self.explained.set(error);
        self.end();
    }

    /// Ends the turn because this model's price is not known.
    pub(crate) fn without_price(&self, model: &str) {
        let _ = self.unpriced.set(model.to_owned());
        self.end();
    }

    /// Whether the turn was ended for what is known here.
    pub(crate) fn has_ended(&self) -> bool {
        self.over.get().is_some() || self.explained.get().is_some() || self.unpriced.get().is_some()
    }

    /// The model without a price for which the turn was ended.
    pub(crate) fn unpriced(&self) -> Option<&str> {
        self.unpriced.get().map(String::as_str)
    }

    /// How a turn really failed: by what the gateway knows, else as its agent says.
    pub(crate) fn real(&self, said: TurnError) -> TurnError {
        if let Some(real) = self.explained.get() {
            return TurnError {
                kind: real.kind,
                message: real.message.clone(),
                retry_after_ms: real.retry_after_ms,
                ..said
            };
        }
        let ended = self.has_ended();
        TurnError {
            // The agent may have heard of it before it was stopped, and call it a bad request.
            kind: match ended {
                true => domain::OpErrorKind::Cancelled,
                false => said.kind,
            },
            ..said
        }
    }

    /// The cap for which the turn was ended.
    pub(crate) fn over(&self) -> Option<BudgetLimit> {
        self.over.get().copied()
    }

    /// Ends the turn.
    pub(crate) fn end(&self) {
        self.stop.cancel();
    }

    /// What the turn consumed so far.
    pub(crate) fn note(&self, used: &Usage) {
        *self.used() = Some(used.clone());
    }

    fn used(&self) -> std::sync::MutexGuard<'_, Option<Usage>> {
        self.used
            .lock()
            .expect("no code panics while holding what was used")
    }
}

impl Worker {
    /// Ends the turn if a cap is used up, what the turn itself consumed included.
    pub(crate) async fn mind_budget_in_turn(&self, watch: &Watch) -> Result<(), Halt> {
        let run = self.journal.load().await?;
        let (mut cost, mut tokens) = (run.committed_cost(), run.spent.tokens);
        if run.metered == living_turn(&run).map(|op| op.id) && run.metered.is_some() {
            // All of it is booked already, and what is only set aside is not used up.
            cost = run.spent.settled + run.spent.unsettled;
        } else if let Some(used) = &*watch.used() {
            let charge = self.core.charge(&watch.backend, used, "");
            cost += charge.cost.unwrap_or_default();
            tokens = tokens.plus(&charge.tokens);
        }
        let mut active_ms = run.spent.active_ms;
        if run.state() == RunState::Running {
            active_ms += self.core.now().ms_since(run.last_at);
        }
        let calls = run.spent.tool_calls;
        if let Some(limit) = run.budget.exhausted(cost, &tokens, calls, active_ms) {
            watch.used_up(limit);
        }
        Ok(())
    }
}
