//! Giving a task, seeing it done, taking over the result.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testkit::{
    model_server::{Script, Turn},
    project::{CALC_BROKEN, CALC_FIXED, SampleProject},
};

use crate::support::{MODEL, SOON, World, mend, nano, op, text};

/// What scripts may rely on (DESIGN §6).
const FIELDS: [&str; 24] = [
    "id",
    "state",
    "cause",
    "causes",
    "backend",
    "kind",
    "model",
    "project",
    "workspace",
    "progress",
    "steps",
    "ops",
    "usage",
    "cost_usd",
    "unsettled_cost_usd",
    "budget",
    "checkpoints",
    "reviews",
    "result",
    "partial_result",
    "recovery",
    "answered_by",
    "title",
    "attempts",
];

fn has(value: &Value, fields: &[&str]) -> Result<()> {
    for field in fields {
        ensure!(value.get(field).is_some(), "no {field} in {value:#}");
    }
    Ok(())
}

#[tokio::test]
async fn a_task_is_done_and_the_result_taken_over() -> Result<()> {
    let world = World::new().await?;
    world.server.script("mend", mend());
    let before = world.project.head()?;

    let out = world
        .run("mend", &["--verify", "sh test.sh", "--json"])
        .await?;
    ensure!(out.code == 0, "{out:?}");
    let lines: Vec<Value> = out
        .stdout
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let id = text(&lines[0], "id")?;
    assert_eq!(lines.last().context("a last line")?["state"], "completed");

    // Nothing was written into the user's own tree.
    assert_eq!(world.project.status()?, "");
    assert_eq!(world.project.read("calc.sh")?, CALC_BROKEN);
    assert_eq!(world.project.head()?, before);

    let run = world.json(&["show", &id]).await?;
    check_shown(&world, &run)?;

    let diff = world.json(&["diff", &id]).await?;
    assert_eq!(diff["files"], serde_json::json!(["calc.sh"]), "{diff:#}");
    let applied = world.json(&["apply", &id, "--as", "branch"]).await?;
    let branch = text(&applied, "target")?;
    assert_eq!(
        world.project.git(&["show", &format!("{branch}:calc.sh")])?,
        CALC_FIXED
    );
    assert_eq!(
        world
            .project
            .git(&["rev-parse", &format!("{branch}~1")])?
            .trim(),
        before
    );
    assert_eq!(
        world.project.status()?,
        "",
        "applying to a branch leaves the checkout alone"
    );

    let path = PathBuf::from(text(&run["workspace"], "path")?);
    ensure!(path.exists());
    world.json(&["discard", &id]).await?;
    ensure!(!path.exists(), "the files are still there");
    let late = world.cli(&["diff", &id, "--json"]).await?;
    assert_eq!(
        (late.code, &late.json()["error"]["code"]),
        (2, &Value::from("conflict"))
    );
    // The journal stays.
    assert_eq!(
        world.json(&["show", &id]).await?["workspace"]["discarded"],
        true
    );
    Ok(())
}

