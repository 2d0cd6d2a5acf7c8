//! What is flagged waits for a person, and does what the person says.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::model_server::{Script, Turn};

use crate::support::{SOON, World, one_command, op, open_review, shell, text};

#[tokio::test]
async fn a_command_waits_for_approval_and_runs_once() -> Result<()> {
    let world = World::new().await?;
    let effects = world.effects();
    let command = effects.shell("deploy");
    world.server.script("deploy", one_command(&command));
    // Attached: it ends when nothing goes on without a person.
    let out = world.run("deploy", &["--json"]).await?;
    assert_eq!(out.code, 3, "{out:?}");
    let last: Value = serde_json::from_str(out.stdout.lines().last().context("a line")?)?;
    assert_eq!(
        (&last["state"], &last["cause"]),
        (&"waiting".into(), &"review".into())
    );
    assert_eq!(effects.count("deploy")?, 0);

    let queue = world.json(&["reviews"]).await?;
    let review = &queue["reviews"][0];
    assert_eq!(
        (&review["kind"], &review["run"]),
        (&"tool_call".into(), &last["id"])
    );
    ensure!(
        text(review, "detail")?.contains(&command),
        "the whole command is shown: {review:#}"
    );
    let choices: Vec<&Value> = review["choices"]
        .as_array()
        .context("choices")?
        .iter()
        .map(|c| &c["id"])
        .collect();
    assert_eq!(choices, ["approve", "reject"]);
    // A unique prefix will do, as for runs; and a word that is no choice will not.
    let id = text(review, "id")?;
    assert_eq!(world.cli(&["answer", &id, "maybe"]).await?.code, 2);
    assert_eq!(world.cli(&["wait", &text(&last, "id")?]).await?.code, 3);
    world.cli(&["approve", &id, "--note", "fine"]).await?.ok()?;
    let run = world.completed(&text(&last, "id")?).await?;
    assert_eq!(effects.count("deploy")?, 1);
    assert_eq!(op(&run, "shell")?["outcome"], "ok");
    ensure!(world.json(&["reviews"]).await?["reviews"] == json!([]));

    let late = world.cli(&["reject", &id, "--json"]).await?;
    assert_eq!(late.code, 2, "decided once, for good: {late:?}");
    assert_eq!(effects.count("deploy")?, 1);
    Ok(())
}

#[tokio::test]
async fn a_rejection_is_told_to_the_model_with_its_note() -> Result<()> {
    let world = World::new().await?;
    let effects = world.effects();
    world
        .server
        .script("deploy", one_command(&effects.shell("deploy")));
    let id = world.start("deploy", &[]).await?;
    let review = text(&world.review(&id, "tool_call").await?, "id")?;
    world
        .cli(&["reject", &review, "--note", "not on a Friday"])
        .await?
        .ok()?;
    let run = world.completed(&id).await?;
    assert_eq!(effects.count("deploy")?, 0);
    let told = world.said_to_model("deploy");
    ensure!(
        told.contains("rejected this call") && told.contains("not on a Friday"),
        "{told}"
    );
    assert_eq!(op(&run, "shell")?["state"], "failed");
    Ok(())
}

#[tokio::test]
async fn reading_and_the_verify_command_need_no_approval_but_careful_asks_for_all() -> Result<()> {
    let world = World::new().await?;
    let script = || {
        Script::new()
            .turn(shell("ls -la"))
            .turn(shell("sh test.sh || true; true"))
            .turn(Turn::text("Done."))
    };
    world.server.script("look", script());
    let id = world
        .start("look", &["--verify", "sh test.sh || true; true"])
        .await?;
    world.completed(&id).await?;
    let id = world.start("look", &["--policy", "careful"]).await?;
    let review = world.review(&id, "tool_call").await?;
    ensure!(text(&review, "title")?.contains("ls -la"), "{review:#}");
    world.json(&["cancel", &id]).await?;
    // A sensitive file is reviewed under balanced; any file under careful.
    let write = |path: &str| {
        Script::new().turn(Turn::new().tool("write", json!({"path": path, "content": "x"})))
    };
    world.server.script("ci", write(".github/workflows/ci.yml"));
    world.server.script("plain", write("plain.txt"));
    let ci = world.start("ci", &[]).await?;
    world.review(&ci, "sensitive_change").await?;
    let plain = world.start("plain", &["--policy", "careful"]).await?;
    world.review(&plain, "sensitive_change").await?;
    Ok(())
}

