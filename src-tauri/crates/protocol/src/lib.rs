//! What daemon and clients say to each other: one list of endpoints, the documents
//! they exchange, and a closed set of error codes. The daemon's router, the Rust
//! client's methods and the TypeScript bindings are all made from [`endpoints!`].
//!
//! A call is `POST /v1/<name>` with a JSON document; an error is
//! `{"error":{"code","message","hint"}}`. `GET /v1/events?after=CURSOR[&run=ID]` is a
//! stream of server-sent events: see [`events`].

#![cfg_attr(test, recursion_limit = "256")] // one large json! document

mod backends;
mod daemon;
mod endpoints;
mod error;
pub mod events;
mod figures;
mod moment;
mod reviews;
mod runs;
#[cfg(test)]
mod tests;
mod view;

pub use backends::{
    BackendAdd, BackendCheck, BackendList, BackendListRequest, BackendRemove, BackendRemoved,
    BackendTest, BackendTestRequest, BackendView, KeySource, KeyText, KeyView,
};
pub use daemon::{
    BackupMade, BackupRequest, DaemonMode, DaemonStatus, DoctorReport, DoctorRequest, Finding,
    FindingLevel, RestoreRequest, Restored, StatusRequest, StopHow, StopRequest, Stopping,
    VersionInfo, VersionRequest,
};
pub use endpoints::{Request, Tag};
pub use error::{ApiError, ErrorBody, ErrorCode};
pub use events::{Delta, EventFrame, LogEntry};
pub use figures::{
    BucketView, CostBy, CostReport, CostRequest, CostRow, LimitsRequest, LimitsView, Usage,
};
pub use moment::Moment;
pub use reviews::{
    AnswerView, ChoiceView, DecideRequest, Decided, ReviewList, ReviewStatus, ReviewView,
    ReviewsRequest, SnoozeRequest,
};
pub use runs::{
    Applied, ApplyAs, ApplyRequest, CancelRequest, DiffRequest, DiffView, DiscardRequest, Estimate,
    LogPage, LogsRequest, MessageRequest, PauseRequest, ResumeRequest, RunAck, RunAcks, RunList,
    RunRequest, RunSelector, RunStarted, RunSummary, RunsRequest, ShowRequest,
};
pub use view::{
    BudgetView, CheckpointView, OpView, PlanItemView, Progress, Recovery, RunView, WorkspaceView,
};

/// The protocol's version. Raised when a document changes so that an older peer
/// could misread it.
pub const PROTOCOL: u32 = 1;

/// The longest prompt accepted, in bytes. Longer texts belong in a file of the project.
pub const MAX_PROMPT_BYTES: usize = 1 << 20;
