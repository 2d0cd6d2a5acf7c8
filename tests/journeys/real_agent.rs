//! Real agents, from their packages: installed once, and tests run where they can reach
//! nothing else.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use testkit::model_server::{Outcome, RequestKind, Script, Turn};
use tokio::process::Command;

use crate::support::{World, open_review};

/// An agent as npm has it.
pub(crate) struct Package {
    /// What people call it.
    pub(crate) name: &'static str,
    /// The package, and the version its driver was written against.
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// Its folder in `target`.
    pub(crate) folder: &'static str,
    /// Where its native programs are, below `node_modules`: in a package each that is named
    /// after a platform.
    pub(crate) platforms: &'static str,
    /// The program in such a package; where there are several, by the first that is there.
    pub(crate) programs: &'static [&'static str],
}

/// Downloading and unpacking one: 400 MB.
const INSTALL_WITHIN: Duration = Duration::from_secs(300);

/// Agents start in a second; on a machine busy with other tests it takes many.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A whole test, in its own network.
const TEST_WITHIN: Duration = Duration::from_secs(480);

/// Set for a test that was started again in a network of its own.
const ALONE: &str = "LONGHAUL_TEST_ALONE";

impl Package {
    /// Installs it, and starts the test `module::test` again in a network of its own if that
    /// can be had. None where the test is done: it ran there, or there is no package.
    pub(crate) async fn ready(&self, module: &str, test: &str) -> Result<Option<PathBuf>> {
        let program = match self.installed().await {
            Ok(program) => program,
            Err(why) => {
                ensure!(!in_ci(), "{} cannot be installed: {why:#}", self.name);
                // Straight to the stream: what a passing test prints is not shown.
                writeln!(
                    std::io::stderr(),
                    "\n*** SKIPPED {test}: no {}: {why:#} ***\n",
                    self.name
                )?;
                return Ok(None);
            }
        };
        if has_only_loopback()? {
            return Ok(Some(program));
        }
        ensure!(
            std::env::var_os(ALONE).is_none(),
            "this is no network of its own"
        );
        match own_network().await {
            Some(unshare) => {
                let test = format!("{module}::{test}");
                run_again(&unshare, &test).await.map(|()| None)
            }
            None => Ok(Some(program)),
        }
    }

    /// The program, installed into `target` if it is not there yet.
    async fn installed(&self) -> Result<PathBuf> {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(self.folder);
        fs::create_dir_all(&place)?;
        let lock = File::create(place.join("lock"))?;
        // Other tests wait here for one download.
        let _held = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
        let done = place.join(format!("installed-{}", self.version));
        if !done.exists() {
            install(&place, &format!("{}@{}", self.package, self.version)).await?;
            File::create(&done)?;
        }
        self.program_in(&place)
    }

    /// The native program comes in a package named after the platform.
    fn program_in(&self, place: &Path) -> Result<PathBuf> {
        let packages = fs::read_dir(place.join("node_modules").join(self.platforms))?;
        let program = packages
            .flatten()
            .flat_map(|package| self.programs.iter().map(move |p| package.path().join(p)))
            .find(|program| program.is_file());
        program.with_context(|| format!("no program for this platform in {}", place.display()))
    }
}

#[allow(clippy::disallowed_methods, reason = "only the environment knows")]
fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

async fn install(place: &Path, package: &str) -> Result<()> {
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
    let this = std::env::current_exe()?;
    let again = Command::new(unshare[0])
        .args([
            unshare[1],
            "sh",
            "-c",
            "ip link set lo up && exec \"$0\" \"$@\"",
        ])
        .arg(this)
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env(ALONE, "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(TEST_WITHIN, again)
        .await
        .with_context(|| format!("{test} did not end within {TEST_WITHIN:?}"))??;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && said.contains("1 passed") {
        return Ok(());
    }
    bail!(
        "in a network of its own:\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A model that calls for each command that is not in the history yet, where `call` has it
/// as `field` of its input: what an agent puts into a history when it resumes is its own
/// affair.
pub(crate) fn one_after_another(
    commands: &[String],
    field: &'static str,
    call: fn(&str) -> Turn,
) -> Script {
    let commands = commands.to_vec();
    Script::computed(move |view| {
        let said = view.messages();
        let blocks = said
            .iter()
            .filter_map(|m| m["content"].as_array())
            .flatten();
        let called: Vec<&Value> = blocks.map(|block| &block["input"][field]).collect();
        match commands
            .iter()
            .find(|c| !called.iter().any(|done| **done == **c))
        {
            Some(command) => call(command),
            None => Turn::text("All commands are done."),
        }
    })
}

/// What the run used is what the server sent.
pub(crate) fn the_tokens_are_the_servers(world: &World, run: &Value) -> Result<()> {
    let billed = world.server.ledger().totals();
    let usage = &run["usage"];
    let told = ["input", "output", "cache_read", "requests"].map(|field| usage[field].as_u64());
    let sent = [
        billed.input,
        billed.output,
        billed.cache_read,
        billed.requests,
    ]
    .map(Some);
    ensure!(told == sent, "told {told:?}, sent {sent:?}: {run:#}");
    Ok(())
}

/// No request was one the API would refuse, and all came with the backend's key.
pub(crate) fn nothing_was_refused(world: &World) -> Result<()> {
    for request in world.server.requests() {
        let refused = matches!(request.outcome, Outcome::Error { status: 400, .. });
        ensure!(
            !refused,
            "{} {:?}: {:#}",
            request.path,
            request.outcome,
            request.body
        );
        let asks = matches!(request.kind, RequestKind::Turn | RequestKind::Side);
        ensure!(
            !asks || request.key == "ours",
            "another key: {}",
            request.key
        );
    }
    Ok(())
}

pub(crate) async fn review(world: &World, run: &str, kind: &str) -> Result<Value> {
    let asked = |run: &Value| open_review(run, kind).is_some();
    let shown = world.daemon.wait_shown(run, PATIENCE, asked).await?;
    open_review(&shown, kind).context("a review")
}

pub(crate) async fn completed(world: &World, run: &str) -> Result<Value> {
    let ends = ["completed", "failed", "cancelled", "interrupted"];
    let shown = world.daemon.wait_state(run, &ends, PATIENCE).await?;
    ensure!(shown["state"] == "completed", "not completed: {shown:#}");
    Ok(shown)
}