#[tokio::test]
async fn questions_are_answered_in_the_users_words() -> Result<()> {
    let world = World::new().await?;
    let free = Turn::new().tool("ask_user", json!({"question": "Which port shall it be?"}));
    let choice = Turn::new().tool(
        "ask_user",
        json!({"question": "Tabs?", "choices": ["tabs", "spaces"]}),
    );
    let doubt = Turn::new().tool(
        "flag_uncertain",
        json!({"what": "I would delete old.txt", "why": "nobody uses it"}),
    );
    world.server.script(
        "ask",
        Script::new()
            .turn(free)
            .turn(choice)
            .turn(doubt)
            .turn(Turn::text("Thanks.")),
    );
    let id = world.start("ask", &["--policy", "hands-off"]).await?;

    let first = world.review(&id, "question").await?;
    assert_eq!(
        (&first["choices"], &first["title"]),
        (&json!([]), &"Which port shall it be?".into())
    );
    world
        .cli(&["answer", &text(&first, "id")?, "take 8099, please"])
        .await?
        .ok()?;
    let second = world
        .daemon
        .wait_shown(&id, SOON, |run| {
            open_review(run, "question").is_some_and(|r| r["title"] == "Tabs?")
        })
        .await?;
    let second = text(
        &open_review(&second, "question").context("a question")?,
        "id",
    )?;
    assert_eq!(
        world.cli(&["answer", &second, "both"]).await?.code,
        2,
        "not one of the choices"
    );
    world.cli(&["answer", &second, "spaces"]).await?.ok()?;
    let third = world.review(&id, "doubt").await?;
    ensure!(text(&third, "why")?.contains("nobody uses it"), "{third:#}");
    world
        .cli(&["reject", &text(&third, "id")?, "--note", "keep it"])
        .await?
        .ok()?;
    world.completed(&id).await?;
    let told = world.said_to_model("ask");
    for words in ["take 8099, please", "spaces", "keep it"] {
        ensure!(told.contains(words), "{words} is missing in {told}");
    }
    Ok(())
}

#[tokio::test]
async fn a_decision_survives_a_crash() -> Result<()> {
    let mut world = World::new().await?;
    let effects = world.effects();
    world
        .server
        .script("deploy", one_command(&effects.shell("deploy")));
    world.daemon.terminate().await?;
    world.daemon.env_once("LONGHAUL_CRASH_AT", "engine.decided");
    world.daemon.launch().await?;
    let id = world.start("deploy", &[]).await?;
    let review = text(&world.review(&id, "tool_call").await?, "id")?;
    // It dies after the decision is durable and before anybody is told. The command must not
    // start a daemon of its own and decide again: it fails or finds it decided.
    let _ = world.cli(&["approve", &review]).await?;
    world.daemon.wait_exit(SOON).await?;
    world.cli(&["daemon", "start"]).await?.ok()?;
    let run = world.completed(&id).await?;
    assert_eq!(effects.count("deploy")?, 1);
    assert_eq!(op(&run, "shell")?["outcome"], "ok");
    Ok(())
}

/// Three calls of one step wait at once; a daemon dies at a boundary between request and
/// use while each gets an answer of its own.
#[tokio::test]
async fn parallel_decisions_reach_their_own_call_once_whatever_dies() -> Result<()> {
    for point in [
        "engine.answer_recorded",
        "engine.before_decision",
        "engine.decided",
        "engine.decided#2",
        "engine.before_review_used",
        "engine.before_review_used#2",
        "engine.review_used",
        "engine.review_used#2",
        "engine.op_finished#2",
    ] {
        each_decision_is_used_once(point).await.context(point)?;
    }
    Ok(())
}

