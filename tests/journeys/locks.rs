//! Runs in the user's own folders: never two at once where they overlap.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::model_server::{Script, Turn};

use crate::applying::until;
use crate::support::{QUICK, SOON, World, home, op, shell, text};

/// Starts an in-place run of a script in a folder, and does not wait; its id.
async fn start_in(world: &World, folder: &Path, script: &str, flags: &[&str]) -> Result<String> {
    fs::create_dir_all(folder)?;
    let prompt = format!("Please do what is needed. [[script:{script}]]");
    let folder = folder.display().to_string();
    let fixed = [
        "run",
        "--detach",
        "--backend",
        "model",
        "--workspace",
        "in-place",
        "--project",
        &folder,
    ];
    let started = world.cli(&[&fixed, flags, &[&prompt]].concat()).await?;
    text(&started.ok()?.json(), "id")
}

fn write(file: &str, content: &str) -> Turn {
    Turn::new().tool("write", json!({"path": file, "content": content}))
}

/// A model that writes one file and ends.
fn writes(file: &str, content: &str) -> Script {
    Script::new()
        .turn(write(file, content))
        .turn(Turn::text("It is written."))
}

async fn waits_for_lock(world: &World, run: &str) -> Result<Value> {
    let waits = |run: &Value| run["state"] == "waiting" && run["cause"] == "lock";
    world.daemon.wait_shown(run, SOON, waits).await
}

/// The locks `daemon status` shows.
async fn locks(world: &World) -> Result<Vec<Value>> {
    let status = world.json(&["daemon", "status"]).await?;
    Ok(status["locks"].as_array().context("locks")?.clone())
}

#[tokio::test]
async fn the_second_of_two_runs_on_overlapping_folders_waits_and_says_for_whom() -> Result<()> {
    // Few slots: a run that waits for a folder must not keep others from working.
    let world = World::with(&QUICK.replace("slots = 4", "slots = 2")).await?;
    let app = world.daemon.home.place("app");
    world.server.script("first", writes("first.txt", "1"));
    world.server.script("second", writes("second.txt", "2"));
    world.server.script("third", writes("third.txt", "3"));
    let gate = world.server.hold("first", 0);
    let first = start_in(&world, &app, "first", &[]).await?;
    gate.arrived(SOON).await?;
    let second = start_in(&world, &app.join("sub"), "second", &[]).await?;
    let shown = waits_for_lock(&world, &second).await?;
    let detail = text(&shown, "detail")?;
    ensure!(
        detail.contains(&first) && detail.contains("UTC"),
        "{detail}"
    );
    let third = start_in(&world, &app.join("sub/deep"), "third", &[]).await?;
    waits_for_lock(&world, &third).await?;
    let held = locks(&world).await?;
    assert_eq!(held.len(), 1, "{held:#?}");
    assert_eq!(held[0]["run"], json!(first));
    assert_eq!(held[0]["scope"], json!(app.canonicalize()?));
    assert_eq!(held[0]["purpose"], "in-place");
    assert_eq!(held[0]["waiting"], json!([second, third]));
    let words = world.cli(&["daemon", "status"]).await?.ok()?.stdout;
    ensure!(
        words.contains("locked") && words.contains("2 waiting"),
        "{words}"
    );
    // A folder whose name only begins alike is another, and neither waiter has the slot.
    world.server.script("beside", writes("x.txt", "x"));
    let beside = start_in(&world, &world.daemon.home.place("app2"), "beside", &[]).await?;
    world.completed(&beside).await?;
    ensure!(world.server.requests_of("second").is_empty());
    gate.release();
    for run in [&first, &second, &third] {
        world.completed(run).await?;
    }
    let order: Vec<String> = world
        .server
        .requests()
        .into_iter()
        .map(|r| r.script)
        .collect();
    let at = |script: &str| order.iter().position(|s| s == script);
    let ended = |script: &str| order.iter().rposition(|s| s == script);
    ensure!(
        ended("first") < at("second") && ended("second") < at("third"),
        "{order:?}"
    );
    assert_eq!(fs::read_to_string(app.join("sub/second.txt"))?, "2");
    ensure!(locks(&world).await?.is_empty(), "all is given back");
    Ok(())
}

