//! What bounds a child: time, output, loneliness, and the whole of its tree.

use std::time::Duration;

use keeper::{Ending, Orphan, Signal, StopCause, Stream, TAIL_BYTES};

use crate::bench::{Bench, PATIENCE, all_output, await_output, exe, finish, pids_in};

/// A child whose grandchildren ignore TERM, one of them in a session of its own
/// and without a parent. Writes three numbers.
const STUBBORN: &str = "trap '' TERM; echo $$ > pids; \
    setsid sh -c 'echo $$ >> pids; sleep 1000 & wait' & \
    (setsid sh -c 'echo $$ >> pids; sleep 1000; sleep 1000' &) ; \
    while [ $(wc -l < pids) -lt 3 ]; do sleep 0.01; done; echo ready; \
    while :; do sleep 1000; done";

#[tokio::test]
async fn a_timeout_ends_the_whole_tree() {
    let bench = Bench::new();
    let mut spec = bench.shell("k", STUBBORN);
    spec.timeout_ms = Some(500);
    let keeper = bench.spawn(&spec).await;
    let tree = pids_in(&bench.file("pids"), 3);
    let exit = finish(&keeper).await;
    assert!(exit.timed_out());
    assert_eq!(
        exit.ending,
        Ending::Signal(9),
        "it ignored the first request"
    );
    assert!(tree.iter().all(|p| !p.is_alive()));
}

#[tokio::test]
async fn a_tree_that_takes_too_much_memory_is_killed() {
    let bench = Bench::new();
    // `tail` keeps the one long line it reads; the memory is its, not its parent's.
    let script = "echo $$ > pids; (head -c 200000000 /dev/zero; sleep 1000) | tail -n 1";
    let mut spec = bench.shell("k", script);
    spec.limits.memory_bytes = Some(100_000_000);
    let keeper = bench.spawn(&spec).await;
    let tree = pids_in(&bench.file("pids"), 1);
    let exit = finish(&keeper).await;
    assert_eq!(exit.stopped_by, Some(StopCause::Memory));
    assert!(tree.iter().all(|p| !p.is_alive()));
}

#[tokio::test]
async fn a_tree_of_too_many_is_killed_and_one_within_its_limits_is_not() {
    let bench = Bench::new();
    let many = "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & echo $! >> pids; done; wait";
    let mut spec = bench.shell("many", many);
    spec.limits.processes = Some(6);
    let keeper = bench.spawn(&spec).await;
    let tree = pids_in(&bench.file("pids"), 8);
    let exit = finish(&keeper).await;
    assert_eq!(exit.stopped_by, Some(StopCause::Processes));
    assert!(tree.iter().all(|p| !p.is_alive()));

    // Looked at more than once, and let be.
    let mut spec = bench.shell("few", "sleep 1000 & sleep 2.5; kill $!; exit 3");
    spec.limits.processes = Some(6);
    spec.limits.memory_bytes = Some(100_000_000);
    let exit = finish(&bench.spawn(&spec).await).await;
    assert_eq!((exit.ending, exit.stopped_by), (Ending::Code(3), None));
}

#[tokio::test]
async fn killing_the_tree_returns_when_nothing_is_left() {
    let bench = Bench::new();
    let keeper = bench.spawn(&bench.shell("k", STUBBORN)).await;
    await_output(&keeper, "ready").await;
    let tree = pids_in(&bench.file("pids"), 3);
    assert!(keeper.activity().await.unwrap().processes >= 5);
    keeper.kill_tree().await.unwrap();
    assert!(tree.iter().all(|p| !p.is_alive()));
    assert_eq!(finish(&keeper).await.stopped_by, Some(StopCause::Request));
    keeper.kill_tree().await.unwrap();
}

#[tokio::test]
async fn a_signal_reaches_the_child() {
    let bench = Bench::new();
    let script = "trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.05; done";
    let keeper = bench.spawn(&bench.shell("k", script)).await;
    await_output(&keeper, "ready").await;
    keeper.signal(Signal::Interrupt).await.unwrap();
    let exit = finish(&keeper).await;
    assert_eq!((exit.ending, exit.stopped_by), (Ending::Code(5), None));
    assert_eq!(
        keeper.signal(Signal::Kill).await,
        Err(keeper::Refusal::Ended)
    );
}

