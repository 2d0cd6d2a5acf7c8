//! Putting a run's result into the user's project.

use domain::RunId;
use engine::{Apply, ApplyReport, PathOutcome};
use protocol::{ApiError, Applied, AppliedPath, AppliedWhat, ApplyRequest, ErrorCode, KeptFiles};

use super::command_error;
use crate::api::Api;

pub(crate) async fn apply(api: &Api, request: ApplyRequest) -> Result<Applied, ApiError> {
    let run = api.run_id(&request.run).await?;
    if request.branch.is_some() && request.into != domain::ApplyInto::Branch {
        return Err(ApiError::new(
            ErrorCode::Usage,
            "a name for a branch goes with --as branch only",
            "leave --branch away, or use --as branch",
        ));
    }
    let wish = Apply {
        into: request.into,
        branch: request.branch,
        paths: request.paths,
        hunks: request.hunks,
        by: request.by.unwrap_or_else(|| "cli".to_owned()),
    };
    let applied = api.working()?.engine.apply(run, wish).await;
    applied
        .map(|report| said(run, report))
        .map_err(command_error)
}

fn said(run: RunId, report: ApplyReport) -> Applied {
    let done = report.work.paths.into_iter().map(|path| AppliedPath {
        path: path.path,
        what: word(path.what),
        why: None,
    });
    let asked = report.conflicts.into_iter().map(|conflict| AppliedPath {
        path: conflict.path,
        what: AppliedWhat::Conflict,
        why: Some(conflict.why),
    });
    Applied {
        run,
        target: report.work.target,
        commit: report.work.commit,
        paths: done.chain(asked).collect(),
        kept: report.work.kept.map(|kept| KeptFiles {
            store: kept.store.display().to_string(),
            commit: kept.commit,
        }),
        review: report.review,
    }
}

fn word(what: PathOutcome) -> AppliedWhat {
    match what {
        PathOutcome::Written => AppliedWhat::Written,
        PathOutcome::Deleted => AppliedWhat::Deleted,
        PathOutcome::Merged => AppliedWhat::Merged,
        PathOutcome::Same => AppliedWhat::Same,
        PathOutcome::ReplacedYours => AppliedWhat::ReplacedYours,
        PathOutcome::KeptYours => AppliedWhat::KeptYours,
        PathOutcome::LeftOut => AppliedWhat::LeftOut,
    }
}
