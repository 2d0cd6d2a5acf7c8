//! The keeper process: from its start to the moment the child runs.
//!
//! Synchronous and single-threaded but for one thread that waits for dead
//! children, because there is one such process for every running command.
//!
//! What a crash between two steps leaves behind, in order:
//!
//! 1. nothing, or a lock: it never started;
//! 2. `state.json` without a child: it never started (a child that was forked
//!    already finds its gate closed, and ends before it became the command);
//! 3. `state.json` with a child: it may have begun. This includes the instant
//!    between that record and the gate's opening: here, as anywhere, the doubtful
//!    case counts as begun, never as not begun;
//! 4. `exit.json`: it ended, and how.

mod clients;
mod inherited;
mod inside;
mod outlet;
mod resident;
mod serve;
mod signals;
mod spool;
mod stage;
mod tree;

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, PidfdFlags, geteuid, getpid, pidfd_open, set_child_subreaper, setsid};

use crate::processes::{self, ProcessId};
use crate::record::{
    self, ABANDONED, EXIT, Ending, Exit, SPEC, STATE, StartFailure, StartFailureKind, State,
    StreamEnd,
};
use crate::spec::{MARKER, Spec, Stdin, Streams};
use crate::wire::Ready;

/// The `keeper` command of the binary: `args` are what follows that word. For
/// speed and memory, call it before anything else is set up (arguments parsed,
/// a runtime started, a subscriber installed).
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    match args.as_slice() {
        [dir] => run(Path::new(dir)),
        [flag, dir, parent] if flag == "--child" => stage::run(Path::new(dir), parent),
        [flag, rest @ ..] if flag == "--inside" => inside::run(rest),
        _ => ExitCode::from(2),
    }
}

/// Keeps one child, the one of `dir/spec.json`, until nothing of it is left.
pub fn run(dir: &Path) -> ExitCode {
    match begin(dir) {
        Ok(Begun::Running(keep)) => {
            announce(&Ready::Started);
            keep.serve()
        }
        Ok(Begun::Refused(failure)) => {
            announce(&Ready::NotStarted(failure));
            ExitCode::SUCCESS
        }
        Err(error) => {
            announce(&Ready::Broken(error.to_string()));
            ExitCode::FAILURE
        }
    }
}

enum Begun {
    Running(Box<serve::Keep>),
    Refused(StartFailure),
}

/// A child that was forked: its ends of the pipes.
struct Forked {
    id: ProcessId,
    stdin: Option<PipeWriter>,
    out: PipeReader,
    err: Option<PipeReader>,
}

fn begin(dir: &Path) -> io::Result<Begun> {
    let dir = fs::canonicalize(dir)?;
    // Fails only for a process group leader, which then has a group of its own.
    let _ = setsid();
    std::env::set_current_dir("/")?;
    let lock = claim(&dir)?;
    let spec: Spec = record::read(&dir.join(SPEC))?
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no spec.json"))?;
    set_child_subreaper(Some(getpid()))?;
    let listener = listen(&spec.socket)?;

    faults::crash_point("keeper.before_spawn");
    let mut state = State {
        keeper: ProcessId::of(std::process::id())
            .ok_or_else(|| io::Error::other("/proc is not mounted"))?,
        boot_id: processes::boot_id(),
        started_at_ms: now_ms(),
        child: None,
    };
    record::write(&dir, STATE, &state)?;
    let forked = fork(&dir, &spec)?;
    let (gate, early) = gate(&listener, forked.id)?;
    state.child = Some(forked.id);
    record::write(&dir, STATE, &state)?;
    // Whatever can fail has to fail before the gate opens.
    let (folder, socket, begun) = (dir.clone(), spec.socket.clone(), state.clone());
    let wrapped = !spec.wrapper.is_empty();
    let parts = serve::Parts {
        dir,
        spec,
        state,
        lock,
        listener,
        forked,
        early,
    };
    let mut keep = Box::new(serve::Keep::new(parts)?);
    let outcome = match wrapped {
        true => let_go_inside(gate, &mut keep)?,
        false => let_go(gate)?,
    };
    faults::crash_point("keeper.spawned");

    let Some(failure) = outcome else {
        return Ok(Begun::Running(keep));
    };
    record::write(&folder, EXIT, &never_ran(&begun, failure.clone()))?;
    let _ = fs::remove_file(socket);
    Ok(Begun::Refused(failure))
}

