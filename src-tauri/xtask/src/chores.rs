//! Running the product and its tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::packages;

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
    command
}

/// README's first command. Until the desktop app exists, the product shows
/// itself in the terminal: the rehearsal.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    packages::ensure(packages::RUN)?;
    step(
        "build longhaul",
        &mut cargo(&["build", "--bin", "longhaul"]),
    )?;
    let longhaul = root().join("target/debug/longhaul");
    let args: Vec<&str> = match args {
        [] => vec!["rehearse"],
        [dashes, rest @ ..] if dashes == "--" => rest.iter().map(String::as_str).collect(),
        rest => rest.iter().map(String::as_str).collect(),
    };
    println!("\n==> longhaul {}", args.join(" "));
    let status = Command::new(longhaul).args(args).status()?;
    if status.success() {
        Ok(())
    } else {
        bail!("longhaul ended with {status}")
    }
}

/// README's second command: every test.
pub(crate) fn test(args: &[String]) -> anyhow::Result<()> {
    packages::ensure(packages::TEST)?;
    step(
        "build",
        &mut cargo(&["build", "--workspace", "--all-targets"]),
    )?;
    let mut tests = cargo(&["test", "--workspace"]);
    tests.args(args);
    step("test", &mut tests)
}

/// The long crash campaign, seeded: the same number and seed kill at the same moments.
pub(crate) fn campaign(args: &[String]) -> anyhow::Result<()> {
    packages::ensure(packages::TEST)?;
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
