//! What was spent: to the nano-dollar, and never invented.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::model_server::{Script, Turn, Usage};

use crate::support::{KEY, World, nano, one_command, text};

/// A run of one answer with this usage by this model; what it cost.
async fn cost_of(world: &World, name: &str, model: &str, usage: Usage) -> Result<(String, i64)> {
    let answer = Turn::text("Done.").usage(usage);
    world.server.script(name, Script::new().turn(answer));
    let id = world
        .start(name, &["--model", model, "--max-cost", "50"])
        .await?;
    let run = world.completed(&id).await?;
    let script = name.to_owned();
    let billed = world.server.ledger().totals_of(|row| row.script == script);
    let shown = &run["usage"];
    assert_eq!(
        (
            shown["input"].as_u64(),
            shown["output"].as_u64(),
            shown["cache_read"].as_u64(),
            shown["cache_write"].as_u64()
        ),
        (
            Some(billed.input),
            Some(billed.output),
            Some(billed.cache_read),
            Some(billed.cache_write_5m + billed.cache_write_1h)
        ),
        "{name}"
    );
    Ok((id, nano(&run["cost_usd"])?))
}

#[tokio::test]
async fn every_kind_of_token_is_priced_as_the_vendor_does() -> Result<()> {
    let world = World::new().await?;
    let cached = Usage {
        cache_read: 10_000,
        cache_write_5m: 2_000,
        cache_write_1h: 3_000,
        ..Usage::of(500, 700)
    };
    let fast = Usage {
        speed: Some("fast".to_owned()),
        ..Usage::of(1_000, 50)
    };
    let in_us = Usage {
        inference_geo: Some("us".to_owned()),
        ..Usage::of(1_000, 50)
    };
    let parts = Usage {
        iterations: vec![
            json!({"type": "compaction", "input_tokens": 40_000, "output_tokens": 900, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}),
            json!({"type": "message", "input_tokens": 3_000, "output_tokens": 100, "cache_read_input_tokens": 5_000, "cache_creation_input_tokens": 0}),
        ],
        ..Usage::of(3_000, 100)
    };
    let cases = [
        (
            "ttl",
            "claude-sonnet-5-5",
            cached,
            500 * 2_000 + 700 * 10_000 + 10_000 * 100 + 2_000 * 2_500 + 3_000 * 4_000,
        ),
        (
            "below",
            "claude-haiku-5-5",
            Usage::of(100_000, 1_000),
            100_000 * 100 + 1_000 * 500,
        ),
        (
            "cliff",
            "claude-haiku-5-5",
            Usage::of(100_001, 1_000),
            100_001 * 500 + 1_000 * 2_500,
        ),
        ("fast", "claude-opus-5-5", fast, 1_000 * 8_000 + 50 * 40_000),
        (
            "geo",
            "claude-sonnet-5-5",
            in_us,
            (1_000 * 2_000 + 50 * 10_000) * 11 / 10,
        ),
        (
            "parts",
            "claude-sonnet-5-5",
            parts,
            43_000 * 2_000 + 1_000 * 10_000 + 5_000 * 100,
        ),
    ];
    let mut sum = 0;
    for (name, model, usage, expected) in cases {
        let (_, cost) = cost_of(&world, name, model, usage).await?;
        assert_eq!(cost, expected, "{name}");
        sum += expected;
    }
    for by in ["day", "model", "backend", "project", "run"] {
        let report = world.json(&["cost", "--by", by]).await?;
        let rows = report["rows"].as_array().context("rows")?;
        let added: i64 = rows
            .iter()
            .map(|row| nano(&row["cost_usd"]))
            .sum::<Result<_>>()?;
        assert_eq!(
            (added, nano(&report["total"]["cost_usd"])?),
            (sum, sum),
            "by {by}"
        );
    }
    let csv = world
        .cli(&["cost", "--by", "model", "--csv"])
        .await?
        .ok()?
        .stdout;
    assert_eq!(csv.lines().count(), 4, "{csv}");
    Ok(())
}

