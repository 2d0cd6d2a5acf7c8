//! Room on the disk: what workspaces take, and which of them nobody needs.
//!
//! Removed are only those of runs that were cancelled, or completed with all of
//! their result applied; what else could be freed is only said.

use std::collections::HashSet;
use std::time::{Duration, UNIX_EPOCH};

use domain::{Event, Phase, Run, RunId, Timestamp};
use workspace::Surveyed;

use crate::core::{Core, Engine};
use crate::journal::{Batch, Halt};

/// Between two looks while the journal grows; a daemon in which nothing happens
/// does not look.
const LOOK: Duration = Duration::from_secs(3600);

/// A folder without a run is left alone for so long: its run may be about to be
/// recorded.
const ORPHAN_MS: i64 = 3_600_000;

/// Even when the budget is used up, a run's files stay so long after its end.
const GRACE_MS: i64 = 3_600_000;

/// How far back in a journal it is looked for what was applied.
const TAIL: u32 = 2_000;

/// What workspaces take, and what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskCare {
    /// When it was measured.
    pub at: Timestamp,
    /// Workspaces there are.
    pub workspaces: u32,
    /// Bytes of the files runs work on.
    pub work_bytes: u64,
    /// Bytes of snapshots.
    pub snapshot_bytes: u64,
    /// What both may take before old workspaces are removed early.
    pub budget_bytes: u64,
    /// Bytes that discarding runs that are over would free: their result is not
    /// applied, or it is not time to remove them yet.
    pub freeable_bytes: u64,
    /// The runs of which that is so.
    pub freeable_runs: u32,
    /// Each workspace's bytes.
    pub of_runs: Vec<(RunId, u64)>,
}

/// Why a workspace may go or has to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The run is not over, or another needs its files.
    Needed,
    /// The run is over, but what it made is nowhere else.
    Unapplied,
    /// Nobody needs it since then.
    Done(Timestamp),
    /// It was discarded, and the daemon died before the files were gone.
    Discarded,
    /// There is no such run.
    Orphan,
}

struct Found {
    run: RunId,
    bytes: u64,
    standing: Standing,
}

impl Engine {
    /// What workspaces took when that was last measured; nothing before the first time.
    pub fn disk_care(&self) -> Option<DiskCare> {
        let care = self.core.care.lock();
        care.expect("no code panics while holding it").clone()
    }

    /// What the run's workspace took when that was last measured.
    pub fn workspace_bytes(&self, run: RunId) -> Option<u64> {
        let care = self.core.care.lock();
        let care = care.expect("no code panics while holding it");
        let all = &care.as_ref()?.of_runs;
        all.iter()
            .find(|(id, _)| *id == run)
            .map(|(_, bytes)| *bytes)
    }

