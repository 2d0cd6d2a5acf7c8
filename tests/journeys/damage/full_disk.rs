//! The disk fills up in the middle of a run.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testkit::{
    ModelServer, SampleProject, TestDaemon, TestHome,
    model_server::{Script, Turn},
};

use crate::support::{QUICK, SOON, World, home, text};

/// A small disk in the place of a home: a run starts where there are 200 MiB. Dropped
/// before the home is.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where nothing may be mounted.
    fn below(home: &TestHome) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=260m,mode=700", "tmpfs"])
            .arg(home.path())
            .status()
            .is_ok_and(|status| status.success());
        mounted.then(|| Self(home.path()))
    }

    /// Fills it to the last byte.
    fn fill(&self) -> Result<()> {
        let mut ballast = fs::File::create(self.0.join("ballast"))?;
        for size in [1 << 20, 1 << 12, 1] {
            while ballast.write_all(&vec![7; size]).is_ok() {}
        }
        Ok(())
    }

    fn make_room(&self) -> Result<()> {
        Ok(fs::remove_file(self.0.join("ballast"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: what still runs on it is killed with its home.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Text that neither fits into what is left of a page nor compresses.
fn noise(len: usize) -> String {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes.iter().map(|b| char::from(b'!' + b % 90)).collect()
}

async fn world(home: TestHome) -> Result<World> {
    home.configure(QUICK)?;
    let server = ModelServer::start().await?;
    let project = SampleProject::calc(home.place("calc"))?;
    let daemon = TestDaemon::start(home).await?;
    let world = World {
        daemon,
        server,
        project,
    };
    world.add_backend("model", "LH_TEST_KEY").await?;
    Ok(world)
}

async fn journal(world: &World, run: &str) -> Result<Vec<Value>> {
    let logs = world.cli(&["logs", run, "--json"]).await?.ok()?.stdout;
    let lines = logs.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<Vec<Value>, _>>()?)
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_the_run_goes_on_when_there_is_space() -> Result<()> {
    let home = home(QUICK)?;
    let Some(disk) = SmallDisk::below(&home) else {
        eprintln!("SKIPPED: a small disk could not be mounted, so a full one was not tested");
        return Ok(());
    };
    let (world, disk) = (world(home).await?, disk); // unmounted before the home is removed
    let write = Turn::new().tool("write", json!({"path": "new.txt", "content": "written\n"}));
    let script = Script::new()
        .turn(write)
        .turn(Turn::text(noise(900_000)).tool("read", json!({"path": "new.txt"})))
        .turn(Turn::text("All is well."));
    world.server.script("long", script);
    let gate = world.server.hold("long", 1);
    let id = world.start("long", &["--policy", "hands-off"]).await?;
    gate.arrived(SOON).await?;
    let before = journal(&world, &id).await?;
    disk.fill()?;
    gate.release();

    let waits = "the disk is full; the run waits for space";
    let deadline = tokio::time::Instant::now() + SOON;
    while !program_log(&world.daemon.home.path()).contains(waits) {
        let shown = world.daemon.show(&id).await?;
        ensure!(
            shown["state"] == "running" && tokio::time::Instant::now() < deadline,
            "{shown:#}\n{}",
            program_log(&world.daemon.home.path())
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let status = world.json(&["daemon", "status"]).await?;
    assert_eq!(status["mode"], "normal");
    ensure!(text(&status, "trouble")?.contains("is full"), "{status:#}");
    let doctor = world.cli(&["doctor"]).await?;
    ensure!(
        doctor.code == 1 && doctor.stdout.contains("is full"),
        "{doctor:?}"
    );
    let refused = world.run("long", &["--detach", "--json"]).await?;
    let error = &refused.json()["error"];
    ensure!(
        refused.code != 0 && text(error, "message")?.contains("disk is full"),
        "what cannot be recorded is not taken: {refused:?}"
    );
    ensure!(text(error, "hint")?.contains("free some space"));
    let now = journal(&world, &id).await?;
    assert_eq!(now[..before.len()], before[..], "what was acknowledged");

    disk.make_room()?;
    let run = world.completed(&id).await?;
    assert_eq!(run["result"], "All is well.", "{run:#}");
    let after = journal(&world, &id).await?;
    assert_eq!(after[..before.len()], before[..], "what was acknowledged");
    let runs = world.json(&["runs"]).await?;
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1), "{runs:#}");
    let doctor = world.cli(&["doctor"]).await?;
    ensure!(doctor.code == 0, "{doctor:?}");
    Ok(())
}

/// What the daemon wrote into its own log.
fn program_log(home: &Path) -> String {
    let files = fs::read_dir(home.join("logs"))
        .into_iter()
        .flatten()
        .flatten();
    files
        .filter_map(|file| fs::read_to_string(file.path()).ok())
        .collect()
}
