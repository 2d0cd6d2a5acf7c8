//! Leases: who may change a folder of the user's. Two that overlap are never held at
//! once. Each has a token that is given once; a lease that was taken over is gone, and
//! with it whatever its token allowed.

use std::path::Path;

use domain::{RunId, Timestamp};
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::error::{ReadError, WriteError};

/// What a lease is held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeasePurpose {
    /// A run works in the folder itself.
    InPlace,
    /// A run's result is put into it.
    Apply,
}

impl LeasePurpose {
    /// The word used in the store and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::InPlace => "in-place",
            Self::Apply => "apply",
        }
    }

    fn parse(word: &str) -> Result<Self, ReadError> {
        match word {
            "in-place" => Ok(Self::InPlace),
            "apply" => Ok(Self::Apply),
            other => Err(ReadError::Damaged(format!("a lease is for '{other}'"))),
        }
    }
}

/// Proof of a lease. Every one is greater than all that were given before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseToken(pub i64);

/// A folder that is somebody's to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its proof.
    pub token: LeaseToken,
    /// The folder, absolute and without links in it.
    pub scope: String,
    /// Whose it is.
    pub run: RunId,
    /// What for.
    pub purpose: LeasePurpose,
    /// Since when.
    pub taken_at: Timestamp,
    /// The holder's last sign of life.
    pub beat_at: Timestamp,
}

impl Lease {
    /// Whether its holder has not been heard of for too long. A clock that was set back
    /// makes none stale.
    pub fn is_stale(&self, now: Timestamp, stale_after_ms: i64) -> bool {
        now.ms_since(self.beat_at) >= stale_after_ms
    }
}

/// Who wants which folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseWish {
    /// The folder, absolute and without links in it.
    pub scope: String,
    /// For whom. Its own earlier lease never stands in its way.
    pub run: RunId,
    /// What for.
    pub purpose: LeasePurpose,
    /// Milliseconds without a sign of life after which another's lease is taken over.
    pub stale_after_ms: i64,
}

/// What came of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is theirs.
    Held {
        /// The lease.
        lease: Lease,
        /// Those that were taken over: their tokens hold no more.
        fenced: Vec<Lease>,
    },
    /// This one stands in the way.
    Busy(Lease),
}

/// Whether one folder is the other or lies below it. By components: `/a/b` and `/a/bc`
/// have nothing to do with each other.
pub fn overlaps(one: &str, other: &str) -> bool {
    let (one, other) = (Path::new(one), Path::new(other));
    one.starts_with(other) || other.starts_with(one)
}

/// One change to the leases.
#[derive(Debug)]
pub(crate) enum LeaseChange {
    Take(LeaseWish),
    Beat(Vec<LeaseToken>),
    Release(Vec<LeaseToken>),
}

/// What a change came to.
#[derive(Debug)]
pub(crate) enum LeaseOutcome {
    Taken(Taken),
    /// Those of the tokens that hold.
    Held(Vec<LeaseToken>),
    Released,
}

impl LeaseChange {
    pub(crate) async fn apply(
        &self,
        conn: &mut SqliteConnection,
        now: Timestamp,
    ) -> Result<LeaseOutcome, WriteError> {
        match self {
            Self::Take(wish) => take(conn, wish, now).await.map(LeaseOutcome::Taken),
            Self::Beat(tokens) => beat(conn, tokens, now).await.map(LeaseOutcome::Held),
            Self::Release(tokens) => {
                for token in tokens {
                    remove(conn, *token).await?;
                }
                Ok(LeaseOutcome::Released)
            }
        }
    }
}

async fn take(
    conn: &mut SqliteConnection,
    wish: &LeaseWish,
    now: Timestamp,
) -> Result<Taken, WriteError> {
    let mut in_the_way = list(conn)
        .await
        .map_err(|e| WriteError::Failed(e.to_string()))?;
    in_the_way.retain(|lease| overlaps(&lease.scope, &wish.scope));
    let frees = |lease: &Lease| {
        lease.run == wish.run
            || lease.is_stale(now, wish.stale_after_ms)
            || faults::sabotaged("no_lease")
    };
    if let Some(holder) = in_the_way.iter().find(|lease| !frees(lease)) {
        return Ok(Taken::Busy(holder.clone()));
    }
    for lease in &in_the_way {
        remove(conn, lease.token).await?;
    }
    let token = sqlx::query(
        "INSERT INTO lease (scope, run, purpose, taken_at, beat_at) VALUES (?1, ?2, ?3, ?4, ?4)",
    )
    .bind(&wish.scope)
    .bind(wish.run.0.as_bytes().as_slice())
    .bind(wish.purpose.word())
    .bind(now.0)
    .execute(conn)
    .await?
    .last_insert_rowid();
    in_the_way.retain(|lease| lease.run != wish.run);
    Ok(Taken::Held {
        lease: Lease {
            token: LeaseToken(token),
            scope: wish.scope.clone(),
            run: wish.run,
            purpose: wish.purpose,
            taken_at: now,
            beat_at: now,
        },
        fenced: in_the_way,
    })
}

async fn beat(
    conn: &mut SqliteConnection,
    tokens: &[LeaseToken],
    now: Timestamp,
) -> Result<Vec<LeaseToken>, WriteError> {
    let mut held = Vec::new();
    for token in tokens {
        let beaten = sqlx::query("UPDATE lease SET beat_at = ?2 WHERE token = ?1")
            .bind(token.0)
            .bind(now.0)
            .execute(&mut *conn)
            .await?;
        if beaten.rows_affected() > 0 {
            held.push(*token);
        }
    }
    Ok(held)
}

async fn remove(conn: &mut SqliteConnection, token: LeaseToken) -> Result<(), WriteError> {
    sqlx::query("DELETE FROM lease WHERE token = ?")
        .bind(token.0)
        .execute(conn)
        .await?;
    Ok(())
}

type Row = (i64, String, Vec<u8>, String, i64, i64);

pub(crate) async fn list(conn: &mut SqliteConnection) -> Result<Vec<Lease>, ReadError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT token, scope, run, purpose, taken_at, beat_at FROM lease ORDER BY token",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(token, scope, run, purpose, taken_at, beat_at)| {
            let run = Uuid::from_slice(&run)
                .map_err(|e| ReadError::Damaged(format!("a lease's run: {e}")))?;
            Ok(Lease {
                token: LeaseToken(token),
                scope,
                run: RunId(run),
                purpose: LeasePurpose::parse(&purpose)?,
                taken_at: Timestamp(taken_at),
                beat_at: Timestamp(beat_at),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::overlaps;

    #[test]
    fn folders_overlap_when_one_is_the_other_or_lies_below_it() {
        for (one, other, expected) in [
            ("/a/b", "/a/b", true),
            ("/a/b", "/a/b/", true),
            ("/a", "/a/b", true),
            ("/a", "/a/b/c/d", true),
            ("/", "/a/b", true),
            ("/", "/", true),
            ("/a/b", "/a/bc", false),
            ("/a/bc", "/a/b", false),
            ("/a/b", "/a/c", false),
            ("/a/b/c", "/a/c/b", false),
            ("/a b", "/a", false),
            ("/ä/b", "/ä", true),
        ] {
            assert_eq!(overlaps(one, other), expected, "{one} {other}");
            assert_eq!(overlaps(other, one), expected, "{other} {one}");
        }
    }
}