    /// Looks after the disk until the engine leaves.
    pub async fn keep_tidy(&self) {
        let mut grown = self.core.store().subscribe();
        loop {
            match self.tidy_up().await {
                Ok(care) => tracing::debug!(?care, "looked after the disk"),
                Err(why) => tracing::warn!(%why, "could not look after the disk"),
            }
            tokio::select! {
                () = self.core.leaving.cancelled() => return,
                changed = grown.changed() => if changed.is_err() { return },
            }
            tokio::select! {
                () = self.core.leaving.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Measures all workspaces, removes those nobody needs that are too old or
    /// too much, and says what there is then.
    pub async fn tidy_up(&self) -> Result<DiskCare, String> {
        let core = &self.core;
        let _alone = core.tidying.lock().await;
        let surveyed = core.workspaces.survey().await.map_err(|e| e.to_string())?;
        let mut found = core.stand(&surveyed).await.map_err(|e| e.to_string())?;
        let settings = core.settings();
        let total = found.iter().map(|f| f.bytes).sum();
        let chosen = choose(&mut found, total, &settings, core.now());
        let mut gone = HashSet::new();
        for (run, reason) in chosen {
            match core.remove_workspace(run, reason).await {
                Ok(()) => drop(gone.insert(run)),
                Err(why) => tracing::warn!(%run, %why, "its workspace could not be removed"),
            }
        }
        found.retain(|f| !gone.contains(&f.run));
        let care = summary(&surveyed, &found, settings.workspaces_max_bytes, core.now());
        *core.care.lock().expect("no code panics while holding it") = Some(care.clone());
        Ok(care)
    }
}

/// Why a workspace is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Old,
    TooMuch,
    Orphan,
    Discarded,
}

/// Which are to go, those that are done with longest first.
fn choose(
    found: &mut [Found],
    mut total: u64,
    settings: &crate::settings::Settings,
    now: Timestamp,
) -> Vec<(RunId, Reason)> {
    found.sort_by_key(|f| match f.standing {
        Standing::Done(since) => since,
        _ => Timestamp(0),
    });
    let mut chosen = Vec::new();
    for f in found {
        let reason = match f.standing {
            Standing::Orphan => Some(Reason::Orphan),
            Standing::Discarded => Some(Reason::Discarded),
            Standing::Done(since) if now.ms_since(since) > settings.workspaces_keep_ms => {
                Some(Reason::Old)
            }
            Standing::Done(since)
                if total > settings.workspaces_max_bytes && now.ms_since(since) > GRACE_MS =>
            {
                Some(Reason::TooMuch)
            }
            _ => None,
        };
        if let Some(reason) = reason {
            total -= f.bytes;
            chosen.push((f.run, reason));
        }
    }
    chosen
}

fn summary(surveyed: &[Surveyed], left: &[Found], budget: u64, now: Timestamp) -> DiskCare {
    let of_runs: Vec<(RunId, u64)> = left.iter().map(|f| (f.run, f.bytes)).collect();
    let there = |s: &&Surveyed| {
        let run = s.run.parse::<RunId>();
        run.is_ok_and(|run| left.iter().any(|f| f.run == run))
    };
    let free: Vec<&Found> = left
        .iter()
        .filter(|f| matches!(f.standing, Standing::Unapplied | Standing::Done(_)))
        .collect();
    DiskCare {
        at: now,
        workspaces: u32::try_from(left.len()).unwrap_or(u32::MAX),
        work_bytes: surveyed.iter().filter(there).map(|s| s.work_bytes).sum(),
        snapshot_bytes: surveyed
            .iter()
            .filter(there)
            .map(|s| s.snapshot_bytes)
            .sum(),
        budget_bytes: budget,
        freeable_bytes: free.iter().map(|f| f.bytes).sum(),
        freeable_runs: u32::try_from(free.len()).unwrap_or(u32::MAX),
        of_runs,
    }
}

impl Core {
    async fn stand(&self, surveyed: &[Surveyed]) -> Result<Vec<Found>, Halt> {
        let parents = self.parents_waited_for().await?;
        let mut found = Vec::new();
        for s in surveyed {
            // Not a name of ours: not ours to remove.
            let Ok(run) = s.run.parse::<RunId>() else {
                tracing::warn!(folder = s.run, "a folder among the workspaces is no run's");
                continue;
            };
            let bytes = s.work_bytes + s.snapshot_bytes;
            let standing = match self.store().load(run).await? {
                None => self.orphan(s),
                Some(now) => self.standing(&now, &parents).await?,
            };
            found.push(Found {
                run,
                bytes,
                standing,
            });
        }
        Ok(found)
    }

    fn orphan(&self, s: &Surveyed) -> Standing {
        let modified = s.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified = Timestamp(i64::try_from(modified.as_millis()).unwrap_or(i64::MAX));
        match self.now().ms_since(modified) > ORPHAN_MS {
            true => Standing::Orphan,
            false => Standing::Needed,
        }
    }

    async fn standing(&self, run: &Run, parents: &HashSet<RunId>) -> Result<Standing, Halt> {
        if run.discarded {
            return Ok(Standing::Discarded);
        }
        let needed = !run.state().is_over()
            || run.applying.is_some()
            || run.restoring.is_some()
            || !run.reviews.is_empty()
            || parents.contains(&run.id);
        if needed {
            return Ok(Standing::Needed);
        }
        let since = run.ended_at.unwrap_or(run.last_at).max(run.last_at);
        Ok(match run.phase {
            Phase::Cancelled => Standing::Done(since),
            Phase::Completed if self.is_applied(run).await? => Standing::Done(since),
            // A failed run can be resumed.
            _ => Standing::Unapplied,
        })
    }

    /// Runs whose snapshots a fork still has to be made from.
    async fn parents_waited_for(&self) -> Result<HashSet<RunId>, Halt> {
        let mut parents = HashSet::new();
        for row in self.store().unfinished_runs().await? {
            if let Some(run) = self.store().load(row.id).await?
                && let Some(fork) = &run.task.fork
                && run.workspace.is_none()
            {
                parents.insert(fork.run);
            }
        }
        Ok(parents)
    }

    /// Whether the newest state of its files is in the user's project, all of it.
    async fn is_applied(&self, run: &Run) -> Result<bool, Halt> {
        let Some(newest) = run.checkpoint.as_ref().map(|c| c.snapshot.as_str()) else {
            // It never changed anything.
            return Ok(true);
        };
        if run.applied == 0 {
            return Ok(false);
        }
        let from = run.head.saturating_sub(u64::from(TAIL));
        let entries = self.store().journal(run.id, from, TAIL).await?;
        let (mut under_way, mut applied, mut current) = (None, None, None);
        for entry in entries {
            match entry.entry.event {
                Event::CheckpointTaken { snapshot, .. } => current = Some(snapshot),
                Event::ApplyBegan {
                    snapshot,
                    paths,
                    hunks,
                    ..
                } => {
                    let whole = paths.is_empty() && hunks.is_empty();
                    under_way = Some(whole.then_some(snapshot));
                }
                Event::ApplyEnded { .. } => under_way = None,
                // One without a beginning took the newest state.
                Event::Applied { .. } => {
                    let taken = under_way.take();
                    applied = taken.unwrap_or_else(|| current.clone()).or(applied);
                }
                _ => {}
            }
        }
        Ok(applied.as_deref() == Some(newest))
    }

    /// Says so in the run's journal first, as when a person discards it.
    async fn remove_workspace(&self, run: RunId, reason: Reason) -> Result<(), String> {
        let words = match reason {
            Reason::Old => Some("its workspace was removed: it was done with, and old"),
            Reason::TooMuch => Some(
                "its workspace was removed: it was done with, and workspaces took too much room",
            ),
            Reason::Orphan | Reason::Discarded => None,
        };
        if let Some(words) = words {
            let mut batch = Batch::of(Event::Noted {
                text: words.to_owned(),
            });
            batch.push(Event::Discarded);
            let noted = self.append(run, batch).await;
            noted.map_err(|error| error.to_string())?;
            faults::crash_point("engine.workspace_given_up");
        }
        tracing::info!(%run, ?reason, "removing a workspace");
        let removed = self.workspaces.discard(&run.to_string()).await;
        removed.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    const DAY: i64 = 24 * 3_600_000;

    fn found(n: u128, standing: Standing) -> Found {
        Found {
            run: uuid::Uuid::from_u128(n).to_string().parse().unwrap(),
            bytes: 10,
            standing,
        }
    }

    fn chosen(found: &mut [Found], max: u64) -> Vec<(u128, Reason)> {
        let settings = Settings {
            workspaces_max_bytes: max,
            workspaces_keep_ms: 30 * DAY,
            ..Settings::default()
        };
        let total = found.iter().map(|f| f.bytes).sum();
        choose(found, total, &settings, Timestamp(100 * DAY))
            .into_iter()
            .map(|(run, reason)| {
                let id = uuid::Uuid::parse_str(&run.to_string()).unwrap();
                (id.as_u128(), reason)
            })
            .collect()
    }

    #[test]
    fn what_is_needed_or_unapplied_is_never_chosen() {
        let mut all = [
            found(1, Standing::Needed),
            found(2, Standing::Unapplied),
            found(3, Standing::Done(Timestamp(99 * DAY))),
        ];
        assert_eq!(chosen(&mut all, 1000), []);
        assert_eq!(chosen(&mut all, 0), [(3, Reason::TooMuch)]);
    }

    #[test]
    fn the_oldest_go_first_and_only_as_many_as_there_must() {
        let mut all = [
            found(1, Standing::Done(Timestamp(100 * DAY - 1))),
            found(2, Standing::Done(Timestamp(98 * DAY))),
            found(3, Standing::Done(Timestamp(97 * DAY))),
            found(4, Standing::Done(Timestamp(10 * DAY))),
            found(5, Standing::Orphan),
            found(6, Standing::Discarded),
        ];
        let old = [
            (5, Reason::Orphan),
            (6, Reason::Discarded),
            (4, Reason::Old),
        ];
        assert_eq!(chosen(&mut all, 30), old);
        let more = [&old[..], &[(3, Reason::TooMuch)]].concat();
        assert_eq!(chosen(&mut all, 20), more);
        let most = [&more[..], &[(2, Reason::TooMuch)]].concat();
        assert_eq!(chosen(&mut all, 0), most, "one just ended stays");
    }
}
