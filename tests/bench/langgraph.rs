//! LangGraph's SQLite saver on the content that our store gets.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::content::{Conversation, Prose, Sizes, Step};
use crate::growth::{append, on_disk};
use crate::report::Target;
use crate::samples::Samples;
use crate::session::{self, Session};

const PACKAGES: [&str; 2] = ["langgraph", "langgraph-checkpoint-sqlite"];

/// One of the steps as the script reads it.
fn shown(step: &Step) -> Value {
    json!({
        "said": step.said, "call_id": step.call_id, "args": step.args, "result": step.result,
    })
}

/// What we took for the steps.
struct Ours {
    steps: Vec<Value>,
    took: Samples,
    said: usize,
    stored: u64,
}

async fn record(home: &Path, steps: usize) -> anyhow::Result<Ours> {
    let store = session::open(home).await?;
    let mut conversation = Conversation::begin(&store, &Prose::new(4)?, Sizes::USUAL).await?;
    let (mut took, mut said, mut all) = (Samples::default(), 0, Vec::new());
    for _ in 0..steps {
        let step = conversation.step();
        said += step.content;
        all.push(shown(&step));
        let began = Instant::now();
        for commit in step.commits {
            append(&store, conversation.run, commit).await?;
        }
        took.push(began.elapsed());
    }
    store.close().await;
    Ok(Ours {
        steps: all,
        took,
        said,
        stored: on_disk(home)?,
    })
}

pub(crate) async fn measure(session: &mut Session) -> anyhow::Result<()> {
    let steps = session.scale.compared;
    let ours = record(&session.home("compared")?, steps).await?;
    let input = session.folder().join("steps.json");
    std::fs::write(&input, serde_json::to_vec(&ours.steps)?)?;
    let theirs = match run(&input, session.folder()) {
        Ok(theirs) => theirs,
        Err(error) => {
            let why = format!("LangGraph's SQLite saver: {error:#}");
            session.report.skip(why);
            return Ok(());
        }
    };
    // Once more after theirs: a shared disk is not the same from one minute to the next.
    let mut took = ours.took;
    took.extend(record(&session.home("compared-again")?, steps).await?.took);
    let number = |field: &str| theirs[field].as_f64().unwrap_or(f64::NAN);
    let (bytes, checkpoints) = (number("bytes"), number("checkpoints"));
    session.report.add(
        format!("bytes, ours / LangGraph's saver, {steps} steps"),
        (ours.stored as f64 / bytes, "x"),
        Target::AtMost(1.0),
        format!(
            "ours {:.2} MB, theirs {:.1} MB for {:.2} MB said ({})",
            ours.stored as f64 / 1e6,
            bytes / 1e6,
            ours.said as f64 / 1e6,
            theirs["versions"].as_str().unwrap_or_default()
        ),
    );
    // A step of ours has two checkpoints of theirs: after the model, after the tools.
    session.report.add(
        format!("time to record a step, ours / LangGraph's saver, {steps} steps"),
        (took.mean_ms() / (number("seconds") * 1000.0 / steps as f64), "x"),
        Target::AtMost(1.0),
        format!(
            "ours {:.2} ms a step ({}), five durable commits; theirs {:.2} ms a checkpoint, {checkpoints:.0} checkpoints, {:.2} ms for each of the last fifty; durability=sync",
            took.mean_ms(),
            took.words(),
            number("seconds") * 1000.0 / checkpoints,
            number("last_ms")
        ),
    );
    Ok(())
}

/// Runs the script in an environment of its own.
fn run(input: &Path, folder: &Path) -> anyhow::Result<Value> {
    let python = environment()?;
    let script = session::root().join("tests/bench/langgraph_saver.py");
    let output = Command::new(python)
        .arg(script)
        .arg(input)
        .arg(folder.join("langgraph.sqlite"))
        .output()
        .context("python cannot be run")?;
    let text = succeeded("the script", output)?;
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).with_context(|| format!("the script said: {text}"))
}

/// The environment's Python, made and filled if need be.
fn environment() -> anyhow::Result<PathBuf> {
    let folder = session::root().join("target/bench-venv");
    let python = folder.join("bin/python");
    let mut filled = Command::new(&python);
    filled.args(["-c", "import langgraph.checkpoint.sqlite, langgraph.graph"]);
    if filled.output().is_ok_and(|output| output.status.success()) {
        return Ok(python);
    }
    eprintln!(
        "   pip install {} into {}",
        PACKAGES.join(" "),
        folder.display()
    );
    let made = Command::new("python3")
        .args(["-m", "venv"])
        .arg(&folder)
        .output()
        .context("there is no python3")?;
    succeeded("python3 -m venv", made)?;
    let installed = Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(PACKAGES)
        .output()
        .context("pip cannot be run")?;
    succeeded("pip install", installed)?;
    Ok(python)
}

fn succeeded(what: &str, output: Output) -> anyhow::Result<String> {
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = errors.lines().rev().take(3).collect();
        bail!("{what} failed: {}", last.join(" | "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
