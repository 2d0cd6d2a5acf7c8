//! A power cut in the middle of a command: a person decides what became of it.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::Value;
use testkit::EffectLedger;

use crate::support::{SOON, World, one_command, op, text};

/// A world after a power cut that hit a command with its effect done and its end not
/// reported; its run and the review about it.
async fn after_power_cut() -> Result<(World, String, Value, EffectLedger)> {
    let mut world = World::new().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let command = format!(
        "echo half-way-there; {}; [ -e {} ] || sleep 600; echo the-end",
        effects.shell("pay"),
        go.display()
    );
    world.server.script("pay", one_command(&command));
    let id = world.start("pay", &["--policy", "hands-off"]).await?;
    effects.wait_for("pay", 1, SOON).await?;
    world.daemon.kill9_all()?;
    fs::write(&go, "")?;
    world.daemon.launch().await?;
    let review = world.review(&id, "in_doubt").await?;
    Ok((world, id, review, effects))
}

async fn answered(choice: &str) -> Result<(World, Value, String, EffectLedger)> {
    let (world, id, review, effects) = after_power_cut().await?;
    let shown = text(&review, "detail")?;
    ensure!(
        shown.contains("half-way-there"),
        "the evidence is shown: {review:#}"
    );
    let run = world.wait(&id, &["waiting"]).await?;
    assert_eq!(run["cause"], "review", "it is not done again by itself");
    effects.at_most_once("pay")?;
    let review = text(&review, "id")?;
    world
        .json(&["answer", &review, choice, "--note", "I looked."])
        .await?;
    let run = world.completed(&id).await?;
    let told = world.said_to_model("pay");
    Ok((world, run, told, effects))
}

#[tokio::test]
async fn happened_is_believed() -> Result<()> {
    let (_world, run, told, effects) = answered("happened").await?;
    effects.at_most_once("pay")?;
    ensure!(
        told.contains("did happen") && told.contains("I looked."),
        "{told}"
    );
    assert_eq!(op(&run, "shell")?["state"], "finished", "{run:#}");
    Ok(())
}

#[tokio::test]
async fn again_runs_it_a_second_time() -> Result<()> {
    let (_world, run, told, effects) = answered("again").await?;
    assert_eq!(effects.count("pay")?, 2);
    ensure!(told.contains("the-end"), "{told}");
    assert_eq!(op(&run, "shell")?["outcome"], "ok");
    Ok(())
}

#[tokio::test]
async fn skip_leaves_it_and_tells_the_model() -> Result<()> {
    let (_world, _run, told, effects) = answered("skip").await?;
    effects.at_most_once("pay")?;
    ensure!(
        told.contains("outcome is unknown") && told.contains("I looked."),
        "{told}"
    );
    Ok(())
}

#[tokio::test]
async fn the_question_outlives_another_crash_and_takes_no_other_answer() -> Result<()> {
    let (mut world, id, review, effects) = after_power_cut().await?;
    let review = text(&review, "id")?;
    let wrong = world.cli(&["approve", &review, "--json"]).await?;
    assert_eq!(wrong.code, 2, "{wrong:?}");
    ensure!(
        wrong.json()["error"]["message"]
            .to_string()
            .contains("happened"),
        "it names the choices: {wrong:?}"
    );
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    let again = world.review(&id, "in_doubt").await?;
    assert_eq!(
        text(&again, "id")?,
        review,
        "the same question, not another one"
    );
    world.json(&["answer", &review, "skip"]).await?;
    world.completed(&id).await?;
    effects.at_most_once("pay")
}

#[tokio::test]
async fn a_killed_keeper_is_noticed_while_the_daemon_lives() -> Result<()> {
    let world = World::new().await?;
    let effects = world.effects();
    world.server.script(
        "pay",
        one_command(&format!("{}; sleep 600", effects.shell("pay"))),
    );
    let id = world.start("pay", &["--policy", "hands-off"]).await?;
    effects.wait_for("pay", 1, SOON).await?;
    world
        .daemon
        .home
        .keepers()
        .iter()
        .for_each(|process| process.kill());
    let review = world.review(&id, "in_doubt").await?;
    world
        .json(&["answer", &text(&review, "id")?, "happened"])
        .await?;
    world.completed(&id).await?;
    effects.at_most_once("pay")
}
