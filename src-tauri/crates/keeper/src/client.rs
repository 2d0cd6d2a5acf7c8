//! Starting keepers and finding them again, from the daemon.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::Command;

use crate::connection::Keeper;
use crate::loss::{self, Evidence};
use crate::record::{self, ABANDONED, EXIT, Exit, SPEC, STATE, StartFailure, State};
use crate::spec::{SOCKET_PATH_MAX, Spec};
use crate::wire::Ready;

/// How long a keeper that has its folder may take to listen. It is a file or two
/// and a fork; the disk may be busy.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Between two tries to reach it. There is nothing to be told by: a socket that is
/// not there yet cannot be waited for.
const TRY_EVERY: Duration = Duration::from_millis(5);

/// Why nothing is running.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The command cannot be started: the user must mend it.
    #[error("{0}")]
    NotStarted(StartFailure),
    /// The request itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The keeper could not do its work; the command did not begin.
    #[error("the keeper process failed before the command began: {0}")]
    Broken(String),
    /// The keeper died at the worst moment: the command may have begun.
    #[error("the keeper process died while the command was being started")]
    Lost(Box<Evidence>),
    /// Files or processes could not be created; the command did not begin.
    #[error("cannot start a keeper: {0}")]
    Io(#[from] io::Error),
}

/// What became of a keeper.
#[derive(Debug)]
pub enum Adoption {
    /// It lives, and so does its child.
    Alive(Keeper),
    /// It did its work.
    Exited(Exit),
    /// The child never began, and from now on never will.
    NeverStarted,
    /// It died with its child, or left it behind.
    Lost(Evidence),
}

/// Why it cannot be said what became of a keeper.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// There is no record of it.
    #[error("{0} is not the folder of a keeper")]
    NoKeeper(PathBuf),
    /// It lives but does not answer (stopped, or hanging in the kernel).
    #[error("the keeper of {0} lives but does not answer")]
    Silent(PathBuf),
    /// The files cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Starts `exe keeper DIR` for `spec`, in a session of its own and with nothing of
/// this process's environment. Returns when the child runs. The folder must not
/// have been used before; it is created if absent.
///
/// Dropping the future does not stop what was begun: [`adopt`] finds it.
///
/// # Errors
/// See [`SpawnError`]. In all cases but `Lost` the command has not begun.
pub async fn spawn(exe: &Path, dir: &Path, spec: &Spec) -> Result<Keeper, SpawnError> {
    check(dir, spec)?;
    let (folder, written) = (dir.to_owned(), spec.clone());
    blocking(move || prepare(&folder, &written)).await?;
    let mut command = Command::new(exe);
    command
        .arg("keeper")
        .arg(dir)
        .env_clear()
        .envs(&spec.env)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(false);
    #[cfg(debug_assertions)]
    for name in ["LONGHAUL_CRASH_AT", "LONGHAUL_SABOTAGE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let mut process = command.spawn()?;
    let pipe = process.stdout.take();
    // So that it does not stay a zombie of this process when it ends.
    tokio::spawn(async move { process.wait().await });
    let mut line = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut line).await?;
    }
    match serde_json::from_slice(&line) {
        Ok(Ready::Started) => {}
        Ok(Ready::NotStarted(failure)) => return Err(SpawnError::NotStarted(failure)),
        Ok(Ready::Broken(why)) => return Err(SpawnError::Broken(why)),
        // It died without a word; its files know how far it came.
        Err(_) => tracing::warn!(id = %spec.id, "a keeper died while it was starting"),
    }
    match adopt(dir).await {
        Ok(Adoption::Alive(keeper)) => Ok(keeper),
        Ok(Adoption::Exited(exit)) => match exit.ending {
            record::Ending::NotStarted(failure) => Err(SpawnError::NotStarted(failure)),
            _ => Ok(Keeper::ended(dir.to_owned(), spec.clone(), Ok(exit))),
        },
        Ok(Adoption::NeverStarted) => Err(SpawnError::Broken("it was killed".to_owned())),
        Ok(Adoption::Lost(evidence)) => Err(SpawnError::Lost(Box::new(evidence))),
        // It may have begun; that nobody can say more is no evidence that it did not.
        Err(error) => {
            tracing::warn!(id = %spec.id, %error, "a new keeper cannot be found again");
            Err(SpawnError::Lost(Box::new(Evidence {
                id: spec.id.clone(),
                ..Evidence::default()
            })))
        }
    }
}

