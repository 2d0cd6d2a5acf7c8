//! Coming back to a very long run after a restart.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use domain::{BlobRef, RunId};
use rustix::fs::{Advice, fadvise};

use crate::report::Target;
use crate::samples::Samples;
use crate::session::{self, Session};

/// Messages whose contents are read: the end of the conversation.
const LAST: u32 = 100;

pub(crate) async fn measure(session: &mut Session) -> anyhow::Result<()> {
    let long = session.long_run().await?;
    let steps = long.sizes.last().map_or(0, |size| size.steps);
    let mut took = Took::default();
    for _ in 0..session.scale.loads {
        forget(&long.home)?;
        took.load(&long.home, long.run).await?;
    }
    let name = |what: &str| format!("{what}, {steps} steps");
    session.report.add(
        name("cold resume p99"),
        (took.resumes.ms(99.0), "ms"),
        Target::AtMost(100.0),
        format!(
            "in a fresh store with the page cache dropped: the run's state and its last {LAST} messages with contents; p50 {:.1} ms, {} times; the state alone {}",
            took.resumes.ms(50.0),
            took.resumes.len(),
            took.states.words()
        ),
    );
    session.report.add(
        name("references of every message p99"),
        (took.references.ms(99.0), "ms"),
        Target::Open,
        format!(
            "{} of them, after it; {}",
            steps * 2 + 1,
            took.references.words()
        ),
    );
    session.report.add(
        name("opening that store p99"),
        (took.opens.ms(99.0), "ms"),
        Target::Open,
        format!(
            "before it: checks of settings, anchor and tails; {}",
            took.opens.words()
        ),
    );
    Ok(())
}

#[derive(Default)]
struct Took {
    opens: Samples,
    states: Samples,
    resumes: Samples,
    references: Samples,
}

impl Took {
    async fn load(&mut self, home: &Path, run: RunId) -> anyhow::Result<()> {
        let began = Instant::now();
        let store = session::open(home).await?;
        self.opens.push(began.elapsed());
        let began = Instant::now();
        let state = store.load(run).await?.context("the run is gone")?;
        self.states.push(began.elapsed());
        let numbers = state.messages.saturating_sub(LAST)..state.messages;
        let last = store.messages_in(run, numbers).await?;
        let names: Vec<BlobRef> = last.into_iter().map(|message| message.text).collect();
        let contents = store.blobs(&names).await?;
        ensure!(contents.len() == LAST as usize, "contents are missing");
        self.resumes.push(began.elapsed());
        let began = Instant::now();
        let all = store.messages(run, 0).await?;
        self.references.push(began.elapsed());
        ensure!(all.len() == state.messages as usize, "messages are missing");
        store.close().await;
        Ok(())
    }
}

/// Drops what the system remembers of the home's files, as after a reboot.
pub(crate) fn forget(home: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(home)? {
        let path = entry?.path();
        if path.is_file() {
            let file = File::open(path)?;
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}
