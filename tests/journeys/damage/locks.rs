//! Whoever else has the home, and the terminal that is closed.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, Signal, kill_process},
};
use testkit::{TestDaemon, TestHome};

use crate::support::{QUICK, home, text};

/// A lock on the home by a program that is no daemon: this one.
fn lock(home: &TestHome) -> Result<fs::File> {
    let file = fs::File::create(home.path().join("daemon.lock"))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

#[tokio::test]
async fn a_foreign_lock_of_some_seconds_is_waited_for() -> Result<()> {
    let home = home(QUICK)?;
    let foreign = lock(&home)?;
    let mut daemon = TestDaemon::stopped(home);
    let begun = std::time::Instant::now();
    let holder = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(4));
        drop(foreign);
    });
    daemon.launch().await?;
    ensure!(begun.elapsed() >= Duration::from_secs(4), "it did not wait");
    let status = daemon.cli(&["daemon", "status", "--json"]).await?.ok()?;
    assert_eq!(status.json()["mode"], "normal");
    ensure!(holder.join().is_ok());
    Ok(())
}

#[tokio::test]
async fn a_foreign_lock_for_ever_is_told_apart_from_a_daemon() -> Result<()> {
    let home = home(QUICK)?;
    let _foreign = lock(&home)?;
    let out = home.cli(&["runs", "--json"]).await?;
    assert_eq!(out.code, 4, "{out:?}");
    let message = text(&out.json()["error"], "message")?;
    ensure!(
        message.contains("another program keeps") && message.contains("daemon.lock"),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
async fn a_second_daemon_is_refused_at_once_and_told_who_the_first_is() -> Result<()> {
    let daemon = TestDaemon::start(home(QUICK)?).await?;
    let begun = std::time::Instant::now();
    let second = daemon.cli(&["daemon", "run"]).await?;
    ensure!(second.code != 0, "{second:?}");
    let named = format!("process {}", daemon.pid());
    ensure!(second.stderr.contains(&named), "{second:?}");
    ensure!(
        begun.elapsed() < Duration::from_secs(5),
        "it waited for one that stays"
    );
    Ok(())
}

#[tokio::test]
async fn a_closed_terminal_does_not_end_a_detached_daemon() -> Result<()> {
    let home = home(QUICK)?;
    home.cli(&["daemon", "start"]).await?.ok()?;
    let pid = async || -> Result<i64> {
        let status = home.cli(&["daemon", "status", "--json"]).await?.ok()?;
        status.json()["pid"].as_i64().context("a pid")
    };
    let daemon = pid().await?;
    let process = Pid::from_raw(i32::try_from(daemon)?).context("a pid")?;
    for _ in 0..3 {
        kill_process(process, Signal::HUP)?;
        assert_eq!(pid().await?, daemon);
    }
    home.cli(&["daemon", "stop"]).await?.ok()?;
    Ok(())
}
