//! A command in a sandbox: what holds without one holds with it.

use std::fs;
use std::process::Command;
use std::time::Duration;

use keeper::{Adoption, Ending, Keeper, Signal, SpawnError, Spec, StartFailureKind, Stdin};
use keeper::{StopCause, Stream};

use crate::bench::{Bench, all_output, await_output, finish, kill, wait_until};

/// The options that matter to a keeper; what is hidden is decided elsewhere.
const BWRAP: &[&str] = &[
    "/usr/bin/bwrap",
    "--ro-bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    "--unshare-pid",
    "--die-with-parent",
    "--as-pid-1",
];

/// Whether there can be sandboxes here. Where CI runs there must.
fn can() -> bool {
    let mut tiny = Command::new(BWRAP[0]);
    tiny.args(&BWRAP[1..]).args(["--", "/bin/sh", "-c", ":"]);
    let works = tiny.output().is_ok_and(|out| out.status.success());
    assert!(
        works || std::env::var_os("CI").is_none(),
        "bubblewrap does not work on CI"
    );
    works
}

fn sandboxed(bench: &Bench, id: &str, script: &str) -> Spec {
    let mut spec = bench.shell(id, script);
    let root = bench.root.path().display().to_string();
    let own = ["--bind", &root, &root, "--chdir", &root, "--"];
    spec.wrapper = BWRAP
        .iter()
        .copied()
        .chain(own)
        .map(str::to_owned)
        .collect();
    spec
}

async fn spawn(bench: &Bench, script: &str) -> Keeper {
    bench.spawn(&sandboxed(bench, "k", script)).await
}

/// Living processes with these words among their arguments, seen from outside.
fn living(words: &str) -> usize {
    let mut found = 0;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let cmdline = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&cmdline).replace('\0', " ");
        found += usize::from(line.starts_with("sleep") && line.contains(words));
    }
    found
}

#[tokio::test]
async fn how_the_command_itself_ended_is_told() {
    if !can() {
        return;
    }
    for (id, script, ending) in [
        ("code", "echo hello; exit 3", Ending::Code(3)),
        ("signal", "kill -9 $$", Ending::Signal(9)),
        ("large", "exit 137", Ending::Code(137)),
    ] {
        let bench = Bench::new();
        let keeper = bench.spawn(&sandboxed(&bench, id, script)).await;
        let exit = finish(&keeper).await;
        assert_eq!((exit.ending, exit.leftovers), (ending, 0), "{id}");
        assert!(exit.max_rss_kib > 0);
        if id == "code" {
            assert_eq!(all_output(&keeper, Stream::Out).await, b"hello\n");
        }
    }
}