#[tokio::test]
async fn a_link_to_a_folder_is_that_folder_and_disjoint_folders_are_worked_on_at_once() -> Result<()>
{
    let world = World::new().await?;
    let (app, link) = (
        world.daemon.home.place("app"),
        world.daemon.home.place("link"),
    );
    fs::create_dir(&app)?;
    std::os::unix::fs::symlink(&app, &link)?;
    for script in ["one", "two", "other"] {
        world.server.script(script, writes("made.txt", script));
    }
    let (one_gate, other_gate) = (world.server.hold("one", 0), world.server.hold("other", 0));
    let one = start_in(&world, &app, "one", &[]).await?;
    one_gate.arrived(SOON).await?;
    let two = start_in(&world, &link, "two", &[]).await?;
    waits_for_lock(&world, &two).await?;
    let other = start_in(&world, &world.daemon.home.place("other"), "other", &[]).await?;
    other_gate.arrived(SOON).await?;
    assert_eq!(locks(&world).await?.len(), 2, "both work at once");
    other_gate.release();
    world.completed(&other).await?;
    one_gate.release();
    world.completed(&one).await?;
    world.completed(&two).await?;
    assert_eq!(fs::read_to_string(app.join("made.txt"))?, "two");
    Ok(())
}

#[tokio::test]
async fn holder_and_waiters_keep_their_order_when_the_daemon_is_killed() -> Result<()> {
    let mut world = World::new().await?;
    let app = world.daemon.home.place("app");
    for script in ["first", "second", "urgent"] {
        world.server.script(script, writes("log.txt", script));
    }
    let gate = world.server.hold("first", 1);
    let first = start_in(&world, &app, "first", &[]).await?;
    gate.arrived(SOON).await?;
    let second = start_in(&world, &app, "second", &[]).await?;
    waits_for_lock(&world, &second).await?;
    let urgent = start_in(&world, &app, "urgent", &["--priority", "5"]).await?;
    waits_for_lock(&world, &urgent).await?;
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    waits_for_lock(&world, &second).await?;
    waits_for_lock(&world, &urgent).await?;
    let held = |run: &str| {
        let run = run.to_owned();
        let world = &world;
        async move {
            let locks = locks(world).await?;
            ensure!(
                locks.len() == 1 && locks[0]["run"] == json!(run),
                "{locks:#?}"
            );
            Ok::<_, anyhow::Error>(locks[0]["waiting"].clone())
        }
    };
    assert_eq!(held(&first).await?, json!([urgent, second]));
    gate.release();
    for run in [&first, &urgent, &second] {
        world.completed(run).await?;
    }
    let last = |script: &str| {
        let requests = world.server.requests();
        requests.iter().rposition(|r| r.script == script)
    };
    ensure!(last("first") < last("urgent") && last("urgent") < last("second"));
    assert_eq!(fs::read_to_string(app.join("log.txt"))?, "second");
    let doctor = world.json(&["doctor"]).await?;
    assert_eq!(doctor["ok"], true, "{doctor:#}");
    Ok(())
}

