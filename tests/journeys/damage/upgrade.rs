//! Programs and daemons of different versions meet.

use std::fs;

use anyhow::{Context as _, Result};
use client::Client;
use domain::{BackendKind, Preset};
use protocol::{BackendAdd, KeySource, RunRequest};
use testkit::{ModelServer, SampleProject, TestDaemon};

use crate::support::{MODEL, QUICK, SOON, World, home, one_command};

/// A world whose daemon says that it is of another version.
async fn world(version: &str) -> Result<World> {
    let home = home(QUICK)?;
    let server = ModelServer::start().await?;
    let project = SampleProject::calc(home.place("calc"))?;
    let mut daemon = TestDaemon::stopped(home);
    daemon.env_once("LONGHAUL_SABOTAGE", version);
    daemon.launch().await?;
    Ok(World {
        daemon,
        server,
        project,
    })
}

/// Who answers: version and process. Asks without comparing versions.
async fn who(world: &World) -> Result<(String, i64)> {
    let status = world.json(&["daemon", "status"]).await?;
    let version = status["version"].as_str().context("a version")?;
    Ok((version.to_owned(), status["pid"].as_i64().context("a pid")?))
}

/// Starts a run as a program of the daemon's own version does.
async fn start(world: &World, script: &str) -> Result<String> {
    let status = world.json(&["daemon", "status"]).await?;
    let client = Client::connect(status["socket"].as_str().context("a socket")?);
    let backend = BackendAdd {
        name: "model".to_owned(),
        kind: BackendKind::Anthropic,
        base_url: Some(world.server.url()),
        model: Some(MODEL.to_owned()),
        command: None,
        free: false,
        key: Some(KeySource::Env {
            var: "LH_TEST_KEY".to_owned(),
        }),
    };
    client.backend_add(backend).await?;
    let run = RunRequest {
        prompt: format!("Please do it. [[script:{script}]]"),
        project: world.project.path().display().to_string(),
        backend: None,
        model: None,
        verify: None,
        workspace: None,
        policy: Some(Preset::HandsOff),
        max_cost_usd: None,
        max_tokens: None,
        max_tool_calls: None,
        max_duration_s: None,
        after: None,
        fallback: Vec::new(),
        priority: 0,
    };
    Ok(client.start_run(run).await?.id.to_string())
}

#[tokio::test]
async fn a_newer_program_takes_over_and_the_same_run_goes_on() -> Result<()> {
    let mut world = world("older_version").await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let command = format!(
        "{}; while [ ! -e {} ]; do sleep 0.05; done; echo all-is-well",
        effects.shell("begun"),
        go.display()
    );
    world.server.script("long", one_command(&command));
    let id = start(&world, "long").await?;
    effects.wait_for("begun", 1, SOON).await?;
    let (old, first) = who(&world).await?;
    assert_eq!(old, "0.0.1");

    world.json(&["runs"]).await?;
    let (new, second) = who(&world).await?;
    assert_eq!(new, env!("CARGO_PKG_VERSION"));
    assert_ne!(first, second);
    let ended = world.daemon.wait_exit(SOON).await?;
    assert!(ended.success(), "{ended}: {}", world.daemon.log());

    fs::write(&go, "")?;
    world.completed(&id).await?;
    effects.at_most_once("begun")?;
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_under_way_is_finished_first() -> Result<()> {
    let world = world("older_version").await?;
    world.server.script("long", one_command("echo done"));
    let gate = world.server.hold("long", 0);
    let id = start(&world, "long").await?;
    gate.arrived(SOON).await?;
    let (asked, ()) = tokio::join!(world.json(&["runs"]), async {
        // The older one is on its way out now, and waits for this.
        while who(&world)
            .await
            .is_ok_and(|(version, _)| version == "0.0.1")
        {
            let mode = world.json(&["daemon", "status"]).await;
            if mode.is_ok_and(|status| status["mode"] == "draining") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        gate.release();
    });
    asked?;
    world.completed(&id).await?;
    let turns: Vec<usize> = world
        .server
        .requests_of("long")
        .iter()
        .map(|request| request.turn)
        .collect();
    assert_eq!(turns, [0, 1], "no call was made twice");
    Ok(())
}

#[tokio::test]
async fn an_older_program_leaves_a_newer_daemon_alone() -> Result<()> {
    let world = world("newer_version").await?;
    let before = who(&world).await?;
    world.json(&["runs"]).await?;
    assert_eq!(who(&world).await?, before);
    Ok(())
}
