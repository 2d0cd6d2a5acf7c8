//! One turn of one process: its lines in, our answers out, nothing waiting for
//! anything it does not need.

use std::time::Duration;

use domain::OpErrorKind;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;
use tokio::time::Instant;

use super::ending::failed;
use super::lines::Piece;
use super::mapper::{Action, Mapper, Phase};
use super::process::{Child, agent_error};
use super::protocol;
use crate::driver::{
    AgentContext, Answered, Host, HostGone, ObservedCall, Permit, Turn, TurnError, TurnRequest,
};

/// How long an interrupted agent may take to say that it stopped (42 ms measured).
const INTERRUPT_WITHIN: Duration = Duration::from_secs(5);

/// How long a call may go untold while its question is awaited (200 ms measured).
const ASKED_WITHIN: Duration = Duration::from_secs(2);

/// What a turn that was paused ended with.
const PAUSED: &str = "claude was paused";

/// What came of following a process.
pub(crate) enum End {
    /// Its turn is over.
    Turn(Box<Result<Turn, TurnError>>),
    /// It was to resume a session that does not exist, and did nothing.
    UnknownSession,
}

/// Why following stopped.
enum Halt {
    /// A result, and the process may go.
    Over(Box<Result<Turn, TurnError>>),
    /// As [`End::UnknownSession`].
    Unknown,
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
pub(crate) struct Supervision<'a> {
    request: &'a TurnRequest,
    agent: &'a AgentContext,
    host: &'a dyn Host,
    child: Child,
    mapper: Mapper,
    questions: FuturesUnordered<BoxFuture<'a, Decided>>,
    /// When it last gave a sign of life.
    heard: Instant,
    /// Since when it could have asked about a call and has not.
    held: Option<Instant>,
}

impl<'a> Supervision<'a> {
    pub(crate) fn new(
        request: &'a TurnRequest,
        agent: &'a AgentContext,
        host: &'a dyn Host,
        child: Child,
        mapper: Mapper,
    ) -> Self {
        let questions = FuturesUnordered::new();
        Self {
            request,
            agent,
            host,
            child,
            mapper,
            questions,
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
            Halt::Unknown => {
                self.child.finish().await;
                return End::UnknownSession;
            }
            Halt::Stop(error) => self.break_off(*error).await,
            Halt::Ended => {
                let open = match self.mapper.open_calls() {
                    0 => String::new(),
                    n => format!(" ({n} of its calls had no result yet)"),
                };
                let message = format!("{}{open}", self.child.obituary().await);
                Err(TurnError {
                    answered: self.answered(),
                    partial: self.mapper.tally.at_an_end(),
                    ..agent_error(message)
                })
            }
            Halt::Gone => {
                // Dropped, not stopped: whoever has the run now adopts the process.
                let message = HostGone.to_string();
                Err(TurnError {
                    answered: self.answered(),
                    partial: self.mapper.tally.at_an_end(),
                    ..failed(OpErrorKind::Cancelled, message)
                })
            }
        };
        End::Turn(Box::new(turn))
    }

