//! A part of a result is applied, chosen by hunk: the hunks that were seen, and no others.

use anyhow::{Result, ensure};

use crate::applying::{completed, until};
use crate::support::{SOON, World, one_command, text};

/// Thirty lines, of which these are others.
fn lines(changed: &[usize]) -> String {
    let line = |n: usize| match changed.contains(&n) {
        true => format!("line {n}, changed\n"),
        false => format!("line {n}\n"),
    };
    (1..=30).map(line).collect()
}

const CHANGE: &str =
    r"sed -i 's/^line \(2\|15\|28\)$/&, changed/' poem; echo new > new; printf 'a\n' > 'odd	name'";

async fn scene() -> Result<(World, String)> {
    let world = World::new().await?;
    world.project.write("poem", &lines(&[]))?;
    world.project.commit("poem")?;
    let id = completed(&world, "poem", one_command(CHANGE)).await?;
    Ok((world, id))
}

#[tokio::test]
async fn hunks_are_numbered_in_the_diff_and_applied_by_their_numbers() -> Result<()> {
    let (world, id) = scene().await?;
    let shown = world.cli(&["diff", &id]).await?.ok()?.stdout;
    let numbered: Vec<&str> = shown
        .lines()
        .filter_map(|line| line.split_once("  # hunk ").map(|(_, hunk)| hunk))
        .collect();
    ensure!(numbered.len() == 5, "{shown}");
    // What is numbered is still a diff.
    world.project.write("../numbered.diff", &shown)?;
    world
        .project
        .git(&["apply", "--check", "../numbered.diff"])?;
    let diff = world.json(&["diff", &id]).await?;
    assert_eq!(diff["files"][1], "odd\tname");

    let second = numbered.iter().find(|hunk| hunk.starts_with("2@"));
    let seen = format!("poem:{}", second.copied().unwrap_or_default());
    let hunk = ["apply", &id, "--as", "changes", "--hunk", &seen];
    world.json(&hunk).await?;
    assert_eq!(world.project.read("poem")?, lines(&[15]));
    assert_eq!(world.project.status()?.trim_end(), " M poem");
    world
        .json(&[
            "apply", &id, "--as", "changes", "--hunk", "poem:3", "--path", "new",
        ])
        .await?;
    assert_eq!(world.project.read("poem")?, lines(&[15, 28]));
    assert_eq!(world.project.status()?.trim_end(), " M poem\n?? new");

    for (hunk, said) in [
        ("poem:4", "poem has 3 hunks"),
        ("other:1", "no hunks of other"),
        ("poem:1@00000000", "another one by now"),
        ("poem", "names no hunk"),
    ] {
        let out = world.cli(&["apply", &id, "--hunk", hunk]).await?;
        ensure!(
            out.code == 2 && out.stderr.contains(said),
            "{hunk}: {out:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_diff_that_changed_since_it_was_seen_is_not_applied() -> Result<()> {
    let (world, id) = scene().await?;
    let seen = world.json(&["diff", &id]).await?;
    let mut hunks = seen["hunks"].as_array().into_iter().flatten();
    let second = hunks.find(|hunk| hunk["path"] == "poem" && hunk["number"] == 2);
    let digest = text(second.unwrap_or(&seen), "digest")?;
    let files = text(&world.json(&["show", &id]).await?["workspace"], "path")?;
    let other = lines(&[2, 15, 28]).replace("line 15, changed", "something else");
    std::fs::write(std::path::Path::new(&files).join("poem"), other)?;

    let pinned = format!("poem:2@{}", &digest[..8]);
    for hunk in [pinned.as_str(), "poem:2"] {
        let out = world
            .cli(&["apply", &id, "--as", "changes", "--hunk", hunk])
            .await?;
        let said = out.stderr.contains("another one by now");
        ensure!(out.code == 2 && said, "{hunk}: {out:?}");
        assert_eq!(world.project.read("poem")?, lines(&[]));
    }
    // What did not change can still be had.
    let first = ["apply", &id, "--as", "changes", "--hunk", "poem:1"];
    world.json(&first).await?;
    assert_eq!(world.project.read("poem")?, lines(&[2]));
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_dies_meanwhile_goes_on_with_the_same_part() -> Result<()> {
    let (mut world, id) = scene().await?;
    for (round, point) in [
        "engine.apply_began",
        "workspace.apply_planned",
        "workspace.apply_exchanged",
        "engine.apply_tried",
    ]
    .iter()
    .enumerate()
    {
        world.daemon.terminate().await?;
        world.daemon.env_once("LONGHAUL_CRASH_AT", point);
        world.daemon.launch().await?;
        let hunk = ["poem:1", "poem:2"][round % 2];
        let expected = lines(&[[2], [15]][round % 2]);
        let out = world
            .cli(&["apply", &id, "--as", "changes", "--hunk", hunk])
            .await?;
        ensure!(out.code == 4, "{point}: {out:?}");
        world.daemon.wait_exit(SOON).await?;
        let now = world.project.read("poem")?;
        ensure!(now == lines(&[]) || now == expected, "{point}: {now}");
        world.daemon.launch().await?;
        until(point, || Ok(world.project.read("poem")? == expected)).await?;
        until("it is recorded", || {
            let left = world
                .daemon
                .home
                .path()
                .join("workspaces")
                .join(&id)
                .join("applying");
            Ok(!left.exists())
        })
        .await?;
        assert_eq!(world.project.status()?.trim_end(), " M poem");
        world.project.write("poem", &lines(&[]))?;
    }
    Ok(())
}
