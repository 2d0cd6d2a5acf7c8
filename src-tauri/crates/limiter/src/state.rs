//! The gate as a state machine: no async, no clock, no locks.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use domain::Timestamp;

use crate::pause::{Limit, Pause};
use crate::registry::{LastLimit, Settings};

/// A renewed limit within this time of a release continues the series of growing gaps.
const RELEASE_LASTS_MS: i64 = 60_000;
/// How many calls are let through at each spacing before it halves.
const CALLS_PER_SPACING: u32 = 4;
/// How often the spacing halves before the gate is simply open.
const HALVINGS: u32 = 4;

/// A place in the queue: higher priority first, then whoever came first.
pub(crate) type Place = (Reverse<i32>, u64);

/// What a waiting caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Go. The number tells calls of before a pause from calls of after it.
    Granted(u64),
    /// Not before this moment.
    At(Timestamp),
    /// Not before something else changes.
    AfterChange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// A pause is in force; `probing` while its single call is on the way.
    Paused {
        probing: bool,
    },
    /// The probe succeeded: the others follow, spaced apart.
    Releasing {
        released: u32,
        next_at: Timestamp,
        began: Timestamp,
    },
}

pub(crate) struct State {
    settings: Settings,
    random: u64,
    phase: Phase,
    pause: Option<Pause>,
    /// Grows with every pause and every probe.
    generation: u64,
    attempts: u32,
    pub(crate) waiting: BTreeMap<Place, String>,
    pub(crate) in_flight: usize,
    pub(crate) last_limit: Option<LastLimit>,
    next_seq: u64,
    /// Grows whenever a pause begins, moves or ends.
    pub(crate) pause_version: u64,
}

impl State {
    pub(crate) fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            random: seed,
            phase: Phase::Open,
            pause: None,
            generation: 0,
            attempts: 0,
            waiting: BTreeMap::new(),
            in_flight: 0,
            last_limit: None,
            next_seq: 0,
            pause_version: 0,
        }
    }

    pub(crate) fn change_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    pub(crate) fn next_seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq
    }

    pub(crate) fn pause(&self) -> Option<&Pause> {
        self.pause.as_ref()
    }

    pub(crate) fn probing(&self) -> bool {
        self.phase == Phase::Paused { probing: true }
    }

    /// The pause, if a call made now would have to wait for it.
    pub(crate) fn blocked(&mut self, now: Timestamp) -> Option<Pause> {
        self.follow_clock(now);
        let over = |pause: &&Pause| now < pause.until || self.probing();
        self.pause.as_ref().filter(over).cloned()
    }

    /// Whether whoever holds `place` may go now.
    pub(crate) fn turn(&mut self, place: Place, now: Timestamp) -> Turn {
        self.follow_clock(now);
        let first = self.waiting.keys().next() == Some(&place);
        if !first || self.in_flight >= self.settings.concurrency {
            return Turn::AfterChange;
        }
        match self.phase {
            Phase::Open => {}
            Phase::Paused { probing: true } => return Turn::AfterChange,
            Phase::Paused { probing: false } => match &self.pause {
                Some(pause) if now < pause.until => return Turn::At(pause.until),
                _ => {
                    self.generation += 1;
                    self.phase = Phase::Paused { probing: true };
                }
            },
            Phase::Releasing { next_at, .. } if now < next_at => return Turn::At(next_at),
            Phase::Releasing {
                released, began, ..
            } => self.release_one(released, began, now),
        }
        self.waiting.remove(&place);
        self.in_flight += 1;
        Turn::Granted(self.generation)
    }

    fn release_one(&mut self, released: u32, began: Timestamp, now: Timestamp) {
        let halvings = released / CALLS_PER_SPACING;
        if halvings >= HALVINGS || now.ms_since(began) > RELEASE_LASTS_MS {
            self.phase = Phase::Open;
            self.attempts = 0;
            return;
        }
        let spacing = (self.settings.release_spacing_ms >> halvings) as i64;
        self.phase = Phase::Releasing {
            released: released + 1,
            next_at: now.plus_ms(spacing),
            began,
        };
    }

    /// The provider took a call of this generation.
    pub(crate) fn accepted(&mut self, generation: u64, now: Timestamp) {
        if self.probing() && generation == self.generation {
            self.pause = None;
            self.pause_version += 1;
            let next_at = now.plus_ms(self.settings.release_spacing_ms as i64);
            self.phase = Phase::Releasing {
                released: 1,
                next_at,
                began: now,
            };
        }
    }

    /// A call of this generation ended, whatever came of it.
    pub(crate) fn ended(&mut self, generation: u64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.probing() && generation == self.generation {
            // It told us nothing: the next in line is the probe.
            self.phase = Phase::Paused { probing: false };
        }
    }

    /// A call of this generation met a limit.
    pub(crate) fn limited(&mut self, generation: u64, limit: Limit, now: Timestamp) {
        self.follow_clock(now);
        self.last_limit = Some(LastLimit {
            kind: limit.kind,
            at: now,
            retry_after_ms: limit.retry_after_ms,
        });
        let told = limit
            .retry_after_ms
            .filter(|ms| *ms > 0)
            .map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
        // A call sent before the pause says nothing about how long it should
        // last, unless it was told so.
        if self.pause.is_some() && generation != self.generation {
            if let (Some(ms), Some(pause)) = (told, &mut self.pause)
                && now.plus_ms(ms) > pause.until
            {
                pause.until = now.plus_ms(ms);
                pause.known = true;
                self.pause_version += 1;
            }
            return;
        }
        let attempt = self.attempts;
        let wait = told.unwrap_or_else(|| self.probe_gap_ms(attempt));
        self.attempts = attempt.saturating_add(1);
        self.begin(Pause {
            kind: limit.kind,
            since: now,
            until: now.plus_ms(wait),
            known: told.is_some(),
            attempt,
        });
    }

    /// Puts a pause in force, replacing the present one.
    pub(crate) fn begin(&mut self, pause: Pause) {
        self.attempts = self.attempts.max(pause.attempt.saturating_add(1));
        self.pause = Some(pause);
        self.phase = Phase::Paused { probing: false };
        self.generation += 1;
        self.pause_version += 1;
    }

    /// Lets the probe go now. The others still wait for its success.
    pub(crate) fn resume(&mut self, now: Timestamp) {
        if let Some(pause) = &mut self.pause
            && pause.until > now
        {
            pause.until = now;
            pause.since = pause.since.min(now);
            self.pause_version += 1;
        }
    }

    /// Doubling, with up to a quarter of jitter on top, never above the cap.
    fn probe_gap_ms(&mut self, attempt: u32) -> i64 {
        let gap = self
            .settings
            .probe_first_ms
            .saturating_mul(1 << attempt.min(20))
            .min(self.settings.probe_max_ms);
        let jitter = self.next_random() % (gap / 4).max(1);
        i64::try_from(gap.saturating_add(jitter).min(self.settings.probe_max_ms))
            .unwrap_or(i64::MAX)
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): deterministic from the seed.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A clock that was set back must not lengthen a pause: it keeps its length.
    fn follow_clock(&mut self, now: Timestamp) {
        if let Some(pause) = &mut self.pause
            && pause.since > now
        {
            let back = pause.since.ms_since(now);
            pause.since = now;
            pause.until = pause.until.plus_ms(-back);
            self.pause_version += 1;
        }
        if let Phase::Releasing { next_at, began, .. } = &mut self.phase
            && *began > now
        {
            (*next_at, *began) = (now, now);
        }
    }
}
