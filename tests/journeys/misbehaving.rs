//! Agents that break the rules of their language, one way after the other, in each of the
//! three: every run ends in a clear state, nothing survives, nothing grows.

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::rough::{run, say, start};
use crate::support::{QUICK, SOON, World, open_review, text};

const LANGUAGES: [&str; 3] = ["claude", "codex", "acp"];

/// What the daemon may grow by at its peak, in bytes, whatever an agent writes: a few of the
/// longest lines that are kept (8 MB), read and understood.
const GROWTH_MAX: u64 = 160 * 1024 * 1024;

/// Does this in each language, and lets nothing survive it.
async fn in_each<F, Fut>(world: &World, script: &Value, flags: &[&str], then: F) -> Result<()>
where
    F: Fn(&'static str, String) -> Fut,
    Fut: Future<Output = Result<()>>,
{
    for language in LANGUAGES {
        let before = peak(world)?;
        let id = start(world, language, script.clone(), flags).await?;
        then(language, id)
            .await
            .with_context(|| language.to_owned())?;
        nothing_survives(world)
            .await
            .with_context(|| language.to_owned())?;
        let grown = peak(world)?.saturating_sub(before);
        ensure!(
            grown < GROWTH_MAX,
            "{language}: the daemon grew by {grown} bytes"
        );
    }
    Ok(())
}

/// The most the daemon ever had in memory.
fn peak(world: &World) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", world.daemon.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: u64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .context("VmHWM")?;
    Ok(kilobytes * 1024)
}

