//! A power cut: of the store's files only what was made durable is left.
//!
//! The model: a small library preloaded into the daemon ([`SHIM`]) copies each file at
//! the top of the home (database, its log, the anchor) whenever the daemon has it
//! synced. After the cut these copies take the files' places, which is the harshest
//! image a file system may leave: every byte written since the last sync is gone. It
//! does not tear or reorder writes, and it takes folders' entries, blobs' and keepers'
//! files to be durable.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use domain::Preset;

use super::boundaries::{PATIENCE, until};
use super::chance::Chance;
use super::script::Length;
use super::world::{Ended, Task, World};
use super::{invariants, settings};

const SHIM: &str = include_str!("last_synced.c");

/// The store's files, as far as the model knows them.
const FILES: [&str; 4] = ["state.db", "state.db-wal", "state.db-shm", "anchor"];

/// Events a run of the campaign surely has before it is completed.
const EVENTS: u64 = 50;

fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    let (source, library) = (folder.join("last_synced.c"), folder.join("last_synced.so"));
    std::fs::write(&source, SHIM)?;
    let output = Command::new("cc")
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .output()
        .context("cannot run cc, which Rust needs too")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(library)
}

/// What is wrong after the power was cut when `events` events had been shown.
pub(crate) async fn cut_after(events: u64, sabotage: Option<&str>) -> anyhow::Result<Vec<String>> {
    let mut world = World::with_task(Task::new("t1", Length::Short, Preset::HandsOff)).await?;
    let kept = world.daemon.home.place("last-synced");
    std::fs::create_dir(&kept)?;
    let library = build(world.daemon.home.root())?;
    let home = world.daemon.home.path().canonicalize()?;
    if let Some(switch) = sabotage {
        world.daemon.home.set_env("LONGHAUL_SABOTAGE", switch);
    }
    world
        .daemon
        .env_once("LD_PRELOAD", &library.display().to_string())
        .env_once("LAST_SYNCED_OF", &home.display().to_string())
        .env_once("LAST_SYNCED_IN", &kept.display().to_string());
    world.daemon.spawn()?;
    until_count(&mut world, events).await?;
    world.kill_all()?;
    ensure!(
        kept.join("state.db").exists(),
        "the daemon never synced its database: is the model at work?"
    );
    for name in FILES {
        let (file, durable) = (home.join(name), kept.join(name));
        if file.exists() {
            std::fs::remove_file(&file)?;
        }
        if durable.exists() {
            std::fs::copy(&durable, &file)?;
        }
    }
    world.daemon.spawn()?;
    match world.drive(PATIENCE).await {
        Ok(Ended::Completed) => invariants::check(&world).await,
        Ok(Ended::DaemonGone) => Ok(vec![
            "after a power cut the daemon does not start".to_owned(),
        ]),
        Err(error) => Ok(vec![format!(
            "after a power cut the daemon cannot go on: {error:#}"
        )]),
    }
}

async fn until_count(world: &mut World, events: u64) -> anyhow::Result<()> {
    until(world, |witness| witness.count() as u64 >= events).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_loses_nothing_acknowledged() {
    let mut chance = Chance::new(settings::seed());
    let cuts = if settings::is_long() { 20 } else { 3 };
    for _ in 0..cuts {
        let events = 1 + chance.below(EVENTS);
        let complaints = cut_after(events, None).await.expect("the scenario runs");
        assert!(
            complaints.is_empty(),
            "after {events} events: {complaints:#?}"
        );
    }
}
