//! A workbench: an engine in a home of its own, and a scripted model server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::{Budget, Clock, InterruptCause, Preset, Run, RunId, Timestamp};
use engine::{BackendConfig, Engine, NewRun, Parts, Settings};
use pricing::PriceBook;
use secrets::{Credentials, KeySource, Keychain, Redactor};
use store::{Store, StoreConfig};
use testkit::SampleProject;
use testkit::model_server::ModelServer;

pub(crate) const KEY: &str = "test-key-not-real";
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        Timestamp(i64::try_from(since.as_millis()).unwrap())
    }
}

/// A clock that stands still until it is moved.
#[derive(Clone)]
pub(crate) struct HandClock(Arc<AtomicI64>);

impl HandClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(SystemClock.now().0)))
    }

    pub(crate) fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) server: ModelServer,
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    clock: Arc<dyn Clock>,
    settings: Settings,
    prices: PriceBook,
}

/// Quick retries: tests do not wait for quarter minutes.
pub(crate) fn quick() -> Settings {
    Settings {
        retry_ms: 20,
        stagger_ms: 10,
        auth_recheck_ms: 200,
        ..Settings::default()
    }
}

impl Bench {
    /// Puts a run's result into the project as a new branch; its name.
    pub(crate) async fn apply_as_branch(&self, run: domain::RunId) -> String {
        let wish = engine::Apply {
            into: domain::ApplyInto::Branch,
            branch: None,
            paths: Vec::new(),
            hunks: Vec::new(),
            by: "test".to_owned(),
        };
        self.engine.apply(run, wish).await.unwrap().work.target
    }

