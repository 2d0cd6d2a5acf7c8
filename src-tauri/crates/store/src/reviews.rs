//! Reviews as rows: the queue of what waits for a person.

use domain::{Entry, Event, Review, ReviewId, Run, RunId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};
use uuid::Uuid;

use crate::error::ReadError;
use crate::script::Script;

/// How far a review is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewStatus {
    /// Somebody still has to answer.
    Open,
    /// Answered; the run has not acted on it yet.
    Decided,
    /// The run acted on it.
    Used,
    /// It no longer needs deciding.
    Withdrawn,
    /// Nobody answered in time.
    Expired,
}

impl ReviewStatus {
    /// The word in JSON and lists.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Decided => "decided",
            Self::Used => "used",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }

    fn parse(word: &str) -> Result<Self, ReadError> {
        use ReviewStatus::{Decided, Expired, Open, Used, Withdrawn};
        [Open, Decided, Used, Withdrawn, Expired]
            .into_iter()
            .find(|s| s.word() == word)
            .ok_or_else(|| ReadError::Damaged(format!("a review's state is '{word}'")))
    }
}

/// A review with how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewRow {
    /// What is asked, and the answer where there is one.
    pub review: Review,
    /// How far it is.
    pub status: ReviewStatus,
    /// When it was used or withdrawn.
    pub ended_at: Option<Timestamp>,
    /// Why it was withdrawn.
    pub withdrawn: Option<String>,
}

/// In which order reviews are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReviewOrder {
    /// Who waits longest comes first.
    #[default]
    OldestFirst,
    /// A history.
    NewestFirst,
}

/// Whether reviews that were put off are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Snoozed {
    /// Put off or not.
    #[default]
    Either,
    /// Only those to be seen at this moment.
    Back(Timestamp),
    /// Only those still put off at this moment.
    Away(Timestamp),
}

/// Which reviews.
#[derive(Clone, Debug, Default)]
pub struct ReviewFilter {
    /// Only in one of these states; in any when empty.
    pub states: Vec<ReviewStatus>,
    /// Put off or not.
    pub snoozed: Snoozed,
    /// Only this run's.
    pub run: Option<RunId>,
    /// Only about this subject (a credential's name).
    pub subject: Option<String>,
    /// Only those requested before.
    pub before: Option<Timestamp>,
    /// In which order.
    pub order: ReviewOrder,
    /// At most so many, and those requested in the same millisecond as the last of them
    /// (so that a page can go on from its time); all when absent.
    pub limit: Option<u32>,
}

/// How many open reviews are put off, and when the first of them comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PutOff {
    /// How many.
    pub count: u64,
    /// When the first comes back.
    pub next: Option<Timestamp>,
}

/// Records a request.
pub(crate) fn request(script: &mut Script, key: i64, review: &Review) -> Result<(), ReadError> {
    let body = serde_json::to_string(review)?;
    script
        .add(
            "INSERT INTO review (id, run, state, kind, subject, requested_at, snoozed_until, body)
         VALUES (?, ?, 'open', ?, ?, ?, ?, ?)",
        )
        .bind(&review.id.0.as_bytes()[..])
        .bind(key)
        .bind(review.kind.word())
        .bind(review.subject.as_deref())
        .bind(review.requested_at.0)
        .bind(review.snoozed_until.map(|t| t.0))
        .bind(body);
    Ok(())
}

