//! A journal's events as lines for people.

use domain::{Event, OpKind, OpOutcome, Settlement};
use protocol::LogEntry;

use crate::print::{Look, Printer, safe};
use crate::table::shorten;
use crate::times;

/// How an event is shown: a mark, its look and the words. None: not worth a line.
pub(crate) fn entry(print: &Printer, entry: &LogEntry) -> Option<String> {
    let (mark, look, words) = words(entry)?;
    let time = print.look(&times::clock(entry.at.0), Look::Faint);
    let words = safe(&words);
    let mut lines = words.lines();
    let first = print.look(lines.next().unwrap_or_default(), look);
    let mut text = format!("{time} {} {first}", print.look(mark, look));
    for line in lines {
        text.push_str(&format!("\n           {line}"));
    }
    Some(text)
}

fn words(entry: &LogEntry) -> Option<(&'static str, Look, String)> {
    let said = entry.text.clone().unwrap_or_default();
    Some(match &entry.event {
        Event::RunCreated { task, .. } => ("•", Look::Bold, task.title.clone()),
        Event::Queued { reason } => ("•", Look::Faint, format!("queued ({reason})")),
        Event::Started { backend, model } => {
            let model = model.as_deref().unwrap_or("its own model");
            (
                "•",
                Look::Faint,
                format!("started on {backend} with {model}"),
            )
        }
        Event::BackendSwitched {
            backend,
            model,
            why,
        } => {
            let model = model.as_deref().unwrap_or("its own model");
            (
                "!",
                Look::Attention,
                format!("{backend} with {model} answers from here on: {why}"),
            )
        }
        Event::WorkspaceReady { mode, path, .. } => {
            ("•", Look::Faint, format!("works in {path} ({mode})"))
        }
        Event::OpIntended {
            op_kind: OpKind::Model,
            ..
        }
        | Event::OpStarted { .. }
        | Event::StepStarted { .. }
        | Event::CheckpointTaken { .. }
        | Event::PlanChanged { .. }
        | Event::SessionBound { .. }
        | Event::Charged { .. }
        | Event::CallSent { .. }
        | Event::Suspended { .. } => return None,
        Event::OpIntended { name, summary, .. } => {
            ("→", Look::Active, format!("{name}  {summary}"))
        }
        Event::OpRetried { error, .. } => (
            "↻",
            Look::Attention,
            format!("{}; trying again", error.message),
        ),
        Event::OpFinished {
            outcome, summary, ..
        } => {
            let words = if said.trim().is_empty() {
                summary.clone()
            } else {
                said
            };
            let (mark, look) = match outcome {
                OpOutcome::Ok => ("✓", Look::Plain),
                OpOutcome::Error => ("✗", Look::Attention),
            };
            if words.trim().is_empty() {
                return None;
            }
            (mark, look, clip(&words, 12))
        }
        Event::OpFailed { error, .. } => ("✗", Look::Bad, error.message.clone()),
        Event::OpSettled { op, settlement, .. } => {
            ("•", Look::Attention, settled(op.0, settlement))
        }
        // The title above has the prompt's first line already.
        Event::MessageAdded {
            origin: domain::MessageOrigin::Prompt,
            ..
        } if said.trim().lines().count() < 2 => return None,
        Event::MessageAdded { origin, .. } => {
            ("»", Look::Bold, format!("{origin}: {}", clip(&said, 6)))
        }
        Event::Noted { text } => ("•", Look::Faint, text.clone()),
        Event::CallEnded { detail, charge, .. } => {
            if detail.is_empty() {
                return None;
            }
            let billed = match charge
                .as_deref()
                .filter(|c| c.figure == domain::Figure::Unsettled)
            {
                Some(_) => "; it may have been billed",
                None => "",
            };
            ("!", Look::Attention, format!("{detail}{billed}"))
        }
        Event::ReviewRequested { review } => (
            "?",
            Look::Attention,
            format!("{}\n{}\nreview {}", review.title, review.detail, review.id),
        ),
        Event::ReviewDecided { answer, .. } => {
            let note = answer
                .note
                .as_deref()
                .map(|n| format!(": {n}"))
                .unwrap_or_default();
            let edit = answer.edit.as_ref();
            let edited = edit.map(|e| format!(", changed to {}", e.summary));
            let edited = edited.unwrap_or_default();
            (
                "?",
                Look::Good,
                format!(
                    "decided: {}{edited}{note} (by {})",
                    answer.choice, answer.by
                ),
            )
        }
        Event::ReviewUsed { .. } => return None,
        Event::ReviewReopened { by, .. } => (
            "?",
            Look::Attention,
            format!("the decision was undone (by {by})"),
        ),
        Event::ReviewExpired { after_ms, .. } => {
            let seconds = u64::try_from(after_ms / 1000).unwrap_or(0);
            let waited = crate::times::duration(seconds);
            let text = format!("review expired: nobody answered within {waited}");
            ("?", Look::Attention, text)
        }
        Event::ReviewAskedAgain { .. } => ("?", Look::Attention, "asked again".to_owned()),
        Event::ReviewSnoozed { .. } => ("?", Look::Faint, "review snoozed".to_owned()),
        Event::ReviewWithdrawn { why, .. } => {
            ("?", Look::Faint, format!("review withdrawn: {why}"))
        }
        Event::WaitBegan { cause, detail, .. } => {
            ("…", Look::Attention, format!("waiting ({cause}): {detail}"))
        }
        Event::WaitEnded { cause } => ("…", Look::Faint, format!("no longer waiting ({cause})")),
        Event::BudgetWarned => ("!", Look::Attention, "90 % of a budget is used".to_owned()),
        Event::BudgetChanged { .. } => ("•", Look::Faint, "the budget was changed".to_owned()),
        Event::VerifyStarted => ("→", Look::Active, "verifying".to_owned()),
        Event::VerifyEnded {
            passed: OpOutcome::Ok,
        } => ("✓", Look::Good, "verified".to_owned()),
        Event::VerifyEnded { .. } => ("✗", Look::Bad, "the verify command failed".to_owned()),
        Event::TestsJudged { changed, .. } => {
            let mut text = "the tests that judge it were changed".to_owned();
            for change in changed {
                text.push_str(&format!("\n- {}: {}", change.path, change.reason));
            }
            ("!", Look::Attention, text)
        }
        Event::Paused { by } => ("•", Look::Attention, format!("paused by {by}")),
        Event::Interrupted { cause, detail, .. } => (
            "!",
            Look::Attention,
            format!("interrupted ({cause}): {detail}"),
        ),
        Event::Briefed { .. } => (
            "•",
            Look::Faint,
            format!("recovery briefing\n{}", clip(&said, 20)),
        ),
        Event::Completed { .. } => ("✓", Look::Good, format!("completed\n{said}")),
        Event::Failed { cause, message, .. } => {
            ("✗", Look::Bad, format!("failed ({cause}): {message}"))
        }
        Event::Cancelled { by } => ("•", Look::Attention, format!("cancelled by {by}")),
        Event::RolledBack { to, by, .. } => (
            "↶",
            Look::Attention,
            format!("rolled back to {to} by {by}; what came after it no longer counts"),
        ),
        Event::FilesRestored { .. } => (
            "↶",
            Look::Faint,
            "the files are as that checkpoint has them".to_owned(),
        ),
        Event::ApplyBegan { into, by, .. } => {
            ("•", Look::Faint, format!("{by} applies it as {into}"))
        }
        Event::ApplyEnded { why } => ("•", Look::Attention, format!("not applied: {why}")),
        Event::Applied { target, commit } if commit.is_empty() => {
            ("✓", Look::Good, format!("applied to {target}"))
        }
        Event::Applied { target, commit } => {
            ("✓", Look::Good, format!("applied to {target} ({commit})"))
        }
        Event::Discarded => ("•", Look::Faint, "its files were deleted".to_owned()),
    })
}

fn settled(op: u32, settlement: &Settlement) -> String {
    match settlement {
        Settlement::Again => format!("operation {op} was cut off and will be run again"),
        Settlement::Happened { evidence, .. } => format!("operation {op} had happened: {evidence}"),
        Settlement::InDoubt { evidence } => format!("operation {op} is in doubt: {evidence}"),
        Settlement::Skipped { .. } => format!("operation {op} is left undone"),
    }
}

/// The first `lines` lines, none of them endless.
fn clip(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    let mut shown: Vec<String> = all
        .iter()
        .take(lines)
        .map(|line| shorten(line, 400))
        .collect();
    if all.len() > lines {
        shown.push(format!("… {} more lines", all.len() - lines));
    }
    shown.join("\n")
}
