//! The real program in homes of its own.

use std::path::Path;
use std::time::{Duration, Instant};

use testkit::{TestDaemon, TestHome};

/// Between two looks while a daemon starts: shorter than what is measured.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A home whose state is kept in `folder`, on the disk that is measured.
pub(crate) fn home(folder: &Path) -> anyhow::Result<TestHome> {
    let mut home = TestHome::new(env!("CARGO_BIN_EXE_longhaul"))?;
    home.set_env("LONGHAUL_HOME", &folder.display().to_string());
    home.set_env("LH_BENCH_KEY", KEY);
    Ok(home)
}

/// Obviously no key.
pub(crate) const KEY: &str = "bench-key-not-real";

/// Starts a daemon; how long it took from its start to a successful `daemon status`.
pub(crate) async fn start(daemon: &mut TestDaemon, within: Duration) -> anyhow::Result<Duration> {
    let began = Instant::now();
    daemon.spawn()?;
    loop {
        let asked = daemon.cli(&["daemon", "status", "--json"]).await?;
        let took = began.elapsed();
        if asked.code == 0 && asked.json()["pid"] == daemon.pid() {
            return Ok(took);
        }
        if let Some(status) = daemon.exit_status()? {
            anyhow::bail!("the daemon ended ({status}):\n{}", daemon.log());
        }
        anyhow::ensure!(
            took < within,
            "the daemon does not answer within {within:?} ({asked:?}):\n{}",
            daemon.log()
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
