//! One agent's process in its keeper: starting it, finding it again, its lines, and
//! its end.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keeper::{
    Adoption, Ending, Exit, Keeper, Orphan, Outcome, Output, SpawnError, Spec, StartFailureKind,
    Stdin, Stream, Streams,
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::lines::{Piece, Splitter};
use super::uses::Uses;
use super::{Program, agent_error};
use crate::driver::{AgentContext, TurnError};

/// How long an agent nobody listens to goes on: a daemon restart takes seconds,
/// an upgrade a minute, and everything it spends meanwhile goes unwatched.
const ORPHAN_GRACE_MS: u64 = 10 * 60 * 1000;

/// Bytes of output kept of one turn. Days of talk; more is an agent gone wild.
const SPOOL_MAX: u64 = 1024 * 1024 * 1024;

/// Between SIGTERM and SIGKILL; Claude Code needs 1.6 s (measured) to end its children.
const TERM_GRACE: Duration = Duration::from_secs(3);

/// How much of the end of its errors is shown.
const STDERR_SHOWN: u64 = 2000;

/// What an adopted process had done before.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Calls that have a result.
    pub(crate) settled: HashSet<String>,
    /// Its session is there: what it told before was of an earlier process.
    pub(crate) opened: bool,
    /// The names of its calls, where ids are used again.
    pub(crate) uses: Uses,
    /// Questions that were taken back.
    pub(crate) withdrawn: HashSet<String>,
    /// Whether it has heard our message.
    pub(crate) begun: bool,
}

/// Reads one line of its output for a [`Survey`].
pub(crate) type Surveyor = fn(&mut Survey, &[u8]);

/// A process to follow.
pub(crate) struct Child {
    program: Program,
    dir: PathBuf,
    /// None if its end is known already.
    living: Option<Living>,
    /// Set with `living` None: how it ended.
    ended: Option<Outcome>,
    output: Output,
    splitter: Splitter,
    ready: VecDeque<Piece>,
    at_end: bool,
    /// Up to here the spool was written for an earlier daemon.
    replay_until: u64,
    pub(crate) before: Survey,
}

struct Living {
    keeper: Keeper,
    input: mpsc::UnboundedSender<Input>,
    /// Ends with this driver, and with it the connection: a keeper nobody listens
    /// to must notice.
    _writer: AbortOnDropHandle<()>,
}

enum Input {
    Bytes(Vec<u8>),
    End,
}

impl Child {
    /// Starts `argv` in a new keeper.
    pub(crate) async fn start(
        program: Program,
        agent: &AgentContext,
        argv: Vec<String>,
        env: BTreeMap<String, String>,
    ) -> Result<Self, TurnError> {
        let spec = Spec {
            id: uuid::Uuid::new_v4().to_string(),
            argv,
            wrapper: agent.wrapper.clone(),
            cwd: agent.cwd.clone(),
            env,
            stdin: Stdin::Open,
            streams: Streams::Separate,
            timeout_ms: None,
            orphan: Orphan::StopAfter {
                grace_ms: ORPHAN_GRACE_MS,
            },
            max_spool_bytes: SPOOL_MAX,
            limits: agent.limits,
            socket: agent.socket.clone(),
        };
        let keeper = keeper::spawn(&agent.longhaul, &agent.keeper_dir, &spec)
            .await
            .map_err(|error| not_started(program, error))?;
        Ok(Self::alive(program, keeper, 0, Survey::default()))
    }

