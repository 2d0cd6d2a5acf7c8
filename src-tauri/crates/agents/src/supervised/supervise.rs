//! One turn of one process: its lines in, our answers out, nothing waiting for
//! anything it does not need.

use std::collections::HashMap;
use std::time::Duration;

use domain::OpErrorKind;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;
use tokio::time::Instant;

use super::agent_error;
use super::child::Child;
use super::dialect::{Action, Dialect, Phase};
use super::lines::Piece;
use crate::driver::{
    AgentContext, Answered, Host, HostGone, ObservedCall, Permit, Turn, TurnError, TurnRequest,
};

/// How long an interrupted agent may take to say that it stopped (42 ms measured of Claude
/// Code, 15 ms of Codex).
const INTERRUPT_WITHIN: Duration = Duration::from_secs(5);

/// How long a call may go untold while its question is awaited (200 ms measured).
const ASKED_WITHIN: Duration = Duration::from_secs(2);

/// What came of following a process.
pub(crate) enum End {
    /// Its turn is over.
    Turn(Box<Result<Turn, TurnError>>),
    /// It was to go on with a session and cannot, for this reason; it did nothing.
    UnknownSession(String),
}

/// Why following stopped.
enum Halt {
    /// A result, and the process may go.
    Over(Box<Result<Turn, TurnError>>),
    /// As [`End::UnknownSession`].
    Unknown(String),
    /// It must be made to stop, for this reason.
    Stop(Box<TurnError>),
    /// It ended by itself.
    Ended,
    /// The run is somebody else's now; the process stays.
    Gone,
}

impl From<HostGone> for Halt {
    fn from(_: HostGone) -> Self {
        Self::Gone
    }
}

struct Decided {
    request_id: String,
    input: Value,
    answer: Result<Permit, HostGone>,
}

/// A process, followed.
pub(crate) struct Supervision<'a, D> {
    request: &'a TurnRequest,
    agent: &'a AgentContext,
    host: &'a dyn Host,
    child: Child,
    dialect: D,
    questions: FuturesUnordered<BoxFuture<'a, Decided>>,
    /// What they ask about: the call and its arguments, by the question's number.
    pending: HashMap<String, (String, String)>,
    /// When it last gave a sign of life.
    heard: Instant,
    /// Since when it could have asked about a call and has not.
    held: Option<Instant>,
}

impl<'a, D: Dialect> Supervision<'a, D> {
    pub(crate) fn new(
        request: &'a TurnRequest,
        agent: &'a AgentContext,
        host: &'a dyn Host,
        child: Child,
        dialect: D,
    ) -> Self {
        let questions = FuturesUnordered::new();
        Self {
            request,
            agent,
            host,
            child,
            dialect,
            questions,
            pending: HashMap::new(),
            heard: Instant::now(),
            held: None,
        }
    }

    /// Follows the process to the end of its turn, and ends it.
    pub(crate) async fn run(mut self) -> End {
        let halt = match self.follow().await {
            Ok(never) => match never {},
            Err(halt) => halt,
        };
        let turn = match halt {
            Halt::Over(turn) => {
                self.child.finish().await;
                *turn
            }
            Halt::Unknown(why) => {
                self.child.finish().await;
                return End::UnknownSession(why);
            }
            Halt::Stop(error) => self.break_off(*error).await,
            Halt::Ended => {
                // Unasked so far, they may have been running: what is not told is in nobody's doubt.
                for action in self.dialect.release_calls() {
                    // Should the host be gone too, there is nobody to tell.
                    let _ = self.tell(action).await;
                }
                let open = match self.dialect.open_calls() {
                    0 => String::new(),
                    n => format!(" ({n} of its calls had no result yet)"),
                };
                let message = format!("{}{open}", self.child.obituary().await);
                Err(TurnError {
                    answered: self.answered(),
                    partial: self.dialect.consumed(),
                    ..agent_error(message)
                })
            }
            Halt::Gone => {
                // Dropped, not stopped: whoever has the run now adopts the process.
                let message = HostGone.to_string();
                Err(TurnError {
                    answered: self.answered(),
                    partial: self.dialect.consumed(),
                    ..TurnError::refused(OpErrorKind::Cancelled, message)
                })
            }
        };
        End::Turn(Box::new(turn))
    }

