//! A home of its own for each test: nothing of the user's is read or written, and
//! nothing the test started outlives it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::processes::{ProcessId, processes_of, wait_until_gone};

/// How long `cli` waits for a command before it kills it.
pub const CLI_DEADLINE: Duration = Duration::from_secs(60);

/// What a command printed.
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit code; 128 + signal if it was killed.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Standard output as JSON.
    ///
    /// # Panics
    /// If it is not; the message has everything the command printed.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON on standard output ({error}): {self:?}"))
    }

    /// This output, if the command succeeded.
    ///
    /// # Errors
    /// If it did not; the message has everything the command printed.
    pub fn ok(self) -> anyhow::Result<Self> {
        anyhow::ensure!(self.code == 0, "the command failed: {self:?}");
        Ok(self)
    }
}

/// A throwaway home. Dropping it kills what was started in it and removes it.
#[derive(Debug)]
pub struct TestHome {
    // Kept for its Drop, which runs after ours.
    dir: TempDir,
    binary: PathBuf,
    env: BTreeMap<String, String>,
}

impl TestHome {
    /// Makes a home for the `longhaul` binary at `binary`. Paths are short: a socket's may have
    /// 108 bytes at most.
    ///
    /// # Errors
    /// If the folders cannot be made.
    pub fn new(binary: impl Into<PathBuf>) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("lh")
            .rand_bytes(5)
            .tempdir_in("/tmp")
            .context("cannot make a folder in /tmp")?;
        for name in ["home", "run", "user"] {
            let path = dir.path().join(name);
            fs::create_dir(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        }
        let home = Self {
            env: BTreeMap::new(),
            binary: binary.into(),
            dir,
        };
        Ok(home.with_base_env())
    }

    fn with_base_env(mut self) -> Self {
        let path = |name: &str| self.dir.path().join(name).to_string_lossy().into_owned();
        let env = [
            ("LONGHAUL_HOME", path("home")),
            ("XDG_RUNTIME_DIR", path("run")),
            ("HOME", path("user")),
            ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("RUST_BACKTRACE", "1".to_owned()),
        ];
        self.env = env.map(|(name, value)| (name.to_owned(), value)).into();
        self
    }

    /// Writes the daemon's settings. Commands may write everywhere in the test's folder,
    /// sandboxed or not, unless `config` says what they may: effects are counted there.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn configure(&self, config: &str) -> anyhow::Result<()> {
        let root = self.root().display();
        let besides = match config.contains("sandbox_writable") {
            true => String::new(),
            false => format!("sandbox_writable = \"{root}\"\n"),
        };
        let text = format!("{besides}{config}");
        fs::write(self.path().join("config.toml"), text).context("config.toml")
    }

    /// Everything lies in here.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// `LONGHAUL_HOME`.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// `HOME` of everything that runs here.
    pub fn user_home(&self) -> PathBuf {
        self.dir.path().join("user")
    }

    /// A place for a project or a file; not created.
    pub fn place(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Sets a variable for everything started from now on.
    pub fn set_env(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn remove_env(&mut self, name: &str) -> &mut Self {
        self.env.remove(name);
        self
    }

    /// Puts a folder first in the `PATH` of everything started from now on.
    pub fn prepend_path(&mut self, folder: &Path) -> &mut Self {
        let path = format!(
            "{}:{}",
            folder.display(),
            self.env.get("PATH").map_or("/usr/bin:/bin", String::as_str)
        );
        self.set_env("PATH", &path)
    }

    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// A command with this home's environment and no other.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(args)
            .env_clear()
            .envs(&self.env)
            .current_dir(self.user_home())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs `longhaul ARGS` to its end.
    ///
    /// # Errors
    /// If it cannot be started or takes longer than [`CLI_DEADLINE`].
    pub async fn cli(&self, args: &[&str]) -> anyhow::Result<Output> {
        self.cli_within(args, None, CLI_DEADLINE).await
    }

    /// Runs `longhaul ARGS` with `input` on its standard input.
    ///
    /// # Errors
    /// As [`cli`](Self::cli).
    pub async fn cli_with_input(&self, args: &[&str], input: &str) -> anyhow::Result<Output> {
        self.cli_within(args, Some(input), CLI_DEADLINE).await
    }

    /// Runs `longhaul ARGS` with a deadline of its own.
    ///
    /// # Errors
    /// If it cannot be started or takes longer.
    pub async fn cli_within(
        &self,
        args: &[&str],
        input: Option<&str>,
        deadline: Duration,
    ) -> anyhow::Result<Output> {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            // A command that does not read its input may close it.
            tokio::io::AsyncWriteExt::write_all(&mut stdin, input.as_bytes())
                .await
                .ok();
        }
        let words = args.join(" ");
        let output = tokio::time::timeout(deadline, child.wait_with_output())
            .await
            .with_context(|| format!("`longhaul {words}` did not end within {deadline:?}"))?
            .with_context(|| format!("cannot read what `longhaul {words}` printed"))?;
        let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
        Ok(Output {
            code: output
                .status
                .code()
                .unwrap_or_else(|| 128 + signal.unwrap_or(0)),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// The keepers on record that still run, and their children.
    pub fn keepers(&self) -> BTreeSet<ProcessId> {
        let folders = fs::read_dir(self.path().join("keepers"))
            .into_iter()
            .flatten()
            .flatten();
        let states = folders.filter_map(|f| {
            serde_json::from_slice::<Value>(&fs::read(f.path().join("state.json")).ok()?).ok()
        });
        let processes = states.flat_map(|state| {
            [
                ProcessId::from_json(&state["keeper"]),
                ProcessId::from_json(&state["child"]),
            ]
        });
        processes
            .flatten()
            .filter(|process| process.is_alive())
            .collect()
    }

    /// Everything that runs in this home, on record or not.
    pub fn processes(&self) -> BTreeSet<ProcessId> {
        let mut all = self.keepers();
        all.extend(processes_of(self.root()));
        all
    }

    /// Kills everything that runs in this home, as a power cut does, and waits until it
    /// is gone.
    ///
    /// # Errors
    /// If something does not go.
    pub fn kill_everything(&self) -> anyhow::Result<()> {
        // What is forked while we kill is caught by the next round.
        for _ in 0..10 {
            let all = self.processes();
            if all.is_empty() {
                return Ok(());
            }
            all.iter().for_each(|process| process.kill());
            wait_until_gone(&all, Duration::from_secs(10));
        }
        anyhow::bail!("these could not be killed: {:?}", self.processes())
    }
}

impl Drop for TestHome {
    fn drop(&mut self) {
        if let Err(error) = self.kill_everything() {
            tracing::error!(%error, "a test leaves processes behind");
        }
    }
}