    /// Finds the process of an earlier daemon's keeper, alive or ended; None if
    /// nothing ever ran there.
    pub(crate) async fn adopt(
        program: Program,
        dir: &Path,
        surveyor: Surveyor,
    ) -> Result<Option<Self>, TurnError> {
        let adoption = match keeper::adopt(dir).await {
            Ok(adoption) => adoption,
            Err(keeper::AdoptError::NoKeeper(_)) => return Ok(None),
            // It may live: starting another could do things twice.
            Err(error) => {
                return Err(agent_error(format!(
                    "the agent's keeper cannot be asked: {error}"
                )));
            }
        };
        let outcome = match adoption {
            Adoption::NeverStarted => return Ok(None),
            Adoption::Alive(keeper) => {
                let (survey, end) = survey(dir, surveyor)
                    .await
                    .map_err(|e| unreadable(program, &e))?;
                return Ok(Some(Self::alive(program, keeper, end, survey)));
            }
            Adoption::Exited(exit) => Ok(exit),
            Adoption::Lost(evidence) => Err(Box::new(evidence)),
        };
        let (before, replay_until) = survey(dir, surveyor)
            .await
            .map_err(|e| unreadable(program, &e))?;
        Ok(Some(Self {
            program,
            dir: dir.to_owned(),
            living: None,
            ended: Some(outcome),
            output: Output::of_ended(dir, Stream::Out, 0),
            splitter: Splitter::default(),
            ready: VecDeque::new(),
            at_end: false,
            replay_until,
            before,
        }))
    }

    fn alive(program: Program, keeper: Keeper, replay_until: u64, before: Survey) -> Self {
        let (input, queue) = mpsc::unbounded_channel();
        // A task of its own: an agent that does not read must not keep us from
        // hearing it, or from giving it up.
        let writer = AbortOnDropHandle::new(tokio::spawn(write(keeper.clone(), queue)));
        Self {
            program,
            dir: keeper.dir().to_owned(),
            output: keeper.output(Stream::Out, 0),
            living: Some(Living {
                keeper,
                input,
                _writer: writer,
            }),
            ended: None,
            splitter: Splitter::default(),
            ready: VecDeque::new(),
            at_end: false,
            replay_until,
            before,
        }
    }

    /// Whether it can still be talked to.
    pub(crate) fn is_alive(&self) -> bool {
        self.living
            .as_ref()
            .is_some_and(|living| living.keeper.outcome().is_none())
    }

    /// Whether what is read now was written for an earlier daemon.
    pub(crate) fn is_replaying(&self) -> bool {
        self.output.offset() <= self.replay_until
    }

    /// The next line; None when it has ended and all was read. Cancel-safe.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            if self.at_end {
                return Ok(None);
            }
            match self.output.next().await? {
                Some(bytes) => self.ready.extend(self.splitter.push(&bytes)),
                None => {
                    self.at_end = true;
                    self.ready.extend(self.splitter.finish());
                }
            }
        }
    }

    /// Queues a line for it. One that has ended hears nothing, and its end is read.
    pub(crate) fn send(&self, line: Vec<u8>) {
        if let Some(living) = &self.living {
            let _ = living.input.send(Input::Bytes(line));
        }
    }

    /// Lets it end by itself, now that its turn is over.
    pub(crate) async fn finish(self) {
        let Some(living) = &self.living else { return };
        let _ = living.input.send(Input::End);
        if tokio::time::timeout(self.program.exit_within, living.keeper.wait())
            .await
            .is_err()
        {
            self.stop().await;
        }
    }

    /// Ends it: SIGTERM, then SIGKILL, for the whole tree.
    pub(crate) async fn stop(self) {
        let Some(living) = &self.living else { return };
        let _ = living.keeper.stop(TERM_GRACE).await;
        if tokio::time::timeout(TERM_GRACE * 2, living.keeper.wait())
            .await
            .is_err()
        {
            self.kill().await;
        }
    }

    async fn kill(&self) {
        if let Some(living) = &self.living
            && let Err(error) = living.keeper.kill_tree().await
        {
            tracing::warn!(dir = %self.dir.display(), %error, "an agent's tree could not be killed");
        }
    }

    /// Why it ended without finishing its turn, in words.
    pub(crate) async fn obituary(&self) -> String {
        let name = self.program.name;
        let outcome = match (&self.ended, &self.living) {
            (Some(outcome), _) => outcome.clone(),
            (None, Some(living)) => living.keeper.wait().await,
            (None, None) => return format!("{name} is not running"),
        };
        let (how, stderr) = match outcome {
            Ok(exit) => (how_it_ended(&exit), last_words(&self.dir, &exit).await),
            Err(evidence) if evidence.rebooted => (
                "was ended by a restart of the machine".to_owned(),
                String::new(),
            ),
            Err(evidence) => (
                "was lost with its keeper".to_owned(),
                String::from_utf8_lossy(&evidence.last_err).into_owned(),
            ),
        };
        let lines: Vec<&str> = stderr
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        match lines[lines.len().saturating_sub(5)..].join("\n") {
            words if words.is_empty() => format!("{name} {how} before its turn was over"),
            words => format!("{name} {how} before its turn was over. It last said: {words}"),
        }
    }

    /// What of its tree lives although its keeper is dead.
    pub(crate) fn left_behind(&self) -> usize {
        match &self.ended {
            Some(Err(evidence)) => evidence.survivors.len(),
            _ => 0,
        }
    }
}

