//! One claude process in its keeper: starting it, finding it again, its lines,
//! and its end.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::OpErrorKind;
use keeper::{
    Adoption, Ending, Exit, Keeper, Orphan, Outcome, Output, SpawnError, Spec, StartFailureKind,
    Stdin, Stream, Streams,
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::ending::failed;
use super::lines::{Piece, Splitter};
use super::protocol::{Line, text};
use super::tally::Tally;
use crate::driver::{AgentContext, TurnError};

/// How long an agent nobody listens to goes on: a daemon restart takes seconds,
/// an upgrade a minute, and everything it spends meanwhile goes unwatched.
const ORPHAN_GRACE_MS: u64 = 10 * 60 * 1000;

/// Bytes of output kept of one turn. Days of talk; more is an agent gone wild.
const SPOOL_MAX: u64 = 1024 * 1024 * 1024;

/// How long it may take to end by itself: it saves its transcript (about 1 s).
const EXIT_WITHIN: Duration = Duration::from_secs(10);

/// Between SIGTERM and SIGKILL; it needs 1.6 s (measured) to end its children.
const TERM_GRACE: Duration = Duration::from_secs(3);

/// How much of the end of its errors is shown.
const STDERR_SHOWN: u64 = 2000;

/// What an adopted process had done before.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Calls that have a result.
    pub(crate) settled: HashSet<String>,
    /// Questions that were taken back.
    pub(crate) withdrawn: HashSet<String>,
    /// Whether it has heard our message.
    pub(crate) begun: bool,
}

/// A process to follow.
pub(crate) struct Child {
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
            socket: agent.socket.clone(),
        };
        let keeper = keeper::spawn(&agent.longhaul, &agent.keeper_dir, &spec)
            .await
            .map_err(not_started)?;
        Ok(Self::alive(keeper, 0, Survey::default()))
    }

    /// Finds the process of an earlier daemon's keeper, alive or ended; None if
    /// nothing ever ran there.
    pub(crate) async fn adopt(dir: &Path) -> Result<Option<Self>, TurnError> {
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
                let (survey, end) = survey(dir).await.map_err(unreadable)?;
                return Ok(Some(Self::alive(keeper, end, survey)));
            }
            Adoption::Exited(exit) => Ok(exit),
            Adoption::Lost(evidence) => Err(Box::new(evidence)),
        };
        let (before, replay_until) = survey(dir).await.map_err(unreadable)?;
        Ok(Some(Self {
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

    fn alive(keeper: Keeper, replay_until: u64, before: Survey) -> Self {
        let (input, queue) = mpsc::unbounded_channel();
        // A task of its own: an agent that does not read must not keep us from
        // hearing it, or from giving it up.
        let writer = AbortOnDropHandle::new(tokio::spawn(write(keeper.clone(), queue)));
        Self {
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
        if tokio::time::timeout(EXIT_WITHIN, living.keeper.wait())
            .await
            .is_err()
        {
            self.kill().await;
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
        let outcome = match (&self.ended, &self.living) {
            (Some(outcome), _) => outcome.clone(),
            (None, Some(living)) => living.keeper.wait().await,
            (None, None) => return "claude is not running".to_owned(),
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
            words if words.is_empty() => format!("claude {how} before its turn was over"),
            words => format!("claude {how} before its turn was over. It last said: {words}"),
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

async fn survey(dir: &Path) -> io::Result<(Survey, u64)> {
    let mut survey = Survey::default();
    let end = read_all(dir, |line| survey.take(line)).await?;
    Ok((survey, end))
}

/// What the answers in a spool consumed.
pub(crate) async fn tally(dir: &Path) -> io::Result<Tally> {
    let mut tally = Tally::default();
    read_all(dir, |line| {
        tally.line(&line);
    })
    .await?;
    Ok(tally)
}

/// Reads what is there, once, holding one line at a time. Returns where it ends.
async fn read_all(dir: &Path, mut each: impl FnMut(Line)) -> io::Result<u64> {
    let mut output = Output::of_ended(dir, Stream::Out, 0);
    let mut splitter = Splitter::default();
    while let Some(bytes) = output.next().await? {
        for piece in splitter.push(&bytes) {
            if let Piece::Line(line) = piece {
                each(Line::parse(&line));
            }
        }
    }
    Ok(output.offset())
}

impl Survey {
    fn take(&mut self, line: Line) {
        match line {
            Line::User(message) => {
                let blocks = message["content"].as_array().into_iter().flatten();
                let results = blocks.filter(|block| text(block, "type") == "tool_result");
                self.settled
                    .extend(results.map(|block| text(block, "tool_use_id").to_owned()));
            }
            Line::Cancel(request_id) => drop(self.withdrawn.insert(request_id)),
            Line::System(subtype, _) => self.begun |= subtype == "init",
            Line::Other(kind) => self.begun |= kind == "command_lifecycle",
            Line::Stream(..) | Line::Assistant(..) | Line::Result(_) => self.begun = true,
            Line::Request(..) | Line::Response(..) | Line::Garbage => {}
        }
    }
}

fn how_it_ended(exit: &Exit) -> String {
    match (&exit.ending, exit.stopped_by) {
        (_, Some(keeper::StopCause::Orphaned)) => {
            "was stopped because nobody listened to it".to_owned()
        }
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

fn not_started(error: SpawnError) -> TurnError {
    let hint = match &error {
        SpawnError::NotStarted(failure) if failure.kind == StartFailureKind::CommandNotFound => {
            "; install Claude Code, or name its program with --command"
        }
        _ => "",
    };
    agent_error(format!("claude could not be started: {error}{hint}"))
}

fn unreadable(error: io::Error) -> TurnError {
    agent_error(format!("claude's output cannot be read: {error}"))
}

/// An error of the agent as a process.
pub(crate) fn agent_error(message: String) -> TurnError {
    failed(OpErrorKind::Agent, message)
}