/// Records what became of a review.
pub(crate) fn update(
    script: &mut Script,
    id: ReviewId,
    entry: &Entry,
    after: &Run,
) -> Result<(), ReadError> {
    let (status, ended, why) = match &entry.event {
        Event::ReviewDecided { .. } => (Some(ReviewStatus::Decided), false, None),
        Event::ReviewReopened { .. } | Event::ReviewAskedAgain { .. } => {
            (Some(ReviewStatus::Open), false, None)
        }
        Event::ReviewExpired { .. } => (Some(ReviewStatus::Expired), true, None),
        Event::ReviewUsed { .. } => (Some(ReviewStatus::Used), true, None),
        Event::ReviewWithdrawn { why, .. } => (Some(ReviewStatus::Withdrawn), true, Some(why)),
        _ => (None, false, None),
    };
    // Once used or withdrawn it is no longer in the fold; its row keeps the last form.
    let review = after.reviews.get(&id);
    let body = review.map(serde_json::to_string).transpose()?;
    // What expired stays so: that nobody needs it any more either is no news.
    let only_open = match status {
        Some(ReviewStatus::Withdrawn) => " AND state <> 'expired'",
        _ => "",
    };
    script
        .add(
            "UPDATE review SET state = coalesce(?, state),
             snoozed_until = CASE WHEN ? THEN ? ELSE snoozed_until END,
             body = coalesce(?, body), ended_at = CASE WHEN ? THEN ? END, withdrawn = ?
         WHERE id = ?",
        )
        .bind(status.map(ReviewStatus::word))
        .bind(body.is_some())
        .bind(review.and_then(|r| r.snoozed_until).map(|t| t.0))
        .bind(body)
        .bind(ended)
        .bind(entry.at.0)
        .bind(why.map(String::as_str))
        .bind(&id.0.as_bytes()[..])
        .and(only_open);
    Ok(())
}

/// Reviews that pass the filter, in its order.
pub(crate) async fn list(
    conn: &mut SqliteConnection,
    filter: &ReviewFilter,
) -> Result<Vec<ReviewRow>, ReadError> {
    let mut rows = page(conn, filter, None).await?;
    let full = filter
        .limit
        .is_some_and(|limit| rows.len() >= limit as usize);
    if let Some(last) = rows.last().filter(|_| full) {
        let tied = (last.review.requested_at, last.review.id);
        rows.extend(page(conn, filter, Some(tied)).await?);
    }
    Ok(rows)
}

/// The filter's first page, or what follows on the last of it in the same millisecond.
/// Only what is asked for is in the query, so that each finds its index.
async fn page(
    conn: &mut SqliteConnection,
    filter: &ReviewFilter,
    tied: Option<(Timestamp, ReviewId)>,
) -> Result<Vec<ReviewRow>, ReadError> {
    let mut query =
        QueryBuilder::<Sqlite>::new("SELECT state, body, ended_at, withdrawn FROM review WHERE 1");
    if !filter.states.is_empty() {
        let mut words = query.push(" AND state IN (").separated(", ");
        for state in &filter.states {
            words.push_bind(state.word());
        }
        query.push(")");
    }
    match filter.snoozed {
        Snoozed::Either => {}
        Snoozed::Back(now) => {
            let back = " AND coalesce(snoozed_until, 0) <= ";
            query.push(back).push_bind(now.0);
        }
        Snoozed::Away(now) => {
            query.push(" AND snoozed_until > ").push_bind(now.0);
        }
    }
    if let Some(run) = filter.run {
        let of_run = " AND run = (SELECT key FROM run WHERE id = ";
        let id = run.0.as_bytes().to_vec();
        query.push(of_run).push_bind(id).push(")");
    }
    if let Some(subject) = &filter.subject {
        query.push(" AND subject = ").push_bind(subject);
    }
    if let Some(before) = filter.before {
        query.push(" AND requested_at < ").push_bind(before.0);
    }
    let (after, direction) = match filter.order {
        ReviewOrder::OldestFirst => (" AND id > ", "ASC"),
        ReviewOrder::NewestFirst => (" AND id < ", "DESC"),
    };
    if let Some((at, id)) = tied {
        query.push(" AND requested_at = ").push_bind(at.0);
        query.push(after).push_bind(id.0.as_bytes().to_vec());
    }
    query.push(format!(
        " ORDER BY requested_at {direction}, id {direction}"
    ));
    if let Some(limit) = filter.limit.filter(|_| tied.is_none()) {
        query.push(" LIMIT ").push_bind(i64::from(limit));
    }
    let rows = query.build().fetch_all(conn).await?;
    rows.iter().map(parse).collect()
}

