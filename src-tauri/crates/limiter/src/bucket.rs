//! Named buckets: how often something outside may be called, whoever calls it. What was used is
//! the caller's to keep durably; here is only what follows from it.

use std::collections::BTreeMap;

use domain::Timestamp;
use serde::{Deserialize, Serialize};

const SECOND_MS: i64 = 1000;
const DAY_MS: i64 = 86_400_000;

/// A minute, and the second that a call's own second may reach into it: calls are counted by
/// whole seconds, and in no minute, wherever it begins, may there be more than the cap.
const MINUTE_S: i64 = 61;

/// So many days and months are remembered: a clock set back a little finds what was used.
const REMEMBERED: usize = 3;

/// What a bucket allows. What is absent is not capped. Days and months are those of UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketCaps {
    /// Calls in any minute.
    #[serde(default)]
    pub per_minute: Option<u32>,
    /// Calls in a day.
    #[serde(default)]
    pub per_day: Option<u32>,
    /// Calls in a calendar month.
    #[serde(default)]
    pub per_month: Option<u32>,
    /// Calls of a day set aside for a project (by its folder): it gets these and no more, and
    /// nobody else gets them.
    #[serde(default)]
    pub shares: BTreeMap<String, u32>,
}

/// What was used of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketUse {
    /// Calls of the last minute, by second.
    #[serde(default)]
    minute: BTreeMap<i64, u32>,
    /// Calls by day, and in it by the project with a share; all others under the empty name.
    #[serde(default)]
    days: BTreeMap<i64, BTreeMap<String, u32>>,
    /// Calls by month, counted from year 0.
    #[serde(default)]
    months: BTreeMap<i64, u32>,
}

/// Which cap is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// Calls in a minute.
    Minute(u32),
    /// Calls in a day.
    Day(u32),
    /// Calls in a day that no project has set aside.
    Rest(u32),
    /// The project's own share of a day.
    Share(u32),
    /// Calls in a month.
    Month(u32),
    /// Somebody asked before.
    Line,
}

impl Cap {
    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::Minute(n) => format!("{n} calls a minute are used"),
            Self::Day(n) => format!("{n} calls a day are used"),
            Self::Rest(n) => format!("the {n} calls a day that no project has set aside are used"),
            Self::Share(n) => format!("the project's {n} calls a day are used"),
            Self::Month(n) => format!("{n} calls a month are used"),
            Self::Line => "others asked before".to_owned(),
        }
    }
}

/// Not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotBefore {
    /// When to ask again; it may be later still then.
    pub until: Timestamp,
    /// What is reached.
    pub cap: Cap,
}

impl BucketCaps {
    /// The share a folder belongs to: of itself, or of the nearest folder above it.
    pub fn share_of(&self, folder: Option<&str>) -> Option<&str> {
        let folder = std::path::Path::new(folder?);
        let above = self.shares.keys();
        let above = above.filter(|project| folder.starts_with(project.as_str()));
        above
            .max_by_key(|project| project.len())
            .map(String::as_str)
    }

    /// Whether one more call may be made now, for work in this folder.
    ///
    /// # Errors
    /// When it may not: until when, and why. The cap that lasts longest is named.
    pub fn allow(
        &self,
        used: &mut BucketUse,
        folder: Option<&str>,
        now: Timestamp,
    ) -> Result<(), NotBefore> {
        used.follow_clock(now);
        let (day, month) = (day_of(now), month_of(now));
        let next_day = Timestamp((day + 1) * DAY_MS);
        let share = self.share_of(folder);
        let mut found: Vec<NotBefore> = Vec::new();
        let mut at = |until, cap| found.push(NotBefore { until, cap });
        if let Some(cap) = self.per_month.filter(|n| used.month(month) >= *n) {
            at(Timestamp(first_day(month + 1) * DAY_MS), Cap::Month(cap));
        }
        if let Some(cap) = self.per_day.filter(|n| used.day(day) >= *n) {
            at(next_day, Cap::Day(cap));
        }
        match share.and_then(|name| Some((name, *self.shares.get(name)?))) {
            Some((name, cap)) if used.of(day, name) >= cap => at(next_day, Cap::Share(cap)),
            Some(_) => {}
            None => {
                let aside: u32 = self.shares.values().fold(0, |a, b| a.saturating_add(*b));
                let rest = self.per_day.map(|all| all.saturating_sub(aside));
                if let Some(cap) = rest.filter(|n| aside > 0 && used.of(day, "") >= *n) {
                    at(next_day, Cap::Rest(cap));
                }
            }
        }
        if let Some(cap) = self.per_minute
            && let Some(second) = used.full_until(cap, now)
        {
            at(Timestamp(second * SECOND_MS), Cap::Minute(cap));
        }
        match found.into_iter().max_by_key(|one| one.until) {
            Some(not) => Err(not),
            None => Ok(()),
        }
    }
}

