//! The child between fork and exec, as a process of its own: what would be
//! `pre_exec` closures, without `unsafe`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Signal, getppid, set_parent_process_death_signal, setsid};

use super::inside::{self, Told};
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
    let failure = become_command(&spec, &gate);
    let _ = match spec.wrapper.is_empty() {
        true => {
            let answer = serde_json::to_vec(&failure);
            gate.write_all(&answer.unwrap_or_else(|e| e.to_string().into_bytes()))
        }
        false => inside::tell(&mut gate, &Told::NotStarted(failure)),
    };
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
fn become_command(spec: &Spec, gate: &UnixStream) -> StartFailure {
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
    let Some(mut command) = (match spec.wrapper.is_empty() {
        true => plain(&spec.argv),
        false => match wrapped(spec, gate) {
            Ok(command) => command,
            Err(error) => {
                return StartFailure {
                    kind: StartFailureKind::Sandbox,
                    message: format!("the sandbox could not be set up: {error}"),
                };
            }
        },
    }) else {
        let message = "there is no command to run".to_owned();
        return StartFailure {
            kind: StartFailureKind::Other,
            message,
        };
    };
    // Inherited from the spawner through the keeper: the environment is in no file.
    command.env(MARKER, &spec.id);
    #[cfg(debug_assertions)]
    for name in ["LONGHAUL_CRASH_AT", "LONGHAUL_SABOTAGE"] {
        command.env_remove(name);
    }
    let error = command.exec();
    if spec.wrapper.is_empty() {
        return not_run(&command.get_program().to_string_lossy(), &error);
    }
    StartFailure {
        kind: StartFailureKind::Sandbox,
        message: format!(
            "the sandbox could not be set up: {}: {error}",
            command.get_program().display()
        ),
    }
}

/// The command line itself.
pub(super) fn plain(argv: &[String]) -> Option<Command> {
    let (program, args) = argv.split_first()?;
    let mut command = Command::new(program);
    command.args(args);
    Some(command)
}

/// The sandbox, with this binary as the first process in it ([`super::inside`]). The
/// binary's file may not be visible in there, so it is handed over open.
fn wrapped(spec: &Spec, gate: &UnixStream) -> io::Result<Option<Command>> {
    let image = File::open("/proc/self/exe")?;
    for fd in [image.as_fd(), gate.as_fd()] {
        fcntl_setfd(fd, FdFlags::empty())?;
    }
    let Some(mut command) = plain(&spec.wrapper) else {
        return Ok(None);
    };
    // Never closed here: this process becomes the sandbox or ends.
    let image = image.into_raw_fd();
    command
        .arg(format!("/proc/self/fd/{image}"))
        .args(["keeper", "--inside"])
        .arg(image.to_string())
        .arg(gate.as_raw_fd().to_string())
        .args(&spec.argv);
    Ok(Some(command))
}

/// Why a program did not become a process.
pub(super) fn not_run(program: &str, error: &io::Error) -> StartFailure {
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
