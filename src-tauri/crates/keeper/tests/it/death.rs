//! What is known and what is left when a keeper dies.

use std::fs;

use keeper::{Adoption, ProcessId, Stream};

use crate::bench::{Bench, PATIENCE, await_output, kill, pids_in, wait_until};

#[tokio::test]
async fn a_killed_keeper_takes_its_child_with_it_and_the_rest_is_reaped() {
    let bench = Bench::new();
    let pids = bench.file("pids");
    // One grandchild in the child's session, one that left it.
    let script = "sleep 1000 & echo $! > pids; setsid sleep 1000 & \
                  echo $! >> pids; echo $$ >> pids; echo ready; wait";
    let keeper = bench.spawn(&bench.shell("k", script)).await;
    await_output(&keeper, "ready").await;
    let started = pids_in(&pids, 3);
    kill(bench.state("k").keeper);
    let lost = tokio::time::timeout(PATIENCE, keeper.wait())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!((lost.id, lost.rebooted), (bench.id("k"), false));
    assert_eq!(lost.last_out, b"ready\n");
    wait_until("the child died with its keeper", || !started[2].is_alive());
    assert!(
        started[0].is_alive() && started[1].is_alive(),
        "these are what reaping is for"
    );

    match bench.adopt("k").await {
        Adoption::Lost(evidence) => {
            let found: Vec<ProcessId> = evidence.survivors.iter().map(|s| s.id).collect();
            assert!(
                found.contains(&started[0]) && found.contains(&started[1]),
                "{found:?}"
            );
        }
        other => panic!("{other:?}"),
    }
    let reaped = keeper::reap(bench.root.path());
    assert_eq!(reaped.len(), 1);
    assert_eq!((reaped[0].killed.len(), reaped[0].surviving.len()), (2, 0));
    assert!(started.iter().all(|p| !p.is_alive()));
    assert!(
        keeper::reap(bench.root.path()).is_empty(),
        "nothing is left to do"
    );
}

#[tokio::test]
async fn what_a_crash_leaves_is_told_apart() {
    let cases = [
        ("keeper.before_spawn", "never", false),
        ("keeper.spawned", "lost", true),
        ("keeper.before_exit_record", "lost", true),
        ("keeper.exit_recorded", "exited", true),
    ];
    for (point, expected, may_have_run) in cases {
        let bench = Bench::new();
        let spec = bench.shell("k", "echo ran > ran");
        let mut keeper = bench.start_raw(&spec, &[("LONGHAUL_CRASH_AT", point)]);
        assert!(!keeper.wait().unwrap().success());
        let found = match bench.adopt("k").await {
            Adoption::NeverStarted => "never",
            Adoption::Lost(_) => "lost",
            Adoption::Exited(_) => "exited",
            Adoption::Alive(_) => "alive",
        };
        assert_eq!(found, expected, "after {point}");
        keeper::reap(bench.root.path());
        assert!(may_have_run || !bench.file("ran").exists(), "after {point}");
    }
}

#[tokio::test]
async fn a_keeper_that_comes_too_late_does_not_begin() {
    let bench = Bench::new();
    let spec = bench.shell("k", "echo ran > ran");
    fs::create_dir_all(bench.dir("k")).unwrap();
    fs::write(
        bench.dir("k").join("spec.json"),
        serde_json::to_vec(&spec).unwrap(),
    )
    .unwrap();
    assert!(matches!(bench.adopt("k").await, Adoption::NeverStarted));
    assert!(!bench.start_raw(&spec, &[]).wait().unwrap().success());
    assert!(!bench.file("ran").exists());
}

#[tokio::test]
async fn a_living_keeper_is_not_reaped_and_its_folder_not_removed() {
    let bench = Bench::new();
    let keeper = bench.spawn(&bench.spec("k", &["sleep", "1000"])).await;
    assert!(keeper::reap(bench.root.path()).is_empty());
    assert!(keeper::collect_garbage(&bench.dir("k")).is_err());
    assert!(bench.state("k").child.unwrap().is_alive());
    keeper.kill_tree().await.unwrap();
    let _ = keeper.wait().await;
    bench.await_keeper_death("k").await;
    keeper::collect_garbage(&bench.dir("k")).unwrap();
    assert!(!bench.dir("k").exists());
    keeper::collect_garbage(&bench.dir("k")).unwrap();
}

#[tokio::test]
async fn a_reused_number_is_not_signalled() {
    let bench = Bench::new();
    let mut bystander = std::process::Command::new("sleep")
        .arg("1000")
        .spawn()
        .unwrap();
    let it = ProcessId::of(bystander.id()).unwrap();
    let keeper = bench.spawn(&bench.spec("k", &["true"])).await;
    keeper.wait().await.unwrap();
    bench.await_keeper_death("k").await;
    // As if the keeper and its child had died, and their numbers gone to another.
    let mut state = bench.state("k");
    state.keeper = ProcessId {
        start: it.start - 1,
        ..it
    };
    state.child = Some(ProcessId {
        start: it.start - 1,
        ..it
    });
    fs::write(
        bench.dir("k").join("state.json"),
        serde_json::to_vec(&state).unwrap(),
    )
    .unwrap();
    fs::remove_file(bench.dir("k").join("exit.json")).unwrap();
    let reaped = keeper::reap(bench.root.path());
    let survived = it.is_alive();
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    assert!(survived && reaped.is_empty(), "{reaped:?}");
}

#[tokio::test]
async fn after_a_reboot_nothing_is_looked_for() {
    let bench = Bench::new();
    let keeper = bench
        .spawn(&bench.shell("k", "echo some; exec sleep 1000"))
        .await;
    await_output(&keeper, "some").await;
    let mut state = bench.state("k");
    kill(state.keeper);
    assert!(keeper.wait().await.is_err());
    state.boot_id = "another-boot".to_owned();
    fs::write(
        bench.dir("k").join("state.json"),
        serde_json::to_vec(&state).unwrap(),
    )
    .unwrap();
    assert!(keeper::reap(bench.root.path()).is_empty());
    match bench.adopt("k").await {
        Adoption::Lost(evidence) => {
            assert!(evidence.rebooted && evidence.survivors.is_empty());
            assert_eq!(evidence.last_out, b"some\n");
        }
        other => panic!("{other:?}"),
    }
    let mut output = keeper::Output::of_ended(&bench.dir("k"), Stream::Out, 2);
    assert_eq!(output.read_to_end().await.unwrap(), b"me\n");
}
