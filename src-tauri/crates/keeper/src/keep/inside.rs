//! The first process inside a sandbox: starts the command, buries whoever loses its
//! parent, and tells the keeper how the command itself ended.
//!
//! The sandbox's own program turns every end into an exit status, and would end
//! with the command, taking along what it left running before that could finish. With
//! this process as the first one of the namespace, a command's end is what it is, and
//! the keeper decides about the rest as it does without a sandbox. When this process
//! ends, for whatever reason, the kernel ends everything in its namespace.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{
    DumpableBehavior, Pid, Signal, WaitOptions, WaitStatus, set_dumpable_behavior,
    set_parent_process_death_signal, wait,
};
use serde::{Deserialize, Serialize};

use super::{inherited, stage};
use crate::record::{Ending, StartFailure, StartFailureKind};

/// What is told of the command, one a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    /// It runs, with this number in its namespace.
    Started(i32),
    /// It does not.
    NotStarted(StartFailure),
    /// It ended so.
    Ended(Ending),
}

/// `args` are the open binary's descriptor, the gate's, and the command line.
pub(super) fn run(args: &[OsString]) -> ExitCode {
    match keep(args) {
        Ok(code) => code,
        // The keeper is gone, or this is no sandbox: nothing may go on.
        Err(_) => ExitCode::FAILURE,
    }
}

fn keep(args: &[OsString]) -> io::Result<ExitCode> {
    let [image, gate, argv @ ..] = args else {
        return Ok(ExitCode::from(2));
    };
    drop(inherited::take(image)?);
    let mut gate = UnixStream::from(inherited::take(gate)?);
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The command runs as the same user: it must not take the gate from us, or trace us.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let command = match start(argv) {
        Ok(pid) => pid,
        Err(failure) => {
            tell(&mut gate, &Told::NotStarted(failure))?;
            return Ok(ExitCode::from(127));
        }
    };
    tell(&mut gate, &Told::Started(command.as_raw_pid()))?;
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == command => {
                tell(&mut gate, &Told::Ended(ending(status)))?;
            }
            Ok(_) | Err(Errno::INTR) => {}
            // Nobody is left.
            Err(_) => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn start(argv: &[OsString]) -> Result<Pid, StartFailure> {
    let words: Vec<String> = argv
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let none = || StartFailure {
        kind: StartFailureKind::Other,
        message: "there is no command to run".to_owned(),
    };
    let mut command = stage::plain(&words).ok_or_else(none)?;
    // A group of its own, which signals for the command are sent to.
    let child = command.process_group(0).spawn();
    let child = child.map_err(|error| stage::not_run(&words[0], &error))?;
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(none)
}

pub(super) fn ending(status: WaitStatus) -> Ending {
    match status.terminating_signal() {
        Some(signal) => Ending::Signal(signal),
        None => Ending::Code(status.exit_status().unwrap_or(-1)),
    }
}

pub(super) fn tell(gate: &mut UnixStream, told: &Told) -> io::Result<()> {
    let mut line = serde_json::to_vec(told)?;
    line.push(b'\n');
    gate.write_all(&line)
}

/// The keeper's end of the gate: hears what is told.
pub(super) struct Ear {
    lines: BufReader<UnixStream>,
    line: Vec<u8>,
}

impl Ear {
    /// Waits for the first line. None: the sandbox came to nothing before it.
    pub(super) fn begin(gate: UnixStream) -> io::Result<(Self, Option<Told>)> {
        let mut ear = Self {
            lines: BufReader::new(gate),
            line: Vec::new(),
        };
        let first = match ear.hear() {
            Heard::Line(told) => Some(told),
            Heard::Nothing | Heard::End => None,
        };
        ioctl_fionbio(ear.lines.get_ref(), true)?;
        Ok((ear, first))
    }

    /// Readable when there is something to hear.
    pub(super) fn source(&self) -> &UnixStream {
        self.lines.get_ref()
    }

    pub(super) fn hear(&mut self) -> Heard {
        match self.lines.read_until(b'\n', &mut self.line) {
            Ok(_) if self.line.last() == Some(&b'\n') => {
                let line = std::mem::take(&mut self.line);
                serde_json::from_slice(&line).map_or(Heard::End, Heard::Line)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => self.hear(),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Heard::Nothing,
            Ok(_) | Err(_) => Heard::End,
        }
    }
}

/// What came of listening.
pub(super) enum Heard {
    Line(Told),
    /// Not now.
    Nothing,
    /// Never again.
    End,
}
