//! Going back to a checkpoint and forks: conversation and files together, undone by going
//! back once more, whatever dies when.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::model_server::{Script, Turn};

use crate::support::{SOON, World, open_review, shell, text};

/// A model that writes `one`, `two`, `three`, a step each, and ends.
fn counting() -> Script {
    let write = |name: &str| {
        Turn::new().tool(
            "write",
            json!({"path": name, "content": format!("{name}\n")}),
        )
    };
    Script::new()
        .turn(write("one"))
        .turn(write("two"))
        .turn(write("three"))
        .turn(Turn::text("I counted to three."))
}

fn files(run: &Value) -> Result<PathBuf> {
    Ok(PathBuf::from(text(&run["workspace"], "path")?))
}

fn there(folder: &Path) -> Vec<&'static str> {
    let mut names = vec!["one", "two", "three", "four"];
    names.retain(|name| folder.join(name).exists());
    names
}

async fn counted(world: &World) -> Result<(String, PathBuf)> {
    world.server.script("count", counting());
    let id = world.start("count", &["--policy", "hands-off"]).await?;
    let run = world.completed(&id).await?;
    Ok((id, files(&run)?))
}

#[tokio::test]
async fn a_completed_run_goes_back_and_on_and_the_way_back_is_undone() -> Result<()> {
    let world = World::new().await?;
    let (id, folder) = counted(&world).await?;
    let before = world.project.head()?;
    assert_eq!(there(&folder), ["one", "two", "three"]);

    let said = world
        .json(&["rollback", &id, "--to", "cp1", "--dry-run"])
        .await?;
    assert_eq!(said["steps_undone"], 3, "{said:#}");
    assert_eq!(said["files_changed"], 2, "{said:#}");
    assert_eq!(there(&folder), ["one", "two", "three"], "only said");

    let went = world.json(&["rollback", &id, "--to", "cp1"]).await?;
    assert_eq!(went["state"], "paused", "{went:#}");
    assert_eq!(there(&folder), ["one"]);
    let run = world.json(&["show", &id]).await?;
    assert_eq!(run["state"], "paused");
    assert_eq!(run["result"], Value::Null);
    let undone: Vec<bool> = run["checkpoints"]
        .as_array()
        .context("checkpoints")?
        .iter()
        .map(|c| c["undone"] == true)
        .collect();
    assert_eq!(undone, [false, true, true, true]);

    // What it undid comes back, to the result itself.
    let undo = text(&went, "undo")?;
    world.json(&["rollback", &id, "--to", &undo]).await?;
    assert_eq!(there(&folder), ["one", "two", "three"]);
    world.json(&["rollback", &id, "--to", "cp2"]).await?;
    assert_eq!(there(&folder), ["one", "two"]);

    // It goes on from there: the model is asked for what follows its second answer.
    let asked = world.server.requests_of("count").len();
    world.json(&["resume", &id]).await?;
    let run = world.completed(&id).await?;
    assert_eq!(there(&folder), ["one", "two", "three"]);
    let turns: Vec<usize> = world.server.requests_of("count")[asked..]
        .iter()
        .map(|request| request.turn)
        .collect();
    assert_eq!(turns, [2, 3]);
    assert_eq!(run["result"], "I counted to three.");
    assert_eq!(
        (world.project.head()?, world.project.status()?),
        (before, String::new())
    );
    let report = world.cli(&["doctor", "--json"]).await?.ok()?;
    ensure!(report.code == 0, "{report:?}");
    Ok(())
}

