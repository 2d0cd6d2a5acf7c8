//! The keychain is found through the environment, so each case runs in a
//! process of its own: this test binary again, with the test `child` only.
#![expect(
    clippy::disallowed_methods,
    reason = "the child is told by its environment what to do"
)]

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::{Keychain, KeychainError, Secret};

const WHAT: &str = "LONGHAUL_TEST_KEYCHAIN";

#[tokio::test]
#[ignore = "run by the other tests, in a process of its own"]
async fn child() {
    let keychain = Keychain::new("test-home");
    match std::env::var(WHAT).as_deref() {
        Ok("missing") => {
            let error = keychain.get("a").await.map(|_| ()).expect_err("no bus");
            assert!(matches!(error, KeychainError::NoKeychain(_)), "{error}");
            assert!(error.to_string().contains("--key-command"));
        }
        Ok("silent") => {
            for _ in 0..2 {
                let error = keychain.get("a").await.map(|_| ()).expect_err("silent bus");
                assert_eq!(error, KeychainError::TimedOut);
            }
        }
        Ok("mute") => {
            // A service that has the name and reads nothing, let alone answers.
            let _mute = zbus::blocking::connection::Builder::session()
                .and_then(|builder| builder.name("org.freedesktop.secrets"))
                .and_then(zbus::blocking::connection::Builder::build)
                .expect("the name");
            for _ in 0..2 {
                let began = Instant::now();
                let error = keychain.get("a").await.map(|_| ());
                assert_eq!(error, Err(KeychainError::TimedOut));
                let key = Secret::new("test-key-not-real");
                assert_eq!(keychain.set("a", &key).await, Err(KeychainError::TimedOut));
                let took = began.elapsed();
                assert!(took < Duration::from_secs(6), "two calls took {took:?}");
            }
        }
        Ok("filled") => {
            let key = Secret::new("test-key-not-real");
            keychain.set("a", &key).await.expect("stored");
        }
        Ok("locked") => {
            // What needs the password says so, and does not wait for anybody: a
            // later answer than the limit would be `TimedOut`.
            let key = Secret::new("test-key-not-real");
            for _ in 0..2 {
                let read = keychain.get("a").await.map(|_| ());
                assert_eq!(read, Err(KeychainError::Locked));
                let written = keychain.set("b", &key).await;
                assert_eq!(written, Err(KeychainError::Locked));
            }
            assert!(KeychainError::Locked.to_string().contains("--key-command"));
        }
        Ok("real") => {
            let key = Secret::new("test-key-not-real");
            keychain.set("a", &key).await.expect("stored");
            assert_eq!(
                keychain.get("a").await.expect("found").expose(),
                key.expose()
            );
            let other_home = Keychain::new("other-home").get("a").await.map(|_| ());
            assert_eq!(other_home, Err(KeychainError::NotFound("a".into())));
            keychain.delete("a").await.expect("deleted");
            assert_eq!(
                keychain.get("a").await.map(|_| ()),
                Err(KeychainError::NotFound("a".into()))
            );
        }
        other => panic!("{WHAT} is {other:?}"),
    }
}

fn child_command(prefix: &[&str], what: &str) -> Command {
    let me = std::env::current_exe().expect("this test binary");
    let me = me.to_str().expect("a path in UTF-8");
    let mut words: Vec<&str> = prefix.to_vec();
    words.extend([
        me,
        "--exact",
        "tests::keychain::child",
        "--ignored",
        "--nocapture",
    ]);
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .env(WHAT, what)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY");
    command
}

fn assert_passed(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    let erred = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{erred}"
    );
}

#[test]
fn without_a_session_bus_the_error_comes_at_once() {
    let began = Instant::now();
    let output = child_command(&[], "missing")
        .env(
            "DBUS_SESSION_BUS_ADDRESS",
            "unix:path=/nonexistent/longhaul-test",
        )
        .output()
        .expect("started");
    assert_passed(&output);
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_bus_that_never_answers_costs_two_seconds_a_call() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("bus");
    let _never_accepts = UnixListener::bind(&path).expect("socket");
    let began = Instant::now();
    let output = child_command(&[], "silent")
        .env(
            "DBUS_SESSION_BUS_ADDRESS",
            format!("unix:path={}", path.display()),
        )
        .output()
        .expect("started");
    assert_passed(&output);
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}

/// The programs must be there in CI; elsewhere a test without them is skipped,
/// and says so.
fn are_there(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing: Vec<_> = programs
        .iter()
        .filter(|name| !std::env::split_paths(&path).any(|dir| dir.join(name).exists()))
        .collect();
    if missing.is_empty() {
        return true;
    }
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!in_ci, "{missing:?} must be installed in CI");
    eprintln!("SKIPPED: a Secret Service test needs {missing:?} (packages dbus, gnome-keyring)");
    false
}

/// A child on a bus of its own, after `before` ran there; its home is `dir`.
fn on_own_bus(dir: &Path, before: &str, what: &str) -> Output {
    let script = format!("{before}\nexec \"$@\"");
    child_command(
        &["dbus-run-session", "--", "sh", "-ec", &script, "sh"],
        what,
    )
    .env("HOME", dir)
    .env("XDG_DATA_HOME", dir)
    .env("XDG_RUNTIME_DIR", dir)
    .env_remove("DBUS_SESSION_BUS_ADDRESS")
    .output()
    .expect("started")
}

const UNLOCKED: &str =
    "printf test | gnome-keyring-daemon --unlock --components=secrets >/dev/null";

#[test]
fn a_real_secret_service_keeps_keys_apart_by_home() {
    if are_there(&["dbus-run-session", "gnome-keyring-daemon"]) {
        let dir = tempfile::tempdir().expect("dir");
        assert_passed(&on_own_bus(dir.path(), UNLOCKED, "real"));
    }
}

#[test]
fn a_locked_keychain_without_a_display_says_that_it_is_locked() {
    if are_there(&["dbus-run-session", "gnome-keyring-daemon"]) {
        let dir = tempfile::tempdir().expect("dir");
        assert_passed(&on_own_bus(dir.path(), UNLOCKED, "filled"));
        let locked = "gnome-keyring-daemon --start --components=secrets >/dev/null";
        assert_passed(&on_own_bus(dir.path(), locked, "locked"));
    }
}

#[test]
fn a_service_that_never_answers_costs_two_seconds_a_call() {
    if are_there(&["dbus-run-session"]) {
        let dir = tempfile::tempdir().expect("dir");
        assert_passed(&on_own_bus(dir.path(), "", "mute"));
    }
}
