//! What agents with a key get instead of it: the gateway, which lets in its own, counts what
//! passes, and keeps to budgets and limits.

pub(crate) mod caller;

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testkit::model_server::{Fault, HoldPoint, Outcome, Script, Turn, Usage};

use self::caller::Caller;
use crate::support::{KEY, QUICK, SOON, World, nano, text};

async fn world() -> Result<World> {
    let world = World::with(QUICK).await?;
    world.server.name_key(KEY, "ours");
    let cached = Usage {
        cache_read: 5_000,
        ..Usage::of(900, 80)
    };
    let written = Usage {
        cache_write_5m: 70,
        ..cached.clone()
    };
    for (name, usage) in [("plain", cached), ("written", written)] {
        let answer = Turn::text("Well then.").usage(usage);
        world.server.script(name, Script::new().turn(answer));
    }
    Ok(world)
}

#[tokio::test]
async fn the_gateway_lets_in_its_own_agents_and_nobody_else() -> Result<()> {
    let world = world().await?;
    let agent = Caller::start(&world, "claude-code", &[]).await?;
    let other = Caller::start(&world, "codex", &[]).await?;
    let before = world.server.requests().len();

    // Nobody's token, a forged one, none; another host, a proxy's request, other paths.
    let (own, body) = (agent.address.clone(), r#"{"model":"claude-sonnet-5-5"}"#);
    for token in [
        KEY,
        "",
        &agent.token.replace("-1-", "-2-"),
        &other.token[..40],
    ] {
        let got = agent.with_token(token).message("[[script:plain]]").await?;
        ensure!(got.status == 403, "{token}: {got:?}");
    }
    let refused = [
        ("POST /v1/messages", "api.anthropic.com", 403),
        (
            "POST http://api.anthropic.com/v1/messages",
            own.as_str(),
            403,
        ),
        ("CONNECT api.anthropic.com:443", own.as_str(), 403),
        ("POST /v1/files", own.as_str(), 404),
        ("POST /v1/responses", own.as_str(), 404),
        ("GET /v1/messages", own.as_str(), 404),
    ];
    for (line, host, status) in refused {
        let got = agent.send(line, host, body).await?;
        ensure!(got.status == status, "{line} at {host}: {got:?}");
    }
    // The other agent's token opens the other agent's server only.
    let got = agent
        .with_token(&other.token)
        .message("[[script:plain]]")
        .await?;
    ensure!(got.status == 404, "{got:?}");
    assert_eq!(
        world.server.requests().len(),
        before,
        "nothing of it was passed on"
    );

    // Its own token: the server gets the key, and the bytes as they were.
    let text = "zwölf Boxkämpfer [[script:plain]]";
    let got = agent.message(text).await?;
    ensure!(
        got.status == 200 && got.text.contains("message_stop"),
        "{got:?}"
    );
    let request = world.server.requests().pop().context("a request")?;
    let came = (request.key.as_str(), request.path.as_str());
    assert_eq!(came, ("ours", "/v1/messages?beta=true"));
    assert_eq!(request.body["messages"][0]["content"], text);

    world.cli(&["cancel", &agent.run]).await?.ok()?;
    world.wait(&agent.run, &["cancelled"]).await?;
    let sent = world.server.requests().len();
    let until = tokio::time::Instant::now() + SOON;
    while agent.message(text).await?.status != 403 {
        ensure!(
            tokio::time::Instant::now() < until,
            "its token is still good"
        );
    }
    assert!(
        world.server.requests().len() <= sent + 1,
        "nothing passes after the end"
    );
    no_secret_is_written(&world, &[&agent.token, &other.token])
}

#[tokio::test]
async fn calls_are_counted_exactly_and_what_was_cut_is_named() -> Result<()> {
    const EACH: usize = 333;
    let world = world().await?;
    let cut = Turn::text("This is never finished, however long it is.").usage(Usage::of(50, 40));
    let cut = cut.fault(Fault::CutMid { after_events: 3 }, u32::MAX);
    world.server.script("cut", Script::new().turn(cut));
    let again = Turn::text("At last.").usage(Usage::of(30, 20));
    world.server.script(
        "again",
        Script::new().turn(again.fault(Fault::ServerError, 1)),
    );
    let claude = Caller::start(&world, "claude-code", &["--max-cost", "1000"]).await?;
    let codex = Caller::start(&world, "codex", &["--max-cost", "1000"]).await?;

    // Limits are met on the way, and waited out.
    world.server.inject(
        Fault::RateLimit {
            retry_after_s: None,
        },
        1,
    );
    let mut calls = tokio::task::JoinSet::new();
    let room = std::sync::Arc::new(tokio::sync::Semaphore::new(24));
    for n in 0..3 * EACH + 1 {
        let (claude, codex) = (claude.clone(), codex.clone());
        let room = room.clone();
        calls.spawn(async move {
            let _one = room.acquire_owned().await?;
            let script = match n % 20 {
                7 => "cut",
                13 => "again",
                // The price book knows of no writes to the other's cache.
                1 | 2 if n % 3 == 0 => "written",
                _ => "plain",
            };
            let prompt = format!("call {n} [[script:{script}]]");
            loop {
                let got = match n % 3 {
                    0 => claude.message(&prompt).await?,
                    1 => codex.response(&prompt).await?,
                    _ => codex.chat(&prompt).await?,
                };
                // As agents do.
                if got.status != 500 {
                    return anyhow::Ok((script, got));
                }
            }
        });
    }
    while let Some(done) = calls.join_next().await {
        let (script, got) = done??;
        ensure!(got.status == 200, "{script}: {got:?}");
    }
    let billed = world.server.ledger();
    let (mut told, mut unsettled) = ([0_u64; 4], 0);
    for caller in [&claude, &codex] {
        world.cli(&["cancel", &caller.run]).await?.ok()?;
        world.wait(&caller.run, &["cancelled"]).await?;
        for charge in charges(&world, &caller.run).await? {
            if charge["figure"] == "unsettled" {
                unsettled += 1;
                ensure!(nano(&charge["cost"])? > 0, "{charge:#}");
                continue;
            }
            assert_eq!(charge["figure"], "priced", "{charge:#}");
            let tokens = &charge["tokens"];
            let counts = ["input", "output", "cache_read", "cache_write"];
            for (sum, name) in told.iter_mut().zip(counts) {
                *sum += tokens[name].as_u64().unwrap_or(0);
            }
        }
    }
    let sent = billed.totals_of(|row| row.delivered == testkit::model_server::Delivered::Full);
    let sent_counts = [
        sent.input,
        sent.output,
        sent.cache_read,
        sent.cache_write_5m,
    ];
    assert_eq!(told, sent_counts, "what the server counted");
    let cuts = |row: &&testkit::model_server::LedgerRow| {
        row.delivered == testkit::model_server::Delivered::Cut
    };
    let cuts = billed.rows.iter().filter(cuts).count();
    assert_eq!(unsettled, cuts);
    ensure!(cuts >= 3 * EACH / 20, "{cuts} were cut");
    Ok(())
}

#[tokio::test]
async fn a_call_under_way_when_the_daemon_dies_is_named_and_the_way_is_open_again() -> Result<()> {
    let mut world = world().await?;
    let agent = Caller::start(&world, "claude-code", &[]).await?;
    ensure!(agent.call("plain", "before").await?.status == 200);
    let booked = |run: &Value| run["cost_usd"] != "0";
    world.daemon.wait_shown(&agent.run, SOON, booked).await?;
    let held = world.server.hold_at("held", 0, HoldPoint::BeforeAnswer);
    world
        .server
        .script("held", Script::new().turn(Turn::text("Never heard.")));
    let under_way = tokio::spawn({
        let agent = agent.clone();
        async move { agent.call("held", "under way").await }
    });
    held.arrived(SOON).await?;
    world.daemon.kill9()?;
    let got = under_way.await?;
    ensure!(got.map_or(0, |got| got.status) == 0, "it had no answer");
    held.release();

    world.daemon.launch().await?;
    world.wait(&agent.run, &["running"]).await?;
    let got = agent.call("plain", "after").await?;
    ensure!(got.status == 200, "the same address and token: {got:?}");
    world.cli(&["cancel", &agent.run]).await?.ok()?;
    world.wait(&agent.run, &["cancelled"]).await?;
    let charges = charges(&world, &agent.run).await?;
    let figures: Vec<&Value> = charges.iter().map(|charge| &charge["figure"]).collect();
    assert_eq!(figures, ["priced", "unsettled", "priced"]);
    let logs = world.cli(&["logs", &agent.run]).await?.ok()?.stdout;
    ensure!(
        logs.contains("ended while a call of claude-sonnet-5-5 was under way"),
        "{logs}"
    );
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_dies_at_any_boundary_of_a_call_hides_none() -> Result<()> {
    for point in ["engine.call_written_ahead", "engine.call_answered"] {
        let mut world = world().await?;
        world.daemon.kill9()?;
        world.daemon.env_once("LONGHAUL_CRASH_AT", point);
        world.daemon.launch().await?;
        let agent = Caller::start(&world, "claude-code", &[]).await?;
        // It may have had its answer, or not been sent at all.
        let _ = agent.call("plain", "the only one").await;
        world.daemon.wait_exit(SOON).await?;
        world.daemon.launch().await?;
        world.wait(&agent.run, &["running"]).await?;
        ensure!(agent.call("plain", "after").await?.status == 200);
        world.cli(&["cancel", &agent.run]).await?.ok()?;
        world.wait(&agent.run, &["cancelled"]).await?;
        let charges = charges(&world, &agent.run).await?;
        let figures: Vec<&Value> = charges.iter().map(|charge| &charge["figure"]).collect();
        assert_eq!(figures, ["unsettled", "priced"], "{point}");
    }
    Ok(())
}

#[tokio::test]
async fn a_budget_that_is_used_up_is_refused_and_asked_about() -> Result<()> {
    let world = world().await?;
    let dear = Turn::text("Dear.").usage(Usage::of(100_000, 1_000));
    world.server.script("dear", Script::new().turn(dear));
    let agent = Caller::start(&world, "claude-code", &["--max-cost", "0.2"]).await?;
    ensure!(agent.call("dear", "first").await?.status == 200);
    let sent = world.server.requests().len();
    let got = agent.call("dear", "second").await?;
    ensure!(got.status == 400 && got.text.contains("budget"), "{got:?}");
    assert_eq!(world.server.requests().len(), sent, "it was never sent");
    let review = world.review(&agent.run, "budget").await?;
    ensure!(text(&review, "detail")?.contains("$0.2"), "{review:#}");
    let run = world.json(&["show", &agent.run]).await?;
    assert_eq!(
        nano(&run["cost_usd"])?,
        210_000_000,
        "what was sent is counted"
    );
    Ok(())
}

#[tokio::test]
async fn a_limit_is_waited_out_for_the_agent() -> Result<()> {
    let world = world().await?;
    let agent = Caller::start(&world, "claude-code", &[]).await?;
    let limit = Fault::RateLimit {
        retry_after_s: Some(2),
    };
    world.server.inject(limit, 1);
    let asked = tokio::spawn({
        let agent = agent.clone();
        async move { agent.call("plain", "limited").await }
    });
    let run = world.wait(&agent.run, &["waiting"]).await?;
    assert_eq!(run["cause"], "rate_limit", "{run:#}");
    let got = asked.await??;
    ensure!(got.status == 200, "the agent hears of no limit: {got:?}");
    let requests = world.server.requests();
    let times: Vec<u64> = requests.iter().map(|request| request.at_ms).collect();
    ensure!(
        times
            .windows(2)
            .last()
            .is_some_and(|w| w[1] - w[0] >= 1_900),
        "{times:?}"
    );
    world.wait(&agent.run, &["running"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_refused_is_asked_about_once_and_the_run_goes_on() -> Result<()> {
    let world = world().await?;
    let agent = Caller::start(&world, "claude-code", &[]).await?;
    world.server.set_valid_key(Some("test-key-not-real-0002"));
    let got = agent.call("plain", "refused").await?;
    ensure!(matches!(got.status, 401 | 0), "{got:?}");
    let run = world.wait(&agent.run, &["waiting"]).await?;
    assert_eq!(run["cause"], "auth", "{run:#}");
    world.review(&agent.run, "auth").await?;
    world.server.set_valid_key(None);
    world.wait(&agent.run, &["running"]).await?;
    let refused = world.server.requests().into_iter();
    let refused = refused.filter(|r| matches!(r.outcome, Outcome::Error { status: 401, .. }));
    ensure!(
        refused
            .filter(|r| r.path.starts_with("/v1/messages"))
            .count()
            == 1
    );
    Ok(())
}

/// Every charge of a run, oldest first.
async fn charges(world: &World, run: &str) -> Result<Vec<Value>> {
    let out = world.cli(&["logs", run, "--json"]).await?.ok()?;
    let events = out.stdout.lines().map(serde_json::from_str::<Value>);
    let mut charges = Vec::new();
    for event in events {
        let charge = &event?["event"]["charge"];
        if !charge.is_null() {
            charges.push(charge.clone());
        }
    }
    Ok(charges)
}

/// Neither the key nor a token is in anything Longhaul or an agent writes.
pub(crate) fn no_secret_is_written(world: &World, tokens: &[&str]) -> Result<()> {
    fn look(folder: &Path, secrets: &[&str]) -> Result<()> {
        for entry in fs::read_dir(folder)?.flatten() {
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                look(&path, secrets)?;
            } else if kind.is_file() {
                let bytes = fs::read(&path).unwrap_or_default();
                for secret in secrets {
                    let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
                    ensure!(!found, "{} has {secret}", path.display());
                }
            }
        }
        Ok(())
    }
    let secrets = [&[KEY], tokens].concat();
    look(&world.daemon.home.path(), &secrets)?;
    look(&world.daemon.home.user_home(), &secrets)?;
    for secret in secrets {
        ensure!(!world.daemon.log().contains(secret), "the log has {secret}");
    }
    Ok(())
}

/// What of Longhaul's processes, the daemon aside, knows the key.
pub(crate) fn no_process_has_the_key(world: &World) -> Result<()> {
    let daemon = world.daemon.pid();
    let processes = world.daemon.home.processes();
    ensure!(processes.len() > 1, "an agent is to be looked at");
    for process in processes.iter().filter(|process| process.pid != daemon) {
        for what in ["environ", "cmdline"] {
            let bytes = fs::read(format!("/proc/{}/{what}", process.pid)).unwrap_or_default();
            let found = String::from_utf8_lossy(&bytes).contains(KEY);
            ensure!(!found, "the key is in {what} of {process:?}");
        }
    }
    Ok(())
}
