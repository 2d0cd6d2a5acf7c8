//! The review queue, its history, and the decisions.

use std::collections::{BTreeSet, HashMap};

use domain::{Answer, BlobRef, Event, Review, ReviewId, Run, RunId, Timestamp};
use engine::{DecideError, EditError};
use protocol::{
    ApiError, DecideRequest, Decided, ErrorCode, LogEntry, ReviewCall, ReviewDetail, ReviewList,
    ReviewRequest, ReviewRun, ReviewView, ReviewsRequest, ReviewsStatus, SnoozeRequest,
    UndoRequest, Undone,
};
use store::{ReviewFilter, ReviewOrder, ReviewRow, ReviewStatus, RunRow, Snoozed, Stored};

use crate::api::{Api, Working};
use crate::stream::entry_of;

/// Entries of a history's page, unless the client says otherwise.
const HISTORY_PAGE: u32 = 100;

/// The longest time a decision can be left open to be undone, in milliseconds.
const MAX_GRACE_MS: u32 = 60_000;

/// Entries shown of what happened just before a review was asked for.
const BEFORE: usize = 8;

/// Entries looked through for them: most of a step's say nothing by themselves.
const LOOKED_AT: u64 = 40;

pub(crate) async fn reviews(api: &Api, request: ReviewsRequest) -> Result<ReviewList, ApiError> {
    let working = api.working()?;
    let store = &working.store;
    let now = api.inner.clock.now();
    let run = match &request.run {
        Some(text) => Some(api.run_id(text).await?),
        None => None,
    };
    let filter = filter_of(&request, run, now);
    let mut rows = store.reviews(&filter).await.map_err(ApiError::internal)?;
    if request.status == ReviewsStatus::Queue {
        rows.extend(undoable(working, &filter, now).await?);
        rows.sort_by_key(|row| (row.review.requested_at, row.review.id));
    }
    let shown = of_rows(working, &rows).await?;
    let off = store
        .reviews_put_off(run, now)
        .await
        .map_err(ApiError::internal)?;
    let effective = rows.iter().filter_map(|row| row.review.effective_at());
    let next = off.next.into_iter().chain(effective.filter(|at| *at > now));
    Ok(ReviewList {
        reviews: shown,
        snoozed: u32::try_from(off.count).unwrap_or(u32::MAX),
        next_at: next.min().map(Into::into),
    })
}

fn filter_of(request: &ReviewsRequest, run: Option<RunId>, now: Timestamp) -> ReviewFilter {
    use ReviewOrder::{NewestFirst, OldestFirst};
    let open = vec![ReviewStatus::Open];
    let (states, snoozed, order) = match request.status {
        ReviewsStatus::Queue | ReviewsStatus::Open => (open, Snoozed::Back(now), OldestFirst),
        ReviewsStatus::Snoozed => (open, Snoozed::Away(now), OldestFirst),
        ReviewsStatus::Decided => {
            let decided = vec![ReviewStatus::Decided, ReviewStatus::Used];
            (decided, Snoozed::Either, NewestFirst)
        }
        ReviewsStatus::All => (Vec::new(), Snoozed::Either, NewestFirst),
    };
    let page = (order == NewestFirst).then_some(HISTORY_PAGE);
    ReviewFilter {
        states,
        snoozed,
        run,
        subject: None,
        before: request.before.map(|before| before.0),
        order,
        limit: request.limit.or(page),
    }
}

/// Those decided that can still be undone, besides the open ones of the queue.
async fn undoable(
    working: &Working,
    queue: &ReviewFilter,
    now: Timestamp,
) -> Result<Vec<ReviewRow>, ApiError> {
    let decided = ReviewFilter {
        states: vec![ReviewStatus::Decided],
        snoozed: Snoozed::Either,
        ..queue.clone()
    };
    let rows = working.store.reviews(&decided).await;
    let mut rows = rows.map_err(ApiError::internal)?;
    rows.retain(|row| row.review.effective_at().is_some_and(|at| at > now));
    Ok(rows)
}

/// Reviews as they are shown. What they need is read for all of them at once: the store is
/// asked as often for a thousand reviews as for one.
async fn of_rows(working: &Working, rows: &[ReviewRow]) -> Result<Vec<ReviewView>, ApiError> {
    let ids: BTreeSet<RunId> = rows.iter().map(|row| row.review.run).collect();
    let ids: Vec<RunId> = ids.into_iter().collect();
    let known = working.store.run_rows(&ids).await;
    let known = known.map_err(ApiError::internal)?.into_iter();
    let runs: HashMap<RunId, ReviewRun> = known.map(|row| (row.id, facts_of(row))).collect();
    let reviews: Vec<&Review> = rows.iter().map(|row| &row.review).collect();
    let mut views = views(working, &reviews, &runs).await?;
    for (view, row) in views.iter_mut().zip(rows) {
        view.state = match row.status {
            ReviewStatus::Open => protocol::ReviewStatus::Open,
            ReviewStatus::Decided => protocol::ReviewStatus::Decided,
            ReviewStatus::Used => protocol::ReviewStatus::Used,
            ReviewStatus::Withdrawn => protocol::ReviewStatus::Withdrawn,
            ReviewStatus::Expired => protocol::ReviewStatus::Expired,
        };
        view.ended_at = row.ended_at.map(Into::into);
        view.withdrawn.clone_from(&row.withdrawn);
    }
    Ok(views)
}