#[tokio::test]
async fn a_command_that_is_not_there_and_a_sandbox_that_fails_are_told_apart() {
    if !can() {
        return;
    }
    let bench = Bench::new();
    let mut missing = sandboxed(&bench, "missing", "");
    missing.argv = vec!["no-such-program".to_owned()];
    let mut broken = sandboxed(&bench, "broken", "touch ran");
    broken.wrapper.insert(1, "--no-such-option".to_owned());
    let mut absent = sandboxed(&bench, "absent", "touch ran");
    absent.wrapper[0] = "/nowhere/bwrap".to_owned();
    for (spec, kind, words) in [
        (
            missing,
            StartFailureKind::CommandNotFound,
            "no-such-program",
        ),
        (broken, StartFailureKind::Sandbox, "--no-such-option"),
        (absent, StartFailureKind::Sandbox, "/nowhere/bwrap"),
    ] {
        let spawned = keeper::spawn(crate::bench::exe(), &bench.dir_of(&spec), &spec).await;
        match spawned {
            Err(SpawnError::NotStarted(failure)) => {
                assert_eq!(failure.kind, kind, "{failure}");
                assert!(failure.message.contains(words), "{failure}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(!bench.file("ran").exists());
}

#[tokio::test]
async fn what_is_left_running_may_finish_a_moment_and_is_then_ended() {
    if !can() {
        return;
    }
    let bench = Bench::new();
    let script = "(sleep 0.05; echo late > late) & \
                  setsid sleep 90001 >/dev/null 2>&1 & (setsid sleep 90001 >/dev/null 2>&1 &); echo done";
    let keeper = spawn(&bench, script).await;
    let exit = finish(&keeper).await;
    assert_eq!((exit.ending, exit.leftovers), (Ending::Code(0), 2));
    assert_eq!(fs::read_to_string(bench.file("late")).unwrap(), "late\n");
    assert_eq!(living("90001"), 0);
}

#[tokio::test]
async fn a_command_whose_time_is_over_is_asked_to_end_before_it_is_ended() {
    if !can() {
        return;
    }
    let bench = Bench::new();
    let script = "trap 'echo bye; exit 4' TERM; setsid sleep 90002 & echo ready; wait; wait";
    let mut spec = sandboxed(&bench, "k", script);
    spec.timeout_ms = Some(400);
    let keeper = bench.spawn(&spec).await;
    let exit = finish(&keeper).await;
    assert!(exit.timed_out());
    assert_eq!(exit.ending, Ending::Code(4));
    assert_eq!(all_output(&keeper, Stream::Out).await, b"ready\nbye\n");
    assert_eq!(living("90002"), 0);

    let bench = Bench::new();
    let deaf = "trap '' TERM; sleep 90003 & echo ready; while :; do sleep 1; done";
    let keeper = spawn(&bench, deaf).await;
    await_output(&keeper, "ready").await;
    assert!(keeper.activity().await.unwrap().processes >= 2);
    keeper.kill_tree().await.unwrap();
    let exit = finish(&keeper).await;
    assert_eq!(exit.stopped_by, Some(StopCause::Request));
    assert_eq!(exit.ending, Ending::Signal(9));
    assert_eq!(living("90003"), 0);
}

#[tokio::test]
async fn input_and_signals_reach_the_command() {
    if !can() {
        return;
    }
    let bench = Bench::new();
    let script = "trap 'echo interrupted; exit 5' INT; read word; echo got $word; \
                  while :; do sleep 0.05; done";
    let mut spec = sandboxed(&bench, "k", script);
    spec.stdin = Stdin::Open;
    let keeper = bench.spawn(&spec).await;
    keeper.write_stdin(b"tea\n").await.unwrap();
    await_output(&keeper, "got tea").await;
    keeper.signal(Signal::Interrupt).await.unwrap();
    assert_eq!(finish(&keeper).await.ending, Ending::Code(5));
    assert_eq!(
        keeper.signal(Signal::Kill).await,
        Err(keeper::Refusal::Ended)
    );
}

#[tokio::test]
async fn a_killed_keeper_takes_everything_with_it() {
    if !can() {
        return;
    }
    let bench = Bench::new();
    let script = "setsid sleep 90004 & sleep 90004 & (setsid sleep 90004 &); echo ready; wait";
    let keeper = spawn(&bench, script).await;
    await_output(&keeper, "ready").await;
    wait_until("all three run", || living("90004") == 3);
    kill(bench.state("k").keeper);
    // Nothing is left for reaping: the namespace ended with its first process.
    wait_until("nothing is left", || living("90004") == 0);
    match bench.adopt("k").await {
        Adoption::Lost(evidence) => assert_eq!(evidence.last_out, b"ready\n"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn another_client_adopts_a_command_in_its_sandbox() {
    if !can() {
        return;
    }
    let bench = Bench::new();
    let script = "echo ready; while [ ! -e go ]; do sleep 0.02; done; echo over; exit 6";
    let keeper = spawn(&bench, script).await;
    await_output(&keeper, "ready").await;
    drop(keeper);
    let Adoption::Alive(adopted) = bench.adopt("k").await else {
        panic!("its keeper lives");
    };
    fs::write(bench.file("go"), "").unwrap();
    assert_eq!(finish(&adopted).await.ending, Ending::Code(6));
    assert_eq!(all_output(&adopted, Stream::Out).await, b"ready\nover\n");
}

/// The command runs as the same user as the process that tells of it: it must not be
/// able to end that process, or to take its words out of its mouth.
#[tokio::test]
async fn a_command_cannot_touch_the_process_that_tells_of_it() {
    if !can() {
        return;
    }
    let bench = Bench::new();
    let script = "kill -9 1; ls /proc/1/fd 2>&1 | grep -v '^[0-2]$'; \
                  sleep 0.3; echo still here; exit 7";
    let keeper = spawn(&bench, script).await;
    let exit = tokio::time::timeout(Duration::from_secs(20), finish(&keeper))
        .await
        .unwrap();
    assert_eq!(exit.ending, Ending::Code(7));
    let said = String::from_utf8(all_output(&keeper, Stream::Out).await).unwrap();
    assert!(said.ends_with("still here\n"), "{said}");
}

#[tokio::test]
async fn limits_hold_in_a_sandbox_too() {
    if !can() {
        return;
    }
    let bench = Bench::new();
    let script = "for i in 1 2 3 4 5 6 7 8; do setsid sleep 1000 & done; sleep 1000";
    let mut spec = sandboxed(&bench, "k", script);
    spec.limits.processes = Some(6);
    let exit = finish(&bench.spawn(&spec).await).await;
    assert_eq!(exit.stopped_by, Some(StopCause::Processes));
}
