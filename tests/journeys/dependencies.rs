//! Runs that start after others.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::json;
use testkit::model_server::{Script, Turn};

use crate::support::{SOON, World, mend, text};

fn says(words: &str) -> Script {
    Script::new().turn(Turn::text(words))
}

async fn waits_for_another(world: &World, run: &str) -> Result<serde_json::Value> {
    let waits = |run: &serde_json::Value| run["causes"] == json!(["dependency"]);
    world.daemon.wait_shown(run, SOON, waits).await
}

#[tokio::test]
async fn a_chain_stops_where_a_run_fails_and_goes_on_when_that_run_does() -> Result<()> {
    let mut world = World::new().await?;
    for script in ["second", "third"] {
        world.server.script(script, says("Hello."));
    }
    // The first fails at its check until somebody mends the project's own folder.
    let go = world.daemon.home.place("go");
    let verify = format!("test -e {}", go.display());
    world.server.script(
        "first",
        (0..9).fold(Script::new(), |script, _| script.turn(Turn::text("Done."))),
    );
    let first = world.start("first", &["--verify", &verify]).await?;
    let second = world.start("second", &["--after", &first]).await?;
    let third = world.start("third", &["--after", &second]).await?;
    let review = world.review(&first, "verify_failed").await?;
    waits_for_another(&world, &second).await?;
    world
        .cli(&["answer", &text(&review, "id")?, "end"])
        .await?
        .ok()?;
    world.wait(&first, &["failed"]).await?;
    let asked = world.review(&second, "dependency").await?;
    ensure!(text(&asked, "title")?.contains("failed"), "{asked:#}");
    let shown = world.json(&["show", &second]).await?;
    ensure!(text(&shown, "detail")?.contains("is failed"), "{shown:#}");
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    assert_eq!(
        world.review(&second, "dependency").await?["id"],
        asked["id"]
    );
    let shown = waits_for_another(&world, &third).await?;
    assert_eq!(
        shown["reviews"],
        json!([]),
        "only the next in the chain asks"
    );
    ensure!(world.server.requests_of("second").is_empty());
    fs::write(&go, "")?;
    world.json(&["resume", &first]).await?;
    for run in [&first, &second, &third] {
        world.completed(run).await?;
    }
    ensure!(world.json(&["reviews"]).await?["reviews"] == json!([]));
    Ok(())
}

#[tokio::test]
async fn an_end_in_the_middle_of_a_chain_asks_the_next() -> Result<()> {
    let world = World::new().await?;
    for script in ["second", "third"] {
        world.server.script(script, says("Hello."));
    }
    world.server.script("first", mend());
    let gate = world.server.hold("first", 0);
    let first = world.start("first", &[]).await?;
    gate.arrived(SOON).await?;
    let second = world.start("second", &["--after", &first]).await?;
    let third = world.start("third", &["--after", &second]).await?;
    waits_for_another(&world, &third).await?;
    world.json(&["cancel", &first]).await?;
    world.json(&["discard", &first]).await?;
    let asked = world.review(&second, "dependency").await?;
    world
        .cli(&["answer", &text(&asked, "id")?, "end"])
        .await?
        .ok()?;
    let failed = world.wait(&second, &["failed"]).await?;
    assert_eq!(failed["cause"], "dependency");
    let asked = world.review(&third, "dependency").await?;
    world
        .cli(&["answer", &text(&asked, "id")?, "start"])
        .await?
        .ok()?;
    world.completed(&third).await?;
    Ok(())
}

#[tokio::test]
async fn a_run_after_one_whose_result_was_not_applied_says_so() -> Result<()> {
    let world = World::new().await?;
    world.server.script("first", mend());
    world.server.script("then", says("Hello."));
    let first = world.start("first", &["--policy", "hands-off"]).await?;
    world.completed(&first).await?;
    let then = world.start("then", &["--after", &first]).await?;
    world.completed(&then).await?;
    let words = world.cli(&["logs", &then]).await?.ok()?.stdout;
    ensure!(
        words.contains(&format!("longhaul apply {first}")),
        "{words}"
    );
    world.cli(&["apply", &first]).await?.ok()?;
    let after = world.start("then", &["--after", &first]).await?;
    world.completed(&after).await?;
    let words = world.cli(&["logs", &after]).await?.ok()?.stdout;
    ensure!(!words.contains("has not been applied"), "{words}");
    Ok(())
}

#[tokio::test]
async fn a_run_that_went_back_is_waited_for_again() -> Result<()> {
    let world = World::new().await?;
    world.server.script("first", mend());
    world.server.script("then", says("Hello."));
    let first = world.start("first", &["--policy", "hands-off"]).await?;
    world.completed(&first).await?;
    let before = world.start("then", &["--after", &first]).await?;
    world.completed(&before).await?;
    world.json(&["rollback", &first, "--to", "cp1"]).await?;
    let shown = world.json(&["show", &before]).await?;
    assert_eq!(
        shown["state"], "completed",
        "what came after it stays: {shown:#}"
    );
    let after = world.start("then", &["--after", &first]).await?;
    let shown = waits_for_another(&world, &after).await?;
    assert_eq!(shown["reviews"], json!([]), "it may still be completed");
    world.json(&["resume", &first]).await?;
    world.completed(&first).await?;
    world.completed(&after).await?;
    Ok(())
}
