//! A store that cannot be opened.

use std::fs;

use protocol::{
    BackupRequest, DaemonMode, DoctorRequest, ErrorCode, RestoreRequest, ShowRequest,
    StatusRequest, StopHow, StopRequest, VersionRequest,
};
use tempfile::TempDir;

use super::{InProcess, RUN, SOON, options};

macro_rules! names {
    ($($name:ident: $request:ident => $response:ident, provides [$($p:ident),*], invalidates [$($i:ident),*];)*) => {
        const ENDPOINTS: &[&str] = &[$(stringify!($name)),*];
    };
}
protocol::endpoints!(names);

fn damaged() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("home")).unwrap();
    fs::write(folder.path().join("home/state.db"), [b'x'; 20_000]).unwrap();
    folder
}

#[tokio::test]
async fn only_what_needs_no_store_is_served() {
    let daemon = InProcess::in_folder(damaged()).await;
    let served = ["version", "status", "doctor", "backup", "restore", "stop"];
    for name in ENDPOINTS.iter().filter(|name| !served.contains(name)) {
        let (status, error) = daemon.error(&format!("POST /v1/{name}"), b"{}").await;
        assert_eq!(
            (status, error.code),
            (503, ErrorCode::Maintenance),
            "{name}"
        );
        assert!(error.hint.contains("doctor") && error.hint.contains("restore"));
    }
    let (status, error) = daemon.error("GET /v1/events", b"").await;
    assert_eq!((status, error.code), (503, ErrorCode::Maintenance));

    let client = daemon.client();
    let version = client.version(VersionRequest {}).await.unwrap();
    assert_eq!(version.mode, DaemonMode::Maintenance);
    let status = client.status(StatusRequest {}).await.unwrap();
    assert!(status.trouble.unwrap().contains("damaged"));
    let report = client.doctor(DoctorRequest {}).await.unwrap();
    assert!(!report.ok && !report.findings.is_empty());
    let copy = client.backup(BackupRequest::default()).await.unwrap();
    assert!(copy.warning.is_some());
    let same = fs::read(format!("{}/state.db", copy.file)).unwrap();
    assert_eq!(same, [b'x'; 20_000]);
}

/// A whole daemon on a damaged home, from its start to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_ends_maintenance_with_the_next_start() {
    let sound = InProcess::new().await;
    sound.run(RUN).await;
    let copy = sound.folder.path().join("copy.db");
    let request = BackupRequest {
        file: Some(copy.display().to_string()),
    };
    sound.client().backup(request).await.unwrap();

    let folder = damaged();
    let options = options(&folder);
    let daemon = {
        let options = options.clone();
        tokio::task::spawn_blocking(move || crate::run(options))
    };
    let client = client::Client::connect(&options.paths.socket);
    let answers = async {
        while client.version(VersionRequest {}).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, answers).await.unwrap();
    let request = RestoreRequest {
        file: copy.display().to_string(),
    };
    let restored = client.restore(request).await.unwrap();
    let kept = fs::read(format!("{}/state.db", restored.kept.unwrap())).unwrap();
    assert_eq!(kept, [b'x'; 20_000]);
    let ended = tokio::time::timeout(SOON, daemon).await.unwrap();
    ended.unwrap().unwrap();
    assert!(!options.paths.socket.exists());

    let next = InProcess::in_folder(folder).await;
    let request = ShowRequest {
        run: RUN.to_owned(),
        ..ShowRequest::default()
    };
    assert_eq!(
        next.client().show(request).await.unwrap().prompt,
        "Mend it."
    );
}

#[tokio::test]
async fn a_daemon_that_stays_is_not_waited_for() {
    let first = InProcess::new().await;
    let begun = std::time::Instant::now();
    let refused = crate::boot::serve(first.options.clone()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Conflict);
    let me = format!("process {}", std::process::id());
    assert!(refused.message.contains(&me), "{refused}");
    assert!(begun.elapsed() < SOON / 4);
    // One that is on its way out says so; then there is somebody to wait for.
    let stop = StopRequest {
        how: StopHow::Drain,
    };
    first.client().stop(stop).await.unwrap();
    let version = first.client().version(VersionRequest {}).await.unwrap();
    assert_eq!(version.mode, DaemonMode::Draining);
}
