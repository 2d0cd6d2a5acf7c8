//! Shell commands, each in a keeper of its own.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use agents::tools::{self, Tool, ToolResult};
use domain::{Event, Op, Run, RunId};
use keeper::{AdoptError, Adoption, Exit, Keeper, SpawnError, Spec};
use workspace::Workspace;

use crate::core::Core;
use crate::journal::Halt;
use crate::worker::Worker;

/// Longest output read back from a spool.
const OUTPUT_LIMIT: usize = 8 * 1024 * 1024;

/// What the model is told of a command that worked in a folder it did not hold any more.
const FENCED: &str = "Killed: another run has taken over this folder, because nothing was heard of this one \
                      for too long. What it did until then stands. What it said:";

/// How waiting for a command ended.
pub(crate) enum Waited {
    /// It is over.
    Exited(Exit),
    /// Its keeper is gone and left no record of its end.
    Lost(String),
    /// The daemon leaves; the keeper goes on.
    Left,
    /// The run was cancelled and the command killed.
    Killed,
    /// It was killed because another run has taken over the folder it worked in.
    Fenced(Exit),
}

impl Core {
    /// The folder of a keeper, by its name in the journal.
    pub(crate) fn keeper_dir(&self, name: &str) -> PathBuf {
        self.parts.home.join("keepers").join(name)
    }

    /// A short socket path for a keeper: sockets' paths are limited to 108 bytes.
    pub(crate) fn keeper_socket(&self, name: &str) -> PathBuf {
        let hash = blake3::hash(name.as_bytes()).to_hex();
        self.parts
            .runtime_dir
            .join(format!("k-{}.sock", &hash[..16]))
    }
}

/// A keeper's folder name: the run, the operation, the try.
pub(crate) fn keeper_name(run: RunId, op: &Op) -> String {
    format!("{run}-{}-{}", op.id, op.tries + 1)
}

impl Worker {
    pub(crate) async fn run_shell(
        &self,
        run: &Run,
        op: &Op,
        first: Vec<Event>,
        tool: &Tool,
        workspace: Workspace,
    ) -> Result<(), Halt> {
        let Tool::Shell { command, timeout_s } = tool else {
            self.begin_op(op, first, None, None).await?;
            return self
                .finish(
                    op,
                    ToolResult::error(format!("{} cannot be run here", op.name)),
                )
                .await;
        };
        let _effect = self.effect().await;
        let name = keeper_name(run.id, op);
        self.begin_op(op, first, Some(name.clone()), None).await?;
        let timeout_ms = timeout_s.saturating_mul(1000);
        let spec = self.command_spec(&name, command, &workspace, timeout_ms);
        let spec = match spec.await? {
            Ok(spec) => spec,
            Err(why) => return self.finish(op, ToolResult::error(why)).await,
        };
        self.changed.store(true, Ordering::SeqCst);
        match self.start_command(&name, &spec).await {
            Ok(keeper) => self.await_command(run, op, &name, keeper).await,
            // Everything else is known not to have begun; this may have.
            Err(SpawnError::Lost(evidence)) => {
                let words = crate::recovery::lost_words(&evidence);
                self.core.settle(&self.journal, run, op, &words).await
            }
            Err(error) => self.finish(op, ToolResult::error(error.to_string())).await,
        }
    }

    /// What a keeper is given to run a command, in its sandbox; in words, why there can
    /// be none.
    pub(crate) async fn command_spec(
        &self,
        name: &str,
        command: &str,
        workspace: &Workspace,
        timeout_ms: u64,
    ) -> Result<Result<Spec, String>, Halt> {
        let spec = tools::shell_spec(tools::ShellCommand {
            id: name.to_owned(),
            command: command.to_owned(),
            cwd: workspace.path().to_owned(),
            env: self.core.parts.base_env.clone(),
            timeout_ms,
            socket: self.core.keeper_socket(name),
        });
        let confined = Box::pin(self.core.confine(spec, workspace)).await;
        let (spec, confined) = match confined {
            Ok(confined) => confined,
            Err(why) => return Ok(Err(why)),
        };
        Box::pin(self.tell_confinement(confined)).await?;
        Ok(Ok(spec))
    }

    pub(crate) async fn start_command(
        &self,
        name: &str,
        spec: &Spec,
    ) -> Result<Keeper, SpawnError> {
        let dir = self.core.keeper_dir(name);
        let keeper = keeper::spawn(&self.core.parts.longhaul, &dir, spec).await;
        if let Err(SpawnError::NotStarted(failure)) = &keeper
            && failure.kind == keeper::StartFailureKind::Sandbox
        {
            self.core.doubt_sandbox();
        }
        let keeper = keeper?;
        faults::crash_point("engine.command_spawned");
        Ok(keeper)
    }

