//! The one link to the daemon: finds it, starts it where there is none, notices when it
//! goes, and brings it back unless it was stopped in good order.

use std::time::Duration;

use client::{Client, ClientError, Launch, Opened, RawItem, handshake};
use protocol::{ApiError, VersionRequest};
use tokio::sync::{Mutex, watch};
use tokio::time::{sleep, timeout};

use crate::surroundings::VERSION;

/// Spacing of looks at a daemon that is going or gone.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Spacing of looks for a daemon that was stopped: somebody may start it in a terminal.
const LOOK_IDLY: Duration = Duration::from_secs(1);

/// Spacing of attempts to start one that does not start.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// How long a call waits for a daemon that is being started or replaced: a drain (30 s)
/// and a start (20 s).
const PATIENCE: Duration = Duration::from_secs(60);

/// How it stands with the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// It is being looked for, started or replaced.
    Connecting,
    /// It answers.
    Up,
    /// It was stopped in good order. Nobody starts it but the user.
    Stopped,
    /// None could be started, or it is newer than this program.
    Down(ApiError),
}

/// The link. Shared by the tray, the window and their streams.
#[derive(Debug)]
pub(crate) struct DaemonLink {
    launch: Launch,
    client: Client,
    state: watch::Sender<LinkState>,
    news: watch::Sender<u64>,
    /// One start at a time.
    starting: Mutex<()>,
}

impl DaemonLink {
    pub(crate) fn new(launch: Launch) -> Self {
        Self {
            client: Client::connect(&launch.paths.socket),
            launch,
            state: watch::Sender::new(LinkState::Connecting),
            news: watch::Sender::new(0),
            starting: Mutex::new(()),
        }
    }

