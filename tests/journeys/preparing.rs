//! What comes into a workspace, and the command that makes it ready.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use testkit::{
    ModelServer, SampleProject, TestDaemon,
    model_server::{Script, Turn},
};

use crate::support::{QUICK, SOON, World, home, op};

/// A world whose project has these lines in `config.toml`.
async fn world(lines: &str) -> Result<World> {
    let home = home(QUICK)?;
    let project = SampleProject::calc(home.place("calc"))?;
    let section = format!(
        "{QUICK}\n[projects.\"{}\"]\n{lines}",
        project.path().display()
    );
    fs::write(home.path().join("config.toml"), section)?;
    let world = World {
        server: ModelServer::start().await?,
        daemon: TestDaemon::start(home).await?,
        project,
    };
    world.add_backend("model", "LH_TEST_KEY").await?;
    Ok(world)
}

impl World {
    fn files_of(&self, run: &str) -> PathBuf {
        self.daemon
            .home
            .path()
            .join("workspaces")
            .join(run)
            .join("work/calc")
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) -> Result<()> {
    let end = tokio::time::Instant::now() + SOON;
    while !holds() {
        ensure!(tokio::time::Instant::now() < end, "never: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_setup_command_outlives_the_daemon_and_is_not_begun_again() -> Result<()> {
    let command =
        "echo begun >> setup.log; until [ -e go ]; do sleep 0.05; done; cat .env >> setup.log";
    let lines = format!("setup = \"{command}\"\nbring = [\".env\"]\n");
    let mut world = world(&lines).await?;
    fs::write(world.project.path().join(".env"), "KEY=test-key-not-real\n")?;
    world
        .server
        .script("done", Script::new().after(Turn::text("Done.")));
    let id = world.start("done", &[]).await?;
    let files = world.files_of(&id);
    until("the command begins", || files.join("setup.log").exists()).await?;
    world.daemon.kill9()?;
    fs::write(files.join("go"), "")?;
    world.daemon.launch().await?;
    let run = world.completed(&id).await?;
    let log = fs::read_to_string(files.join("setup.log"))?;
    ensure!(log == "begun\nKEY=test-key-not-real\n", "{log:?}");
    ensure!(op(&run, "setup")?["outcome"] == "ok", "{run:#}");
    let diff = world.cli(&["diff", &id]).await?.ok()?.stdout;
    ensure!(
        diff.contains("setup.log") && !diff.contains("+++ b/.env"),
        "{diff}"
    );
    Ok(())
}

#[tokio::test]
async fn a_setup_that_fails_says_why_and_what_to_do() -> Result<()> {
    let world = world("setup = \"echo no such registry; exit 4\"\n").await?;
    world
        .server
        .script("done", Script::new().after(Turn::text("Done.")));
    let id = world.start("done", &[]).await?;
    let run = world.wait(&id, &["failed"]).await?;
    let shown = run.to_string();
    ensure!(shown.contains("no such registry"), "{run:#}");
    ensure!(
        run["cause"].as_str().context("cause")? == "workspace",
        "{run:#}"
    );
    Ok(())
}
