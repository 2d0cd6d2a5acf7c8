//! A throwaway home for keepers, which leaves no process behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keeper::{
    Adoption, Exit, Keeper, Limits, Orphan, ProcessId, Spec, State, Stdin, Stream, Streams,
};
use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes on a busy machine; only a failure waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Bench {
    pub(crate) root: tempfile::TempDir,
    /// Makes ids unique among tests that run at once, as they are in real life.
    mark: uuid::Uuid,
}

pub(crate) fn exe() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_keeper-under-test"))
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            mark: uuid::Uuid::new_v4(),
        }
    }

    /// The folder of the keeper that this bench calls `name`.
    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        self.root.path().join("keepers").join(name)
    }

    pub(crate) fn id(&self, name: &str) -> String {
        format!("{name}-{}", self.mark)
    }

    pub(crate) fn dir_of(&self, spec: &Spec) -> PathBuf {
        self.dir(spec.id.split('-').next().unwrap())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn spec(&self, id: &str, argv: &[&str]) -> Spec {
        Spec {
            id: self.id(id),
            argv: argv.iter().map(|&a| a.to_owned()).collect(),
            wrapper: Vec::new(),
            cwd: self.root.path().to_owned(),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            stdin: Stdin::Closed,
            streams: Streams::Separate,
            timeout_ms: None,
            orphan: Orphan::Finish,
            max_spool_bytes: 8 << 20,
            limits: Limits::default(),
            socket: self.root.path().join("sockets").join(format!("{id}.sock")),
        }
    }

    pub(crate) fn shell(&self, id: &str, script: &str) -> Spec {
        self.spec(id, &["sh", "-c", script])
    }

    pub(crate) async fn spawn(&self, spec: &Spec) -> Keeper {
        keeper::spawn(exe(), &self.dir_of(spec), spec)
            .await
            .unwrap()
    }

    pub(crate) async fn adopt(&self, id: &str) -> Adoption {
        keeper::adopt(&self.dir(id)).await.unwrap()
    }

    pub(crate) fn state(&self, id: &str) -> State {
        serde_json::from_slice(&fs::read(self.dir(id).join("state.json")).unwrap()).unwrap()
    }

    /// Starts a keeper as the daemon would, with more in its environment.
    pub(crate) fn start_raw(&self, spec: &Spec, env: &[(&str, &str)]) -> Child {
        let dir = self.dir_of(spec);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("spec.json"), serde_json::to_vec(spec).unwrap()).unwrap();
        Command::new(exe())
            .arg("keeper")
            .arg(dir)
            .env_clear()
            .envs(&spec.env)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Waits until the keeper's process is gone.
    pub(crate) async fn await_keeper_death(&self, name: &str) {
        let lock = fs::File::options()
            .write(true)
            .open(self.dir(name).join("lock"))
            .unwrap();
        // Not on this thread: closing a dropped keeper's connection needs it.
        let dead = tokio::task::spawn_blocking(move || lock.lock().unwrap());
        tokio::time::timeout(PATIENCE, dead)
            .await
            .expect("it ends")
            .unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for dir in keeper::keepers(self.root.path()) {
            let state = fs::read(dir.join("state.json")).ok();
            let state = state.and_then(|raw| serde_json::from_slice::<State>(&raw).ok());
            if let Some(state) = state.filter(|s| s.keeper.is_alive()) {
                kill(state.keeper);
                wait_until("the keeper is gone", || !state.keeper.is_alive());
            }
        }
        keeper::reap(self.root.path());
    }
}

pub(crate) fn kill(process: ProcessId) {
    let pid = Pid::from_raw(i32::try_from(process.pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

/// For what no event tells: a condition, looked at until it holds.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The processes whose numbers a script wrote into `file`, once there are `count`.
pub(crate) fn pids_in(file: &Path, count: usize) -> Vec<ProcessId> {
    let read = || -> Vec<u32> {
        let text = fs::read_to_string(file).unwrap_or_default();
        // A last line without its end may be half a number.
        text.split_inclusive('\n')
            .filter_map(|l| l.strip_suffix('\n')?.trim().parse().ok())
            .collect()
    };
    wait_until("the script wrote its numbers", || read().len() >= count);
    read()
        .into_iter()
        .map(|pid| ProcessId::of(pid).expect("it lives"))
        .collect()
}

pub(crate) async fn finish(keeper: &Keeper) -> Exit {
    tokio::time::timeout(PATIENCE, keeper.wait())
        .await
        .expect("it ends")
        .expect("it is not lost")
}

pub(crate) async fn all_output(keeper: &Keeper, stream: Stream) -> Vec<u8> {
    let mut output = keeper.output(stream, 0);
    tokio::time::timeout(PATIENCE, output.read_to_end())
        .await
        .expect("it ends")
        .unwrap()
}

/// Follows `out` until it contains `text`.
pub(crate) async fn await_output(keeper: &Keeper, text: &str) {
    let mut output = keeper.output(Stream::Out, 0);
    let mut seen = String::new();
    let follow = async {
        while !seen.contains(text) {
            let piece = output
                .next()
                .await
                .unwrap()
                .expect("it ended without saying so");
            seen.push_str(&String::from_utf8_lossy(&piece));
        }
    };
    tokio::time::timeout(PATIENCE, follow)
        .await
        .expect("it says so");
}

/// Blocks until a helper process says that it is ready.
pub(crate) fn await_line(child: &mut Child, wanted: &str) {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(
        lines.any(|l| l.unwrap().contains(wanted)),
        "the helper ended early"
    );
}
