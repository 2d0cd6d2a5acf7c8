//! The daemon dies at every crash point the sources have, once each in the short form
//! and at several visits in the long one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use domain::{Event, Preset};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::journals::{self, Ending};
use super::script::Length;
use super::witness::Witness;
use super::world::{Ended, Task, World, comes_true};
use super::{invariants, points, settings};

/// How long a task may take, crashes included. Several share two cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Homes at a time: a daemon in a test mostly waits.
const AT_ONCE: usize = 4;

/// In which life of the daemon the point is to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// The first one.
    Working(Length),
    /// The second one, with a command in doubt.
    Recovering,
    /// In a keeper.
    Keeping,
}

/// A crash to be made: `name` or `name#n`, and when.
#[derive(Clone, Debug)]
struct Crash {
    at: String,
    when: When,
}

/// How long a daemon may take to die after its run's last event was seen.
const LAST_BREATH: Duration = Duration::from_secs(2);

/// What one crash led to.
#[derive(Debug)]
enum Result {
    /// All invariants hold.
    Held,
    /// The point was never reached (so often).
    Unreached,
    Broken(Vec<String>),
}

#[tokio::test(flavor = "multi_thread")]
async fn every_boundary() {
    let crashes = crashes();
    let results = visit(crashes).await;
    let mut broken = Vec::new();
    for (at, result) in &results {
        eprintln!("{at:40} {}", word(result));
        let first_visit = !at.contains('#');
        match result {
            Result::Broken(complaints) => broken.push(format!("{at}:\n  {}", complaints.join("\n  "))),
            Result::Unreached if first_visit => broken.push(format!(
                "{at}: the campaign's task never reaches it; widen the task, or list it with the reason"
            )),
            _ => {}
        }
    }
    assert!(
        broken.is_empty(),
        "{} of {} crashes broke something (repeat one with LONGHAUL_CAMPAIGN_POINT=NAME):\n{}",
        broken.len(),
        results.len(),
        broken.join("\n")
    );
}

fn word(result: &Result) -> &'static str {
    match result {
        Result::Held => "held",
        Result::Unreached => "not reached",
        Result::Broken(_) => "BROKEN",
    }
}

/// Which crashes are made.
fn crashes() -> Vec<Crash> {
    let points = points::all();
    if let Some(only) = settings::only_point() {
        let name = only.split('#').next().unwrap_or_default();
        let file = points
            .get(name)
            .unwrap_or_else(|| panic!("there is no crash point {name}"));
        return vec![Crash {
            when: when(name, file),
            at: only,
        }];
    }
    let reachable = points
        .iter()
        .filter(|(name, _)| points::UNREACHED.iter().all(|(other, _)| other != name));
    let mut crashes = Vec::new();
    for (name, file) in reachable {
        let when = when(name, file);
        crashes.push(Crash {
            at: name.clone(),
            when,
        });
        for visit in visits(name) {
            crashes.push(Crash {
                at: format!("{name}#{visit}"),
                when,
            });
        }
    }
    crashes
}

/// Later visits. Commits are the journal's own boundaries: each differs from the last.
fn visits(name: &str) -> Vec<u32> {
    let is_commit = matches!(name, "store.before_commit" | "store.committed");
    match (settings::is_long(), is_commit) {
        (false, false) => Vec::new(),
        (false, true) => vec![7, 16, 29],
        (true, false) => (2..=4).collect(),
        (true, true) => (2..=60).collect(),
    }
}

fn when(name: &str, file: &Path) -> When {
    if name.starts_with("keeper.") {
        When::Keeping
    } else if file.ends_with("engine/src/recovery.rs") {
        When::Recovering
    } else if file.ends_with("store/src/snapshots.rs") {
        When::Working(Length::Long)
    } else {
        When::Working(Length::Short)
    }
}

async fn visit(crashes: Vec<Crash>) -> BTreeMap<String, Result> {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut visits = JoinSet::new();
    for crash in crashes {
        let turns = turns.clone();
        visits.spawn(async move {
            let _turn = turns.acquire_owned().await;
            let result = crash_at(&crash.at, crash.when).await;
            let result = result.unwrap_or_else(|error| Result::Broken(vec![format!("{error:#}")]));
            (crash.at, result)
        });
    }
    visits.join_all().await.into_iter().collect()
}

