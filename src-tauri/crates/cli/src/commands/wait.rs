//! `wait` and `logs`

use std::time::Duration;

use client::Client;
use domain::RunState;
use protocol::{ApiError, ErrorCode, LogsRequest, OpsWanted, RunView, ShowRequest};

use super::run::attach;
use super::show::open_reviews;
use crate::args::{LogsArgs, WaitArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::follow::{exit_code, settled};
use crate::print::Look;
use crate::render;

/// Events often come in bursts; one look after each burst is enough.
const BURST: Duration = Duration::from_millis(50);

pub(super) async fn wait(context: &Context, args: WaitArgs) -> Result<u8, Failure> {
    let client = context.client().await?;
    let waited = async {
        match args.timeout {
            None => watch(&client, &args).await,
            Some(seconds) => {
                let limit = Duration::from_secs(seconds);
                match tokio::time::timeout(limit, Box::pin(watch(&client, &args))).await {
                    Ok(run) => run,
                    Err(_) => Err(timed_out(&args, seconds)),
                }
            }
        }
    };
    let run = waited.await?;
    let print = &context.print;
    print.either(&run, || {
        let state = print.look(run.state.word(), Look::of_state(run.state));
        run.cause
            .as_deref()
            .map_or_else(|| state.clone(), |cause| format!("{state} ({cause})"))
    })?;
    if args.states.contains(&run.state) {
        return Ok(0);
    }
    Ok(exit_code(
        run.state,
        run.cause.as_deref(),
        open_reviews(&run),
    ))
}

/// Looks, and looks again after every event, until the run is as wanted.
async fn watch(client: &Client, args: &WaitArgs) -> Result<RunView, Failure> {
    let run = client
        .show(ShowRequest {
            run: args.run.clone(),
            ops: OpsWanted::None,
        })
        .await?;
    let mut stream = client.events(None, Some(run.id));
    // Listening begins before the look that decides: nothing falls between.
    stream.open().await?;
    loop {
        let run = client
            .show(ShowRequest {
                run: run.id.to_string(),
                ops: OpsWanted::None,
            })
            .await?;
        if args.states.is_empty() {
            if settled(run.state, open_reviews(&run)) {
                return Ok(run);
            }
        } else if args.states.contains(&run.state) {
            return Ok(run);
        } else if run.state == RunState::Completed || run.state == RunState::Cancelled {
            return Err(never(&run, args));
        }
        stream.next().await?;
        while let Ok(item) = tokio::time::timeout(BURST, stream.next()).await {
            item?;
        }
    }
}

fn words(states: &[RunState]) -> String {
    states
        .iter()
        .map(|s| s.word())
        .collect::<Vec<_>>()
        .join(" or ")
}

fn timed_out(args: &WaitArgs, seconds: u64) -> Failure {
    let what = if args.states.is_empty() {
        "at rest".to_owned()
    } else {
        words(&args.states)
    };
    Failure::Told(ApiError::new(
        ErrorCode::Timeout,
        format!("run {} was not {what} within {seconds} s", args.run),
        format!("see `longhaul show {}`, or wait longer", args.run),
    ))
}

fn never(run: &RunView, args: &WaitArgs) -> Failure {
    Failure::Told(ApiError::new(
        ErrorCode::Timeout,
        format!(
            "run {} is {} and will never be {}",
            run.id,
            run.state,
            words(&args.states)
        ),
        format!("see `longhaul show {}`", run.id),
    ))
}

pub(super) async fn logs(context: &Context, args: LogsArgs) -> Result<u8, Failure> {
    let client = context.client().await?;
    if args.follow {
        let run = client
            .show(ShowRequest {
                run: args.run,
                ops: OpsWanted::None,
            })
            .await?;
        attach(context, &client, run.id).await?;
        return Ok(0);
    }
    let mut request = LogsRequest {
        run: args.run,
        after: 0,
        limit: None,
    };
    loop {
        let page = client.logs(request.clone()).await?;
        for entry in &page.entries {
            if context.print.json {
                context.print.document(entry)?;
            } else if let Some(line) = render::entry(&context.print, entry) {
                context.print.line(&line)?;
            }
        }
        match page.next {
            Some(next) => request.after = next,
            None => return Ok(0),
        }
    }
}
