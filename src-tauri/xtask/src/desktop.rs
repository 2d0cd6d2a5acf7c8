//! The application: run, developed, packed, and tested in a window.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::chores::{cargo, root, step};
use crate::{packages, ui};

/// A file of tests takes a minute or two; a window that hangs must not hold up for ever.
const LIMIT_S: &str = "900";

/// Builds the binaries with the interface in them.
pub(crate) fn build() -> anyhow::Result<()> {
    ui::build()?;
    let mut build = cargo(&["build", "--package", "longhaul", "--bins"]);
    step("build longhaul and longhaul-desktop", &mut build)
}

/// README's first command: builds the application and opens it. Behind `--`, arguments
/// for the command line instead. Without a display the product shows itself in the
/// terminal: the rehearsal.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    packages::ensure(&[packages::RUN])?;
    build()?;
    let binaries = root().join("target/debug");
    let args = match args {
        [dashes, rest @ ..] if dashes == "--" => rest,
        rest => rest,
    };
    let mut program = if !args.is_empty() {
        let mut longhaul = Command::new(binaries.join("longhaul"));
        longhaul.args(args);
        longhaul
    } else if has_display() {
        println!("\n==> Longhaul opens. Closing it leaves your runs alone.");
        Command::new(binaries.join("longhaul-desktop"))
    } else {
        println!(
            "\nThere is no display here, so no window can open. The rehearsal in the terminal:"
        );
        let mut longhaul = Command::new(binaries.join("longhaul"));
        longhaul.arg("rehearse");
        longhaul
    };
    let status = program.status()?;
    if status.success() {
        return Ok(());
    }
    bail!("{} ended with {status}", program.get_program().display())
}

fn has_display() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(not(target_os = "linux")) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// The application with the interface reloaded as it is edited, and itself rebuilt.
pub(crate) fn dev() -> anyhow::Result<()> {
    packages::ensure(&[packages::RUN])?;
    ui::fetch()?;
    // It starts the daemon beside it, which Tauri's command line does not build.
    let daemon = ["build", "--workspace", "--bin", "longhaul"];
    step("build longhaul", &mut cargo(&daemon))?;
    step("develop", &mut ui::tauri(&["dev"]))
}

/// How a package is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// As it is shipped.
    Release,
    /// From the debug build as it is: for testing the package itself.
    Debug,
}

/// Makes the `.deb` as it is shipped, or for testing it from what is built already.
pub(crate) fn package(profile: Profile) -> anyhow::Result<PathBuf> {
    let (mut tauri, folder) = match profile {
        // It builds the interface and both binaries itself.
        Profile::Release => (ui::tauri(&["build", "--bundles", "deb"]), "release"),
        Profile::Debug => {
            let bundle = ["bundle", "--debug", "--bundles", "deb"];
            (ui::tauri(&bundle), "debug")
        }
    };
    packages::ensure(&[packages::RUN])?;
    ui::fetch()?;
    let made = root().join("target").join(folder).join("bundle/deb");
    // An older version's package must not be taken for this one's.
    for old in debs(&made) {
        std::fs::remove_file(old)?;
    }
    step("make the package", &mut tauri)?;
    let deb = debs(&made).pop();
    let deb = deb.with_context(|| format!("no package in {}", made.display()))?;
    println!("{}", deb.display());
    Ok(deb)
}

fn debs(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "deb"))
        .collect()
}

/// The tests in real windows, and of the package, over what is built: each file on a
/// desktop of its own.
pub(crate) fn test(args: &[String]) -> anyhow::Result<()> {
    let deb = package(Profile::Debug)?;
    let folder = root().join("tests/window");
    for file in test_files(&folder, args)? {
        steadily(&format!("test in a window: {file}"), || {
            let mut tests = limited();
            tests.arg(folder.join("desktop.sh")).args(NODE_TEST);
            tests.arg(folder.join(&file)).env("LH_DEB", &deb);
            tests
        })?;
    }
    Ok(())
}

/// The tests of the interface in a browser, over the daemon's own HTTP.
pub(crate) fn test_browser(args: &[String]) -> anyhow::Result<()> {
    let folder = root().join("tests/browser");
    for file in test_files(&folder, args)? {
        steadily(&format!("test in a browser: {file}"), || {
            let mut tests = limited();
            tests.args(NODE_TEST).arg(folder.join(&file));
            tests
        })?;
    }
    Ok(())
}

/// Runs the tests of a file, which have deadlines as the journeys have: one that failed is
/// run once more and said to be unsteady. What fails twice fails.
fn steadily(what: &str, tests: impl Fn() -> Command) -> anyhow::Result<()> {
    let Err(why) = step(what, &mut tests()) else {
        return Ok(());
    };
    println!("\nFAILED, and run once more: {why}");
    step(&format!("{what}, once more"), &mut tests())?;
    println!("UNSTEADY (failed, and passed the second time): {what}");
    Ok(())
}

const NODE_TEST: [&str; 3] = ["node", "--test", "--test-reporter=spec"];

fn limited() -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=20", LIMIT_S]);
    command
}

/// The test files of a folder, or those of them that are named.
fn test_files(folder: &Path, names: &[String]) -> anyhow::Result<Vec<String>> {
    let mut files: Vec<String> = std::fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|file| file.ends_with(".test.mjs"))
        .filter(|file| names.is_empty() || names.iter().any(|name| file.contains(name.as_str())))
        .collect();
    files.sort();
    Ok(files)
}
