//! A daemon in this process, with its store at hand.

#![allow(clippy::unwrap_used, reason = "tests")]

mod browser;
mod calls;
mod events;
mod fixture;
mod keys;
mod maintenance;
mod peers;
mod queue;
mod rooms;
mod servers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use client::{Client, Paths};
use domain::{
    BackendKind, BlobRef, Budget, Clock, Event, MessageOrigin, Preset, RunId, Task, Timestamp,
    WorkspaceMode,
};
use protocol::ApiError;
use store::{Ownership, Store};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use crate::Options;
use crate::api::Api;
use crate::clock::SystemClock;
use crate::rehearsal::Stage;
use crate::server::{self, UserSocket};
use crate::settings::Config;
use crate::settings::live::Live;

/// Plenty for anything that is to happen.
const SOON: Duration = Duration::from_secs(20);

const RUN: &str = "01990000-0000-7000-8000-000000000001";

struct InProcess {
    folder: TempDir,
    options: Options,
    api: Api,
    serving: JoinHandle<Result<(), ApiError>>,
}

fn options(folder: &TempDir) -> Options {
    Options {
        paths: Paths {
            home: folder.path().join("home"),
            socket: folder.path().join("run/s.sock"),
        },
        program: PathBuf::from("/nonexistent/longhaul"),
        version: "0.1.0",
        listen: None,
        announce: |_| {},
    }
}

impl InProcess {
    async fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap()).await
    }

    /// Serves what there is in the folder: normally, or in maintenance mode.
    async fn in_folder(folder: TempDir) -> Self {
        let options = options(&folder);
        let home = options.paths.home.clone();
        let owned = Arc::new(Ownership::acquire(&home, Duration::ZERO).unwrap());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (working, trouble) = match crate::boot::open(&home, clock.clone()).await {
            Ok(store) => {
                let parts =
                    crate::boot::work(&options, &Config::default(), clock.clone(), store, None);
                (Some(parts.unwrap()), None)
            }
            Err(trouble) => (None, Some(trouble)),
        };
        let socket = UserSocket::bind(&options.paths.socket).unwrap();
        let settings = Live::new(options.paths.config(), Config::default(), None);
        let stage = Stage::default();
        let api = Api::new(
            options.clone(),
            clock,
            owned,
            working,
            trouble,
            settings,
            stage,
        );
        let closing = api.inner.closing.clone();
        Self {
            serving: tokio::spawn(server::serve(socket, api.clone(), closing)),
            folder,
            options,
            api,
        }
    }

    fn client(&self) -> Client {
        Client::connect(&self.options.paths.socket)
    }

    fn store(&self) -> &Store {
        &self.api.working().unwrap().store
    }

    /// Sends bytes, reads to the end: status and body.
    async fn raw(&self, head: &str, body: &[u8]) -> (u16, String) {
        let mut stream = UnixStream::connect(&self.options.paths.socket)
            .await
            .unwrap();
        let head = format!(
            "{head} HTTP/1.1\r\nhost: longhaul\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        tokio::time::timeout(SOON, read).await.unwrap().unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        (status, body)
    }

    /// The error in an answer to bytes, which must be two lines for a person.
    async fn error(&self, head: &str, body: &[u8]) -> (u16, ApiError) {
        let (status, body) = self.raw(head, body).await;
        let error = serde_json::from_str::<protocol::ErrorBody>(&body)
            .unwrap_or_else(|e| panic!("{e}: {body}"))
            .error;
        assert!(!error.message.is_empty() && !error.message.contains('\n'));
        assert!(!error.hint.is_empty() && !error.hint.contains('\n'));
        (status, error)
    }

    /// A run that waits in the queue; nobody works on it.
    async fn run(&self, id: &str) -> RunId {
        let run: RunId = id.parse().unwrap();
        let prompt = b"Mend it.".to_vec();
        let task = Task {
            title: "Mend it".to_owned(),
            prompt: BlobRef::of(&prompt),
            project: "/nonexistent/project".to_owned(),
            backend: "model".to_owned(),
            kind: BackendKind::Anthropic,
            model: None,
            workspace: WorkspaceMode::Clone,
            policy: Preset::Balanced,
            verify: None,
            budget: Budget::default(),
            fallback: Vec::new(),
            priority: 0,
            after: None,
            fork: None,
        };
        let created = self
            .store()
            .create(run, task, Vec::new(), vec![prompt.into()]);
        created.await.unwrap();
        run
    }
}

/// Records that somebody said something.
async fn say(store: &Store, run: RunId, text: &str) {
    let bytes = text.as_bytes().to_vec();
    let event = Event::MessageAdded {
        origin: MessageOrigin::User,
        text: BlobRef::of(&bytes),
    };
    let said = store.append(run, None, vec![event], vec![bytes.into()]);
    said.await.unwrap();
}

/// The wall clock, where a test needs any time.
fn now() -> Timestamp {
    SystemClock.now()
}
