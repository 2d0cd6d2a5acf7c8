//! What is to be told, from the first event to the end of its notice.

mod group;

use std::collections::BTreeMap;

use domain::{Event, QueueReason, RunId, Timestamp, Wait, WaitCause};
use protocol::{Notice, NoticeKind};

use crate::memory::Memory;
use crate::news::{After, Happened, LONG_WAIT_MS, News, Subject, What, Wishes};

/// How long something is kept back so that what happens with it is told with it, in
/// milliseconds.
const GATHER_MS: i64 = 2_000;

/// A run is told of at most once in this time, in milliseconds (UX.md: a minute).
const SPACING_MS: i64 = 60_000;

/// Notices that are remembered for closing. More are never on a screen.
const REMEMBERED: usize = 200;

/// What the board wants done now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// To be shown.
    pub show: Vec<Notice>,
    /// Ids of notices that are no longer true.
    pub close: Vec<String>,
}

/// A wait for a limit that goes on.
#[derive(Clone, Debug)]
struct Watch {
    title: String,
    since: Timestamp,
    until: Option<Timestamp>,
    why: String,
}

/// A notice that was made and is still true.
#[derive(Clone, Debug)]
struct Open {
    notice: Notice,
    about: Vec<News>,
    delivered: bool,
}

/// Holds what is to be told until it is time, and what was told until it is untrue.
#[derive(Debug, Default)]
pub struct Board {
    pending: Vec<News>,
    open: Vec<Open>,
    limits: BTreeMap<RunId, Watch>,
    closing: Vec<String>,
    memory: Memory,
    /// Everything up to here was heard.
    read: u64,
}

impl Board {
    /// A board that goes on where `memory` ends.
    pub fn new(memory: Memory) -> Self {
        Self {
            read: memory.mark,
            memory,
            ..Self::default()
        }
    }

    /// The position to read events on from.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// A wait that began before the events that will be heard.
    pub fn waits(&mut self, run: RunId, title: &str, wait: &Wait) {
        if wait.cause == WaitCause::RateLimit {
            let watch = Watch {
                title: title.to_owned(),
                since: wait.since,
                until: wait.until,
                why: wait.detail.clone(),
            };
            self.limits.insert(run, watch);
        }
    }

    /// Hears of the next event, at `now`. `subject` is needed where
    /// [`crate::worth_a_look`] says so.
    pub fn hear(&mut self, happened: Happened<'_>, subject: &Subject, now: Timestamp) {
        let Happened { run, event, .. } = happened;
        self.read = self.read.max(happened.gseq);
        self.forget_untrue(run, event);
        self.watch_limits(happened, subject);
        if self.memory.settled(happened.gseq) {
            return;
        }
        if let Some(what) = What::of(event, subject) {
            // What ended is the last thing to say of a run.
            if event_ends(event) {
                self.pending.retain(|news| news.run != run);
            }
            self.pending.push(News {
                gseq: happened.gseq,
                run,
                title: subject.title.clone(),
                what,
                heard: now,
            });
        }
    }

    /// An event nobody is told of.
    pub fn pass(&mut self, gseq: u64) {
        self.read = self.read.max(gseq);
    }

    /// Drops what this event makes untrue.
    fn forget_untrue(&mut self, run: RunId, event: &Event) {
        let restarted = matches!(
            event,
            Event::Queued {
                reason: QueueReason::Restarted
            }
        );
        if restarted {
            for news in self.pending.iter_mut().filter(|news| news.run == run) {
                if let What::Interrupted { after, .. } = &mut news.what {
                    *after = After::WentOn;
                }
            }
        }
        self.pending
            .retain(|news| news.run != run || !news.what.undone_by(event));
        let untrue = |news: &News| {
            let waited = matches!(
                news.what,
                What::Interrupted {
                    after: After::Waits,
                    ..
                }
            );
            news.run == run && (news.what.undone_by(event) || (restarted && waited))
        };
        for open in &mut self.open {
            if open.about.iter().any(untrue) {
                open.about.retain(|news| !untrue(news));
                if open.about.is_empty() {
                    self.closing.push(open.notice.id.clone());
                }
            }
        }
        self.open.retain(|open| !open.about.is_empty());
    }

    fn watch_limits(&mut self, happened: Happened<'_>, subject: &Subject) {
        let Happened { run, event, .. } = happened;
        match event {
            Event::WaitBegan {
                cause: WaitCause::RateLimit,
                until,
                detail,
            } => {
                let since = self
                    .limits
                    .get(&run)
                    .map_or(happened.at, |watch| watch.since);
                let watch = Watch {
                    title: subject.title.clone(),
                    since,
                    until: *until,
                    why: detail.clone(),
                };
                self.limits.insert(run, watch);
            }
            Event::WaitEnded {
                cause: WaitCause::RateLimit,
            }
            | Event::Paused { .. }
            | Event::Interrupted { .. }
            | Event::Completed { .. }
            | Event::Failed { .. }
            | Event::Cancelled { .. } => {
                self.limits.remove(&run);
            }
            _ => {}
        }
    }

