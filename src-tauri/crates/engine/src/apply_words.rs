//! What may be applied, and what is said about it.

use domain::{ReviewId, ReviewKind, Run, RunState, WorkspaceMode};
use workspace::{AppliedWork, ApplyError, Conflicts};

use crate::applying::{ApplyReport, ConflictPath};
use crate::asks;
use crate::commands::CommandError;

/// What may be applied at all, and when.
pub(crate) fn gate(now: &Run) -> Result<(), CommandError> {
    let refuse = |problem: String, hint: &str| Err(CommandError::not_now(problem, hint));
    let state = now.state();
    if now.task.workspace == WorkspaceMode::InPlace {
        let problem = "the run worked in the project itself; there is nothing to apply";
        return refuse(problem.to_owned(), "`git diff` there shows what it changed");
    }
    if now.applying.is_some() {
        let problem = "its result is being applied already";
        let asked = asks::pending(now, ReviewKind::Conflict);
        return match asked {
            Some((id, _)) => refuse(
                format!("{problem} and waits for a decision (review {id})"),
                "`longhaul reviews` shows it, `longhaul answer` decides",
            ),
            None => refuse(problem.to_owned(), "wait for it to end"),
        };
    }
    if now.restoring.is_some() {
        let problem = "its files are being taken back to a checkpoint";
        return refuse(problem.to_owned(), "try again in a moment");
    }
    if now.checkpoint.is_none() {
        let problem = "the run has no checkpoint yet";
        return refuse(problem.to_owned(), "wait for its first step to end");
    }
    if now.task.verify.is_some() && state != RunState::Completed {
        return refuse(
            format!("its verify command has not passed; the run is {state}"),
            "let it go on until it passes, or accept it as it is in its review; \
             `longhaul diff` shows what there is",
        );
    }
    if !state.at_rest() {
        return refuse(
            format!("the run is {state}; what it has is not finished"),
            "wait for it (`longhaul wait`), or pause it",
        );
    }
    Ok(())
}

/// What an apply is refused with, and what can be done.
pub(crate) fn words(error: &ApplyError) -> CommandError {
    let hint = match error {
        ApplyError::UnknownPath(_) => "`longhaul diff` shows which files it changed",
        ApplyError::HunkGone { .. } => "look at `longhaul diff` again and choose anew",
        ApplyError::NotInPart(_) | ApplyError::PartMeetsEarlier(_) => {
            "apply the whole file with --path"
        }
        ApplyError::NotGit(_) | ApplyError::InPlace => "`--as changes` works without git",
        ApplyError::BadName(_) | ApplyError::Occupied(_) | ApplyError::Refused { .. } => {
            "give another one with --branch"
        }
        ApplyError::BaseGone { .. } => "`--as changes` needs only the files",
        ApplyError::NoProject(_) => "put the project back to where it was",
        ApplyError::Unsupported { .. } | ApplyError::NotNow(_) => "then apply again",
        ApplyError::Moved(_) => "let what changes it come to its end, then apply again",
        ApplyError::System { .. } => "mend that and apply again; the project is as it was",
        ApplyError::Stuck { .. } => "it goes on by itself",
        ApplyError::Snapshot(_) => "`longhaul doctor` looks at the run's files",
    };
    CommandError::not_now(error.to_string(), hint)
}

pub(crate) fn report_of(conflicts: &Conflicts, review: ReviewId) -> ApplyReport {
    let paths = conflicts.paths.iter().map(|path| ConflictPath {
        path: path.path.clone(),
        why: path.kind.words().to_owned(),
    });
    ApplyReport {
        work: AppliedWork::default(),
        review: Some(review),
        conflicts: paths.collect(),
    }
}

/// Each path with both sides.
pub(crate) fn detail(conflicts: &Conflicts) -> String {
    let mut text = String::new();
    for path in &conflicts.paths {
        text.push_str(&format!("{}: {}\n", path.path, path.kind.words()));
    }
    for path in conflicts
        .paths
        .iter()
        .filter(|path| !path.sketch.is_empty())
    {
        text.push_str(&format!("\n--- {}\n{}", path.path, path.sketch));
    }
    text
}
