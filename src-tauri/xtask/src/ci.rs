//! What `.ci/run` runs, in the order in which it fails soonest.

use std::path::PathBuf;
use std::process::Command;

use crate::chores::{cargo, root, step, test};
use crate::{packages, tidy, ui};

/// The version the checks were written for.
const CARGO_DENY: &str = "0.20.2";

pub(crate) fn run() -> anyhow::Result<()> {
    packages::ensure(&[packages::RUN, packages::TEST])?;
    step("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    println!("\n==> tidy");
    tidy::run()?;
    ui::fetch()?;
    ui::check()?;
    test(&[])?;
    step(
        "lint",
        &mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]),
    )?;
    check_dependencies()
}

/// Licences, sources and duplicates. The advisory database is on GitHub, which
/// a closed CI cannot reach: that check is for machines that can.
fn check_dependencies() -> anyhow::Result<()> {
    let tools = tools_folder();
    let deny = tools.join("bin/cargo-deny");
    if !deny.is_file() {
        let mut install = cargo(&[
            "install",
            "cargo-deny",
            "--version",
            CARGO_DENY,
            "--locked",
            "--root",
        ]);
        // It runs once: compiling it optimized would take longer than it saves.
        install
            .arg(&tools)
            .env("CARGO_TARGET_DIR", tools.join("build"));
        install
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_LTO", "off");
        step("install cargo-deny", &mut install)?;
    }
    let mut check = Command::new(deny);
    // No `advisories`: their database is on a host a closed CI does not reach.
    check.args(["--config", ".config/deny.toml", "check"]);
    check.args(["licenses", "bans", "sources"]);
    step("dependencies", &mut check)
}

/// Outside the clone, so that a fresh clone on the same machine need not compile it
/// again; absent on a new machine, where it is made.
fn tools_folder() -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    home.map_or_else(
        || root().join("target/tools"),
        |home| home.join(".cache/longhaul-ci"),
    )
}