    /// What is to be shown and closed at `now`.
    pub fn due(&mut self, now: Timestamp, wishes: &Wishes) -> Changes {
        self.take_up_limits(now);
        let mut unwanted = Vec::new();
        self.pending.retain(|news| {
            let wanted = wishes.want(news.what.kind());
            if !wanted {
                unwanted.push(news.gseq);
            }
            wanted
        });
        self.memory.told.extend(unwanted);
        let mut show = Vec::new();
        if self.next_pending().is_some_and(|at| at <= now) {
            let pending = std::mem::take(&mut self.pending);
            let spaced = |news: &News| self.spaced(news.run) <= now;
            let (ready, rest): (Vec<News>, Vec<News>) = pending.into_iter().partition(spaced);
            self.pending = rest;
            for (notice, about) in group::notices(ready, now) {
                for news in &about {
                    self.memory.recent.insert(news.run, now);
                }
                self.replace(&notice);
                show.push(notice.clone());
                self.open.push(Open {
                    notice,
                    about,
                    delivered: false,
                });
            }
        }
        self.settle(now);
        Changes {
            show,
            close: std::mem::take(&mut self.closing),
        }
    }

    /// A notice of the same slot is no longer on the screen.
    fn replace(&mut self, notice: &Notice) {
        for old in &mut self.open {
            if old.notice.slot == notice.slot && !old.delivered {
                // It comes to nobody's eyes any more: the newer one is told instead.
                old.delivered = true;
                self.memory.told.extend(old.about.iter().map(|n| n.gseq));
            }
        }
        self.open.retain(|old| old.notice.slot != notice.slot);
        while self.open.len() >= REMEMBERED {
            self.open.remove(0);
        }
    }

    /// Waits that have become long enough to be told.
    fn take_up_limits(&mut self, now: Timestamp) {
        for (run, watch) in &self.limits {
            let told = self.memory.limits.get(run) == Some(&watch.since);
            if told || long_at(watch) > now {
                continue;
            }
            self.memory.limits.insert(*run, watch.since);
            self.pending.push(News {
                gseq: 0,
                run: *run,
                title: watch.title.clone(),
                what: What::Limit {
                    until: watch.until,
                    why: crate::words::clean(&watch.why, crate::words::BODY / 2).text,
                },
                heard: now,
            });
        }
    }

    /// When something is due next, if anything is.
    pub fn next(&self) -> Option<Timestamp> {
        let limits = self
            .limits
            .iter()
            .filter(|(run, watch)| self.memory.limits.get(run) != Some(&watch.since))
            .map(|(_, watch)| long_at(watch));
        limits.chain(self.next_pending()).min()
    }

    fn next_pending(&self) -> Option<Timestamp> {
        let ready = |news: &News| news.heard.plus_ms(GATHER_MS).max(self.spaced(news.run));
        self.pending.iter().map(ready).min()
    }

    /// From when on a run may be told of.
    fn spaced(&self, run: RunId) -> Timestamp {
        let last = self.memory.recent.get(&run);
        last.map_or(Timestamp(i64::MIN), |last| last.plus_ms(SPACING_MS))
    }

    /// It was shown, or is about to be and must not be shown again.
    pub fn delivered(&mut self, id: &str) {
        for open in self.open.iter_mut().filter(|open| open.notice.id == id) {
            open.delivered = true;
            self.memory.told.extend(open.about.iter().map(|n| n.gseq));
        }
    }

    /// Whether the notice is still true.
    pub fn is_open(&self, id: &str) -> bool {
        self.open.iter().any(|open| open.notice.id == id)
    }

    /// Forgets what memory no longer needs.
    fn settle(&mut self, now: Timestamp) {
        let untold = self.pending.iter().chain(
            self.open
                .iter()
                .filter(|open| !open.delivered)
                .flat_map(|open| &open.about),
        );
        let first = untold.map(|news| news.gseq).filter(|gseq| *gseq > 0).min();
        let mark = first.map_or(self.read, |first| self.read.min(first - 1));
        self.memory.mark = self.memory.mark.max(mark);
        let mark = self.memory.mark;
        self.memory.told.retain(|gseq| *gseq > mark);
        self.memory
            .recent
            .retain(|_, last| last.plus_ms(SPACING_MS) > now);
        let limits = &self.limits;
        self.memory
            .limits
            .retain(|run, since| limits.get(run).is_some_and(|watch| watch.since == *since));
    }

    /// What is to be kept for the next daemon, as of `now`.
    pub fn memory(&mut self, now: Timestamp) -> &Memory {
        self.settle(now);
        &self.memory
    }
}

/// When a wait is long enough to be told: at once, if it is known how long it will be.
fn long_at(watch: &Watch) -> Timestamp {
    match watch.until {
        Some(until) if until.ms_since(watch.since) > LONG_WAIT_MS => watch.since,
        _ => watch.since.plus_ms(LONG_WAIT_MS),
    }
}

fn event_ends(event: &Event) -> bool {
    matches!(event, Event::Completed { .. } | Event::Failed { .. })
}

/// A notice that asks for something is rather told twice than never; one that only tells
/// is rather lost, if the daemon dies in the very moment of telling.
pub fn asks(kind: NoticeKind) -> bool {
    matches!(kind, NoticeKind::NeedsYou)
}
