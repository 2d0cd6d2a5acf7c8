//! One home with its daemon, its model, its user's project, and what happened in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use client::{Client, ClientError};
use domain::{BackendKind, Preset, ReviewId, ReviewKind, RunId, RunState};
use protocol::{BackendAdd, KeySource, RunRequest, RunsRequest, VersionRequest};
use testkit::{EffectLedger, ModelServer, SampleProject, TestDaemon, TestHome};
use tokio::time::Instant;

use super::script::{self, Length};
use super::settings;
use super::witness::Witness;

/// How long a daemon may take to be there or to be gone.
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);

/// A backend in a campaign's home.
const BACKEND: &str = "scripted";

/// A model the price book knows, so that every call has an exact cost.
const MODEL: &str = "claude-sonnet-5";

/// A task given, or still to be given, to the daemon.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) length: Length,
    pub(crate) policy: Preset,
    /// Known once the daemon has acknowledged it.
    pub(crate) run: Option<RunId>,
}

impl Task {
    pub(crate) fn new(name: &str, length: Length, policy: Preset) -> Self {
        Self {
            name: name.to_owned(),
            length,
            policy,
            run: None,
        }
    }

    pub(crate) fn prompt(&self) -> String {
        format!(
            "Mend add. [[script:{} task={}]]",
            self.length.script(),
            self.name
        )
    }
}

/// Why driving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Every task is completed.
    Completed,
    /// The daemon is dead.
    DaemonGone,
}

pub(crate) struct World {
    pub(crate) daemon: TestDaemon,
    pub(crate) model: ModelServer,
    pub(crate) project: SampleProject,
    pub(crate) project_head: String,
    pub(crate) effects: EffectLedger,
    pub(crate) client: Client,
    pub(crate) witness: Option<Witness>,
    pub(crate) tasks: Vec<Task>,
    /// Decisions the daemon acknowledged.
    pub(crate) decisions: Vec<(ReviewId, String)>,
    /// Keepers that lived on when their daemon was killed.
    pub(crate) left_alive: BTreeSet<String>,
    /// Whether any keeper was killed: only then may anything be in doubt.
    pub(crate) keepers_killed: bool,
    pub(crate) deaths: u32,
    pub(crate) resumed: u32,
    pub(crate) interrupted_since: BTreeMap<RunId, Instant>,
    pub(crate) has_backend: bool,
    pub(crate) has_backup: bool,
    /// Reviews of this kind are not answered.
    pub(crate) left_open: Option<ReviewKind>,
}

impl World {
    /// A home without a daemon yet.
    pub(crate) async fn new() -> anyhow::Result<Self> {
        let mut home = TestHome::new(settings::binary())?;
        home.set_env("CAMPAIGN_KEY", "test-key-not-real");
        home.configure(CONFIG)?;
        let project = SampleProject::calc(home.place("project"))?;
        let effects = EffectLedger::at(home.place("effects.jsonl"));
        let model = ModelServer::start().await?;
        model.set_models([MODEL]);
        for length in [Length::Short, Length::Long] {
            model.script(length.script(), script::script(&effects, length));
        }
        Ok(Self {
            client: Client::connect(client_socket(&home)),
            project_head: project.head()?,
            daemon: TestDaemon::stopped(home),
            model,
            project,
            effects,
            witness: None,
            tasks: Vec::new(),
            decisions: Vec::new(),
            left_alive: BTreeSet::new(),
            keepers_killed: false,
            deaths: 0,
            resumed: 0,
            interrupted_since: BTreeMap::new(),
            has_backend: false,
            has_backup: false,
            left_open: None,
        })
    }

    /// The same with a task to be given.
    pub(crate) async fn with_task(task: Task) -> anyhow::Result<Self> {
        let mut world = Self::new().await?;
        world.tasks.push(task);
        Ok(world)
    }

