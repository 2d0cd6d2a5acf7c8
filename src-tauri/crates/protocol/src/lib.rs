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
mod health;
mod lineage;
mod looking;
mod moment;
mod notices;
mod policy;
mod projects;
mod reviews;
mod runs;
mod settings;
mod steps;
#[cfg(test)]
mod tests;
mod view;
mod webhook;

pub use backends::{
    AgentFound, AgentsFound, AgentsFoundRequest, BackendAdd, BackendChange, BackendCheck,
    BackendKey, BackendList, BackendListRequest, BackendRemove, BackendRemoved, BackendTest,
    BackendTestRequest, BackendView, Kept, KeySource, KeyText, KeyView, ProbeRequest, PromiseOf,
    Promised, ServerFound,
};
pub use daemon::{
    BackupMade, BackupRequest, DaemonMode, DaemonStatus, DoctorReport, DoctorRequest, Finding,
    FindingLevel, LockView, RestoreRequest, Restored, SandboxState, StatusRequest, StopHow,
    StopRequest, Stopping, VersionInfo, VersionRequest,
};
pub use endpoints::{Request, Tag};
pub use error::{ApiError, ErrorBody, ErrorCode};
pub use events::{Delta, DeltaKind, EventFrame, LogEntry};
pub use figures::{
    BucketGrant, BucketRemove, BucketSet, BucketShare, BucketTake, BucketView, CostBy, CostReport,
    CostRequest, CostRow, CostSeries, CostSeriesRequest, CostStack, LimitsRequest, LimitsView,
    NamedBucket, Usage,
};
pub use health::{
    BackupFile, BrokenRules, DiskUse, Health, HealthRequest, LiveRun, LogLine, LogLines,
    LogLinesRequest, RehearsalRequest, RehearsalStarted, ServiceRequest, ServiceState, ServiceWish,
    Working, WorkspacesUse,
};
pub use lineage::{
    ConsequencesRequest, ConsequencesView, EffectView, FileChange, ForkRequest, ForkView, Forked,
    ResumeFromRequest, RollbackRequest, RolledBack,
};
pub use looking::{
    CatchUp, CatchUpRequest, CaughtApply, CaughtDecision, CaughtRun, CaughtUp, CaughtUpRequest,
    IdleRule, KindCount, ReviewFigures, ReviewFiguresRequest, RuleFigure,
};
pub use moment::Moment;
pub use notices::{
    MAX_NOTICES_WAIT_MS, Notice, NoticeActRequest, NoticeActed, NoticeAction, NoticeKind, Notices,
    NoticesRequest,
};
pub use policy::{
    LayerState, PolicyLayer, PolicyPart, PolicyRemoveRequest, PolicyRequest, PolicyRule,
    PolicyTest, PolicyTestRequest, PolicyText, PolicyTrustRequest, PolicyView, RulePreview,
    RulePreviewRequest, RuleSample,
};
pub use projects::{
    Folder, Folders, FoldersRequest, ProjectFacts, ProjectList, ProjectRequest, ProjectUse,
    ProjectsRequest,
};
pub use reviews::{
    AnswerView, ChoiceView, DecideRequest, Decided, ReviewCall, ReviewDetail, ReviewList,
    ReviewRequest, ReviewRun, ReviewStatus, ReviewView, ReviewsRequest, ReviewsStatus,
    SnoozeRequest, UndoRequest, Undone,
};
pub use runs::{
    Applied, AppliedPath, AppliedWhat, ApplyRequest, CancelRequest, DiffRequest, DiffView,
    DiscardRequest, Estimate, KeptFiles, LogPage, LogsRequest, MessageRequest, OpsWanted,
    PauseRequest, ResumeRequest, RunAck, RunAcks, RunList, RunRequest, RunSelector, RunStarted,
    RunSummary, RunsRequest, ShowRequest,
};
pub use settings::{
    Setting, SettingChange, SettingChoice, SettingKind, SettingList, SettingsRequest,
};
pub use steps::{
    Activity, ActivityRequest, BlockKind, BlockView, MAX_BUCKETS, MAX_STEP_ENTRIES, MAX_STEPS,
    OpDetail, OpRequest, StepPage, StepView, StepsRequest,
};
pub use view::{
    BudgetView, CheckpointView, OpView, PlanItemView, Progress, Recovery, RunView, SandboxView,
    WorkspaceView,
};
pub use webhook::{
    WebhookRemove, WebhookRequest, WebhookSet, WebhookState, WebhookTest, WebhookTestRequest,
    WebhookTopic, WebhookView,
};

/// The protocol's version. Raised when a document changes so that an older peer
/// could misread it.
pub const PROTOCOL: u32 = 1;

/// The longest prompt accepted, in bytes. Longer texts belong in a file of the project.
pub const MAX_PROMPT_BYTES: usize = 1 << 20;
