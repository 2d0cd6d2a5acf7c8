//! Steering runs, and what becomes of their files.

use protocol::{
    CancelRequest, DiffRequest, DiffView, DiscardRequest, MessageRequest, PauseRequest,
    ResumeRequest, RunAck, RunAcks, RunSelector,
};

use super::input;
use crate::args::{MessageArgs, OneRun, ResumeArgs, SomeRuns};
use crate::context::Context;
use crate::failure::Failure;
use crate::print::{Look, safe};

fn selector(args: SomeRuns) -> RunSelector {
    args.run.map_or(RunSelector::All, RunSelector::One)
}

pub(super) async fn resume(context: &Context, args: ResumeArgs) -> Result<u8, Failure> {
    if let (Some(run), Some(from)) = (&args.runs.run, args.from) {
        return super::lineage::resume_from(context, run.clone(), from).await;
    }
    let acks = context
        .client()
        .await?
        .resume(ResumeRequest {
            runs: selector(args.runs),
        })
        .await?;
    say_all(context, &acks, "no run waits to be resumed")
}

pub(super) async fn pause(context: &Context, args: SomeRuns) -> Result<u8, Failure> {
    let acks = context
        .client()
        .await?
        .pause(PauseRequest {
            runs: selector(args),
        })
        .await?;
    say_all(context, &acks, "no run is going on")
}

pub(super) async fn cancel(context: &Context, args: OneRun) -> Result<u8, Failure> {
    let ack = context
        .client()
        .await?
        .cancel(CancelRequest { run: args.run })
        .await?;
    say(context, &ack)
}

pub(super) async fn message(context: &Context, args: MessageArgs) -> Result<u8, Failure> {
    let text = input::text(args.text, "message")?;
    let ack = context
        .client()
        .await?
        .message(MessageRequest {
            run: args.run,
            text,
        })
        .await?;
    say(context, &ack)
}

pub(super) async fn discard(context: &Context, args: OneRun) -> Result<u8, Failure> {
    let ack = context
        .client()
        .await?
        .discard(DiscardRequest { run: args.run })
        .await?;
    say(context, &ack)
}

pub(super) async fn diff(context: &Context, args: OneRun) -> Result<u8, Failure> {
    let diff = context
        .client()
        .await?
        .diff(DiffRequest { run: args.run })
        .await?;
    let print = &context.print;
    if print.json {
        print.document(&diff)?;
    } else if print.colour {
        print.raw(&coloured(context, &numbered(&diff)))?;
    } else {
        // It may be piped into `git apply`, which reads no further than the second `@@`.
        print.raw(&numbered(&diff))?;
    }
    Ok(0)
}

/// Characters of a hunk's digest that tell it from what it may become.
const DIGEST: usize = 8;

/// The diff with each hunk's number behind its place: what `apply --hunk` takes.
fn numbered(diff: &DiffView) -> String {
    let mut hunks = diff.hunks.iter();
    let lines = diff.diff.split_inclusive('\n').map(|line| {
        // A line inside a hunk begins with a sign or a space.
        let hunk = line.starts_with("@@ ").then(|| hunks.next()).flatten();
        let Some((hunk, text)) = hunk.zip(line.strip_suffix('\n')) else {
            return line.to_owned();
        };
        let digest = hunk.digest.get(..DIGEST).unwrap_or(&hunk.digest);
        let ends = text.strip_suffix('\r').unwrap_or(text);
        format!("{ends}  # hunk {}@{digest}\n", hunk.number)
    });
    lines.collect()
}

fn coloured(context: &Context, diff: &str) -> String {
    let look = |line: &str| match line.as_bytes() {
        [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] | [b'd', ..] => Look::Bold,
        [b'+', ..] => Look::Good,
        [b'-', ..] => Look::Bad,
        [b'@', ..] => Look::Active,
        _ => Look::Plain,
    };
    diff.lines()
        .map(|line| context.print.look(&safe(line), look(line)) + "\n")
        .collect()
}

fn words(context: &Context, ack: &RunAck) -> String {
    format!(
        "{}  {}",
        ack.id,
        context
            .print
            .look(ack.state.word(), Look::of_state(ack.state))
    )
}

fn say(context: &Context, ack: &RunAck) -> Result<u8, Failure> {
    context.print.either(ack, || words(context, ack))?;
    Ok(0)
}

fn say_all(context: &Context, acks: &RunAcks, none: &str) -> Result<u8, Failure> {
    context.print.either(acks, || {
        if acks.runs.is_empty() {
            return none.to_owned();
        }
        acks.runs
            .iter()
            .map(|ack| words(context, ack))
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    Ok(0)
}
