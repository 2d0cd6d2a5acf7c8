//! Running one tool call: `Started` durable first, the effect, then the outcome.

use std::sync::atomic::Ordering;

use agents::tools::{self, Tool, ToolResult};
use domain::{Event, Op, OpClass, OpOutcome, OpState, Run};
use workspace::Workspace;

use crate::journal::{Batch, Halt};
use crate::worker::Worker;

impl Worker {
    /// Runs a call nobody needs to decide.
    pub(crate) async fn execute(&self, run: &Run, op: &Op) -> Result<(), Halt> {
        self.execute_after(run, op, Vec::new()).await
    }

    /// Runs a call a person approved, using the decision up as it begins.
    pub(crate) async fn execute_decided(
        &self,
        run: &Run,
        op: &Op,
        used: Event,
    ) -> Result<(), Halt> {
        self.execute_after(run, op, vec![used]).await
    }

    async fn execute_after(&self, run: &Run, op: &Op, first: Vec<Event>) -> Result<(), Halt> {
        // Before it is busy: a run that waits for its budget's review holds no slot.
        self.mind_budget_before_op(run, op).await?;
        let _busy = self.busy().await?;
        let tool = match self.tool_of(op).await? {
            Ok(tool) => tool,
            Err(why) => return self.record(op, first, ToolResult::error(why)).await,
        };
        if let Tool::Plan { items } = tool {
            return self.record_plan(op, first, items).await;
        }
        let workspace = match self.open_workspace(run).await {
            Ok(workspace) => workspace,
            Err(why) => return self.record(op, first, ToolResult::error(why)).await,
        };
        match op.class {
            OpClass::Pure => self.run_pure(op, first, &tool, workspace).await,
            OpClass::Reconcilable => self.run_edit(op, first, &tool, workspace).await,
            OpClass::AtMostOnce => self.run_shell(run, op, first, &tool, workspace).await,
        }
    }

    async fn run_pure(
        &self,
        op: &Op,
        first: Vec<Event>,
        tool: &Tool,
        workspace: Workspace,
    ) -> Result<(), Halt> {
        self.begin_op(op, first, None, None).await?;
        let result = tools::run_pure(tool, &workspace).await;
        self.finish(op, result).await
    }

    /// Writes or edits a file: what it will look like is recorded first, so that
    /// after a crash the file itself tells whether it happened.
    async fn run_edit(
        &self,
        op: &Op,
        first: Vec<Event>,
        tool: &Tool,
        workspace: Workspace,
    ) -> Result<(), Halt> {
        let _effect = self.effect().await;
        let planned = match tools::plan_edit(tool, &workspace).await {
            Ok(planned) => planned,
            Err(result) => return self.record(op, first, result).await,
        };
        let plan = serde_json::to_string(&planned.write).map_err(|e| Halt::Store(e.to_string()))?;
        self.begin_op(op, first, None, Some(plan)).await?;
        self.changed.store(true, Ordering::SeqCst);
        faults::crash_point("engine.before_edit");
        let result = tools::perform(planned, &workspace).await;
        faults::crash_point("engine.edit_done");
        self.finish(op, result).await
    }

    async fn record_plan(
        &self,
        op: &Op,
        first: Vec<Event>,
        items: Vec<domain::PlanItem>,
    ) -> Result<(), Halt> {
        let mut batch = Batch {
            events: first,
            blobs: Vec::new(),
        };
        let result = batch.blob("Noted.");
        batch.push(Event::OpStarted {
            op: op.id,
            keeper: None,
            plan: None,
        });
        batch.push(Event::PlanChanged { items });
        batch.push(crate::ops::finished(
            op.id,
            OpOutcome::Ok,
            result,
            "plan noted".to_owned(),
        ));
        self.journal.append(batch).await.map(|_| ())
    }