async fn each_decision_is_used_once(point: &str) -> Result<()> {
    let mut world = World::new().await?;
    let effects = world.effects();
    let names = ["first", "second", "third"];
    let step = names.iter().fold(Turn::new(), |turn, name| {
        turn.tool("shell", json!({"command": effects.shell(name)}))
    });
    world
        .server
        .script("three", Script::new().turn(step).turn(Turn::text("Done.")));
    world.daemon.terminate().await?;
    world.daemon.env_once("LONGHAUL_CRASH_AT", point);
    world.daemon.launch().await?;
    let id = world.start("three", &[]).await?;
    let mut died = false;
    let until = tokio::time::Instant::now() + SOON;
    loop {
        ensure!(tokio::time::Instant::now() < until, "not over in time");
        if world.daemon.exit_status()?.is_some() {
            died = true;
            world.cli(&["daemon", "start"]).await?.ok()?;
        }
        let shown = world.cli(&["--json", "show", &id]).await?;
        let Ok(run) = serde_json::from_str::<Value>(&shown.stdout) else {
            continue;
        };
        if run["state"] == "completed" {
            break;
        }
        // What is still asked is answered by what it asks; a refusal is no loss.
        for review in run["reviews"].as_array().into_iter().flatten() {
            if review["state"] != "open" {
                continue;
            }
            let (kind, title) = (text(review, "kind")?, text(review, "title")?);
            let review = text(review, "id")?;
            let name = names.into_iter().find(|name| title.contains(name));
            let name = name.context("a review names its call")?;
            let word = match (kind.as_str(), name) {
                // What the world says, as a person would.
                ("in_doubt", name) if effects.count(name)? > 0 => "happened",
                ("in_doubt", _) => "again",
                (_, "second") => "reject",
                _ => "approve",
            };
            let _ = world.cli(&["answer", &review, word]).await?;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    ensure!(died, "it never came to {point}");
    assert_eq!(effects.count("second")?, 0, "what was rejected did not run");
    for name in ["first", "third"] {
        assert_eq!(effects.count(name)?, 1, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn not_now_is_not_no() -> Result<()> {
    let world = World::new().await?;
    world.server.script("deploy", one_command("touch made.key"));
    let id = world.start("deploy", &[]).await?;
    let review = text(&world.review(&id, "tool_call").await?, "id")?;
    let snoozed = world.json(&["snooze", &review, "2h"]).await?;
    ensure!(snoozed["snoozed_until"].is_string(), "{snoozed:#}");
    let run = world.json(&["show", &id]).await?;
    assert_eq!(
        open_review(&run, "tool_call").context("still open")?["id"],
        review.as_str()
    );
    world.cli(&["approve", &review]).await?.ok()?;
    world.completed(&id).await?;
    Ok(())
}

#[tokio::test]
async fn a_run_cannot_decide_for_itself() -> Result<()> {
    let world = World::new().await?;
    let longhaul = world.daemon.home.binary().display().to_string();
    let env: Vec<String> = ["LONGHAUL_HOME", "XDG_RUNTIME_DIR"]
        .iter()
        .filter_map(|name| Some(format!("{name}={}", world.daemon.home.env().get(*name)?)))
        .collect();
    world.server.script("victim", one_command("touch made.key"));
    let victim = world.start("victim", &[]).await?;
    let review = text(&world.review(&victim, "tool_call").await?, "id")?;
    let sly = format!(
        "env {} {longhaul} approve {review} --json 2>&1; echo code=$?",
        env.join(" ")
    );
    world.server.script("sly", one_command(&sly));
    let id = world.start("sly", &["--policy", "hands-off"]).await?;
    world.completed(&id).await?;
    let told = world.said_to_model("sly");
    ensure!(!told.contains("code=0"), "a run approved something: {told}");
    let run = world.json(&["show", &victim]).await?;
    ensure!(open_review(&run, "tool_call").is_some(), "{run:#}");
    Ok(())
}

#[tokio::test]
async fn one_call_waits_and_the_others_go_on() -> Result<()> {
    let world = World::new().await?;
    let effects = world.effects();
    let both = Turn::new()
        .tool("shell", json!({"command": effects.shell("deploy")}))
        .tool("write", json!({"path": "beside.txt", "content": "x"}));
    world
        .server
        .script("both", Script::new().turn(both).turn(Turn::text("Done.")));
    let id = world.start("both", &[]).await?;
    let run = world
        .daemon
        .wait_shown(&id, SOON, |run| {
            op(run, "write").is_ok_and(|op| op["state"] == "finished") && run["state"] == "waiting"
        })
        .await?;
    assert_eq!(run["causes"], json!(["review"]));
    assert_eq!(
        world.server.requests_of("both").len(),
        1,
        "the model hears both results at once"
    );
    let review = text(&open_review(&run, "tool_call").context("a review")?, "id")?;
    world.cli(&["approve", &review]).await?.ok()?;
    world.completed(&id).await?;
    effects.nothing_twice()?;
    let last = world.last_request("both")?;
    let results = last.body["messages"]
        .as_array()
        .context("messages")?
        .iter()
        .rev();
    let text = results.take(1).map(Value::to_string).collect::<String>();
    assert_eq!(text.matches("tool_result").count(), 2, "{text}");
    Ok(())
}
