//! Rate limits and pauses, named buckets, and commands that keep to one.

use std::ffi::OsString;
use std::time::Duration;

use protocol::{
    ApiError, BucketRemove, BucketSet, BucketTake, ErrorCode, LimitsRequest, LimitsView,
    NamedBucket,
};

use crate::args::{BucketSetArgs, LimitsArgs, LimitsCommand, ThrottleArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::print::{Look, safe};
use crate::table::{Align, Table, cell, looking};
use crate::times;

/// A bucket is asked again at least so often: it keeps the place in line, and somebody may have
/// changed its caps.
const ASK_AGAIN: Duration = Duration::from_secs(5);

pub(super) async fn limits(context: &Context, args: LimitsArgs) -> Result<u8, Failure> {
    let folder = |given: Option<&std::path::PathBuf>| {
        let found = given.map(|dir| super::input::folder(context, Some(dir)));
        found.transpose()
    };
    let view = match args.command {
        None => context.client().await?.limits(LimitsRequest {}).await?,
        Some(LimitsCommand::Set(args)) => {
            let project = folder(args.project.as_ref())?;
            return set(context, args, project).await;
        }
        Some(LimitsCommand::Remove(args)) => {
            let request = BucketRemove {
                project: folder(args.project.as_ref())?,
                name: args.bucket,
            };
            context.client().await?.bucket_remove(request).await?
        }
    };
    context.print.either(&view, || words(context, &view))?;
    Ok(0)
}

async fn set(
    context: &Context,
    args: BucketSetArgs,
    project: Option<String>,
) -> Result<u8, Failure> {
    let request = BucketSet {
        name: args.bucket,
        project,
        per_minute: args.per_minute,
        per_day: args.per_day,
        per_month: args.per_month,
    };
    let bucket = context.client().await?.bucket_set(request).await?;
    context
        .print
        .either(&bucket, || buckets(context, std::slice::from_ref(&bucket)))?;
    Ok(0)
}

fn words(context: &Context, view: &LimitsView) -> String {
    let mut parts = Vec::new();
    if !view.limits.is_empty() {
        parts.push(gates(context, view));
    }
    if !view.buckets.is_empty() {
        parts.push(buckets(context, &view.buckets));
    }
    match parts.is_empty() {
        true => "nothing is limited".to_owned(),
        false => parts.join("\n\n"),
    }
}

fn gates(context: &Context, view: &LimitsView) -> String {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("LIMIT", Left),
        ("STATE", Left),
        ("OPENS", Left),
        ("CALLS", Right),
        ("WAITING", Right),
        ("WHY", Left),
    ]);
    for gate in &view.limits {
        let name = match gate.backends.as_slice() {
            [] => gate.name.clone(),
            names => names.join(", "),
        };
        let look = if gate.state == "open" {
            Look::Good
        } else {
            Look::Attention
        };
        let opens = gate.until.map(|t| times::relative(t.0, context.now()));
        table.row(vec![
            cell(name),
            looking(&gate.state, look),
            cell(opens.unwrap_or_else(|| "-".to_owned())),
            cell(gate.in_flight.to_string()),
            cell(gate.waiting.to_string()),
            cell(gate.cause.as_deref().unwrap_or_default()),
        ]);
    }
    table.show(&context.print)
}

/// `12 of 30`, or what was used where there is no cap.
fn of(used: u32, cap: Option<u32>) -> String {
    match cap {
        Some(cap) => format!("{used} of {cap}"),
        None => "-".to_owned(),
    }
}

fn buckets(context: &Context, all: &[NamedBucket]) -> String {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("BUCKET", Left),
        ("A MINUTE", Right),
        ("A DAY", Right),
        ("A MONTH", Right),
        ("WAITING", Right),
        ("NEXT CALL", Left),
    ]);
    for bucket in all {
        let next = match (&bucket.until, &bucket.cause) {
            (Some(at), Some(why)) => {
                let at = times::relative(at.0, context.now());
                looking(format!("{at}: {why}"), Look::Attention)
            }
            _ => looking("now", Look::Good),
        };
        table.row(vec![
            cell(&bucket.name),
            cell(of(bucket.used_minute, bucket.per_minute)),
            cell(of(bucket.used_day, bucket.per_day)),
            cell(of(bucket.used_month, bucket.per_month)),
            cell(bucket.waiting.to_string()),
            next,
        ]);
        for share in &bucket.shares {
            table.row(vec![
                cell(format!("  for {}", safe(&share.project))),
                cell("-"),
                cell(of(share.used_day, Some(share.per_day))),
                cell("-"),
                cell("-"),
                cell(""),
            ]);
        }
    }
    table.show(&context.print)
}

/// Runs a command when its bucket has room; the command's exit code is ours.
pub(super) async fn throttle(context: &Context, args: ThrottleArgs) -> Result<u8, Failure> {
    wait_for_room(context, &args).await?;
    let (program, rest) = args.command.split_first().expect("clap wants one");
    become_command(program, rest)
}

async fn wait_for_room(context: &Context, args: &ThrottleArgs) -> Result<(), Failure> {
    let client = context.client().await?;
    let began = context.now();
    let longest = args
        .max_wait
        .map(|s| i64::try_from(s * 1000).unwrap_or(i64::MAX));
    let (mut ticket, mut told) = (None, None);
    loop {
        let request = BucketTake {
            name: args.bucket.clone(),
            folder: context.cwd.to_str().map(str::to_owned),
            ticket,
        };
        let grant = client.bucket_take(request).await?;
        if grant.granted {
            return Ok(());
        }
        ticket = grant.ticket;
        let now = context.now();
        let until = grant.until.map_or(now, |at| at.0);
        let cause = grant.cause.unwrap_or_default();
        if longest.is_some_and(|longest| until.ms_since(began) > longest) {
            return Err(Failure::Told(ApiError::new(
                ErrorCode::Timeout,
                format!("'{}' has no room in time: {cause}", args.bucket),
                "nothing was run; wait longer, or allow more (`longhaul limits set`)",
            )));
        }
        // Once a cause: whoever reads it wants to know why, not how often it was looked.
        if told.as_ref() != Some(&cause) {
            let at = times::relative(until, now);
            eprintln!("waiting for '{}': {cause}; room {at}", args.bucket);
            told = Some(cause);
        }
        let ms = u64::try_from(until.ms_since(now)).unwrap_or(0).max(20);
        tokio::time::sleep(Duration::from_millis(ms).min(ASK_AGAIN)).await;
    }
}

fn cannot_run(program: &OsString, error: &std::io::Error) -> Failure {
    Failure::usage(
        format!("{} cannot be run: {error}", program.to_string_lossy()),
        "look at its name and at PATH; the call was counted all the same",
    )
}

#[cfg(unix)]
fn become_command(program: &OsString, rest: &[OsString]) -> Result<u8, Failure> {
    use std::os::unix::process::CommandExt as _;
    let error = std::process::Command::new(program).args(rest).exec();
    Err(cannot_run(program, &error))
}

#[cfg(not(unix))]
fn become_command(program: &OsString, rest: &[OsString]) -> Result<u8, Failure> {
    let ended = std::process::Command::new(program).args(rest).status();
    let ended = ended.map_err(|error| cannot_run(program, &error))?;
    Ok(ended
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1))
}
