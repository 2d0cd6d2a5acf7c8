//! Caps hold: the work stops before it costs more, and the user decides.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use testkit::model_server::{Script, Turn, Usage};

use crate::support::{SOON, World, nano, open_review, shell, text};

/// One answer costs $0.20.
fn twenty_cents() -> Usage {
    Usage::of(0, 20_000)
}

async fn at_the_cap() -> Result<(World, String)> {
    let world = World::new().await?;
    let script = Script::new()
        .turn(shell("ls").say("One.").usage(twenty_cents()))
        .turn(shell("pwd").say("Two.").usage(twenty_cents()))
        .turn(Turn::text("Three.").usage(twenty_cents()));
    world.server.script("dear", script);
    let id = world.start("dear", &["--max-cost", "0.50"]).await?;
    let run = world.wait(&id, &["waiting"]).await?;
    assert_eq!(
        run["causes"].as_array().and_then(|c| c.first()),
        Some(&json!("budget")),
        "{run:#}"
    );
    assert_eq!(nano(&run["cost_usd"])?, 400_000_000);
    assert_eq!(nano(&run["budget"]["max_cost_usd"])?, 500_000_000);
    ensure!(nano(&run["budget"]["used_cost_usd"])? <= 500_000_000);
    assert_eq!(
        world.server.requests_of("dear").len(),
        2,
        "it stops before the call that would cross the cap"
    );
    assert_eq!(world.cli(&["wait", &id]).await?.code, 3);
    Ok((world, id))
}

#[tokio::test]
async fn more_continues() -> Result<()> {
    let (world, id) = at_the_cap().await?;
    let review = text(&world.review(&id, "budget").await?, "id")?;
    world
        .cli(&["answer", &review, "more", "--max-cost", "1.00"])
        .await?
        .ok()?;
    let run = world.completed(&id).await?;
    assert_eq!(nano(&run["cost_usd"])?, 600_000_000);
    assert_eq!(nano(&run["budget"]["max_cost_usd"])?, 1_000_000_000);
    let report = world.json(&["cost", "--by", "run"]).await?;
    assert_eq!(
        nano(&report["total"]["cost_usd"])?,
        600_000_000,
        "the ledger adds up"
    );
    Ok(())
}

#[tokio::test]
async fn end_ends_and_keeps_what_there_is() -> Result<()> {
    let (mut world, id) = at_the_cap().await?;
    // The question outlives a crash, and is not asked twice.
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    let review = text(&world.review(&id, "budget").await?, "id")?;
    world.cli(&["answer", &review, "end"]).await?.ok()?;
    let run = world.wait(&id, &["failed"]).await?;
    assert_eq!(
        (&run["cause"], &run["partial_result"]),
        (&"budget_ended".into(), &"Two.".into()),
        "{run:#}"
    );
    assert_eq!(world.cli(&["wait", &id]).await?.code, 5);
    assert_eq!(world.server.requests_of("dear").len(), 2);
    assert_eq!(run["reviews"], json!([]));
    Ok(())
}

#[tokio::test]
async fn answers_are_cut_to_what_is_left() -> Result<()> {
    let world = World::new().await?;
    world
        .server
        .script("hi", Script::new().turn(Turn::text("Hello.")));
    let id = world.start("hi", &["--max-cost", "0.10"]).await?;
    world.completed(&id).await?;
    let asked = world.last_request("hi")?.body["max_tokens"]
        .as_i64()
        .context("max_tokens")?;
    ensure!(
        asked <= 10_000,
        "{asked} answer tokens could cost more than the cap"
    );
    ensure!(asked >= 500, "{asked}");
    Ok(())
}

#[tokio::test]
async fn tool_calls_are_capped() -> Result<()> {
    let world = World::new().await?;
    let effects = world.effects();
    let mut script = Script::new();
    for n in 0..4 {
        script = script.turn(shell(&effects.shell(&format!("call-{n}"))));
    }
    world.server.script("calls", script);
    let id = world
        .start("calls", &["--policy", "hands-off", "--max-tool-calls", "3"])
        .await?;
    world.review(&id, "budget").await?;
    let run = world.wait(&id, &["waiting"]).await?;
    assert_eq!(run["cause"], "budget");
    assert_eq!(effects.entries()?.len(), 3, "three were allowed");
    let review = text(&open_review(&run, "budget").context("a review")?, "id")?;
    world.cli(&["answer", &review, "more"]).await?.ok()?;
    world.completed(&id).await?;
    assert_eq!(effects.entries()?.len(), 4);
    effects.nothing_twice()
}

#[tokio::test]
async fn parallel_calls_do_not_slip_past_the_cap() -> Result<()> {
    let world = World::new().await?;
    let effects = world.effects();
    let call = |n: u32| json!({"command": effects.shell(&format!("call-{n}"))});
    let burst = (0..4).fold(Turn::new(), |turn, n| turn.tool("shell", call(n)));
    world.server.script("burst", Script::new().turn(burst));
    let id = world
        .start("burst", &["--policy", "hands-off", "--max-tool-calls", "2"])
        .await?;
    let review = text(&world.review(&id, "budget").await?, "id")?;
    world.wait(&id, &["waiting"]).await?;
    ensure!(effects.entries()?.len() <= 2, "{:?}", effects.entries()?);
    world.cli(&["answer", &review, "end"]).await?.ok()?;
    world.wait(&id, &["failed"]).await?;
    ensure!(effects.entries()?.len() <= 2, "{:?}", effects.entries()?);
    Ok(())
}

#[tokio::test]
async fn near_the_cap_the_model_is_told_to_wrap_up() -> Result<()> {
    let world = World::new().await?;
    let script = Script::new()
        .turn(shell("ls").usage(Usage::of(90_000, 2_000)))
        .turn(Turn::text("I stop here; the rest is open.").usage(Usage::of(1_000, 50)));
    world.server.script("wrap", script);
    let id = world.start("wrap", &["--max-tokens", "100000"]).await?;
    let run = world.completed(&id).await?;
    ensure!(
        world.said_to_model("wrap").contains("Wrap up now"),
        "{}",
        world.said_to_model("wrap")
    );
    assert_eq!(run["budget"]["used_tokens"].as_f64(), Some(93_050.0));
    Ok(())
}

#[tokio::test]
async fn time_is_capped_and_waiting_is_free() -> Result<()> {
    let world = World::new().await?;
    let script = Script::new()
        .turn(shell("touch a.key"))
        .turn(shell("sleep 5; touch b.key"))
        .turn(Turn::text("Done."));
    world.server.script("slow", script);
    let id = world.start("slow", &["--max-duration", "4s"]).await?;
    let waits = |run: &serde_json::Value| {
        open_review(run, "tool_call").is_some() && run["state"] == "waiting"
    };
    let run = world.daemon.wait_shown(&id, SOON, waits).await?;
    assert_eq!(
        run["cause"], "review",
        "waiting for a person costs no time: {run:#}"
    );
    let first = text(&open_review(&run, "tool_call").context("a review")?, "id")?;
    world.cli(&["approve", &first]).await?.ok()?;
    let second = |run: &serde_json::Value| {
        open_review(run, "tool_call").is_some_and(|r| r["id"] != first.as_str())
    };
    let run = world.daemon.wait_shown(&id, SOON, second).await?;
    world
        .cli(&[
            "approve",
            &text(&open_review(&run, "tool_call").context("a review")?, "id")?,
        ])
        .await?
        .ok()?;
    let review = world.review(&id, "budget").await?;
    ensure!(text(&review, "title")?.contains("time"), "{review:#}");
    Ok(())
}
