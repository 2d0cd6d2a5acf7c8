//! Coming back to a very long run after a restart.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use rustix::fs::{Advice, fadvise};

use crate::report::Target;
use crate::samples::Samples;
use crate::session::{self, Session};

/// Messages whose contents are read too: what is shown first.
const SHOWN: u32 = 100;

pub(crate) async fn measure(session: &mut Session) -> anyhow::Result<()> {
    let long = session.long_run().await?;
    let steps = long.sizes.last().map_or(0, |size| size.steps);
    let (mut opens, mut folds, mut loads, mut shown) = (
        Samples::default(),
        Samples::default(),
        Samples::default(),
        Samples::default(),
    );
    for _ in 0..session.scale.loads {
        forget(&long.home)?;
        let began = Instant::now();
        let store = session::open(&long.home).await?;
        opens.push(began.elapsed());
        let began = Instant::now();
        let run = store.load(long.run).await?;
        folds.push(began.elapsed());
        let messages = store.messages(long.run, 0).await?;
        loads.push(began.elapsed());
        let run = run.ok_or_else(|| anyhow::anyhow!("the run is gone"))?;
        anyhow::ensure!(
            messages.len() as u32 == run.messages,
            "messages are missing"
        );
        let began = Instant::now();
        for message in store
            .messages(long.run, run.messages.saturating_sub(SHOWN))
            .await?
        {
            store.blob(&message.text).await?;
        }
        shown.push(began.elapsed());
        store.close().await;
    }
    let name = |what: &str| format!("{what}, {steps} steps");
    session.report.add(
        name("cold resume p99"),
        (loads.ms(99.0), "ms"),
        Target::AtMost(100.0),
        format!(
            "fold and every message's reference in a fresh store, page cache dropped; p50 {:.1} ms, {} loads; the fold alone {}",
            loads.ms(50.0),
            loads.len(),
            folds.words()
        ),
    );
    session.report.add(
        name("contents of the last 100 messages p99"),
        (shown.ms(99.0), "ms"),
        Target::Open,
        format!("after it; {}", shown.words()),
    );
    session.report.add(
        name("opening that store p99"),
        (opens.ms(99.0), "ms"),
        Target::Open,
        format!("checks of settings, anchor and tails; {}", opens.words()),
    );
    Ok(())
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
