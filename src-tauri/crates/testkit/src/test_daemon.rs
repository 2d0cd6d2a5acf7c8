//! A real daemon in a throwaway home.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::{
    processes::{ProcessId, wait_until_gone},
    test_home::{Output, TestHome},
};

/// How long a daemon may take until it answers, and to end when told to.
pub const DAEMON_DEADLINE: Duration = Duration::from_secs(30);

/// States in which nothing goes on by itself.
pub const AT_REST: [&str; 6] = [
    "completed",
    "failed",
    "cancelled",
    "paused",
    "interrupted",
    "waiting",
];

/// Between two looks at a state.
const POLL: Duration = Duration::from_millis(40);

/// `longhaul daemon run` as a child of the test. Its output is in `<root>/daemon.log`.
#[derive(Debug)]
pub struct TestDaemon {
    pub home: TestHome,
    child: Option<Child>,
    extra_env: BTreeMap<String, String>,
}

impl TestDaemon {
    /// Starts a daemon in `home` and waits until it answers.
    ///
    /// # Errors
    /// If it does not within [`DAEMON_DEADLINE`]; the message has its log.
    pub async fn start(home: TestHome) -> anyhow::Result<Self> {
        let mut daemon = Self::stopped(home);
        daemon.launch().await?;
        Ok(daemon)
    }

    /// A daemon yet to be [launched](Self::launch).
    pub fn stopped(home: TestHome) -> Self {
        Self {
            home,
            child: None,
            extra_env: BTreeMap::new(),
        }
    }

    /// Sets a variable for the daemon's next start only: crash points, sabotage.
    pub fn env_once(&mut self, name: &str, value: &str) -> &mut Self {
        self.extra_env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Starts the daemon and waits until it answers.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn launch(&mut self) -> anyhow::Result<()> {
        self.spawn()?;
        self.wait_ready(DAEMON_DEADLINE).await
    }

    /// Starts the daemon without waiting, for one that is to crash while it starts.
    ///
    /// # Errors
    /// If one runs already or it cannot be started.
    pub fn spawn(&mut self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.exit_status()?.is_some() || self.child.is_none(),
            "the daemon runs already"
        );
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.home.place("daemon.log"))?;
        let child = Command::new(self.home.binary())
            .args(["daemon", "run"])
            .env_clear()
            .envs(self.home.env())
            .envs(std::mem::take(&mut self.extra_env))
            .current_dir(self.home.user_home())
            .stdin(Stdio::null())
            .stdout(clone(&log)?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.home.binary().display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until `daemon status` succeeds and names this daemon.
    ///
    /// # Errors
    /// If it does not within `deadline`, or the daemon ends.
    pub async fn wait_ready(&mut self, deadline: Duration) -> anyhow::Result<()> {
        let until = tokio::time::Instant::now() + deadline;
        loop {
            if let Some(status) = self.exit_status()? {
                bail!(
                    "the daemon ended while starting ({status}):\n{}",
                    self.log()
                );
            }
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                bail!(
                    "the daemon does not answer within {deadline:?}:\n{}",
                    self.log()
                );
            }
            let asked = self
                .home
                .cli_within(&["daemon", "status", "--json"], None, left)
                .await;
            let answers = asked.is_ok_and(|o| {
                o.code == 0
                    && serde_json::from_str::<Value>(&o.stdout)
                        .is_ok_and(|s| s["pid"] == self.pid())
            });
            if answers {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The daemon's number; 0 if it was never started.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// How the daemon ended; `None` while it runs.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn exit_status(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => Ok(child.try_wait()?),
            None => Ok(None),
        }
    }

    /// Waits until the daemon ends by itself: at a crash point, or told to stop.
    ///
    /// # Errors
    /// If it does not within `deadline`.
    pub async fn wait_exit(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let ended = async {
            loop {
                if let Some(status) = self.exit_status()? {
                    return anyhow::Ok(status);
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let Ok(status) = tokio::time::timeout(deadline, ended).await else {
            bail!(
                "the daemon does not end within {deadline:?}:\n{}",
                self.log()
            );
        };
        status
    }

    /// Kills the daemon and nothing else; keepers live on.
    ///
    /// # Errors
    /// If it cannot be killed.
    pub fn kill9(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Kills the daemon, its keepers and all they started, as a power cut does.
    ///
    /// # Errors
    /// If something does not go.
    pub fn kill9_all(&mut self) -> anyhow::Result<()> {
        self.kill9()?;
        self.home.kill_everything()
    }

    /// Tells the daemon to stop (SIGTERM, as at a shutdown) and waits until it has.
    ///
    /// # Errors
    /// If it does not within [`DAEMON_DEADLINE`].
    pub async fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        ProcessId::of(self.pid())
            .context("no daemon runs")?
            .terminate();
        self.wait_exit(DAEMON_DEADLINE).await
    }

    /// Starts a new daemon; one that still runs is killed first.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.kill9()?;
        self.launch().await
    }

    /// Runs `longhaul ARGS` in the daemon's home.
    ///
    /// # Errors
    /// As [`TestHome::cli`].
    pub async fn cli(&self, args: &[&str]) -> anyhow::Result<Output> {
        self.home.cli(args).await
    }

    /// `longhaul show RUN --json`.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn show(&self, run: &str) -> anyhow::Result<Value> {
        Ok(self.cli(&["show", run, "--json"]).await?.ok()?.json())
    }

    /// Waits until the run is in one of `states`, and returns what `show` says then.
    ///
    /// # Errors
    /// If it is not within `deadline`; the message has what it is in.
    pub async fn wait_state(
        &self,
        run: &str,
        states: &[&str],
        deadline: Duration,
    ) -> anyhow::Result<Value> {
        let wanted = |shown: &Value| {
            shown["state"]
                .as_str()
                .is_some_and(|state| states.contains(&state))
        };
        self.wait_shown(run, deadline, wanted)
            .await
            .with_context(|| format!("waiting for {states:?}"))
    }

    /// Waits until what `show` says satisfies `wanted`. A daemon that does not answer
    /// meanwhile is asked again: it may be restarting.
    ///
    /// # Errors
    /// If it does not within `deadline`; the message has the last answer and the log.
    pub async fn wait_shown(
        &self,
        run: &str,
        deadline: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let until = tokio::time::Instant::now() + deadline;
        let mut last = String::new();
        while tokio::time::Instant::now() < until {
            match self.show(run).await {
                Ok(shown) if wanted(&shown) => return Ok(shown),
                Ok(shown) => last = serde_json::to_string_pretty(&shown)?,
                Err(error) => last = format!("{error:#}"),
            }
            tokio::time::sleep(POLL).await;
        }
        bail!(
            "run {run} did not get there within {deadline:?}; last: {last}\nthe daemon's log:\n{}",
            self.log()
        )
    }

    /// What the daemons of this home have printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.place("daemon.log")).unwrap_or_default()
    }
}

impl Drop for TestDaemon {
    fn drop(&mut self) {
        // The home kills the rest; here only the zombie is ours to collect.
        if let Some(mut child) = self.child.take() {
            let process = ProcessId::of(child.id());
            child.kill().ok();
            child.wait().ok();
            wait_until_gone(&process.into_iter().collect(), Duration::from_secs(5));
        }
    }
}

fn clone(log: &File) -> anyhow::Result<File> {
    log.try_clone().context("cannot share the log file")
}
