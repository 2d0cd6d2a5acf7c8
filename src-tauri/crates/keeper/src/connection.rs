//! A living keeper, as its clients see it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};

use crate::client::{self, Look};
use crate::loss::Evidence;
use crate::output::Output;
use crate::record::{self, Exit};
use crate::spec::Spec;
use crate::wire::{
    Action, Activity, Answer, Event, Progress, Refusal, Request, Signal, Stream, WRITE_MAX,
};

/// The end of a kept child: how, or that nobody knows.
pub type Outcome = Result<Exit, Box<Evidence>>;

/// A handle on one keeper. Cheap to clone; dropping the last one closes the
/// connection and stops nothing, except by [`crate::Orphan::StopAfter`].
#[derive(Clone)]
pub struct Keeper {
    shared: Arc<Shared>,
    /// Frames to be sent whole. When the last clone is gone the sender is too, and
    /// with it the connection.
    frames: mpsc::Sender<Vec<u8>>,
    /// One writer at a time, so that what is written in one call stays together.
    stdin: Arc<tokio::sync::Mutex<()>>,
}

struct Shared {
    dir: PathBuf,
    spec: Spec,
    requests: Mutex<Requests>,
    progress: watch::Sender<Progress>,
    outcome: watch::Sender<Option<Outcome>>,
}

#[derive(Default)]
struct Requests {
    last: u64,
    open: HashMap<u64, oneshot::Sender<Result<Answer, Refusal>>>,
    /// The connection is gone: nothing will be answered any more.
    closed: bool,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper")
            .field("id", &self.shared.spec.id)
            .finish_non_exhaustive()
    }
}

impl Keeper {
    /// The handle of a keeper whose end is known already.
    pub(crate) fn ended(dir: PathBuf, spec: Spec, outcome: Outcome) -> Self {
        let (frames, _) = mpsc::channel(1);
        let keeper = Self::new(dir, spec, frames);
        keeper.shared.close(outcome);
        keeper
    }

    fn new(dir: PathBuf, spec: Spec, frames: mpsc::Sender<Vec<u8>>) -> Self {
        let shared = Arc::new(Shared {
            dir,
            spec,
            requests: Mutex::default(),
            progress: watch::Sender::new(Progress::default()),
            outcome: watch::Sender::new(None),
        });
        Self {
            shared,
            frames,
            stdin: Arc::default(),
        }
    }

    /// None if the other end is not this keeper, or ends before it says so.
    pub(crate) async fn greet(
        dir: &Path,
        spec: &Spec,
        stream: UnixStream,
        until: tokio::time::Instant,
    ) -> Option<Self> {
        let peer = stream.peer_cred().ok()?.uid();
        if peer != rustix::process::geteuid().as_raw() {
            return None;
        }
        let (read, write) = stream.into_split();
        let mut lines = BufReader::new(read);
        let mut line = Vec::new();
        tokio::time::timeout_at(until, lines.read_until(b'\n', &mut line))
            .await
            .ok()?
            .ok()?;
        match serde_json::from_slice(&line) {
            Ok(Event::Hello { id, .. }) if id == spec.id => {}
            _ => return None,
        }
        let (frames, queue) = mpsc::channel(16);
        let keeper = Self::new(dir.to_owned(), spec.clone(), frames);
        tokio::spawn(converse(keeper.shared.clone(), lines, write, queue));
        Some(keeper)
    }

    /// [`Spec::id`].
    pub fn id(&self) -> &str {
        &self.shared.spec.id
    }

    /// The keeper's folder.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// The evidence, if the keeper died and with it the knowledge of the end.
    pub async fn wait(&self) -> Outcome {
        let mut outcome = self.shared.outcome.subscribe();
        let ended = outcome
            .wait_for(Option::is_some)
            .await
            .expect("self holds the sender");
        ended.clone().expect("waited for Some")
    }

