//! Runs on a backend of kind `openai`, over real HTTP against the same scripts.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::model_server::{ALWAYS, Fault, Manner, Script, Turn, Usage};

use crate::support::{KEY, QUICK, SOON, World, mend, nano, one_command, op, shell, text};

/// $2.50 and $15 a million tokens, $0.25 of those read from the cache.
const GPT: &str = "gpt-5.4";

impl World {
    /// A backend `gpt` of kind `openai` at the scripted server, with these flags besides.
    async fn add_openai(&self, name: &str, flags: &[&str]) -> Result<()> {
        let url = format!("{}/v1", self.server.url());
        let args = ["backend", "add", name, "--kind", "openai", "--url", &url];
        self.cli(&[&args[..], flags].concat())
            .await?
            .ok()
            .map(|_| ())
    }

    async fn with_gpt() -> Result<Self> {
        Self::with_gpt_and(QUICK).await
    }

    async fn with_gpt_and(config: &str) -> Result<Self> {
        let world = Self::with(config).await?;
        world
            .add_openai("gpt", &["--model", GPT, "--key-env", "LH_TEST_KEY"])
            .await?;
        Ok(world)
    }
}

const ON_GPT: [&str; 2] = ["--backend", "gpt"];

/// What the server's own count costs at the rates of [`GPT`], in nano-dollars.
fn server_count(world: &World) -> Result<i64> {
    let totals = world.server.ledger().totals();
    let tokens = totals.input * 2_500 + totals.cache_read * 250 + totals.output * 15_000;
    Ok(i64::try_from(tokens)?)
}

#[tokio::test]
async fn a_run_is_reviewed_verified_and_costs_what_the_server_counts() -> Result<()> {
    let world = World::with_gpt().await?;
    world.server.set_valid_key(Some(KEY));
    let cached = Usage {
        cache_read: 4_321,
        thinking: 20,
        ..Usage::of(777, 55)
    };
    let script = Script::new()
        .turn(
            Turn::text("I look at both.")
                .think("Which is it?")
                .tool("read", json!({"path": "calc.sh"}))
                .tool("read", json!({"path": "test.sh"})),
        )
        .turn(shell("echo reviewed").usage(cached))
        .turn(Turn::text("Both are fine.").model("gpt-5.4-2026-03-05"));
    world.server.script("look", script);
    let flags = [&ON_GPT[..], &["--policy", "careful", "--verify", "true"]].concat();
    let id = world.start("look", &flags).await?;
    let review = world.review(&id, "tool_call").await?;
    world.json(&["approve", &text(&review, "id")?]).await?;
    let run = world.completed(&id).await?;
    assert_eq!(run["result"], "Both are fine.");
    assert_eq!(
        (&run["kind"], &run["model"]),
        (&"openai".into(), &GPT.into())
    );
    assert_eq!(nano(&run["cost_usd"])?, server_count(&world)?);
    assert_eq!(nano(&run["unsettled_cost_usd"])?, 0);
    let usage = &run["usage"];
    assert_eq!(
        (&usage["input"], &usage["cache_read"], &usage["output"]),
        (&2_777.into(), &4_321.into(), &155.into())
    );
    let logs = world.cli(&["logs", &id]).await?.ok()?.stdout;
    ensure!(
        !logs.contains("says that it is from"),
        "a date is no other model: {logs}"
    );
    assert_eq!(world.server.requests_of("look").len(), 3);
    let body = &world.last_request("look")?.body;
    assert_eq!(body["messages"][0]["role"], "system");
    ensure!(!body.to_string().contains(KEY), "the key is in no body");
    Ok(())
}

#[tokio::test]
async fn a_command_survives_kill_9_and_nothing_is_repeated() -> Result<()> {
    let mut world = World::with_gpt().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let command = format!(
        "{}; while [ ! -e {} ]; do sleep 0.05; done; echo all-is-well",
        effects.shell("begun"),
        go.display()
    );
    world.server.script("long", one_command(&command));
    let flags = [&ON_GPT[..], &["--policy", "hands-off"]].concat();
    let id = world.start("long", &flags).await?;
    effects.wait_for("begun", 1, SOON).await?;
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    std::fs::write(&go, "")?;
    let run = world.completed(&id).await?;
    effects.at_most_once("begun")?;
    assert_eq!(op(&run, "shell")?["outcome"], "ok");
    ensure!(world.said_to_model("long").contains("all-is-well"));
    assert_eq!(nano(&run["cost_usd"])?, server_count(&world)?);
    // And with a power cut, which a person decides about.
    world.server.script(
        "pay",
        one_command(&format!("{}; sleep 600", effects.shell("pay"))),
    );
    let id = world.start("pay", &flags).await?;
    effects.wait_for("pay", 1, SOON).await?;
    world.daemon.kill9_all()?;
    world.daemon.launch().await?;
    let review = world.review(&id, "in_doubt").await?;
    world
        .json(&["answer", &text(&review, "id")?, "happened"])
        .await?;
    world.completed(&id).await?;
    effects.at_most_once("pay")?;
    ensure!(world.said_to_model("pay").contains("did happen"));
    Ok(())
}