    /// A client of whatever daemon there is.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// How it stands, as it changes.
    pub(crate) fn state(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    /// Changes whenever something was recorded: look again.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Makes sure that a daemon answers which is not older than this program.
    ///
    /// # Errors
    /// In the words of [`client::handshake`].
    pub(crate) async fn start(&self) -> Result<(), ApiError> {
        let _alone = self.starting.lock().await;
        match handshake(&self.launch, VERSION).await {
            Ok(_) => {
                self.enter(LinkState::Up);
                Ok(())
            }
            Err(error) => {
                let error = error.to_api();
                self.enter(LinkState::Down(error.clone()));
                Err(error)
            }
        }
    }

    /// Makes a call with JSON documents, once a daemon that is being started is there.
    ///
    /// # Errors
    /// The daemon's own, or `unreachable`.
    pub(crate) async fn call(&self, name: &str, request: Vec<u8>) -> Result<String, ApiError> {
        self.settled().await;
        let answer = self.client.call_raw(name, request).await;
        answer.map_err(|error| error.to_api())
    }

    /// Waits while a daemon is being looked for or started.
    pub(crate) async fn settled(&self) {
        let mut state = self.state();
        let known = state.wait_for(|state| *state != LinkState::Connecting);
        let _ = timeout(PATIENCE, known).await;
    }

    /// Keeps the link for as long as the application runs.
    pub(crate) async fn keep(&self) {
        // The daemon of the last handshake is still the one that answers. To start one again
        // while it drains would bring back what the user is stopping.
        let mut known = false;
        loop {
            while !known && self.start().await.is_err() {
                sleep(TRY_AGAIN).await;
            }
            let followed = self.pid();
            if !self.follow().await && self.answers().await {
                // In maintenance mode there are no events; it is up all the same.
                sleep(LOOK_IDLY).await;
                known = followed.is_some() && self.pid() == followed;
                continue;
            }
            known = false;
            match self.how_it_ended(followed.as_deref()).await {
                End::Replaced => {}
                End::NotYet => {
                    known = true;
                    sleep(LOOK_EVERY).await;
                }
                End::Crashed => self.enter(LinkState::Connecting),
                End::Stopped => {
                    self.enter(LinkState::Stopped);
                    self.wanted_again().await;
                }
            }
        }
    }

    /// Waits until the user has started one, here or elsewhere. One that was started here
    /// is kept from then on, however short its life.
    async fn wanted_again(&self) {
        let mut state = self.state();
        while !self.answers().await {
            let started = state.wait_for(|state| *state != LinkState::Stopped);
            if timeout(LOOK_IDLY, started).await.is_ok() {
                return;
            }
        }
    }

    /// Tells of what is recorded until the connection is over. False: there was none.
    async fn follow(&self) -> bool {
        let Ok(Opened::Stream(mut stream)) = self.client.raw_events(None, None).await else {
            return false;
        };
        while let Some(item) = stream.next().await {
            if !matches!(item, RawItem::Delta(_)) {
                self.news
                    .send_modify(|count| *count = count.wrapping_add(1));
            }
        }
        true
    }

    async fn answers(&self) -> bool {
        let answer = self.client.version(VersionRequest {}).await;
        !matches!(answer, Err(ClientError::Unreachable { .. }))
    }

    /// Whose pid file there is.
    fn pid(&self) -> Option<String> {
        std::fs::read_to_string(self.launch.paths.pid_file()).ok()
    }

    /// Looks until it is known what became of the daemon with pid file `followed`. One that
    /// ends in good order removes that file before it is gone; one that is killed leaves it.
    async fn how_it_ended(&self, followed: Option<&str>) -> End {
        loop {
            if self.answers().await {
                let same = followed.is_some() && self.pid().as_deref() == followed;
                return if same { End::NotYet } else { End::Replaced };
            }
            let Some(pid) = self.pid() else {
                return End::Stopped;
            };
            if is_gone(pid.trim()) {
                return match self.launch.paths.pid_file().exists() {
                    true => End::Crashed,
                    false => End::Stopped,
                };
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn enter(&self, state: LinkState) {
        self.state.send_if_modified(|current| {
            let changed = *current != state;
            *current = state;
            changed
        });
        // Whoever shows something shows this too.
        self.news
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// How a daemon ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// It still answers: it drains, or only the connection was lost.
    NotYet,
    /// Another one answers already.
    Replaced,
    /// Killed, or out of memory, or a defect.
    Crashed,
    /// Somebody wished it.
    Stopped,
}

/// Whether a process has ended. One that nobody has waited for yet has.
fn is_gone(pid: &str) -> bool {
    if cfg!(target_os = "linux") {
        let Ok(facts) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
            return true;
        };
        // The state follows the name, which is in parentheses and may hold any character.
        return facts
            .rsplit_once(") ")
            .is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']));
    }
    let pid = pid.parse().ok().and_then(rustix::process::Pid::from_raw);
    pid.is_none_or(|pid| rustix::process::test_kill_process(pid).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Paths;

    fn link(home: &std::path::Path) -> DaemonLink {
        DaemonLink::new(Launch {
            program: home.join("no-such-program"),
            paths: Paths {
                home: home.to_owned(),
                socket: home.join("s.sock"),
            },
            user_manager: None,
        })
    }

    #[tokio::test]
    async fn a_daemon_that_leaves_its_pid_file_crashed() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let link = link(home.path());
        assert_eq!(link.how_it_ended(None).await, End::Stopped);
        let mut child = std::process::Command::new("true").spawn().expect("it runs");
        let pid = child.id().to_string();
        child.wait().expect("it ends");
        std::fs::write(home.path().join("daemon.pid"), pid).expect("the folder is fresh");
        assert_eq!(link.how_it_ended(None).await, End::Crashed);
    }

    #[tokio::test]
    async fn one_that_was_started_here_is_wanted_even_if_it_is_gone_already() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let link = link(home.path());
        link.enter(LinkState::Stopped);
        let waiting = timeout(Duration::from_millis(1), link.wanted_again());
        assert!(waiting.await.is_err(), "nobody wants it yet");
        link.enter(LinkState::Up);
        link.wanted_again().await;
    }

    #[tokio::test]
    async fn one_that_cannot_be_started_is_down_in_words() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let link = link(home.path());
        let error = link.start().await.expect_err("there is no such program");
        assert_eq!(*link.state().borrow(), LinkState::Down(error.clone()));
        assert!(!error.hint.is_empty());
        let answer = link.call("version", b"{}".to_vec()).await;
        assert_eq!(
            answer.expect_err("nobody answers").code,
            protocol::ErrorCode::Unreachable
        );
    }

    #[test]
    fn this_process_is_there() {
        assert!(!is_gone(&std::process::id().to_string()));
    }
}