fn check_shown(world: &World, run: &Value) -> Result<()> {
    has(run, &FIELDS)?;
    has(&run["workspace"], &["kind", "path", "branch"])?;
    has(
        &run["usage"],
        &["input", "output", "cache_read", "cache_write", "requests"],
    )?;
    assert_eq!(
        (&run["backend"], &run["kind"], &run["model"]),
        (&"model".into(), &"anthropic".into(), &MODEL.into())
    );
    assert_eq!(run["workspace"]["kind"], "clone");
    assert_eq!(run["answered_by"], serde_json::json!([MODEL]));
    assert_eq!(run["result"], "I mended add in calc.sh; its test passes.");
    assert_eq!(run["steps"], 4);
    ensure!(run["recovery"].is_null(), "{:#}", run["recovery"]);

    let ops = run["ops"].as_array().context("ops")?;
    for op in ops {
        has(
            op,
            &[
                "id",
                "step",
                "kind",
                "name",
                "class",
                "mode",
                "state",
                "started_at",
                "ended_at",
                "tokens",
                "cost_usd",
            ],
        )?;
        assert_eq!(
            (&op["mode"], &op["outcome"]),
            (&"gated".into(), &"ok".into()),
            "{op:#}"
        );
    }
    let names: Vec<&str> = ops.iter().filter_map(|op| op["name"].as_str()).collect();
    assert_eq!(
        names,
        [
            MODEL, "read", "read", MODEL, "edit", MODEL, "shell", MODEL, "verify"
        ]
    );
    assert_eq!(op(run, "read")?["class"], "pure");
    assert_eq!(op(run, "edit")?["class"], "reconcilable");
    assert_eq!(op(run, "shell")?["class"], "at-most-once");

    let checkpoints = run["checkpoints"].as_array().context("checkpoints")?;
    ensure!(!checkpoints.is_empty());
    has(&checkpoints[0], &["id", "step", "at"])?;

    // What the server billed, to the token and the nano-dollar.
    let billed = world.server.ledger().totals();
    let usage = &run["usage"];
    assert_eq!(
        (
            usage["input"].as_u64(),
            usage["output"].as_u64(),
            usage["requests"].as_u64()
        ),
        (
            Some(billed.input),
            Some(billed.output),
            Some(billed.requests)
        )
    );
    assert_eq!(nano(&run["cost_usd"])?, 4 * (1000 * 2_000 + 50 * 10_000));
    assert_eq!(nano(&run["unsettled_cost_usd"])?, 0);
    Ok(())
}

#[tokio::test]
async fn a_detached_run_goes_on_by_itself() -> Result<()> {
    let world = World::new().await?;
    world.server.script("mend", mend());
    world.server.pause_all();
    let id = world.start("mend", &["--verify", "sh test.sh"]).await?;
    let asks = |run: &Value| run["state"] == "running" && run["steps"] == 1;
    world.daemon.wait_shown(&id, SOON, asks).await?;
    let list = world.json(&["runs", "--state", "running"]).await?;
    assert_eq!(list["runs"][0]["id"], id.as_str());
    world.server.resume_all();
    assert_eq!(world.cli(&["wait", &id, "--timeout", "40s"]).await?.code, 0);
    // What a project's runs took is told to the next one.
    world
        .server
        .script("short", Script::new().turn(Turn::text("Done.")));
    let next = world.run("short", &[]).await?.ok()?;
    ensure!(
        next.stdout.contains("earlier runs of this project"),
        "{next:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_folder_without_git_is_worked_on_in_a_copy() -> Result<()> {
    let mut world = World::new().await?;
    let plain = SampleProject::plain(world.daemon.home.place("plain"))?;
    plain.write("notes/a.txt", "before\n")?;
    world.project = plain;
    let write = Turn::new().tool(
        "write",
        serde_json::json!({"path": "notes/a.txt", "content": "after\n"}),
    );
    world
        .server
        .script("note", Script::new().turn(write).turn(Turn::text("Noted.")));
    let id = world.start("note", &[]).await?;
    let run = world.completed(&id).await?;
    assert_eq!(run["workspace"]["kind"], "copy");
    assert_eq!(world.project.read("notes/a.txt")?, "before\n");
    let path = PathBuf::from(text(&run["workspace"], "path")?);
    assert_eq!(fs::read_to_string(path.join("notes/a.txt"))?, "after\n");
    let diff = world.cli(&["diff", &id]).await?.ok()?;
    ensure!(diff.stdout.contains("-before\n+after\n"), "{diff:?}");
    // A clone of it was not to be had, and that is said before anything starts.
    let refused = world
        .run("note", &["--workspace", "clone", "--json"])
        .await?;
    assert_eq!(refused.code, 2);
    Ok(())
}

#[tokio::test]
async fn what_the_user_has_not_committed_is_left_alone_and_said() -> Result<()> {
    let world = World::new().await?;
    world.server.script("mend", mend());
    world.project.write("draft.txt", "mine\n")?;
    world.project.write("README.md", "changed\n")?;
    let id = world.start("mend", &["--verify", "sh test.sh"]).await?;
    let run = world.completed(&id).await?;
    ensure!(
        run["workspace"]["left_out"].as_u64() > Some(0),
        "{:#}",
        run["workspace"]
    );
    world.json(&["apply", &id]).await?;
    assert_eq!(world.project.read("draft.txt")?, "mine\n");
    assert_eq!(world.project.read("README.md")?, "changed\n");
    Ok(())
}