#[tokio::test]
async fn cut_answers_are_asked_for_again_and_booked_apart() -> Result<()> {
    let world = World::with_gpt().await?;
    let faults = [
        Fault::CutMid { after_events: 2 },
        Fault::CutBeforeStop,
        Fault::EndEarly { after_events: 2 },
        Fault::ErrorMid { after_events: 2 },
    ];
    let turn = faults
        .into_iter()
        .fold(shell("echo once"), |turn, fault| turn.fault(fault, 1));
    world
        .server
        .script("cut", Script::new().turn(turn).turn(Turn::text("Done.")));
    let flags = [&ON_GPT[..], &["--policy", "hands-off"]].concat();
    // Each of the four is one try: give it one more than that.
    let id = world.start("cut", &flags).await?;
    let ends = world.wait(&id, &["completed", "failed"]).await?;
    if ends["state"] == "failed" {
        world.json(&["resume", &id]).await?;
    }
    let run = world.completed(&id).await?;
    assert_eq!(
        nano(&run["cost_usd"])?,
        2 * 3_250_000,
        "what answered is paid for, once"
    );
    ensure!(
        nano(&run["unsettled_cost_usd"])? >= 4 * 3_250_000,
        "{run:#}"
    );
    Ok(())
}

#[tokio::test]
async fn a_429_pauses_until_its_time_and_a_used_up_quota_ends_the_run() -> Result<()> {
    let world = World::with_gpt().await?;
    let wait = Fault::RateLimit {
        retry_after_s: Some(2),
    };
    let limited = Script::new().turn(Turn::text("Hello.").fault(wait, 1));
    world.server.script("limited", limited);
    let id = world.start("limited", &ON_GPT).await?;
    world
        .daemon
        .wait_shown(&id, SOON, |run| run["cause"] == "rate_limit")
        .await?;
    let run = world.completed(&id).await?;
    assert_eq!(nano(&run["cost_usd"])?, 3_250_000);
    let at: Vec<u64> = world
        .server
        .requests_of("limited")
        .iter()
        .map(|r| r.at_ms)
        .collect();
    ensure!(at.len() == 2 && at[1] >= at[0] + 2_000, "{at:?}");

    let spent = Script::new().turn(Turn::text("Hello.").fault(Fault::SpendLimit, ALWAYS));
    world.server.script("spent", spent);
    let out = world
        .run("spent", &[&ON_GPT[..], &["--json"]].concat())
        .await?;
    let run: Value = serde_json::from_str(out.stdout.lines().last().context("a line")?)?;
    assert_eq!((out.code, &run["cause"]), (1, &"spend_limit".into()));
    ensure!(
        text(&run, "detail")?.contains("insufficient_quota"),
        "{run:#}"
    );
    assert_eq!(
        world.server.requests_of("spent").len(),
        1,
        "nothing is gained by asking again"
    );
    Ok(())
}

#[tokio::test]
async fn a_conversation_goes_from_one_api_to_the_other_and_back() -> Result<()> {
    let world = World::with_gpt_and(&QUICK.replace("retry_ms = 40", "retry_ms = 10")).await?;
    let effects = world.effects();
    let gone = || Fault::ServerError;
    // Anthropic answers the first, fails the second; OpenAI answers that and fails the third.
    let script = Script::new()
        .turn(shell(&effects.shell("first")).think("Anthropic's own thoughts."))
        .turn(
            shell(&effects.shell("second"))
                .think("The other's.")
                .fault(gone(), 4),
        )
        .turn(
            shell(&effects.shell("third"))
                .think("Again.")
                .fault(gone(), 4),
        )
        .turn(Turn::text("All three."));
    world.server.script("both", script);
    let flags = ["--policy", "hands-off", "--fallback", "gpt"];
    let id = world.start("both", &flags).await?;
    let run = world.wait(&id, &["failed", "completed"]).await?;
    assert_eq!(run["state"], "failed", "both failed: {run:#}");
    world.json(&["resume", &id]).await?;
    let run = world.completed(&id).await?;
    for effect in ["first", "second", "third"] {
        effects.at_most_once(effect)?;
    }
    assert_eq!(run["answered_by"], json!(["claude-sonnet-5-5", GPT]));
    let paths: Vec<String> = world
        .server
        .requests_of("both")
        .into_iter()
        .filter(|request| request.billed.is_some())
        .map(|request| request.path)
        .collect();
    let (messages, chat) = ("/v1/messages", "/v1/chat/completions");
    assert_eq!(paths, [messages, chat, messages, messages]);
    assert_eq!(nano(&run["cost_usd"])?, 3 * 2_500_000 + 3_250_000);
    Ok(())
}