/// Takes the folder for this process, for good: a folder is used once.
fn claim(dir: &Path) -> io::Result<File> {
    let lock = record::open_lock(dir)?;
    lock.try_lock()
        .map_err(|_| io::Error::other("another keeper has this folder"))?;
    for used in [ABANDONED, STATE, EXIT] {
        if dir.join(used).exists() {
            return Err(io::Error::other(format!(
                "this folder was used before: {used} exists"
            )));
        }
    }
    Ok(lock)
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let folder = path
        .parent()
        .ok_or_else(|| io::Error::other("the socket has no folder"))?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let about = fs::metadata(folder)?;
    if about.uid() != geteuid().as_raw() || about.mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "{} must belong to this user, with mode 0700",
                folder.display()
            ),
        ));
    }
    // What is there is the rest of a dead keeper: the lock on the folder is ours.
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Starts this binary once more, as the stage that becomes the command
/// ([`stage::run`]) when its gate opens.
fn fork(dir: &Path, spec: &Spec) -> io::Result<Forked> {
    // The running image, even if an upgrade has replaced the file.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("longhaul")
        .arg("keeper")
        .arg("--child")
        .arg(dir);
    command.arg(std::process::id().to_string());
    // The mark is there from the first instant; the stage sets the rest.
    command.env(MARKER, &spec.id);

    let (out, out_writer) = io::pipe()?;
    let err = match spec.streams {
        Streams::Merged => {
            command.stderr(out_writer.try_clone()?);
            None
        }
        Streams::Separate => {
            let (err, err_writer) = io::pipe()?;
            command.stderr(err_writer);
            Some(err)
        }
    };
    command.stdout(out_writer);
    let stdin = match spec.stdin {
        Stdin::Closed => {
            command.stdin(Stdio::null());
            None
        }
        Stdin::Open => {
            let (reader, writer) = io::pipe()?;
            command.stdin(reader);
            Some(writer)
        }
    };
    let child = command.spawn()?;
    let id = ProcessId::of(child.id()).ok_or_else(|| io::Error::other("the child is gone"))?;
    Ok(Forked {
        id,
        stdin,
        out,
        err,
    })
}

/// Waits for the stage's connection: the gate at which it waits. Others that
/// connect meanwhile are clients.
fn gate(listener: &UnixListener, child: ProcessId) -> io::Result<(UnixStream, Vec<UnixStream>)> {
    let pid = i32::try_from(child.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("a child without a number"))?;
    let alive = pidfd_open(pid, PidfdFlags::empty())?;
    let mut early = Vec::new();
    loop {
        let mut fds = [
            PollFd::new(listener, PollFlags::IN),
            PollFd::new(&alive, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        if !fds[1].revents().is_empty() {
            return Err(io::Error::other(
                "the child ended before it could be let go",
            ));
        }
        let (stream, _) = match listener.accept() {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
            other => other?,
        };
        if socket_peercred(&stream)?.pid == pid {
            stream.set_nonblocking(false)?;
            return Ok((stream, early));
        }
        early.push(stream);
    }
}

/// Opens the gate. The connection closes by itself when the stage becomes the
/// command; a stage that cannot says why first.
fn let_go(mut gate: UnixStream) -> io::Result<Option<StartFailure>> {
    gate.write_all(b"g")?;
    let mut answer = Vec::new();
    // An error here comes after the gate opened: the child counts as begun.
    let _ = gate.read_to_end(&mut answer);
    if answer.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&answer).unwrap_or_else(|_| {
        StartFailure {
            kind: StartFailureKind::Other,
            message: String::from_utf8_lossy(&answer).into_owned(),
        }
    })))
}

/// Opens the gate to a sandbox, whose first process keeps it and tells on it how the
/// command fares.
fn let_go_inside(mut gate: UnixStream, keep: &mut serve::Keep) -> io::Result<Option<StartFailure>> {
    gate.write_all(b"g")?;
    let (ear, first) = inside::Ear::begin(gate)?;
    match first {
        Some(inside::Told::Started(pid)) => {
            keep.listen_to(ear, pid);
            Ok(None)
        }
        Some(inside::Told::NotStarted(failure)) => Ok(Some(failure)),
        Some(inside::Told::Ended(_)) | None => Ok(Some(keep.sandbox_failure())),
    }
}

fn never_ran(state: &State, failure: StartFailure) -> Exit {
    Exit {
        ending: Ending::NotStarted(failure),
        stopped_by: None,
        started_at_ms: state.started_at_ms,
        ended_at_ms: now_ms(),
        out: StreamEnd::default(),
        err: StreamEnd::default(),
        leftovers: 0,
        cpu_user_ms: 0,
        cpu_system_ms: 0,
        max_rss_kib: 0,
    }
}

/// Tells the spawner, if it still listens, and lets go of its pipe.
fn announce(ready: &Ready) {
    let mut line = serde_json::to_vec(ready).unwrap_or_default();
    line.push(b'\n');
    let _ = io::stdout()
        .write_all(&line)
        .and_then(|()| io::stdout().flush());
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}

/// Milliseconds since the Unix epoch. The keeper is a process of its own: it has
/// nobody to be given a clock by.
#[allow(clippy::disallowed_methods)] // a process of its own: nobody could inject a clock
fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// Where a keeper's spool is.
fn spool_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(name)
}
