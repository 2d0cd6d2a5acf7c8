//! What happened since somebody last looked, figures about decisions, and one answer to equals.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::model_server::{Script, Turn};

use crate::support::{World, one_command, shell, text};

fn list<'a>(value: &'a Value, field: &str) -> Result<&'a Vec<Value>> {
    value[field]
        .as_array()
        .with_context(|| format!("{field} of {value:#}"))
}

#[tokio::test]
async fn who_comes_back_is_told_what_happened_once_over_restarts() -> Result<()> {
    let mut world = World::new().await?;
    world
        .server
        .script("done", Script::new().turn(Turn::text("Done.")));
    world
        .server
        .script("push", one_command("git push origin main"));
    let done = world.start("done", &[]).await?;
    world.completed(&done).await?;
    let first = world.json(&["catch-up"]).await?;
    assert_eq!(first["looked_before"], false);
    assert_eq!(list(&first, "runs")?.len(), 1);

    let push = world.start("push", &[]).await?;
    let review = text(&world.review(&push, "tool_call").await?, "id")?;
    world
        .json(&["reject", &review, "--note", "not now"])
        .await?;
    world.completed(&push).await?;
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    // Kept, it is told again; looked at, it is not.
    for keep in [&["--keep"][..], &[]] {
        let args = [&["catch-up"], keep].concat();
        let seen = world.json(&args).await?;
        assert_eq!(seen["looked_before"], true);
        let runs = list(&seen, "runs")?;
        ensure!(
            runs.len() == 1 && runs[0]["run"] == push.as_str(),
            "{seen:#}"
        );
        let made = list(&seen, "decisions")?;
        assert_eq!(
            (made.len(), &made[0]["choice"], &made[0]["by"]),
            (1, &json!("reject"), &json!("cli"))
        );
    }
    let seen = world.json(&["catch-up"]).await?;
    ensure!(list(&seen, "runs")?.is_empty() && list(&seen, "decisions")?.is_empty());
    let words = world
        .cli(&["catch-up", "--since", "1h"])
        .await?
        .ok()?
        .stdout;
    ensure!(
        words.contains("reject by cli") && words.contains("completed"),
        "{words}"
    );
    Ok(())
}

#[tokio::test]
async fn figures_count_what_was_asked_decided_and_taken_back() -> Result<()> {
    let world = World::new().await?;
    let none = world.json(&["reviews", "--stats"]).await?;
    ensure!(none["asked"] == 0 && none["median_ms"].is_null() && none["asked_per_mille"].is_null());
    let script = Script::new()
        .turn(Turn::new().tool("read", json!({"path": "calc.sh"})))
        .turn(shell("git push origin main"))
        .turn(Turn::text("Done."));
    world.server.script("push", script);
    let run = world.start("push", &[]).await?;
    let review = text(&world.review(&run, "tool_call").await?, "id")?;
    world.json(&["approve", &review]).await?;
    let shown = world.completed(&run).await?;
    let figures = world.json(&["reviews", "--stats"]).await?;
    assert_eq!(
        [
            "asked",
            "calls",
            "calls_asked",
            "asked_per_mille",
            "decided",
            "rolled_back"
        ]
        .map(|name| figures[name].as_i64()),
        [1, 2, 1, 500, 1, 0].map(Some),
        "{figures:#}"
    );
    ensure!(figures["median_ms"].is_u64() && !list(&figures, "rules")?.is_empty());
    // Approved, and taken back afterwards.
    let first = text(&shown["checkpoints"][0], "id")?;
    world.cli(&["rollback", &run, "--to", &first]).await?.ok()?;
    let figures = world.json(&["reviews", "--stats"]).await?;
    assert_eq!(
        (&figures["rolled_back"], &figures["reverted_per_mille"]),
        (&json!(1), &json!(1000)),
        "{figures:#}"
    );
    let words = world.cli(&["reviews", "--stats"]).await?.ok()?.stdout;
    ensure!(
        words.contains("50.0 %") && words.contains("rolled back later"),
        "{words}"
    );
    Ok(())
}

#[tokio::test]
async fn one_answer_for_equals_is_many_decisions_each_its_own() -> Result<()> {
    let world = World::new().await?;
    for (script, command) in [
        ("a", "git push origin main"),
        ("b", "git push origin main"),
        ("c", "git push origin main"),
        ("d", "git push origin other"),
    ] {
        world.server.script(script, one_command(command));
    }
    let (mut runs, mut reviews) = (Vec::new(), Vec::new());
    for script in ["a", "b", "c", "d"] {
        let run = world.start(script, &[]).await?;
        reviews.push(text(&world.review(&run, "tool_call").await?, "id")?);
        runs.push(run);
    }
    let words = world.cli(&["reviews"]).await?.ok()?.stdout;
    ensure!(words.contains("3 ask for this very call"), "{words}");
    // Somebody else was faster with one of them: theirs stands.
    world
        .json(&["reject", &reviews[1], "--note", "mine"])
        .await?;
    let answer = world
        .json(&["reject", &reviews[0], "--group", "--note", "all"])
        .await?;
    let decided: Vec<&str> = list(&answer, "decided")?
        .iter()
        .filter_map(|one| one["review"].as_str())
        .collect();
    assert_eq!(decided, [reviews[0].as_str(), reviews[2].as_str()]);
    for run in &runs[..3] {
        world.completed(run).await?;
    }
    let all = world.json(&["reviews", "--status", "all"]).await?;
    for review in list(&all, "reviews")? {
        let note = match review["id"].as_str() {
            Some(id) if id == reviews[1] => json!("mine"),
            Some(id) if id == reviews[3] => Value::Null,
            _ => json!("all"),
        };
        assert_eq!(review["answer"]["note"], note, "{review:#}");
    }
    let open = world.json(&["reviews"]).await?;
    assert_eq!(open["reviews"][0]["id"], reviews[3].as_str());
    Ok(())
}

#[tokio::test]
async fn one_answer_for_what_a_rule_asked_about_is_given_only_when_it_is_asked_for() -> Result<()> {
    let world = World::new().await?;
    for (script, command) in [
        ("a", "git push origin main"),
        ("b", "git push origin other"),
        ("c", "cat .env"),
    ] {
        world.server.script(script, one_command(command));
    }
    let (mut runs, mut reviews, mut rules) = (Vec::new(), Vec::new(), Vec::new());
    for script in ["a", "b", "c"] {
        let run = world.start(script, &[]).await?;
        let review = world.review(&run, "tool_call").await?;
        rules.push(text(&review, "rule_id")?);
        reviews.push(text(&review, "id")?);
        runs.push(run);
    }
    ensure!(rules[0] == rules[1] && rules[0] != rules[2], "{rules:?}");
    let dry = ["reject", &reviews[0], "--group=rule", "--dry-run"];
    let would = world.json(&dry).await?;
    assert_eq!(would["would_decide"], json!([reviews[0], reviews[1]]));
    let open = world.json(&["reviews"]).await?;
    assert_eq!(list(&open, "reviews")?.len(), 3, "nothing was decided");
    // The very same call is still only that.
    let alone = world.json(&["reject", &reviews[2], "--group"]).await?;
    assert_eq!(list(&alone, "decided")?.len(), 1);
    let said = world
        .cli(&["reject", &reviews[0], "--group=rule"])
        .await?
        .ok()?
        .stdout;
    ensure!(
        said.lines().count() == 2 && said.contains("$ git push origin other"),
        "{said}"
    );
    for run in &runs {
        world.completed(run).await?;
    }
    Ok(())
}
