//! A run is completed only when its verify command says so; slots are shared fairly.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::{
    model_server::{Fault, Script, Turn, Usage},
    project::CALC_FIXED,
};

use crate::support::{QUICK, SOON, World, one_command, op, shell, text};

fn claims(n: usize) -> Script {
    (0..n).fold(Script::new(), |script, _| {
        script.turn(Turn::text("It works."))
    })
}

#[tokio::test]
async fn a_failing_check_goes_back_to_the_model() -> Result<()> {
    let world = World::new().await?;
    let fix = Turn::new().tool("write", json!({"path": "calc.sh", "content": CALC_FIXED}));
    world.server.script(
        "hasty",
        claims(1).turn(fix).turn(Turn::text("Now it works.")),
    );
    let id = world.start("hasty", &["--verify", "sh test.sh"]).await?;
    let run = world.completed(&id).await?;
    assert_eq!(run["result"], "Now it works.");
    let requests = world.server.requests_of("hasty");
    let told = requests.get(1).context("it was asked again")?.body["messages"].to_string();
    ensure!(
        told.contains("FAIL add 2 3 = 5, but got -1"),
        "the output goes back: {told}"
    );
    assert_eq!(op(&run, "verify")?["outcome"], "error");
    Ok(())
}

#[tokio::test]
async fn a_check_that_keeps_failing_asks_the_user() -> Result<()> {
    let world = World::new().await?;
    world.server.script("lazy", claims(9));
    for (choice, state, code) in [("accept", "completed", 0), ("end", "failed", 1)] {
        let id = world.start("lazy", &["--verify", "sh test.sh"]).await?;
        let review = world.review(&id, "verify_failed").await?;
        ensure!(text(&review, "detail")?.contains("FAIL add"), "{review:#}");
        world
            .cli(&["answer", &text(&review, "id")?, choice])
            .await?
            .ok()?;
        let run = world.wait(&id, &[state]).await?;
        assert_eq!(world.cli(&["wait", &id]).await?.code, code, "{run:#}");
    }
    Ok(())
}

#[tokio::test]
async fn the_whole_output_of_a_check_is_kept() -> Result<()> {
    let world = World::new().await?;
    world
        .server
        .script("hi", Script::new().turn(Turn::text("Hello.")));
    let id = world
        .start("hi", &["--verify", "seq 1 50000; echo the end"])
        .await?;
    world.completed(&id).await?;
    let logs = world.cli(&["logs", &id, "--json"]).await?.ok()?.stdout;
    let entries: Vec<Value> = logs
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let finished = entries.iter().rfind(|entry| {
        let event = entry.get("event").unwrap_or(entry);
        event["kind"] == "op_finished"
    });
    let finished = finished.context("the check ended")?;
    let event = finished.get("event").unwrap_or(finished);
    ensure!(event["full"].is_string(), "its whole output: {finished:#}");
    Ok(())
}

#[tokio::test]
async fn a_check_under_way_outlives_the_daemon() -> Result<()> {
    let mut world = World::new().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let verify = format!(
        "{}; while [ ! -e {} ]; do sleep 0.05; done",
        effects.shell("check"),
        go.display()
    );
    world
        .server
        .script("hi", Script::new().turn(Turn::text("Hello.")));
    let id = world.start("hi", &["--verify", &verify]).await?;
    effects.wait_for("check", 1, SOON).await?;
    assert_eq!(world.json(&["show", &id]).await?["state"], "verifying");
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    std::fs::write(&go, "")?;
    world.completed(&id).await?;
    effects.at_most_once("check")
}

#[tokio::test]
async fn urgent_runs_come_first_and_the_rest_in_order() -> Result<()> {
    let world = World::with(&QUICK.replace("slots = 4", "slots = 1")).await?;
    world
        .server
        .script("first", Script::new().turn(Turn::text("1")));
    let gate = world.server.hold("first", 0);
    let mut ids = vec![world.start("first", &[]).await?];
    gate.arrived(SOON).await?;
    for (script, flags) in [
        ("second", vec![]),
        ("third", vec![]),
        ("urgent", vec!["--priority", "5"]),
    ] {
        world
            .server
            .script(script, Script::new().turn(Turn::text(script)));
        let id = world.start(script, &flags).await?;
        assert_eq!(world.json(&["show", &id]).await?["state"], "queued");
        ids.push(id);
    }
    let status = world.json(&["daemon", "status"]).await?;
    assert_eq!(
        (
            &status["slots"],
            &status["slots_used"],
            &status["runs"]["queued"]
        ),
        (&json!(1), &json!(1), &json!(3)),
        "{status:#}"
    );
    gate.release();
    for id in &ids {
        world.completed(id).await?;
    }
    let order: Vec<String> = world
        .server
        .requests()
        .iter()
        .map(|r| r.script.clone())
        .collect();
    assert_eq!(order, ["first", "urgent", "second", "third"]);
    Ok(())
}

#[tokio::test]
async fn a_long_run_lets_others_have_their_turn() -> Result<()> {
    let world = World::with(&format!(
        "{}chunk_s = 0\n",
        QUICK.replace("slots = 4", "slots = 1")
    ))
    .await?;
    let long = || (0..4).fold(Script::new(), |script, _| script.turn(shell("ls")));
    world.server.script("long", long());
    world.server.script("other", long());
    let gate = world.server.hold("long", 0);
    let first = world.start("long", &[]).await?;
    gate.arrived(SOON).await?;
    let second = world.start("other", &[]).await?;
    gate.release();
    let _ = (first, world.completed(&second).await?);
    let order: Vec<String> = world
        .server
        .requests()
        .iter()
        .map(|r| r.script.clone())
        .collect();
    let (began, ended) = (
        order.iter().position(|s| s == "other"),
        order.iter().rposition(|s| s == "long"),
    );
    ensure!(began < ended, "they took no turns: {order:?}");
    Ok(())
}

#[tokio::test]
async fn a_run_that_waits_for_a_person_or_a_limit_holds_no_slot() -> Result<()> {
    let world = World::with(&QUICK.replace("slots = 4", "slots = 1")).await?;
    world.server.script("ask", one_command("touch made.key"));
    world.server.script("lazy", Script::new());
    let dear = shell("ls").usage(Usage::of(0, 6_000));
    world.server.script("dear", Script::new().turn(dear));
    world.add_backend("keyless", "LH_NOT_SET").await?;
    let limit = Fault::RateLimit {
        retry_after_s: Some(3600),
    };
    world.server.script(
        "limited",
        Script::new().turn(Turn::text("x").fault(limit, 1)),
    );
    world.add_backend("spare", "LH_OTHER_KEY").await?;
    let waiting: [(&str, &[&str], &str); 5] = [
        ("ask", &[], "review"),
        ("lazy", &["--verify", "false"], "review"),
        ("dear", &["--max-cost", "0.10"], "budget"),
        ("ask", &["--backend", "keyless"], "auth"),
        ("limited", &[], "rate_limit"),
    ];
    for (script, flags, cause) in waiting {
        let id = world.start(script, flags).await?;
        let waits = |run: &Value| run["state"] == "waiting" && run["cause"] == cause;
        world
            .daemon
            .wait_shown(&id, SOON, waits)
            .await
            .context(cause)?;
        // Only a run with a slot can complete.
        world
            .server
            .script("hi", Script::new().turn(Turn::text("Hello.")));
        let other = world.start("hi", &["--backend", "spare"]).await?;
        world
            .completed(&other)
            .await
            .with_context(|| format!("beside {cause}"))?;
    }
    Ok(())
}
