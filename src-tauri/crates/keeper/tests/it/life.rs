//! What a keeper does for a child that behaves.

use std::io::Write;
use std::process::{Command, Stdio};

use keeper::{Adoption, Ending, SpawnError, StartFailureKind, Stdin, Stream, Streams};

use crate::bench::{Bench, all_output, await_line, await_output, exe, finish, kill};

#[tokio::test]
async fn output_and_status_are_recorded() {
    let bench = Bench::new();
    let keeper = bench
        .spawn(&bench.shell("k", "printf hello; printf oops >&2; exit 3"))
        .await;
    let exit = finish(&keeper).await;
    assert_eq!(exit.ending, Ending::Code(3));
    assert!(!exit.succeeded() && !exit.truncated() && !exit.timed_out());
    assert_eq!((exit.out.written, exit.err.kept), (5, 4));
    assert!(exit.max_rss_kib > 0 && exit.ended_at_ms >= exit.started_at_ms);
    assert_eq!(all_output(&keeper, Stream::Out).await, b"hello");
    assert_eq!(all_output(&keeper, Stream::Err).await, b"oops");
    match bench.adopt("k").await {
        Adoption::Exited(recorded) => assert_eq!(recorded, exit),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn merged_streams_keep_their_order() {
    let bench = Bench::new();
    let mut spec = bench.shell("k", "for i in 1 2 3; do echo out $i; echo err $i >&2; done");
    spec.streams = Streams::Merged;
    let keeper = bench.spawn(&spec).await;
    let all = String::from_utf8(all_output(&keeper, Stream::Out).await).unwrap();
    assert_eq!(all, "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n");
}

#[tokio::test]
async fn the_child_gets_exactly_its_environment_and_no_input() {
    let bench = Bench::new();
    let keeper = bench.spawn(&bench.spec("k", &["env"])).await;
    let mut lines: Vec<_> = String::from_utf8(all_output(&keeper, Stream::Out).await)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    let mark = format!("LONGHAUL_KEEPER={}", bench.id("k"));
    assert_eq!(lines, [mark.as_str(), "PATH=/usr/bin:/bin"]);
    let reads = bench.spawn(&bench.spec("reads", &["cat"])).await;
    assert!(finish(&reads).await.succeeded());
}

#[tokio::test]
async fn bytes_that_are_not_text_arrive_as_they_are() {
    let bench = Bench::new();
    let keeper = bench
        .spawn(&bench.shell("k", r"printf '\377\000\303('"))
        .await;
    assert_eq!(all_output(&keeper, Stream::Out).await, b"\xff\x00\xc3(");
}

#[tokio::test]
async fn input_is_written_in_order_and_closed() {
    let bench = Bench::new();
    let mut spec = bench.spec("k", &["cat"]);
    spec.stdin = Stdin::Open;
    let keeper = bench.spawn(&spec).await;
    // More than a pipe and a frame hold.
    let sent: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
    keeper.write_stdin(&sent).await.unwrap();
    keeper.close_stdin().await.unwrap();
    let exit = finish(&keeper).await;
    assert!(exit.succeeded());
    assert!(
        all_output(&keeper, Stream::Out).await == sent,
        "what went in came out"
    );
    assert!(keeper.write_stdin(b"late").await.is_err());
}

#[tokio::test]
async fn input_of_a_child_that_has_none_is_refused() {
    let bench = Bench::new();
    let mut spec = bench.spec("k", &["sleep", "1000"]);
    spec.stdin = Stdin::Closed;
    let keeper = bench.spawn(&spec).await;
    assert_eq!(
        keeper.write_stdin(b"x").await,
        Err(keeper::Refusal::StdinClosed)
    );
    keeper.kill_tree().await.unwrap();
}

#[tokio::test]
async fn a_command_that_cannot_start_says_why() {
    let bench = Bench::new();
    let plain = bench.file("plain");
    std::fs::write(&plain, "not a program").unwrap();
    let mut no_folder = bench.spec("folder", &["true"]);
    no_folder.cwd = bench.file("absent");
    let cases = [
        (
            bench.spec("command", &["no-such-program-here"]),
            StartFailureKind::CommandNotFound,
        ),
        (no_folder, StartFailureKind::FolderMissing),
        (
            bench.spec("plain", &[plain.to_str().unwrap()]),
            StartFailureKind::PermissionDenied,
        ),
    ];
    for (spec, kind) in cases {
        let error = keeper::spawn(exe(), &bench.dir_of(&spec), &spec)
            .await
            .unwrap_err();
        match error {
            SpawnError::NotStarted(failure) => assert_eq!(failure.kind, kind, "{failure}"),
            other => panic!("{other:?}"),
        }
        match keeper::adopt(&bench.dir_of(&spec)).await.unwrap() {
            Adoption::Exited(exit) => assert!(matches!(exit.ending, Ending::NotStarted(_))),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_folder_is_used_once() {
    let bench = Bench::new();
    let spec = bench.shell("k", "echo ran >> ran");
    finish(&bench.spawn(&spec).await).await;
    assert!(keeper::spawn(exe(), &bench.dir("k"), &spec).await.is_err());
    let late = Command::new(exe())
        .arg("keeper")
        .arg(bench.dir("k"))
        .output()
        .unwrap();
    assert!(!late.status.success());
    assert_eq!(std::fs::read_to_string(bench.file("ran")).unwrap(), "ran\n");
}

#[tokio::test]
async fn a_second_client_continues_where_the_first_went_away() {
    let bench = Bench::new();
    let mut spec = bench.shell("k", "echo one; read line; echo two $line");
    spec.stdin = Stdin::Open;
    let first = bench.spawn(&spec).await;
    await_output(&first, "one").await;
    drop(first);
    let Adoption::Alive(second) = bench.adopt("k").await else {
        panic!("it lives")
    };
    let Adoption::Alive(third) = bench.adopt("k").await else {
        panic!("it lives")
    };
    second.write_stdin(b"more\n").await.unwrap();
    for keeper in [second, third] {
        assert!(finish(&keeper).await.succeeded());
        assert_eq!(all_output(&keeper, Stream::Out).await, b"one\ntwo more\n");
    }
}

#[tokio::test]
async fn an_end_while_nobody_is_connected_is_found_later() {
    let bench = Bench::new();
    let go = bench.file("go");
    assert!(Command::new("mkfifo").arg(&go).status().unwrap().success());
    drop(
        bench
            .spawn(&bench.shell("k", "read x < go; echo done; exit 7"))
            .await,
    );
    // Opening blocks until the child reads.
    std::fs::File::options()
        .write(true)
        .open(&go)
        .unwrap()
        .write_all(b"x\n")
        .unwrap();
    bench.await_keeper_death("k").await;
    match bench.adopt("k").await {
        Adoption::Exited(exit) => assert_eq!(exit.ending, Ending::Code(7)),
        other => panic!("{other:?}"),
    }
    let mut output = keeper::Output::of_ended(&bench.dir("k"), Stream::Out, 0);
    assert_eq!(output.read_to_end().await.unwrap(), b"done\n");
}

const HELPER_DIR: &str = "KEEPER_TEST_HELPER_DIR";

/// Not a test but the process that the next one kills: it starts a keeper for the
/// spec it finds, and waits for its end.
#[tokio::test]
async fn helper_that_spawns() {
    let Some(dir) = std::env::var_os(HELPER_DIR) else {
        return;
    };
    let dir = std::path::PathBuf::from(dir);
    let raw = std::fs::read(dir.with_extension("wanted")).unwrap();
    let spec = serde_json::from_slice(&raw).unwrap();
    let keeper = keeper::spawn(exe(), &dir, &spec).await.unwrap();
    std::io::stdout().write_all(b"\nspawned\n").unwrap();
    let _ = keeper.wait().await;
}

#[tokio::test]
async fn the_death_of_the_spawner_changes_nothing() {
    let bench = Bench::new();
    let mut spec = bench.shell("k", "echo before; read line; echo after");
    spec.stdin = Stdin::Open;
    let dir = bench.dir("k");
    std::fs::create_dir_all(dir.parent().unwrap()).unwrap();
    std::fs::write(
        dir.with_extension("wanted"),
        serde_json::to_vec(&spec).unwrap(),
    )
    .unwrap();
    let mut helper = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "life::helper_that_spawns", "--nocapture"])
        .env(HELPER_DIR, &dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    await_line(&mut helper, "spawned");
    kill(keeper::ProcessId::of(helper.id()).unwrap());
    helper.wait().unwrap();

    let Adoption::Alive(keeper) = bench.adopt("k").await else {
        panic!("it lives")
    };
    await_output(&keeper, "before").await;
    keeper.write_stdin(b"\n").await.unwrap();
    assert!(finish(&keeper).await.succeeded());
    assert_eq!(all_output(&keeper, Stream::Out).await, b"before\nafter\n");
}

#[tokio::test]
async fn what_is_in_the_environment_is_in_no_file() {
    let bench = Bench::new();
    let mut spec = bench.spec("k", &["sh", "-c", "test ${#TOKEN} -eq 16"]);
    spec.env
        .insert("TOKEN".to_owned(), "not-a-real-token".to_owned());
    let keeper = bench.spawn(&spec).await;
    assert!(keeper.wait().await.unwrap().succeeded());
    for entry in std::fs::read_dir(keeper.dir()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("not-a-real-token"));
    }
}