fn check(dir: &Path, spec: &Spec) -> Result<(), SpawnError> {
    let invalid = |why: &str| Err(SpawnError::Invalid(why.to_owned()));
    if spec.argv.first().is_none_or(String::is_empty) {
        return invalid("there is no command to run");
    }
    if spec.id.is_empty() || spec.id.contains('\0') {
        return invalid("a keeper needs an id");
    }
    if spec.socket.as_os_str().as_bytes().len() > SOCKET_PATH_MAX {
        return invalid("the path of the keeper's socket is too long");
    }
    if !dir.is_absolute() || !spec.cwd.is_absolute() || !spec.socket.is_absolute() {
        return invalid("a keeper's folders must be absolute paths");
    }
    Ok(())
}

fn prepare(dir: &Path, spec: &Spec) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    if dir.join(SPEC).exists() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "this folder was used before",
        ));
    }
    record::write(dir, SPEC, spec)?;
    dir.parent().map_or(Ok(()), record::sync_dir)
}

/// Finds out what became of the keeper of `dir`, and connects to it if it lives.
///
/// # Errors
/// See [`AdoptError`]; none of them says anything about the child.
pub async fn adopt(dir: &Path) -> Result<Adoption, AdoptError> {
    let path = dir.to_owned();
    let spec: Option<Spec> = blocking(move || record::read(&path.join(SPEC))).await?;
    let spec = spec.ok_or_else(|| AdoptError::NoKeeper(dir.to_owned()))?;
    let until = tokio::time::Instant::now() + ANSWERS_WITHIN;
    loop {
        let (path, known) = (dir.to_owned(), spec.clone());
        match blocking(move || look(&path, &known)).await? {
            Look::Exited(exit) => return Ok(Adoption::Exited(exit)),
            Look::NeverStarted => return Ok(Adoption::NeverStarted),
            Look::Lost(evidence) => return Ok(Adoption::Lost(evidence)),
            Look::Alive => {}
        }
        // A refused connection: it is just starting, or just ending. Look again.
        if let Ok(stream) = UnixStream::connect(&spec.socket).await
            && let Some(keeper) = Keeper::greet(dir, &spec, stream, until).await
        {
            return Ok(Adoption::Alive(keeper));
        }
        if tokio::time::Instant::now() >= until {
            return Err(AdoptError::Silent(dir.to_owned()));
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
}

pub(crate) enum Look {
    Alive,
    Exited(Exit),
    NeverStarted,
    Lost(Evidence),
}

/// What the files say. Blocking.
pub(crate) fn look(dir: &Path, spec: &Spec) -> io::Result<Look> {
    if let Some(exit) = record::read(&dir.join(EXIT))? {
        return Ok(Look::Exited(exit));
    }
    let lock = record::open_lock(dir)?;
    if lock.try_lock().is_err() {
        return Ok(Look::Alive);
    }
    // Nobody writes here any more; what was written before is now complete.
    if let Some(exit) = record::read(&dir.join(EXIT))? {
        return Ok(Look::Exited(exit));
    }
    match record::read::<State>(&dir.join(STATE))? {
        Some(
            state @ State {
                child: Some(child), ..
            },
        ) => Ok(Look::Lost(loss::gather(dir, spec, &state, child))),
        _ => {
            // A keeper that was started but has not come this far must not begin
            // after it was said that it never will.
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(dir.join(ABANDONED))?
                .sync_all()?;
            record::sync_dir(dir)?;
            Ok(Look::NeverStarted)
        }
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}
