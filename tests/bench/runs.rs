//! Two hundred runs at once, by the real daemon, against a scripted model over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use testkit::model_server::{Outcome, RequestKind, RequestRecord, RequestView, Script, Turn};
use testkit::{ModelServer, SampleProject, TestDaemon};

use crate::content::Prose;
use crate::daemons;
use crate::machine::DiskProbe;
use crate::processes::{Memory, Use};
use crate::report::Target;
use crate::samples::Samples;
use crate::session::Session;

/// Pauses before each event of an answer, on average. A dozen events make an answer of five
/// seconds: quick for a model, and slow enough that the machine is not just a queue.
const EVENT_MS: u64 = 400;

/// The same for the run that goes on alone.
const ALONE_MS: u64 = 5;

/// Every so many steps one writes a file; the others read.
const WRITES: usize = 10;

/// Lines of the file that is read, a step's worth at a time (3.3 KB).
const LINES: usize = 42;

/// Transactions of a step: call begun, answered, tool begun, done, checkpoint.
const COMMITS: f64 = 5.0;

/// For all runs to begin, and to end.
const WITHIN: Duration = Duration::from_secs(900);

pub(crate) async fn measure(session: &mut Session) -> anyhow::Result<()> {
    let (runs, steps) = session.scale.runs;
    let server = ModelServer::start().await?;
    server.forget_bodies().set_valid_key(Some(daemons::KEY));
    let ended = Arc::new(AtomicUsize::new(0));
    server.script("alone", script(steps, ALONE_MS, ended.clone())?);
    server.script("steps", script(steps, EVENT_MS, ended.clone())?);
    let folder = session.home("runs")?;
    // One credential's limiter lets 64 through by default; waiting for it is not the engine's time.
    let config = format!("slots = {runs}\nconcurrency = {runs}\n");
    std::fs::write(folder.join("config.toml"), config)?;
    let mut daemon = TestDaemon::stopped(daemons::home(&folder)?);
    daemons::start(&mut daemon, Duration::from_secs(30)).await?;
    add_backend(&daemon, &server).await?;
    let project = project(&daemon, steps)?;

    let disk = Probing::start(DiskProbe::new(&folder)?);
    launch(&daemon, &project, "alone", 1).await?;
    wait_for(&mut daemon, &ended, 1).await?;
    settled(&daemon, 1).await?;
    let alone = (Gaps::of(&server.requests_of("alone")), disk.stop()?);

    server.pause_all();
    let began = Instant::now();
    launch(&daemon, &project, "steps", runs).await?;
    let before = server.requests_of("alone").len();
    server.wait_for_requests(before + runs, WITHIN).await?;
    eprintln!(
        "   {runs} runs began in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let before = Use::of(daemon.pid())?;
    let disk = Probing::start(DiskProbe::new(&folder)?);
    let began = Instant::now();
    server.resume_all();
    wait_for(&mut daemon, &ended, runs + 1).await?;
    let unfinished = settled(&daemon, runs + 1).await?;
    let took = began.elapsed();
    let used = Use::of(daemon.pid())?.since(before);
    let memory = Memory::of(daemon.pid())?;
    let syncs = disk.stop()?;
    daemon.terminate().await?;

    let gaps = Gaps::of(&server.requests_of("steps"));
    let fsync = COMMITS * syncs.ms(50.0);
    let total = runs * steps;
    session.report.add(
        format!("runs not completed, {runs} at once x {steps} steps"),
        (unfinished.len() as f64, "runs"),
        Target::Exactly(0.0),
        format!(
            "{:.0} s, {:.0} steps/s{}",
            took.as_secs_f64(),
            total as f64 / took.as_secs_f64(),
            unfinished
                .first()
                .map(|why| format!("; {why}"))
                .unwrap_or_default()
        ),
    );
    session.report.add(
        "engine's time a step beyond model and fsync, p50",
        (gaps.all.ms(50.0) - fsync, "ms"),
        Target::AtMost(10.0),
        format!(
            "from an answer's last byte to the next request's arrival ({}, {} of them) less {COMMITS} x fdatasync p50 meanwhile ({}); \
             includes the tool call, and a git snapshot where one wrote (those: {})",
            gaps.all.words(),
            gaps.all.len(),
            syncs.words(),
            gaps.writes.words()
        ),
    );
    session.report.add(
        "engine's time a step beyond model and fsync, p99",
        (gaps.all.ms(99.0) - fsync, "ms"),
        Target::Open,
        "the same; the p99 holds waiting for two processors and one disk",
    );
    let (one, syncs) = alone;
    session.report.add(
        "the same for one run alone, p50",
        (one.all.ms(50.0) - COMMITS * syncs.ms(50.0), "ms"),
        Target::Open,
        format!(
            "{} less {COMMITS} x fdatasync p50 ({}); where one wrote: {}",
            one.all.words(),
            syncs.words(),
            one.writes.words()
        ),
    );
    session.report.add(
        "daemon's processor time a step",
        (used.cpu.as_secs_f64() * 1000.0 / total as f64, "ms"),
        Target::Open,
        "its own threads; git is not among them",
    );
    session.report.add(
        "daemon memory, the most it ever had",
        (memory.peak as f64 / 1e6, "MB"),
        Target::AtMost(200.0),
        memory.words(),
    );
    Ok(())
}

/// Waits until the model has said its last word so many times.
async fn wait_for(
    daemon: &mut TestDaemon,
    ended: &AtomicUsize,
    times: usize,
) -> anyhow::Result<()> {
    let until = Instant::now() + WITHIN;
    while ended.load(Ordering::SeqCst) < times && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(250)).await;
        ensure!(
            daemon.exit_status()?.is_none(),
            "the daemon ended:\n{}",
            daemon.log()
        );
    }
    Ok(())
}