impl BucketUse {
    /// Counts one call.
    pub fn count(&mut self, caps: &BucketCaps, folder: Option<&str>, now: Timestamp) {
        self.follow_clock(now);
        let second = now.0.div_euclid(SECOND_MS);
        self.minute.retain(|at, _| *at > second - MINUTE_S);
        *self.minute.entry(second).or_default() += 1;
        let name = caps.share_of(folder).unwrap_or_default().to_owned();
        let day = self.days.entry(day_of(now)).or_default();
        *day.entry(name).or_default() += 1;
        *self.months.entry(month_of(now)).or_default() += 1;
        while self.days.len() > REMEMBERED {
            self.days.pop_first();
        }
        while self.months.len() > REMEMBERED {
            self.months.pop_first();
        }
    }

    /// What is dated later was counted before a clock was set back: it is as if now.
    fn follow_clock(&mut self, now: Timestamp) {
        let second = now.0.div_euclid(SECOND_MS);
        let later: u32 = self.minute.split_off(&(second + 1)).into_values().sum();
        if later > 0 {
            *self.minute.entry(second).or_default() += later;
        }
    }

    /// Calls in the last minute, of the day, and of the month.
    pub fn so_far(&self, now: Timestamp) -> (u32, u32, u32) {
        let second = now.0.div_euclid(SECOND_MS);
        let minute = self
            .minute
            .iter()
            .filter(|(at, _)| **at > second - MINUTE_S);
        let minute = minute.map(|(_, calls)| calls).sum();
        (minute, self.day(day_of(now)), self.month(month_of(now)))
    }

    /// Calls of the day for a project with a share.
    pub fn of_share(&self, project: &str, now: Timestamp) -> u32 {
        self.of(day_of(now), project)
    }

    fn of(&self, day: i64, name: &str) -> u32 {
        let of = self.days.get(&day).and_then(|day| day.get(name));
        of.copied().unwrap_or_default()
    }

    fn day(&self, day: i64) -> u32 {
        self.days.get(&day).map_or(0, |day| day.values().sum())
    }

    fn month(&self, month: i64) -> u32 {
        self.months.get(&month).copied().unwrap_or_default()
    }

    /// The second from which on there is room for another call in a minute; `None`: now.
    fn full_until(&self, cap: u32, now: Timestamp) -> Option<i64> {
        let second = now.0.div_euclid(SECOND_MS);
        let recent = self
            .minute
            .iter()
            .filter(|(at, _)| **at > second - MINUTE_S);
        let mut calls: u32 = recent.clone().map(|(_, calls)| *calls).sum();
        let mut until = None;
        for (at, of) in recent {
            if calls < cap {
                break;
            }
            calls -= of;
            until = Some(*at + MINUTE_S);
        }
        // A cap of nothing never has room.
        if cap == 0 {
            Some(second + MINUTE_S)
        } else {
            until
        }
    }
}

fn day_of(now: Timestamp) -> i64 {
    now.0.div_euclid(DAY_MS)
}

/// The month a moment is in, counted from year 0: by the proleptic Gregorian calendar, as
/// Howard Hinnant's "chrono-compatible low-level date algorithms" has it.
fn month_of(now: Timestamp) -> i64 {
    let days = day_of(now) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    // March is the first month of these years.
    (era * 400 + year) * 12 + from_march + 2
}

