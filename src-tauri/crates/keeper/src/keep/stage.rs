//! The child between fork and exec, as a process of its own: what would be
//! `pre_exec` closures, without `unsafe`.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::process::{Signal, getppid, set_parent_process_death_signal, setsid};

use super::signals;
use crate::record::{self, SPEC, StartFailure, StartFailureKind};
use crate::spec::{MARKER, Spec};

/// Waits to be let go by the keeper `parent`, then becomes the command.
pub(super) fn run(dir: &Path, parent: &OsStr) -> ExitCode {
    let Ok((mut gate, spec)) = prepare(dir, parent) else {
        return ExitCode::FAILURE;
    };
    let mut go = [0];
    // End of file: the keeper died, and the command must not begin.
    if gate.read_exact(&mut go).is_err() {
        return ExitCode::FAILURE;
    }
    let failure = become_command(&spec);
    let answer = serde_json::to_vec(&failure).unwrap_or_else(|e| e.to_string().into_bytes());
    let _ = gate.write_all(&answer);
    ExitCode::from(127)
}

fn prepare(dir: &Path, parent: &OsStr) -> io::Result<(UnixStream, Spec)> {
    setsid()?;
    signals::take_defaults();
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The keeper may have died before the line above; then nobody would kill us.
    let expected = parent.to_str().and_then(|p| p.parse::<i32>().ok());
    if getppid().map(|p| p.as_raw_pid()) != expected {
        return Err(io::Error::other("the keeper is gone"));
    }
    let spec: Spec = record::read(&dir.join(SPEC))?
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no spec.json"))?;
    Ok((UnixStream::connect(&spec.socket)?, spec))
}

/// Returns only if it failed.
fn become_command(spec: &Spec) -> StartFailure {
    if let Err(error) = std::env::set_current_dir(&spec.cwd) {
        let kind = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                StartFailureKind::FolderMissing
            }
            io::ErrorKind::PermissionDenied => StartFailureKind::PermissionDenied,
            _ => StartFailureKind::Other,
        };
        let message = format!("cannot work in {}: {error}", spec.cwd.display());
        return StartFailure { kind, message };
    }
    let Some((program, args)) = spec.argv.split_first() else {
        let message = "there is no command to run".to_owned();
        return StartFailure {
            kind: StartFailureKind::Other,
            message,
        };
    };
    // Inherited from the spawner through the keeper: the environment is in no file.
    let mut command = Command::new(program);
    command.args(args).env(MARKER, &spec.id);
    #[cfg(debug_assertions)]
    for name in ["LONGHAUL_CRASH_AT", "LONGHAUL_SABOTAGE"] {
        command.env_remove(name);
    }
    let error = command.exec();
    let (kind, message) = match error.kind() {
        io::ErrorKind::NotFound => (
            StartFailureKind::CommandNotFound,
            format!("command not found: {program}"),
        ),
        io::ErrorKind::PermissionDenied => (
            StartFailureKind::PermissionDenied,
            format!("{program} may not be executed: {error}"),
        ),
        _ => (
            StartFailureKind::Other,
            format!("cannot run {program}: {error}"),
        ),
    };
    StartFailure { kind, message }
}
