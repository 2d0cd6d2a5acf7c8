//! What happened since the user last looked, and how decisions were made.

use std::collections::{HashMap, HashSet};

use domain::{Event, RunId, RunState, Timestamp, Verdict};
use protocol::{
    ApiError, CatchUp, CatchUpRequest, CaughtApply, CaughtDecision, CaughtRun, CaughtUp,
    CaughtUpRequest, KindCount, ReviewFigures, ReviewFiguresRequest, RuleFigure,
};
use serde::{Deserialize, Serialize};
use store::{GroupBy, LedgerFilter, RunRow, Store, Stored};

use super::idle_rules::{Counted, LOOKED_BACK_MS};
use crate::api::{Api, Working};

/// The setting that holds when the user last looked: one a home, whatever window it was.
const LOOKED: &str = "looked";

/// What is told to somebody who never looked.
const FIRST_MS: i64 = 24 * 3_600_000;

/// Events told at most; who was away that long wants the newest.
const MOST: u32 = 2_000;

/// Events looked at for figures, the newest first.
const MOST_LOOKED_AT: u32 = 20_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Looked {
    gseq: u64,
    at: Timestamp,
}

fn small(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

pub(crate) async fn catch_up(api: &Api, request: CatchUpRequest) -> Result<CatchUp, ApiError> {
    let working = api.working()?;
    let (store, now) = (&working.store, api.inner.clock.now());
    let upto = store.last_gseq();
    let looked = looked(store).await?;
    let given = request.since.map(|since| since.0);
    let since = given.or(looked.as_ref().map(|looked| looked.at));
    let since = since.unwrap_or(now.plus_ms(-FIRST_MS));
    let after = match (&looked, given) {
        (Some(looked), None) => looked.gseq,
        _ => 0,
    };
    let read = store.of_note(after, MOST).await;
    let mut events = read.map_err(ApiError::internal)?;
    let more = events.len() >= MOST as usize;
    events.retain(|e| e.gseq <= upto && (after > 0 || e.entry.at >= since));
    let mut told = Told::new(working);
    for event in &events {
        told.add(event).await?;
    }
    let rules = store.rule_uses(since).await.map_err(ApiError::internal)?;
    let calls = |verdict| -> u32 {
        let of = rules.iter().filter(|rule| rule.verdict == verdict);
        small(of.map(|rule| rule.calls).sum())
    };
    let live = store.active_runs().await.map_err(ApiError::internal)?;
    let open = store.count_open_reviews(now).await;
    Ok(CatchUp {
        since: since.into(),
        looked_before: looked.is_some(),
        cursor: store.cursor(upto),
        runs: told.runs,
        applied: told.applied,
        decisions: told.decisions,
        allowed: calls(Verdict::Allow),
        refused: calls(Verdict::Deny),
        open_reviews: small(open.map_err(ApiError::internal)?),
        live: u32::try_from(live.len()).unwrap_or(u32::MAX),
        cost_usd: spent(store, since).await?,
        more,
    })
}

async fn looked(store: &Store) -> Result<Option<Looked>, ApiError> {
    let kept = store.setting(LOOKED).await.map_err(ApiError::internal)?;
    let looked = kept.and_then(|value| serde_json::from_value::<Looked>(value).ok());
    // A store that was put back from a backup may be before that.
    Ok(looked.filter(|looked| looked.gseq <= store.last_gseq()))
}

async fn spent(store: &Store, since: Timestamp) -> Result<domain::NanoUsd, ApiError> {
    let filter = LedgerFilter {
        since: Some(since),
        ..LedgerFilter::default()
    };
    let totals = store.ledger_totals(GroupBy::Backend, &filter).await;
    let totals = totals.map_err(ApiError::internal)?;
    let known = totals.iter().map(|t| t.priced + t.reported + t.estimated);
    Ok(known.fold(domain::NanoUsd::default(), |sum, of| sum + of))
}

/// What is told, newest first: of each run only how it is now.
struct Told<'a> {
    working: &'a Working,
    known: HashMap<RunId, Option<RunRow>>,
    ended: HashSet<RunId>,
    runs: Vec<CaughtRun>,
    applied: Vec<CaughtApply>,
    decisions: Vec<CaughtDecision>,
}