    /// Durable before the effect.
    pub(crate) async fn begin_op(
        &self,
        op: &Op,
        first: Vec<Event>,
        keeper: Option<String>,
        plan: Option<String>,
    ) -> Result<(), Halt> {
        // Nothing begins any more once the run is to stop, however long it queued for its turn.
        self.check_stop()?;
        if keeper.is_some() || plan.is_some() {
            self.must_hold_folder().await?;
        }
        let mut batch = Batch {
            events: first,
            blobs: Vec::new(),
        };
        batch.push(Event::OpStarted {
            op: op.id,
            keeper,
            plan,
        });
        if !faults::sabotaged("no_intent") || batch.events.len() > 1 {
            self.journal.append(batch).await?;
        }
        faults::crash_point("engine.op_started");
        Ok(())
    }

    /// Records the outcome of a call that never came to an effect.
    async fn record(&self, op: &Op, first: Vec<Event>, result: ToolResult) -> Result<(), Halt> {
        self.begin_op(op, first, None, None).await?;
        self.finish(op, result).await
    }

    /// Records the outcome; known secrets are removed before anyone sees it.
    pub(crate) async fn finish(&self, op: &Op, result: ToolResult) -> Result<(), Halt> {
        self.finish_with(op, result, None).await
    }

    pub(crate) async fn finish_with(
        &self,
        op: &Op,
        result: ToolResult,
        stop: Option<String>,
    ) -> Result<(), Halt> {
        let mut batch = Batch::default();
        let text = batch.blob(self.core.redact(&op.told(&result.text)));
        let full = result.full.map(|full| {
            let text = String::from_utf8_lossy(&full).into_owned();
            batch.blob(self.core.redact(&text))
        });
        faults::crash_point("engine.before_finished");
        if faults::sabotaged("no_intent") {
            self.begin_late(op, &mut batch).await?;
        }
        batch.push(Event::OpFinished {
            op: op.id,
            outcome: result.outcome,
            result: text,
            full,
            summary: self.core.redact(&result.summary),
            charge: None,
            stop,
        });
        self.journal.append(batch).await?;
        faults::crash_point("engine.op_finished");
        Ok(())
    }

    /// What the sabotage `no_intent` does: the start is recorded with the end only.
    async fn begin_late(&self, op: &Op, batch: &mut Batch) -> Result<(), Halt> {
        let run = self.journal.load().await?;
        let unrecorded = |op: &&Op| op.state == OpState::Intended;
        if let Some(op) = run.open_ops.get(&op.id).filter(unrecorded) {
            batch.push(Event::OpStarted {
                op: op.id,
                keeper: None,
                plan: None,
            });
        }
        Ok(())
    }

    /// The run's workspace. Its folder must exist; whether it is whole was seen
    /// when it was prepared.
    pub(crate) async fn open_workspace(&self, run: &Run) -> Result<Workspace, String> {
        let workspace = self.core.prepare(run).await;
        workspace.map_err(|error| error.to_string())
    }

    /// Makes the workspace when the run starts, and says what is in it.
    pub(crate) async fn prepare_workspace(&self, run: Run) -> Result<Run, Halt> {
        // Found out before the model is told of it.
        self.core.sandbox().await;
        if run.workspace.is_some() {
            return Ok(run);
        }
        match self.open_workspace(&run).await {
            Ok(workspace) => {
                faults::crash_point("engine.workspace_made");
                // Ready only then: until it is, nothing else happens in it.
                let run = self.set_up(run).await?;
                if run.phase != domain::Phase::Active {
                    return Ok(run);
                }
                let event = Event::WorkspaceReady {
                    mode: run.task.workspace,
                    path: workspace.path().display().to_string(),
                    branch: workspace.branch().map(str::to_owned),
                    base: workspace.base_commit().map(str::to_owned),
                    left_out: workspace
                        .left_out()
                        .changed
                        .map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX)),
                };
                let mut batch = Batch::of(event);
                let pointers = workspace.left_out().lfs_pointers;
                if pointers > 0 {
                    let text = format!(
                        "Files of the workspace that are git LFS pointers, without their contents: {pointers}. \
                         Filters are the user's programs and are not run."
                    );
                    batch.push(Event::Noted { text });
                }
                self.journal.append(batch).await
            }
            Err(why) => self.fail(domain::FailCause::Workspace, why).await,
        }
    }
}
