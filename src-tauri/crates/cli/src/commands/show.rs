//! `show`

use domain::NanoUsd;
use protocol::{ReviewStatus, RunView, ShowRequest};

use crate::args::OneRun;
use crate::context::Context;
use crate::failure::Failure;
use crate::print::{Look, safe};
use crate::times;

pub(super) async fn show(context: &Context, args: OneRun) -> Result<u8, Failure> {
    let client = context.client().await?;
    let run = client
        .show(ShowRequest {
            run: args.run,
            ..ShowRequest::default()
        })
        .await?;
    context.print.either(&run, || words(context, &run))?;
    Ok(0)
}

/// How many of its reviews wait for an answer.
pub(super) fn open_reviews(run: &RunView) -> usize {
    run.reviews
        .iter()
        .filter(|r| r.state == ReviewStatus::Open)
        .count()
}

/// What it cost, with everything that is not exactly known said.
pub(super) fn cost(run: &RunView) -> String {
    let mut text = format!("${}", run.cost_usd);
    if run.unsettled_cost_usd != NanoUsd::ZERO {
        text.push_str(&format!(" and up to ${} unsettled", run.unsettled_cost_usd));
    }
    if run.unpriced_requests > 0 {
        text.push_str(&format!(
            " and {} requests without a known price",
            run.unpriced_requests
        ));
    }
    text
}

fn words(context: &Context, run: &RunView) -> String {
    let print = &context.print;
    let now = context.now();
    let mut lines = vec![format!(
        "{}  {}",
        print.look(&run.id.to_string(), Look::Bold),
        safe(&run.title)
    )];
    let mut say = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!(
                "{}{}",
                print.look(&format!("{name:<12}"), Look::Faint),
                safe(&value)
            ));
        }
    };
    let causes = if run.causes.is_empty() {
        String::new()
    } else {
        format!(" ({})", run.causes.join(", "))
    };
    say("state", format!("{}{causes}", run.state));
    say("", run.detail.clone().unwrap_or_default());
    say(
        "until",
        run.until
            .map(|t| times::relative(t.0, now))
            .unwrap_or_default(),
    );
    say("project", run.project.clone());
    let simulated = if run.simulated { ", simulated" } else { "" };
    let model = run.model.as_deref().unwrap_or("its own model");
    say(
        "backend",
        format!("{} ({}{simulated}), {model}", run.backend, run.kind),
    );
    say("answered by", run.answered_by.join(", "));
    say(
        "workspace",
        format!(
            "{} {}",
            run.workspace.kind,
            run.workspace.path.as_deref().unwrap_or("not made yet")
        ),
    );
    say("branch", run.workspace.branch.clone().unwrap_or_default());
    if let Some(fork) = &run.fork {
        say(
            "forked from",
            format!("{} at {}", fork.run, fork.checkpoint),
        );
    }
    say("checkpoints", checkpoints(run));
    say(
        "steps",
        format!("{}, {} operations", run.steps, run.ops.len()),
    );
    let usage = &run.usage;
    say(
        "tokens",
        format!(
            "{} in, {} out, {} cache read, {} cache write, {} requests",
            usage.input, usage.output, usage.cache_read, usage.cache_write, usage.requests
        ),
    );
    say("cost", cost(run));
    say("budget", budget(run));
    say("worked", times::duration(run.budget.used_duration_s));
    say("made", times::relative(run.created_at.0, now));
    say("changed", times::relative(run.updated_at.0, now));
    if let Some(recovery) = &run.recovery {
        let detail = recovery.detail.clone().unwrap_or_default();
        say(
            "interrupted",
            match recovery.cause.as_deref() {
                Some(cause) => format!("{cause}: {detail}"),
                None => "earlier; it goes on since".to_owned(),
            },
        );
        say("briefing", recovery.briefing.clone().unwrap_or_default());
    }
    for item in &run.progress.plan {
        say("plan", format!("[{}] {}", item.state, item.text));
    }
    for change in &run.tests_changed {
        say("tests", format!("{}: {}", change.path, change.reason));
    }
    for review in run.reviews.iter().filter(|r| r.state == ReviewStatus::Open) {
        say("review", format!("{}  {}", review.id, review.title));
    }
    say("result", run.result.clone().unwrap_or_default());
    say("so far", run.partial_result.clone().unwrap_or_default());
    lines.join("\n")
}

/// The newest points to come back to.
fn checkpoints(run: &RunView) -> String {
    const SHOWN: usize = 8;
    let earlier = run.checkpoints.len().saturating_sub(SHOWN);
    let words = |c: &protocol::CheckpointView| {
        let undone = if c.undone { ", undone" } else { "" };
        format!("{} (step {}{undone})", c.id, c.step)
    };
    let shown: Vec<_> = run.checkpoints[earlier..].iter().map(words).collect();
    match earlier {
        0 => shown.join(", "),
        n => format!("{n} earlier, {}", shown.join(", ")),
    }
}

fn budget(run: &RunView) -> String {
    let budget = &run.budget;
    let caps = [
        budget.max_cost_usd.map(|cap| format!("${cap}")),
        budget.max_tokens.map(|cap| format!("{cap} tokens")),
        budget.max_tool_calls.map(|cap| format!("{cap} tool calls")),
        budget
            .max_duration_s
            .map(|cap| format!("{} of work", times::duration(cap))),
    ];
    let caps: Vec<String> = caps.into_iter().flatten().collect();
    if caps.is_empty() {
        "no caps".to_owned()
    } else {
        caps.join(", ")
    }
}
