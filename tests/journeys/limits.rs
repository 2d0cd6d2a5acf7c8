//! What the provider limits pauses the whole credential, and goes on by itself.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::model_server::{Fault, Outcome, Script, Turn};

use crate::support::{QUICK, SOON, World, mend, nano, shell};

/// Seconds the scripted provider asks to wait.
const RETRY_AFTER_S: u64 = 3;

#[tokio::test]
async fn one_429_holds_back_all_runs_of_the_credential() -> Result<()> {
    let world = World::with(
        &QUICK
            .replace("slots = 4", "slots = 8")
            .replace("release_spacing_ms = 50", "release_spacing_ms = 200"),
    )
    .await?;
    let look = Script::new().turn(shell("ls")).turn(Turn::text("Seen."));
    world.server.script("many", look.clone());
    let limit = Fault::RateLimit {
        retry_after_s: Some(RETRY_AFTER_S),
    };
    world.server.script(
        "limited",
        Script::new()
            .turn(shell("ls").fault(limit, 1))
            .turn(Turn::text("Seen.")),
    );

    // Seven runs are in the middle of a call when the eighth meets the limit.
    let gate = world.server.hold("many", 0);
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(world.start("many", &[]).await?);
    }
    gate.arrived_times(7, SOON).await?;
    ids.push(world.start("limited", &[]).await?);
    let records = world
        .server
        .wait_for(SOON, |all| {
            all.iter()
                .any(|r| matches!(r.outcome, Outcome::Error { status: 429, .. }))
        })
        .await?;
    let met = records
        .iter()
        .find(|r| r.script == "limited")
        .context("the limited call")?;
    let (reset_ms, before) = (met.at_ms + RETRY_AFTER_S * 1000, records.len());
    gate.release();

    for id in &ids {
        let waits = |run: &Value| run["cause"] == "rate_limit" || run["state"] == "completed";
        world.daemon.wait_shown(id, SOON, waits).await?;
    }
    let limits = world.json(&["limits"]).await?;
    assert_eq!(
        (
            &limits["limits"][0]["state"],
            &limits["limits"][0]["backends"]
        ),
        (&"paused".into(), &json!(["model"])),
        "{limits:#}"
    );
    let run = world.json(&["show", &ids[0]]).await?;
    ensure!(
        run["until"].is_string() && run["state"] == "waiting",
        "it says until when: {run:#}"
    );
    for id in &ids {
        world.completed(id).await?;
    }
    let after: Vec<u64> = world.server.requests()[before..]
        .iter()
        .map(|r| r.at_ms)
        .collect();
    let first = *after.iter().min().context("they went on")?;
    ensure!(
        first >= reset_ms,
        "a call was sent {} ms before the reset: {after:?}",
        reset_ms - first
    );
    ensure!(after.len() >= 8, "{after:?}");
    ensure!(
        after[1] - after[0] >= 50 && after[7] - after[0] >= 200,
        "released all at once: {after:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_pause_outlives_the_daemon() -> Result<()> {
    let mut world = World::new().await?;
    let limit = Fault::RateLimit {
        retry_after_s: Some(RETRY_AFTER_S),
    };
    world.server.script(
        "limited",
        Script::new().turn(Turn::text("Hello.").fault(limit, 1)),
    );
    let id = world.start("limited", &[]).await?;
    let waits = |run: &Value| run["cause"] == "rate_limit";
    world.daemon.wait_shown(&id, SOON, waits).await?;
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    world.completed(&id).await?;
    let times: Vec<u64> = world
        .server
        .requests_of("limited")
        .iter()
        .map(|r| r.at_ms)
        .collect();
    assert_eq!(times.len(), 2);
    ensure!(
        times[1] >= times[0] + RETRY_AFTER_S * 1000,
        "the restart forgot the pause: {times:?}"
    );
    Ok(())
}

#[tokio::test]
async fn an_overloaded_provider_is_probed_until_it_answers() -> Result<()> {
    let world = World::new().await?;
    world.server.script(
        "busy",
        Script::new().turn(Turn::text("Hello.").fault(Fault::Overloaded, 2)),
    );
    let id = world.start("busy", &[]).await?;
    let run = world.completed(&id).await?;
    assert_eq!(world.server.requests_of("busy").len(), 3);
    assert_eq!(
        (nano(&run["cost_usd"])?, nano(&run["unsettled_cost_usd"])?),
        (2_500_000, 0),
        "what was refused was not billed"
    );
    Ok(())
}

#[tokio::test]
async fn offline_waits_and_goes_on_when_the_network_is_back() -> Result<()> {
    let world = World::new().await?;
    world.server.script("mend", mend());
    world.server.go_offline();
    let id = world.start("mend", &["--verify", "sh test.sh"]).await?;
    let waits = |run: &Value| run["cause"] == "offline";
    world.daemon.wait_shown(&id, SOON, waits).await?;
    world.server.go_online();
    world.completed(&id).await?;
    Ok(())
}

#[tokio::test]
async fn a_wait_beyond_what_is_allowed_ends_the_run_with_words() -> Result<()> {
    let world = World::with(&format!("{QUICK}max_wait_s = 60\n")).await?;
    let limit = Fault::RateLimit {
        retry_after_s: Some(7200),
    };
    let script = Script::new()
        .turn(Turn::text("I begin.").tool("list", json!({})))
        .turn(Turn::text("Done.").fault(limit, 1));
    world.server.script("long", script);
    let id = world.start("long", &[]).await?;
    let run = world.wait(&id, &["failed"]).await?;
    assert_eq!(
        (&run["cause"], &run["partial_result"]),
        (&"max_wait".into(), &"I begin.".into())
    );
    ensure!(run["detail"].to_string().contains("rate limit"), "{run:#}");
    Ok(())
}