#[tokio::test]
async fn a_stale_lock_is_taken_over_and_its_old_holder_writes_nothing() -> Result<()> {
    // The holder's signs of life are switched off: that is what a holder that hangs looks like.
    let mut home = home(&format!("{QUICK}lock_stale_after_s = 2\n"))?;
    home.set_env("LONGHAUL_SABOTAGE", "no_beat");
    let world = World::at(home).await?;
    let app = world.daemon.home.place("app");
    world.server.script(
        "slow",
        Script::new()
            .turn(write("mine.txt", "before"))
            .turn(write("shared.txt", "by the old holder, blindly"))
            .turn(Turn::text("I saw that it changed, and leave it.")),
    );
    world
        .server
        .script("quick", writes("shared.txt", "by the new holder"));
    let (slow_gate, quick_gate) = (world.server.hold("slow", 1), world.server.hold("quick", 1));
    let slow = start_in(&world, &app, "slow", &["--policy", "hands-off"]).await?;
    slow_gate.arrived(SOON).await?;
    let quick = start_in(&world, &app, "quick", &[]).await?;
    // The time after which it is stale passes while its model is silent.
    quick_gate.arrived(SOON).await?;
    assert_eq!(locks(&world).await?[0]["run"], json!(quick));
    slow_gate.release();
    // Its answer asks for a write, and the folder is another's.
    waits_for_lock(&world, &slow).await?;
    assert_eq!(
        fs::read_to_string(app.join("shared.txt"))?,
        "by the new holder"
    );
    quick_gate.release();
    world.completed(&quick).await?;
    world.completed(&slow).await?;
    assert_eq!(
        fs::read_to_string(app.join("shared.txt"))?,
        "by the new holder"
    );
    let told = world.said_to_model("slow");
    ensure!(told.contains("Files may have changed meanwhile"), "{told}");
    ensure!(
        told.contains("- shared.txt"),
        "what changed is named: {told}"
    );
    ensure!(told.contains("Not run: another run has worked"), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_command_in_a_folder_that_is_taken_over_is_killed_before_the_next_run_works_there()
-> Result<()> {
    let mut home = home(&format!("{QUICK}lock_stale_after_s = 2\n"))?;
    home.set_env("LONGHAUL_SABOTAGE", "no_beat");
    let world = World::at(home).await?;
    let app = world.daemon.home.place("app");
    let command = "echo begun > begun.txt; sleep 86423 & sleep 86424";
    world.server.script(
        "slow",
        Script::new()
            .turn(shell(command))
            .turn(Turn::text("It was killed, I see.")),
    );
    world
        .server
        .script("quick", writes("shared.txt", "by the new holder"));
    let slow = start_in(&world, &app, "slow", &["--policy", "hands-off"]).await?;
    until("its command works", || Ok(app.join("begun.txt").exists())).await?;
    let quick = start_in(&world, &app, "quick", &[]).await?;
    world.completed(&quick).await?;
    let left = living("sleep 8642");
    ensure!(left.is_empty(), "still at work in the folder: {left:?}");
    let slow = world.completed(&slow).await?;
    let killed = op(&slow, "shell")?;
    assert_eq!(killed["outcome"], "error", "{killed:#}");
    let told = world.said_to_model("slow");
    ensure!(
        told.contains("another run has taken over this folder"),
        "{told}"
    );
    ensure!(told.contains("Files may have changed meanwhile"), "{told}");
    Ok(())
}

/// Command lines of living processes that are called so.
fn living(name: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = processes.filter_map(|p| fs::read(p.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.starts_with(name))
        .collect()
}

#[tokio::test]
async fn a_waiter_can_be_cancelled_and_a_paused_holder_lets_others_in() -> Result<()> {
    let world = World::new().await?;
    let app = world.daemon.home.place("app");
    for script in ["holder", "gone", "next"] {
        world.server.script(script, writes("log.txt", script));
    }
    let gate = world.server.hold("holder", 0);
    let holder = start_in(&world, &app, "holder", &[]).await?;
    gate.arrived(SOON).await?;
    let gone = start_in(&world, &app, "gone", &[]).await?;
    waits_for_lock(&world, &gone).await?;
    let next = start_in(&world, &app, "next", &[]).await?;
    waits_for_lock(&world, &next).await?;
    world.json(&["cancel", &gone]).await?;
    let shown = world.wait(&gone, &["cancelled"]).await?;
    assert_eq!(shown["steps"], 0);
    world.json(&["pause", &holder]).await?;
    gate.release();
    world.completed(&next).await?;
    ensure!(world.server.requests_of("gone").is_empty());
    world.json(&["resume", &holder]).await?;
    world.completed(&holder).await?;
    assert_eq!(fs::read_to_string(app.join("log.txt"))?, "holder");
    ensure!(locks(&world).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_run_that_stays_interrupted_after_a_restart_holds_no_folder() -> Result<()> {
    let mut world = World::with(&format!("{QUICK}on_restart = \"ask\"\n")).await?;
    let app = world.daemon.home.place("app");
    world.server.script("first", writes("log.txt", "first"));
    world.server.script("second", writes("log.txt", "second"));
    let gate = world.server.hold("first", 0);
    let first = start_in(&world, &app, "first", &[]).await?;
    gate.arrived(SOON).await?;
    let second = start_in(&world, &app, "second", &[]).await?;
    waits_for_lock(&world, &second).await?;
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    world.completed(&second).await?;
    assert_eq!(world.json(&["show", &first]).await?["state"], "interrupted");
    gate.release();
    world.json(&["resume", &first]).await?;
    world.completed(&first).await?;
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_dies_with_a_folder_just_taken_has_it_again() -> Result<()> {
    let mut world = World::new().await?;
    let app = world.daemon.home.place("app");
    world.server.script("first", writes("first.txt", "1"));
    world.daemon.terminate().await?;
    world
        .daemon
        .env_once("LONGHAUL_CRASH_AT", "engine.leased")
        .launch()
        .await?;
    let id = start_in(&world, &app, "first", &[]).await?;
    world.daemon.wait_exit(SOON).await?;
    world.daemon.launch().await?;
    world.completed(&id).await?;
    assert_eq!(fs::read_to_string(app.join("first.txt"))?, "1");
    assert_eq!(locks(&world).await?, Vec::<Value>::new());
    Ok(())
}
