//! The one list of endpoints.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a cached answer is about. A client drops every cached answer that
/// `provides` a tag which a call `invalidates`; events do the same by their run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum Tag {
    /// The daemon itself.
    Daemon,
    /// The list of runs.
    Runs,
    /// One run.
    Run,
    /// The review queue.
    Reviews,
    /// The backends.
    Backends,
    /// Totals of the ledger.
    Cost,
    /// The limiter.
    Limits,
    /// The store's health.
    Health,
    /// The settings.
    Settings,
    /// The projects runs were made for.
    Projects,
}

/// A request document. Each endpoint has its own, so the type says which is meant.
pub trait Request: Serialize + DeserializeOwned + Send + 'static {
    /// The endpoint's name: `POST /v1/<NAME>`.
    const NAME: &'static str;
    /// What a cached answer is about.
    const PROVIDES: &'static [Tag];
    /// What a call makes stale.
    const INVALIDATES: &'static [Tag];
    /// What is answered.
    type Response: Serialize + DeserializeOwned + Send + 'static;
}

/// Calls the macro `$with` with every endpoint:
/// `name: Request => Response, provides [Tag…], invalidates [Tag…];`
///
/// The types are to be found in this crate.
#[macro_export]
macro_rules! endpoints {
    ($with:ident) => {
        $with! {
            version: VersionRequest => VersionInfo, provides [Daemon], invalidates [];
            status: StatusRequest => DaemonStatus, provides [Daemon, Runs], invalidates [];
            start_run: RunRequest => RunStarted, provides [], invalidates [Runs];
            runs: RunsRequest => RunList, provides [Runs], invalidates [];
            show: ShowRequest => RunView, provides [Run, Reviews], invalidates [];
            logs: LogsRequest => LogPage, provides [Run], invalidates [];
            resume: ResumeRequest => RunAcks, provides [], invalidates [Run, Runs];
            pause: PauseRequest => RunAcks, provides [], invalidates [Run, Runs];
            resume_from: ResumeFromRequest => RolledBack, provides [], invalidates [Run, Runs, Reviews];
            consequences: ConsequencesRequest => ConsequencesView, provides [Run], invalidates [];
            rollback: RollbackRequest => RolledBack, provides [], invalidates [Run, Runs, Reviews];
            fork: ForkRequest => Forked, provides [], invalidates [Runs];
            cancel: CancelRequest => RunAck, provides [], invalidates [Run, Runs, Reviews];
            message: MessageRequest => RunAck, provides [], invalidates [Run];
            diff: DiffRequest => DiffView, provides [Run], invalidates [];
            apply: ApplyRequest => Applied, provides [], invalidates [Run, Reviews];
            discard: DiscardRequest => RunAck, provides [], invalidates [Run, Runs];
            reviews: ReviewsRequest => ReviewList, provides [Reviews], invalidates [];
            decide: DecideRequest => Decided, provides [], invalidates [Run, Runs, Reviews];
            undo: UndoRequest => Undone, provides [], invalidates [Run, Runs, Reviews];
            review: ReviewRequest => ReviewDetail, provides [Reviews, Run], invalidates [];
            snooze: SnoozeRequest => ReviewView, provides [], invalidates [Reviews];
            notices: NoticesRequest => Notices, provides [], invalidates [Daemon]; // who notifies: not for a run to say
            notice_act: NoticeActRequest => NoticeActed, provides [], invalidates [Run, Runs, Reviews];
            backend_add: BackendAdd => BackendView, provides [], invalidates [Backends];
            backend_list: BackendListRequest => BackendList, provides [Backends], invalidates [];
            backend_remove: BackendRemove => BackendRemoved, provides [], invalidates [Backends];
            backend_test: BackendTestRequest => BackendTest, provides [], invalidates [];
            cost: CostRequest => CostReport, provides [Cost], invalidates [];
            limits: LimitsRequest => LimitsView, provides [Limits], invalidates [];
            bucket_set: BucketSet => NamedBucket, provides [], invalidates [Limits];
            bucket_remove: BucketRemove => LimitsView, provides [], invalidates [Limits];
            bucket_take: BucketTake => BucketGrant, provides [], invalidates []; // from inside a run, too: it only uses up
            steps: StepsRequest => StepPage, provides [Run], invalidates [];
            op: OpRequest => OpDetail, provides [Run], invalidates [];
            activity: ActivityRequest => Activity, provides [Run], invalidates [];
            projects: ProjectsRequest => ProjectList, provides [Projects], invalidates [];
            project: ProjectRequest => ProjectFacts, provides [Projects], invalidates [];
            folders: FoldersRequest => Folders, provides [], invalidates [];
            cost_series: CostSeriesRequest => CostSeries, provides [Cost], invalidates [];
            settings: SettingsRequest => SettingList, provides [Settings], invalidates [];
            setting: SettingChange => Setting, provides [], invalidates [Settings, Daemon, Limits];
            policy_test: PolicyTestRequest => PolicyTest, provides [Settings], invalidates [];
            policy: PolicyRequest => PolicyView, provides [Settings], invalidates [];
            policy_trust: PolicyTrustRequest => PolicyView, provides [], invalidates [Settings, Daemon];
            policy_remove: PolicyRemoveRequest => PolicyView, provides [], invalidates [Settings, Daemon];
            rule_preview: RulePreviewRequest => RulePreview, provides [Reviews], invalidates [];
            health: HealthRequest => Health, provides [Health, Daemon, Runs], invalidates [];
            log_lines: LogLinesRequest => LogLines, provides [], invalidates [];
            agents_found: AgentsFoundRequest => AgentsFound, provides [Backends], invalidates [];
            probe: ProbeRequest => BackendTest, provides [], invalidates [];
            backend_key: BackendKey => BackendView, provides [], invalidates [Backends, Runs, Run, Reviews];
            backend_change: BackendChange => BackendView, provides [], invalidates [Backends];
            service: ServiceRequest => ServiceState, provides [], invalidates [Health];
            rehearsal: RehearsalRequest => RehearsalStarted, provides [], invalidates [Runs, Backends, Projects];
            catch_up: CatchUpRequest => CatchUp, provides [Reviews], invalidates [];
            caught_up: CaughtUpRequest => CaughtUp, provides [], invalidates [Reviews];
            review_figures: ReviewFiguresRequest => ReviewFigures, provides [Reviews], invalidates [];
            webhook: WebhookRequest => WebhookView, provides [Daemon], invalidates [];
            webhook_set: WebhookSet => WebhookView, provides [], invalidates [Daemon];
            webhook_remove: WebhookRemove => WebhookView, provides [], invalidates [Daemon];
            webhook_test: WebhookTestRequest => WebhookTest, provides [], invalidates [Daemon];
            doctor: DoctorRequest => DoctorReport, provides [Health], invalidates [];
            backup: BackupRequest => BackupMade, provides [], invalidates [Health];
            restore: RestoreRequest => Restored, provides [], invalidates [Daemon, Runs, Run, Reviews, Backends, Cost, Limits, Health];
            stop: StopRequest => Stopping, provides [], invalidates [Daemon];
        }
    };
}

macro_rules! implement {
    ($($name:ident: $request:ident => $response:ident, provides [$($p:ident),*], invalidates [$($i:ident),*];)*) => {
        $(impl Request for $crate::$request {
            const NAME: &'static str = stringify!($name);
            const PROVIDES: &'static [Tag] = &[$(Tag::$p),*];
            const INVALIDATES: &'static [Tag] = &[$(Tag::$i),*];
            type Response = $crate::$response;
        })*

        /// Every endpoint's name, in the order of the list.
        #[cfg(test)]
        pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}
endpoints!(implement);