#[tokio::test]
async fn a_signal_reaches_the_child_of_a_daemon_that_ignores_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    // What a shell does to a daemon it starts in its background.
    let deaf = bench.file("deaf");
    let script = format!(
        "#!/bin/sh\ntrap '' INT\nexec '{}' \"$@\"\n",
        exe().display()
    );
    std::fs::write(&deaf, script).unwrap();
    std::fs::set_permissions(&deaf, std::fs::Permissions::from_mode(0o755)).unwrap();
    let spec = bench.shell("k", "echo ready; exec sleep 1000");
    let keeper = keeper::spawn(&deaf, &bench.dir_of(&spec), &spec)
        .await
        .unwrap();
    await_output(&keeper, "ready").await;
    keeper.signal(Signal::Interrupt).await.unwrap();
    let exit = finish(&keeper).await;
    assert_eq!((exit.ending, exit.stopped_by), (Ending::Signal(2), None));
}

#[tokio::test]
async fn what_the_child_left_behind_ends_with_it() {
    let bench = Bench::new();
    let keeper = bench
        .spawn(&bench.shell("k", "sleep 1000 & echo $! > pids; exit 4"))
        .await;
    let left = pids_in(&bench.file("pids"), 1);
    let exit = finish(&keeper).await;
    assert_eq!((exit.ending, exit.leftovers), (Ending::Code(4), 1));
    assert!(!left[0].is_alive());
}

#[tokio::test]
async fn an_agent_nobody_listens_to_is_stopped() {
    let bench = Bench::new();
    let mut spec = bench.spec("k", &["sleep", "1000"]);
    spec.orphan = Orphan::StopAfter { grace_ms: 200 };
    let keeper = bench.spawn(&spec).await;
    let child = bench.state("k").child.unwrap();
    // It is not lonely as long as somebody is there.
    let patience = tokio::time::timeout(Duration::from_millis(600), keeper.wait()).await;
    assert!(patience.is_err() && child.is_alive());
    drop(keeper);
    bench.await_keeper_death("k").await;
    match bench.adopt("k").await {
        keeper::Adoption::Exited(exit) => {
            assert_eq!(exit.stopped_by, Some(StopCause::Orphaned));
            assert_eq!(exit.ending, Ending::Signal(15));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_flood_is_cut_without_blocking_the_child() {
    let bench = Bench::new();
    let mut spec = bench.shell("k", "head -c 104857600 /dev/zero; printf the-end");
    spec.max_spool_bytes = 1 << 20;
    let keeper = bench.spawn(&spec).await;
    let exit = finish(&keeper).await;
    assert!(exit.succeeded() && exit.truncated());
    assert_eq!((exit.out.written, exit.out.kept), (104_857_607, 1 << 20));
    assert_eq!(exit.out.tail, TAIL_BYTES as u64);
    assert_eq!(all_output(&keeper, Stream::Out).await.len(), 1 << 20);
    let tail = keeper::tail(&bench.dir("k"), Stream::Out).unwrap();
    assert_eq!(tail.len(), TAIL_BYTES);
    assert!(tail.ends_with(b"\0the-end"));
}

#[tokio::test]
async fn released_output_makes_room_for_more() {
    let bench = Bench::new();
    let script = "head -c 1048576 /dev/zero; read go; head -c 1048576 /dev/zero; printf x";
    let mut spec = bench.shell("k", script);
    spec.stdin = keeper::Stdin::Open;
    spec.max_spool_bytes = (1 << 20) + 1;
    let keeper = bench.spawn(&spec).await;
    let mut output = keeper.output(Stream::Out, 0);
    while output.offset() < 1 << 20 {
        let next = tokio::time::timeout(PATIENCE, output.next()).await;
        next.expect("it comes").unwrap().expect("there is more");
    }
    keeper.release(Stream::Out, output.offset()).await.unwrap();
    keeper.write_stdin(b"\n").await.unwrap();
    let exit = finish(&keeper).await;
    assert!(!exit.truncated(), "{exit:?}");
    assert!(output.read_to_end().await.unwrap().ends_with(b"\0x"));
}

#[tokio::test]
async fn an_idle_keeper_is_small() {
    let bench = Bench::new();
    let keeper = bench.spawn(&bench.spec("k", &["sleep", "1000"])).await;
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", bench.state("k").keeper.pid)).unwrap();
    let kib = |name: &str| -> u64 {
        let line = status.lines().find(|l| l.starts_with(name)).unwrap();
        line.split_ascii_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    };
    // The rest of VmRSS is pages of the binary and libc, shared with other keepers
    // and larger in a debug build.
    assert!(kib("RssAnon:") < 1024, "{status}");
    assert!(kib("VmRSS:") < 8 * 1024, "{status}");
    keeper.kill_tree().await.unwrap();
}
