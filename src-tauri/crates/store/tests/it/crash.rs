//! A writer that is killed at every durability boundary: what it acknowledged stays.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use domain::{BlobRef, Event, MessageOrigin, RunId};

use crate::home::{open, started};

const CHILD: &str = "LONGHAUL_TEST_STORE_CHILD";

/// Messages the child adds: enough for two snapshots.
const MESSAGES: u32 = 450;

fn content(n: u32) -> Bytes {
    if n % 150 == 149 {
        // Incompressible and large: lives in a file.
        let mut bytes = vec![0; 100_000];
        blake3::Hasher::new()
            .update(&n.to_le_bytes())
            .finalize_xof()
            .fill(&mut bytes);
        return Bytes::from(bytes);
    }
    Bytes::from(format!("message {n}"))
}

fn message(n: u32) -> (Event, Bytes) {
    let bytes = content(n);
    let text = BlobRef::of(&bytes);
    (
        Event::MessageAdded {
            origin: MessageOrigin::User,
            text,
        },
        bytes,
    )
}

/// Not a test by itself: the process that [`acknowledged_events_survive_a_kill`] kills.
#[tokio::test(flavor = "multi_thread")]
async fn child_writer() {
    let Some(home) = std::env::var_os(CHILD).map(PathBuf::from) else {
        return;
    };
    let store = open(&home).await;
    let mut acked = std::fs::File::create(home.join("acked")).unwrap();
    let run = started(&store).await;
    for n in 0..MESSAGES {
        let (event, bytes) = message(n);
        let done = store
            .append(run, None, vec![event], vec![bytes])
            .await
            .unwrap();
        writeln!(acked, "{run} {}", done.run.head).unwrap();
    }
    store.backup(None).await.unwrap();
    store.close().await;
}

fn killed_at(point: &str, home: &Path) -> Option<(RunId, u64)> {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_writer", "--nocapture"])
        .env(CHILD, home)
        .env("LONGHAUL_CRASH_AT", point)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success(), "the child was to die at {point}");
    let acked = std::fs::read_to_string(home.join("acked")).unwrap_or_default();
    let (run, head) = acked.lines().last()?.split_once(' ')?;
    Some((run.parse().unwrap(), head.parse().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_events_survive_a_kill() {
    for point in [
        "store.migrating",
        "store.batch_begun#30",
        "store.before_commit#77",
        "store.committed#78",
        "store.blob_file_written#2",
        "store.snapshot_written#2",
        "store.anchor_written",
        "store.backup_made",
    ] {
        let home = tempfile::tempdir().unwrap();
        let acked = killed_at(point, home.path());
        let store = open(home.path()).await;
        if let Some((run, head)) = acked {
            let run = store.load(run).await.unwrap().unwrap();
            // At most the one event whose answer was on its way is there besides.
            assert!(
                (head..=head + 1).contains(&run.head),
                "{point}: {head} acknowledged, {} found",
                run.head
            );
            let last = u32::try_from(run.head - 4).unwrap();
            assert_eq!(
                store.blob(&BlobRef::of(&content(last))).await.unwrap(),
                content(last)
            );
        }
        store.close().await;
        let report = store::doctor(home.path()).await;
        assert!(report.ok(), "{point}: {report:#?}");
    }
}