impl<'a> Told<'a> {
    fn new(working: &'a Working) -> Self {
        Self {
            working,
            known: HashMap::new(),
            ended: HashSet::new(),
            runs: Vec::new(),
            applied: Vec::new(),
            decisions: Vec::new(),
        }
    }

    async fn row(&mut self, run: RunId) -> Result<Option<RunRow>, ApiError> {
        if let Some(known) = self.known.get(&run) {
            return Ok(known.clone());
        }
        let row = self.working.store.run_row(run).await;
        let row = row.map_err(ApiError::internal)?;
        self.known.insert(run, row.clone());
        Ok(row)
    }

    async fn add(&mut self, stored: &Stored) -> Result<(), ApiError> {
        let (run, at) = (stored.run, stored.entry.at.into());
        let Some(row) = self.row(run).await? else {
            return Ok(());
        };
        match &stored.entry.event {
            Event::Applied { target, .. } => self.applied.push(CaughtApply {
                run,
                title: row.title,
                target: target.clone(),
                at,
            }),
            Event::ReviewDecided { review, answer } => {
                let found = self.working.store.review(*review).await;
                let title = found.map_err(ApiError::internal)?.map(|r| r.review.title);
                self.decisions.push(CaughtDecision {
                    review: *review,
                    run,
                    title: title.unwrap_or_default(),
                    choice: answer.choice.clone(),
                    by: answer.by.clone(),
                    at,
                });
            }
            event => {
                let still = match event {
                    Event::Completed { .. } => row.state == RunState::Completed,
                    Event::Failed { .. } => row.state == RunState::Failed,
                    Event::Cancelled { .. } => row.state == RunState::Cancelled,
                    Event::Interrupted { .. } => row.state == RunState::Interrupted,
                    _ => false,
                };
                if !still || !self.ended.insert(run) {
                    return Ok(());
                }
                let why = match event {
                    Event::Failed { message, .. } => Some(message.clone()),
                    Event::Interrupted { detail, .. } => Some(detail.clone()),
                    _ => None,
                };
                self.runs.push(CaughtRun {
                    run,
                    title: row.title,
                    project: row.project,
                    state: row.state,
                    why,
                    at,
                    cost_usd: row.spent.settled,
                });
            }
        }
        Ok(())
    }
}

pub(crate) async fn caught_up(api: &Api, request: CaughtUpRequest) -> Result<CaughtUp, ApiError> {
    let store = &api.working()?.store;
    let gseq = store.position(&request.cursor).ok_or_else(|| {
        ApiError::usage(
            "that is no place in this journal",
            "ask for `catch_up` again; its answer names one",
        )
    })?;
    let now = api.inner.clock.now();
    // Of two windows, the one that has seen more is right.
    if looked(store).await?.is_none_or(|looked| looked.gseq < gseq) {
        // The moment of what was seen: what came a moment later is told next time.
        let seen = store.event_time(gseq).await.map_err(ApiError::internal)?;
        let at = seen.unwrap_or(now);
        let value = serde_json::to_value(Looked { gseq, at }).map_err(ApiError::internal)?;
        let put = store.put_setting(LOOKED, Some(value)).await;
        put.map_err(ApiError::internal)?;
    }
    Ok(CaughtUp { at: now.into() })
}

