//! What is written before a call is sent, so that no death of this process hides it.
//!
//! The journal's own record is waited for only before anything of the answer is used: a
//! model takes far longer to answer than a disk to flush. A line in this file is there at
//! once, and stays when the process dies; should the machine lose power in the few
//! milliseconds before the journal has it, the agent is gone with it, too.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use domain::{NanoUsd, OpId, RunId};
use serde::{Deserialize, Serialize};

/// From this size on the file is written anew, without what is over.
const LONG: u64 = 1024 * 1024;

/// A call about to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) run: RunId,
    pub(crate) op: OpId,
    pub(crate) call: u32,
    pub(crate) api: String,
    pub(crate) model: String,
    pub(crate) reserve: NanoUsd,
}

/// What stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written {
    Sent(Line),
    /// The journal has it.
    Recorded(RunId, u32),
    /// The journal has its end.
    Ended(RunId, u32),
}

/// A call an earlier process did not see the end of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) line: Line,
    pub(crate) recorded: Recorded,
}

/// Whether the journal is known to have a call's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    Yes,
    Perhaps,
}

/// The file.
pub(crate) struct Ahead {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: Option<File>,
    bytes: u64,
    open: HashMap<(RunId, u32), (Line, Recorded)>,
}

impl Ahead {
    /// The file of this home.
    pub(crate) fn new(home: &Path) -> Self {
        Self {
            path: home.join("gateway.calls"),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no code panics while holding this")
    }

    /// Writes down that a call is about to be sent.
    pub(crate) fn sent(&self, line: Line) -> io::Result<()> {
        let mut state = self.state();
        state.write(&self.path, &Written::Sent(line.clone()))?;
        state
            .open
            .insert((line.run, line.call), (line, Recorded::Perhaps));
        Ok(())
    }

    /// The journal has it.
    pub(crate) fn recorded(&self, run: RunId, call: u32) {
        let mut state = self.state();
        if let Some((_, recorded)) = state.open.get_mut(&(run, call)) {
            *recorded = Recorded::Yes;
        }
        // Without the mark it would be looked for in the journal, and found there.
        if let Err(error) = state.write(&self.path, &Written::Recorded(run, call)) {
            tracing::debug!(%error, "a call's mark could not be written");
        }
    }

    /// The journal has its end, too.
    pub(crate) fn ended(&self, run: RunId, call: u32) {
        let mut state = self.state();
        state.open.remove(&(run, call));
        let written = match state.open.is_empty() && state.bytes > LONG / 16 || state.bytes > LONG {
            true => state.write_anew(&self.path),
            false => state.write(&self.path, &Written::Ended(run, call)),
        };
        if let Err(error) = written {
            tracing::debug!(%error, "a call's mark could not be written");
        }
    }

    /// What an earlier process left. Once at the start, before anything is sent.
    pub(crate) fn left(&self) -> Vec<Left> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        let mut open: Vec<Left> = Vec::new();
        // A line that was cut off was not sent: it is written first.
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        for written in lines {
            let is = |run, call| move |left: &Left| left.line.run == run && left.line.call == call;
            match written {
                Written::Sent(line) => open.push(Left {
                    line,
                    recorded: Recorded::Perhaps,
                }),
                Written::Recorded(run, call) => {
                    for left in open.iter_mut().filter(|left| is(run, call)(left)) {
                        left.recorded = Recorded::Yes;
                    }
                }
                Written::Ended(run, call) => open.retain(|left| !is(run, call)(left)),
            }
        }
        open
    }

    /// What was left is booked.
    pub(crate) fn settled(&self) {
        if let Err(error) = self.state().write_anew(&self.path) {
            tracing::warn!(%error, "the list of calls under way could not be emptied");
        }
    }
}

impl State {
    fn write(&mut self, path: &Path, written: &Written) -> io::Result<()> {
        if self.file.is_none() {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(path)?;
            self.bytes = file.metadata()?.len();
            self.file = Some(file);
        }
        let mut text = serde_json::to_vec(written)?;
        text.push(b'\n');
        if let Some(file) = &mut self.file {
            // In one piece: what another process reads is whole.
            file.write_all(&text)?;
        }
        self.bytes += text.len() as u64;
        Ok(())
    }

    /// Only what is open.
    fn write_anew(&mut self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut text = Vec::new();
        for ((run, call), (line, recorded)) in &self.open {
            serde_json::to_writer(&mut text, &Written::Sent(line.clone()))?;
            text.push(b'\n');
            if *recorded == Recorded::Yes {
                serde_json::to_writer(&mut text, &Written::Recorded(*run, *call))?;
                text.push(b'\n');
            }
        }
        let _ = std::fs::remove_file(&new);
        let mut file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&text)?;
        std::fs::rename(&new, path)?;
        self.bytes = text.len() as u64;
        self.file = Some(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(call: u32) -> Line {
        Line {
            run: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
            op: OpId(1),
            call,
            api: "messages".to_owned(),
            model: "m".to_owned(),
            reserve: NanoUsd(7),
        }
    }

    fn left(ahead: &Path) -> Vec<(u32, Recorded)> {
        let left = Ahead::new(ahead).left().into_iter();
        left.map(|left| (left.line.call, left.recorded)).collect()
    }

    #[test]
    fn a_process_that_died_leaves_what_it_had_not_seen_the_end_of() {
        let home = tempfile::tempdir().unwrap();
        let ahead = Ahead::new(home.path());
        assert_eq!(left(home.path()), []);
        for call in 1..=3 {
            ahead.sent(line(call)).unwrap();
        }
        let run = line(1).run;
        ahead.recorded(run, 1);
        ahead.recorded(run, 2);
        ahead.ended(run, 1);
        let expected = [(2, Recorded::Yes), (3, Recorded::Perhaps)];
        assert_eq!(left(home.path()), expected);
        // A line that was being written when it died.
        let file = home.path().join("gateway.calls");
        let mut bytes = std::fs::read(&file).unwrap();
        bytes.extend(b"{\"sent\":{\"run\":");
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(left(home.path()), expected);
        Ahead::new(home.path()).settled();
        assert_eq!(left(home.path()), []);
    }

    #[test]
    fn the_file_stays_short_and_forgets_nothing_that_is_open() {
        let home = tempfile::tempdir().unwrap();
        let ahead = Ahead::new(home.path());
        ahead.sent(line(1)).unwrap();
        for call in 2..20_000 {
            ahead.sent(line(call)).unwrap();
            ahead.recorded(line(call).run, call);
            ahead.ended(line(call).run, call);
        }
        let bytes = std::fs::metadata(home.path().join("gateway.calls"))
            .unwrap()
            .len();
        assert!(bytes <= LONG + 1000, "{bytes}");
        assert_eq!(left(home.path()), [(1, Recorded::Perhaps)]);
    }
}
