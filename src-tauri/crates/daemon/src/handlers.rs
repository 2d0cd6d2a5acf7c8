//! One function an endpoint, named as in the protocol's list.

mod agents;
mod applying;
mod backends;
mod buckets;
mod figures;
mod health;
mod idle_rules;
mod keys;
mod lineage;
mod listing;
mod looking;
mod notices;
mod overview;
mod policy;
mod projects;
mod promises;
mod rehearsal;
mod reviews;
mod runs;
mod series;
pub(crate) mod servers;
mod settings;
pub(crate) mod steps;
mod webhook;

pub(crate) use agents::{agents_found, probe};
pub(crate) use applying::apply;
pub(crate) use backends::key_view;
pub(crate) use backends::{backend_add, backend_list, backend_remove, backend_test};
pub(crate) use buckets::{bucket_remove, bucket_set, bucket_take};
pub(crate) use figures::{cost, limits};
pub(crate) use health::{backup, doctor, restore, status, stop, version};
pub(crate) use keys::{backend_change, backend_key};
pub(crate) use lineage::{consequences, fork, resume_from, rollback};
pub(crate) use listing::runs;
pub(crate) use looking::{catch_up, caught_up, review_figures};
pub(crate) use notices::{notice_act, notices};
pub(crate) use overview::{health, log_lines, service};
pub(crate) use policy::{policy, policy_remove, policy_test, policy_trust, rule_preview};
pub(crate) use projects::{folders, project, projects};
pub(crate) use rehearsal::rehearsal;
pub(crate) use reviews::{decide, review, reviews, snooze, undo};
pub(crate) use runs::{
    cancel, diff, discard, logs, message, pause, resume, show, start_error, start_run,
};
pub(crate) use series::cost_series;
pub(crate) use settings::{setting, settings};
pub(crate) use steps::{activity, op, steps};
pub(crate) use webhook::{webhook, webhook_remove, webhook_set, webhook_test};

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