    fn answered(&self) -> Answered {
        if self.dialect.has_answered() {
            Answered::Begun
        } else {
            Answered::No
        }
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, Halt> {
        loop {
            let limit = self.silent_at();
            let unasked = self.unasked_at();
            tokio::select! {
                biased;
                () = self.request.cancel.cancelled() => {
                    let error = TurnError::refused(OpErrorKind::Cancelled, format!("{} was stopped", self.dialect.name()));
                    return Err(Halt::Stop(Box::new(error)));
                }
                () = self.request.pause.cancelled(), if self.dialect.is_between() => {
                    let error = TurnError::refused(OpErrorKind::Cancelled, self.paused());
                    return Err(Halt::Stop(Box::new(error)));
                }
                Some(decided) = self.questions.next() => {
                    self.heard = Instant::now();
                    self.answer(decided)?;
                }
                piece = self.child.next() => {
                    self.heard = Instant::now();
                    let piece = piece.map_err(|e| Halt::Stop(Box::new(agent_error(format!("{}'s output cannot be read: {e}", self.dialect.name())))))?;
                    for action in self.actions(piece.ok_or(Halt::Ended)?) {
                        self.act(action).await?;
                    }
                }
                () = until(unasked) => {
                    for action in self.dialect.release_calls() {
                        self.act(action).await?;
                    }
                }
                () = until(limit) => {
                    // It may have been held back meanwhile.
                    if self.silent_at().is_some_and(|at| at <= Instant::now()) {
                        return Err(Halt::Stop(Box::new(self.silence())));
                    }
                }
            }
        }
    }

    fn actions(&mut self, piece: Piece) -> Vec<Action> {
        match piece {
            Piece::Line(line) => self.dialect.line(&line),
            Piece::TooLong(bytes) => self
                .dialect
                .unreadable(format!("{} MB long, skipped", bytes / 1_000_000)),
        }
    }

    /// When calls that no question came for are told of.
    fn unasked_at(&mut self) -> Option<Instant> {
        if self.dialect.is_about_to_ask() {
            let since = *self.held.get_or_insert_with(Instant::now);
            return Some(since + ASKED_WITHIN);
        }
        self.held = None;
        None
    }

    fn silent_at(&self) -> Option<Instant> {
        let limit = Duration::from_millis(self.request.silence_ms);
        let heard = self.agent.held.last().max(Some(self.heard))?;
        match self.dialect.phase() {
            Phase::Busy => None,
            Phase::Expecting => Some(heard + limit),
            Phase::Retrying(ms) => Some(heard + limit + Duration::from_millis(ms)),
        }
    }

    /// What a turn that was paused ends with.
    fn paused(&self) -> String {
        format!("{} was paused", self.dialect.name())
    }

    fn silence(&self) -> TurnError {
        let seconds = self.request.silence_ms.div_ceil(1000);
        let message = format!(
            "{} said nothing for {seconds} s while an answer was due",
            self.dialect.name()
        );
        TurnError {
            answered: self.answered(),
            ..TurnError::refused(OpErrorKind::Silent, message)
        }
    }

    async fn act(&mut self, action: Action) -> Result<(), Halt> {
        match action {
            Action::Delta(delta) => {
                if !self.child.is_replaying() {
                    self.host.delta(delta);
                }
            }
            Action::Session(_) | Action::Started(_) | Action::Ended { .. } => {
                self.tell(action).await?
            }
            Action::Note(note) => self.host.note(&note).await?,
            Action::Plan(items) => self.host.plan(items).await?,
            Action::Used(usage) => self.host.used(&usage).await?,
            Action::Permit {
                request_id,
                call,
                input,
            } => self.ask(request_id, call, input)?,
            Action::Deny { request_id, why } => {
                self.child.send(self.dialect.deny(&request_id, why));
                self.dialect.answered(&request_id);
            }
            Action::Unsupported { request_id, what } => {
                self.child
                    .send(self.dialect.unsupported(&request_id, &what));
            }
            Action::Send(line) => self.send(line),
            Action::GaveUp(error) => return Err(Halt::Stop(error)),
            Action::UnknownSession(why) => return Err(Halt::Unknown(why)),
            Action::Finished(turn) => return Err(Halt::Over(turn)),
        }
        Ok(())
    }

    /// The next line of a conversation. An earlier daemon has said it to what it adopted.
    fn send(&self, line: Vec<u8>) {
        if !self.child.is_replaying() {
            self.child.send(line);
        }
    }

    /// What is true whatever becomes of the turn.
    async fn tell(&mut self, action: Action) -> Result<(), HostGone> {
        match action {
            Action::Session(session) => {
                let keeper = self.agent.keeper_dir.file_name().unwrap_or_default();
                self.host.session(&session, &keeper.to_string_lossy()).await
            }
            Action::Started(call) if self.agent.known_calls.contains(&call.call_id) => Ok(()),
            Action::Started(call) => self.host.call_started(call).await,
            Action::Ended {
                call_id,
                outcome,
                result,
            } => self.host.call_ended(&call_id, outcome, &result).await,
            _ => Ok(()),
        }
    }

    fn ask(&mut self, request_id: String, call: ObservedCall, input: Value) -> Result<(), Halt> {
        let before = &self.child.before;
        if before.settled.contains(&call.call_id)
            || before.withdrawn.contains(&request_id)
            || !self.child.is_alive()
        {
            self.dialect.answered(&request_id);
            return Ok(());
        }
        let asked = (call.call_id.clone(), call.input.clone());
        match self.pending.get(&request_id) {
            // Asked twice, answered once.
            Some(pending) if *pending == asked => return Ok(()),
            // Nobody could say which of them an answer is to.
            Some(_) => {
                let name = self.dialect.name();
                return Err(Halt::Stop(Box::new(agent_error(format!(
                    "{name} asked two different questions under the same number"
                )))));
            }
            None => drop(self.pending.insert(request_id.clone(), asked)),
        }
        let host = self.host;
        self.questions.push(Box::pin(async move {
            let answer = host.permit(call).await;
            Decided {
                request_id,
                input,
                answer,
            }
        }));
        Ok(())
    }

    fn answer(&mut self, decided: Decided) -> Result<(), HostGone> {
        let Decided {
            request_id,
            input,
            answer,
        } = decided;
        self.pending.remove(&request_id);
        let line = match answer? {
            Permit::Allow => self.dialect.allow(&request_id, &input),
            Permit::AllowEdited(edited) => match serde_json::from_str(&edited) {
                Ok(edited @ Value::Object(_)) => self.dialect.allow_edited(&request_id, &edited),
                // Never what was not approved.
                _ => self
                    .dialect
                    .deny(&request_id, "the edited arguments cannot be read"),
            },
            Permit::Deny(why) => self.dialect.deny(&request_id, &why),
        };
        self.dialect.answered(&request_id);
        self.child.send(line);
        Ok(())
    }

    /// Interrupts, hears the agent out for a moment, and ends it. What it says it cost
    /// counts; without a word of it, what was seen.
    async fn break_off(mut self, mut error: TurnError) -> Result<Turn, TurnError> {
        self.questions.clear();
        self.child.send(self.dialect.interrupt());
        error.answered = self.answered();
        let paused = self.paused();
        let heard_out = tokio::time::timeout(INTERRUPT_WITHIN, self.hear_out()).await;
        match heard_out {
            Ok(Some(last)) => {
                self.child.finish().await;
                match *last {
                    // It was faster: nothing was broken off.
                    Ok(turn) if error.message == paused => return Ok(turn),
                    Ok(turn) => error.charge = turn.charge.map(Box::new),
                    Err(last) => (error.partial, error.charge) = (last.partial, last.charge),
                }
            }
            _ => {
                error.partial = self.dialect.consumed();
                self.child.stop().await;
            }
        }
        Err(error)
    }

    /// Its last lines: the results of calls that were cut off, and what it cost.
    async fn hear_out(&mut self) -> Option<Box<Result<Turn, TurnError>>> {
        while let Ok(Some(piece)) = self.child.next().await {
            for action in self.actions(piece) {
                match action {
                    Action::Finished(turn) => return Some(turn),
                    Action::Send(line) => self.send(line),
                    // Should the host be gone too, stopping is all that is left.
                    action => drop(self.tell(action).await),
                }
            }
        }
        None
    }
}

async fn until(limit: Option<Instant>) {
    match limit {
        Some(limit) => tokio::time::sleep_until(limit).await,
        None => std::future::pending().await,
    }
}
