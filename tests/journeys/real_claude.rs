//! The real Claude Code, not a script that speaks like it: installed from its package,
//! pointed at the scripted model on the loopback interface, killed and brought back.
//! Where the system lets us, each test runs in a network of its own in which there is
//! nothing but that interface, so that nothing it does can leave the machine.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use testkit::{
    model_server::{Outcome, RequestKind, RequestView, Script, Turn},
    project::{CALC_BROKEN, CALC_FIXED},
};
use tokio::process::Command;

use crate::support::{KEY, QUICK, World, nano, op, open_review, text};

/// The version the driver was written against.
const VERSION: &str = "2.1.329";

/// Downloading and unpacking it: 360 MB.
const INSTALL_WITHIN: Duration = Duration::from_secs(300);

/// It starts in a second; on a machine busy with other tests it takes many.
const PATIENCE: Duration = Duration::from_secs(120);

/// A whole test, in its own network.
const TEST_WITHIN: Duration = Duration::from_secs(480);

/// Set for a test that was started again in a network of its own.
const ALONE: &str = "LONGHAUL_TEST_ALONE";

#[tokio::test]
async fn real_claude_mends_asks_and_is_accounted_for() -> Result<()> {
    let Some(claude) = Claude::ready("real_claude_mends_asks_and_is_accounted_for").await? else {
        return Ok(());
    };
    let world = claude.world().await?;
    let effects = world.effects();
    let tested = format!("{} && sh test.sh", effects.shell("tested"));
    world.server.script("mend", mend(tested));
    let id = world.start("mend", &["--backend", "claude"]).await?;

    let review = review(&world, &id, "tool_call").await?;
    ensure!(text(&review, "detail")?.contains("tested"), "{review:#}");
    assert_eq!(effects.entries()?.len(), 0, "asked before, not after");
    world.cli(&["approve", &text(&review, "id")?]).await?.ok()?;
    let run = completed(&world, &id).await?;

    assert_eq!(effects.count("tested")?, 1);
    assert_eq!(run["result"], "It is mended, and its test passes.");
    assert_eq!(run["answered_by"], json!(["claude-sonnet-5-5"]), "{run:#}");
    for (name, mode) in [
        ("Read", "observed"),
        ("Edit", "gated"),
        ("Write", "gated"),
        ("Bash", "gated"),
    ] {
        let op = op(&run, name)?;
        let told = (&op["mode"], &op["state"], &op["outcome"]);
        ensure!(
            told == (&mode.into(), &"finished".into(), &"ok".into()),
            "{op:#}"
        );
    }
    the_bill_is_the_servers(&world, &run).await?;

    assert_eq!(
        world.project.status()?,
        "",
        "the user's files are as they were"
    );
    let diff = world.cli(&["diff", &id]).await?.ok()?.stdout;
    ensure!(
        diff.contains("notes.txt") && diff.contains("echo $(($1 + $2))"),
        "{diff}"
    );
    nothing_was_refused(&world)
}

#[tokio::test]
async fn real_claude_is_brought_back_after_a_power_cut() -> Result<()> {
    let Some(claude) = Claude::ready("real_claude_is_brought_back_after_a_power_cut").await? else {
        return Ok(());
    };
    let mut world = claude.world().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let slow = format!(
        "{}; [ -e {} ] || sleep 600",
        effects.shell("begun"),
        go.display()
    );
    let commands = [effects.shell("before"), slow, effects.shell("after")];
    world
        .server
        .script("commands", one_after_another(&commands));
    let id = world
        .start(
            "commands",
            &["--backend", "claude", "--policy", "hands-off"],
        )
        .await?;
    effects.wait_for("begun", 1, PATIENCE).await?;
    let session = sessions(&world)?;
    assert_eq!(session.len(), 1);
    world.daemon.kill9_all()?;
    fs::write(&go, "")?;

    world.daemon.launch().await?;
    let doubt = review(&world, &id, "in_doubt").await?;
    ensure!(text(&doubt, "title")?.contains("begun"), "{doubt:#}");
    assert_eq!(effects.count("begun")?, 1);
    world
        .cli(&["answer", &text(&doubt, "id")?, "happened"])
        .await?
        .ok()?;
    let run = completed(&world, &id).await?;

    effects.nothing_twice()?;
    assert_eq!(effects.entries()?.len(), 3, "before, begun, after");
    ensure!(
        text(&run["recovery"], "briefing")?.contains("Bash"),
        "{run:#}"
    );
    assert_eq!(sessions(&world)?, session, "it went on with its session");
    let told = world.said_to_model("commands");
    ensure!(told.contains("interrupted"), "the agent was told: {told}");
    nothing_was_refused(&world)
}

