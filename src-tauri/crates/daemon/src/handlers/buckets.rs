//! Named buckets: made, removed, used.

use protocol::{
    ApiError, BucketGrant, BucketRemove, BucketSet, BucketTake, LimitsRequest, LimitsView,
    NamedBucket,
};

use crate::api::Api;
use crate::buckets::Known;

/// The longest name.
const NAME: usize = 64;

pub(crate) async fn bucket_set(api: &Api, request: BucketSet) -> Result<NamedBucket, ApiError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let name = request.name.as_str();
    if name.is_empty() || name.len() > NAME || !name.chars().all(fits) {
        return Err(ApiError::usage(
            format!("'{name}' is no name for a bucket"),
            format!("use up to {NAME} letters, digits, '.', '-' and '_'"),
        ));
    }
    let working = api.working()?;
    let now = api.inner.clock.now();
    let set = working
        .buckets
        .set(&working.store, (name, now), |caps, known| {
            let Some(project) = request.project.clone() else {
                if request
                    .per_minute
                    .or(request.per_day)
                    .or(request.per_month)
                    .is_none()
                {
                    return Err(ApiError::usage(
                        "a bucket that allows everything limits nothing",
                        "give --per-minute, --per-day or --per-month",
                    ));
                }
                caps.per_minute = request.per_minute;
                caps.per_day = request.per_day;
                caps.per_month = request.per_month;
                return Ok(());
            };
            let per_day = match (request.per_day, request.per_minute.or(request.per_month)) {
                (Some(per_day), None) => per_day,
                _ => {
                    return Err(ApiError::usage(
                        "for a project, calls of a day are set aside",
                        "give --per-day alone with --for",
                    ));
                }
            };
            if known == Known::No {
                return Err(no_bucket(name));
            }
            caps.shares.insert(project, per_day);
            let aside: u32 = caps.shares.values().fold(0, |a, b| a.saturating_add(*b));
            match caps.per_day {
                Some(all) if aside > all => Err(ApiError::usage(
                    format!("{aside} calls a day would be set aside of {all} there are"),
                    "set less aside, or allow more: `longhaul limits` shows what there is",
                )),
                _ => Ok(()),
            }
        });
    set.await
}

pub(crate) async fn bucket_remove(
    api: &Api,
    request: BucketRemove,
) -> Result<LimitsView, ApiError> {
    let working = api.working()?;
    let name = request.name.as_str();
    if let Some(project) = &request.project {
        let at = (name, api.inner.clock.now());
        let removed = working.buckets.set(&working.store, at, |caps, known| {
            if known == Known::No {
                return Err(no_bucket(name));
            }
            let nothing = || {
                ApiError::not_found(
                    format!("'{name}' sets nothing aside for {project}"),
                    "`longhaul limits` shows what is set aside",
                )
            };
            caps.shares.remove(project).map(|_| ()).ok_or_else(nothing)
        });
        removed.await?;
    } else if !working.buckets.remove(&working.store, name).await? {
        return Err(no_bucket(name));
    }
    super::limits(api, LimitsRequest {}).await
}

pub(crate) async fn bucket_take(api: &Api, request: BucketTake) -> Result<BucketGrant, ApiError> {
    let working = api.working()?;
    let asked = (
        request.name.as_str(),
        request.folder.as_deref(),
        request.ticket,
    );
    let now = api.inner.clock.now();
    let taken = working.buckets.take(&working.store, asked, now).await?;
    taken.ok_or_else(|| no_bucket(&request.name))
}

fn no_bucket(name: &str) -> ApiError {
    ApiError::not_found(
        format!("there is no bucket '{name}'"),
        format!("`longhaul limits set {name} --per-minute N` makes it"),
    )
}
