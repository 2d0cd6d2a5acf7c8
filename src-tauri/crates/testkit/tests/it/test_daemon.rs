use std::{os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use serde_json::json;
use testkit::{TestDaemon, TestHome, processes::ProcessId};

const DEADLINE: Duration = Duration::from_secs(20);

/// Enough of a `longhaul` to be started, asked and killed. Its daemon starts a keeper with a child.
const FAKE: &str = r#"#!/bin/sh
start_of() { cut -d' ' -f22 "/proc/$1/stat"; }
case "$1 $2" in
"daemon run")
    echo "home $LONGHAUL_HOME, crash ${LONGHAUL_CRASH_AT:-nowhere}"
    [ "$LONGHAUL_CRASH_AT" = start ] && kill -9 $$
    env -i setsid sleep 1000 &
    mkdir -p "$LONGHAUL_HOME/keepers/k1"
    printf '{"keeper":{"pid":%s,"start":%s},"child":null}' $! "$(start_of $!)" > "$LONGHAUL_HOME/keepers/k1/state.json"
    echo $$ > "$LONGHAUL_HOME/daemon.pid"
    exec sleep 1000 ;;
"daemon status")
    pid=$(cat "$LONGHAUL_HOME/daemon.pid" 2>/dev/null) || exit 4
    printf '{"pid":%s}\n' "$pid" ;;
"show r1") echo '{"state":"completed"}' ;;
"env x") env ;;
"cat x") cat; exit 3 ;;
*) sleep 1000 ;;
esac
"#;

fn home(dir: &Path) -> TestHome {
    let binary = dir.join("longhaul");
    std::fs::write(&binary, FAKE).unwrap();
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
    TestHome::new(binary).unwrap()
}

#[tokio::test]
async fn a_daemon_is_started_killed_and_cleaned_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = TestDaemon::start(home(dir.path())).await.unwrap();
    let first = ProcessId::of(daemon.pid()).unwrap();
    let keepers = daemon.home.keepers();
    assert_eq!(keepers.len(), 1);
    daemon
        .wait_state("r1", &["completed"], DEADLINE)
        .await
        .unwrap();

    daemon.kill9().unwrap();
    assert!(!first.is_alive());
    assert_eq!(
        daemon.home.keepers(),
        keepers,
        "a keeper outlives its daemon"
    );
    daemon.restart().await.unwrap();
    daemon.kill9_all().unwrap();
    assert!(daemon.home.keepers().is_empty() && daemon.home.processes().is_empty());

    daemon.restart().await.unwrap();
    let last = daemon.home.processes();
    assert!(last.len() >= 2);
    let root = daemon.home.root().to_path_buf();
    drop(daemon);
    assert!(
        last.iter().all(|process| !process.is_alive()),
        "a test left processes behind"
    );
    assert!(!root.exists());
}

#[tokio::test]
async fn a_daemon_that_dies_while_starting_is_reported_with_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = TestDaemon::stopped(home(dir.path()));
    let error = daemon
        .env_once("LONGHAUL_CRASH_AT", "start")
        .launch()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("crash start"), "{error}");
    daemon.launch().await.unwrap();
    assert!(
        daemon.log().ends_with("crash nowhere\n"),
        "the crash point was for one start only"
    );
}

#[tokio::test]
async fn commands_see_the_test_home_and_nothing_of_the_user() {
    let dir = tempfile::tempdir().unwrap();
    let mut home = home(dir.path());
    home.set_env("EXTRA", "yes");
    let seen = home.cli(&["env", "x"]).await.unwrap().ok().unwrap().stdout;
    let value = |name: &str| {
        seen.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(str::to_owned)
    };
    assert_eq!(value("HOME"), Some(home.user_home().display().to_string()));
    assert_eq!(value("EXTRA"), Some("yes".to_owned()));
    assert_eq!(
        (
            value("CARGO"),
            value("CARGO_MANIFEST_DIR"),
            value("DBUS_SESSION_BUS_ADDRESS")
        ),
        (None, None, None)
    );
    // <run dir>/longhaul/<16 hex digits>.sock
    assert!(
        home.env()["XDG_RUNTIME_DIR"].len() + 32 < 100,
        "too long for a socket's path"
    );
    let output = home
        .cli_with_input(&["cat", "x"], "{\"n\":1}")
        .await
        .unwrap();
    assert_eq!((output.code, output.json()), (3, json!({"n": 1})));
    assert!(output.ok().is_err());
    assert!(
        home.cli_within(&["hang"], None, Duration::from_millis(50))
            .await
            .is_err()
    );
}