async fn of_row(working: &Working, row: ReviewRow) -> Result<ReviewView, ApiError> {
    let view = of_rows(working, &[row]).await?.pop();
    view.ok_or_else(no_review)
}

fn facts_of(row: RunRow) -> ReviewRun {
    ReviewRun {
        title: row.title,
        project: row.project,
        state: row.state,
        cost: row.spent.settled,
    }
}

/// A run's open and unused reviews, oldest first.
pub(crate) async fn of_run(working: &Working, run: &Run) -> Result<Vec<ReviewView>, ApiError> {
    let facts = ReviewRun {
        title: run.task.title.clone(),
        project: run.task.project.clone(),
        state: run.state(),
        cost: run.spent.settled,
    };
    let mut reviews: Vec<&Review> = run.reviews.values().collect();
    reviews.sort_by_key(|review| (review.requested_at, review.id));
    views(working, &reviews, &HashMap::from([(run.id, facts)])).await
}

async fn views(
    working: &Working,
    reviews: &[&Review],
    runs: &HashMap<RunId, ReviewRun>,
) -> Result<Vec<ReviewView>, ApiError> {
    let calls = working.engine.call_facts(reviews).await;
    let calls = calls.map_err(ApiError::internal)?;
    let long = reviews.iter().filter_map(|r| r.detail_blob.clone());
    let long: Vec<BlobRef> = long.collect();
    let texts = working.store.blobs(&long).await;
    let texts = texts.map_err(ApiError::internal)?;
    let texts: HashMap<&BlobRef, _> = long.iter().zip(texts).collect();
    let shown = reviews.iter().zip(calls).map(|(review, facts)| {
        let run = runs.get(&review.run).ok_or_else(no_review)?;
        let call = ReviewCall {
            arguments: facts.arguments,
            editable: facts.editable,
            low_risk: facts.low_risk,
        };
        let whole = review.detail_blob.as_ref().and_then(|blob| texts.get(blob));
        let whole = whole.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let mut view = ReviewView::new(review, run, call, whole);
        view.expires_at = working.engine.expires_at(review).map(Into::into);
        Ok(view)
    });
    shown.collect()
}

pub(crate) async fn review(api: &Api, request: ReviewRequest) -> Result<ReviewDetail, ApiError> {
    let id = api.review_id(&request.review).await?;
    let working = api.working()?;
    let store = &working.store;
    let row = store.review(id).await.map_err(ApiError::internal)?;
    let row = row.ok_or_else(no_review)?;
    let run = row.review.run;
    let op = match row.review.op {
        Some(op) => Some(super::steps::op_detail(store, run, op).await?),
        None => None,
    };
    Ok(ReviewDetail {
        before: before(working, &row.review).await?,
        review: of_row(working, row).await?,
        run: super::listing::summary_of(api, run).await?,
        op,
    })
}

/// What happened just before the review was asked for, newest last.
async fn before(working: &Working, review: &Review) -> Result<Vec<LogEntry>, ApiError> {
    let store = &working.store;
    let asked = seq_of(working, review).await?;
    let from = asked.saturating_sub(LOOKED_AT).max(1);
    let count = u32::try_from(asked - from).unwrap_or(u32::MAX);
    let mut entries = store
        .journal(review.run, from, count)
        .await
        .map_err(ApiError::internal)?;
    entries.retain(|stored| says_something(&stored.entry.event, review));
    let first = entries.len().saturating_sub(BEFORE);
    let mut shown = Vec::with_capacity(BEFORE);
    for stored in &entries[first..] {
        shown.push(entry_of(store, stored).await);
    }
    Ok(shown)
}

/// Bookkeeping aside, and the very call the review shows.
fn says_something(event: &Event, review: &Review) -> bool {
    match event {
        Event::StepStarted { .. }
        | Event::OpStarted { .. }
        | Event::CheckpointTaken { .. }
        | Event::Charged { .. }
        | Event::CallSent { .. }
        | Event::CallEnded { .. }
        | Event::Suspended { .. } => false,
        Event::OpIntended { op, op_kind, .. } => {
            *op_kind != domain::OpKind::Model && Some(*op) != review.op
        }
        _ => true,
    }
}

