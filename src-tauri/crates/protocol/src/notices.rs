//! Notices: what is told on the desktop while nobody looks at Longhaul.
//!
//! The daemon decides what is told. One desktop application at a time holds the lease
//! and shows it: it calls `notices` again and again, each call waits for something to
//! show, and names what the application has shown since. What it does not name within
//! 5 s, and everything while nobody holds the lease, the daemon shows itself.

use domain::{ReviewId, RunId};
use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// Longest wait of one call of `notices`, in milliseconds.
pub const MAX_NOTICES_WAIT_MS: u32 = 60_000;

/// What a notice is about; each kind can be turned off.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, specta::Type,
)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Somebody has to decide something.
    NeedsYou,
    /// A run failed.
    Failed,
    /// Runs were interrupted: some went on by themselves, some wait for somebody.
    Interrupted,
    /// A run has used 90 % of its budget.
    Budget,
    /// A run waits for a provider's limit for more than 15 minutes.
    Limit,
    /// A run is done.
    Finished,
    /// The answer to a click that could not be done. Cannot be turned off.
    Reply,
}

/// What can be done from a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum NoticeAction {
    /// Decides the review with `approve`.
    Approve,
    /// Decides the review with `reject`.
    Reject,
    /// Resumes the runs that are interrupted.
    Resume,
    /// Opens the item in the application.
    Open,
}

impl NoticeAction {
    /// Every action.
    pub const ALL: [Self; 4] = [Self::Approve, Self::Reject, Self::Resume, Self::Open];

    /// The action's key, for the notification server.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Resume => "resume",
            Self::Open => "open",
        }
    }

    /// What stands on its button.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Reject => "Reject",
            Self::Resume => "Resume",
            Self::Open => "Open",
        }
    }
}

/// One notice. All its texts are plain: whoever shows it escapes them for the markup of
/// where it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Notice {
    /// Names this notice; no other ever has the same.
    pub id: String,
    /// A notice takes the place of an earlier one with the same slot.
    pub slot: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// The first line.
    pub title: String,
    /// The rest; may be empty.
    pub body: String,
    /// What can be done. [`NoticeAction::Open`] is what a click on the notice itself does.
    pub actions: Vec<NoticeAction>,
    /// The review that approving and rejecting decide.
    pub review: Option<ReviewId>,
    /// The runs it is about.
    pub runs: Vec<RunId>,
    /// What to open: `longhaul://review/ID`, `longhaul://run/ID` or `longhaul://inbox`.
    pub link: String,
    /// When it was made.
    pub at: Moment,
}

/// Takes or keeps the lease, says what was shown, and waits for more.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct NoticesRequest {
    /// Names the caller, the same in each of its calls.
    pub holder: String,
    /// Ids of notices that were shown since the last call.
    #[serde(default)]
    pub shown: Vec<String>,
    /// How long to wait for something to show, in milliseconds; at most
    /// [`MAX_NOTICES_WAIT_MS`].
    #[serde(default)]
    pub wait_ms: u32,
    /// The caller is about to end: the daemon shows notices from now on.
    #[serde(default)]
    pub leaving: bool,
}

/// What the holder of the lease is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Notices {
    /// Whether the caller holds the lease. If another application does, the two lists
    /// are empty.
    pub leased: bool,
    /// To be shown, and named in the next call within 5 s.
    pub show: Vec<Notice>,
    /// Ids of notices that are to be taken away: they are no longer true.
    pub close: Vec<String>,
}

/// Somebody clicked. The daemon needs to know no more than what stands here, so a notice
/// may be older than the daemon.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct NoticeActRequest {
    /// What was clicked.
    pub action: NoticeAction,
    /// The notice.
    pub notice: Notice,
}

/// What came of a click.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct NoticeActed {
    /// What the caller should open now.
    pub open: Option<String>,
    /// Why it could not be done, in words; a notice says the same.
    pub refused: Option<String>,
}