    /// Waits for a command, recording how it ended. `name` is its keeper's: an operation
    /// that was begun a moment ago does not have it yet.
    async fn await_command(
        &self,
        run: &Run,
        op: &Op,
        name: &str,
        keeper: Keeper,
    ) -> Result<(), Halt> {
        match self.wait_for(&keeper).await {
            Waited::Exited(exit) => {
                let result = self.core.command_result(name, &exit).await;
                self.finish_with(op, result, Some(exit_words(&exit)))
                    .await?;
                self.core.collect_keeper(name);
                Ok(())
            }
            Waited::Fenced(exit) => {
                let mut result = self.core.command_result(name, &exit).await;
                result.outcome = domain::OpOutcome::Error;
                result.text = format!("{FENCED}\n{}", result.text);
                self.finish_with(
                    op,
                    result,
                    Some("killed: its folder was taken over".to_owned()),
                )
                .await?;
                self.core.collect_keeper(name);
                self.must_hold_folder().await
            }
            Waited::Lost(evidence) => self.core.settle(&self.journal, run, op, &evidence).await,
            // The operation stays started: whoever comes next adopts its keeper.
            Waited::Left | Waited::Killed => Err(Halt::Stopped),
        }
    }

    pub(crate) async fn wait_for(&self, keeper: &Keeper) -> Waited {
        let _at_work = self.at_work().await;
        tokio::select! {
            biased;
            exit = keeper.wait() => match exit {
                Ok(exit) => Waited::Exited(exit),
                Err(evidence) => Waited::Lost(crate::recovery::lost_words(&evidence)),
            },
            // A daemon that leaves is in a hurry at the end; commands are not to pay for it.
            () = self.control.detach.cancelled() => Waited::Left,
            () = self.control.kill.cancelled() => {
                let _ = keeper.kill_tree().await;
                let _ = keeper.wait().await;
                Waited::Killed
            }
            () = self.folder_lost() => {
                let _ = keeper.kill_tree().await;
                match keeper.wait().await {
                    Ok(exit) => Waited::Fenced(exit),
                    Err(evidence) => Waited::Lost(crate::recovery::lost_words(&evidence)),
                }
            }
        }
    }

    /// Goes on waiting for a command that an earlier daemon (or worker) began.
    pub(crate) async fn adopt_command(&self, run: &Run, op: &Op) -> Result<(), Halt> {
        let _busy = self.busy().await?;
        let _effect = self.effect().await;
        self.changed.store(true, Ordering::SeqCst);
        let name = keeper_dir_name(op);
        match keeper::adopt(&self.core.keeper_dir(&name)).await {
            Ok(Adoption::Alive(keeper)) => self.await_command(run, op, &name, keeper).await,
            Ok(Adoption::Exited(exit)) => {
                let result = self.core.command_result(&name, &exit).await;
                self.finish_with(op, result, Some(exit_words(&exit)))
                    .await?;
                self.core.collect_keeper(&name);
                Ok(())
            }
            Ok(Adoption::NeverStarted) | Err(AdoptError::NoKeeper(_)) => {
                self.core.never_started(&self.journal, op).await
            }
            Ok(Adoption::Lost(evidence)) => {
                self.core
                    .settle(
                        &self.journal,
                        run,
                        op,
                        &crate::recovery::lost_words(&evidence),
                    )
                    .await
            }
            Err(error) => {
                self.core
                    .settle(&self.journal, run, op, &error.to_string())
                    .await
            }
        }
    }
}

/// The folder name of an operation's keeper.
pub(crate) fn keeper_dir_name(op: &Op) -> String {
    op.keeper.clone().unwrap_or_default()
}

impl Core {
    /// What the model is told of a command that is over.
    pub(crate) async fn command_result(&self, keeper: &str, exit: &Exit) -> ToolResult {
        let dir = self.keeper_dir(keeper);
        let mut spool = keeper::Output::of_ended(&dir, keeper::Stream::Out, 0);
        let mut output = Vec::new();
        while let Ok(Some(piece)) = spool.next().await {
            output.extend_from_slice(&piece);
            if output.len() >= OUTPUT_LIMIT {
                break;
            }
        }
        // What the spool had no room for: its end is kept apart.
        output.extend(keeper::tail(&dir, keeper::Stream::Out).unwrap_or_default());
        tools::shell_result(exit, output)
    }
}

/// How a command ended, for the journal.
fn exit_words(exit: &Exit) -> String {
    match (&exit.ending, exit.timed_out()) {
        (_, true) => "timed out".to_owned(),
        (keeper::Ending::Code(code), _) => format!("exit {code}"),
        (keeper::Ending::Signal(signal), _) => format!("signal {signal}"),
        (keeper::Ending::NotStarted(failure), _) => failure.to_string(),
    }
}
