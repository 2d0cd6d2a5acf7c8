use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::command::LIMIT;
use crate::{CredentialError, Credentials, KeySource, Keychain, Secret, fingerprint};

const HOME: &str = "00000000-0000-4000-8000-000000000001";

fn credentials() -> Credentials {
    let env = |var: &str| (var == "TEST_KEY").then(|| " test-key-not-real\n".to_owned());
    Credentials::new(HOME, Keychain::new(HOME), Arc::new(env))
}

/// A command that prints a key with the number of times it was run.
fn counting(dir: &Path, ttl_s: u64) -> KeySource {
    let count = dir.join("count");
    let command = format!(
        "echo x >> '{0}'; echo test-key-$(wc -l < '{0}' | tr -d ' ')",
        count.display()
    );
    KeySource::Command { command, ttl_s }
}

async fn asked(credentials: &Credentials, source: &KeySource) -> String {
    credentials
        .get(source)
        .await
        .expect("a key")
        .expose()
        .to_owned()
}

#[tokio::test]
async fn a_command_is_asked_once_by_many_and_again_after_its_time_or_a_401() {
    let dir = tempfile::tempdir().expect("dir");
    let (credentials, source) = (credentials(), counting(dir.path(), 3600));
    let together: Vec<_> = (0..8)
        .map(|_| {
            let (credentials, source) = (credentials.clone(), source.clone());
            tokio::spawn(async move { asked(&credentials, &source).await })
        })
        .collect();
    for task in together {
        assert_eq!(task.await.expect("task"), "test-key-1");
    }
    let (a, b, c) = tokio::join!(
        credentials.refresh_after_401(&source),
        credentials.refresh_after_401(&source),
        credentials.refresh_after_401(&source),
    );
    for refreshed in [a, b, c] {
        assert_eq!(refreshed.expect("a key").expose(), "test-key-2");
    }
    assert_eq!(asked(&credentials, &source).await, "test-key-2");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3601)).await;
    tokio::time::resume();
    assert_eq!(asked(&credentials, &source).await, "test-key-3");
}

#[tokio::test]
async fn a_failing_command_is_explained_without_its_output() {
    let credentials = credentials();
    for (command, words) in [
        (
            "echo test-key-not-real; echo test-key-not-real >&2; exit 3",
            "exit status: 3",
        ),
        ("true", "printed nothing"),
        ("echo one; echo two", "more than one line"),
    ] {
        let source = KeySource::Command {
            command: command.into(),
            ttl_s: 1,
        };
        let why = credentials
            .get(&source)
            .await
            .map(|_| ())
            .expect_err(command)
            .to_string();
        assert!(why.contains(words) && !why.contains("test-key"), "{why}");
    }
}

#[tokio::test]
async fn a_command_that_prints_without_end_is_not_waited_for() {
    let source = KeySource::Command {
        command: "yes test-key-not-real".into(),
        ttl_s: 1,
    };
    let why = credentials().get(&source).await.map(|_| ());
    assert_eq!(
        why,
        Err(CredentialError::Command {
            why: "it printed too much to be a key".into()
        })
    );
}

#[tokio::test(start_paused = true)]
async fn many_that_wait_for_a_hanging_command_wait_once() {
    let (credentials, began) = (credentials(), tokio::time::Instant::now());
    let source = KeySource::Command {
        command: "exec sleep 600".into(),
        ttl_s: 300,
    };
    let together: Vec<_> = (0..8)
        .map(|at| {
            let (credentials, source) = (credentials.clone(), source.clone());
            tokio::spawn(async move {
                match at % 2 {
                    0 => credentials.get(&source).await.map(|_| ()),
                    _ => credentials.refresh_after_401(&source).await.map(|_| ()),
                }
            })
        })
        .collect();
    for task in together {
        let why = task.await.expect("task").expect_err("it hangs");
        assert!(why.to_string().contains("did not finish"), "{why}");
    }
    assert!(began.elapsed() < 2 * LIMIT, "{:?}", began.elapsed());
    // A failure is shared, not kept: whoever comes later asks again.
    let again = tokio::time::Instant::now();
    assert!(credentials.get(&source).await.is_err());
    assert!(again.elapsed() >= LIMIT, "{:?}", again.elapsed());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_command_out_of_time_takes_everything_it_started_with_it() {
    let dir = tempfile::tempdir().expect("dir");
    let file = dir.path().join("pid");
    // The shell itself would go at the first signal; what it started minds none.
    let command = format!(
        "sh -c 'trap \"\" TERM HUP INT; echo $$ > {0}.new; mv {0}.new {0}; while :; do sleep 600; done' & wait",
        file.display()
    );
    let source = KeySource::Command { command, ttl_s: 1 };
    let asked = tokio::spawn({
        let (credentials, source) = (credentials(), source.clone());
        async move { credentials.get(&source).await.map(|_| ()) }
    });
    until(|| file.exists()).await;
    let pid = std::fs::read_to_string(&file).expect("a process id");
    assert!(lives(pid.trim()));
    tokio::time::pause();
    tokio::time::advance(LIMIT).await;
    let why = asked.await.expect("task").expect_err("it hangs");
    assert!(why.to_string().contains("did not finish"), "{why}");
    tokio::time::resume();
    until(|| !lives(pid.trim())).await;
}

/// Whether a process is there and no mere zombie: nobody may reap orphans here.
#[cfg(target_os = "linux")]
fn lives(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat.rsplit(") ").next().unwrap_or_default();
        !state.starts_with(['Z', 'X'])
    })
}

#[cfg(target_os = "linux")]
async fn until(holds: impl Fn() -> bool) {
    let looking = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(8), looking)
        .await
        .expect("in time");
}

#[tokio::test]
async fn variables_come_from_whoever_may_read_them() {
    let credentials = credentials();
    let source = |var: &str| KeySource::Env { var: var.into() };
    assert_eq!(
        asked(&credentials, &source("TEST_KEY")).await,
        "test-key-not-real"
    );
    let missing = credentials
        .get(&source("OTHER"))
        .await
        .map(|_| ())
        .expect_err("unset");
    assert_eq!(
        missing,
        CredentialError::NoVariable {
            var: "OTHER".into()
        }
    );
}

#[test]
fn a_fingerprint_tells_keys_and_homes_apart_and_nothing_else() {
    let (one, other) = (Secret::new("test-key-one"), Secret::new("test-key-two"));
    let print = fingerprint(&one, HOME);
    assert_eq!(print.len(), 16);
    assert_eq!(print, fingerprint(&one.clone(), HOME));
    assert_ne!(print, fingerprint(&other, HOME));
    assert_ne!(print, fingerprint(&one, "another home"));
}

#[test]
fn a_source_reads_back_with_the_default_time() {
    let source: KeySource =
        serde_json::from_str(r#"{"kind":"command","command":"pass show key"}"#).expect("source");
    assert_eq!(
        source,
        KeySource::Command {
            command: "pass show key".into(),
            ttl_s: 300
        }
    );
}
