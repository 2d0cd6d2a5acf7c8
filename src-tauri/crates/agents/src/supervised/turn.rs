//! One turn of an agent: a process of an earlier daemon taken up, or one started, with a
//! session of its own or with the one the run had.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use domain::OpErrorKind;

use super::child::{Child, Surveyor};
use super::supervise::{End, Supervision};
use super::{Dialect, Program, agent_error, words};
use crate::driver::{AgentContext, Host, Turn, TurnError, TurnRequest};

/// How long a keeper may live on after its child's end is on record: an instant,
/// but one in which its folder is still its own.
const KEEPER_GONE_WITHIN: Duration = Duration::from_secs(5);

/// Between two looks at whether it is gone.
const KEEPER_LOOK: Duration = Duration::from_millis(20);

/// What the next process does.
#[derive(Clone, Debug)]
pub(crate) enum Start {
    /// A session of its own.
    New,
    /// The same, in the place of one that cannot be gone on with.
    Anew,
    /// Goes on with this one.
    Resume(String),
    /// Nothing: it is in its turn already, and was told all by an earlier daemon, which may
    /// have come to know its session.
    Adopted(Option<String>),
}

impl Start {
    /// The session gone on with.
    pub(crate) fn session(&self) -> Option<&str> {
        match self {
            Self::Resume(session) | Self::Adopted(Some(session)) => Some(session),
            Self::New | Self::Anew | Self::Adopted(None) => None,
        }
    }

    /// What the process is told.
    pub(crate) fn prompt(&self, request: &TurnRequest, agent: &AgentContext) -> String {
        words(match self {
            Self::Anew => &agent.anew,
            Self::New | Self::Resume(_) | Self::Adopted(_) => &request.conversation,
        })
    }
}

/// A process to be started, and what it is told first.
pub(crate) struct Opening {
    /// The command line.
    pub(crate) argv: Vec<String>,
    /// Its complete environment.
    pub(crate) env: BTreeMap<String, String>,
    /// The first lines.
    pub(crate) lines: Vec<Vec<u8>>,
}

/// What there is to know of an agent to run a turn of it.
pub(crate) trait Agent: Sync {
    /// Its language.
    type Dialect: Dialect;

    /// Its program, in words.
    fn program(&self) -> Program;

    /// Reads what one of its processes had said.
    fn surveyor(&self) -> Surveyor;

    /// How a turn's process begins.
    fn opening(&self, request: &TurnRequest, agent: &AgentContext, start: &Start) -> Opening;

    /// Follows a process from its first line.
    fn dialect(&self, request: &TurnRequest, agent: &AgentContext, start: &Start) -> Self::Dialect;
}

/// Runs one turn to its end.
pub(crate) async fn turn<A: Agent>(
    driver: &A,
    request: TurnRequest,
    host: &dyn Host,
) -> Result<Turn, TurnError> {
    let program = driver.program();
    let name = program.name;
    let Some(agent) = &request.agent else {
        let words = format!("{name} needs a folder to work in");
        return Err(TurnError::refused(OpErrorKind::BadRequest, words));
    };
    let adopted = match &agent.adopt {
        Some(dir) => found(program, dir, driver.surveyor()).await?,
        None => None,
    };
    let mut start = match (&adopted, agent.session.clone()) {
        (Some(_), session) => Start::Adopted(session),
        (None, Some(session)) => Start::Resume(session),
        (None, None) => Start::New,
    };
    let mut child = adopted;
    loop {
        let process = match child.take() {
            Some(process) => process,
            None if request.cancel.is_cancelled() => {
                let words = format!("{name} was not started");
                return Err(TurnError::refused(OpErrorKind::Cancelled, words));
            }
            None => {
                let Opening { argv, env, lines } = driver.opening(&request, agent, &start);
                let process = Child::start(program, agent, argv, env).await?;
                lines.into_iter().for_each(|line| process.send(line));
                process
            }
        };
        let dialect = driver.dialect(&request, agent, &start);
        let supervision = Supervision::new(&request, agent, host, process, dialect);
        match (Box::pin(supervision.run()).await, &start) {
            (End::Turn(turn), _) => return *turn,
            (End::UnknownSession(_), Start::New | Start::Anew | Start::Adopted(_)) => {
                return Err(agent_error(format!(
                    "{name} does not know the session it was to begin"
                )));
            }
            (End::UnknownSession(why), Start::Resume(session)) => {
                let why = match why.as_str() {
                    "" => String::new(),
                    why => format!(" ({why})"),
                };
                let note = format!(
                    "{name} cannot go on with its session {session}{why}: a new one was begun and told what had been done until then"
                );
                host.note(&note)
                    .await
                    .map_err(|gone| TurnError::refused(OpErrorKind::Cancelled, gone.to_string()))?;
                clear(&agent.keeper_dir).await?;
                start = Start::Anew;
            }
        }
    }
}

/// A process of an earlier daemon, if it has heard our message.
async fn found(
    program: Program,
    dir: &Path,
    surveyor: Surveyor,
) -> Result<Option<Child>, TurnError> {
    let Some(child) = Child::adopt(program, dir, surveyor).await? else {
        clear(dir).await?;
        return Ok(None);
    };
    if child.before.begun {
        return Ok(Some(child));
    }
    // It was started and perhaps never spoken to; nothing can have happened.
    if child.left_behind() > 0 {
        return Err(agent_error(child.obituary().await));
    }
    child.stop().await;
    clear(dir).await?;
    Ok(None)
}

/// Makes a keeper's folder usable again, after its process did nothing.
async fn clear(dir: &Path) -> Result<(), TurnError> {
    let until = tokio::time::Instant::now() + KEEPER_GONE_WITHIN;
    loop {
        let dir = dir.to_owned();
        let cleared = tokio::task::spawn_blocking(move || keeper::collect_garbage(&dir)).await;
        match cleared.map_err(std::io::Error::other).flatten() {
            Ok(()) => return Ok(()),
            Err(error)
                if error.kind() == std::io::ErrorKind::ResourceBusy
                    && tokio::time::Instant::now() < until =>
            {
                tokio::time::sleep(KEEPER_LOOK).await;
            }
            Err(error) => {
                return Err(agent_error(format!(
                    "the folder of an earlier keeper cannot be cleared: {error}"
                )));
            }
        }
    }
}
