//! What deserves telling.

use domain::{Event, QueueReason, Review, ReviewId, RunId, Timestamp, WaitCause};
use protocol::NoticeKind;

use crate::words::{BODY, clean};

/// A limit's wait is told when it lasts longer, in milliseconds (UX.md: 15 min).
pub(crate) const LONG_WAIT_MS: i64 = 15 * 60_000;

/// An event in its place.
#[derive(Clone, Copy, Debug)]
pub struct Happened<'a> {
    /// Its position among the events of all runs.
    pub gseq: u64,
    /// Whose.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: &'a Event,
}

/// What the event alone does not say.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The run's title.
    pub title: String,
    /// The review, if one was requested, may be approved at a glance.
    pub low_risk: bool,
}

/// Whether an event can start a notice, so that a [`Subject`] must be found for it. Others
/// can only end one.
pub fn worth_a_look(event: &Event) -> bool {
    matches!(
        event,
        Event::ReviewRequested { .. }
            | Event::Completed { .. }
            | Event::Failed { .. }
            | Event::Interrupted { .. }
            | Event::BudgetWarned
            | Event::WaitBegan {
                cause: WaitCause::RateLimit,
                ..
            }
    )
}

/// Which kinds the user wants to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// Kinds that are on. Empty: nothing is told.
    pub kinds: Vec<NoticeKind>,
}

impl Wishes {
    /// All kinds.
    pub fn all() -> Self {
        use NoticeKind::{Budget, Failed, Finished, Interrupted, Limit, NeedsYou};
        Self {
            kinds: vec![NeedsYou, Failed, Interrupted, Budget, Limit, Finished],
        }
    }

    pub(crate) fn want(&self, kind: NoticeKind) -> bool {
        kind == NoticeKind::Reply || self.kinds.contains(&kind)
    }
}

/// What became of an interrupted run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It waits for somebody to resume it.
    Waits,
    /// It went on by itself.
    WentOn,
}

/// What may be done from the notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Approve and reject: all of what is approved can be read on the notice.
    Decide,
    /// Only open.
    Open,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    NeedsYou {
        review: ReviewId,
        asked: String,
        offer: Offer,
    },
    Failed {
        why: String,
    },
    Interrupted {
        why: String,
        after: After,
    },
    Budget,
    Limit {
        until: Option<Timestamp>,
        why: String,
    },
    Finished,
}

impl What {
    pub(crate) fn kind(&self) -> NoticeKind {
        match self {
            Self::NeedsYou { .. } => NoticeKind::NeedsYou,
            Self::Failed { .. } => NoticeKind::Failed,
            Self::Interrupted { .. } => NoticeKind::Interrupted,
            Self::Budget => NoticeKind::Budget,
            Self::Limit { .. } => NoticeKind::Limit,
            Self::Finished => NoticeKind::Finished,
        }
    }

    /// What an event says, if it deserves telling at once. A wait for a limit does so
    /// only when it has lasted: see the board.
    pub(crate) fn of(event: &Event, subject: &Subject) -> Option<Self> {
        Some(match event {
            Event::ReviewRequested { review } => Self::needs_you(review, subject),
            Event::Completed { .. } => Self::Finished,
            Event::Failed { message, .. } => Self::Failed {
                why: clean(message, BODY).text,
            },
            Event::Interrupted { detail, .. } => Self::Interrupted {
                why: clean(detail, BODY / 2).text,
                after: After::Waits,
            },
            Event::BudgetWarned => Self::Budget,
            _ => return None,
        })
    }

    fn needs_you(review: &Review, subject: &Subject) -> Self {
        let asked = clean(&review.detail, BODY);
        let readable = asked.whole && !asked.text.is_empty() && review.detail_blob.is_none();
        let both = review.offers("approve") && review.offers("reject");
        if subject.low_risk && readable && both {
            return Self::NeedsYou {
                review: review.id,
                asked: asked.text,
                offer: Offer::Decide,
            };
        }
        Self::NeedsYou {
            review: review.id,
            asked: clean(&review.title, BODY).text,
            offer: Offer::Open,
        }
    }

    /// Whether the event makes it untrue, so that nobody need hear of it any more.
    pub(crate) fn undone_by(&self, event: &Event) -> bool {
        let over = matches!(
            event,
            Event::Completed { .. } | Event::Failed { .. } | Event::Cancelled { .. }
        );
        match self {
            Self::NeedsYou { review, .. } => match event {
                Event::ReviewDecided { review: id, .. }
                | Event::ReviewUsed { review: id }
                | Event::ReviewSnoozed { review: id, .. }
                | Event::ReviewExpired { review: id, .. }
                | Event::ReviewWithdrawn { review: id, .. } => id == review,
                _ => over,
            },
            Self::Interrupted { .. } => {
                over || matches!(
                    event,
                    Event::Queued {
                        reason: QueueReason::Resumed | QueueReason::New
                    } | Event::Paused { .. }
                )
            }
            Self::Budget => over || matches!(event, Event::BudgetChanged { .. }),
            Self::Limit { .. } => {
                over || matches!(
                    event,
                    Event::WaitEnded {
                        cause: WaitCause::RateLimit
                    } | Event::Paused { .. }
                        | Event::Interrupted { .. }
                )
            }
            Self::Failed { .. } => matches!(
                event,
                Event::Queued { .. } | Event::Cancelled { .. } | Event::Discarded
            ),
            Self::Finished => matches!(event, Event::Discarded),
        }
    }
}

/// One thing to tell about one run.
#[derive(Clone, Debug)]
pub(crate) struct News {
    /// The event behind it.
    pub(crate) gseq: u64,
    pub(crate) run: RunId,
    /// The run's title.
    pub(crate) title: String,
    pub(crate) what: What,
    /// When the board heard of it.
    pub(crate) heard: Timestamp,
}
