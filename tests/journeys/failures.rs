//! Backends that fail: tried again where that helps, said plainly where it does not.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::{
    ModelServer,
    model_server::{ALWAYS, Fault, Script, Turn},
};

use crate::support::{KEY, MODEL, QUICK, SOON, World, mend, nano, op, open_review, shell, text};

/// A run of one command whose call meets `fault` first; it must complete, with the command
/// run once. How it looks then.
async fn survives(fault: Fault, times: u32) -> Result<(World, Value)> {
    let world = World::new().await?;
    let effects = world.effects();
    let command = shell(&effects.shell("work"))
        .say("I do it now.")
        .fault(fault, times);
    world.server.script(
        "work",
        Script::new().turn(command).turn(Turn::text("Done.")),
    );
    let id = world.start("work", &["--policy", "hands-off"]).await?;
    let run = world.completed(&id).await?;
    assert_eq!(effects.count("work")?, 1);
    assert_eq!(
        nano(&run["cost_usd"])?,
        2 * 2_500_000,
        "what answered is paid for, once"
    );
    Ok((world, run))
}

#[tokio::test]
async fn server_errors_are_tried_again() -> Result<()> {
    let (world, run) = survives(Fault::ServerError, 2).await?;
    assert_eq!(world.server.requests_of("work").len(), 4);
    assert_eq!(nano(&run["unsettled_cost_usd"])?, 0);
    Ok(())
}

#[tokio::test]
async fn a_cut_answer_is_asked_for_again_and_booked_apart() -> Result<()> {
    for fault in [
        Fault::CutMid { after_events: 5 },
        Fault::CutBeforeStop,
        Fault::EndEarly { after_events: 4 },
        Fault::ErrorMid { after_events: 4 },
    ] {
        let (world, run) = survives(fault.clone(), 1)
            .await
            .with_context(|| format!("{fault:?}"))?;
        let unsettled = nano(&run["unsettled_cost_usd"])?;
        ensure!(
            unsettled >= 2_500_000,
            "{fault:?}: the lost call may have been billed: {unsettled}"
        );
        assert_eq!(world.server.requests_of("work").len(), 3);
    }
    Ok(())
}

#[tokio::test]
async fn a_backend_that_keeps_failing_ends_the_run_resumably() -> Result<()> {
    let world = World::new().await?;
    let broken = Turn::text("Done.").fault(Fault::BadGateway, 4);
    world.server.script(
        "half",
        Script::new()
            .turn(shell("ls").say("The first half is done."))
            .turn(broken),
    );
    let out = world.run("half", &["--json"]).await?;
    assert_eq!(out.code, 1, "{out:?}");
    let run: Value = serde_json::from_str(out.stdout.lines().last().context("a line")?)?;
    assert_eq!(
        (&run["state"], &run["cause"]),
        (&"failed".into(), &"backend".into())
    );
    ensure!(
        text(&run, "detail")?.contains("model"),
        "it names the runner: {run:#}"
    );
    assert_eq!(run["partial_result"], "The first half is done.");
    let id = text(&run, "id")?;
    world.json(&["resume", &id]).await?;
    let run = world.completed(&id).await?;
    assert_eq!(run["result"], "Done.");
    Ok(())
}

#[tokio::test]
async fn silence_interrupts_the_run_and_resume_goes_on() -> Result<()> {
    let world = World::with(&format!("{QUICK}silence_ms = 700\n")).await?;
    world.server.script(
        "quiet",
        Script::new().turn(Turn::text("Hello.").fault(Fault::SilenceMid { after_events: 2 }, 1)),
    );
    let id = world.start("quiet", &[]).await?;
    let run = world.wait(&id, &["interrupted"]).await?;
    assert_eq!(
        (&run["cause"], &run["recovery"]["cause"]),
        (&"stalled".into(), &"stalled".into())
    );
    assert_eq!(world.cli(&["wait", &id]).await?.code, 8);
    assert_eq!(
        world.json(&["daemon", "status"]).await?["slots_used"],
        0,
        "the slot is free"
    );
    world.json(&["resume", &id]).await?;
    let run = world.completed(&id).await?;
    ensure!(
        nano(&run["unsettled_cost_usd"])? > 0,
        "the silent call may have been billed"
    );
    Ok(())
}

