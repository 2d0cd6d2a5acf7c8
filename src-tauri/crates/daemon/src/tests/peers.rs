//! Who may connect, and who may decide.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use client::ClientError;
use protocol::{
    ApiError, DecideRequest, ErrorCode, RestoreRequest, ReviewsRequest, StopHow, StopRequest,
};

use super::InProcess;
use crate::peer::{Peer, must_be_outside};

/// `curl` of the daemon's version, as this user or as nobody.
async fn curl(socket: &Path, nobody: Option<u32>) -> Option<String> {
    let mut command = Command::new(if nobody.is_some() { "setpriv" } else { "curl" });
    if let Some(uid) = nobody {
        command.args([&format!("--reuid={uid}"), "--clear-groups", "curl"]);
    }
    command
        .args(["-s", "-o", "-", "-d", "{}", "--max-time", "10"])
        .arg("--unix-socket")
        .arg(socket)
        .arg("http://longhaul/v1/version")
        .stderr(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_user_is_not_answered_even_where_the_files_would_let_it() {
    const NOBODY: u32 = 65_534;
    let daemon = InProcess::new().await;
    let socket = &daemon.options.paths.socket;
    assert_eq!(
        fs::metadata(socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let folder = fs::metadata(socket.parent().unwrap()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    let mine = curl(socket, None).await;
    if !rustix::process::geteuid().is_root() || !mine.is_some_and(|said| said.contains("0.1.0")) {
        eprintln!("SKIPPED: needs root and curl, so another user's connection was not tested");
        return;
    }
    for open in [daemon.folder.path(), socket.parent().unwrap(), socket] {
        fs::set_permissions(open, Permissions::from_mode(0o777)).unwrap();
    }
    // As that user the socket itself must be within reach, or nothing would be shown.
    let reaches = Command::new("setpriv")
        .args([&format!("--reuid={NOBODY}"), "--clear-groups", "test", "-w"])
        .arg(socket)
        .status();
    if !reaches.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: no setpriv, so another user's connection was not tested");
        return;
    }
    assert_eq!(curl(socket, Some(NOBODY)).await.as_deref(), Some(""));
    assert!(curl(socket, None).await.unwrap().contains("0.1.0"));
}

/// Makes this process the child of a keeper, as far as the home's records say.
pub(super) fn become_a_child(home: &Path) {
    let folder = home.join("keepers/01990000-0000-7000-8000-000000000001/1");
    fs::create_dir_all(&folder).unwrap();
    let spec = keeper::Spec {
        id: "this-test".to_owned(),
        argv: vec!["true".to_owned()],
        wrapper: Vec::new(),
        cwd: home.to_owned(),
        env: Default::default(),
        stdin: keeper::Stdin::Closed,
        streams: keeper::Streams::Merged,
        timeout_ms: None,
        orphan: keeper::Orphan::Finish,
        max_spool_bytes: 0,
        limits: Default::default(),
        socket: home.join("none"),
    };
    let state = keeper::State {
        keeper: keeper::ProcessId::default(),
        boot_id: String::new(),
        started_at_ms: 0,
        child: keeper::ProcessId::of(std::process::id()),
    };
    fs::write(folder.join("spec.json"), serde_json::to_vec(&spec).unwrap()).unwrap();
    fs::write(
        folder.join("state.json"),
        serde_json::to_vec(&state).unwrap(),
    )
    .unwrap();
}

fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> ApiError {
    match answer {
        Err(ClientError::Refused(error)) => error,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn nothing_is_decided_from_inside_a_run() {
    let daemon = InProcess::new().await;
    let client = daemon.client();
    let decision = DecideRequest {
        review: "01990000-0000-7000-8000-000000000001".to_owned(),
        choice: "approve".to_owned(),
        by: "user".to_owned(),
        ..DecideRequest::default()
    };
    let outside = refused(client.decide(decision.clone()).await);
    assert_eq!(outside.code, ErrorCode::NotFound, "there is no such review");

    become_a_child(&daemon.options.paths.home);
    let stop = StopRequest { how: StopHow::Now };
    let restore = RestoreRequest {
        file: "/nonexistent/copy.db".to_owned(),
    };
    let refusals = [
        refused(client.decide(decision).await),
        refused(client.stop(stop).await),
        refused(client.restore(restore).await),
    ];
    for refusal in refusals {
        assert_eq!(refusal.code, ErrorCode::Refused);
        assert!(refusal.message.contains("inside a run"), "{refusal}");
    }
    client
        .reviews(ReviewsRequest::default())
        .await
        .expect("looking is allowed");
}

#[tokio::test]
async fn a_caller_that_cannot_be_looked_at_decides_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    for pid in [None, Some(0), Some(gone.id())] {
        let refusal = must_be_outside(Peer::Process(pid), home.path().join("keepers"))
            .await
            .unwrap_err();
        assert_eq!(refusal.code, ErrorCode::Refused, "{pid:?}");
        assert!(refusal.message.contains("cannot be told"), "{refusal}");
    }
    let me = Peer::Process(Some(std::process::id()));
    must_be_outside(me, home.path().join("keepers"))
        .await
        .unwrap();
}
