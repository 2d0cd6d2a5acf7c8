//! The one place where new ids are made.

#![allow(clippy::disallowed_methods)] // this is that place

use domain::{ReviewId, RunId};

/// A new run's id.
pub(crate) fn new_run_id() -> RunId {
    RunId(uuid::Uuid::now_v7())
}

/// A new review's id.
pub(crate) fn new_review_id() -> ReviewId {
    ReviewId(uuid::Uuid::now_v7())
}
