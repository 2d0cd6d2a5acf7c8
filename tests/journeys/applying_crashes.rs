//! The daemon dies while it puts 200 files into the user's project: each is as it was or
//! as it is to be, and after the next start all are as they are to be.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::applying::{completed, until};
use crate::support::{SOON, World, one_command};

/// Files in the large result.
const MANY: usize = 200;

fn snapshot(world: &World) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for n in 0..MANY {
        for name in [format!("many/f{n}"), format!("many/g{n}")] {
            let path = world.project.path().join(&name);
            if path.exists() {
                all.insert(name, fs::read_to_string(path)?);
            }
        }
    }
    Ok(all)
}

/// A run that changes, removes and makes about 200 files; what is there before and after.
async fn large(
    world: &World,
) -> Result<(String, BTreeMap<String, String>, BTreeMap<String, String>)> {
    for n in 0..MANY {
        world.project.write(&format!("many/f{n}"), "before\n")?;
    }
    world.project.commit("many")?;
    let before = snapshot(world)?;
    let command = format!(
        "n=0; while [ $n -lt {MANY} ]; do case $((n % 3)) in \
         0) rm many/f$n;; 1) echo after > many/f$n;; 2) echo after > many/g$n;; esac; n=$((n + 1)); done"
    );
    let id = completed(world, "large", one_command(&command)).await?;
    let mut after = before.clone();
    for n in 0..MANY {
        match n % 3 {
            0 => drop(after.remove(&format!("many/f{n}"))),
            1 => drop(after.insert(format!("many/f{n}"), "after\n".to_owned())),
            _ => drop(after.insert(format!("many/g{n}"), "after\n".to_owned())),
        }
    }
    Ok((id, before, after))
}

fn either(
    world: &World,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Result<()> {
    let now = snapshot(world)?;
    for name in before.keys().chain(after.keys()) {
        let is = now.get(name);
        ensure!(
            is == before.get(name) || is == after.get(name),
            "{name} is {is:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_dies_in_an_apply_leaves_no_file_in_between() -> Result<()> {
    let mut world = World::new().await?;
    let (id, before, after) = large(&world).await?;
    let base = world.project.head()?;
    let points = [
        "engine.apply_began",
        "workspace.apply_planned",
        "workspace.apply_file_filled#40",
        "workspace.apply_exchanged#7",
        "workspace.apply_switched#90",
        "workspace.apply_branch_moved",
        "workspace.apply_cleaned#100",
        "engine.apply_tried",
        "engine.apply_recorded",
    ];
    for (round, point) in points.iter().enumerate() {
        let into = if *point == "workspace.apply_branch_moved" || round % 3 == 1 {
            "commit"
        } else {
            "changes"
        };
        world.daemon.terminate().await?;
        world.daemon.env_once("LONGHAUL_CRASH_AT", point);
        world.daemon.launch().await?;
        let out = world.cli(&["apply", &id, "--as", into]).await?;
        ensure!(out.code == 4, "{point}: {out:?}");
        world.daemon.wait_exit(SOON).await?;
        either(&world, &before, &after).with_context(|| (*point).to_owned())?;
        world.daemon.launch().await?;
        goes_on(&world, &id, into, &after)
            .await
            .with_context(|| (*point).to_owned())?;
        start_over(&world, &base)?;
    }
    Ok(())
}

async fn goes_on(
    world: &World,
    id: &str,
    into: &str,
    after: &BTreeMap<String, String>,
) -> Result<()> {
    until("it is all there", || Ok(&snapshot(world)? == after)).await?;
    // Whether it was told or not: asked for again, there is nothing to do.
    until("no lock is left", || {
        Ok(!world.project.path().join(".git/index.lock").exists())
    })
    .await?;
    let deadline = Instant::now() + SOON;
    loop {
        let again = world.cli(&["apply", id, "--as", into]).await?;
        if again.code == 0 {
            break;
        }
        ensure!(again.stderr.contains("being applied already"), "{again:?}");
        ensure!(Instant::now() < deadline, "it does not end: {again:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let status = world.project.status()?;
    ensure!(!status.contains("longhaul-tmp"), "{status}");
    ensure!(into == "changes" || status.is_empty(), "{status}");
    world.project.git(&["fsck", "--strict"])?;
    Ok(())
}

fn start_over(world: &World, base: &str) -> Result<()> {
    world.project.git(&["reset", "-q", "--hard", base])?;
    world.project.git(&["clean", "-q", "-f", "-d"])?;
    Ok(())
}

#[tokio::test]
async fn a_daemon_killed_at_any_moment_of_an_apply() -> Result<()> {
    let mut world = World::new().await?;
    let (id, before, after) = large(&world).await?;
    let base = world.project.head()?;
    for round in 0..6_u32 {
        let into = if round % 2 == 0 { "changes" } else { "commit" };
        let kill = async {
            let first = world.project.path().join("many");
            let begun = || {
                fs::read_dir(&first).is_ok_and(|all| {
                    all.flatten()
                        .any(|e| e.file_name().to_string_lossy().starts_with(".longhaul"))
                })
            };
            let deadline = Instant::now() + SOON;
            while !begun() && Instant::now() < deadline {
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(Duration::from_millis(u64::from(round * round) * 9)).await;
        };
        let args = ["apply", &id, "--as", into];
        let (out, ()) = tokio::join!(
            async {
                tokio::select! {
                    out = world.cli(&args) => Some(out),
                    () = kill => None,
                }
            },
            async {}
        );
        drop(out);
        world.daemon.kill9()?;
        either(&world, &before, &after).with_context(|| format!("round {round}"))?;
        world.daemon.launch().await?;
        goes_on(&world, &id, into, &after)
            .await
            .with_context(|| format!("round {round}"))?;
        start_over(&world, &base)?;
    }
    Ok(())
}
