//! Who is inside a run, and who may talk to a keeper.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use keeper::Place;

use crate::bench::{Bench, await_output, finish, pids_in};

#[tokio::test]
async fn what_runs_inside_is_recognised() {
    let bench = Bench::new();
    // A child, a grandchild without a parent in a session of its own, and one that
    // threw its environment away.
    let script = "echo $$ > pids; (setsid sleep 1000 & echo $! >> pids); \
                  env -i sleep 1000 & echo $! >> pids; echo ready; wait";
    let keeper = bench.spawn(&bench.shell("k", script)).await;
    await_output(&keeper, "ready").await;
    for process in pids_in(&bench.file("pids"), 3) {
        let place = keeper::place_of(process.pid, bench.root.path());
        assert_eq!(place, Place::Inside);
        let elsewhere = Bench::new();
        let place = keeper::place_of(process.pid, elsewhere.root.path());
        assert_eq!(place, Place::Outside);
    }
    let me = std::process::id();
    assert_eq!(keeper::place_of(me, bench.root.path()), Place::Outside);
    // One that ended before anybody looked, and one that cannot be seen.
    let mut gone = std::process::Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    assert_eq!(
        keeper::place_of(gone.id(), bench.root.path()),
        Place::Unknown
    );
    assert_eq!(keeper::place_of(0, bench.root.path()), Place::Unknown);
    keeper.kill_tree().await.unwrap();
}

#[tokio::test]
async fn the_socket_is_private_and_noise_on_it_harms_nobody() {
    let bench = Bench::new();
    let mut spec = bench.spec("k", &["cat"]);
    spec.stdin = keeper::Stdin::Open;
    let keeper = bench.spawn(&spec).await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&spec.socket), 0o600);
    assert_eq!(mode(spec.socket.parent().unwrap()), 0o700);
    assert_eq!(mode(&bench.dir("k")), 0o700);
    assert_eq!(mode(&bench.dir("k").join("spec.json")), 0o600);

    for noise in [
        &b"not json\n"[..],
        &[b'x'; 100_000],
        b"{\"id\":1,\"action\":{\"write\":{\"len\":99999999}}}\n",
    ] {
        let mut stream = UnixStream::connect(&spec.socket).unwrap();
        let _ = stream.write_all(noise);
        // The keeper hangs up.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    keeper.write_stdin(b"still here").await.unwrap();
    keeper.close_stdin().await.unwrap();
    assert_eq!(finish(&keeper).await.out.written, 10);
    assert!(!spec.socket.exists());
}

#[tokio::test]
async fn a_socket_in_an_open_folder_is_refused() {
    let bench = Bench::new();
    let mut spec = bench.spec("k", &["true"]);
    let open = bench.file("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    spec.socket = open.join("k.sock");
    let error = keeper::spawn(crate::bench::exe(), &bench.dir("k"), &spec)
        .await
        .unwrap_err();
    assert!(matches!(error, keeper::SpawnError::Broken(_)), "{error:?}");
}
