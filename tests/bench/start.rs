//! Starting a daemon on a very large journal.

use std::time::Duration;

use bytes::Bytes;
use domain::{BlobRef, Event, RunId};
use store::Store;
use testkit::TestDaemon;

use crate::content::{Commit, Conversation, Prose, Sizes};
use crate::daemons;
use crate::growth::append;
use crate::processes::Memory;
use crate::report::Target;
use crate::resume::forget;
use crate::samples::Samples;
use crate::session::{self, Session};

/// Steps in each of the runs that make the journal large, and in one transaction.
const STEPS: u32 = 600;
const AT_ONCE: u32 = 25;

/// Runs that are paused rather than done: what a start looks at more closely.
const PAUSED: usize = 100;

/// Runs recorded at once.
const TOGETHER: usize = 4;

/// Starts measured; before the first the page cache is dropped.
const STARTS: usize = 7;

/// A start that takes longer is not measured.
const WITHIN: Duration = Duration::from_secs(60);

pub(crate) async fn measure(session: &mut Session) -> anyhow::Result<()> {
    let long = session.long_run().await?;
    let store = session::open(&long.home).await?;
    let events = fill(&store, long.run, session.scale.events).await?;
    store.close().await;
    let mut daemon = TestDaemon::stopped(daemons::home(&long.home)?);
    forget(&long.home)?;
    let mut starts = Samples::default();
    let mut first = Duration::ZERO;
    let mut memory = None;
    for n in 0..STARTS {
        let took = daemons::start(&mut daemon, WITHIN).await?;
        if n == 0 {
            first = took;
        }
        starts.push(took);
        memory = Some(Memory::of(daemon.pid())?);
        daemon.terminate().await?;
    }
    session.report.add(
        format!("daemon start, {events} events, slowest"),
        (starts.ms(100.0), "ms"),
        Target::AtMost(1000.0),
        format!(
            "from its start to a successful `daemon status`, {STARTS} starts, {}; the first with the page cache dropped: {:.0} ms",
            starts.words(),
            first.as_secs_f64() * 1000.0
        ),
    );
    if let Some(memory) = memory {
        session.report.add(
            "daemon memory after that start",
            (memory.resident as f64 / 1e6, "MB"),
            Target::AtMost(40.0),
            memory.words(),
        );
    }
    Ok(())
}

/// Adds runs until the journal has so many events, and leaves none working.
async fn fill(store: &Store, long: RunId, wanted: u64) -> anyhow::Result<u64> {
    eprintln!("   recording {wanted} events");
    rest(store, long).await?;
    let prose = Prose::new(3)?;
    let mut made = 0;
    while store.last_gseq() < wanted {
        // Several at a time: one's contents are compressed while another is recorded.
        let several = (made..made + TOGETHER).map(|n| {
            let (store, prose) = (store.clone(), prose.reseeded(n as u64));
            tokio::spawn(async move { fill_one(&store, prose, n, wanted).await })
        });
        for one in several.collect::<Vec<_>>() {
            one.await??;
        }
        made += TOGETHER;
    }
    Ok(store.last_gseq())
}

/// One run, paused or completed in the end.
async fn fill_one(store: &Store, prose: Prose, n: usize, wanted: u64) -> anyhow::Result<()> {
    let mut run = Conversation::begin(store, &prose, Sizes::SMALL).await?;
    while run.steps() < STEPS && store.last_gseq() < wanted {
        let mut several = Commit::default();
        for _ in 0..AT_ONCE {
            let whole = run.step().whole();
            several.events.extend(whole.events);
            several.blobs.extend(whole.blobs);
        }
        append(store, run.run, several).await?;
    }
    if n < PAUSED {
        return rest(store, run.run).await;
    }
    let result = Bytes::from_static(b"It is mended.");
    let done = Event::Completed {
        result: BlobRef::of(&result),
    };
    store
        .append(run.run, None, vec![done], vec![result])
        .await?;
    Ok(())
}

async fn rest(store: &Store, run: RunId) -> anyhow::Result<()> {
    let paused = Event::Paused {
        by: "bench".to_owned(),
    };
    store.append(run, None, vec![paused], Vec::new()).await?;
    Ok(())
}
