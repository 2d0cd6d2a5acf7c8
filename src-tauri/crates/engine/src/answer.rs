//! Recording an answer: in one transaction the answer, what it cost, and the
//! intents of everything it asks for. No crash can fall between them.

use std::sync::atomic::Ordering;

use agents::tools::Tool;
use agents::{Stop, ToolCall, Turn};
use domain::{
    BlobRef, Event, FailCause, MessageOrigin, Op, OpError, OpErrorKind, OpId, OpOutcome, Run,
};

use crate::intent::IntentOf;
use crate::journal::{Batch, Halt};
use crate::think::Call;
use crate::worker::Worker;

/// How often an answer cut off by its token limit is asked to go on.
const MAX_CONTINUES: u32 = 3;

impl Worker {
    pub(crate) async fn record_answer(
        &self,
        run: &Run,
        op: &Op,
        call: &Call,
        turn: Turn,
    ) -> Result<Run, Halt> {
        let turn = self.redacted(turn);
        let mut batch = Batch::default();
        let content = batch.blob(turn.content.clone());
        let charge = match (&turn.usage, &turn.charge) {
            (Some(usage), _) => Some(self.core.charge(&call.backend, usage, &turn.model)),
            (None, charge) => charge.clone(),
        };
        batch.push(Event::OpFinished {
            op: op.id,
            outcome: OpOutcome::Ok,
            result: content,
            full: None,
            summary: summary(&turn),
            charge: charge.map(Box::new),
            stop: Some(turn.stop.word().to_owned()),
        });
        let answer_only = Batch {
            events: batch.events.clone(),
            blobs: batch.blobs.clone(),
        };
        self.add_remarks(call, &turn, &mut batch);
        self.add_intents(run, op, &turn, &mut batch).await?;
        let goes_on = self.add_continuation(run, &turn, &mut batch);
        let ending = ending(&turn);
        if let Some(ending) = ending.clone() {
            // With the answer: a run found after a crash with a refusal as its last word
            // would be taken for done.
            let mut now = self.journal.load().await?;
            now.open_ops.remove(&op.id);
            let partial = Some(turn.text.clone()).filter(|text| !text.is_empty());
            self.add_failure(&now, None, ending, partial, &mut batch);
        }
        faults::crash_point("engine.before_answer");
        let run = match self.journal.append(batch).await {
            Ok(run) => run,
            // The run ended meanwhile: nothing it asks for will happen, but what it cost is booked.
            Err(Halt::Superseded(_)) => {
                let run = self.journal.append(answer_only).await?;
                match ending {
                    Some((cause, why)) if !run.state().is_over() => self.fail(cause, why).await?,
                    _ => run,
                }
            }
            Err(halt) => return Err(halt),
        };
        faults::crash_point("engine.answer_recorded");
        if let (Stop::CallInText(tool), GoesOn::No) = (&turn.stop, goes_on)
            && !run.state().is_over()
        {
            // The model was told: whoever takes over, or resumes, finds a question to answer.
            let why = call_in_text_words(call, tool);
            return self.switch_or_fail(&run, FailCause::Backend, why).await;
        }
        Ok(run)
    }

    /// What is not as was asked: once a worker, and not with every answer.
    fn add_remarks(&self, call: &Call, turn: &Turn, batch: &mut Batch) {
        let (name, asked) = (&call.backend.name, &call.model);
        let mut remarks = Vec::new();
        if !agents::same_model(asked, &turn.model) {
            let answered = self.core.redact(&turn.model);
            remarks.push(format!(
                "{name} was asked for the model {asked}; the answer says that it is from {answered}"
            ));
        }
        let estimated = |usage: &agents::Usage| usage.counted == agents::Counted::Estimated;
        if turn.usage.as_ref().is_some_and(estimated) {
            remarks.push(format!(
                "{name} does not report what its calls consume: their tokens and cost are estimated from the length of \
                 what is sent and answered"
            ));
        }
        for text in remarks {
            if self.is_news(&text) {
                batch.push(Event::Noted { text });
            }
        }
    }

    /// What came in without known secrets: neither the journal nor a tool gets one, and
    /// the model is not told its own words with one in them.
    fn redacted(&self, turn: Turn) -> Turn {
        let redact = |text: &str| self.core.redact(text);
        let calls = turn.calls.into_iter().map(|call| ToolCall {
            input: redact(&call.input),
            ..call
        });
        Turn {
            content: redact(&turn.content),
            text: redact(&turn.text),
            calls: calls.collect(),
            ..turn
        }
    }

