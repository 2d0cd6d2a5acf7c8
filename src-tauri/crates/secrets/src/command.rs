//! Keys that a user's command prints.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::credentials::CredentialError;
use crate::secret::Secret;

const LIMIT: Duration = Duration::from_secs(10);
/// No key is longer; a command that prints more printed something else.
const LONGEST_KEY: usize = 16 * 1024;

/// Runs the command and takes its trimmed output as the key. What it prints,
/// on either stream, is never repeated in an error: it may hold the key.
pub(crate) async fn ask(command: &str) -> Result<Secret, CredentialError> {
    let failed = |why: String| CredentialError::Command { why };
    let child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .process_group(0)
        .spawn()
        .map_err(|error| failed(format!("it could not be started: {error}")))?;
    let output = tokio::time::timeout(LIMIT, child.wait_with_output())
        .await
        .map_err(|_| failed(format!("it did not finish within {} s", LIMIT.as_secs())))?
        .map_err(|error| failed(format!("its output could not be read: {error}")))?;
    if !output.status.success() {
        let said = match output.stderr.len() {
            0 => "it printed no message".to_owned(),
            bytes => format!(
                "it printed a message of {bytes} bytes, not shown because it may hold the key"
            ),
        };
        return Err(failed(format!(
            "{}; {said}. Run it in a terminal to see",
            output.status
        )));
    }
    let key = String::from_utf8(output.stdout)
        .map_err(|_| failed("it printed something that is not text".into()))?;
    match key.trim() {
        "" => Err(failed("it succeeded but printed nothing".into())),
        key if key.len() > LONGEST_KEY => Err(failed("it printed too much to be a key".into())),
        key if key.contains(char::is_control) => {
            Err(failed("it printed more than one line".into()))
        }
        key => Ok(Secret::new(key)),
    }
}
