//! A run's result is put into the user's project: only what was verified, never over what
//! the user did, and whole whatever dies meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::{
    model_server::{Script, Turn},
    project::{CALC_BROKEN, CALC_FIXED},
};

use crate::support::{SOON, World, mend, one_command, open_review, text};

fn write(path: &str, content: &str) -> Script {
    Script::new()
        .turn(Turn::new().tool("write", json!({"path": path, "content": content})))
        .turn(Turn::text("Written."))
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, so: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + SOON;
    while !so()? {
        ensure!(Instant::now() < deadline, "it did not come to this: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

pub(crate) async fn completed(world: &World, script: &str, made: Script) -> Result<String> {
    world.server.script(script, made);
    let id = world.start(script, &["--policy", "hands-off"]).await?;
    world.completed(&id).await?;
    Ok(id)
}

fn whats(applied: &Value) -> BTreeMap<String, String> {
    let paths = applied["paths"].as_array().into_iter().flatten();
    let pair = |p: &Value| {
        Some((
            p["path"].as_str()?.to_owned(),
            p["what"].as_str()?.to_owned(),
        ))
    };
    paths.filter_map(pair).collect()
}

#[tokio::test]
async fn as_a_commit_and_as_changes() -> Result<()> {
    let world = World::new().await?;
    world.server.script("mend", mend());
    let id = world.start("mend", &["--verify", "sh test.sh"]).await?;
    world.completed(&id).await?;
    world.project.write("mine.txt", "not committed\n")?;
    let head = world.project.head()?;

    let changes = world.json(&["apply", &id, "--as", "changes"]).await?;
    assert_eq!(
        whats(&changes),
        BTreeMap::from([("calc.sh".into(), "written".into())])
    );
    assert_eq!(
        (
            world.project.read("calc.sh")?.as_str(),
            world.project.head()?
        ),
        (CALC_FIXED, head.clone())
    );
    assert_eq!(
        world.project.status()?.trim_end(),
        " M calc.sh\n?? mine.txt"
    );
    ensure!(world.project.passes()?);
    // What was there is kept, and can be had back.
    let kept = &changes["kept"];
    let (store, commit) = (text(kept, "store")?, text(kept, "commit")?);
    let was = world
        .project
        .git(&["--git-dir", &store, "show", &format!("{commit}:calc.sh")])?;
    assert_eq!(was, CALC_BROKEN);

    let commit = world.json(&["apply", &id, "--as", "commit"]).await?;
    assert_eq!(text(&commit, "commit")?, world.project.head()?);
    assert_eq!(world.project.git(&["rev-parse", "HEAD^"])?.trim(), head);
    assert_eq!(world.project.status()?.trim_end(), "?? mine.txt");

    let words = world.cli(&["apply", &id, "--as", "commit"]).await?.ok()?;
    ensure!(
        words.stdout.contains("main has all of it already"),
        "{words:?}"
    );
    world.project.git(&["fsck", "--strict"])?;
    Ok(())
}

#[tokio::test]
async fn a_part_of_it_under_a_name_of_ones_own() -> Result<()> {
    let world = World::new().await?;
    let id = completed(
        &world,
        "parts",
        one_command("mkdir -p a b; echo 1 > a/one; echo 2 > a/two; echo 3 > b/three; rm README.md"),
    )
    .await?;
    let part = [
        "apply",
        &id,
        "--branch",
        "try/part",
        "--path",
        "a",
        "--path",
        "README.md",
    ];
    let applied = world.json(&part).await?;
    assert_eq!(applied["target"], "try/part");
    let names = world
        .project
        .git(&["diff", "--name-status", "main", "try/part"])?;
    assert_eq!(names.trim_end(), "D\tREADME.md\nA\ta/one\nA\ta/two");
    world
        .json(&["apply", &id, "--as", "changes", "--path", "b"])
        .await?;
    assert_eq!(world.project.status()?.trim_end(), "?? b/");

    let unknown = world.cli(&["apply", &id, "--path", "c", "--json"]).await?;
    ensure!(unknown.code == 2, "{unknown:?}");
    ensure!(
        unknown.json()["error"]["message"]
            .to_string()
            .contains("changed nothing at c")
    );
    let both = world
        .cli(&["apply", &id, "--as", "changes", "--branch", "x", "--json"])
        .await?;
    assert_eq!(both.json()["error"]["code"], "usage", "{both:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_not_verified_does_not_reach_the_project() -> Result<()> {
    let world = World::new().await?;
    let claims = (0..4).fold(write("calc.sh", "exit 1\n"), |s, _| {
        s.turn(Turn::text("It works."))
    });
    world.server.script("lazy", claims);
    let flags = ["--verify", "sh test.sh", "--policy", "hands-off"];
    let id = world.start("lazy", &flags).await?;
    let review = world.review(&id, "verify_failed").await?;
    let before = (world.project.head()?, world.project.git(&["for-each-ref"])?);
    for into in ["branch", "commit", "changes"] {
        let out = world.cli(&["apply", &id, "--as", into, "--json"]).await?;
        ensure!(out.code == 2, "{out:?}");
        let said = out.json()["error"]["message"].to_string();
        ensure!(said.contains("its verify command has not passed"), "{said}");
    }
    world
        .cli(&["answer", &text(&review, "id")?, "end"])
        .await?
        .ok()?;
    world.wait(&id, &["failed"]).await?;
    ensure!(world.cli(&["apply", &id, "--as", "changes"]).await?.code == 2);
    assert_eq!(
        before,
        (world.project.head()?, world.project.git(&["for-each-ref"])?)
    );
    assert_eq!(
        (
            world.project.status()?.as_str(),
            world.project.read("calc.sh")?.as_str()
        ),
        ("", CALC_BROKEN)
    );

    // A person may accept it as it is.
    let id = world.start("lazy", &flags).await?;
    let review = world.review(&id, "verify_failed").await?;
    world
        .cli(&["answer", &text(&review, "id")?, "accept"])
        .await?
        .ok()?;
    world.completed(&id).await?;
    world.json(&["apply", &id, "--as", "changes"]).await?;
    assert_eq!(world.project.read("calc.sh")?, "exit 1\n");
    Ok(())
}

#[tokio::test]
async fn a_run_in_place_has_nothing_to_apply() -> Result<()> {
    let world = World::new().await?;
    world.server.script("here", write("new.txt", "new\n"));
    let flags = ["--workspace", "in-place", "--policy", "hands-off"];
    let id = world.start("here", &flags).await?;
    world.completed(&id).await?;
    let out = world.cli(&["apply", &id, "--json"]).await?;
    let said = out.json()["error"]["message"].to_string();
    ensure!(
        out.code == 2 && said.contains("there is nothing to apply"),
        "{out:?}"
    );
    Ok(())
}

/// A completed run that changed `README.md` and made `new.txt`, and a user who changed the
/// first meanwhile; the open review about it.
async fn conflicting(world: &World, script: &str) -> Result<(String, Value)> {
    world.project.git(&["checkout", "-q", "-f", "main"])?;
    world.project.git(&["clean", "-q", "-f"])?;
    let made = one_command("echo the run > README.md; echo new > new.txt");
    let id = completed(world, script, made).await?;
    world.project.write("README.md", "mine\n")?;
    let out = world.cli(&["apply", &id, "--as", "changes"]).await?;
    ensure!(out.code == 3, "{out:?}");
    for part in [
        "nothing was applied yet",
        "README.md  conflict: you and the run changed",
        "longhaul answer",
    ] {
        ensure!(out.stdout.contains(part), "{out:?}");
    }
    let review = world.review(&id, "conflict").await?;
    ensure!(out.stdout.contains(&text(&review, "id")?), "{out:?}");
    assert_eq!(world.project.read("README.md")?, "mine\n");
    ensure!(!world.project.path().join("new.txt").exists());
    Ok((id, review))
}

async fn answer(world: &World, review: &Value, choice: &str) -> Result<()> {
    world
        .cli(&["answer", &text(review, "id")?, choice])
        .await?
        .ok()?;
    Ok(())
}

async fn over(world: &World, id: &str) -> Result<()> {
    let gone = |run: &Value| open_review(run, "conflict").is_none();
    world.daemon.wait_shown(id, SOON, gone).await?;
    Ok(())
}

#[tokio::test]
async fn a_conflict_is_decided_by_a_person() -> Result<()> {
    let world = World::new().await?;
    let there = || Ok(world.project.path().join("new.txt").exists());
    let (id, review) = conflicting(&world, "mine").await?;
    let detail = text(&review, "detail")?;
    for part in [
        "README.md",
        "<<<<<<< yours\nmine",
        "=======\nthe run",
        ">>>>>>> the run's",
    ] {
        ensure!(detail.contains(part), "{detail}");
    }
    let choices: Vec<&str> = review["choices"]
        .as_array()
        .context("choices")?
        .iter()
        .filter_map(|choice| choice["id"].as_str())
        .collect();
    assert_eq!(choices, ["theirs", "mine", "branch", "cancel"]);
    let twice = world.cli(&["apply", &id, "--as", "changes"]).await?;
    ensure!(
        twice.code == 2 && twice.stderr.contains("waits for a decision"),
        "{twice:?}"
    );
    ensure!(
        world.cli(&["discard", &id]).await?.code == 2,
        "it is being applied"
    );
    answer(&world, &review, "mine").await?;
    until("the rest is applied", there).await?;
    assert_eq!(world.project.read("README.md")?, "mine\n");

    let (id, review) = conflicting(&world, "theirs").await?;
    answer(&world, &review, "theirs").await?;
    until("the run's version", || {
        Ok(world.project.read("README.md")? == "the run\n")
    })
    .await?;
    until("all of it", there).await?;
    world.cli(&["wait", &id]).await?.ok()?;

    let (_, review) = conflicting(&world, "branch").await?;
    answer(&world, &review, "branch").await?;
    until("a branch", || {
        Ok(world.project.git(&["branch"])?.contains("longhaul/"))
    })
    .await?;
    assert_eq!(world.project.read("README.md")?, "mine\n");
    ensure!(!there()?);

    let (id, review) = conflicting(&world, "cancel").await?;
    answer(&world, &review, "cancel").await?;
    over(&world, &id).await?;
    assert_eq!(world.project.status()?.trim_end(), " M README.md");
    let again = world.cli(&["apply", &id, "--as", "changes"]).await?;
    ensure!(again.code == 3, "it may be applied again: {again:?}");
    Ok(())
}

#[tokio::test]
async fn a_decision_is_used_for_what_was_seen_only_and_survives_a_crash() -> Result<()> {
    let mut world = World::new().await?;
    let (id, review) = conflicting(&world, "seen").await?;
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    world.project.write("README.md", "mine, and more\n")?;
    answer(&world, &review, "theirs").await?;
    let other =
        |run: &Value| open_review(run, "conflict").is_some_and(|other| other["id"] != review["id"]);
    let shown = world.daemon.wait_shown(&id, SOON, other).await?;
    assert_eq!(
        world.project.read("README.md")?,
        "mine, and more\n",
        "not what was seen"
    );
    let second = open_review(&shown, "conflict").context("asked again")?;
    ensure!(
        text(&second, "detail")?.contains("mine, and more"),
        "{second:#}"
    );

    // Decided, and killed before anything came of it.
    world.daemon.terminate().await?;
    world
        .daemon
        .env_once("LONGHAUL_CRASH_AT", "engine.apply_tried");
    world.daemon.launch().await?;
    answer(&world, &second, "theirs").await?;
    world.daemon.wait_exit(SOON).await?;
    world.daemon.launch().await?;
    until("it goes on", || {
        Ok(world.project.read("README.md")? == "the run\n")
    })
    .await?;
    over(&world, &id).await?;
    Ok(())
}

#[tokio::test]
async fn eight_results_at_once_lose_nothing() -> Result<()> {
    let world = std::sync::Arc::new(World::new().await?);
    let lines: String = (0..80).map(|n| format!("line {n}\n")).collect();
    world.project.write("shared.txt", &lines)?;
    world.project.commit("shared")?;
    let mut ids = Vec::new();
    for n in 0..8 {
        let script = format!("run{n}");
        let command = format!(
            "echo run{n} > own{n}.txt; sed -i 's/^line {}$/run{n}/' shared.txt",
            n * 10
        );
        world.server.script(&script, one_command(&command));
        ids.push(world.start(&script, &["--policy", "hands-off"]).await?);
    }
    for id in &ids {
        world.completed(id).await?;
    }
    let at_once = async |from: usize, into: fn(usize) -> &'static str| -> Result<()> {
        let mut asked = tokio::task::JoinSet::new();
        for (n, id) in ids.iter().cloned().enumerate().skip(from) {
            let world = world.clone();
            asked.spawn(async move {
                let args = ["apply", &id, "--as", into(n), "--json"];
                world.cli(&args).await?.ok()
            });
        }
        while let Some(out) = asked.join_next().await {
            out??;
        }
        Ok(())
    };
    at_once(0, |n| if n < 4 { "commit" } else { "branch" }).await?;
    assert_eq!(world.project.status()?, "");
    assert_eq!(
        world.project.git(&["rev-list", "--count", "HEAD"])?.trim(),
        "6"
    );
    at_once(4, |_| "changes").await?;
    let shared = world.project.read("shared.txt")?;
    for n in 0..8 {
        assert_eq!(
            world.project.read(&format!("own{n}.txt"))?,
            format!("run{n}\n")
        );
        ensure!(shared.contains(&format!("run{n}\n")), "{shared}");
    }
    assert_eq!(shared.lines().count(), 80);
    assert_eq!(
        world
            .project
            .git(&["branch", "--list", "longhaul/*"])?
            .lines()
            .count(),
        4
    );
    world.project.git(&["fsck", "--strict"])?;
    Ok(())
}