pub(crate) async fn review_figures(
    api: &Api,
    request: ReviewFiguresRequest,
) -> Result<ReviewFigures, ApiError> {
    let working = api.working()?;
    let (store, now) = (&working.store, api.inner.clock.now());
    let since = request
        .since
        .map_or(now.plus_ms(-LOOKED_BACK_MS), |at| at.0);
    let failed = |error: store::ReadError| ApiError::internal(error);
    let kinds = store.reviews_asked(since).await.map_err(failed)?;
    let decisions = store.decisions_made(since).await.map_err(failed)?;
    let rules = store.rule_uses(since).await.map_err(failed)?;
    let (calls, calls_asked) = rules.iter().fold((0, 0), |(calls, asked), rule| {
        (calls + rule.calls, asked + rule.asked)
    });
    let mut times: Vec<i64> = decisions
        .iter()
        .map(|made| made.decided_at.ms_since(made.requested_at).max(0))
        .collect();
    times.sort_unstable();
    let median = times.get(times.len().saturating_sub(1) / 2);
    let counted = Counted::since(store, since).await?;
    let idle_rules = counted.idle(&working.engine).await;
    let (undone, rolled_back) = reverted(store, since, &decisions).await.map_err(failed)?;
    let decided = decisions.len() as u64;
    let share = |part: u64, of: u64| (of > 0).then(|| small(part.saturating_mul(1000) / of));
    Ok(ReviewFigures {
        since: since.into(),
        asked: small(kinds.iter().map(|(_, n)| n).sum()),
        kinds: kinds
            .into_iter()
            .map(|(kind, n)| KindCount {
                kind,
                count: small(n),
            })
            .collect(),
        calls: small(calls),
        calls_asked: small(calls_asked),
        asked_per_mille: share(calls_asked, calls),
        decided: small(decided),
        median_ms: median.map(|ms| ms.unsigned_abs()),
        undone: small(undone),
        rolled_back: small(rolled_back),
        reverted_per_mille: share(undone + rolled_back, decided + undone),
        rules: by_rule(&rules),
        idle_since: (!idle_rules.is_empty()).then(|| counted.began_later().unwrap_or(since).into()),
        idle_rules,
    })
}

/// Uses of each rule, those that spoke most often first. A decision's words are the rule's
/// name and, in parentheses, what it was about in that call.
fn by_rule(uses: &[store::RuleUse]) -> Vec<RuleFigure> {
    let mut figures: Vec<RuleFigure> = Vec::new();
    for used in uses {
        let words = used.rule.as_str();
        let name = match words.split_once(" (") {
            Some((name, about)) if about.ends_with(')') => name,
            _ => words,
        };
        let verdict = used.verdict.to_string();
        let known = figures
            .iter_mut()
            .find(|figure| figure.rule == name && figure.verdict == verdict);
        match known {
            Some(figure) => figure.calls = figure.calls.saturating_add(small(used.calls)),
            None => figures.push(RuleFigure {
                rule: name.to_owned(),
                verdict,
                calls: small(used.calls),
            }),
        }
    }
    figures.sort_by_key(|figure| std::cmp::Reverse(figure.calls));
    figures
}

/// Decisions undone, and approvals that a later rollback went back behind.
async fn reverted(
    store: &Store,
    since: Timestamp,
    decisions: &[store::MadeDecision],
) -> Result<(u64, u64), store::ReadError> {
    let (mut undone, mut behind) = (0, HashSet::new());
    for stored in store.of_note(0, MOST_LOOKED_AT).await? {
        if stored.entry.at < since {
            break;
        }
        match &stored.entry.event {
            Event::ReviewReopened { .. } => undone += 1,
            Event::RolledBack { seq, .. } => {
                let checkpoint = store.journal(stored.run, *seq, 1).await?;
                let Some(from) = checkpoint.first().map(|stored| stored.entry.at) else {
                    continue;
                };
                let (from, until) = (from, stored.entry.at);
                let all = decisions.iter().enumerate();
                behind.extend(
                    all.filter(|(_, made)| {
                        let asked = made.requested_at;
                        made.run == stored.run
                            && made.choice == "approve"
                            && asked > from
                            && asked <= until
                    })
                    .map(|(at, _)| at),
                );
            }
            _ => {}
        }
    }
    Ok((undone, behind.len() as u64))
}

#[cfg(test)]
mod tests {
    use domain::Verdict;

    use super::*;

    #[test]
    fn what_a_rule_was_about_does_not_make_it_another_rule() {
        let used = |rule: &str, calls| store::RuleUse {
            rule: rule.to_owned(),
            verdict: Verdict::Review,
            calls,
            asked: calls,
        };
        let figures = by_rule(&[
            used("what only looks is allowed", 3),
            used("beyond (network: example.com)", 2),
            used("beyond (git push)", 2),
        ]);
        let shown: Vec<_> = figures.iter().map(|f| (f.rule.as_str(), f.calls)).collect();
        assert_eq!(shown, [("beyond", 4), ("what only looks is allowed", 3)]);
    }
}
