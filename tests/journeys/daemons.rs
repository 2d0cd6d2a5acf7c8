//! One daemon a home: started when needed, found by everybody, never twice.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testkit::TestDaemon;

use crate::support::{QUICK, SOON, home, text};

#[tokio::test]
async fn a_command_starts_the_daemon_when_there_is_none() -> Result<()> {
    let home = home(QUICK)?;
    let down = home.cli(&["daemon", "status", "--json"]).await?;
    assert_eq!(down.code, 4, "{down:?}");
    assert_eq!(down.json()["error"]["code"], "unreachable");
    home.cli(&["runs"]).await?.ok()?;
    let status = home
        .cli(&["daemon", "status", "--json"])
        .await?
        .ok()?
        .json();
    for field in [
        "pid", "version", "home", "socket", "uptime_s", "mode", "slots", "runs",
    ] {
        ensure!(status.get(field).is_some(), "no {field}: {status:#}");
    }
    assert_eq!(
        (&status["mode"], &status["slots"]),
        (&"normal".into(), &4.into())
    );
    ensure!(text(&status, "socket")?.len() < 108);
    home.cli(&["daemon", "start"]).await?.ok()?;
    let again = home
        .cli(&["daemon", "status", "--json"])
        .await?
        .ok()?
        .json();
    assert_eq!(
        again["pid"], status["pid"],
        "start finds the one that is there"
    );
    home.cli(&["daemon", "stop"]).await?.ok()?;
    assert_eq!(home.cli(&["daemon", "status"]).await?.code, 4);
    Ok(())
}

#[tokio::test]
async fn many_commands_at_once_start_one_daemon() -> Result<()> {
    let home = home(QUICK)?;
    let list = || home.cli(&["runs", "--json"]);
    let (a, b, c, d) = tokio::join!(list(), list(), list(), list());
    for out in [a, b, c, d] {
        out?.ok()?;
    }
    let status = home
        .cli(&["daemon", "status", "--json"])
        .await?
        .ok()?
        .json();
    let pid = status["pid"].as_i64().context("a pid")?;
    // Those that came too late wait a while for the home, and give up.
    let deadline = tokio::time::Instant::now() + SOON;
    while home.processes().len() > 1 {
        let left = home.processes();
        ensure!(
            tokio::time::Instant::now() < deadline,
            "more than one: {left:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let now = home
        .cli(&["daemon", "status", "--json"])
        .await?
        .ok()?
        .json();
    assert_eq!(now["pid"].as_i64(), Some(pid));
    Ok(())
}

#[tokio::test]
async fn a_second_daemon_on_the_same_home_is_refused_with_words() -> Result<()> {
    let daemon = TestDaemon::start(home(QUICK)?).await?;
    let second = daemon
        .home
        .cli_within(&["daemon", "run"], None, Duration::from_secs(30))
        .await?;
    ensure!(second.code != 0, "{second:?}");
    ensure!(
        second.stderr.contains(&daemon.pid().to_string()) || second.stderr.contains("already"),
        "{second:?}"
    );
    let status = daemon
        .cli(&["daemon", "status", "--json"])
        .await?
        .ok()?
        .json();
    assert_eq!(status["pid"], daemon.pid(), "the first one is unharmed");
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_was_killed_is_followed_by_another() -> Result<()> {
    let mut daemon = TestDaemon::start(home(QUICK)?).await?;
    let first = daemon.pid();
    daemon.kill9()?;
    // Its socket is still there, and nobody answers it.
    daemon.cli(&["runs"]).await?.ok()?;
    let status = daemon
        .cli(&["daemon", "status", "--json"])
        .await?
        .ok()?
        .json();
    ensure!(status["pid"] != first);
    Ok(())
}

#[tokio::test]
async fn sigterm_ends_it_in_good_order() -> Result<()> {
    let mut daemon = TestDaemon::start(home(QUICK)?).await?;
    let status = daemon.terminate().await?;
    ensure!(status.success(), "{status}: {}", daemon.log());
    daemon.launch().await?;
    let report = daemon.cli(&["doctor", "--json"]).await?.ok()?.json();
    assert_eq!(report["ok"], true, "{report:#}");
    Ok(())
}

#[tokio::test]
async fn a_wrong_setting_is_named() -> Result<()> {
    let home = home("slots = \"many\"\n")?;
    let out = home
        .cli_within(&["daemon", "run"], None, Duration::from_secs(30))
        .await?;
    ensure!(out.code != 0, "{out:?}");
    ensure!(
        out.stderr.contains("config.toml") && out.stderr.contains("slots"),
        "{out:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_backup_can_be_put_back() -> Result<()> {
    let daemon = TestDaemon::start(home(QUICK)?).await?;
    let add = [
        "backend",
        "add",
        "kept",
        "--kind",
        "anthropic",
        "--key-env",
        "LH_TEST_KEY",
    ];
    daemon.cli(&add).await?.ok()?;
    let file = daemon.home.place("copy.db").display().to_string();
    daemon.cli(&["backup", &file]).await?.ok()?;
    daemon.cli(&["backend", "remove", "kept"]).await?.ok()?;
    let wrong = daemon.home.place("wrong.db").display().to_string();
    std::fs::write(&wrong, "no database")?;
    let refused = daemon.cli(&["restore", &wrong, "--json"]).await?;
    assert_eq!(refused.code, 2, "{refused:?}");
    daemon.cli(&["restore", &file]).await?.ok()?;
    let list = daemon
        .cli(&["backend", "list", "--json"])
        .await?
        .ok()?
        .json();
    assert_eq!(list["backends"][0]["name"], "kept", "{list:#}");
    Ok(())
}
