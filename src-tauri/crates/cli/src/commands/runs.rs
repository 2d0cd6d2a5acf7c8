//! `runs`

use protocol::{RunSummary, RunsRequest};

use crate::args::RunsArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::ids;
use crate::print::Look;
use crate::table::{Align, Table, cell, looking};
use crate::times;

pub(super) async fn runs(context: &Context, args: RunsArgs) -> Result<u8, Failure> {
    let project = match args.project {
        Some(path) => Some(super::input::folder(context, Some(&path))?),
        None => None,
    };
    let client = context.client().await?;
    let list = client
        .runs(RunsRequest {
            state: args.state,
            project,
            ..RunsRequest::default()
        })
        .await?;
    context.print.either(&list, || {
        if list.runs.is_empty() {
            return "no runs; start one with `longhaul run PROMPT`".to_owned();
        }
        table(context, &list.runs)
    })?;
    Ok(0)
}

fn table(context: &Context, runs: &[RunSummary]) -> String {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("RUN", Left),
        ("STATE", Left),
        ("CHANGED", Left),
        ("BACKEND", Left),
        ("STEPS", Right),
        ("COST", Right),
        ("TITLE", Left),
    ]);
    let now = context.now();
    for run in runs {
        let state = match &run.cause {
            Some(cause) => format!("{} ({cause})", run.state),
            None => run.state.to_string(),
        };
        let backend = match run.simulated {
            true => format!("{} (simulated)", run.backend),
            false => run.backend.clone(),
        };
        table.row(vec![
            looking(ids::short(&run.id, runs.iter().map(|r| r.id)), Look::Bold),
            looking(state, Look::of_state(run.state)),
            cell(times::relative(run.updated_at.0, now)),
            cell(backend),
            cell(run.steps.to_string()),
            cell(format!("${}", run.cost_usd)),
            cell(&run.title),
        ]);
    }
    table.show(&context.print)
}
