//! Running the product and its tests.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::{desktop, packages, ui};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("xtask lies two folders below the root")
        .to_owned()
}

/// Runs a program in the root, saying what and how long.
pub(crate) fn step(what: &str, command: &mut Command) -> anyhow::Result<()> {
    println!("\n==> {what}");
    let began = Instant::now();
    let status = command
        .current_dir(root())
        .status()
        .with_context(|| format!("{} could not be started", command.get_program().display()))?;
    println!("<== {what}: {:.1} s", began.elapsed().as_secs_f32());
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    if TRY_ESCAPES.load(Ordering::Relaxed) {
        command.env("CI", "true");
    }
    command
}

/// Whether tests that need a sandbox fail where they find none.
static TRY_ESCAPES: AtomicBool = AtomicBool::new(false);

/// From here on such tests are no longer skipped: this machine can.
pub(crate) fn must_try_escapes() {
    TRY_ESCAPES.store(true, Ordering::Relaxed);
}

/// Everything the tests need, always in the same way: other features or targets would
/// compile half of it a second time.
pub(crate) fn build_all() -> anyhow::Result<()> {
    packages::ensure(&[packages::RUN, packages::TEST])?;
    // Before all else: the application embeds it.
    ui::build()?;
    step(
        "build",
        &mut cargo(&["build", "--workspace", "--all-targets"]),
    )
}

/// README's second command: every test.
pub(crate) fn test(args: &[String]) -> anyhow::Result<()> {
    build_all()?;
    ui::test()?;
    // Always the whole workspace: a package alone has other features, and half of it would
    // be compiled again. Every crate's black-box tests are one binary, `it`.
    let mut crates = cargo(&["test", "--workspace", "--no-fail-fast"]);
    crates.args(["--lib", "--bins", "--test", "it"]).args(args);
    step("test the crates and the shell", &mut crates)?;
    journeys(args)?;
    desktop::test(&[])?;
    desktop::test_browser(&[])
}

/// The black-box journeys: processes are started, stalled and killed, against
/// deadlines. On a machine that stands still for a while one may miss its deadline;
/// such a one is run once more, alone, and said to be unsteady. What fails twice fails.
fn journeys(args: &[String]) -> anyhow::Result<()> {
    let mut all = cargo(&["test", "--workspace", "--test", "journeys"]);
    all.args(args);
    let failed = failures("test the journeys", &mut all)?;
    if failed.is_empty() {
        return Ok(());
    }
    println!("\nFAILED, and run once more, alone: {}", failed.join(", "));
    let mut again = cargo(&["test", "--workspace", "--test", "journeys", "--"]);
    again.args(["--exact", "--test-threads", "1"]).args(&failed);
    let still = failures("the failed journeys again", &mut again)?;
    if !still.is_empty() {
        bail!("failed twice: {}", still.join(", "));
    }
    println!(
        "UNSTEADY (failed beside the others, passed alone): {}",
        failed.join(", ")
    );
    Ok(())
}

/// Runs tests, shows what they print, and names those that failed.
fn failures(what: &str, command: &mut Command) -> anyhow::Result<Vec<String>> {
    println!("\n==> {what}");
    let began = Instant::now();
    let mut child = command.current_dir(root()).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("its output is piped")?;
    let mut failed = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line?;
        if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            failed.push(name.to_owned());
        }
        println!("{line}");
    }
    let status = child.wait()?;
    println!("<== {what}: {:.1} s", began.elapsed().as_secs_f32());
    if failed.is_empty() && !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(failed)
}

/// The long crash campaign, seeded: the same number and seed kill at the same moments.
pub(crate) fn campaign(args: &[String]) -> anyhow::Result<()> {
    packages::ensure(&[packages::RUN, packages::TEST])?;
    let kills = args.first().map_or("1000", String::as_str);
    let seed = args.get(1).map_or("1", String::as_str);
    step("build", &mut cargo(&["build", "--workspace", "--bins"]))?;
    let mut tests = cargo(&[
        "test",
        "--test",
        "journeys",
        "campaign",
        "--",
        "--nocapture",
    ]);
    tests
        .env("LONGHAUL_CAMPAIGN_KILLS", kills)
        .env("LONGHAUL_CAMPAIGN_SEED", seed);
    step(&format!("{kills} random kills, seed {seed}"), &mut tests)
}