async fn write(keeper: Keeper, mut queue: mpsc::UnboundedReceiver<Input>) {
    while let Some(input) = queue.recv().await {
        let done = match input {
            Input::Bytes(bytes) => keeper.write_stdin(&bytes).await,
            Input::End => keeper.close_stdin().await,
        };
        if let Err(error) = done {
            tracing::debug!(id = keeper.id(), %error, "an agent did not take its input");
            return;
        }
    }
}

async fn survey(dir: &Path, surveyor: Surveyor) -> io::Result<(Survey, u64)> {
    let mut survey = Survey::default();
    let end = read_all(dir, |line| surveyor(&mut survey, line)).await?;
    Ok((survey, end))
}

/// Reads what a process said that is gone, once, holding one line at a time. Returns where
/// it ends.
pub(crate) async fn read_all(dir: &Path, mut each: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut output = Output::of_ended(dir, Stream::Out, 0);
    let mut splitter = Splitter::default();
    while let Some(bytes) = output.next().await? {
        for piece in splitter.push(&bytes) {
            if let Piece::Line(line) = piece {
                each(&line);
            }
        }
    }
    Ok(output.offset())
}

fn how_it_ended(exit: &Exit) -> String {
    match (&exit.ending, exit.stopped_by) {
        (_, Some(keeper::StopCause::Orphaned)) => {
            "was stopped because nobody listened to it".to_owned()
        }
        (_, Some(keeper::StopCause::Memory)) => "was stopped: it and what it started took more \
             memory than an agent may (the setting memory_limit_mb)"
            .to_owned(),
        (_, Some(keeper::StopCause::Processes)) => "was stopped: it had started more processes \
             than an agent may (the setting process_limit)"
            .to_owned(),
        (Ending::Code(code), _) => format!("ended with status {code}"),
        (Ending::Signal(signal), _) => format!("was killed by signal {signal}"),
        (Ending::NotStarted(failure), _) => format!("could not be started ({failure})"),
    }
}

async fn last_words(dir: &Path, exit: &Exit) -> String {
    let from = exit.err.kept.saturating_sub(STDERR_SHOWN);
    let bytes = Output::of_ended(dir, Stream::Err, from)
        .read_to_end()
        .await
        .unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn not_started(program: Program, error: SpawnError) -> TurnError {
    let Program { name, install, .. } = program;
    let hint = match &error {
        SpawnError::NotStarted(failure) if failure.kind == StartFailureKind::CommandNotFound => {
            format!("; {install}, or name its program with --command")
        }
        _ => String::new(),
    };
    agent_error(format!("{name} could not be started: {error}{hint}"))
}

fn unreadable(program: Program, error: &io::Error) -> TurnError {
    agent_error(format!("{}'s output cannot be read: {error}", program.name))
}
