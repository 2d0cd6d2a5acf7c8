//! Going back to a checkpoint, and forks.

use protocol::{
    ConsequencesRequest, ConsequencesView, ForkRequest, ResumeFromRequest, RollbackRequest,
    RolledBack,
};

use super::input;
use crate::args::{ForkArgs, RollbackArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::print::{Look, safe};

/// Most lines of a list; how many more there are is said.
const LINES: usize = 20;

pub(super) async fn fork(context: &Context, args: ForkArgs) -> Result<u8, Failure> {
    let message = match args.message {
        Some(text) => Some(input::text(text, "message")?),
        None => None,
    };
    let request = ForkRequest {
        run: args.run,
        from: args.from,
        message,
    };
    let fork = context.client().await?.fork(request).await?;
    context.print.either(&fork, || {
        let state = context
            .print
            .look(fork.state.word(), Look::of_state(fork.state));
        format!(
            "{}  {state}\nforked from {} at {}",
            fork.id, fork.parent, fork.checkpoint
        )
    })?;
    Ok(0)
}

pub(super) async fn rollback(context: &Context, args: RollbackArgs) -> Result<u8, Failure> {
    let client = context.client().await?;
    let (run, to) = (args.run, args.to);
    if args.dry_run {
        let found = client.consequences(ConsequencesRequest { run, to }).await?;
        context.print.either(&found, || {
            format!(
                "going back to {} (after step {}) would do this; nothing is touched yet\n{}",
                found.checkpoint,
                found.step,
                words(context, &found)
            )
        })?;
        return Ok(0);
    }
    let went = client.rollback(RollbackRequest { run, to }).await?;
    say(context, &went)
}

pub(super) async fn resume_from(
    context: &Context,
    run: String,
    from: String,
) -> Result<u8, Failure> {
    let request = ResumeFromRequest { run, from };
    let went = context.client().await?.resume_from(request).await?;
    say(context, &went)
}

fn say(context: &Context, went: &RolledBack) -> Result<u8, Failure> {
    context.print.either(went, || {
        let state = context
            .print
            .look(went.state.word(), Look::of_state(went.state));
        format!(
            "{}  {state}\nback at {} (after step {})\n{}\nto undo this: longhaul rollback {} --to {}",
            went.id,
            went.checkpoint,
            went.consequences.step,
            words(context, &went.consequences),
            went.id,
            went.undo
        )
    })?;
    Ok(0)
}

/// What it means, a line each; what cannot be taken back stands out.
fn words(context: &Context, found: &ConsequencesView) -> String {
    let mut lines = vec![format!(
        "  {} no longer count, {} changed",
        counted(found.steps_undone as usize, "step"),
        counted(found.files_changed as usize, "file"),
    )];
    let files = found
        .files
        .iter()
        .map(|f| format!("    {} {}", f.change, safe(&f.path)));
    lines.extend(short(files.collect(), found.files_changed as usize));
    if !found.not_undone.is_empty() {
        let head = "  not taken back, because it cannot be:";
        lines.push(context.print.look(head, Look::Attention));
        let effects: Vec<_> = found
            .not_undone
            .iter()
            .map(|e| format!("    step {}: {} {}", e.step, e.name, safe(&e.summary)))
            .collect();
        let all = effects.len();
        lines.extend(short(effects, all));
    }
    for title in &found.reviews_withdrawn {
        lines.push(format!("  review withdrawn: {}", safe(title)));
    }
    for remark in &found.remarks {
        lines.push(format!("  {remark}"));
    }
    lines.join("\n")
}

fn short(mut lines: Vec<String>, all: usize) -> Vec<String> {
    lines.truncate(LINES);
    if all > lines.len() {
        lines.push(format!("    … and {} more", all - lines.len()));
    }
    lines
}

fn counted(n: usize, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}