#[tokio::test]
async fn a_server_without_key_usage_or_order_works_and_says_what_is_estimated() -> Result<()> {
    let world = World::new().await?;
    world.server.set_manner(Manner::Plain);
    world.server.script("mend", mend());
    world
        .add_openai("local", &["--model", "tiny:8b", "--free"])
        .await?;
    let flags = ["--backend", "local", "--verify", "sh test.sh"];
    let id = world.start("mend", &flags).await?;
    let run = world.completed(&id).await?;
    assert_eq!(nano(&run["cost_usd"])?, 0);
    ensure!(
        run["usage"]["input"].as_u64() > Some(1_000),
        "estimated: {run:#}"
    );
    assert!(
        world
            .server
            .requests_of("mend")
            .iter()
            .all(|request| request.key == "none")
    );
    let logs = world.cli(&["logs", &id]).await?.ok()?.stdout;
    assert_eq!(
        logs.matches("does not report what its calls consume")
            .count(),
        1,
        "{logs}"
    );

    // The same with a model that has a price: an estimate, and marked as one.
    world
        .add_openai("priced", &["--model", "gpt-5.4-mini"])
        .await?;
    let id = world
        .start("mend", &["--backend", "priced", "--policy", "hands-off"])
        .await?;
    let run = world.completed(&id).await?;
    ensure!(nano(&run["cost_usd"])? > 0, "{run:#}");
    let rows = world.json(&["cost", "--by", "backend"]).await?;
    let mut rows = rows["rows"].as_array().into_iter().flatten();
    let row = rows.find(|row| row["key"] == "priced").context("its row")?;
    assert_eq!(row["estimated_usd"], run["cost_usd"], "{row:#}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_ignores_tools_ends_the_run_in_words() -> Result<()> {
    let world = World::with_gpt().await?;
    let call =
        "<tool_call>\n{\"name\": \"read\", \"arguments\": {\"path\": \"calc.sh\"}}\n</tool_call>";
    world
        .server
        .script("deaf", Script::new().turn(Turn::text(call)));
    let id = world.start("deaf", &ON_GPT).await?;
    let run = world.wait(&id, &["failed", "completed"]).await?;
    assert_eq!(
        (&run["state"], &run["cause"]),
        (&"failed".into(), &"backend".into())
    );
    ensure!(
        text(&run, "detail")?.contains("tool calls as text"),
        "{run:#}"
    );
    assert_eq!(nano(&run["cost_usd"])?, 3_250_000, "the answer is paid for");
    // One who has shown that it can is reminded.
    let slip = Script::new()
        .turn(shell("true"))
        .turn(Turn::text(call))
        .turn(Turn::text("Done after all."));
    world.server.script("slip", slip);
    let flags = [&ON_GPT[..], &["--policy", "hands-off"]].concat();
    let id = world.start("slip", &flags).await?;
    let run = world.completed(&id).await?;
    assert_eq!(run["result"], "Done after all.");
    ensure!(world.said_to_model("slip").contains("written as text"));
    Ok(())
}

#[tokio::test]
async fn another_model_than_was_asked_for_is_said() -> Result<()> {
    let world = World::with_gpt().await?;
    let swapped = Script::new().turn(Turn::text("Hello.").model("gpt-5.4-nano"));
    world.server.script("swap", swapped);
    let id = world.start("swap", &ON_GPT).await?;
    let run = world.completed(&id).await?;
    assert_eq!(run["answered_by"], json!(["gpt-5.4-nano"]));
    assert_eq!(
        nano(&run["cost_usd"])?,
        1_000 * 200 + 50 * 1_250,
        "at its own price"
    );
    let logs = world.cli(&["logs", &id]).await?.ok()?.stdout;
    ensure!(
        logs.contains("asked for the model gpt-5.4; the answer says that it is from gpt-5.4-nano"),
        "{logs}"
    );
    Ok(())
}

#[tokio::test]
async fn a_backend_is_tried_and_says_what_it_promises() -> Result<()> {
    let world = World::with_gpt().await?;
    let test = world.cli(&["backend", "test", "gpt"]).await?.ok()?.stdout;
    ensure!(test.contains("models offered"), "{test}");
    world
        .add_openai("odd", &["--model", "gpt-0", "--key-env", "LH_TEST_KEY"])
        .await?;
    let test = world.cli(&["backend", "test", "odd"]).await?;
    ensure!(
        test.code == 1 && test.stdout.contains("does not know the model"),
        "{test:?}"
    );
    let list = world.json(&["backend", "list"]).await?;
    let gpt = list["backends"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|b| b["name"] == "gpt");
    let promises = gpt.context("gpt")?["promises"]
        .as_array()
        .context("promises")?
        .clone();
    assert_eq!(promises[0]["of"], "cost");
    assert_eq!(promises.len(), 5);
    for (args, words) in [
        (
            vec!["--kind", "openai", "--model", "m"],
            "the OpenAI API needs a key",
        ),
        (
            vec![
                "--kind",
                "openai",
                "--url",
                "https://example.invalid/v1",
                "--model",
                "m",
            ],
            "needs a key",
        ),
        (
            vec!["--kind", "openai", "--url", "http://127.0.0.1:9"],
            "needs a model",
        ),
    ] {
        let out = world
            .cli(&[&["backend", "add", "new"][..], &args].concat())
            .await?;
        ensure!(out.code == 2 && out.stderr.contains(words), "{out:?}");
    }
    let found = world.json(&["backend", "found"]).await?;
    ensure!(
        found["agents"].is_array() && found["servers"].is_array(),
        "{found:#}"
    );
    Ok(())
}
