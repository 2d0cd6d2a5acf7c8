//! The keychain is found through the environment, so each case runs in a
//! process of its own: this test binary again, with the test `child` only.

use std::os::unix::net::UnixListener;
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

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn a_real_secret_service_keeps_keys_apart_by_home() {
    let there = |name: &str| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|dir| dir.join(name).exists())
    };
    if !there("dbus-run-session") || !there("gnome-keyring-daemon") {
        eprintln!("SKIPPED: the Secret Service test needs the packages dbus and gnome-keyring");
        return;
    }
    let dir = tempfile::tempdir().expect("dir");
    let unlock = "printf test | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec \"$@\"";
    let output = child_command(
        &["dbus-run-session", "--", "sh", "-c", unlock, "sh"],
        "real",
    )
    .env("HOME", dir.path())
    .env("XDG_DATA_HOME", dir.path())
    .env("XDG_RUNTIME_DIR", dir.path())
    .env_remove("DBUS_SESSION_BUS_ADDRESS")
    .output()
    .expect("started");
    assert_passed(&output);
}
