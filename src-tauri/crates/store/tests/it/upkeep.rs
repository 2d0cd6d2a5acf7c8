//! What the store does for itself: backups that rotate, space given back, files
//! nobody names removed, damaged snapshots replaced, damaged homes copied.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::{BlobRef, Event, MessageOrigin, RunId, Timestamp};
use store::{AppendError, BackupError, OpenError, Store, StoreConfig};

use crate::damage::{failed, flip, home_with_a_run, noise, say, sql};
use crate::home::{clock, config, open, started};

const DAY_MS: i64 = 24 * 3_600_000;

#[tokio::test]
async fn seven_daily_backups_are_kept() {
    let home = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = Store::open(StoreConfig {
        home: home.path().to_owned(),
        clock: Arc::clone(&clock) as Arc<dyn domain::Clock>,
    })
    .await
    .unwrap();
    started(&store).await;
    let mut made = Vec::new();
    for _ in 0..9 {
        made.push(store.backup_if_due().await.unwrap().unwrap().file);
        assert_eq!(store.backup_if_due().await.unwrap(), None, "one a day");
        clock.0.fetch_add(DAY_MS, Ordering::SeqCst);
    }
    // One the user made elsewhere is the user's.
    let own = home.path().join("mine.db");
    store.backup(Some(own.clone())).await.unwrap();
    let mut kept: Vec<_> = std::fs::read_dir(home.path().join("backups"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    kept.sort();
    assert_eq!(kept, made[2..]);
    assert!(own.exists());
    store.close().await;
}

#[tokio::test]
async fn unused_pages_are_given_back_when_nothing_is_asked() {
    let (home, run) = home_with_a_run().await;
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
                INSERT INTO filler SELECT randomblob(8000) FROM n";
    sql(
        home.path(),
        &["CREATE TABLE filler (x)", fill, "DROP TABLE filler"],
    )
    .await;
    let file = home.path().join("state.db");
    let before = file.metadata().unwrap().len();
    assert!(before > 3_000_000, "{before}");
    let store = open(home.path()).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    // Two slices a little apart are enough; what is left stays for reuse.
    while unused_pages(home.path()).await >= 64 {
        assert!(Instant::now() < deadline, "the pages are still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    say(&store, run, noise(9, 50)).await.unwrap();
    store.close().await;
    assert!(file.metadata().unwrap().len() < before / 2);
    let report = store::doctor(home.path()).await;
    assert!(report.ok(), "{report:#?}");
}

async fn unused_pages(home: &std::path::Path) -> i64 {
    use sqlx::ConnectOptions;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.join("state.db"));
    let mut conn = options.connect().await.unwrap();
    sqlx::query_scalar("PRAGMA freelist_count")
        .fetch_one(&mut conn)
        .await
        .unwrap()
}

#[tokio::test]
async fn files_that_no_event_names_are_removed_at_the_start() {
    let (home, run) = home_with_a_run().await;
    let store = open(home.path()).await;
    // Its file is written, and then the event is refused.
    let lost = noise(2, 100_000);
    let text = BlobRef::of(&lost);
    let events = vec![
        Event::MessageAdded {
            origin: MessageOrigin::User,
            text: text.clone(),
        },
        Event::StepStarted { step: 99 },
    ];
    let refused = store.append(run, None, events, vec![lost]).await;
    assert!(matches!(refused, Err(AppendError::Illegal(_))));
    store.close().await;
    let path = |name: &BlobRef| {
        let blobs = home.path().join("blobs");
        blobs.join(&name.0[..2]).join(&name.0[2..])
    };
    let half = path(&text).with_file_name(".half-written.tmp");
    let foreign = path(&text).with_file_name("notes.txt");
    std::fs::write(&half, b"half").unwrap();
    std::fs::write(&foreign, b"mine").unwrap();
    assert!(path(&text).exists());
    open(home.path()).await.close().await;
    assert!(!path(&text).exists() && !half.exists());
    assert!(foreign.exists(), "what is not ours is left alone");
    assert!(path(&BlobRef::of(&noise(1, 100_000))).exists());
    let report = store::doctor(home.path()).await;
    assert!(report.ok(), "{report:#?}");
}

/// A home whose run has two snapshots.
async fn home_with_snapshots() -> (tempfile::TempDir, RunId) {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let run = started(&store).await;
    let note = |n| Event::Noted {
        text: format!("note {n}"),
    };
    for batch in 0..5 {
        let events = (0..100).map(|n| note(batch * 100 + n)).collect();
        store.append(run, None, events, Vec::new()).await.unwrap();
    }
    store.close().await;
    (home, run)
}

#[tokio::test]
async fn damaged_snapshots_cost_time_and_nothing_else() {
    let newest =
        "UPDATE snapshot SET data = CAST(substr(data, 1, 20) || x'ff' || substr(data, 22) AS BLOB)
                  WHERE seq = (SELECT max(seq) FROM snapshot)";
    let both =
        "UPDATE snapshot SET data = CAST(substr(data, 1, 20) || x'ff' || substr(data, 22) AS BLOB)";
    for damage in [newest, both] {
        let (home, run) = home_with_snapshots().await;
        let store = open(home.path()).await;
        let before = store.load(run).await.unwrap().unwrap();
        store.close().await;
        sql(home.path(), &[damage]).await;
        assert_eq!(failed(home.path()).await, ["snapshots"]);
        let store = open(home.path()).await;
        assert_eq!(store.load(run).await.unwrap().unwrap(), before);
        assert_eq!(
            failed(home.path()).await,
            ["snapshots"],
            "reading repairs nothing"
        );
        say(&store, run, noise(3, 50)).await.unwrap();
        store.close().await;
        let report = store::doctor(home.path()).await;
        assert!(report.ok(), "{report:#?}");
    }
}

#[tokio::test]
async fn a_damaged_run_stops_no_other() {
    let (home, damaged) = home_with_a_run().await;
    let store = open(home.path()).await;
    let sound = started(&store).await;
    store.close().await;
    // Opening checks the newest events of unfinished runs, so this one seems finished.
    sql(
        home.path(),
        &[
            "UPDATE run SET state = 'completed' WHERE key = 1",
            "DROP TRIGGER event_is_never_changed",
            "UPDATE event SET at = at + 1 WHERE gseq = 2",
        ],
    )
    .await;
    let store = open(home.path()).await;
    let (refused, recorded) = tokio::join!(
        say(&store, damaged, noise(4, 50)),
        say(&store, sound, noise(5, 50))
    );
    assert!(
        matches!(refused, Err(AppendError::Damaged(_))),
        "{refused:?}"
    );
    recorded.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_home_that_cannot_be_opened_is_copied_as_it_is() {
    let (home, _) = home_with_a_run().await;
    let file = home.path().join("state.db");
    flip(&file, 20);
    std::fs::remove_file(home.path().join("anchor")).unwrap();
    let before = std::fs::read(&file).unwrap();
    let refused = Store::open(config(home.path())).await;
    let after = std::fs::read(&file).unwrap();
    assert!(before == after, "a refused store is left as it is");
    assert!(
        matches!(refused, Err(OpenError::Damaged { .. })),
        "{refused:?}"
    );
    let copy = store::copy_damaged(home.path(), None, Timestamp(7))
        .await
        .unwrap();
    assert!(copy.folder.ends_with("backups/damaged-7"));
    assert!(copy.folder.join("DAMAGED.txt").exists());
    let same = |name: &str| {
        std::fs::read(home.path().join(name)).unwrap()
            == std::fs::read(copy.folder.join(name)).unwrap()
    };
    assert!(same("state.db"));
    let name = BlobRef::of(&noise(1, 100_000)).0;
    assert!(same(&format!("blobs/{}/{}", &name[..2], &name[2..])));
    let again = store::copy_damaged(home.path(), None, Timestamp(7)).await;
    assert!(matches!(again, Err(BackupError::Unusable { .. })));
    let restored = store::restore(home.path(), &copy.folder, Timestamp(8)).await;
    assert!(matches!(restored, Err(BackupError::Unusable { .. })));
    let bytes = Bytes::from(std::fs::read(&file).unwrap());
    assert!(copy.bytes >= bytes.len() as u64 + 100_000);
}
