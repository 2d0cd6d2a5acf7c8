//! Reviews as rows: the queue of what waits for a person.

use domain::{Entry, Event, Review, ReviewId, Run, RunId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
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
}

impl ReviewStatus {
    /// The word in JSON and lists.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Decided => "decided",
            Self::Used => "used",
            Self::Withdrawn => "withdrawn",
        }
    }

    fn parse(word: &str) -> Result<Self, ReadError> {
        [Self::Open, Self::Decided, Self::Used, Self::Withdrawn]
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

/// Which reviews.
#[derive(Clone, Debug, Default)]
pub struct ReviewFilter {
    /// Only in this state.
    pub status: Option<ReviewStatus>,
    /// Only this run's.
    pub run: Option<RunId>,
    /// Only about this subject (a credential's name).
    pub subject: Option<String>,
    /// At most so many; all when absent.
    pub limit: Option<u32>,
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
        Event::ReviewUsed { .. } => (Some(ReviewStatus::Used), true, None),
        Event::ReviewWithdrawn { why, .. } => (Some(ReviewStatus::Withdrawn), true, Some(why)),
        _ => (None, false, None),
    };
    // Once used or withdrawn it is no longer in the fold; its row keeps the last form.
    let review = after.reviews.get(&id);
    let body = review.map(serde_json::to_string).transpose()?;
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
        .bind(&id.0.as_bytes()[..]);
    Ok(())
}

/// Reviews that pass the filter, oldest request first.
pub(crate) async fn list(
    conn: &mut SqliteConnection,
    filter: &ReviewFilter,
) -> Result<Vec<ReviewRow>, ReadError> {
    let rows = sqlx::query(
        "SELECT state, body, ended_at, withdrawn FROM review
         WHERE (?1 IS NULL OR state = ?1)
           AND (?2 IS NULL OR run = (SELECT key FROM run WHERE id = ?2))
           AND (?3 IS NULL OR subject = ?3)
         ORDER BY requested_at, id LIMIT ?4",
    )
    .bind(filter.status.map(ReviewStatus::word))
    .bind(filter.run.map(|run| run.0.as_bytes().to_vec()))
    .bind(filter.subject.as_deref())
    .bind(filter.limit.map_or(-1, i64::from))
    .fetch_all(conn)
    .await?;
    rows.iter().map(parse).collect()
}

/// How many reviews are open.
pub(crate) async fn count_open(conn: &mut SqliteConnection) -> Result<u64, ReadError> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM review WHERE state = 'open'")
        .fetch_one(conn)
        .await?;
    Ok(count.max(0) as u64)
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
