//! Cost by day, divided, for charts.

use std::collections::HashMap;

use domain::{Figure, NanoUsd};
use jiff::civil::Date;
use protocol::{ApiError, CostSeries, CostSeriesRequest, CostStack};
use store::{DaySum, GroupBy, LedgerFilter};

use crate::api::Api;

/// Longest time a chart spans, in days.
const LONGEST: usize = 1_100;

pub(crate) async fn cost_series(
    api: &Api,
    request: CostSeriesRequest,
) -> Result<CostSeries, ApiError> {
    let by = match request.stack {
        CostStack::Model => GroupBy::Model,
        CostStack::Backend => GroupBy::Backend,
        CostStack::Project => GroupBy::Project,
    };
    let offset_ms = i64::from(request.offset_min) * 60_000;
    let filter = LedgerFilter {
        since: Some(request.since.0),
        until: Some(request.until.0),
        utc_offset_ms: offset_ms,
        ..LedgerFilter::default()
    };
    let days = days(
        request.since.0.plus_ms(offset_ms).0,
        // Nothing of the day on whose first moment it ends.
        request.until.0.plus_ms(offset_ms - 1).0,
    )?;
    let sums = api.working()?.store.ledger_days(by, &filter).await;
    Ok(stacked(days, &sums.map_err(ApiError::internal)?))
}

/// Every day from one moment to another, both in the user's own time.
fn days(first_ms: i64, last_ms: i64) -> Result<Vec<String>, ApiError> {
    let wrong = || {
        ApiError::usage(
            "these times do not make a chart",
            "ask for up to three years, the earlier time first",
        )
    };
    let day = |ms: i64| -> Result<Date, ApiError> {
        let at = jiff::Timestamp::from_millisecond(ms).map_err(|_| wrong())?;
        Ok(at.to_zoned(jiff::tz::TimeZone::UTC).date())
    };
    let (first, last) = (day(first_ms)?, day(last_ms)?);
    let days: Vec<String> = first
        .series(jiff::Span::new().days(1))
        .take_while(|day| *day <= last)
        .take(LONGEST + 1)
        .map(|day| day.to_string())
        .collect();
    if days.is_empty() || days.len() > LONGEST {
        return Err(wrong());
    }
    Ok(days)
}

fn stacked(days: Vec<String>, sums: &[DaySum]) -> CostSeries {
    let place: HashMap<&str, usize> = days.iter().map(String::as_str).zip(0..).collect();
    let mut by_key: HashMap<&str, Vec<NanoUsd>> = HashMap::new();
    let mut unsettled = vec![NanoUsd::ZERO; days.len()];
    let mut unpriced = vec![0; days.len()];
    for sum in sums {
        let Some(day) = place.get(sum.day.as_str()).copied() else {
            continue;
        };
        match sum.figure {
            Figure::Unsettled => unsettled[day] += sum.cost,
            Figure::Unpriced => unpriced[day] += sum.requests,
            Figure::Priced | Figure::Reported | Figure::Estimated => {
                let values = by_key
                    .entry(&sum.key)
                    .or_insert_with(|| vec![NanoUsd::ZERO; days.len()]);
                values[day] += sum.cost;
            }
        }
    }
    let mut stacks: Vec<(String, Vec<NanoUsd>)> = by_key
        .into_iter()
        .map(|(key, values)| (key.to_owned(), values))
        .collect();
    stacks.sort_by_key(|(key, values)| {
        let total: NanoUsd = values.iter().copied().sum();
        (std::cmp::Reverse(total), key.clone())
    });
    let (keys, values) = stacks.into_iter().unzip();
    CostSeries {
        days,
        keys,
        values,
        unsettled,
        unpriced_requests: unpriced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_every_day_once_and_not_the_one_it_ends_before() {
        let day = 86_400_000;
        let of = |first: i64, last: i64| days(first, last - 1).map_err(|e| e.message);
        let three = of(0, 3 * day).expect("they are in order");
        assert_eq!(three, ["1970-01-01", "1970-01-02", "1970-01-03"]);
        assert!(of(3 * day, 0).is_err());
        assert!(of(0, 4_000 * day).is_err());
    }
}
