//! The testkit's own programs, for tests of other crates: Cargo builds a dev-dependency's
//! library, not its programs.

use std::{
    env::consts::EXE_SUFFIX,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context as _, ensure};

/// The path of `scripted-agent`, `effect` or `scripted-model-server`, built if need be.
/// Only for tests: an installed Longhaul has no Cargo.
///
/// # Errors
/// If it is missing and cannot be built.
pub fn testkit_binary(name: &str) -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    let path = target_folder()?.join(format!("{name}{EXE_SUFFIX}"));
    let built = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    ensure!(
        path.exists(),
        "{} is missing ({built:?}); `cargo build -p longhaul-testkit --bins` makes it",
        path.display()
    );
    Ok(path)
}

/// Test programs lie in `target/debug/deps`, others beside it.
fn target_folder() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folder = this.parent().context("a program lies in a folder")?;
    Ok(if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    }
    .to_path_buf())
}

/// A no-op where they are fresh; stale ones would test yesterday's code.
fn build() -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--bins"])
        .current_dir(here)
        .output()
        .context("cannot run cargo")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