    /// Waits until the daemon answers or is dead.
    pub(crate) async fn wait_up(&mut self) -> anyhow::Result<Option<Ended>> {
        let until = Instant::now() + DEADLINE;
        loop {
            if self.is_gone()? {
                return Ok(Some(Ended::DaemonGone));
            }
            if let Ok(version) = self.client.version(VersionRequest {}).await {
                self.must_be_normal(&version)?;
                if let (None, Some(cursor)) = (&self.witness, version.cursor) {
                    self.witness = Some(Witness::from(self.client.clone(), cursor));
                }
                return Ok(None);
            }
            ensure!(
                Instant::now() < until,
                "the daemon does not answer:\n{}",
                self.daemon.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn must_be_normal(&self, version: &protocol::VersionInfo) -> anyhow::Result<()> {
        ensure!(
            version.mode != protocol::DaemonMode::Maintenance,
            "after a crash the daemon cannot open its store:\n{}",
            self.daemon.log()
        );
        Ok(())
    }

    fn is_gone(&mut self) -> anyhow::Result<bool> {
        Ok(self.daemon.exit_status()?.is_some())
    }

    /// Does what a user does until every task is completed or the daemon is dead.
    pub(crate) async fn drive(&mut self, patience: Duration) -> anyhow::Result<Ended> {
        if let Some(ended) = self.wait_up().await? {
            return Ok(ended);
        }
        let until = Instant::now() + patience;
        loop {
            let looked = self.look().await;
            if self.is_gone()? {
                return Ok(Ended::DaemonGone);
            }
            match looked {
                Ok(true) => return Ok(Ended::Completed),
                Ok(false) => {}
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error.context(self.daemon.log())),
            }
            if Instant::now() >= until {
                bail!(
                    "not completed within {patience:?}: {}\n{}",
                    self.state().await,
                    self.daemon.log()
                );
            }
            match &mut self.witness {
                Some(witness) => witness.moved(Duration::from_millis(150)).await,
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// One look at everything, doing what is to be done. True: all tasks are completed.
    pub(crate) async fn look(&mut self) -> anyhow::Result<bool> {
        self.set_up().await?;
        self.answer_reviews().await?;
        let list = self.client.runs(RunsRequest::default()).await?;
        for known in self.runs() {
            let is_there = list.runs.iter().any(|run| run.id == known);
            ensure!(is_there, "the acknowledged run {known} is gone");
        }
        let mut completed = 0;
        for run in &list.runs {
            match run.state {
                RunState::Completed => completed += 1,
                RunState::Interrupted => self.resume_if_left(run.id).await?,
                RunState::Failed | RunState::Cancelled | RunState::Paused => {
                    let request = protocol::ShowRequest {
                        run: run.id.to_string(),
                        ..protocol::ShowRequest::default()
                    };
                    let shown = self.client.show(request).await?;
                    bail!(
                        "run {} is {}: {:?} {:?}",
                        run.id,
                        run.state,
                        shown.cause,
                        shown.detail
                    )
                }
                _ => drop(self.interrupted_since.remove(&run.id)),
            }
        }
        Ok(completed == self.tasks.len() && self.tasks.iter().all(|task| task.run.is_some()))
    }

    /// Adds the backend, gives the tasks, makes a backup: each until it is acknowledged.
    async fn set_up(&mut self) -> anyhow::Result<()> {
        if !self.has_backend {
            let add = BackendAdd {
                name: BACKEND.to_owned(),
                kind: BackendKind::Anthropic,
                base_url: Some(self.model.url()),
                model: Some(MODEL.to_owned()),
                command: None,
                free: false,
                key: Some(KeySource::Env {
                    var: "CAMPAIGN_KEY".to_owned(),
                }),
            };
            match self.client.backend_add(add).await {
                // Recorded just before a crash that kept the acknowledgement.
                Err(ClientError::Refused(error)) if error.code == protocol::ErrorCode::Conflict => {
                }
                answer => drop(answer?),
            }
            self.has_backend = true;
        }
        for index in 0..self.tasks.len() {
            if self.tasks[index].run.is_none() {
                let run = self.give(&self.tasks[index].clone()).await?;
                self.tasks[index].run = Some(run);
            }
        }
        if !self.has_backup {
            self.client
                .backup(protocol::BackupRequest::default())
                .await?;
            self.has_backup = true;
        }
        Ok(())
    }

    /// Gives a task, unless a daemon that died before it could say so has it already.
    async fn give(&self, task: &Task) -> anyhow::Result<RunId> {
        let list = self.client.runs(RunsRequest::default()).await?;
        if let Some(run) = list.runs.iter().find(|run| run.title == task.prompt()) {
            return Ok(run.id);
        }
        let request = RunRequest {
            prompt: task.prompt(),
            project: self.project.path().display().to_string(),
            backend: Some(BACKEND.to_owned()),
            verify: Some("sh test.sh && sleep 0.1".to_owned()),
            policy: Some(task.policy),
            ..RunRequest::default()
        };
        Ok(self.client.start_run(request).await?.id)
    }

    /// In words, for messages.
    pub(crate) async fn state(&self) -> String {
        let runs = self.client.runs(RunsRequest::default()).await;
        let reviews = self
            .client
            .reviews(protocol::ReviewsRequest::default())
            .await;
        format!("{runs:#?} {reviews:#?}")
    }
}

/// Settings of every home here: retries as fast as is sensible in a test.
const CONFIG: &str = "retry_ms = 40\nstagger_ms = 20\n";

fn client_socket(home: &TestHome) -> std::path::PathBuf {
    let runtime = home.place("run");
    client::paths::socket_of(&home.path(), Some(&runtime), 0)
}

/// Whether an error says no more than that the daemon is (about to be) dead.
fn is_passing(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(ClientError::Unreachable { .. }))
}

/// Waits for `condition` for a while; false if it did not come true.
pub(crate) async fn comes_true(longest: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + longest;
    while !condition() {
        if Instant::now() >= until {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    true
}

impl World {
    /// The tasks' runs.
    pub(crate) fn runs(&self) -> Vec<RunId> {
        self.tasks.iter().filter_map(|task| task.run).collect()
    }

    /// Kills the daemon alone; its keepers are remembered.
    pub(crate) fn kill_daemon(&mut self) -> anyhow::Result<()> {
        self.daemon.kill9()?;
        self.after_death();
        Ok(())
    }

    /// Kills everything that runs in the home, as a power cut does.
    pub(crate) fn kill_all(&mut self) -> anyhow::Result<()> {
        self.daemon.kill9_all()?;
        self.deaths += 1;
        self.keepers_killed = true;
        let root = self.daemon.home.path().join("keepers");
        self.left_alive
            .retain(|keeper| root.join(keeper).join("exit.json").exists());
        Ok(())
    }

    /// Takes note that the daemon died while its keepers live on.
    pub(crate) fn after_death(&mut self) {
        self.deaths += 1;
        self.left_alive.extend(living_keepers(&self.daemon.home));
    }

    pub(crate) fn witness(&self) -> anyhow::Result<&Witness> {
        self.witness.as_ref().context("no daemon ever answered")
    }
}

/// Names of the keepers that live and whose child has begun.
fn living_keepers(home: &TestHome) -> BTreeSet<String> {
    let folders = std::fs::read_dir(home.path().join("keepers"))
        .into_iter()
        .flatten()
        .flatten();
    let alive = home.keepers();
    let lives = |folder: &std::fs::DirEntry| {
        let state = std::fs::read(folder.path().join("state.json")).ok()?;
        let state: serde_json::Value = serde_json::from_slice(&state).ok()?;
        let keeper = state["keeper"]["pid"].as_u64()?;
        let begun = !state["child"].is_null() && !folder.path().join("exit.json").exists();
        (begun && alive.iter().any(|p| u64::from(p.pid) == keeper)).then_some(())
    };
    folders
        .filter(|folder| lives(folder).is_some())
        .map(|folder| folder.file_name().to_string_lossy().into_owned())
        .collect()
}