/// Where in its run's journal the review was asked for. A run's time never goes back, so
/// the place is found by halves; of events of one moment the very one is looked for.
async fn seq_of(working: &Working, review: &Review) -> Result<u64, ApiError> {
    const PAGE: u32 = 100;
    let store = &working.store;
    let one = async |seq: u64| -> Result<Option<Stored>, ApiError> {
        let page = store.journal(review.run, seq, 1).await;
        Ok(page.map_err(ApiError::internal)?.pop())
    };
    let run = store.load(review.run).await.map_err(ApiError::internal)?;
    let head = run.map_or(0, |run| run.head);
    let (mut low, mut high) = (1, head);
    while low < high {
        let middle = low + (high - low) / 2;
        let found = one(middle).await?;
        match found.is_some_and(|stored| stored.entry.at < review.requested_at) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    let mut from = low;
    while from <= head {
        let page = store.journal(review.run, from, PAGE).await;
        for stored in page.map_err(ApiError::internal)? {
            from = stored.entry.seq + 1;
            if let Event::ReviewRequested { review: asked } = &stored.entry.event
                && asked.id == review.id
            {
                return Ok(stored.entry.seq);
            }
        }
    }
    Ok(low)
}

pub(crate) async fn decide(api: &Api, request: DecideRequest) -> Result<Decided, ApiError> {
    if request.grace_ms > MAX_GRACE_MS {
        return Err(ApiError::usage(
            format!("a decision takes effect after at most {MAX_GRACE_MS} ms"),
            "snooze the review to decide later",
        ));
    }
    let review = api.review_id(&request.review).await?;
    let now = api.inner.clock.now();
    let grace = (request.grace_ms > 0).then(|| now.plus_ms(request.grace_ms.into()));
    let answer = Answer {
        choice: request.choice.clone(),
        note: request.note.filter(|note| !note.trim().is_empty()),
        by: request.by,
        at: now,
        max_cost: request.max_cost_usd,
        effective_at: grace,
        edit: None,
    };
    let engine = &api.working()?.engine;
    let run = match (&request.arguments, &request.rule) {
        (Some(_), Some(_)) => {
            return Err(ApiError::usage(
                "a rule for a call and other arguments for it do not go together",
                "approve it with other arguments once, or as it is with a rule",
            ));
        }
        (None, Some(rule)) => engine.decide_always(review, answer, rule).await,
        (None, None) => engine.decide(review, answer).await,
        (Some(arguments), None) => engine.decide_edited(review, answer, arguments).await,
    };
    Ok(Decided {
        review,
        run: run.map_err(decide_error)?,
        choice: request.choice,
        effective_at: grace.map(Into::into),
    })
}

pub(crate) async fn undo(api: &Api, request: UndoRequest) -> Result<Undone, ApiError> {
    let review = api.review_id(&request.review).await?;
    let by = request.by.as_deref().unwrap_or("a client");
    let made = request.effective_at.map(|at| at.0);
    let engine = &api.working()?.engine;
    let run = engine.undo(review, made, by).await.map_err(decide_error)?;
    Ok(Undone { review, run })
}

pub(crate) async fn snooze(api: &Api, request: SnoozeRequest) -> Result<ReviewView, ApiError> {
    let review: ReviewId = api.review_id(&request.review).await?;
    let ms = i64::try_from(request.seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
    let until = api.inner.clock.now().plus_ms(ms);
    let working = api.working()?;
    working
        .engine
        .snooze(review, until)
        .await
        .map_err(decide_error)?;
    let row = working.store.review(review).await;
    let row = row.map_err(ApiError::internal)?.ok_or_else(no_review)?;
    of_row(working, row).await
}

fn no_review() -> ApiError {
    ApiError::not_found("there is no such review", "`longhaul reviews` lists them")
}

pub(super) fn decide_error(error: DecideError) -> ApiError {
    const OPEN: &str = "`longhaul reviews` lists those that are open";
    let words = error.to_string();
    match error {
        DecideError::Unknown(_) => ApiError::not_found(words, OPEN),
        DecideError::Decided(_) => ApiError::new(ErrorCode::Conflict, words, OPEN),
        DecideError::NotOffered { offered, .. } => {
            ApiError::usage(words, format!("choose one of: {offered}"))
        }
        DecideError::Edit(EditError::Denied(_)) => ApiError::new(
            ErrorCode::Refused,
            words,
            "change them further, or reject the call",
        ),
        DecideError::Edit(_) => {
            ApiError::usage(words, "approve it as it is, or reject it with a note")
        }
        DecideError::NotAlways(_) => ApiError::new(
            ErrorCode::Refused,
            words,
            "approve it once, or write a rule yourself: `longhaul policy show` names the file",
        ),
        DecideError::Rule(error) => super::policy::rules_error(error),
        DecideError::Store(why) => ApiError::internal(why),
    }
}