async fn crash_at(at: &str, when: When) -> anyhow::Result<Result> {
    // A command that had ended before the first life's kill leaves nothing in doubt:
    // on a busy machine that happens, and is no answer.
    let lives = if when == When::Recovering { 4 } else { 1 };
    for _ in 0..lives {
        let mut world = World::with_task(task_for(when)).await?;
        if dies_at(&mut world, at, when).await? {
            return finish(&mut world).await;
        }
    }
    Ok(Result::Unreached)
}

fn task_for(when: When) -> Task {
    let length = match when {
        When::Working(length) => length,
        When::Recovering | When::Keeping => Length::Short,
    };
    Task::new("t1", length, Preset::Balanced)
}

/// Starts the daemon again, as often as it takes, and looks what became of everything.
async fn finish(world: &mut World) -> anyhow::Result<Result> {
    world.daemon.spawn()?;
    match world.drive(PATIENCE).await? {
        Ended::Completed => {}
        Ended::DaemonGone => bail!("the daemon died again, by itself:\n{}", world.daemon.log()),
    }
    let complaints = invariants::check(world).await?;
    Ok(if complaints.is_empty() {
        Result::Held
    } else {
        Result::Broken(complaints)
    })
}

/// Has the daemon (or a keeper) die at the point. False: it is never reached.
pub(crate) async fn dies_at(world: &mut World, at: &str, when: When) -> anyhow::Result<bool> {
    if when == When::Recovering {
        die_in_a_command(world).await?;
    }
    world.daemon.env_once("LONGHAUL_CRASH_AT", at);
    world.daemon.spawn()?;
    if when == When::Keeping {
        return keeper_dies(world).await;
    }
    let ended = world.drive(PATIENCE).await?;
    // The last event may be seen before the death that follows it.
    if matches!(ended, Ended::Completed) && !gone(world, LAST_BREATH).await {
        return Ok(false);
    }
    killed_by_crash_point(world)?;
    world.after_death();
    Ok(true)
}

fn killed_by_crash_point(world: &mut World) -> anyhow::Result<()> {
    let status = world.daemon.exit_status()?.context("it has ended")?;
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    if signal == Some(9) {
        return Ok(());
    }
    bail!(
        "the daemon ended by itself ({status}):\n{}",
        world.daemon.log()
    )
}

/// A first life that ends, keepers and all, while a command runs.
async fn die_in_a_command(world: &mut World) -> anyhow::Result<()> {
    world.daemon.spawn()?;
    until_seen(world, |event| {
        matches!(
            event,
            Event::OpStarted {
                keeper: Some(_),
                ..
            }
        )
    })
    .await?;
    world.kill_all()
}

/// Every keeper of this daemon dies at the point: one is enough, then the daemon goes too.
async fn keeper_dies(world: &mut World) -> anyhow::Result<bool> {
    world.keepers_killed = true;
    until(world, |witness| {
        let entries = witness.entries();
        let run = entries.keys().next().map(|(run, _)| *run);
        let entries: Vec<_> = entries.into_values().collect();
        let calls = run
            .map(|run| journals::calls(run, &entries))
            .unwrap_or_default();
        calls.iter().any(|call| {
            !call.keepers.is_empty() && (call.ending != Ending::Open || call.in_doubt > 0)
        })
    })
    .await?;
    world.kill_all()?;
    Ok(true)
}

/// Drives until the event stream has shown such an event.
pub(crate) async fn until_seen(
    world: &mut World,
    wanted: impl Fn(&Event) -> bool,
) -> anyhow::Result<()> {
    until(world, |witness| witness.saw(&wanted)).await
}

/// Drives until what was seen is enough.
pub(crate) async fn until(
    world: &mut World,
    enough: impl Fn(&Witness) -> bool,
) -> anyhow::Result<()> {
    let until = tokio::time::Instant::now() + PATIENCE;
    world.wait_up().await?;
    while !enough(world.witness()?) {
        anyhow::ensure!(
            tokio::time::Instant::now() < until,
            "it did not come that far: {}\n{}",
            world.state().await,
            world.daemon.log()
        );
        match world.look().await {
            Ok(_) => {}
            Err(error) if error.downcast_ref::<client::ClientError>().is_some() => {}
            Err(error) => return Err(error),
        }
        if let Some(witness) = &mut world.witness {
            witness.moved(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

/// Whether the daemon ends by itself within a while.
pub(crate) async fn gone(world: &mut World, longest: Duration) -> bool {
    comes_true(longest, || {
        matches!(world.daemon.exit_status(), Ok(Some(_)))
    })
    .await
}