#[tokio::test]
async fn a_refused_key_asks_once_and_all_runs_go_on_when_it_is_mended() -> Result<()> {
    let world = World::new().await?;
    world.server.script("mend", mend());
    world.server.set_valid_key(Some("test-key-not-real-0002"));
    let first = world.start("mend", &["--verify", "sh test.sh"]).await?;
    let second = world.start("mend", &["--verify", "sh test.sh"]).await?;
    for id in [&first, &second] {
        let run = world.wait(id, &["waiting"]).await?;
        assert_eq!(run["cause"], "auth", "{run:#}");
    }
    let queue = world.json(&["reviews"]).await?;
    let queue = queue["reviews"].as_array().context("reviews")?;
    assert_eq!(queue.len(), 1, "one question a credential: {queue:#?}");
    ensure!(
        text(&queue[0], "detail")?.contains("longhaul backend add model"),
        "it says what to do"
    );
    world.add_backend("model", "LH_OTHER_KEY").await?;
    for id in [&first, &second] {
        world.completed(id).await?;
    }
    assert_eq!(world.json(&["reviews"]).await?["reviews"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_key_that_was_mended_elsewhere_is_looked_at_again_when_asked() -> Result<()> {
    let world =
        World::with(&QUICK.replace("auth_recheck_ms = 200", "auth_recheck_ms = 600000")).await?;
    world.server.script("mend", mend());
    world.server.set_valid_key(Some("another"));
    let id = world.start("mend", &["--verify", "sh test.sh"]).await?;
    let review = text(&world.review(&id, "auth").await?, "id")?;
    world.server.set_valid_key(Some(KEY));
    world.cli(&["answer", &review, "retry"]).await?.ok()?;
    world.completed(&id).await?;
    Ok(())
}

#[tokio::test]
async fn spend_limits_and_bad_requests_are_not_tried_again() -> Result<()> {
    let world = World::new().await?;
    world.server.script(
        "spent",
        Script::new().turn(Turn::text("x").fault(Fault::SpendLimit, ALWAYS)),
    );
    let bad = Fault::BadRequest {
        message: Some("your hat is on backwards".to_owned()),
    };
    world.server.script(
        "bad",
        Script::new().turn(Turn::text("x").fault(bad, ALWAYS)),
    );
    for (script, cause, words) in [
        ("spent", "spend_limit", "usage limits"),
        ("bad", "bad_request", "your hat is on backwards"),
    ] {
        let id = world.start(script, &[]).await?;
        let run = world.wait(&id, &["failed"]).await?;
        assert_eq!(run["cause"], cause);
        ensure!(text(&run, "detail")?.contains(words), "{run:#}");
        assert_eq!(world.server.requests_of(script).len(), 1);
        assert_eq!(world.cli(&["wait", &id]).await?.code, 1);
    }
    Ok(())
}

#[tokio::test]
async fn another_model_answers_only_where_it_was_named() -> Result<()> {
    let world = World::new().await?;
    let spare = ModelServer::start().await?;
    let broken = Turn::text("Done.").fault(Fault::ServerError, ALWAYS);
    let script = Script::new().turn(shell("ls"));
    world.server.script("half", script.clone().turn(broken));
    spare.script("half", script.turn(Turn::text("Done by the spare one.")));
    let url = spare.url();
    let add = [
        "backend",
        "add",
        "spare",
        "--kind",
        "anthropic",
        "--base-url",
        &url,
        "--model",
        "claude-haiku-5-5",
        "--key-env",
        "LH_TEST_KEY",
    ];
    world.json(&add).await?;

    let alone = world.start("half", &[]).await?;
    let run = world.wait(&alone, &["failed"]).await?;
    assert_eq!(run["answered_by"], json!([MODEL]));
    ensure!(
        spare.requests().is_empty(),
        "the spare backend was asked although nobody named it"
    );

    let named = world.start("half", &["--fallback", "spare"]).await?;
    let run = world.completed(&named).await?;
    assert_eq!(run["answered_by"], json!([MODEL, "claude-haiku-5-5"]));
    assert_eq!(run["result"], "Done by the spare one.");
    let rows = world.json(&["cost", "--by", "model"]).await?;
    ensure!(
        rows["rows"]
            .as_array()
            .context("rows")?
            .iter()
            .any(|row| row["key"] == "claude-haiku-5-5"),
        "{rows:#}"
    );
    let words = world.cli(&["show", &named]).await?.ok()?.stdout;
    ensure!(
        words.contains("claude-haiku-5-5"),
        "every surface shows who answered: {words}"
    );
    Ok(())
}

#[tokio::test]
async fn a_missing_key_waits_with_words() -> Result<()> {
    let world = World::new().await?;
    world
        .server
        .script("hi", Script::new().turn(Turn::text("Hello.")));
    world.add_backend("keyless", "LH_NOT_SET").await?;
    let id = world.start("hi", &["--backend", "keyless"]).await?;
    let waits = |run: &Value| open_review(run, "auth").is_some();
    let run = world.daemon.wait_shown(&id, SOON, waits).await?;
    let review = open_review(&run, "auth").context("a review")?;
    ensure!(text(&review, "why")?.contains("LH_NOT_SET"), "{review:#}");
    ensure!(
        world.server.requests().is_empty(),
        "nothing is sent without a key"
    );
    let test = world.cli(&["backend", "test", "keyless", "--json"]).await?;
    ensure!(test.code != 0 || test.json()["ok"] == false, "{test:?}");
    world
        .cli(&["answer", &text(&review, "id")?, "end"])
        .await?
        .ok()?;
    world.wait(&id, &["failed"]).await?;
    Ok(())
}

/// 200 MB that stay until the end: `tail` keeps the one long line it reads.
const HOG: &str = "(head -c 200000000 /dev/zero; sleep 1000) | tail -n 1";

#[tokio::test]
async fn a_command_that_takes_too_much_memory_is_ended_and_the_run_goes_on() -> Result<()> {
    let world = World::with(&format!("{QUICK}memory_limit_mb = 100\n")).await?;
    let script = Script::new()
        .turn(shell(HOG))
        .turn(Turn::text("Another way, then."));
    world.server.script("hog", script);
    let id = world.start("hog", &["--policy", "hands-off"]).await?;
    let run = world.completed(&id).await?;
    assert_eq!(op(&run, "shell")?["outcome"], "error", "{run:#}");
    let said = world.said_to_model("hog");
    ensure!(
        said.contains("took more memory than a command may"),
        "{said}"
    );
    Ok(())
}
