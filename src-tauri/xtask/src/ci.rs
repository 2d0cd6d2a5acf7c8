//! What `.ci/run` runs, in the order in which it fails soonest.

use std::path::PathBuf;
use std::process::Command;

use crate::chores::{cargo, must_try_escapes, root, step, test};
use crate::{packages, tidy, ui};

/// The version the checks were written for.
const CARGO_DENY: &str = "0.20.2";

pub(crate) fn run() -> anyhow::Result<()> {
    packages::ensure(&[packages::RUN, packages::TEST])?;
    step("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    let sandbox = sandbox_works();
    match &sandbox {
        Ok(()) => must_try_escapes(),
        Err(why) => say_skipped(why),
    }
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
    check_dependencies()?;
    // Again where it is read: at the end.
    if let Err(why) = &sandbox {
        say_skipped(why);
    }
    Ok(())
}

/// Whether commands can be put into bubblewrap here, as the product does it.
fn sandbox_works() -> Result<(), String> {
    let mut tiny = Command::new("bwrap");
    tiny.args(["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]);
    tiny.args([
        "--unshare-pid",
        "--die-with-parent",
        "--",
        "/bin/sh",
        "-c",
        ":",
    ]);
    match tiny.output() {
        Ok(out) if out.status.success() => Ok(()),
        Ok(out) => Err(String::from_utf8_lossy(&out.stderr).trim().to_owned()),
        Err(error) => Err(format!("bwrap cannot be started: {error}")),
    }
}

fn say_skipped(why: &str) {
    println!("\n################################################################");
    println!("# NOT TESTED: the ways out of the sandbox. bubblewrap does not  ");
    println!("# work on this machine: {why}");
    println!("################################################################");
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