/// A model that reads on and on, and writes now and then.
fn script(steps: usize, event_ms: u64, ended: Arc<AtomicUsize>) -> anyhow::Result<Script> {
    let prose = Prose::new(5)?;
    Ok(Script::computed(move |view: &RequestView| {
        let mut said = prose.reseeded(view.turn as u64);
        // Some answers take longer than others, or all runs would move in step.
        let spread = blake3::hash(format!("{}{}", view.conversation, view.turn).as_bytes());
        let event_ms = event_ms / 2 + event_ms * u64::from(spread.as_bytes()[0]) / 255;
        let mut turn = Turn::text(said.say(900));
        if view.turn >= steps {
            ended.fetch_add(1, Ordering::SeqCst);
        } else if is_write(view.turn) {
            let path = format!("notes/part_{}.md", view.turn);
            turn = turn.tool("write", json!({"path": path, "content": said.say(2000)}));
        } else {
            let place =
                json!({"path": "source.txt", "offset": view.turn * LINES + 1, "limit": LINES});
            turn = turn.tool("read", place);
        }
        turn.chunk_chars = Some(300);
        turn.chunk_delay_ms(event_ms)
    }))
}

fn is_write(turn: usize) -> bool {
    turn % WRITES == WRITES - 1
}

async fn add_backend(daemon: &TestDaemon, server: &ModelServer) -> anyhow::Result<()> {
    let url = server.url();
    let flags = ["--kind", "anthropic", "--model", "claude-sonnet-5-5"];
    let place = ["--base-url", &url, "--key-env", "LH_BENCH_KEY"];
    let args = [&["backend", "add", "model"], &flags[..], &place[..]].concat();
    daemon.cli(&args).await?.ok()?;
    Ok(())
}

/// A project with one long file.
fn project(daemon: &TestDaemon, steps: usize) -> anyhow::Result<SampleProject> {
    let project = SampleProject::calc(daemon.home.place("project"))?;
    let mut prose = Prose::new(6)?;
    let lines: Vec<String> = (0..(steps + 1) * LINES)
        .map(|_| prose.say(78).replace('\n', " "))
        .collect();
    project.write("source.txt", &lines.join("\n"))?;
    project.commit("Add something long to read")?;
    Ok(project)
}

async fn launch(
    daemon: &TestDaemon,
    project: &SampleProject,
    script: &str,
    runs: usize,
) -> anyhow::Result<()> {
    let folder = project.path().display().to_string();
    for run in 0..runs {
        let prompt = format!("Read everything, number {run}. [[script:{script}]]");
        let args = [
            "run",
            "--detach",
            "--json",
            "--project",
            &folder,
            "--backend",
            "model",
            "--policy",
            "hands-off",
            &prompt,
        ];
        daemon.cli(&args).await?.ok()?;
    }
    Ok(())
}

/// Waits until every run is at rest; those that are not completed, with why.
async fn settled(daemon: &TestDaemon, runs: usize) -> anyhow::Result<Vec<String>> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let listed = daemon.cli(&["runs", "--json"]).await?.ok()?.json();
        let all = listed["runs"].as_array().context("runs")?;
        let goes_on = |run: &Value| {
            ["queued", "running", "verifying"].contains(&run["state"].as_str().unwrap_or_default())
        };
        if all.len() >= runs && (Instant::now() > until || !all.iter().any(goes_on)) {
            let others = all.iter().filter(|run| run["state"] != "completed");
            return Ok(others.map(Value::to_string).collect());
        }
        ensure!(
            Instant::now() < until + Duration::from_secs(60),
            "{} runs are listed and not {runs}",
            all.len()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The time between an answer and the next request, as the server sees it.
#[derive(Default)]
struct Gaps {
    all: Samples,
    /// Those in which a file was written and a snapshot taken.
    writes: Samples,
}

impl Gaps {
    fn of(requests: &[RequestRecord]) -> Self {
        let mut conversations: BTreeMap<&str, Vec<&RequestRecord>> = BTreeMap::new();
        for request in requests
            .iter()
            .filter(|r| r.kind == RequestKind::Turn && r.outcome == Outcome::Full)
        {
            conversations
                .entry(&request.conversation)
                .or_default()
                .push(request);
        }
        let mut gaps = Self::default();
        for turns in conversations.values() {
            for pair in turns.windows(2) {
                let [answer, next] = pair else { continue };
                let Some(ended) = answer.ended_us else {
                    continue;
                };
                let gap = Duration::from_micros(next.at_us.saturating_sub(ended));
                gaps.all.push(gap);
                if is_write(answer.turn) {
                    gaps.writes.push(gap);
                }
            }
        }
        gaps
    }
}

/// Times the disk now and then, while others use it.
struct Probing {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<anyhow::Result<Samples>>,
}

impl Probing {
    fn start(mut disk: DiskProbe) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut samples = Samples::default();
            while !told.load(Ordering::SeqCst) {
                samples.extend(disk.sync(1)?);
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(samples)
        });
        Self { stop, thread }
    }

    fn stop(self) -> anyhow::Result<Samples> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread
            .join()
            .map_err(|_| anyhow::anyhow!("the thread that times the disk ended early"))?
    }
}