#[tokio::test]
async fn real_claude_outlives_the_daemon() -> Result<()> {
    let Some(claude) = Claude::ready("real_claude_outlives_the_daemon").await? else {
        return Ok(());
    };
    let mut world = claude.world().await?;
    let (effects, go) = (world.effects(), world.daemon.home.place("go"));
    let slow = format!(
        "{}; while [ ! -e {} ]; do sleep 0.05; done; {}",
        effects.shell("begun"),
        go.display(),
        effects.shell("ended")
    );
    let commands = [slow, effects.shell("after")];
    world
        .server
        .script("commands", one_after_another(&commands));
    let id = world
        .start(
            "commands",
            &["--backend", "claude", "--policy", "hands-off"],
        )
        .await?;
    effects.wait_for("begun", 1, PATIENCE).await?;
    let kept = world.daemon.home.keepers();
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    world.daemon.wait_state(&id, &["running"], PATIENCE).await?;
    assert_eq!(world.daemon.home.keepers(), kept, "the same processes");
    fs::write(&go, "")?;
    let run = completed(&world, &id).await?;

    effects.nothing_twice()?;
    assert_eq!(effects.entries()?.len(), 3);
    assert_eq!(sessions(&world)?.len(), 1);
    let bashes = run["ops"].as_array().context("ops")?.iter();
    assert_eq!(
        bashes.filter(|op| op["name"] == "Bash").count(),
        2,
        "{run:#}"
    );
    the_bill_is_the_servers(&world, &run).await?;
    nothing_was_refused(&world)
}

/// A model that mends `calc.sh` with Claude Code's own tools.
fn mend(tested: String) -> Script {
    let line = |calc: &str| calc.lines().nth(4).unwrap_or_default().to_owned();
    let (wrong, right) = (line(CALC_BROKEN), line(CALC_FIXED));
    let calc = |view: &RequestView| format!("{}/calc.sh", folder(view));
    Script::new()
        .turn_with(move |view| {
            Turn::text("I look at it first.").tool("Read", json!({"file_path": calc(view)}))
        })
        .turn_with(move |view| {
            let edit = json!({"file_path": calc(view), "old_string": wrong, "new_string": right, "replace_all": false});
            Turn::new().tool("Edit", edit)
        })
        .turn_with(|view| {
            let path = format!("{}/notes.txt", folder(view));
            Turn::new().tool(
                "Write",
                json!({"file_path": path, "content": "add was wrong\n"}),
            )
        })
        .turn(bash(&tested))
        .turn(Turn::text("It is mended, and its test passes."))
}

fn bash(command: &str) -> Turn {
    Turn::new().tool(
        "Bash",
        json!({"command": command, "description": "Runs it"}),
    )
}

/// A model that calls for each command that is not in the history yet: what Claude Code
/// puts into a history when it resumes is its own affair.
fn one_after_another(commands: &[String]) -> Script {
    let commands = commands.to_vec();
    Script::computed(move |view| {
        let said = view.messages();
        let blocks = said
            .iter()
            .filter_map(|m| m["content"].as_array())
            .flatten();
        let called: Vec<&Value> = blocks.map(|block| &block["input"]["command"]).collect();
        match commands
            .iter()
            .find(|c| !called.iter().any(|done| **done == **c))
        {
            Some(command) => bash(command),
            None => Turn::text("All commands are done."),
        }
    })
}

/// Where Claude Code says that it works.
fn folder(view: &RequestView) -> String {
    let body = view.body.to_string();
    let after = body.split("orking directory: ").nth(1).unwrap_or_default();
    let end = |c: char| c == '\\' || c == '"' || c.is_whitespace();
    after.split(end).next().unwrap_or_default().to_owned()
}

/// What the run used is what the server sent, and its price is Claude Code's own figure.
async fn the_bill_is_the_servers(world: &World, run: &Value) -> Result<()> {
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
    let cost = nano(&run["cost_usd"])?;
    ensure!(cost > 0, "{run:#}");
    let report = world.json(&["cost", "--by", "backend"]).await?;
    assert_eq!(
        nano(&report["rows"][0]["reported_usd"])?,
        cost,
        "{report:#}"
    );
    Ok(())
}

/// No request was one the API would refuse, and all came with the backend's key.
fn nothing_was_refused(world: &World) -> Result<()> {
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

/// Claude Code's own records of its sessions.
fn sessions(world: &World) -> Result<Vec<PathBuf>> {
    let projects = world.daemon.home.user_home().join(".claude/projects");
    let mut sessions = Vec::new();
    for project in fs::read_dir(projects)? {
        let files = fs::read_dir(project?.path())?.flatten();
        let records = files.map(|file| file.path());
        sessions.extend(records.filter(|path| path.extension().is_some_and(|e| e == "jsonl")));
    }
    Ok(sessions)
}

async fn review(world: &World, run: &str, kind: &str) -> Result<Value> {
    let asked = |run: &Value| open_review(run, kind).is_some();
    let shown = world.daemon.wait_shown(run, PATIENCE, asked).await?;
    open_review(&shown, kind).context("a review")
}

async fn completed(world: &World, run: &str) -> Result<Value> {
    let ends = ["completed", "failed", "cancelled", "interrupted"];
    let shown = world.daemon.wait_state(run, &ends, PATIENCE).await?;
    ensure!(shown["state"] == "completed", "not completed: {shown:#}");
    Ok(shown)
}

/// The program, ready to be run.
struct Claude {
    program: PathBuf,
}

impl Claude {
    /// Installs it, and starts the test again in a network of its own if that can be
    /// had. None where the test is done: it ran there, or there is no package.
    async fn ready(test: &str) -> Result<Option<Self>> {
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
    async fn world(&self) -> Result<World> {
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
    let name = format!(
        "{}::{test}",
        module_path!().split_once("::").map_or("", |path| path.1)
    );
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