    /// How it ended, if it did.
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.outcome.borrow().clone()
    }

    /// Writes all of `bytes` to the child's input; returns when its pipe has taken
    /// them. Waits for as long as the child does not read.
    ///
    /// # Errors
    /// `StdinClosed` if the child does not read (any more), `Ended` if it is gone.
    /// Some of the bytes may have been taken.
    pub async fn write_stdin(&self, bytes: &[u8]) -> Result<(), Refusal> {
        let _turn = self.stdin.lock().await;
        for piece in bytes.chunks(WRITE_MAX) {
            self.ask(Action::Write { len: piece.len() }, piece).await?;
        }
        Ok(())
    }

    /// Ends the child's input, after what was written before.
    ///
    /// # Errors
    /// `Ended` if the child is gone.
    pub async fn close_stdin(&self) -> Result<(), Refusal> {
        let _turn = self.stdin.lock().await;
        self.ask(Action::CloseStdin, &[]).await.map(drop)
    }

    /// Signals the child's process group.
    ///
    /// # Errors
    /// `Ended` if the child is gone.
    pub async fn signal(&self, signal: Signal) -> Result<(), Refusal> {
        self.ask(Action::Signal(signal), &[]).await.map(drop)
    }

    /// Asks the whole tree to end, and kills what is left after `grace`. Returns at
    /// once; [`Self::wait`] says when it is done.
    ///
    /// # Errors
    /// `Ended` if the child is gone.
    pub async fn stop(&self, grace: Duration) -> Result<(), Refusal> {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.ask(Action::Stop { grace_ms }, &[]).await.map(drop)
    }

    /// Kills everything the child ever started, whatever it did to hide. Returns
    /// when nothing is left; that nothing was left already is no error.
    ///
    /// # Errors
    /// `Failed` if the keeper died before it was done ([`crate::reap`] is next).
    pub async fn kill_tree(&self) -> Result<(), Refusal> {
        match self.ask(Action::KillTree, &[]).await {
            Ok(_) => Ok(()),
            Err(Refusal::Ended) => self
                .wait()
                .await
                .map(drop)
                .map_err(|_| Refusal::Failed("keeper lost".to_owned())),
            Err(other) => Err(other),
        }
    }

    /// Signs of life, to tell a busy child from one that hangs.
    ///
    /// # Errors
    /// `Ended` if the child is gone.
    pub async fn activity(&self) -> Result<Activity, Refusal> {
        match self.ask(Action::Activity, &[]).await? {
            Answer::Activity(activity) => Ok(activity),
            Answer::Done => Err(Refusal::Failed("an answer to another question".to_owned())),
        }
    }

    /// Gives back the disk space of what was read from a spool: its first `up_to`
    /// bytes read as zeros from now on. Keeps an agent that talks for weeks below
    /// [`Spec::max_spool_bytes`].
    ///
    /// # Errors
    /// `Failed` if the file system cannot; `Ended` if the child is gone.
    pub async fn release(&self, stream: Stream, up_to: u64) -> Result<(), Refusal> {
        self.ask(Action::Release { stream, up_to }, &[])
            .await
            .map(drop)
    }

    /// Reads a spool from `offset` on and follows it to its end.
    pub fn output(&self, stream: Stream, offset: u64) -> Output {
        Output::following(self.clone(), stream, offset)
    }

    pub(crate) fn subscribe(
        &self,
    ) -> (watch::Receiver<Progress>, watch::Receiver<Option<Outcome>>) {
        (
            self.shared.progress.subscribe(),
            self.shared.outcome.subscribe(),
        )
    }

    async fn ask(&self, action: Action, payload: &[u8]) -> Result<Answer, Refusal> {
        let (answer, answered) = oneshot::channel();
        let id = self.shared.register(answer).ok_or(Refusal::Ended)?;
        let request = Request { id, action };
        let mut frame = serde_json::to_vec(&request).map_err(|e| Refusal::Failed(e.to_string()))?;
        frame.push(b'\n');
        frame.extend_from_slice(payload);
        // One message in a queue: a caller that gives up cannot cut it in half.
        self.frames.send(frame).await.map_err(|_| Refusal::Ended)?;
        answered.await.map_err(|_| Refusal::Ended)?
    }
}

impl Shared {
    fn requests(&self) -> std::sync::MutexGuard<'_, Requests> {
        // No code that can panic runs under this lock.
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, answer: oneshot::Sender<Result<Answer, Refusal>>) -> Option<u64> {
        let mut requests = self.requests();
        if requests.closed {
            return None;
        }
        requests.last += 1;
        let id = requests.last;
        requests.open.insert(id, answer);
        Some(id)
    }

    fn close(&self, outcome: Outcome) {
        if let Ok(exit) = &outcome {
            let all = Progress {
                out: exit.out.kept,
                err: exit.err.kept,
            };
            self.progress.send_replace(all);
        }
        self.outcome.send_replace(Some(outcome));
        let mut requests = self.requests();
        requests.closed = true;
        // Dropping the senders answers everybody who still waits.
        requests.open.clear();
    }

    fn hear(&self, event: Event) -> Option<Exit> {
        match event {
            Event::Hello { .. } => {}
            Event::Progress(progress) => {
                self.progress.send_replace(progress);
            }
            Event::Reply { id, result } => {
                if let Some(waiting) = self.requests().open.remove(&id) {
                    let _ = waiting.send(result);
                }
            }
            Event::Exit(exit) => return Some(exit),
        }
        None
    }
}

/// The task of one connection: ends with the keeper, or with the last handle.
async fn converse(
    shared: Arc<Shared>,
    lines: BufReader<OwnedReadHalf>,
    mut write: OwnedWriteHalf,
    mut queue: mpsc::Receiver<Vec<u8>>,
) {
    let send = async {
        while let Some(frame) = queue.recv().await {
            if write.write_all(&frame).await.is_err() {
                // It is ending; what it still says is worth hearing.
                std::future::pending::<()>().await;
            }
        }
    };
    let listen = listen(&shared, lines);
    let outcome = tokio::select! {
        () = send => return,
        outcome = listen => outcome,
    };
    shared.close(outcome);
}

async fn listen(shared: &Shared, mut lines: BufReader<OwnedReadHalf>) -> Outcome {
    let mut line = Vec::new();
    while let Ok(1..) = lines.read_until(b'\n', &mut line).await {
        // Events of a newer keeper that this version does not know are no concern of it.
        if let Ok(event) = serde_json::from_slice(&line)
            && let Some(exit) = shared.hear(event)
        {
            return Ok(exit);
        }
        line.clear();
    }
    outcome_of_the_dead(shared).await
}

/// The connection broke: a keeper does that only by dying. Its lock is free when
/// its death is complete.
async fn outcome_of_the_dead(shared: &Shared) -> Outcome {
    let (dir, spec) = (shared.dir.clone(), shared.spec.clone());
    let look = client::blocking(move || {
        record::open_lock(&dir)?.lock()?;
        client::look(&dir, &spec)
    });
    match look.await {
        Ok(Look::Exited(exit)) => Ok(exit),
        Ok(Look::Lost(evidence)) => Err(Box::new(evidence)),
        // Its files are gone or unreadable; that it ran is all we know.
        Ok(Look::Alive | Look::NeverStarted) | Err(_) => Err(Box::new(Evidence {
            id: shared.spec.id.clone(),
            ..Evidence::default()
        })),
    }
}