#[tokio::test]
async fn resume_from_goes_back_first() -> Result<()> {
    let world = World::new().await?;
    let (id, folder) = counted(&world).await?;
    let asked = world.server.requests_of("count").len();
    world.json(&["resume", &id, "--from", "cp1"]).await?;
    world.completed(&id).await?;
    assert_eq!(there(&folder), ["one", "two", "three"]);
    assert_eq!(world.server.requests_of("count").len(), asked + 3);
    let cost = world.json(&["show", &id]).await?;
    assert_eq!(cost["usage"]["requests"], 7, "what was spent stays spent");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_said_and_what_is_asked_is_withdrawn() -> Result<()> {
    let world = World::new().await?;
    let effects = world.effects();
    world.server.script(
        "deploy",
        Script::new()
            .turn(Turn::new().tool("write", json!({"path": "one", "content": "1"})))
            .turn(shell("cat one"))
            .turn(shell(&effects.shell("deployed")))
            .turn(shell("touch four.key"))
            .turn(Turn::text("done")),
    );
    let id = world.start("deploy", &[]).await?;
    let review = text(&world.review(&id, "tool_call").await?, "id")?;
    world.cli(&["approve", &review]).await?.ok()?;
    effects.wait_for("deployed", 1, SOON).await?;
    let second = world
        .daemon
        .wait_shown(&id, SOON, |run| {
            open_review(run, "tool_call").is_some_and(|r| r["id"] != review.as_str())
        })
        .await?;
    let second = open_review(&second, "tool_call").context("a review")?;

    let went = world.json(&["rollback", &id, "--to", "cp1"]).await?;
    let told = &went["consequences"];
    let effects_told = told["not_undone"].as_array().map(Vec::len);
    assert_eq!(effects_told, Some(1), "looking is no effect: {told:#}");
    let effect = &told["not_undone"][0];
    assert_eq!(
        (&effect["name"], &effect["step"]),
        (&json!("shell"), &json!(3)),
        "{told:#}"
    );
    assert_eq!(
        told["reviews_withdrawn"].as_array().map(Vec::len),
        Some(1),
        "{told:#}"
    );
    assert_eq!(world.json(&["reviews"]).await?["reviews"], json!([]));
    let late = world.cli(&["approve", &text(&second, "id")?]).await?;
    ensure!(late.code != 0, "its review is withdrawn: {late:?}");

    // Nothing of it is done a second time unasked.
    world.json(&["resume", &id]).await?;
    world.review(&id, "tool_call").await?;
    assert_eq!(effects.count("deployed")?, 1);
    Ok(())
}

#[tokio::test]
async fn only_a_run_at_rest_goes_back_and_bad_names_are_said() -> Result<()> {
    let world = World::new().await?;
    world.server.script("count", counting());
    let gate = world.server.hold("count", 2);
    let id = world.start("count", &["--policy", "hands-off"]).await?;
    gate.arrived(SOON).await?;
    let busy = world.cli(&["rollback", &id, "--to", "cp1"]).await?;
    ensure!(
        busy.code == 2 && busy.stderr.contains("running"),
        "{busy:?}"
    );
    gate.release();
    let run = world.completed(&id).await?;
    let unknown = world.cli(&["rollback", &id, "--to", "cp99"]).await?;
    ensure!(
        unknown.code == 2 && unknown.stderr.contains("cp99"),
        "{unknown:?}"
    );
    let nonsense = world.cli(&["fork", &id, "--from", "yesterday"]).await?;
    ensure!(nonsense.code == 2, "{nonsense:?}");
    world.json(&["discard", &id]).await?;
    for args in [
        ["rollback", &id, "--to", "cp1"],
        ["fork", &id, "--from", "cp1"],
    ] {
        let gone = world.cli(&args).await?;
        ensure!(
            gone.code == 2 && gone.stderr.contains("discarded"),
            "{gone:?}"
        );
    }
    ensure!(!files(&run)?.exists());
    Ok(())
}

#[tokio::test]
async fn thirty_eight_times_back_and_forth_leave_nothing_behind() -> Result<()> {
    let world = World::new().await?;
    let (id, folder) = counted(&world).await?;
    let (head, status) = (world.project.head()?, world.project.status()?);
    for turn in 0..19 {
        world.json(&["rollback", &id, "--to", "cp1"]).await?;
        assert_eq!(there(&folder), ["one"], "turn {turn}");
        world.json(&["rollback", &id, "--to", "cp3"]).await?;
        assert_eq!(there(&folder), ["one", "two", "three"], "turn {turn}");
    }
    assert_eq!(
        (world.project.head()?, world.project.status()?),
        (head, status)
    );
    world.project.git(&["fsck", "--strict"])?;
    world.json(&["resume", &id]).await?;
    world.completed(&id).await?;
    let report = world.cli(&["doctor"]).await?;
    ensure!(report.code == 0, "{report:?}");
    Ok(())
}

#[tokio::test]
async fn a_fork_goes_its_own_way_with_its_own_files_ledger_and_budget() -> Result<()> {
    let world = World::new().await?;
    let (parent, folder) = counted(&world).await?;
    let fork = world
        .json(&[
            "fork",
            &parent,
            "--from",
            "cp2",
            "--message",
            "Count to four instead.",
        ])
        .await?;
    let id = text(&fork, "id")?;
    assert_eq!(
        (&fork["parent"], &fork["checkpoint"]),
        (&json!(parent), &json!("cp2"))
    );
    let run = world.completed(&id).await?;
    let own = files(&run)?;
    ensure!(own != folder);
    assert_eq!(there(&own), ["one", "two", "three"]);
    assert_eq!(run["fork"], json!({"run": parent, "checkpoint": "cp2"}));
    assert_eq!(run["usage"]["requests"], 2, "{run:#}");
    ensure!(
        world
            .said_to_model("count")
            .contains("Count to four instead.")
    );
    ensure!(
        world
            .said_to_model("count")
            .contains("Please do what is needed")
    );

    let shown = world.json(&["show", &parent]).await?;
    assert_eq!(
        shown["usage"]["requests"], 4,
        "the parent's ledger is its own"
    );
    let diff = world.json(&["diff", &id]).await?;
    assert_eq!(
        diff["files"],
        json!(["one", "three", "two"]),
        "all since the user's commit"
    );
    // It needs nothing of its parent any more.
    world.json(&["discard", &parent]).await?;
    world.json(&["rollback", &id, "--to", "cp1"]).await?;
    assert_eq!(there(&own), ["one", "two"]);
    let applied = world.json(&["apply", &id, "--as", "branch"]).await?;
    let branch = text(&applied, "target")?;
    assert_eq!(
        world.project.git(&["show", &format!("{branch}:two")])?,
        "two\n"
    );
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_dies_while_a_run_goes_back_finishes_it() -> Result<()> {
    for point in [
        "engine.rolled_back",
        "workspace.snapshot_committed",
        "engine.files_restored",
    ] {
        let mut world = World::new().await?;
        let (id, folder) = counted(&world).await?;
        fs::write(folder.join("four"), "by the user, in the clone")?;
        world.daemon.terminate().await?;
        world.daemon.env_once("LONGHAUL_CRASH_AT", point);
        world.daemon.launch().await?;
        let cut = world.cli(&["rollback", &id, "--to", "cp1"]).await?;
        ensure!(cut.code != 0, "{point}: the daemon died: {cut:?}");
        world.daemon.wait_exit(SOON).await?;
        world.daemon.launch().await?;
        let run = world.json(&["show", &id]).await?;
        match point {
            // Nothing was recorded yet: nothing happened.
            "workspace.snapshot_committed" => {
                assert_eq!(run["state"], "completed", "{point}");
                assert_eq!(there(&folder), ["one", "two", "three", "four"], "{point}");
            }
            _ => {
                assert_eq!(run["state"], "paused", "{point}");
                assert_eq!(there(&folder), ["one"], "{point}");
                // What stood there before is not lost.
                world.json(&["rollback", &id, "--to", "cp5"]).await?;
                assert_eq!(there(&folder), ["one", "two", "three", "four"], "{point}");
            }
        }
        let report = world.cli(&["doctor"]).await?;
        ensure!(report.code == 0, "{point}: {report:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_fork_survives_a_daemon_that_dies_right_after_it() -> Result<()> {
    let mut world = World::new().await?;
    let (parent, _) = counted(&world).await?;
    world.daemon.terminate().await?;
    world.daemon.env_once("LONGHAUL_CRASH_AT", "engine.forked");
    world.daemon.launch().await?;
    let cut = world.cli(&["fork", &parent, "--from", "cp1"]).await?;
    ensure!(cut.code != 0, "the daemon died: {cut:?}");
    world.daemon.wait_exit(SOON).await?;
    world.daemon.launch().await?;
    let runs = world.json(&["runs"]).await?;
    let fork = runs["runs"]
        .as_array()
        .context("runs")?
        .iter()
        .find(|run| run["id"] != parent.as_str())
        .context("the fork is there")?
        .clone();
    let run = world.completed(&text(&fork, "id")?).await?;
    assert_eq!(there(&files(&run)?), ["one", "two", "three"]);
    Ok(())
}

#[tokio::test]
async fn in_place_the_users_own_changes_come_back_with_the_way_back() -> Result<()> {
    let world = World::new().await?;
    world.server.script("count", counting());
    let flags = ["--policy", "hands-off", "--workspace", "in-place"];
    let id = world.start("count", &flags).await?;
    world.completed(&id).await?;
    let project = world.project.path().to_owned();
    fs::write(project.join("four"), "mine")?;
    let said = world
        .json(&["rollback", &id, "--to", "cp1", "--dry-run"])
        .await?;
    ensure!(
        said["remarks"].to_string().contains("your own changes"),
        "{said:#}"
    );
    let went = world.json(&["rollback", &id, "--to", "cp1"]).await?;
    assert_eq!(there(&project), ["one"]);
    world
        .json(&["rollback", &id, "--to", &text(&went, "undo")?])
        .await?;
    assert_eq!(there(&project), ["one", "two", "three", "four"]);
    assert_eq!(fs::read_to_string(project.join("four"))?, "mine");
    let refused = world.cli(&["fork", &id, "--from", "cp1"]).await?;
    ensure!(
        refused.code == 2 && refused.stderr.contains("in the project itself"),
        "{refused:?}"
    );

    // While another run works there, nobody takes the files away from under it.
    let gate = world.server.hold("count", 1);
    let other = world.start("count", &flags).await?;
    gate.arrived(SOON).await?;
    let busy = world.cli(&["rollback", &id, "--to", "cp1"]).await?;
    ensure!(busy.code == 2 && busy.stderr.contains(&other), "{busy:?}");
    assert_eq!(there(&project), ["one", "two", "three", "four"]);
    gate.release();
    world.completed(&other).await?;
    Ok(())
}
