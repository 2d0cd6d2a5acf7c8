//! What a run did, read from its journal: since a checkpoint, and until one.

use std::collections::{HashMap, VecDeque};

use domain::{Checkpoint, Event, OpClass, OpId, OpKind, Run};

use crate::commands::CommandError;
use crate::core::Core;
use crate::going_back::Effect;

/// Journal entries read in one go.
const PAGE: u32 = 1000;

/// How many of an agent's calls it is told of when it begins again without its memory.
const TOLD_CALLS: usize = 40;

impl Core {
    /// What counts of the run after a position of its journal.
    pub(crate) async fn happened_since(&self, run: &Run, seq: u64) -> Result<Since, CommandError> {
        let mut since = Since::default();
        let mut intended: HashMap<OpId, (u32, OpKind, OpClass, String, String)> = HashMap::new();
        let mut next = seq + 1;
        loop {
            let page = self.store().journal(run.id, next, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(since);
            };
            next = last.entry.seq + 1;
            for entry in page.into_iter().map(|stored| stored.entry) {
                if !run.counts(entry.seq) {
                    continue;
                }
                match entry.event {
                    Event::StepStarted { .. } => since.steps += 1,
                    Event::OpIntended {
                        op,
                        step,
                        op_kind,
                        name,
                        class,
                        summary,
                        ..
                    } => {
                        intended.insert(op, (step, op_kind, class, name, summary));
                    }
                    Event::OpStarted { op, .. } => {
                        let Some((step, kind, class, name, summary)) = intended.remove(&op) else {
                            continue;
                        };
                        since.anything |= kind == OpKind::Tool && class != OpClass::Pure;
                        if kind == OpKind::Tool
                            && class == OpClass::AtMostOnce
                            && !only_looked(&summary)
                        {
                            since.effects.push(Effect {
                                op,
                                step,
                                name,
                                summary,
                                at: entry.at,
                            });
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// What an agent that lost its memory is told: the task is in its first message, this
    /// is what was done until the checkpoint.
    pub(crate) async fn told_again(
        &self,
        run: &Run,
        to: &Checkpoint,
    ) -> Result<String, CommandError> {
        let mut calls = VecDeque::new();
        for part in run.stretches_at(to.seq) {
            let mut next = part.after + 1;
            while next <= part.upto {
                let page = self.store().journal(run.id, next, PAGE).await?;
                let Some(last) = page.last() else { break };
                next = last.entry.seq + 1;
                for entry in page.into_iter().map(|stored| stored.entry) {
                    if let Event::OpIntended {
                        op_kind: OpKind::Tool,
                        name,
                        summary,
                        ..
                    } = entry.event
                        && entry.seq <= part.upto
                    {
                        calls.push_back(format!("- {name} {summary}"));
                        if calls.len() > TOLD_CALLS {
                            calls.pop_front();
                        }
                    }
                }
            }
        }
        let done = if calls.is_empty() {
            "Nothing had been done until then.".to_owned()
        } else {
            let lines: Vec<_> = calls.into();
            format!(
                "Until then this had been done (the newest calls):\n{}",
                lines.join("\n")
            )
        };
        Ok(format!(
            "Longhaul: the user took this task back to an earlier point ({}, after step {}). The files are as they \
             were then. {done}\nLook at the files, and go on from there.",
            to.id, to.step
        ))
    }
}

/// Whether a command's line says that it changed nothing. A shortened one never does.
fn only_looked(summary: &str) -> bool {
    let command = summary.strip_prefix("$ ");
    command.is_some_and(|command| agents::tools::read_only_command(command).is_some())
}

/// What a run did since a point of its journal.
#[derive(Default)]
pub(crate) struct Since {
    /// Steps it began.
    pub(crate) steps: u32,
    /// What cannot be taken back, oldest first.
    pub(crate) effects: Vec<Effect>,
    /// Whether anything may have changed files.
    pub(crate) anything: bool,
}
