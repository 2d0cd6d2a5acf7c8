//! `run`

use client::Client;
use domain::RunId;
use protocol::{OpsWanted, RunRequest, RunStarted, ShowRequest};
use serde_json::json;

use super::input;
use crate::args::RunArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::follow::{Follower, Item, exit_code, settled};
use crate::print::{Look, safe};
use crate::{render, times};

pub(super) async fn run(context: &Context, args: RunArgs) -> Result<u8, Failure> {
    let detach = args.detach;
    let request = request(context, args)?;
    let client = context.client().await?;
    let started = client.start_run(request).await?;
    if detach {
        context.print.document(&json!({"id": started.id}))?;
        return Ok(0);
    }
    greet(context, &started)?;
    attach(context, &client, started.id).await
}

fn request(context: &Context, args: RunArgs) -> Result<RunRequest, Failure> {
    let project = input::folder(context, args.project.as_deref())?;
    Ok(RunRequest {
        prompt: input::text(args.prompt, "prompt")?,
        project,
        backend: args.backend,
        model: args.model,
        verify: one_command(args.verify),
        workspace: args.workspace,
        policy: args.policy,
        max_cost_usd: args.max_cost,
        max_tokens: args.max_tokens,
        max_tool_calls: args.max_tool_calls,
        max_duration_s: args.max_duration,
        after: args.after,
        fallback: args.fallback,
        priority: args.priority,
    })
}

fn greet(context: &Context, started: &RunStarted) -> Result<(), Failure> {
    let print = &context.print;
    if print.json {
        return print.document(&json!({"id": started.id}));
    }
    print.line(&format!(
        "run {}",
        print.look(&started.id.to_string(), Look::Bold)
    ))?;
    if let Some(estimate) = &started.estimate {
        print.line(&format!(
            "earlier runs of this project took about {} and ${} ({} runs)",
            times::duration(estimate.duration_s),
            estimate.cost_usd,
            estimate.runs
        ))?;
    }
    for note in &started.notes {
        print.line(&print.look(&format!("note: {note}"), Look::Attention))?;
    }
    Ok(())
}

/// Shows what happens until nothing more does, or Ctrl-C.
pub(super) async fn attach(context: &Context, client: &Client, id: RunId) -> Result<u8, Failure> {
    let print = &context.print;
    let mut follower = Follower::new(client, id).await?;
    loop {
        let item = tokio::select! {
            item = follower.next() => item?,
            _ = tokio::signal::ctrl_c() => {
                if !print.json {
                    print.line(&format!("\ndetached; the run goes on. `longhaul logs {id} --follow` shows it again"))?;
                }
                return Ok(0);
            }
        };
        match item {
            Item::Entry(entry) if print.json => print.document(&entry)?,
            Item::Entry(entry) => {
                if let Some(line) = render::entry(print, &entry) {
                    print.line(&line)?;
                }
            }
            // Whole answers are shown when they are there; until then, their last words.
            Item::Delta(text) => print.passing(&text)?,
            Item::CaughtUp => {}
        }
        if follower
            .state()
            .is_some_and(|(state, open)| settled(state, open))
            && let Some(code) = farewell(context, client, id).await?
        {
            return Ok(code);
        }
    }
}

/// Says how it stands, if it still is at rest as the daemon sees it now.
pub(super) async fn farewell(
    context: &Context,
    client: &Client,
    id: RunId,
) -> Result<Option<u8>, Failure> {
    let print = &context.print;
    let run = client
        .show(ShowRequest {
            run: id.to_string(),
            ops: OpsWanted::None,
        })
        .await?;
    let open = super::show::open_reviews(&run);
    if !settled(run.state, open) {
        return Ok(None);
    }
    if print.json {
        print.document(&run)?;
    } else {
        let state = print.look(run.state.word(), Look::of_state(run.state));
        let cause = run
            .cause
            .as_deref()
            .map(|c| format!(" ({c})"))
            .unwrap_or_default();
        print.line(&format!(
            "{state}{cause}: {} steps, {} requests, {}",
            run.steps,
            run.usage.requests,
            super::show::cost(&run)
        ))?;
        if run.state != domain::RunState::Completed
            && let Some(detail) = &run.detail
        {
            print.line(&safe(detail))?;
        }
        if open > 0 {
            print
                .line("see `longhaul reviews`, and answer with `longhaul approve|reject|answer`")?;
        }
    }
    Ok(Some(exit_code(run.state, run.cause.as_deref(), open)))
}

/// Several verify commands as one: in order, each in a shell of its own, until one fails.
fn one_command(commands: Vec<String>) -> Option<String> {
    match commands.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        several => {
            let apart = several.iter().map(|command| {
                // A remark at its end must not swallow what follows.
                let end = if command.contains(['#', '\n']) {
                    "\n"
                } else {
                    ""
                };
                format!("({command}{end})")
            });
            Some(apart.collect::<Vec<_>>().join(" && "))
        }
    }
}
