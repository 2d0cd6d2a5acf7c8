//! Reviews nobody answers in time, over the real binaries.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::support::{SOON, World, one_command, text};

const EXPIRING: &str = "review_expires_s = 1\n";

/// Starts the daemon again under which nothing expires, and resumes the run.
async fn resume_in_peace(world: &mut World, run: &str) -> Result<Value> {
    world.daemon.terminate().await?;
    let config = world.daemon.home.path().join("config.toml");
    let written = std::fs::read_to_string(&config)?;
    std::fs::write(&config, written.replace(EXPIRING, ""))?;
    world.daemon.launch().await?;
    let shown = world.json(&["show", run]).await?;
    assert_eq!(shown["state"], "interrupted", "a start asks nobody again");
    world.json(&["resume", run]).await?;
    world.review(run, "tool_call").await
}

#[tokio::test]
async fn a_review_nobody_answers_stops_its_run_and_is_asked_again() -> Result<()> {
    let mut world = World::with(EXPIRING).await?;
    let command = world.effects().shell("deploy");
    world.server.script("deploy", one_command(&command));
    let run = world.start("deploy", &[]).await?;
    let shown = world.wait(&run, &["interrupted"]).await?;
    assert_eq!(shown["cause"], "unanswered");
    assert_eq!(world.json(&["reviews"]).await?["reviews"], json!([]));
    let all = world.json(&["reviews", "--status", "all"]).await?;
    let review = all["reviews"][0].clone();
    assert_eq!(
        (&review["state"], &review["answer"]),
        (&json!("expired"), &Value::Null)
    );
    let id = text(&review, "id")?;
    let late = world.cli(&["approve", &id]).await?;
    ensure!(
        late.code != 0 && late.stderr.contains("asked again when the run is resumed"),
        "{late:?}"
    );
    let said = world
        .cli(&["reviews", "--status", "all"])
        .await?
        .ok()?
        .stdout;
    ensure!(said.contains("nothing was approved or refused"), "{said}");
    let said = world.cli(&["logs", &run]).await?.ok()?.stdout;
    ensure!(
        said.contains("review expired: nobody answered within 1s"),
        "{said}"
    );

    let again = resume_in_peace(&mut world, &run).await?;
    assert_eq!(text(&again, "id")?, id, "the very same question");
    ensure!(again.get("expires_at").is_none(), "{again:#}");
    world.cli(&["approve", &id]).await?.ok()?;
    world.completed(&run).await?;
    assert_eq!(world.effects().count("deploy")?, 1);
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_dies_while_a_review_expires_lets_it_expire_once() -> Result<()> {
    for point in ["engine.before_expiry", "engine.expired"] {
        let mut world = World::with(EXPIRING).await?;
        let command = world.effects().shell("deploy");
        world.server.script("deploy", one_command(&command));
        world.daemon.terminate().await?;
        world.daemon.env_once("LONGHAUL_CRASH_AT", point);
        world.daemon.launch().await?;
        let run = world.start("deploy", &[]).await?;
        world.daemon.wait_exit(SOON).await?;
        world.daemon.launch().await?;
        let shown = world.wait(&run, &["interrupted"]).await?;
        assert_eq!(shown["cause"], "unanswered", "{point}");
        let log = world.cli(&["logs", &run, "--json"]).await?.ok()?.stdout;
        let kinds = log.lines().map(serde_json::from_str::<Value>);
        let kinds: Vec<Value> = kinds.collect::<Result<_, _>>()?;
        let expired = kinds
            .iter()
            .filter(|e| e["event"]["kind"] == "review_expired");
        assert_eq!(expired.count(), 1, "{point}");
        let again = resume_in_peace(&mut world, &run).await.context(point)?;
        world.cli(&["reject", &text(&again, "id")?]).await?.ok()?;
        world.completed(&run).await?;
        assert_eq!(world.effects().count("deploy")?, 0, "{point}");
    }
    Ok(())
}