#[tokio::test]
async fn a_model_without_a_price_asks_first_and_is_never_shown_as_free() -> Result<()> {
    let world = World::new().await?;
    world
        .server
        .script("hi", Script::new().turn(Turn::text("Hello.")));
    let flags = ["--model", "scripted-nobody-knows", "--max-cost", "1"];
    let id = world.start("hi", &flags).await?;
    let review = world.review(&id, "budget").await?;
    ensure!(
        world.server.requests_of("hi").is_empty(),
        "it was asked before the user was"
    );
    let run = world.wait(&id, &["waiting"]).await?;
    assert_eq!(run["cause"], "budget");
    world
        .json(&["answer", &text(&review, "id")?, "more"])
        .await?;
    let run = world.completed(&id).await?;
    assert_eq!(
        (&run["unpriced_requests"], nano(&run["cost_usd"])?),
        (&json!(1), 0),
        "{run:#}"
    );
    let table = world.cli(&["cost", "--by", "run"]).await?.ok()?.stdout;
    ensure!(
        table.contains("unknown") && table.contains("1 unpriced"),
        "{table}"
    );
    Ok(())
}

#[tokio::test]
async fn a_backend_marked_free_costs_nothing_and_does_not_ask() -> Result<()> {
    let world = World::new().await?;
    world
        .server
        .script("hi", Script::new().turn(Turn::text("Hello.")));
    let url = world.server.url();
    let add = [
        "backend",
        "add",
        "local",
        "--kind",
        "anthropic",
        "--base-url",
        &url,
        "--model",
        "scripted-local",
        "--free",
    ];
    world.json(&add).await?;
    let id = world
        .start("hi", &["--backend", "local", "--max-cost", "0.01"])
        .await?;
    let run = world.completed(&id).await?;
    assert_eq!(
        (nano(&run["cost_usd"])?, run["unpriced_requests"].as_f64()),
        (0, Some(0.0))
    );
    assert_eq!(world.last_request("hi")?.key, "none");
    Ok(())
}

#[tokio::test]
async fn keys_are_neither_shown_to_the_model_nor_written_down() -> Result<()> {
    let world = World::new().await?;
    // The command puts the key together, so that it stands in no question and no script.
    let (head, tail) = KEY.split_at(9);
    let peek = format!("printf '%s%s\\n' {head} {tail}; env");
    world.server.script("peek", one_command(&peek));
    let id = world.start("peek", &["--policy", "hands-off"]).await?;
    world.completed(&id).await?;
    let told = world.said_to_model("peek");
    ensure!(told.contains("PATH="), "the command did not run: {told}");
    ensure!(!told.contains(KEY), "the model was told the key: {told}");
    let logs = world.cli(&["logs", &id, "--json"]).await?.ok()?.stdout;
    ensure!(!logs.contains(KEY), "the journal has the key: {logs}");
    // A command's raw output goes with its keeper's folder, a moment after its end.
    let keepers = world.daemon.home.path().join("keepers");
    empty(&keepers).await?;
    let found = std::process::Command::new("grep")
        .args(["-rl", "--binary-files=text", KEY])
        .arg(world.daemon.home.path())
        .output()?;
    let files = String::from_utf8_lossy(&found.stdout).into_owned();
    ensure!(files.is_empty(), "the key is in {files}");
    Ok(())
}

#[tokio::test]
async fn amounts_are_decimal_strings() -> Result<()> {
    let world = World::new().await?;
    world.server.script(
        "hi",
        Script::new().turn(Turn::text("Hello.").usage(Usage::of(1, 0))),
    );
    let id = world.start("hi", &[]).await?;
    let run = world.completed(&id).await?;
    assert_eq!(run["cost_usd"], Value::from("0.000002"));
    Ok(())
}

/// Waits until nothing is in a folder.
async fn empty(folder: &std::path::Path) -> Result<()> {
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        ensure!(
            tokio::time::Instant::now() < until,
            "{} is never empty",
            folder.display()
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Ok(())
}
