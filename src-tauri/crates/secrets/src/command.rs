//! Keys that a user's command prints.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::credentials::CredentialError;
use crate::secret::Secret;

pub(crate) const LIMIT: Duration = Duration::from_secs(10);
/// No key is longer; a command that prints more printed something else.
const LONGEST_KEY: u64 = 16 * 1024;

/// Runs the command and takes its trimmed output as the key. What it prints,
/// on either stream, is never repeated in an error: it may hold the key.
pub(crate) async fn ask(command: &str) -> Result<Secret, CredentialError> {
    let mut running = Running::start(command).map_err(failed)?;
    // On the way out with an error `running` ends whatever is left of the command.
    let printed = tokio::time::timeout(LIMIT, running.printed())
        .await
        .map_err(|_| failed(format!("it did not finish within {} s", LIMIT.as_secs())))?
        .map_err(|error| failed(format!("its output could not be read: {error}")))?;
    let Printed {
        key,
        message_bytes,
        status,
    } = printed.ok_or_else(|| failed("it printed too much to be a key"))?;
    if !status.success() {
        let said = match message_bytes {
            0 => "it printed no message".to_owned(),
            bytes => format!(
                "it printed a message of {bytes} bytes, not shown because it may hold the key"
            ),
        };
        return Err(failed(format!(
            "{status}; {said}. Run it in a terminal to see"
        )));
    }
    let key =
        String::from_utf8(key).map_err(|_| failed("it printed something that is not text"))?;
    match key.trim() {
        "" => Err(failed("it succeeded but printed nothing")),
        key if key.contains(char::is_control) => Err(failed("it printed more than one line")),
        key => Ok(Secret::new(key)),
    }
}

fn failed(why: impl Into<String>) -> CredentialError {
    CredentialError::Command { why: why.into() }
}

/// What a command that ended had to say.
struct Printed {
    key: Vec<u8>,
    message_bytes: u64,
    status: std::process::ExitStatus,
}

/// A key command at work, in a process group of its own. Dropped before its end,
/// it takes the whole group with it: whatever it started may hang as well, and
/// may mind no polite signal.
struct Running {
    child: Child,
}

impl Running {
    fn start(command: &str) -> Result<Self, String> {
        let child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .process_group(0)
            .spawn()
            .map_err(|error| format!("it could not be started: {error}"))?;
        Ok(Self { child })
    }

    /// Its output once it ended, or nothing if that is too long for a key. The
    /// shell is reaped last: until then nobody else can get the group's number.
    async fn printed(&mut self) -> std::io::Result<Option<Printed>> {
        let stdout = self.child.stdout.take().expect("stdout was piped");
        let stderr = self.child.stderr.take().expect("stderr was piped");
        let read = async { tokio::try_join!(at_most_a_key(stdout), count(stderr)) };
        // A command that prints without end is not waited for.
        let (key, message_bytes) = match read.await {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => return Ok(None),
            Err(error) => return Err(error),
        };
        let status = self.child.wait().await?;
        Ok(Some(Printed {
            key,
            message_bytes,
            status,
        }))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // There is no id any more once the command ended and was reaped.
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = pid.and_then(Pid::from_raw) {
            // It fails only where nothing of the group is left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn at_most_a_key(from: impl AsyncRead + Unpin) -> std::io::Result<Vec<u8>> {
    let mut key = Vec::new();
    match from.take(LONGEST_KEY + 1).read_to_end(&mut key).await? {
        read if read as u64 > LONGEST_KEY => Err(std::io::ErrorKind::FileTooLarge.into()),
        _ => Ok(key),
    }
}

async fn count(mut from: impl AsyncRead + Unpin) -> std::io::Result<u64> {
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await
}