/// The daemon alone is left.
async fn nothing_survives(world: &World) -> Result<()> {
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        let left = world.daemon.home.processes();
        if left.len() <= 1 {
            return Ok(());
        }
        if tokio::time::Instant::now() > deadline {
            bail!("left behind: {left:?}");
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Interrupted, for this cause.
async fn interrupted(world: &World, id: &str, cause: &str) -> Result<Value> {
    let rests = ["interrupted", "completed", "failed"];
    let run = world.wait(id, &rests).await?;
    ensure!(run["state"] == "interrupted", "{run:#}");
    ensure!(run["cause"] == cause, "{run:#}");
    Ok(run)
}

async fn log(world: &World, id: &str) -> Result<String> {
    Ok(world.cli(&["logs", id]).await?.ok()?.stdout)
}

#[tokio::test]
async fn garbage_among_messages_is_passed_over_and_told_once() -> Result<()> {
    let world = &World::new().await?;
    let garbage = json!({"do": "garbage", "lines": 500, "bytes": 200});
    let script =
        json!({"start": [garbage], "turn": [garbage, say("All done."), {"do": "unknown_result"}]});
    in_each(world, &script, &[], |_, id| async move {
        world.completed(&id).await?;
        let log = log(world, &id).await?;
        assert_eq!(log.matches("is no message").count(), 1, "{log}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_program_that_is_no_agent_is_given_up() -> Result<()> {
    let world = &World::new().await?;
    let garbage = json!({"do": "garbage", "lines": 20_000, "bytes": 20});
    let script = json!({"start": [garbage, {"do": "hang", "deaf": true}]});
    in_each(world, &script, &[], |_, id| async move {
        interrupted(world, &id, "agent_died").await?;
        let log = log(world, &id).await?;
        ensure!(log.contains("starts something else"), "{log}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_line_of_50_mb_is_passed_over() -> Result<()> {
    let world = &World::new().await?;
    let script = json!({"turn": [{"do": "long_text", "bytes": 50_000_000}, say("All done.")]});
    in_each(world, &script, &[], |_, id| async move {
        world.completed(&id).await?;
        let log = log(world, &id).await?;
        ensure!(log.contains("50 MB long"), "{log}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn who_never_answers_is_stalled() -> Result<()> {
    let world = &World::with(&format!("{QUICK}silence_ms = 1500\n")).await?;
    for when in ["start", "turn"] {
        let script = json!({when: [{"do": "hang", "deaf": true}]});
        in_each(world, &script, &[], |_, id| async move {
            interrupted(world, &id, "stalled").await.map(|_| ())
        })
        .await?;
    }
    // It does its work and never says that it is done.
    let script = json!({"turn": [say("Hello.")], "never_ends": true});
    in_each(world, &script, &[], |_, id| async move {
        interrupted(world, &id, "stalled").await.map(|_| ())
    })
    .await
}

#[tokio::test]
async fn who_dies_at_once_is_said_to_have_died() -> Result<()> {
    let world = &World::new().await?;
    let last_words = json!({"do": "stderr", "text": "rough: my disk is on fire"});
    let script = json!({"start": [last_words, {"do": "exit", "code": 3}]});
    in_each(world, &script, &[], |_, id| async move {
        interrupted(world, &id, "agent_died").await?;
        let log = log(world, &id).await?;
        ensure!(log.contains("status 3") && log.contains("on fire"), "{log}");
        Ok(())
    })
    .await?;
    let script = json!({"turn": [{"do": "die"}]});
    in_each(world, &script, &[], |_, id| async move {
        interrupted(world, &id, "agent_died").await.map(|_| ())
    })
    .await
}

#[tokio::test]
async fn a_flood_of_messages_is_heard_to_its_end() -> Result<()> {
    let world = &World::new().await?;
    let script = json!({"turn": [{"do": "flood", "messages": 60_000}, say("All done.")]});
    in_each(world, &script, &[], |_, id| async move {
        world.completed(&id).await.map(|_| ())
    })
    .await
}

#[tokio::test]
async fn two_questions_under_one_number_are_not_answered() -> Result<()> {
    let world = &World::new().await?;
    let effects = &world.effects();
    let commands = [effects.shell("one"), effects.shell("two")];
    let script = json!({"turn": [{"do": "ask_twice", "commands": commands}, say("All done.")]});
    in_each(world, &script, &[], |_, id| async move {
        interrupted(world, &id, "agent_died").await?;
        let log = log(world, &id).await?;
        ensure!(log.contains("two different questions"), "{log}");
        let run = world.json(&["show", &id]).await?;
        ensure!(open_review(&run, "tool_call").is_none(), "{run:#}");
        assert_eq!(effects.entries()?.len(), 0, "neither was allowed");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_permission_is_for_what_was_asked_about_and_nothing_else() -> Result<()> {
    let world = &World::new().await?;
    for language in LANGUAGES {
        let effects = &world.effects();
        let (one, two) = (format!("{language}-one"), format!("{language}-two"));
        let commands = [effects.shell(&one), effects.shell(&two)];
        let script = json!({"turn": [{"do": "ask_again", "commands": commands}, say("All done.")]});
        let id = start(world, language, script, &[]).await?;
        let first = world.review(&id, "tool_call").await?;
        world.cli(&["approve", &text(&first, "id")?]).await?.ok()?;
        // The same call, with other arguments: a question of its own.
        let other =
            |run: &Value| open_review(run, "tool_call").is_some_and(|r| r["id"] != first["id"]);
        let shown = world.daemon.wait_shown(&id, SOON, other).await?;
        let second = open_review(&shown, "tool_call").context("a review")?;
        ensure!(text(&second, "detail")?.contains(&two), "{second:#}");
        world.cli(&["reject", &text(&second, "id")?]).await?.ok()?;
        world.completed(&id).await?;
        assert_eq!((effects.count(&one)?, effects.count(&two)?), (1, 0));
        nothing_survives(world).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_an_agent_leaves_running_ends_with_its_turn() -> Result<()> {
    let world = &World::new().await?;
    let left = json!({"do": "leave_behind", "command": "sleep 600"});
    let script = json!({"stays": true, "turn": [left, say("All done.")]});
    in_each(world, &script, &[], |_, id| async move {
        world.completed(&id).await.map(|_| ())
    })
    .await?;
    // Also when it is killed from outside.
    let script = json!({"turn": [left, {"do": "die"}]});
    in_each(world, &script, &[], |_, id| async move {
        interrupted(world, &id, "agent_died").await.map(|_| ())
    })
    .await
}

#[tokio::test]
async fn a_call_that_was_not_asked_about_is_in_doubt_when_its_agent_dies() -> Result<()> {
    let world = &World::new().await?;
    for language in LANGUAGES {
        let effects = &world.effects();
        let unasked =
            json!({"do": "run", "command": effects.shell(language), "ask": false, "die": "after"});
        let script = json!({"turn": [unasked, run(&effects.shell(&format!("{language}-after")))]});
        let id = start(world, language, script, &["--policy", "hands-off"]).await?;
        // It died within the moment in which its question could still have come.
        interrupted(world, &id, "agent_died").await?;
        world.json(&["resume", &id]).await?;
        let doubt = world.review(&id, "in_doubt").await?;
        world.happened(&doubt).await?;
        world.completed(&id).await?;
        effects.nothing_twice()?;
        assert_eq!(effects.count(language)?, 1);
    }
    Ok(())
}
