//! Named buckets: commands that keep to how often something outside may be called.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::support::{SOON, World, text};

async fn bucket(world: &World, name: &str) -> Result<Value> {
    let limits = world.json(&["limits"]).await?;
    let all = limits["buckets"].as_array().context("buckets")?;
    let found = all.iter().find(|bucket| bucket["name"] == name).cloned();
    found.context("the bucket")
}

/// Runs a command in a bucket, waiting a second at most; its exit code.
async fn throttled(world: &World, name: &str, effect: &str) -> Result<i32> {
    let command = world.effects().shell(effect);
    let args = [
        "throttle",
        name,
        "--max-wait",
        "1s",
        "--",
        "sh",
        "-c",
        &command,
    ];
    Ok(world.cli(&args).await?.code)
}

#[tokio::test]
async fn no_day_has_more_calls_than_it_may_whoever_dies() -> Result<()> {
    let mut world = World::new().await?;
    let made = world
        .json(&["limits", "set", "api", "--per-day", "4"])
        .await?;
    assert_eq!(
        (&made["per_day"], &made["used_day"]),
        (&json!(4), &json!(0))
    );
    for n in 1..=2 {
        assert_eq!(throttled(&world, "api", "call").await?, 0);
        assert_eq!(world.effects().count("call")?, n);
        world.daemon.kill9()?;
        world.daemon.launch().await?;
        assert_eq!(bucket(&world, "api").await?["used_day"], json!(n));
    }
    // It dies when the call is counted and nobody was told: counted it is, and not made.
    world.daemon.terminate().await?;
    world
        .daemon
        .env_once("LONGHAUL_CRASH_AT", "buckets.counted");
    world.daemon.launch().await?;
    ensure!(throttled(&world, "api", "call").await? != 0);
    world.daemon.wait_exit(SOON).await?;
    world.daemon.launch().await?;
    assert_eq!(world.effects().count("call")?, 2);
    assert_eq!(bucket(&world, "api").await?["used_day"], json!(3));
    // Many at once: one gets the last, the others are told, and run nothing.
    let one = || throttled(&world, "api", "call");
    let codes = tokio::try_join!(one(), one(), one(), one(), one(), one())?;
    let codes: [i32; 6] = codes.into();
    assert_eq!(
        codes.iter().filter(|code| **code == 0).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(
        codes.iter().filter(|code| **code == 7).count(),
        5,
        "{codes:?}"
    );
    assert_eq!(world.effects().count("call")?, 3);
    let said = world.cli(&["limits"]).await?.ok()?.stdout;
    ensure!(
        said.contains("4 of 4") && said.contains("4 calls a day are used"),
        "{said}"
    );
    // Other caps do not forget what was used.
    world
        .json(&["limits", "set", "api", "--per-day", "5"])
        .await?;
    assert_eq!(throttled(&world, "api", "call").await?, 0);
    assert_eq!(throttled(&world, "api", "call").await?, 7);
    Ok(())
}

#[tokio::test]
async fn a_command_waits_for_room_and_is_what_was_asked_for() -> Result<()> {
    let world = World::new().await?;
    let none = world.cli(&["throttle", "none", "--", "true"]).await?;
    assert_eq!(none.code, 6, "{none:?}");
    let nothing = world.cli(&["limits", "set", "api"]).await?;
    assert_eq!(nothing.code, 2, "{nothing:?}");
    world
        .json(&["limits", "set", "api", "--per-minute", "2"])
        .await?;
    let exits = ["throttle", "api", "--", "sh", "-c", "exit 3"];
    assert_eq!(world.cli(&exits).await?.code, 3);
    let says = ["throttle", "api", "--", "echo", "--", "$HOME"];
    assert_eq!(world.cli(&says).await?.stdout, "-- $HOME\n");
    let full = world
        .cli(&["throttle", "api", "--max-wait", "1s", "--", "true"])
        .await?;
    ensure!(
        full.code == 7 && full.stderr.contains("2 calls a minute are used"),
        "{full:?}"
    );
    // Somebody allows more while one waits: it goes on by itself.
    let args = ["throttle", "api", "--", "echo", "went"];
    let waits = world.cli(&args);
    let allows = async {
        while bucket(&world, "api").await?["waiting"] != json!(1) {}
        world
            .json(&["limits", "set", "api", "--per-minute", "10"])
            .await
    };
    let (went, allowed) = tokio::join!(waits, allows);
    allowed?;
    let went = went?.ok()?;
    assert_eq!(went.stdout, "went\n");
    ensure!(went.stderr.contains("waiting for 'api'"), "{}", went.stderr);
    Ok(())
}

#[tokio::test]
async fn what_is_set_aside_for_a_project_is_its_alone() -> Result<()> {
    let world = World::new().await?;
    world
        .json(&["limits", "set", "api", "--per-day", "3"])
        .await?;
    let here = world.daemon.home.user_home().display().to_string();
    let aside = ["limits", "set", "api", "--for", &here, "--per-day"];
    let too_much = world.cli(&[&aside[..], &["4"]].concat()).await?;
    assert_eq!(too_much.code, 2, "{too_much:?}");
    let other = world.daemon.home.place("other");
    std::fs::create_dir_all(&other)?;
    let other = other.display().to_string();
    let made = world
        .json(&["limits", "set", "api", "--for", &other, "--per-day", "2"])
        .await?;
    assert_eq!(text(&made["shares"][0], "project")?, other);
    assert_eq!(throttled(&world, "api", "call").await?, 0);
    assert_eq!(
        throttled(&world, "api", "call").await?,
        7,
        "the rest is the other's"
    );
    world
        .json(&["limits", "remove", "api", "--for", &other])
        .await?;
    assert_eq!(throttled(&world, "api", "call").await?, 0);
    let left = world.json(&["limits", "remove", "api"]).await?;
    assert_eq!(left["buckets"], json!([]));
    assert_eq!(throttled(&world, "api", "call").await?, 6);
    Ok(())
}