    pub(crate) async fn new() -> Self {
        Self::with(quick()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        Self::on(settings, Arc::new(SystemClock)).await
    }

    pub(crate) async fn on(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self::priced(settings, clock, PriceBook::bundled()).await
    }

    pub(crate) async fn priced(
        mut settings: Settings,
        clock: Arc<dyn Clock>,
        prices: PriceBook,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Scripts of agents are read from it, and effects are counted in it.
        let writable = &mut settings.confinement.writable;
        writable.push(folder.path().to_owned());
        let server = ModelServer::start().await.unwrap();
        server.set_valid_key(Some(KEY));
        let home = folder.path().join("home");
        std::fs::create_dir_all(&home).unwrap();
        let store = Store::open(StoreConfig {
            home: home.clone(),
            clock: clock.clone(),
        })
        .await
        .unwrap();
        let engine = Engine::new(parts(
            &home,
            folder.path(),
            clock.clone(),
            store.clone(),
            settings.clone(),
            prices.clone(),
        ));
        engine
            .recover(None, InterruptCause::DaemonDied)
            .await
            .unwrap();
        let bench = Self {
            folder,
            server,
            store,
            engine,
            clock,
            settings,
            prices,
        };
        bench
            .add_backend(
                "mine",
                KeySource::Env {
                    var: "KEY".to_owned(),
                },
            )
            .await;
        bench
    }

    pub(crate) async fn add_backend(&self, name: &str, key: KeySource) {
        self.put_backend(BackendConfig {
            name: name.to_owned(),
            kind: domain::BackendKind::Anthropic,
            base_url: Some(self.server.url()),
            model: Some("claude-sonnet-5-5".to_owned()),
            command: None,
            free: false,
            key,
        })
        .await;
    }

    /// A backend `agent`: the scripted Claude Code.
    pub(crate) async fn add_agent(&self) {
        let program = testkit::testkit_binary("scripted-agent").unwrap();
        self.put_backend(BackendConfig {
            name: "agent".to_owned(),
            kind: domain::BackendKind::ClaudeCode,
            base_url: None,
            model: Some("claude-opus-5-5".to_owned()),
            command: Some(program.display().to_string()),
            free: false,
            key: KeySource::None,
        })
        .await;
    }

    async fn put_backend(&self, config: BackendConfig) {
        let value = serde_json::to_value(&config).unwrap();
        self.store.put_backend(&config.name, value).await.unwrap();
    }

    /// The folders of keepers there are.
    pub(crate) fn keepers(&self) -> usize {
        let folders = std::fs::read_dir(self.folder.path().join("home/keepers"));
        folders.map_or(0, Iterator::count)
    }

    /// Lets the engine go and gives what it left to another one, as a daemon that is
    /// stopped and started again does. `meanwhile` happens between the two.
    pub(crate) async fn restart(&mut self, meanwhile: impl FnOnce()) {
        self.engine.leave(DEADLINE).await;
        meanwhile();
        self.engine = Engine::new(parts(
            &self.folder.path().join("home"),
            self.folder.path(),
            self.clock.clone(),
            self.store.clone(),
            self.settings.clone(),
            self.prices.clone(),
        ));
        self.engine
            .recover(None, InterruptCause::Shutdown)
            .await
            .unwrap();
    }

    pub(crate) fn project(&self) -> SampleProject {
        SampleProject::calc(self.folder.path().join("project")).unwrap()
    }

    pub(crate) fn task(&self, project: &Path, prompt: &str) -> NewRun {
        NewRun {
            prompt: prompt.to_owned(),
            project: project.to_owned(),
            backend: None,
            model: None,
            verify: None,
            workspace: None,
            policy: Some(Preset::Balanced),
            budget: Budget::default(),
            after: None,
            fallback: Vec::new(),
            priority: 0,
        }
    }

    /// The run when `done` first holds of it.
    pub(crate) async fn wait(&self, run: RunId, done: impl Fn(&Run) -> bool) -> Run {
        let mut grown = self.store.subscribe();
        let waited = tokio::time::timeout(DEADLINE, async {
            loop {
                let now = self.store.load(run).await.unwrap().unwrap();
                if done(&now) {
                    return now;
                }
                grown.changed().await.unwrap();
            }
        });
        match waited.await {
            Ok(run) => run,
            Err(_) => panic!("it never came: {}", self.story(run).await),
        }
    }

    /// For what no event tells: waits until it holds.
    pub(crate) async fn eventually(&self, holds: impl Fn() -> bool, what: &str) {
        let until = tokio::time::Instant::now() + DEADLINE;
        while !holds() {
            assert!(tokio::time::Instant::now() < until, "never: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The journal in words, for failures.
    pub(crate) async fn story(&self, run: RunId) -> String {
        let entries = self.store.journal(run, 0, 1000).await.unwrap();
        let lines: Vec<String> = entries
            .iter()
            .map(|s| format!("{} {:?}", s.entry.seq, s.entry.event))
            .collect();
        lines.join("\n")
    }
}

fn parts(
    home: &Path,
    folder: &Path,
    clock: Arc<dyn Clock>,
    store: Store,
    settings: Settings,
    prices: PriceBook,
) -> Parts {
    let home_id = store.store_id().to_string();
    let read_env: secrets::ReadEnv = Arc::new(|var| (var == "KEY").then(|| KEY.to_owned()));
    let runtime_dir = folder.join("run");
    std::fs::create_dir_all(&runtime_dir).unwrap();
    std::fs::set_permissions(
        &runtime_dir,
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    Parts {
        store,
        clock: clock.clone(),
        settings,
        home: home.to_owned(),
        runtime_dir,
        longhaul: keeper_program(),
        base_env: vec![
            ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("HOME".to_owned(), folder.display().to_string()),
        ],
        limiter: limiter::Limiter::new(clock, limiter::Settings::default()),
        credentials: Credentials::new(&home_id, Keychain::new(&home_id), read_env),
        redactor: Redactor::new(),
        prices,
        http: agents::anthropic::Http::new().unwrap(),
        gateway: None,
    }
}

/// The keeper crate's own test program: what `longhaul keeper` is in the product.
fn keeper_program() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let folder = this.parent().unwrap().parent().unwrap();
    let program = folder.join("keeper-under-test");
    assert!(
        program.exists(),
        "`cargo build -p longhaul-keeper --bins` makes {}",
        program.display()
    );
    program
}
