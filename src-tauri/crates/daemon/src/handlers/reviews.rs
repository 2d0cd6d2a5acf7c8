//! The review queue.

use domain::Answer;
use engine::DecideError;
use protocol::{
    ApiError, DecideRequest, Decided, ErrorCode, ReviewList, ReviewView, ReviewsRequest,
    SnoozeRequest,
};
use store::{ReviewFilter, ReviewStatus};

use crate::api::Api;

pub(crate) async fn reviews(api: &Api, request: ReviewsRequest) -> Result<ReviewList, ApiError> {
    let store = &api.working()?.store;
    let run = match &request.run {
        Some(text) => Some(api.run_id(text).await?),
        None => None,
    };
    let filter = ReviewFilter {
        status: Some(ReviewStatus::Open),
        run,
        ..ReviewFilter::default()
    };
    let rows = store.reviews(&filter).await.map_err(ApiError::internal)?;
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        let title = store
            .run_row(row.review.run)
            .await
            .map_err(ApiError::internal)?
            .map(|run| run.title);
        let whole = match &row.review.detail_blob {
            Some(blob) => {
                let bytes = store.blob(blob).await.map_err(ApiError::internal)?;
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            None => None,
        };
        views.push(ReviewView::new(&row.review, title, whole));
    }
    // Oldest first: who waits longest is asked about first.
    views.sort_by_key(|view| view.requested_at);
    Ok(ReviewList { reviews: views })
}

pub(crate) async fn decide(api: &Api, request: DecideRequest) -> Result<Decided, ApiError> {
    let review = api.review_id(&request.review).await?;
    let note = request.note.filter(|note| !note.trim().is_empty());
    let answer = Answer {
        choice: request.choice.clone(),
        note,
        by: request.by,
        at: api.inner.clock.now(),
        max_cost: request.max_cost_usd,
    };
    let run = api
        .working()?
        .engine
        .decide(review, answer)
        .await
        .map_err(decide_error)?;
    Ok(Decided {
        review,
        run,
        choice: request.choice,
    })
}

pub(crate) async fn snooze(api: &Api, request: SnoozeRequest) -> Result<ReviewView, ApiError> {
    let review = api.review_id(&request.review).await?;
    let ms = i64::try_from(request.seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
    let until = api.inner.clock.now().plus_ms(ms);
    let working = api.working()?;
    working
        .engine
        .snooze(review, until)
        .await
        .map_err(decide_error)?;
    let row = working
        .store
        .review(review)
        .await
        .map_err(ApiError::internal)?;
    row.map(|row| ReviewView::new(&row.review, None, None))
        .ok_or_else(|| {
            ApiError::not_found("there is no such review", "`longhaul reviews` lists them")
        })
}

fn decide_error(error: DecideError) -> ApiError {
    let words = error.to_string();
    match error {
        DecideError::Unknown(_) => {
            ApiError::not_found(words, "`longhaul reviews` lists those that are open")
        }
        DecideError::Decided(_) => ApiError::new(
            ErrorCode::Conflict,
            words,
            "`longhaul reviews` lists those that are open",
        ),
        DecideError::NotOffered { offered, .. } => {
            ApiError::usage(words, format!("choose one of: {offered}"))
        }
        DecideError::Store(why) => ApiError::internal(why),
    }
}
