//! The one key the tour asks for.

use std::io::{IsTerminal, Read};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// After this long without a key the tour approves by itself.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// Spacing of looks at the keyboard.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// How it came to the approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pressed {
    /// The user pressed `a` or Enter.
    Key,
    /// Nobody did.
    Nothing,
}

/// Whether somebody could press a key.
pub(super) fn possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Waits for `a` or Enter, at most [`PATIENCE`]. Ctrl-C stays a signal.
pub(super) async fn wait() -> std::io::Result<Pressed> {
    let _keys = SingleKeys::new()?;
    let pressed = async {
        loop {
            if matches!(key()?, Some(b'a' | b'A' | b'\n' | b'\r')) {
                return Ok(Pressed::Key);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, pressed)
        .await
        .unwrap_or(Ok(Pressed::Nothing))
}

/// A key that was pressed, if one was.
fn key() -> std::io::Result<Option<u8>> {
    let stdin = std::io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    if poll(&mut fds, Some(&Timespec::default()))? == 0 {
        return Ok(None);
    }
    let mut byte = [0];
    match stdin.lock().read(&mut byte)? {
        1 => Ok(Some(byte[0])),
        _ => Ok(None),
    }
}

/// The terminal gives single keys and does not show them, until this is dropped.
struct SingleKeys {
    before: Termios,
}

impl SingleKeys {
    fn new() -> std::io::Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut single = before.clone();
        single.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &single)?;
        Ok(Self { before })
    }
}

impl Drop for SingleKeys {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}
