//! Starting a daemon that is not there, detached from whoever starts it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use protocol::{VersionInfo, VersionRequest};

use crate::error::ClientError;
use crate::{Client, Paths};

/// How long a new daemon may take to answer: recovery of a large home included.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// Spacing of looks at the socket.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// What is needed to start a daemon.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The `longhaul` binary.
    pub program: PathBuf,
    /// Home and socket.
    pub paths: Paths,
    /// The private socket folder of the user's systemd, where there is one
    /// (`$XDG_RUNTIME_DIR/systemd`).
    pub user_manager: Option<PathBuf>,
}

/// Who answers on the socket; starts a daemon if nobody does.
///
/// # Errors
/// [`ClientError::Start`] with the reason, where none comes up within 20 s.
pub async fn start_daemon_if_absent(launch: &Launch) -> Result<VersionInfo, ClientError> {
    let client = Client::connect(&launch.paths.socket);
    match client.version(VersionRequest {}).await {
        Err(ClientError::Unreachable { .. }) => {}
        answer => return answer,
    }
    let mut child = spawn(launch)?;
    let deadline = tokio::time::Instant::now() + START_PATIENCE;
    loop {
        match client.version(VersionRequest {}).await {
            Err(ClientError::Unreachable { .. }) => {}
            answer => return answer,
        }
        if let Some(status) = child.as_mut().and_then(|c| c.try_wait().ok().flatten()) {
            // A daemon that lost a race against another one ends; that one answers.
            child = None;
            if !status.success() && client.version(VersionRequest {}).await.is_err() {
                return Err(ClientError::Start(last_words(launch, status)));
            }
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(ClientError::Start(format!(
                "it did not answer within {} s; its log is in {}",
                START_PATIENCE.as_secs(),
                launch.paths.logs().display()
            )));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Starts the process: through the user's systemd where that answers, so that it gets
/// its own cgroup and survives the end of a terminal's; else in a session of its own.
fn spawn(launch: &Launch) -> Result<Option<std::process::Child>, ClientError> {
    if launch
        .user_manager
        .as_ref()
        .is_some_and(|dir| dir.join("private").exists())
    {
        let status = Command::new("systemd-run")
            .args([
                "--user",
                "--quiet",
                "--collect",
                "--property=KillMode=process",
            ])
            .arg(format!(
                "--setenv=LONGHAUL_HOME={}",
                launch.paths.home.display()
            ))
            .arg("--same-dir")
            .arg(&launch.program)
            .args(["daemon", "run"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if status.is_ok_and(|s| s.success()) {
            return Ok(None);
        }
    }
    let failed = |what: &str, e: std::io::Error| ClientError::Start(format!("{what}: {e}"));
    let log = out_file(launch);
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|e| failed(&format!("{} cannot be made", folder.display()), e))?;
    }
    let out = std::fs::File::create(&log)
        .map_err(|e| failed(&format!("{} cannot be written", log.display()), e))?;
    let err = out.try_clone().map_err(|e| failed("its log", e))?;
    // `--detached` has the daemon begin a session of its own (setsid) before all else.
    let child = Command::new(&launch.program)
        .args(["daemon", "run", "--detached"])
        .env("LONGHAUL_HOME", &launch.paths.home)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(|e| failed(&launch.program.display().to_string(), e))?;
    Ok(Some(child))
}

fn out_file(launch: &Launch) -> PathBuf {
    launch.paths.logs().join("daemon.out")
}

fn last_words(launch: &Launch, status: std::process::ExitStatus) -> String {
    let said = std::fs::read(out_file(launch)).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().find(|line| !line.trim().is_empty());
    line.map_or_else(
        || status.to_string(),
        |l| l.trim_start_matches("error: ").to_owned(),
    )
}
