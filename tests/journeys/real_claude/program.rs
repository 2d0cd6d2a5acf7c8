//! The real program: installed once, and tests run where it can reach nothing else.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::process::Command;

use crate::support::{KEY, QUICK, World};

/// The version the driver was written against.
const VERSION: &str = "2.1.329";

/// Downloading and unpacking it: 360 MB.
const INSTALL_WITHIN: Duration = Duration::from_secs(300);

/// A whole test, in its own network.
const TEST_WITHIN: Duration = Duration::from_secs(480);

/// Set for a test that was started again in a network of its own.
const ALONE: &str = "LONGHAUL_TEST_ALONE";

/// The program, ready to be run.
pub(super) struct Claude {
    program: PathBuf,
}

impl Claude {
    /// Installs it, and starts the test again in a network of its own if that can be
    /// had. None where the test is done: it ran there, or there is no package.
    pub(super) async fn ready(test: &str) -> Result<Option<Self>> {
        let program = match installed().await {
            Ok(program) => program,
            Err(why) => {
                ensure!(!in_ci(), "Claude Code cannot be installed: {why:#}");
                // Straight to the stream: what a passing test prints is not shown.
                writeln!(
                    std::io::stderr(),
                    "\n*** SKIPPED {test}: no Claude Code: {why:#} ***\n"
                )?;
                return Ok(None);
            }
        };
        if has_only_loopback()? {
            return Ok(Some(Self { program }));
        }
        ensure!(
            std::env::var_os(ALONE).is_none(),
            "this is no network of its own"
        );
        match own_network().await {
            Some(unshare) => run_again(&unshare, test).await.map(|()| None),
            None => Ok(Some(Self { program })),
        }
    }

    /// A world with a backend `claude` at the scripted model.
    pub(super) async fn world(&self) -> Result<World> {
        let world = World::with(QUICK).await?;
        world.server.name_key(KEY, "ours");
        let (program, url) = (self.program.display().to_string(), world.server.url());
        let add = [
            "backend",
            "add",
            "claude",
            "--kind",
            "claude-code",
            "--command",
            &program,
            "--base-url",
            &url,
            "--model",
            "claude-sonnet-5-5",
            "--key-env",
            "LH_TEST_KEY",
        ];
        world.cli(&add).await?.ok()?;
        Ok(world)
    }
}

#[allow(clippy::disallowed_methods, reason = "only the environment knows")]
fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

/// The program, installed into `target/claude-code` if it is not there yet.
async fn installed() -> Result<PathBuf> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("claude-code");
    fs::create_dir_all(&place)?;
    let lock = File::create(place.join("lock"))?;
    // Other tests wait here for one download.
    let _held = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    let done = place.join(format!("installed-{VERSION}"));
    if !done.exists() {
        install(&place).await?;
        File::create(&done)?;
    }
    program_in(&place)
}

async fn install(place: &Path) -> Result<()> {
    let package = format!("@anthropic-ai/claude-code@{VERSION}");
    let flags = [
        "--no-save",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--loglevel=error",
    ];
    let npm = Command::new("npm")
        .args(["install", "--prefix"])
        .arg(place)
        .args(flags)
        .arg(package)
        .current_dir(place)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(INSTALL_WITHIN, npm)
        .await
        .with_context(|| format!("npm did not end within {INSTALL_WITHIN:?}"))?
        .context("npm cannot be run")?;
    ensure!(
        output.status.success(),
        "npm: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The native program comes in a package named after the platform.
fn program_in(place: &Path) -> Result<PathBuf> {
    let packages = fs::read_dir(place.join("node_modules/@anthropic-ai"))?;
    let program = packages
        .flatten()
        .map(|package| package.path().join("claude"))
        .find(|program| program.is_file());
    program.with_context(|| format!("no program for this platform in {}", place.display()))
}

/// Whether there is no way off this machine.
fn has_only_loopback() -> Result<bool> {
    // Two lines of headings, then one for each interface.
    let interfaces = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let mut names = interfaces.lines().skip(2).peekable();
    Ok(names.peek().is_some() && names.all(|line| line.trim_start().starts_with("lo:")))
}

/// How to get a network of our own: as root, or as root of a user namespace.
async fn own_network() -> Option<[&'static str; 2]> {
    for how in [["unshare", "-n"], ["unshare", "-rn"]] {
        let tried = Command::new(how[0])
            .args([how[1], "ip", "link", "set", "lo", "up"])
            .stdin(Stdio::null())
            .output()
            .await;
        if tried.is_ok_and(|output| output.status.success()) {
            return Some(how);
        }
    }
    None
}

async fn run_again(unshare: &[&str; 2], test: &str) -> Result<()> {
    let name = format!("real_claude::{test}");
    let this = std::env::current_exe()?;
    let again = Command::new(unshare[0])
        .args([
            unshare[1],
            "sh",
            "-c",
            "ip link set lo up && exec \"$0\" \"$@\"",
        ])
        .arg(this)
        .args(["--exact", &name, "--nocapture"])
        .env(ALONE, "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(TEST_WITHIN, again)
        .await
        .with_context(|| format!("{name} did not end within {TEST_WITHIN:?}"))??;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && said.contains("1 passed") {
        return Ok(());
    }
    bail!(
        "in a network of its own:\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    )
}
