//! What the figures share: scale, folders, the report, and one very long run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use domain::{Clock, Timestamp};
use store::{Store, StoreConfig};

use crate::growth::LongRun;
use crate::machine::{self, DiskProbe};
use crate::report::Report;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// The run's length at which its size is looked at; the last is how long it gets.
    pub(crate) lengths: [u32; 4],
    /// Loads of the long run, each in a fresh store.
    pub(crate) loads: usize,
    /// Events in the journal a daemon starts with.
    pub(crate) events: u64,
    /// Seconds a daemon is watched while it has nothing to do.
    pub(crate) idle_seconds: u64,
    /// Runs that go on at once, and steps of each.
    pub(crate) runs: (usize, usize),
    /// Steps given to LangGraph.
    pub(crate) compared: usize,
    /// Turns of the commit benches.
    pub(crate) rounds: usize,
    /// Files of the repositories workspaces are made of.
    pub(crate) files: &'static [usize],
}

impl Scale {
    /// What the targets are about.
    pub(crate) const FULL: Self = Self {
        lengths: [400, 5_000, 25_000, 50_000],
        loads: 60,
        events: 1_000_000,
        idle_seconds: 20,
        runs: (200, 50),
        compared: 400,
        rounds: 20,
        files: &[1_000, 20_000, 100_000],
    };

    /// To see that the benches work. Its figures are not those of the targets.
    pub(crate) const QUICK: Self = Self {
        lengths: [100, 200, 400, 800],
        loads: 5,
        events: 10_000,
        idle_seconds: 3,
        runs: (10, 5),
        compared: 40,
        rounds: 2,
        files: &[1_000],
    };
}

/// One run of the benches.
pub(crate) struct Session {
    pub(crate) scale: Scale,
    pub(crate) report: Report,
    /// On the disk the repository is on; removed at the end.
    folder: tempfile::TempDir,
    long: Option<LongRun>,
}

/// The wall clock.
pub(crate) struct SystemClock;

#[allow(
    clippy::disallowed_methods,
    reason = "the composition root of a program that measures time"
)]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

impl Session {
    pub(crate) fn new(scale: Scale) -> anyhow::Result<Self> {
        let target = root().join("target");
        std::fs::create_dir_all(&target)?;
        let folder = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(&target)
            .context("a folder in target")?;
        let disk = DiskProbe::new(folder.path())?.sync(1000)?;
        let report = Report::on(machine::facts(folder.path(), &disk));
        Ok(Self {
            scale,
            report,
            folder,
            long: None,
        })
    }

    /// Where everything is written.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A new folder for a home.
    pub(crate) fn home(&self, name: &str) -> anyhow::Result<PathBuf> {
        let home = self.folder.path().join(name);
        std::fs::create_dir_all(&home)?;
        Ok(home)
    }

    /// The very long run, recorded when first asked for.
    pub(crate) async fn long_run(&mut self) -> anyhow::Result<LongRun> {
        if let Some(long) = &self.long {
            return Ok(long.clone());
        }
        let long = LongRun::record(self.home("long")?, self.scale.lengths).await?;
        Ok(self.long.insert(long).clone())
    }
}

/// A store in this home.
pub(crate) async fn open(home: &Path) -> anyhow::Result<Store> {
    let config = StoreConfig {
        home: home.to_owned(),
        clock: Arc::new(SystemClock),
    };
    Ok(Store::open(config).await?)
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
