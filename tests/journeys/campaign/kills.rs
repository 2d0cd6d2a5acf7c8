//! Kills at random moments: of the daemon alone, or of all that runs, as a reboot does;
//! several runs at once, until all are completed. Time is random here by purpose.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use domain::Preset;
use tokio::time::Instant;

use super::boundaries::PATIENCE;
use super::chance::Chance;
use super::script::Length;
use super::world::{Ended, Task, World};
use super::{invariants, settings};

/// Homes at a time.
const LANES: u64 = 2;

/// Runs at once in a home.
const RUNS: u64 = 3;

/// Longest life of a daemon, milliseconds from its start (which takes part of it).
const LONGEST_LIFE: u64 = 1_600;

/// Most events a daemon is let record before it is killed.
const MOST_EVENTS: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn random_kills() {
    let (kills, seed) = (settings::kills(), settings::seed());
    let lanes = (0..LANES).map(|lane| {
        let share = kills / LANES + u64::from(lane < kills % LANES);
        tokio::spawn(Lane::new(seed.wrapping_mul(LANES).wrapping_add(lane), share).run())
    });
    let mut done = Tally::default();
    for lane in lanes.collect::<Vec<_>>() {
        let tally = lane.await.expect("a lane does not panic");
        let tally = tally.unwrap_or_else(|error| panic!("seed {seed}, {kills} kills: {error:?}"));
        done.add(&tally);
    }
    eprintln!("seed {seed}: {done:?}");
    assert_eq!(done.daemon_kills + done.full_kills, kills);
}

/// What was done.
#[derive(Debug, Default)]
struct Tally {
    daemon_kills: u64,
    full_kills: u64,
    homes: u64,
    runs: u64,
    events: usize,
    adopted: usize,
    decisions: usize,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.daemon_kills += other.daemon_kills;
        self.full_kills += other.full_kills;
        self.homes += other.homes;
        self.runs += other.runs;
        self.events += other.events;
        self.adopted += other.adopted;
        self.decisions += other.decisions;
    }
}

struct Lane {
    seed: u64,
    chance: Chance,
    left: u64,
    tally: Tally,
}

impl Lane {
    fn new(seed: u64, kills: u64) -> Self {
        Self {
            seed,
            chance: Chance::new(seed),
            left: kills,
            tally: Tally::default(),
        }
    }

    /// Home after home until all kills are made.
    async fn run(mut self) -> anyhow::Result<Tally> {
        while self.left > 0 {
            let place = format!(
                "lane {}, home {}, {} kills left",
                self.seed, self.tally.homes, self.left
            );
            self.one_home().await.context(place)?;
        }
        Ok(self.tally)
    }

    async fn one_home(&mut self) -> anyhow::Result<()> {
        let mut world = World::new().await?;
        for number in 0..RUNS {
            let policy = if self.chance.below(2) == 0 {
                Preset::Balanced
            } else {
                Preset::HandsOff
            };
            let length = if self.chance.below(5) == 0 {
                Length::Long
            } else {
                Length::Short
            };
            world
                .tasks
                .push(Task::new(&format!("t{number}"), length, policy));
        }
        loop {
            world.daemon.spawn()?;
            if self.left == 0 {
                let ended = world.drive(PATIENCE).await?;
                ensure!(
                    ended == Ended::Completed,
                    "the daemon died by itself:\n{}",
                    world.daemon.log()
                );
                break;
            }
            if self.live_and_die(&mut world).await? {
                break;
            }
        }
        let complaints = invariants::check(&world).await?;
        self.tally.homes += 1;
        self.tally.runs += RUNS;
        self.tally.events += world.witness()?.count();
        self.tally.adopted += world.left_alive.len();
        self.tally.decisions += world.decisions.len();
        ensure!(
            complaints.is_empty(),
            "{} complaints:\n{}",
            complaints.len(),
            complaints.join("\n")
        );
        Ok(())
    }

    /// One life of a daemon. True: everything was completed before it was to die.
    async fn live_and_die(&mut self, world: &mut World) -> anyhow::Result<bool> {
        let life = Duration::from_millis(self.chance.below(LONGEST_LIFE));
        let events = self.chance.below(MOST_EVENTS);
        let by_events = self.chance.below(2) == 0;
        let all = self.chance.below(3) == 0;
        let deadline = Instant::now() + life;
        let ended = match world.witness.as_ref().map(|witness| witness.counter()) {
            Some(mut counter) if by_events => {
                let target = *counter.borrow() + events;
                tokio::select! {
                    ended = world.drive(PATIENCE) => Some(ended?),
                    _ = counter.wait_for(|count| *count >= target) => None,
                }
            }
            _ => tokio::time::timeout_at(deadline, world.drive(PATIENCE))
                .await
                .ok()
                .transpose()?,
        };
        match ended {
            Some(Ended::Completed) => return Ok(true),
            Some(Ended::DaemonGone) => {
                anyhow::bail!("the daemon died by itself:\n{}", world.daemon.log())
            }
            None => {}
        }
        self.left -= 1;
        if all {
            self.tally.full_kills += 1;
            world.kill_all()?;
        } else {
            self.tally.daemon_kills += 1;
            world.kill_daemon()?;
        }
        Ok(false)
    }
}
