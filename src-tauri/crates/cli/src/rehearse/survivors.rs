//! A command and its keeper, as the system sees them.

use std::path::Path;

use keeper::{ProcessId, State};
use serde_json::{Value, json};

use crate::print::{Look, Printer};
use crate::table::{Align, Table, cell, looking};

/// A shell command that is being run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub(super) keeper: ProcessId,
    pub(super) command: ProcessId,
}

impl Running {
    /// The command that runs now, from the keepers' records.
    pub(super) fn find(home: &Path) -> Option<Self> {
        let folders = std::fs::read_dir(home.join("keepers")).ok()?;
        let mut states = folders.flatten().filter_map(|folder| {
            let record = std::fs::read(folder.path().join("state.json")).ok()?;
            serde_json::from_slice::<State>(&record).ok()
        });
        states.find_map(|state| {
            let running = Self {
                keeper: state.keeper,
                command: state.child?,
            };
            running.is_alive().then_some(running)
        })
    }

    /// Whether both still run.
    pub(super) fn is_alive(&self) -> bool {
        self.keeper.is_alive() && self.command.is_alive()
    }

    /// Who lives and who does not, with the daemon that was killed.
    pub(super) fn table(&self, print: &Printer, daemon: ProcessId) -> String {
        let mut table = Table::new(&[
            ("PID", Align::Right),
            ("WHAT", Align::Left),
            ("NOW", Align::Left),
            ("COMMAND LINE", Align::Left),
        ]);
        for (what, id) in self.all(daemon) {
            let (now, look) = match id.is_alive() {
                true => ("alive", Look::Good),
                false => ("dead", Look::Bad),
            };
            table.row(vec![
                cell(id.pid.to_string()),
                cell(what),
                looking(now, look),
                cell(command_line(id)),
            ]);
        }
        table.show(print)
    }

    /// The same as a document.
    pub(super) fn document(&self, daemon: ProcessId) -> Value {
        self.all(daemon)
            .map(|(what, id)| json!({"what": what, "pid": id.pid, "alive": id.is_alive()}))
            .into()
    }

    fn all(&self, daemon: ProcessId) -> [(&'static str, ProcessId); 3] {
        [
            ("daemon", daemon),
            ("keeper", self.keeper),
            ("command", self.command),
        ]
    }
}

/// What `/proc` says it was started as; a dash where it is gone.
fn command_line(id: ProcessId) -> String {
    if !id.is_alive() {
        return "-".to_owned();
    }
    let raw = std::fs::read(format!("/proc/{}/cmdline", id.pid)).unwrap_or_default();
    let words: Vec<String> = raw
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    words.join(" ")
}
