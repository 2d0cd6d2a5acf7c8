//! What is asked of a person when a run goes silent, and when a limit lasts long.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::model_server::{Fault, Script, Turn};

use crate::support::{QUICK, SOON, World, open_review, text};

/// A model that says half a sentence and then nothing, once.
fn goes_silent() -> Script {
    let fault = Fault::SilenceMid { after_events: 2 };
    Script::new()
        .turn(Turn::text("The first half.").tool("read", json!({"path": "calc.sh"})))
        .turn(Turn::text("Done.").fault(fault, 1))
}

async fn silent() -> Result<(World, String, Value)> {
    let world = World::with(&format!("{QUICK}silence_ms = 700\n")).await?;
    world.server.script("quiet", goes_silent());
    let run = world.start("quiet", &[]).await?;
    let review = world.review(&run, "stalled").await?;
    let shown = world.wait(&run, &["interrupted"]).await?;
    assert_eq!(shown["cause"], "stalled");
    Ok((world, run, review))
}

#[tokio::test]
async fn a_run_that_went_silent_asks_and_goes_on_over_a_kill() -> Result<()> {
    let (mut world, run, review) = silent().await?;
    let detail = text(&review, "detail")?;
    ensure!(
        detail.contains("The first half.") && detail.contains("in step"),
        "what it was doing: {detail}"
    );
    let id = text(&review, "id")?;
    world.daemon.terminate().await?;
    world
        .daemon
        .env_once("LONGHAUL_CRASH_AT", "engine.stalled_decided");
    world.daemon.launch().await?;
    // Over the restart it is the same question, and the run is not resumed by itself.
    assert_eq!(
        world.json(&["reviews"]).await?["reviews"][0]["id"],
        id.as_str()
    );
    // The daemon may be dead before the command is answered.
    let _ = world.cli(&["answer", &id, "resume"]).await?;
    world.daemon.wait_exit(SOON).await?;
    world.daemon.launch().await?;
    // It is interrupted until the answer is acted on.
    let shown = world.wait(&run, &["completed", "failed"]).await?;
    assert_eq!(shown["result"], "Done.");
    let used = world.json(&["reviews", "--status", "decided"]).await?;
    assert_eq!(used["reviews"][0]["state"], "used");
    Ok(())
}

#[tokio::test]
async fn a_silent_run_is_ended_or_resumed_without_an_answer() -> Result<()> {
    let (world, run, review) = silent().await?;
    world
        .json(&["answer", &text(&review, "id")?, "end"])
        .await?;
    let shown = world.wait(&run, &["failed"]).await?;
    assert_eq!(
        (&shown["cause"], &shown["partial_result"]),
        (&"review".into(), &"The first half.".into())
    );
    world.server.script("other", goes_silent());
    let other = world.start("other", &[]).await?;
    let review = world.review(&other, "stalled").await?;
    world.json(&["resume", &other]).await?;
    world.completed(&other).await?;
    let late = world
        .cli(&["answer", &text(&review, "id")?, "resume"])
        .await?;
    ensure!(late.code != 0, "it was withdrawn: {late:?}");
    Ok(())
}

async fn limited(config: &str, retry_after_s: u64) -> Result<(World, String)> {
    let world = World::with(&format!("{QUICK}{config}")).await?;
    let limit = Fault::RateLimit {
        retry_after_s: Some(retry_after_s),
    };
    let script = Script::new().turn(Turn::text("Done.").fault(limit, 1));
    world.server.script("limited", script);
    let run = world.start("limited", &[]).await?;
    Ok((world, run))
}

#[tokio::test]
async fn a_long_wait_is_asked_about_once_and_goes_on_either_way() -> Result<()> {
    let (mut world, run) = limited("long_wait_s = 1\n", 4).await?;
    let review = world.review(&run, "limit_wait").await?;
    let shown = world.json(&["show", &run]).await?;
    assert_eq!(
        (&shown["state"], &shown["cause"]),
        (&"waiting".into(), &"rate_limit".into())
    );
    world
        .json(&["answer", &text(&review, "id")?, "wait"])
        .await?;
    let used = |list: &Value| list["reviews"][0]["state"] == "used";
    let deadline = std::time::Instant::now() + SOON;
    while !used(&world.json(&["reviews", "--status", "decided"]).await?) {
        ensure!(
            std::time::Instant::now() < deadline,
            "the answer is not used"
        );
    }
    // Whoever agreed to wait is not asked again, not even by the next daemon.
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    world.completed(&run).await?;
    let all = world.json(&["reviews", "--status", "all"]).await?;
    assert_eq!(all["reviews"].as_array().map(Vec::len), Some(1), "{all:#}");
    Ok(())
}

#[tokio::test]
async fn a_long_wait_nobody_speaks_about_ends_by_itself() -> Result<()> {
    let (world, run) = limited("long_wait_s = 1\n", 3).await?;
    world.review(&run, "limit_wait").await?;
    let shown = world.completed(&run).await?;
    ensure!(open_review(&shown, "limit_wait").is_none());
    let all = world.json(&["reviews", "--status", "all"]).await?;
    assert_eq!(all["reviews"][0]["state"], "withdrawn");
    Ok(())
}

#[tokio::test]
async fn a_long_wait_can_be_ended() -> Result<()> {
    let (world, run) = limited("", 2 * 3600).await?;
    let review = world.review(&run, "limit_wait").await?;
    let words: Vec<String> = review["choices"]
        .as_array()
        .context("choices")?
        .iter()
        .filter_map(|c| c["id"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(words, ["wait", "end"]);
    world
        .json(&["answer", &text(&review, "id")?, "end"])
        .await?;
    let shown = world.wait(&run, &["failed"]).await?;
    assert_eq!(shown["cause"], "review");
    Ok(())
}