/// The first day of a month.
fn first_day(month: i64) -> i64 {
    let from_march = month - 2;
    let (year, of_year) = (from_march.div_euclid(12), from_march.rem_euclid(12));
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let days = (153 * of_year + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + days - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T17:00:00Z
    const NOW: Timestamp = Timestamp(1_795_280_400_000);

    fn caps(per_minute: u32, per_day: u32) -> BucketCaps {
        BucketCaps {
            per_minute: Some(per_minute),
            per_day: Some(per_day),
            ..BucketCaps::default()
        }
    }

    /// Takes as often as it may at one moment, at most 1000 times.
    fn drain(caps: &BucketCaps, used: &mut BucketUse, folder: Option<&str>, now: Timestamp) -> u32 {
        let mut taken = 0;
        while taken < 1000 && caps.allow(used, folder, now).is_ok() {
            used.count(caps, folder, now);
            taken += 1;
        }
        taken
    }

    #[test]
    fn no_minute_has_more_calls_than_it_may_wherever_it_begins() {
        let (caps, mut used) = (caps(10, 100_000), BucketUse::default());
        let mut times: Vec<i64> = Vec::new();
        let (mut now, mut random) = (NOW.0, 7_u64);
        for _ in 0..20_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            now += i64::try_from(random >> 53).unwrap() % 1500;
            if caps.allow(&mut used, None, Timestamp(now)).is_ok() {
                used.count(&caps, None, Timestamp(now));
                times.push(now);
            }
        }
        for window in times.windows(11) {
            assert!(window[10] - window[0] >= 60_000, "{window:?}");
        }
        // And it is not needlessly slow.
        let span = (times[times.len() - 1] - times[0]) / 61_000;
        assert!(
            times.len() as i64 > span * 9,
            "{} in {span} min",
            times.len()
        );
    }

    #[test]
    fn who_must_wait_is_told_until_when_and_that_is_true() {
        let (caps, mut used) = (caps(3, 5), BucketUse::default());
        assert_eq!(drain(&caps, &mut used, None, NOW), 3);
        let not = caps.allow(&mut used, None, NOW).unwrap_err();
        assert_eq!(not.cap, Cap::Minute(3));
        assert!(caps.allow(&mut used, None, not.until.plus_ms(-1)).is_err());
        assert_eq!(drain(&caps, &mut used, None, not.until), 2);
        let not = caps.allow(&mut used, None, not.until).unwrap_err();
        assert_eq!((not.cap, not.until.0 % DAY_MS), (Cap::Day(5), 0));
        assert_eq!(drain(&caps, &mut used, None, not.until), 3, "a new day");
    }

    #[test]
    fn a_share_is_its_projects_alone() {
        let mut caps = caps(1000, 10);
        caps.shares = BTreeMap::from([("/code/shop".to_owned(), 4), ("/code".to_owned(), 1)]);
        let mut used = BucketUse::default();
        assert_eq!(
            drain(&caps, &mut used, None, NOW),
            5,
            "what is not set aside"
        );
        assert_eq!(drain(&caps, &mut used, Some("/elsewhere"), NOW), 0);
        assert_eq!(drain(&caps, &mut used, Some("/code/shop/src"), NOW), 4);
        assert_eq!(
            drain(&caps, &mut used, Some("/code/shopping"), NOW),
            1,
            "of /code"
        );
        let not = caps.allow(&mut used, Some("/code/shop"), NOW).unwrap_err();
        assert!(matches!(not.cap, Cap::Share(4) | Cap::Day(10)), "{not:?}");
        assert_eq!(used.so_far(NOW).1, 10);
    }

    #[test]
    fn a_clock_set_back_gives_nothing_back() {
        let (caps, mut used) = (caps(3, 4), BucketUse::default());
        let midnight = Timestamp((day_of(NOW) + 1) * DAY_MS);
        assert_eq!(drain(&caps, &mut used, None, midnight.plus_ms(-5_000)), 3);
        let later = midnight.plus_ms(120_000);
        assert_eq!(drain(&caps, &mut used, None, later), 3);
        // Back before midnight: that day had three already, and the minute is full.
        let back = midnight.plus_ms(-4_000);
        let not = caps.allow(&mut used, None, back).unwrap_err();
        assert_eq!(not.cap, Cap::Minute(3));
        assert_eq!(
            drain(&caps, &mut used, None, not.until),
            1,
            "the rest of the new day"
        );
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        let month = month_of(NOW);
        assert_eq!(month, 2026 * 12 + 10);
        assert_eq!(first_day(month) * DAY_MS, 1_793_491_200_000); // 2026-11-01
        for month in 1970 * 12..2110 * 12 {
            let first = Timestamp(first_day(month) * DAY_MS);
            assert_eq!(month_of(first), month);
            assert_eq!(month_of(first.plus_ms(-1)), month - 1);
        }
        let caps = BucketCaps {
            per_month: Some(2),
            ..BucketCaps::default()
        };
        let mut used = BucketUse::default();
        assert_eq!(drain(&caps, &mut used, None, NOW), 2);
        let not = caps.allow(&mut used, None, NOW).unwrap_err();
        assert_eq!(not.until.0, 1_796_083_200_000); // 2026-12-01
        assert_eq!(drain(&caps, &mut used, None, not.until), 2);
    }

    #[test]
    fn nothing_is_allowed_where_nothing_may_be_used() {
        let mut used = BucketUse::default();
        assert!(caps(0, 10).allow(&mut used, None, NOW).is_err());
        assert!(caps(10, 0).allow(&mut used, None, NOW).is_err());
        assert!(BucketCaps::default().allow(&mut used, None, NOW).is_ok());
    }
}
