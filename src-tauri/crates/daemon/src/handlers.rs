//! One function an endpoint, named as in the protocol's list.

mod backends;
mod figures;
mod health;
mod reviews;
mod runs;

pub(crate) use backends::{backend_add, backend_list, backend_remove, backend_test};
pub(crate) use figures::{cost, limits};
pub(crate) use health::{backup, doctor, restore, status, stop, version};
pub(crate) use reviews::{decide, reviews, snooze};
pub(crate) use runs::{
    apply, cancel, diff, discard, logs, message, pause, resume, runs, show, start_run,
};

use engine::CommandError;
use protocol::{ApiError, ErrorCode};

/// What a command of the engine's refused, as the protocol says it.
fn command_error(error: CommandError) -> ApiError {
    match error {
        CommandError::Unknown(id) => ApiError::not_found(
            format!("there is no run {id}"),
            "`longhaul runs` lists them",
        ),
        CommandError::NotNow { problem, hint } => ApiError::new(ErrorCode::Conflict, problem, hint),
        CommandError::Workspace(why) => ApiError::new(
            ErrorCode::Conflict,
            why,
            "`longhaul show` says where the run's files are",
        ),
        CommandError::Store(why) => ApiError::internal(why),
    }
}
