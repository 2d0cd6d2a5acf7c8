//! The one place that starts git.
//!
//! Every call is cut off from the user's and the system's configuration and
//! from `GIT_*` variables of the parent, has a time limit, is killed when its
//! future is dropped, and keeps stderr for the error.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

/// The oldest git that honours `GIT_CONFIG_GLOBAL` (git 2.32 release notes);
/// with an older one the user's configuration could not be kept out.
const MINIMUM: (u32, u32) = (2, 32);

/// For calls that look at names and refs.
const QUICK: Duration = Duration::from_secs(60);
/// For calls that read or write every file of a large project.
const LONG: Duration = Duration::from_secs(30 * 60);
/// Most output kept of one call. Lists of changed paths of very large projects
/// stay below; a diff above it is refused by name.
pub(crate) const OUTPUT_LIMIT: u64 = 64 * 1024 * 1024;
const STDERR_KEPT: usize = 4 * 1024;

/// Why a git call gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no usable git: it has to be installed or updated.
    #[error("git {}.{} or newer is needed: {detail}", MINIMUM.0, MINIMUM.1)]
    NeedsGit {
        /// What was found instead.
        detail: String,
    },
    /// git could not be started or talked to.
    #[error("git {command} could not be run: {source}")]
    Io {
        /// The subcommand.
        command: String,
        /// The cause.
        source: std::io::Error,
    },
    /// git did not come back in time and was killed.
    #[error("git {command} did not finish within {} s", .after.as_secs())]
    Timeout {
        /// The subcommand.
        command: String,
        /// The limit that was reached.
        after: Duration,
    },
    /// git ended with an error.
    #[error("git {command} failed: {stderr}")]
    Failed {
        /// The subcommand.
        command: String,
        /// What it said, at most 4 KiB.
        stderr: String,
    },
    /// The output was larger than the limit.
    #[error("git {command} answered with more than {limit} bytes")]
    TooMuch {
        /// The subcommand.
        command: String,
        /// The limit in bytes.
        limit: u64,
    },
}

/// One git call, not started yet.
pub(crate) struct Call {
    dir: PathBuf,
    command: &'static str,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    config: Vec<String>,
    input: Input,
    limit: Duration,
}

enum Input {
    Nothing,
    Bytes(Vec<u8>),
    File(std::fs::File),
}