    async fn add_intents(
        &self,
        run: &Run,
        op: &Op,
        turn: &Turn,
        batch: &mut Batch,
    ) -> Result<(), Halt> {
        let mut repeats = self.repeats(run).await?;
        let rules = self.core.rules(run).await;
        for (index, call) in turn.calls.iter().enumerate() {
            let args = batch.blob(call.input.clone());
            let repeated = repeats.add(match Tool::parse(&call.name, &call.input) {
                Ok(_) => Same::Call(call.name.clone(), args.clone()),
                Err(_) => Same::Malformed(call.name.clone()),
            });
            let id = OpId(run.ops_recorded + 1 + u32::try_from(index).unwrap_or(u32::MAX));
            let intent = IntentOf {
                run,
                rules: &rules,
                op: id,
                step: op.step,
                call,
                args,
                now: self.core.now(),
                repeats: repeated,
                loop_limit: self.core.settings().loop_limit,
            }
            .build(batch);
            batch.push(intent.event);
            if matches!(turn.stop, Stop::ToolUse | Stop::EndTurn | Stop::Other(_)) {
                batch.events.extend(intent.after);
            } else {
                // An answer that was cut off may have left the call's arguments half-written.
                let result = batch
                    .blob("The answer was cut off before this call was complete; it was not run.");
                let error = OpError {
                    kind: OpErrorKind::Tool,
                    message: "the answer was cut off before it".to_owned(),
                    retry_at: None,
                };
                batch.push(Event::OpFailed {
                    op: id,
                    error,
                    result: Some(result),
                    charge: None,
                });
            }
        }
        Ok(())
    }

    /// An answer cut off by its token limit, or with a call where nothing can run it, is
    /// asked to go on, a few times.
    fn add_continuation(&self, run: &Run, turn: &Turn, batch: &mut Batch) -> GoesOn {
        let words = match &turn.stop {
            Stop::MaxTokens if turn.calls.is_empty() => {
                "Your answer was cut off by its length limit. Go on exactly where it stopped."
                    .to_owned()
            }
            Stop::CallInText(tool) => format!(
                "Your answer has a call of the tool {tool} written as text, so nothing was run. Call the tool itself, or \
                 say that you are done."
            ),
            _ => {
                self.continues.store(0, Ordering::SeqCst);
                return GoesOn::No;
            }
        };
        let often = self.continues.fetch_add(1, Ordering::SeqCst) >= MAX_CONTINUES;
        // A model that never called one is not forgetful: its server passes no tools on.
        let never = run.spent.tool_calls == 0;
        let goes_on = match turn.stop {
            Stop::CallInText(_) if often || never => GoesOn::No,
            Stop::CallInText(_) => GoesOn::Yes,
            _ if often => {
                tracing::warn!(run = %run.id, "the answer was cut off too often; taking it as it is");
                return GoesOn::No;
            }
            _ => GoesOn::Yes,
        };
        let text = batch.blob(words);
        batch.push(Event::MessageAdded {
            origin: MessageOrigin::Continue,
            text,
        });
        goes_on
    }

    /// How often in a row the newest call was made, from the journal.
    async fn repeats(&self, run: &Run) -> Result<Repeats, Halt> {
        let limit = self.core.settings().loop_limit;
        let recent = self.journal.recent_calls(run, limit).await?;
        let mut repeats = Repeats::default();
        // A person who let the call go on starts the count anew.
        for call in recent {
            if call.review.is_some() {
                repeats = Repeats::default();
            } else {
                repeats.add(if call.rule == crate::policy::malformed().rule {
                    Same::Malformed(call.name)
                } else {
                    Same::Call(call.name, call.args)
                });
            }
        }
        Ok(repeats)
    }
}

/// Whether an answer that is not the last word is asked to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GoesOn {
    Yes,
    No,
}

fn call_in_text_words(call: &Call, tool: &str) -> String {
    format!(
        "{} ({}) answers with tool calls as text (of {tool}) instead of making them: its server does not know this \
         model's way of calling tools. Choose a model the server offers tools for, or set the server up for it (vLLM: \
         --enable-auto-tool-choice --tool-call-parser; llama.cpp: --jinja)",
        call.backend.name, call.model
    )
}

/// What makes two calls the same.
#[derive(PartialEq)]
enum Same {
    /// The same tool with the same arguments.
    Call(String, BlobRef),
    /// A tool that was called wrongly, whichever way.
    Malformed(String),
}

#[derive(Default)]
struct Repeats {
    last: Option<Same>,
    count: usize,
}

impl Repeats {
    /// Counts a call; returns how often in a row it was made before.
    fn add(&mut self, call: Same) -> usize {
        if self.last.as_ref() == Some(&call) {
            self.count += 1;
        } else {
            self.last = Some(call);
            self.count = 1;
        }
        self.count - 1
    }
}

/// How an answer that is no answer ends its run.
fn ending(turn: &Turn) -> Option<(FailCause, String)> {
    match &turn.stop {
        Stop::Refusal(category) => {
            let kind = category.as_ref().map(|c| format!(" ({c})"));
            let words = format!(
                "{} declined the task{}",
                turn.model,
                kind.unwrap_or_default()
            );
            Some((FailCause::Refused, words))
        }
        Stop::ContextFull => {
            let words = format!("the context window of {} is full", turn.model);
            Some((FailCause::BadRequest, words))
        }
        _ => None,
    }
}

fn summary(turn: &Turn) -> String {
    let calls = match turn.calls.len() {
        0 => String::new(),
        1 => turn.calls[0].name.clone(),
        n => format!("{n} calls"),
    };
    let text: String = turn
        .text
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(120)
        .collect();
    match (text.is_empty(), calls.is_empty()) {
        (false, _) => text,
        (true, false) => calls,
        (true, true) => turn.stop.word().to_owned(),
    }
}
