//! The campaign's own teeth: with an invariant switched off, its checker must say so.

use domain::Preset;

use super::boundaries::{PATIENCE, When, dies_at};
use super::script::Length;
use super::world::{Ended, Task, World};
use super::{fencing, invariants, power_loss};

/// Complaints about crashes while commands run, with a switch on all the time.
async fn crash_in_commands(switch: &str) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    // Three commands are asked for at once; which is spawned first is open.
    for spawned in 1..=3 {
        let mut world = World::with_task(Task::new("t1", Length::Short, Preset::HandsOff)).await?;
        world.daemon.home.set_env("LONGHAUL_SABOTAGE", switch);
        let at = format!("engine.command_spawned#{spawned}");
        anyhow::ensure!(
            dies_at(&mut world, &at, When::Working(Length::Short)).await?,
            "{at} is never reached"
        );
        world.daemon.spawn()?;
        match world.drive(PATIENCE).await {
            Ok(Ended::Completed) => complaints.extend(invariants::check(&world).await?),
            Ok(Ended::DaemonGone) => complaints.push("the daemon died by itself".to_owned()),
            Err(error) => complaints.push(format!("it cannot go on: {error:#}")),
        }
    }
    Ok(complaints)
}

fn assert_complains(complaints: &[String], about: &str) {
    assert!(
        complaints.iter().any(|complaint| complaint.contains(about)),
        "the checker does not see it; it says {complaints:#?}"
    );
}

/// Commands are run again after a crash without asking and without looking.
#[tokio::test(flavor = "multi_thread")]
async fn blind_rerun_is_seen() {
    let complaints = crash_in_commands("blind_rerun")
        .await
        .expect("the scenario runs");
    assert_complains(&complaints, "happened 2 times");
}

/// The start of an operation is recorded with its end, not before its effect.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_intent_is_seen() {
    let complaints = crash_in_commands("no_intent")
        .await
        .expect("the scenario runs");
    // Run twice, or told to have failed although it happened: as the crash falls.
    assert_complains(&complaints, "the effect t1-");
}

/// A daemon that lost its home to another goes on writing.
#[tokio::test(flavor = "multi_thread")]
async fn missing_fencing_is_seen() {
    let complaints = fencing::usurped(Some("no_fencing"))
        .await
        .expect("the scenario runs");
    assert_complains(&complaints, "lost its home acknowledged a decision");
}

/// The database is not synced at every commit; seen under the power-loss model.
#[tokio::test(flavor = "multi_thread")]
async fn normal_sync_is_seen() {
    let complaints = power_loss::cut_after(20, Some("normal_sync"))
        .await
        .expect("the scenario runs");
    assert!(
        !complaints.is_empty(),
        "acknowledged events were not synced, and the checker does not see it"
    );
}