impl Call {
    pub(crate) fn new(dir: &Path, command: &'static str) -> Call {
        Call {
            dir: dir.to_owned(),
            command,
            args: Vec::new(),
            env: Vec::new(),
            config: Vec::new(),
            input: Input::Nothing,
            limit: QUICK,
        }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Call {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Call {
        self.args
            .extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Call {
        self.env.push((name, value.as_ref().to_owned()));
        self
    }

    /// Settings (`name=value`) for this call, over those every call gets.
    pub(crate) fn config(mut self, settings: &[String]) -> Call {
        self.config.extend_from_slice(settings);
        self
    }

    pub(crate) fn input(mut self, bytes: Vec<u8>) -> Call {
        self.input = Input::Bytes(bytes);
        self
    }

    pub(crate) fn input_file(mut self, file: std::fs::File) -> Call {
        self.input = Input::File(file);
        self
    }

    /// Allows the call the time that work on every file of a project may take.
    pub(crate) fn long(mut self) -> Call {
        self.limit = LONG;
        self
    }
}

/// Exit code (-1 when killed by a signal), stdout, stderr.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

pub(crate) struct Git {
    program: OsString,
    checked: OnceCell<()>,
}

impl Git {
    pub(crate) fn new(program: OsString) -> Git {
        Git {
            program,
            checked: OnceCell::new(),
        }
    }

    /// Runs `call`; any exit code but 0 is an error.
    pub(crate) async fn run(&self, call: Call) -> Result<Vec<u8>, GitError> {
        let command = call.command;
        let answer = self.ask(call).await?;
        if answer.code == 0 {
            return Ok(answer.stdout);
        }
        Err(GitError::Failed {
            command: command.to_owned(),
            stderr: answer.stderr,
        })
    }

    /// Runs `call` and returns its first line, trimmed.
    pub(crate) async fn line(&self, call: Call) -> Result<String, GitError> {
        let out = self.run(call).await?;
        Ok(first_line(&out))
    }

    /// Runs `call` whose exit code is itself the answer.
    pub(crate) async fn ask(&self, call: Call) -> Result<Answer, GitError> {
        self.check().await?;
        self.start(call).await
    }

    async fn check(&self) -> Result<(), GitError> {
        self.checked
            .get_or_try_init(|| async {
                let call = Call::new(Path::new("/"), "version");
                let answer = self.start(call).await.map_err(|error| match error {
                    GitError::Io { source, .. } => GitError::NeedsGit {
                        detail: format!("{} could not be run: {source}", self.program.display()),
                    },
                    other => other,
                })?;
                let text = first_line(&answer.stdout);
                match parse_version(&text) {
                    Some(found) if found >= MINIMUM => Ok(()),
                    _ => Err(GitError::NeedsGit {
                        detail: format!("found \"{text}\""),
                    }),
                }
            })
            .await
            .copied()
    }

    async fn start(&self, call: Call) -> Result<Answer, GitError> {
        let (command, limit) = (call.command, call.limit);
        let failed = |source| GitError::Io {
            command: command.to_owned(),
            source,
        };
        let (mut process, feed) = self.process(call);
        let mut child = process.spawn().map_err(failed)?;
        let exchange = exchange(&mut child, feed);
        let (stdout, stderr, code) = tokio::time::timeout(limit, exchange)
            .await
            .map_err(|_| GitError::Timeout {
                command: command.to_owned(),
                after: limit,
            })?
            .map_err(failed)?;
        if stdout.len() as u64 > OUTPUT_LIMIT {
            return Err(GitError::TooMuch {
                command: command.to_owned(),
                limit: OUTPUT_LIMIT,
            });
        }
        Ok(Answer {
            code,
            stdout,
            stderr,
        })
    }

    fn process(&self, call: Call) -> (Command, Vec<u8>) {
        let mut process = Command::new(&self.program);
        process.current_dir(&call.dir).kill_on_drop(true);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                process.env_remove(name);
            }
        }
        process
            .envs(QUIET_ENV)
            .args(QUIET_ARGS)
            .args(call.config.iter().flat_map(|setting| ["-c", setting]))
            .arg(call.command)
            .args(call.args);
        process.envs(call.env);
        process.stdout(Stdio::piped()).stderr(Stdio::piped());
        let feed = match call.input {
            Input::Nothing => {
                process.stdin(Stdio::null());
                Vec::new()
            }
            Input::Bytes(bytes) => {
                process.stdin(Stdio::piped());
                bytes
            }
            Input::File(file) => {
                process.stdin(Stdio::from(file));
                Vec::new()
            }
        };
        (process, feed)
    }
}

/// Who commits made here are by; also the identity set in clones.
pub(crate) const AGENT_NAME: &str = "Longhaul agent";
pub(crate) const AGENT_EMAIL: &str = "agent@longhaul.invalid";

const QUIET_ENV: [(&str, &str); 13] = [
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_LITERAL_PATHSPECS", "1"),
    ("GIT_AUTHOR_NAME", AGENT_NAME),
    ("GIT_AUTHOR_EMAIL", AGENT_EMAIL),
    ("GIT_COMMITTER_NAME", AGENT_NAME),
    ("GIT_COMMITTER_EMAIL", AGENT_EMAIL),
    ("LC_ALL", "C"),
];

/// `safe.directory=*`: the user chose the project, and no command used here
/// runs anything a repository configures.
const QUIET_ARGS: [&str; 33] = [
    "--no-pager",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.excludesFile=/dev/null",
    "-c",
    "core.attributesFile=/dev/null",
    "-c",
    "core.autocrlf=false",
    "-c",
    "core.quotePath=false",
    "-c",
    "core.splitIndex=false",
    "-c",
    "core.protectNTFS=false",
    "-c",
    "core.protectHFS=false",
    "-c",
    "core.fsync=committed,reference",
    "-c",
    "core.fsyncMethod=batch",
    "-c",
    "safe.directory=*",
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
    "-c",
    "submodule.recurse=false",
    "-c",
    "status.submoduleSummary=false",
];

async fn exchange(child: &mut Child, feed: Vec<u8>) -> std::io::Result<(Vec<u8>, String, i32)> {
    let stdin = child.stdin.take();
    let stdout = child.stdout.take().expect("stdout is piped");
    let mut stderr = child.stderr.take().expect("stderr is piped");
    let write = async move {
        if let Some(mut stdin) = stdin {
            // A git that stops reading says why on stderr; a broken pipe adds nothing.
            let _ = stdin.write_all(&feed).await;
            let _ = stdin.shutdown().await;
        }
    };
    let mut out = Vec::new();
    let mut err = Vec::new();
    let mut limited = stdout.take(OUTPUT_LIMIT + 1);
    let (_, read, read_err) = tokio::join!(
        write,
        async {
            let read = limited.read_to_end(&mut out).await;
            // Closed here, or a git with more to say would wait for ever.
            drop(limited);
            read
        },
        stderr.read_to_end(&mut err)
    );
    read?;
    read_err?;
    let status = child.wait().await?;
    err.truncate(STDERR_KEPT);
    let said = String::from_utf8_lossy(&err).trim().to_owned();
    Ok((out, said, status.code().unwrap_or(-1)))
}

pub(crate) fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line).trim().to_owned()
}

/// Splits `-z` output.
pub(crate) fn zero_separated(bytes: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    bytes.split(|b| *b == 0).filter(|part| !part.is_empty())
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_platforms_are_read() {
        assert_eq!(parse_version("git version 2.47.3"), Some((2, 47)));
        assert_eq!(
            parse_version("git version 2.39.5 (Apple Git-154)"),
            Some((2, 39))
        );
        assert_eq!(parse_version("git version 2.50.1.windows.1"), Some((2, 50)));
        assert_eq!(parse_version("something else"), None);
    }

    #[tokio::test]
    async fn a_missing_git_is_said_by_name() {
        let git = Git::new("/nonexistent/git".into());
        let error = git
            .run(Call::new(Path::new("/"), "version"))
            .await
            .expect_err("no git");
        assert!(matches!(error, GitError::NeedsGit { .. }), "{error}");
    }
}
