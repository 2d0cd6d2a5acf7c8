//! What the product costs while it does nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use keeper::{Orphan, Spec, Stdin, Streams};
use serde_json::Value;
use testkit::TestDaemon;
use testkit::processes::ProcessId;

use crate::daemons;
use crate::processes::{Memory, Use};
use crate::report::Target;
use crate::session::Session;

/// After its start a daemon may still be tidying up.
const SETTLES: Duration = Duration::from_secs(12);

/// After its start a keeper gives back what starting needed.
const KEEPER_SETTLES: Duration = Duration::from_secs(3);

pub(crate) async fn measure_daemon(session: &mut Session) -> anyhow::Result<()> {
    let home = daemons::home(&session.home("idle")?)?;
    let mut daemon = TestDaemon::stopped(home);
    let took = daemons::start(&mut daemon, Duration::from_secs(30)).await?;
    tokio::time::sleep(SETTLES).await;
    let watched = Duration::from_secs(session.scale.idle_seconds);
    let before = Use::of(daemon.pid())?;
    tokio::time::sleep(watched).await;
    let used = Use::of(daemon.pid())?.since(before);
    let memory = Memory::of(daemon.pid())?;
    daemon.terminate().await?;
    session.report.add(
        "daemon start, empty home",
        (took.as_secs_f64() * 1000.0, "ms"),
        Target::AtMost(1000.0),
        "the home was made by it",
    );
    session.report.add(
        "idle daemon memory",
        (memory.resident as f64 / 1e6, "MB"),
        Target::AtMost(40.0),
        memory.words(),
    );
    let percent = used.cpu.as_secs_f64() / watched.as_secs_f64() * 100.0;
    session.report.add(
        "idle daemon processor",
        (percent, "%"),
        Target::AtMost(0.1),
        format!("{:?} in {watched:?}, counted in ticks of 10 ms", used.cpu),
    );
    session.report.add(
        "idle daemon wake-ups",
        (used.switches as f64 / watched.as_secs_f64(), "per s"),
        Target::AtMost(2.0),
        format!("{} switches of its threads in {watched:?}", used.switches),
    );
    Ok(())
}

pub(crate) async fn measure_keeper(session: &mut Session) -> anyhow::Result<()> {
    let home = daemons::home(&session.home("keeper")?)?;
    let dir = home.place("kept");
    let mark = home.root().display().to_string();
    let spec = Spec {
        id: uuid::Uuid::new_v4().to_string(),
        argv: vec!["sleep".to_owned(), "60".to_owned()],
        wrapper: Vec::new(),
        cwd: home.user_home(),
        env: BTreeMap::from([
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            // By it the home finds what it has to end.
            ("LH_BENCH".to_owned(), mark),
        ]),
        stdin: Stdin::Closed,
        streams: Streams::Merged,
        timeout_ms: None,
        orphan: Orphan::Finish,
        max_spool_bytes: 1 << 20,
        limits: keeper::Limits::default(),
        socket: home.place("run/k.sock"),
    };
    let _kept = keeper::spawn(home.binary(), &dir, &spec).await?;
    let state: Value = serde_json::from_slice(&std::fs::read(dir.join("state.json"))?)?;
    let pid = state["keeper"]["pid"]
        .as_u64()
        .context("the keeper's pid")?;
    let pid = u32::try_from(pid)?;
    let begun = Memory::of(pid)?;
    // It tidies up once, a second after the last thing that happened.
    tokio::time::sleep(KEEPER_SETTLES).await;
    let watched = Duration::from_secs(session.scale.idle_seconds.min(10));
    let before = Use::of(pid)?;
    tokio::time::sleep(watched).await;
    let used = Use::of(pid)?.since(before);
    let memory = Memory::of(pid)?;
    if let Some(keeper) = ProcessId::of(pid) {
        keeper.kill();
    }
    session.report.add(
        "keeper memory",
        (memory.resident as f64 / 1e6, "MB"),
        Target::AtMost(4.0),
        format!(
            "with a child that sleeps; {}; just begun {:.1} MB; {} switches and {:?} of processor in {watched:?}",
            memory.words(),
            begun.resident as f64 / 1e6,
            used.switches,
            used.cpu
        ),
    );
    Ok(())
}
