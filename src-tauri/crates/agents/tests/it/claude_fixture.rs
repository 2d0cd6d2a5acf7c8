//! A folder with a scripted `claude`, and a host that remembers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use agents::claude_code::ClaudeCodeDriver;
use agents::{
    AgentContext, ChatMessage, Delta, Driver, Frame, Host, HostGone, ObservedCall, Permit, Turn,
    TurnError, TurnRequest,
};
use async_trait::async_trait;
use domain::{MessageOrigin, OpOutcome};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Far more than anything here takes; only a defect reaches it.
const DEADLINE: Duration = Duration::from_secs(30);

/// What the host was told, in order, as words.
pub(crate) struct FakeHost {
    told: watch::Sender<Vec<String>>,
    decide: Box<dyn Fn(&str) -> Decide + Send + Sync>,
}

/// What the host does when asked about a call.
pub(crate) enum Decide {
    Answer(Permit),
    /// Answers `Allow` once this was told.
    AllowAfter(&'static str),
    Never,
}

impl FakeHost {
    pub(crate) fn new(decide: impl Fn(&str) -> Decide + Send + Sync + 'static) -> Self {
        Self {
            told: watch::Sender::new(Vec::new()),
            decide: Box::new(decide),
        }
    }

    pub(crate) fn allowing() -> Self {
        Self::new(|_| Decide::Answer(Permit::Allow))
    }

    fn tell(&self, what: String) {
        self.told.send_modify(|told| told.push(what));
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.told.borrow().clone()
    }

    pub(crate) fn has(&self, what: &str) -> bool {
        self.told.borrow().iter().any(|told| told.contains(what))
    }

    pub(crate) async fn until(&self, what: &str) {
        let mut told = self.told.subscribe();
        let seen = told.wait_for(|told| told.iter().any(|told| told.contains(what)));
        let seen = tokio::time::timeout(DEADLINE, seen).await;
        assert!(seen.is_ok(), "'{what}' was never told: {:?}", self.told());
    }

    /// The id of the session that was told last.
    pub(crate) fn session(&self) -> Option<String> {
        self.told()
            .iter()
            .rev()
            .find_map(|told| told.strip_prefix("session ").map(str::to_owned))
    }
}

#[async_trait]
impl Host for FakeHost {
    fn delta(&self, delta: Delta) {
        self.tell(format!("delta {delta:?}"));
    }

    async fn session(&self, session: &str, _keeper: &str) -> Result<(), HostGone> {
        self.tell(format!("session {session}"));
        Ok(())
    }

    async fn call_started(&self, call: ObservedCall) -> Result<(), HostGone> {
        self.tell(format!("started {}", call.name));
        Ok(())
    }

    async fn call_ended(
        &self,
        _call_id: &str,
        outcome: OpOutcome,
        result: &str,
    ) -> Result<(), HostGone> {
        self.tell(format!("ended {outcome:?} {result}"));
        Ok(())
    }

    async fn permit(&self, call: ObservedCall) -> Result<Permit, HostGone> {
        let call = format!("{}: {}", call.name, call.summary);
        self.tell(format!("asked {call}"));
        let permit = match (self.decide)(&call) {
            Decide::Answer(permit) => permit,
            Decide::AllowAfter(what) => {
                self.until(what).await;
                Permit::Allow
            }
            Decide::Never => std::future::pending().await,
        };
        self.tell(format!("decided {call}"));
        Ok(permit)
    }

    async fn note(&self, text: &str) -> Result<(), HostGone> {
        self.tell(format!("note {text}"));
        Ok(())
    }
}

/// A scripted agent's home and work folder.
pub(crate) struct Fixture {
    root: tempfile::TempDir,
    pub(crate) silence_ms: u64,
}

impl Fixture {
    pub(crate) fn new(script: &Value) -> Self {
        let root = tempfile::Builder::new().prefix("lh").tempdir().unwrap();
        let work = root.path().join("work");
        std::fs::create_dir(&work).unwrap();
        std::fs::write(work.join("scripted-agent.json"), script.to_string()).unwrap();
        Self {
            root,
            silence_ms: 30_000,
        }
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    pub(crate) fn keeper_dir(&self, name: &str) -> PathBuf {
        self.root.path().join("keepers").join(name)
    }

    pub(crate) fn driver(&self) -> ClaudeCodeDriver {
        ClaudeCodeDriver::new(self.command())
    }

    fn command(&self) -> Vec<String> {
        vec![
            testkit::testkit_binary("scripted-agent")
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
        ]
    }

    /// A turn in a keeper of this name.
    pub(crate) fn request(&self, keeper: &str) -> TurnRequest {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = path.into_string().unwrap();
        let home = self.root.path().to_str().unwrap().to_owned();
        TurnRequest {
            model: "claude-opus-5-5".to_owned(),
            frame: Frame {
                system: String::new(),
                tools: Value::Null,
            },
            conversation: vec![ChatMessage::User {
                origin: MessageOrigin::Prompt,
                text: "do it".to_owned(),
            }],
            max_tokens: 1000,
            key: None,
            silence_ms: self.silence_ms,
            cancel: CancellationToken::new(),
            pause: CancellationToken::new(),
            agent: Some(AgentContext {
                wrapper: Vec::new(),
                limits: keeper::Limits::default(),
                cwd: self.work(),
                env: vec![("PATH".to_owned(), path), ("HOME".to_owned(), home)],
                command: self.command(),
                longhaul: keeper_binary().to_owned(),
                keeper_dir: self.keeper_dir(keeper),
                socket: self.root.path().join("s").join(format!("{keeper}.sock")),
                session: None,
                anew: Vec::new(),
                adopt: None,
                held: agents::Held::default(),
                known_calls: Vec::new(),
            }),
        }
    }

    /// The same keeper, found by a daemon that came back.
    pub(crate) fn adopting(&self, keeper: &str, host: &FakeHost) -> TurnRequest {
        let mut request = self.request(keeper);
        let agent = request.agent.as_mut().unwrap();
        agent.adopt = Some(agent.keeper_dir.clone());
        agent.session = host.session();
        request
    }

    /// The session goes on in a new process.
    pub(crate) fn resuming(&self, keeper: &str, session: &str) -> TurnRequest {
        let mut request = self.request(keeper);
        request.agent.as_mut().unwrap().session = Some(session.to_owned());
        let briefing = "You were interrupted.".to_owned();
        request.conversation = vec![ChatMessage::User {
            origin: MessageOrigin::Briefing,
            text: briefing,
        }];
        request
    }

    pub(crate) async fn run(
        &self,
        request: TurnRequest,
        host: &FakeHost,
    ) -> Result<Turn, TurnError> {
        let turn = tokio::time::timeout(DEADLINE * 2, self.driver().turn(request, host)).await;
        turn.unwrap_or_else(|_| panic!("the turn never ended: {:?}", host.told()))
    }

    /// Whether the keeper's process tree has ended, by its own record.
    pub(crate) fn has_ended(&self, keeper: &str) -> bool {
        self.keeper_dir(keeper).join("exit.json").exists()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.work().join(name)).unwrap_or_default()
    }
}

/// The keeper crate's stand-in for `longhaul keeper`, built if need be.
fn keeper_binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args([
                "build",
                "--quiet",
                "-p",
                "longhaul-keeper",
                "--bin",
                "keeper-under-test",
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(
            built.unwrap().success(),
            "keeper-under-test cannot be built"
        );
        let this = std::env::current_exe().unwrap();
        let folder = this.parent().unwrap().parent().unwrap();
        folder.join(format!("keeper-under-test{}", std::env::consts::EXE_SUFFIX))
    })
}
