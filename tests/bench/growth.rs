//! What a step costs on disk, however long the run.

use std::path::{Path, PathBuf};

use domain::RunId;
use store::Store;

use crate::content::{Commit, Conversation, Prose, Sizes};
use crate::report::Target;
use crate::session::{self, Session};

/// Steps recorded in the engine's own transactions; later ones several at a time, because
/// their rows are the same and fifty thousand steps are a quarter of a million syncs.
const OWN_COMMITS: u32 = 400;

/// Steps in one transaction after that. Snapshots of the fold are made at most once in one.
const STEPS: u32 = 10;

/// A very long run, closed cleanly.
#[derive(Clone, Debug)]
pub(crate) struct LongRun {
    pub(crate) home: PathBuf,
    pub(crate) run: RunId,
    pub(crate) sizes: Vec<Size>,
}

/// How large a run was at some length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) steps: u32,
    /// Bytes said by the model and its tools.
    pub(crate) content: u64,
    /// Bytes on disk, everything together.
    pub(crate) stored: u64,
}

impl LongRun {
    /// Records it, looking at its size on the way.
    pub(crate) async fn record(home: PathBuf, lengths: [u32; 4]) -> anyhow::Result<Self> {
        let mut store = session::open(&home).await?;
        let prose = Prose::new(2)?;
        let mut conversation = Conversation::begin(&store, &prose, Sizes::USUAL).await?;
        let (mut sizes, mut content) = (Vec::new(), 0);
        for (at, steps) in lengths.into_iter().enumerate() {
            if at > 0 {
                store = session::open(&home).await?;
            }
            eprintln!("   recording {steps} steps");
            content += grow(&store, &mut conversation, steps).await?;
            store.close().await;
            sizes.push(Size {
                steps,
                content,
                stored: on_disk(&home)?,
            });
        }
        Ok(Self {
            home,
            run: conversation.run,
            sizes,
        })
    }
}

async fn grow(store: &Store, conversation: &mut Conversation, to: u32) -> anyhow::Result<u64> {
    let mut content = 0;
    while conversation.steps() < to {
        if conversation.steps() < OWN_COMMITS {
            let step = conversation.step();
            content += step.content as u64;
            for commit in step.commits {
                append(store, conversation.run, commit).await?;
            }
            continue;
        }
        let mut several = Commit::default();
        for _ in 0..STEPS.min(to - conversation.steps()) {
            let step = conversation.step();
            content += step.content as u64;
            let whole = step.whole();
            several.events.extend(whole.events);
            several.blobs.extend(whole.blobs);
        }
        append(store, conversation.run, several).await?;
    }
    Ok(content)
}

pub(crate) async fn append(store: &Store, run: RunId, commit: Commit) -> anyhow::Result<()> {
    store.append(run, None, commit.events, commit.blobs).await?;
    Ok(())
}

/// Bytes of everything in a folder.
pub(crate) fn on_disk(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => on_disk(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}

pub(crate) async fn measure(session: &mut Session) -> anyhow::Result<()> {
    let long = session.long_run().await?;
    for size in &long.sizes {
        let steps = size.steps;
        let (content, stored) = (size.content as f64, size.stored as f64);
        session.report.add(
            format!("bytes stored / bytes said, {steps} steps"),
            (stored / content, "x"),
            Target::AtMost(1.3),
            format!(
                "{:.0} bytes a step for {:.0} said; {:.1} MB in all",
                stored / f64::from(steps),
                content / f64::from(steps),
                stored / 1e6
            ),
        );
    }
    if let [.., half, whole] = long.sizes.as_slice() {
        let first = half.stored as f64 / f64::from(half.steps);
        let last = (whole.stored - half.stored) as f64 / f64::from(whole.steps - half.steps);
        session.report.add(
            "bytes a step, last half / first half",
            (last / first, "x"),
            Target::AtMost(1.05),
            "flat: a step costs as much at the end as at the beginning",
        );
    }
    Ok(())
}
