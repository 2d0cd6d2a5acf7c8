//! Cost and limits.

use std::collections::HashMap;

use domain::{NanoUsd, Timestamp, Tokens, UsagePart};
use engine::BackendConfig;
use protocol::{
    ApiError, BucketView, CostBy, CostReport, CostRequest, CostRow, LimitsRequest, LimitsView,
    Usage,
};
use secrets::KeySource;
use store::{CacheReads, GroupBy, LedgerFilter, LedgerTotals};

use crate::api::{Api, Working};

pub(crate) async fn cost(api: &Api, request: CostRequest) -> Result<CostReport, ApiError> {
    let by = match request.by {
        CostBy::Day => GroupBy::Day,
        CostBy::Model => GroupBy::Model,
        CostBy::Backend => GroupBy::Backend,
        CostBy::Project => GroupBy::Project,
        CostBy::Run => GroupBy::Run,
    };
    let now = jiff::Timestamp::from_millisecond(api.inner.clock.now().0).unwrap_or_default();
    let offset = jiff::tz::TimeZone::system().to_offset(now);
    let filter = LedgerFilter {
        since: request.since.map(|since| since.0),
        until: request.until.map(|until| until.0),
        utc_offset_ms: i64::from(offset.seconds()) * 1000,
        ..LedgerFilter::default()
    };
    let working = api.working()?;
    let totals = working.store.ledger_totals(by, &filter).await;
    let reads = working.store.cache_reads(by, &filter).await;
    let saved = saved(
        working,
        reads.map_err(ApiError::internal)?,
        api.inner.clock.now(),
    );
    let mut rows: Vec<CostRow> = totals
        .map_err(ApiError::internal)?
        .iter()
        .map(row)
        .collect();
    for row in &mut rows {
        // Ids of runs are written with hyphens in rows.
        row.cache_saved_usd = saved.get(&row.key.replace('-', "")).copied();
    }
    let total = rows.iter().fold(
        CostRow {
            key: "total".to_owned(),
            ..CostRow::default()
        },
        add,
    );
    Ok(CostReport {
        by: request.by,
        since: request.since,
        rows,
        total,
    })
}

/// What the tokens read from caches would have cost besides as plain input, by group
/// (its name without hyphens). A group whose models have no known price is left out.
fn saved(working: &Working, reads: Vec<CacheReads>, now: Timestamp) -> HashMap<String, NanoUsd> {
    let prices = working.engine.prices();
    let cost = |model: &str, tokens: Tokens| {
        let part = UsagePart {
            model: model.to_owned(),
            tokens,
            ..UsagePart::default()
        };
        prices.price(&[part], now).cost
    };
    let mut saved: HashMap<String, NanoUsd> = HashMap::new();
    for read in reads {
        let input = read.tokens;
        let plain = cost(
            &read.model,
            Tokens {
                input,
                ..Tokens::default()
            },
        );
        let cached = cost(
            &read.model,
            Tokens {
                cache_read: input,
                ..Tokens::default()
            },
        );
        if let (Some(plain), Some(cached)) = (plain, cached) {
            *saved.entry(read.key.replace('-', "")).or_default() += plain - cached;
        }
    }
    saved
}

fn row(totals: &LedgerTotals) -> CostRow {
    CostRow {
        key: totals.key.clone(),
        usage: Usage::new(&totals.tokens, totals.requests),
        cost_usd: totals.priced + totals.reported + totals.estimated,
        reported_usd: totals.reported,
        estimated_usd: totals.estimated,
        unsettled_cost_usd: totals.unsettled,
        unpriced_requests: totals.unpriced_requests,
        cache_saved_usd: None,
    }
}

fn add(sum: CostRow, row: &CostRow) -> CostRow {
    CostRow {
        key: sum.key,
        usage: Usage {
            input: sum.usage.input + row.usage.input,
            output: sum.usage.output + row.usage.output,
            cache_read: sum.usage.cache_read + row.usage.cache_read,
            cache_write: sum.usage.cache_write + row.usage.cache_write,
            requests: sum.usage.requests + row.usage.requests,
        },
        cost_usd: sum.cost_usd + row.cost_usd,
        reported_usd: sum.reported_usd + row.reported_usd,
        estimated_usd: sum.estimated_usd + row.estimated_usd,
        unsettled_cost_usd: sum.unsettled_cost_usd + row.unsettled_cost_usd,
        unpriced_requests: sum.unpriced_requests + row.unpriced_requests,
        cache_saved_usd: match (sum.cache_saved_usd, row.cache_saved_usd) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or_default() + other.unwrap_or_default()),
        },
    }
}

pub(crate) async fn limits(api: &Api, _request: LimitsRequest) -> Result<LimitsView, ApiError> {
    let working = api.working()?;
    let names = backends_by_gate(working).await?;
    let now = api.inner.clock.now();
    let limits = working.engine.limiter().status().into_iter().map(|gate| {
        let pause = gate.pause.as_ref();
        let state = match pause {
            Some(_) if gate.probing => "probing",
            Some(pause) if pause.until > now => "paused",
            Some(_) => "ready to probe",
            None => "open",
        };
        BucketView {
            backends: names.get(&gate.credential).cloned().unwrap_or_default(),
            state: state.to_owned(),
            cause: pause.map(limiter::Pause::words),
            until: pause.map(|pause| pause.until.into()),
            in_flight: u32::try_from(gate.in_flight).unwrap_or(u32::MAX),
            waiting: u32::try_from(gate.waiting.len()).unwrap_or(u32::MAX),
            name: gate.credential,
        }
    });
    Ok(LimitsView {
        limits: limits.collect(),
        buckets: working.buckets.views(&working.store, now).await?,
    })
}

/// Which backends pass through which gate, as far as their keys are at hand
/// without asking anybody: a keychain must not be opened to show a list.
async fn backends_by_gate(working: &Working) -> Result<HashMap<String, Vec<String>>, ApiError> {
    let mut names: HashMap<String, Vec<String>> = HashMap::new();
    for row in working.store.backends().await.map_err(ApiError::internal)? {
        let Ok(config) = serde_json::from_value::<BackendConfig>(row.config) else {
            continue;
        };
        let gate = match &config.key {
            KeySource::None => format!("open:{}", config.name),
            KeySource::Env { .. } => match working.credentials.get(&config.key).await {
                Ok(key) => working.credentials.fingerprint(&key),
                Err(_) => continue,
            },
            _ => continue,
        };
        names.entry(gate).or_default().push(config.name);
    }
    Ok(names)
}
