//! The interface: what it is built from, building it, and its own checks.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::chores::{root, step};

/// The oldest Node the build tools run on: major, minor.
const OLDEST_NODE: (u32, u32) = (20, 19);

fn folder() -> PathBuf {
    root().join("ui")
}

/// `npm` with the interface's folder as its own.
pub(crate) fn npm(args: &[&str]) -> Command {
    let mut npm = Command::new("npm");
    npm.arg("--prefix").arg(folder()).args(args);
    npm.env("npm_config_fund", "false")
        .env("npm_config_audit", "false");
    npm
}

/// Fetches what `package-lock.json` names, unless that was done already, and builds
/// `ui/dist`, which the application embeds.
pub(crate) fn build() -> anyhow::Result<()> {
    fetch()?;
    step("build the interface", &mut npm(&["run", "build"]))
}

/// Fetches what `package-lock.json` names, unless that was done already.
pub(crate) fn fetch() -> anyhow::Result<()> {
    check_node()?;
    let (lock, done) = (
        folder().join("package-lock.json"),
        // npm writes it last.
        folder().join("node_modules/.package-lock.json"),
    );
    let written = |file: &PathBuf| {
        std::fs::metadata(file)
            .and_then(|facts| facts.modified())
            .ok()
    };
    let fresh =
        matches!((written(&lock), written(&done)), (Some(lock), Some(done)) if lock <= done);
    if fresh {
        return Ok(());
    }
    // Not `npm ci`: it refuses a lock that does not name the native parts of other systems,
    // and a registry that mirrors only this one's cannot give them. The versions are the
    // lock's all the same, and the lock stays as it is.
    let fetch = ["install", "--no-save"];
    step("fetch the interface's packages", &mut npm(&fetch))
}

fn check_node() -> anyhow::Result<()> {
    let output = Command::new("node")
        .arg("--version")
        .output()
        .context("node is not there")?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let parts: Vec<u32> = version
        .trim_start_matches('v')
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    let (major, minor) = OLDEST_NODE;
    if matches!(parts[..], [a, b, ..] if (a, b) >= OLDEST_NODE) {
        return Ok(());
    }
    bail!(
        "node {version} is too old to build the interface: {major}.{minor} or newer is needed \
         (https://nodejs.org has packages for every system)"
    )
}

/// The interface's own checks, those that need no browser: types, style, layers, dead
/// code, and its tests.
pub(crate) fn check() -> anyhow::Result<()> {
    for (name, what) in [
        ("check", "the interface's types"),
        ("lint", "the interface's style"),
        ("deps", "the interface's layers"),
        ("unused", "the interface's dead code"),
    ] {
        step(what, &mut npm(&["run", "--silent", name]))?;
    }
    Ok(())
}

/// The interface's tests.
pub(crate) fn test() -> anyhow::Result<()> {
    step("test the interface", &mut npm(&["run", "--silent", "test"]))
}

/// Tauri's command line, which came with the interface's packages. It wants to be run in
/// the root, where its configuration is.
pub(crate) fn tauri(args: &[&str]) -> Command {
    let mut tauri = Command::new(folder().join("node_modules/.bin/tauri"));
    tauri.args(args);
    tauri
}
