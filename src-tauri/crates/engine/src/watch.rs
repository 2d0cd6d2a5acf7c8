//! An agent's turn, watched: it is ended when the budget is used up, not when the
//! agent has come to its own end.

use std::sync::{Mutex, OnceLock};

use agents::Usage;
use domain::{BudgetLimit, RunState};
use tokio_util::sync::CancellationToken;

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
}

impl Watch {
    pub(crate) fn new(backend: BackendConfig, stop: CancellationToken) -> Self {
        Self {
            backend,
            stop,
            used: Mutex::default(),
            over: OnceLock::new(),
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
        if let Some(used) = &*watch.used() {
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
            let _ = watch.over.set(limit);
            watch.stop.cancel();
        }
        Ok(())
    }
}
