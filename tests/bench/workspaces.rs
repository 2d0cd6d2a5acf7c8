//! Workspaces beside what git has for the same: `worktree add` and `stash`.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use workspace::{Mode, Workspace, Workspaces};

use crate::report::Target;
use crate::samples::Samples;
use crate::session::Session;

/// How often each is done; the median is told.
const TURNS: usize = 7;

/// Files changed where some are.
const CHANGED: usize = 10;

/// Files in a folder, as in a source tree.
const IN_A_FOLDER: usize = 40;

const RUN: &str = "0199aaaa-0000-7000-8000-000000000001";

pub(crate) async fn measure(session: &mut Session) -> anyhow::Result<()> {
    for &files in session.scale.files {
        let folder = session.home(&format!("workspaces-{files}"))?;
        let project = folder.join("project");
        make_repository(&project, files)?;
        let mut add = |what: &str, beside: &str, took: f64, theirs: f64| {
            let note = format!("{beside} takes {theirs:.0} ms");
            let name = format!("{files} files: {what}");
            session.report.add(name, (took, "ms"), Target::Open, note);
        };
        let worktree = worktree_add(&project, &folder.join("tree"))?;
        let workspaces = Workspaces::new(folder.join("home"));
        let mut made = Samples::default();
        for n in 0..TURNS {
            let run = format!("run{n}");
            let start = Instant::now();
            workspaces.prepare(&run, &project, Mode::Clone).await?;
            made.push(start.elapsed());
            workspaces.discard(&run).await?;
        }
        add(
            "a workspace made",
            "git worktree add",
            made.ms(50.0),
            worktree,
        );
        let ws = workspaces.prepare(RUN, &project, Mode::Clone).await?;
        let stash = stash(&project)?;
        let (nothing, ten, back) = steps(&ws).await?;
        let status = status(&project)?;
        add("snapshot, nothing changed", "git status", nothing, status);
        add("snapshot, 10 files changed", "git stash push", ten, stash.0);
        add("taken back to the start", "git stash pop", back, stash.1);
        drop(ws);
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

async fn steps(ws: &Workspace) -> anyhow::Result<(f64, f64, f64)> {
    let (mut nothing, mut ten, mut back) =
        (Samples::default(), Samples::default(), Samples::default());
    for turn in 0..TURNS {
        let start = Instant::now();
        ws.snapshot("nothing").await?;
        nothing.push(start.elapsed());
        change(ws.path(), turn)?;
        let start = Instant::now();
        ws.snapshot("ten").await?;
        ten.push(start.elapsed());
        let start = Instant::now();
        ws.restore(ws.base_snapshot()).await?;
        back.push(start.elapsed());
    }
    Ok((nothing.ms(50.0), ten.ms(50.0), back.ms(50.0)))
}

fn worktree_add(project: &Path, tree: &Path) -> anyhow::Result<f64> {
    let tree = tree.to_str().context("a plain path")?;
    let mut took = Samples::default();
    for _ in 0..TURNS {
        took.push(git(project, &["worktree", "add", "-q", "--detach", tree])?);
        git(project, &["worktree", "remove", "--force", tree])?;
    }
    Ok(took.ms(50.0))
}

fn stash(project: &Path) -> anyhow::Result<(f64, f64)> {
    let (mut push, mut pop) = (Samples::default(), Samples::default());
    for turn in 0..TURNS {
        change(project, turn)?;
        push.push(git(project, &["stash", "push", "-q", "-u"])?);
        pop.push(git(project, &["stash", "pop", "-q"])?);
        git(project, &["checkout", "-q", "--", "."])?;
    }
    Ok((push.ms(50.0), pop.ms(50.0)))
}

fn status(project: &Path) -> anyhow::Result<f64> {
    let mut took = Samples::default();
    for _ in 0..TURNS {
        took.push(git(project, &["status", "--porcelain", "-uall"])?);
    }
    Ok(took.ms(50.0))
}

fn path(n: usize) -> String {
    let folder = n / IN_A_FOLDER;
    format!("d{}/e{folder}/file{n}.txt", folder / IN_A_FOLDER)
}

fn make_repository(project: &Path, files: usize) -> anyhow::Result<()> {
    std::fs::create_dir_all(project)?;
    for n in 0..files {
        let file = project.join(path(n));
        if n % IN_A_FOLDER == 0 {
            std::fs::create_dir_all(file.parent().context("a folder")?)?;
        }
        std::fs::write(file, format!("line of file {n}\n").repeat(40))?;
    }
    git(project, &["init", "-q", "-b", "main"])?;
    git(project, &["add", "-A"])?;
    git(project, &["commit", "-q", "-m", "all"])?;
    git(project, &["gc", "-q"])?;
    Ok(())
}

fn change(root: &Path, turn: usize) -> anyhow::Result<()> {
    for n in 0..CHANGED {
        std::fs::write(root.join(path(n * 97)), format!("turn {turn}\n"))?;
    }
    Ok(())
}

fn git(dir: &Path, args: &[&str]) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let out = Command::new("git")
        .current_dir(dir)
        .args([
            "-c",
            "gc.auto=0",
            "-c",
            "user.name=bench",
            "-c",
            "user.email=bench@localhost.invalid",
        ])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "git {args:?}: {said}");
    Ok(start.elapsed())
}
