//! Named buckets: what they allow is the user's to say, what was used of them is durable before
//! anybody is told that they may go. One process decides, so one lock is enough.

use std::collections::BTreeMap;

use domain::Timestamp;
use limiter::{BucketCaps, BucketUse, Cap, NotBefore};
use protocol::{ApiError, BucketGrant, BucketShare, NamedBucket};
use serde::{Deserialize, Serialize};
use store::Store;
use tokio::sync::Mutex;

/// The setting all buckets are kept in.
const KEPT: &str = "buckets";

/// Somebody in line who is not heard of for so long has gone.
const GONE_MS: i64 = 45_000;

/// And holds up nobody after this: `longhaul throttle` asks every 5 s.
const ASKS_MS: i64 = 12_000;

/// Whoever stands in line behind others looks again so soon.
const LINE_MS: i64 = 1000;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Bucket {
    caps: BucketCaps,
    #[serde(default)]
    used: BucketUse,
}

/// Somebody who waits.
struct Waiting {
    bucket: String,
    /// Whose calls they compete for: those with a share have a line of their own.
    share: Option<String>,
    seen: Timestamp,
}

#[derive(Default)]
struct State {
    /// Read at the first look.
    all: Option<BTreeMap<String, Bucket>>,
    /// By ticket: who asked first has the lowest.
    line: BTreeMap<u64, Waiting>,
    tickets: u64,
}

impl State {
    async fn all(&mut self, store: &Store) -> Result<&mut BTreeMap<String, Bucket>, ApiError> {
        if self.all.is_none() {
            let kept = store.setting(KEPT).await.map_err(ApiError::internal)?;
            let read = kept.map(serde_json::from_value).transpose();
            self.all = Some(read.map_err(ApiError::internal)?.unwrap_or_default());
        }
        Ok(self.all.get_or_insert_default())
    }

    /// Makes it durable. What could not be is read again, as it is on the disk.
    async fn keep(&mut self, store: &Store) -> Result<(), ApiError> {
        let value = serde_json::to_value(&self.all).map_err(ApiError::internal)?;
        let kept = store.put_setting(KEPT, Some(value)).await;
        if kept.is_err() {
            self.all = None;
        }
        kept.map_err(ApiError::internal)
    }

    /// Whether somebody stands before this ticket in its line.
    fn others_first(&self, ticket: u64, now: Timestamp, name: &str, share: Option<&str>) -> bool {
        let mut before = self.line.range(..ticket).map(|(_, other)| other);
        before.any(|other| {
            let same = other.bucket == name && other.share.as_deref() == share;
            same && now.ms_since(other.seen) < ASKS_MS
        })
    }

    fn view(&self, name: &str, bucket: &Bucket, now: Timestamp) -> NamedBucket {
        let (used_minute, used_day, used_month) = bucket.used.so_far(now);
        let not = bucket.caps.allow(&mut bucket.used.clone(), None, now).err();
        let waiting = self.line.values().filter(|one| one.bucket == name).count();
        let shares = bucket.caps.shares.iter();
        NamedBucket {
            name: name.to_owned(),
            per_minute: bucket.caps.per_minute,
            per_day: bucket.caps.per_day,
            per_month: bucket.caps.per_month,
            used_minute,
            used_day,
            used_month,
            waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
            until: not.map(|not| not.until.into()),
            cause: not.map(|not| not.cap.words()),
            shares: shares
                .map(|(project, per_day)| BucketShare {
                    project: project.clone(),
                    per_day: *per_day,
                    used_day: bucket.used.of_share(project, now),
                })
                .collect(),
        }
    }
}

/// All buckets.
#[derive(Default)]
pub(crate) struct Buckets(Mutex<State>);

impl Buckets {
    /// How all of them are, by name.
    pub(crate) async fn views(
        &self,
        store: &Store,
        now: Timestamp,
    ) -> Result<Vec<NamedBucket>, ApiError> {
        let mut state = self.0.lock().await;
        let all = state.all(store).await?.clone();
        state.line.retain(|_, one| now.ms_since(one.seen) < GONE_MS);
        let views = all
            .iter()
            .map(|(name, bucket)| state.view(name, bucket, now));
        Ok(views.collect())
    }

    /// Changes what a bucket allows, making it where there is none.
    pub(crate) async fn set(
        &self,
        store: &Store,
        (name, now): (&str, Timestamp),
        change: impl FnOnce(&mut BucketCaps, Known) -> Result<(), ApiError>,
    ) -> Result<NamedBucket, ApiError> {
        let mut state = self.0.lock().await;
        let all = state.all(store).await?;
        let known = match all.contains_key(name) {
            true => Known::Yes,
            false => Known::No,
        };
        let mut bucket = all.get(name).cloned().unwrap_or_default();
        change(&mut bucket.caps, known)?;
        all.insert(name.to_owned(), bucket.clone());
        state.keep(store).await?;
        Ok(state.view(name, &bucket, now))
    }

    /// Removes a bucket; whether there was one.
    pub(crate) async fn remove(&self, store: &Store, name: &str) -> Result<bool, ApiError> {
        let mut state = self.0.lock().await;
        let was = state.all(store).await?.remove(name).is_some();
        if was {
            state.keep(store).await?;
        }
        Ok(was)
    }

    /// Takes one call, or says when to ask again; `None` if there is no such bucket.
    pub(crate) async fn take(
        &self,
        store: &Store,
        (name, folder, ticket): (&str, Option<&str>, Option<u64>),
        now: Timestamp,
    ) -> Result<Option<BucketGrant>, ApiError> {
        let mut state = self.0.lock().await;
        let Some(bucket) = state.all(store).await?.get_mut(name) else {
            return Ok(None);
        };
        let share = bucket.caps.share_of(folder).map(str::to_owned);
        let allowed = bucket.caps.allow(&mut bucket.used, folder, now);
        state.line.retain(|_, one| now.ms_since(one.seen) < GONE_MS);
        let came_back = ticket.filter(|ticket| *ticket <= state.tickets);
        let ticket = came_back.unwrap_or(state.tickets + 1);
        state.tickets = state.tickets.max(ticket);
        let allowed = match allowed {
            Ok(()) if state.others_first(ticket, now, name, share.as_deref()) => Err(NotBefore {
                until: now.plus_ms(LINE_MS),
                cap: Cap::Line,
            }),
            allowed => allowed,
        };
        if let Err(not) = allowed {
            let bucket = name.to_owned();
            let waits = Waiting {
                bucket,
                share,
                seen: now,
            };
            // Whoever gives up at the first answer never stood in anybody's way.
            if came_back.is_some() {
                state.line.insert(ticket, waits);
            }
            return Ok(Some(BucketGrant {
                granted: false,
                until: Some(not.until.into()),
                cause: Some(not.cap.words()),
                ticket: Some(ticket),
            }));
        }
        if let Some(bucket) = state.all(store).await?.get_mut(name) {
            bucket.used.count(&bucket.caps, folder, now);
        }
        state.keep(store).await?;
        faults::crash_point("buckets.counted");
        state.line.remove(&ticket);
        Ok(Some(BucketGrant {
            granted: true,
            until: None,
            cause: None,
            ticket: None,
        }))
    }
}

/// Whether there is such a bucket already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    Yes,
    No,
}
