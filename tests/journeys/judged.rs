//! A run that passes because it weakened its own tests does not pass unseen.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::model_server::{Script, Turn};

use crate::support::{World, text};

/// The two checks that fail as long as `add` is broken.
const FAILING: &str = "check \"add 2 3\" \"$(add 2 3)\" 5\ncheck \"add 0 7\" \"$(add 0 7)\" 7\n";

fn edit(file: &str, old: &str, new: &str) -> Turn {
    Turn::new().tool(
        "edit",
        json!({"path": file, "old_text": old, "new_text": new}),
    )
}

/// A model that takes the failing checks out of the test and says it is done.
fn cheat() -> Script {
    Script::new()
        .turn(edit("test.sh", FAILING, ""))
        .turn(Turn::text("All checks pass now."))
}

/// How many events of a kind the run's journal has.
async fn recorded(world: &World, run: &str, kind: &str) -> Result<usize> {
    let logs = world.cli(&["logs", run, "--json"]).await?.ok()?.stdout;
    let entries: Vec<Value> = logs
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    Ok(entries
        .iter()
        .filter(|entry| entry["event"]["kind"] == kind || entry["kind"] == kind)
        .count())
}

#[tokio::test]
async fn a_test_without_its_failing_checks_is_shown_before_the_run_is_completed() -> Result<()> {
    let mut world = World::new().await?;
    let script = cheat()
        .turn(edit(
            "test.sh",
            "check \"multiply",
            &format!("{FAILING}check \"multiply"),
        ))
        .turn(edit("calc.sh", "echo $(($1 - $2))", "echo $(($1 + $2))"))
        .turn(Turn::text("Now the code is mended instead."));
    world.server.script("cheat", script);
    world
        .daemon
        .env_once("LONGHAUL_CRASH_AT", "engine.tests_judged");
    world.daemon.restart().await?;
    let id = world.start("cheat", &["--verify", "sh test.sh"]).await?;
    // It dies in the moment in which the question is asked, and once more while it waits.
    world.daemon.wait_exit(crate::support::SOON).await?;
    world.daemon.launch().await?;
    let review = world.review(&id, "sensitive_change").await?;
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    let shown = world.wait(&id, &["waiting"]).await?;
    assert_eq!(
        shown["reviews"].as_array().map(Vec::len),
        Some(1),
        "{shown:#}"
    );
    assert_eq!(shown["tests_changed"][0]["path"], "test.sh");
    let title = text(&review, "title")?;
    ensure!(title.contains("changed the tests that judge it"), "{title}");
    let detail = text(&review, "detail")?;
    ensure!(
        detail.contains("-check \"add 2 3\"") && detail.contains("verify command runs this file"),
        "{detail}"
    );
    assert_eq!(recorded(&world, &id, "review_requested").await?, 1);
    let answer = [
        "answer",
        &text(&review, "id")?,
        "again",
        "--note",
        "mend calc.sh, not its test",
    ];
    world.cli(&answer).await?.ok()?;
    let run = world.completed(&id).await?;
    assert_eq!(run["tests_changed"], json!([]), "it was undone");
    ensure!(
        world
            .said_to_model("cheat")
            .contains("mend calc.sh, not its test")
    );
    Ok(())
}

#[tokio::test]
async fn what_was_changed_may_be_accepted_or_end_the_run() -> Result<()> {
    let world = World::new().await?;
    world.server.script("cheat", cheat());
    for (choice, state) in [("accept", "completed"), ("end", "failed")] {
        let id = world.start("cheat", &["--verify", "sh test.sh"]).await?;
        let review = world.review(&id, "sensitive_change").await?;
        world
            .cli(&["answer", &text(&review, "id")?, choice])
            .await?
            .ok()?;
        let run = world.wait(&id, &["completed", "failed"]).await?;
        assert_eq!(run["state"], state, "{run:#}");
        assert_eq!(run["tests_changed"][0]["path"], "test.sh");
        assert_eq!(recorded(&world, &id, "review_requested").await?, 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_run_that_adds_a_test_is_completed_without_a_question() -> Result<()> {
    let world = World::new().await?;
    let add = Turn::new().tool(
        "write",
        json!({"path": "tests/more_test.sh", "content": "#!/bin/sh\nsh test.sh || exit 1\n"}),
    );
    let script = Script::new()
        .turn(add)
        .turn(edit("calc.sh", "echo $(($1 - $2))", "echo $(($1 + $2))"))
        .turn(Turn::text("I mended add and added a test."));
    world.server.script("honest", script);
    let id = world.start("honest", &["--verify", "sh test.sh"]).await?;
    let run = world.completed(&id).await?;
    assert_eq!(run["tests_changed"], json!([]));
    assert_eq!(recorded(&world, &id, "review_requested").await?, 0);
    Ok(())
}

#[tokio::test]
async fn hands_off_completes_and_says_it() -> Result<()> {
    let world = World::new().await?;
    world.server.script("cheat", cheat());
    let flags = ["--verify", "sh test.sh", "--policy", "hands-off"];
    let id = world.start("cheat", &flags).await?;
    let run = world.completed(&id).await?;
    let changed = run["tests_changed"].as_array().context("tests_changed")?;
    assert_eq!(changed.len(), 1, "{run:#}");
    let words = world.cli(&["logs", &id]).await?.ok()?.stdout;
    ensure!(words.contains("changed the tests that judge it"), "{words}");
    let shown = world.cli(&["show", &id]).await?.ok()?.stdout;
    ensure!(
        shown.contains("test.sh: the verify command runs this file"),
        "{shown}"
    );
    Ok(())
}

#[tokio::test]
async fn several_verify_commands_run_in_order_and_the_first_failure_stops() -> Result<()> {
    let world = World::new().await?;
    let effects = world.effects();
    world.server.script(
        "done",
        Script::new()
            .turn(Turn::text("Done."))
            .turn(Turn::text("Done again."))
            .turn(Turn::text("Really.")),
    );
    let (one, two) = (effects.shell("one"), effects.shell("two"));
    let id = world
        .start(
            "done",
            &["--verify", &one, "--verify", "sh test.sh", "--verify", &two],
        )
        .await?;
    let review = world.review(&id, "verify_failed").await?;
    ensure!(text(&review, "detail")?.contains("FAIL add"), "{review:#}");
    ensure!(effects.count("one")? > 0, "the first ran");
    assert_eq!(effects.count("two")?, 0, "nothing runs after a failure");
    Ok(())
}