    fn answered(&self) -> Answered {
        if self.mapper.seen.requests > 0 {
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
                    let error = failed(OpErrorKind::Cancelled, "claude was stopped".to_owned());
                    return Err(Halt::Stop(Box::new(error)));
                }
                () = self.request.pause.cancelled(), if self.mapper.is_between() => {
                    let error = failed(OpErrorKind::Cancelled, PAUSED.to_owned());
                    return Err(Halt::Stop(Box::new(error)));
                }
                Some(decided) = self.questions.next() => {
                    self.heard = Instant::now();
                    self.answer(decided)?;
                }
                piece = self.child.next() => {
                    self.heard = Instant::now();
                    let piece = piece.map_err(|e| Halt::Stop(Box::new(agent_error(format!("claude's output cannot be read: {e}")))))?;
                    for action in self.actions(piece.ok_or(Halt::Ended)?) {
                        self.act(action).await?;
                    }
                }
                () = until(unasked) => {
                    for action in self.mapper.release_calls() {
                        self.act(action).await?;
                    }
                }
                () = until(limit) => return Err(Halt::Stop(Box::new(self.silence()))),
            }
        }
    }

    fn actions(&mut self, piece: Piece) -> Vec<Action> {
        match piece {
            Piece::Line(line) => self.mapper.line(&line),
            Piece::TooLong(bytes) => self
                .mapper
                .unreadable(format!("{} MB long, skipped", bytes / 1_000_000)),
        }
    }

    /// When calls that no question came for are told of.
    fn unasked_at(&mut self) -> Option<Instant> {
        if self.mapper.is_about_to_ask() {
            let since = *self.held.get_or_insert_with(Instant::now);
            return Some(since + ASKED_WITHIN);
        }
        self.held = None;
        None
    }

    fn silent_at(&self) -> Option<Instant> {
        let limit = Duration::from_millis(self.request.silence_ms);
        match self.mapper.phase() {
            Phase::Busy => None,
            Phase::Expecting => Some(self.heard + limit),
            Phase::Retrying(ms) => Some(self.heard + limit + Duration::from_millis(ms)),
        }
    }

    fn silence(&self) -> TurnError {
        let seconds = self.request.silence_ms.div_ceil(1000);
        let message = format!("claude said nothing for {seconds} s while an answer was due");
        TurnError {
            answered: self.answered(),
            ..failed(OpErrorKind::Silent, message)
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
            Action::Used(usage) => self.host.used(&usage).await?,
            Action::Permit {
                request_id,
                call,
                input,
            } => self.ask(request_id, call, input),
            Action::Deny { request_id, why } => self.child.send(protocol::deny(&request_id, why)),
            Action::Unsupported { request_id, what } => {
                self.child.send(protocol::unsupported(&request_id, &what));
            }
            Action::GaveUp(error) => return Err(Halt::Stop(error)),
            Action::UnknownSession => return Err(Halt::Unknown),
            Action::Finished(turn) => return Err(Halt::Over(turn)),
        }
        Ok(())
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

    fn ask(&mut self, request_id: String, call: ObservedCall, input: Value) {
        let before = &self.child.before;
        if before.settled.contains(&call.call_id)
            || before.withdrawn.contains(&request_id)
            || !self.child.is_alive()
        {
            self.mapper.answered(&request_id);
            return;
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
    }

    fn answer(&mut self, decided: Decided) -> Result<(), HostGone> {
        let Decided {
            request_id,
            input,
            answer,
        } = decided;
        let line = match answer? {
            Permit::Allow => protocol::allow(&request_id, &input),
            Permit::AllowEdited(edited) => match serde_json::from_str(&edited) {
                Ok(edited @ Value::Object(_)) => protocol::allow(&request_id, &edited),
                // Never what was not approved.
                _ => protocol::deny(&request_id, "the edited arguments cannot be read"),
            },
            Permit::Deny(why) => protocol::deny(&request_id, &why),
        };
        self.mapper.answered(&request_id);
        self.child.send(line);
        Ok(())
    }

    /// Interrupts, hears the agent out for a moment, and ends it. What it says it cost
    /// counts; without a word of it, what was seen.
    async fn break_off(mut self, mut error: TurnError) -> Result<Turn, TurnError> {
        self.questions.clear();
        self.child.send(protocol::interrupt());
        error.answered = self.answered();
        let heard_out = tokio::time::timeout(INTERRUPT_WITHIN, self.hear_out()).await;
        match heard_out {
            Ok(Some(last)) => {
                self.child.finish().await;
                match *last {
                    // It was faster: nothing was broken off.
                    Ok(turn) if error.message == PAUSED => return Ok(turn),
                    Ok(turn) => error.charge = turn.charge.map(Box::new),
                    Err(last) => (error.partial, error.charge) = (last.partial, last.charge),
                }
            }
            _ => {
                error.partial = self.mapper.tally.at_an_end();
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