/// How many reviews are open and not put off.
pub(crate) async fn count_open(
    conn: &mut SqliteConnection,
    now: Timestamp,
) -> Result<u64, ReadError> {
    let count: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM review WHERE state = 'open' AND coalesce(snoozed_until, 0) <= ?",
    )
    .bind(now.0)
    .fetch_one(conn)
    .await?;
    Ok(count.max(0) as u64)
}

/// What of the open reviews (of one run, or of all) is put off.
pub(crate) async fn put_off(
    conn: &mut SqliteConnection,
    run: Option<RunId>,
    now: Timestamp,
) -> Result<PutOff, ReadError> {
    let (count, next): (i64, Option<i64>) = sqlx::query_as(
        "SELECT count(*), min(snoozed_until) FROM review
         WHERE state = 'open' AND snoozed_until > ?1
           AND (?2 IS NULL OR run = (SELECT key FROM run WHERE id = ?2))",
    )
    .bind(now.0)
    .bind(run.map(|run| run.0.as_bytes().to_vec()))
    .fetch_one(conn)
    .await?;
    Ok(PutOff {
        count: count.max(0) as u64,
        next: next.map(Timestamp),
    })
}

/// Since when a review waits for an answer, as `domain::Review::waits_since` says it.
const WAITS_SINCE: &str = "max(requested_at, coalesce(snoozed_until, 0),
             coalesce(json_extract(body, '$.asked_again_at'), 0))";

/// Open reviews that wait since before `cutoff`, those that wait longest first.
pub(crate) async fn waiting_since(
    conn: &mut SqliteConnection,
    cutoff: Timestamp,
) -> Result<Vec<Review>, ReadError> {
    let mut query =
        QueryBuilder::<Sqlite>::new("SELECT body FROM review WHERE state = 'open' AND ");
    query.push(WAITS_SINCE).push(" <= ").push_bind(cutoff.0);
    query.push(" ORDER BY ").push(WAITS_SINCE).push(", id");
    let bodies: Vec<String> = query.build_query_scalar().fetch_all(conn).await?;
    let parsed = bodies.iter().map(|body| serde_json::from_str(body));
    Ok(parsed.collect::<Result<_, _>>()?)
}

/// Since when the review waits that waits longest for an answer.
pub(crate) async fn longest_wait(
    conn: &mut SqliteConnection,
) -> Result<Option<Timestamp>, ReadError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT min(");
    query
        .push(WAITS_SINCE)
        .push(") FROM review WHERE state = 'open'");
    let since: Option<i64> = query.build_query_scalar().fetch_one(conn).await?;
    Ok(since.map(Timestamp))
}

/// Whether a person is asked about `subject` anywhere, or has answered and not yet been heard.
pub(crate) async fn is_asked_about(
    conn: &mut SqliteConnection,
    subject: &str,
) -> Result<bool, ReadError> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM review WHERE state IN ('open', 'decided') AND subject = ? LIMIT 1",
    )
    .bind(subject)
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// One review.
pub(crate) async fn get(
    conn: &mut SqliteConnection,
    id: ReviewId,
) -> Result<Option<ReviewRow>, ReadError> {
    let row = sqlx::query("SELECT state, body, ended_at, withdrawn FROM review WHERE id = ?")
        .bind(&id.0.as_bytes()[..])
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(parse).transpose()
}

/// Ids that begin so, at most `limit`.
pub(crate) async fn find(
    conn: &mut SqliteConnection,
    hex_prefix: &str,
    limit: u32,
) -> Result<Vec<ReviewId>, ReadError> {
    let ids: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT id FROM review WHERE lower(hex(id)) LIKE ? || '%' ORDER BY id LIMIT ?",
    )
    .bind(hex_prefix)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(ids
        .iter()
        .filter_map(|id| Uuid::from_slice(id).ok())
        .map(ReviewId)
        .collect())
}

fn parse(row: &SqliteRow) -> Result<ReviewRow, ReadError> {
    Ok(ReviewRow {
        review: serde_json::from_str(row.try_get("body")?)?,
        status: ReviewStatus::parse(row.try_get("state")?)?,
        ended_at: row.try_get::<Option<i64>, _>("ended_at")?.map(Timestamp),
        withdrawn: row.try_get("withdrawn")?,
    })
}
