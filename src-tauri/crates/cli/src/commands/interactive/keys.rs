//! Single keys from the terminal, as somebody meant them.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The same key again within this time is one that is held down: terminals begin to repeat
/// after 250 to 660 ms, and do not tell a repeat from a press.
const HELD: Duration = Duration::from_millis(700);

/// Spacing of looks at the keyboard.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Escape.
const ESC: u8 = 27;

/// The terminal gives single keys and does not show them, until this is dropped.
pub(super) struct Keys {
    before: Termios,
    last: Option<(u8, Instant)>,
}

impl Keys {
    pub(super) fn new() -> std::io::Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut single = before.clone();
        // Ctrl-C too is a key here: whoever presses it finds the terminal as it was.
        single.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &single)?;
        Ok(Self { before, last: None })
    }

    /// Throws away what was typed ahead.
    pub(super) fn forget(&mut self) -> std::io::Result<()> {
        while let Some(bytes) = waiting()? {
            self.note(&bytes);
        }
        Ok(())
    }

    /// A key that was pressed, if one was. One held down is pressed once; several at once are
    /// a paste or a key without a letter, and no answer. A terminal that is gone quits.
    pub(super) async fn pressed(&mut self) -> std::io::Result<Option<u8>> {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(bytes) = waiting()? else {
            return Ok(None);
        };
        let held = self.note(&bytes);
        Ok(match bytes.as_slice() {
            [] => Some(b'q'),
            [key] if !held => Some(*key),
            _ => None,
        })
    }

    /// Remembers what came last; whether it is the key before, still held down.
    fn note(&mut self, bytes: &[u8]) -> bool {
        let Some(key) = bytes.last() else {
            return false;
        };
        let before = self.last.replace((*key, Instant::now()));
        let same = |(last, at): (u8, Instant)| {
            bytes.iter().all(|byte| *byte == last) && at.elapsed() < HELD
        };
        before.is_some_and(same)
    }

    /// A line, shown as it is typed; `None` after Escape or Ctrl-C.
    pub(super) async fn line(
        &mut self,
        mut show: impl FnMut(&str) -> Result<(), crate::failure::Failure>,
    ) -> Result<Option<String>, crate::failure::Failure> {
        let mut typed: Vec<u8> = Vec::new();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let Some(bytes) = waiting()? else { continue };
            self.note(&bytes);
            if bytes.is_empty() {
                return Ok(None);
            }
            for byte in bytes {
                match byte {
                    b'\r' | b'\n' => return Ok(Some(text(&typed))),
                    ESC | 3 | 4 => return Ok(None),
                    8 | 127 => {
                        let mut kept = text(&typed);
                        if kept.pop().is_some() {
                            typed = kept.into_bytes();
                            show("\x08 \x08")?;
                        }
                    }
                    byte if byte < b' ' => {}
                    byte => {
                        typed.push(byte);
                        if std::str::from_utf8(&typed).is_ok() {
                            let last = text(&typed).chars().next_back();
                            show(&last.map(String::from).unwrap_or_default())?;
                        }
                    }
                }
            }
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.before);
    }
}

fn text(typed: &[u8]) -> String {
    String::from_utf8_lossy(typed).into_owned()
}

/// What was typed by now, if anything was; empty when the terminal is gone.
fn waiting() -> std::io::Result<Option<Vec<u8>>> {
    let stdin = std::io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    if poll(&mut fds, Some(&Timespec::default()))? == 0 {
        return Ok(None);
    }
    // Not through std's buffer: what stays in it would not be seen by the next poll.
    let mut bytes = [0; 256];
    let n = rustix::io::read(&stdin, &mut bytes)?;
    Ok(Some(bytes[..n].to_vec()))
}
