//! Damage of every kind, and who notices.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use domain::{BlobRef, Event, MessageOrigin, OpKind, RunId, Timestamp};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use store::{AppendError, OpenError, OwnedBy, Ownership, ReadError, Store, WriteError};

use crate::home::{FRAME, charge, config, finished, intent, open, started, started_op};

pub(crate) fn noise(seed: u8, len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&[seed])
        .finalize_xof()
        .fill(&mut bytes);
    Bytes::from(bytes)
}

pub(crate) async fn say(store: &Store, run: RunId, bytes: Bytes) -> Result<(), AppendError> {
    let event = Event::MessageAdded {
        origin: MessageOrigin::User,
        text: BlobRef::of(&bytes),
    };
    store
        .append(run, None, vec![event], vec![bytes])
        .await
        .map(|_| ())
}

pub(crate) fn flip(file: &Path, at: u64) {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

pub(crate) async fn sql(home: &Path, statements: &[&'static str]) {
    let options = SqliteConnectOptions::new().filename(home.join("state.db"));
    let mut conn = options.connect().await.unwrap();
    for statement in statements {
        sqlx::query(*statement).execute(&mut conn).await.unwrap();
    }
    sqlx::Connection::close(conn).await.unwrap();
}

pub(crate) async fn home_with_a_run() -> (tempfile::TempDir, RunId) {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let run = started(&store).await;
    let (frame, answer) = (
        Bytes::from_static(FRAME),
        Bytes::from_static(br#"[{"type":"text","text":"I look."}]"#),
    );
    let events = vec![
        Event::StepStarted { step: 1 },
        intent(1, 1, OpKind::Model, &frame),
        started_op(1),
        finished(1, &answer, Some(charge(1))),
    ];
    store
        .append(run, None, events, vec![frame, answer])
        .await
        .unwrap();
    say(&store, run, noise(1, 100_000)).await.unwrap();
    store.close().await;
    (home, run)
}

pub(crate) async fn failed(home: &Path) -> Vec<&'static str> {
    let report = store::doctor(home).await;
    report
        .checks
        .iter()
        .filter(|c| !c.ok)
        .map(|c| c.name)
        .collect()
}

#[tokio::test]
async fn a_sound_home_passes() {
    let (home, _) = home_with_a_run().await;
    let report = store::doctor(home.path()).await;
    assert!(report.ok(), "{report:#?}");
    assert!(report.checks.len() >= 9);
}

#[tokio::test]
async fn a_changed_event_is_found() {
    let (home, _) = home_with_a_run().await;
    sql(
        home.path(),
        &[
            "DROP TRIGGER event_is_never_changed",
            "UPDATE event SET at = at + 1 WHERE gseq = 4",
        ],
    )
    .await;
    assert!(failed(home.path()).await.contains(&"journal"));
    let refused = Store::open(config(home.path())).await.unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
}

#[tokio::test]
async fn a_removed_event_is_found() {
    let (home, _) = home_with_a_run().await;
    sql(
        home.path(),
        &[
            "DROP TRIGGER event_is_never_removed",
            "DELETE FROM event WHERE gseq = 4",
        ],
    )
    .await;
    assert!(failed(home.path()).await.contains(&"journal"));
    let refused = Store::open(config(home.path())).await.unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
}

#[tokio::test]
async fn changed_words_of_a_content_are_found() {
    let (home, _) = home_with_a_run().await;
    sql(
        home.path(),
        &["UPDATE blob SET words = words || '!' WHERE words IS NOT NULL"],
    )
    .await;
    assert_eq!(failed(home.path()).await, ["contents"]);
}

#[tokio::test]
async fn a_changed_projection_is_found() {
    let (home, _) = home_with_a_run().await;
    sql(home.path(), &["UPDATE op SET cost_nano = 1"]).await;
    assert_eq!(failed(home.path()).await, ["projections"]);
}

#[tokio::test]
async fn a_flipped_bit_in_a_page_is_found() {
    let (home, _) = home_with_a_run().await;
    let file = home.path().join("state.db");
    let pages = file.metadata().unwrap().len() / 8192;
    // The first bytes of a page's header say what kind it is and where its cells are.
    for page in 1..pages.min(12) {
        flip(&file, page * 8192 + 3);
    }
    assert!(!failed(home.path()).await.is_empty());
    let refused = Store::open(config(home.path())).await.unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
}

#[tokio::test]
async fn a_flipped_bit_in_a_large_content_is_found() {
    let (home, _) = home_with_a_run().await;
    let name = BlobRef::of(&noise(1, 100_000));
    flip(
        &home
            .path()
            .join("blobs")
            .join(&name.0[..2])
            .join(&name.0[2..]),
        5000,
    );
    assert_eq!(failed(home.path()).await, ["contents"]);
    let store = open(home.path()).await;
    assert!(matches!(
        store.blob(&name).await,
        Err(ReadError::Damaged(_))
    ));
}

#[tokio::test]
async fn a_flipped_bit_in_the_anchor_is_found() {
    let (home, _) = home_with_a_run().await;
    flip(&home.path().join("anchor"), 60);
    assert_eq!(failed(home.path()).await, ["anchor"]);
}

fn files(home: &Path) -> [Vec<u8>; 3] {
    ["state.db", "state.db-wal", "anchor"].map(|file| std::fs::read(home.join(file)).unwrap())
}

#[tokio::test]
async fn a_cut_tail_is_never_silent() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let run = started(&store).await;
    for n in 0..5 {
        say(&store, run, noise(n, 50)).await.unwrap();
    }
    // The files as a power loss could leave them: the log's end is gone.
    let cut = tempfile::tempdir().unwrap();
    for file in ["state.db", "state.db-wal", "anchor"] {
        std::fs::copy(home.path().join(file), cut.path().join(file)).unwrap();
    }
    store.close().await;
    let log = std::fs::OpenOptions::new()
        .write(true)
        .open(cut.path().join("state.db-wal"))
        .unwrap();
    log.set_len(log.metadata().unwrap().len() - 100).unwrap();
    let before = files(cut.path());
    let refused = Store::open(config(cut.path())).await.unwrap_err();
    assert!(
        matches!(refused, OpenError::LostTail { missing: 1.., .. }),
        "{refused}"
    );
    assert!(failed(cut.path()).await.contains(&"anchor"));
    assert!(
        before == files(cut.path()),
        "what can still be read is kept"
    );
    std::fs::remove_file(cut.path().join("state.db")).unwrap();
    let refused = Store::open(config(cut.path())).await.unwrap_err();
    assert!(
        matches!(refused, OpenError::LostTail { .. }),
        "an empty store is no answer: {refused}"
    );
}

#[tokio::test]
async fn a_backup_is_one_file_and_comes_back_whole() {
    let (home, run) = home_with_a_run().await;
    let store = open(home.path()).await;
    let before = store.load(run).await.unwrap().unwrap();
    let file = home.path().join("copy.db");
    store.backup(Some(file.clone())).await.unwrap();
    say(&store, run, Bytes::from_static(b"after the backup"))
        .await
        .unwrap();
    let (old_id, home_id) = (store.store_id(), store.home_id());
    store.close().await;
    std::fs::remove_dir_all(home.path().join("blobs")).unwrap();
    flip(&home.path().join("state.db"), 8192 * 3);

    let aside = store::restore(home.path(), &file, Timestamp(5))
        .await
        .unwrap();
    assert!(aside.join("state.db").exists());
    let store = open(home.path()).await;
    assert_eq!(store.load(run).await.unwrap().unwrap(), before);
    assert_eq!(
        store.blob(&BlobRef::of(&noise(1, 100_000))).await.unwrap(),
        noise(1, 100_000)
    );
    assert_ne!(store.store_id(), old_id);
    assert_eq!(store.home_id(), home_id);
    say(&store, run, Bytes::from_static(b"on it goes"))
        .await
        .unwrap();
    store.close().await;
    let report = store::doctor(home.path()).await;
    assert!(report.ok(), "{report:#?}");
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let (home, _) = home_with_a_run().await;
    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'later', 1, x'00', 0)";
    sql(home.path(), &[newer]).await;
    let refused = Store::open(config(home.path())).await.unwrap_err();
    assert!(
        matches!(refused, OpenError::NewerSchema { found: 9999, .. }),
        "{refused}"
    );
}

#[test]
fn a_second_owner_is_told_who_the_first_is() {
    let home = tempfile::tempdir().unwrap();
    let first = Ownership::acquire(home.path(), Duration::ZERO).unwrap();
    let refused = Ownership::acquire(home.path(), Duration::ZERO).unwrap_err();
    assert!(matches!(refused, OwnedBy::Process { pid } if pid == std::process::id()));
    drop(first);
    Ownership::acquire(home.path(), Duration::ZERO).unwrap();
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let mount = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
        .arg(mount.path())
        .status()
        .is_ok_and(|s| s.success());
    if !mounted {
        eprintln!("SKIPPED: a small disk could not be mounted, so a full one was not tested");
        return;
    }
    let store = open(mount.path()).await;
    let run = started(&store).await;
    let mut said = 0;
    let error = loop {
        match say(&store, run, noise(said, 60_000)).await {
            Ok(()) => said += 1,
            Err(error) => break error,
        }
        assert!(said < 200, "the disk never filled up");
    };
    let found = store.load(run).await.unwrap().unwrap();
    store.close().await;
    let report = store::doctor(mount.path()).await;
    let unmounted = std::process::Command::new("umount")
        .arg("-l")
        .arg(mount.path())
        .status();
    assert!(
        matches!(error, AppendError::Write(WriteError::DiskFull)),
        "{error}"
    );
    assert_eq!(found.messages, u32::from(said) + 1);
    assert!(report.ok(), "{report:#?}");
    assert!(unmounted.unwrap().success());
}

#[tokio::test]
async fn a_million_events_do_not_delay_the_start() {
    let (home, _) = home_with_a_run().await;
    let statements = [
        "CREATE TEMP TABLE copy AS SELECT * FROM run",
        "UPDATE copy SET key = 2, id = randomblob(16), state = 'completed', head_seq = 1000000",
        "INSERT INTO run SELECT * FROM copy",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
         INSERT INTO event SELECT 1000 + i, 2, i, 1, 14, NULL, 1764000000000,
             CAST('{\"text\":\"a remark as long as they usually are\"}' AS BLOB), NULL, NULL, zeroblob(32) FROM n",
    ];
    sql(home.path(), &statements).await;
    let begun = std::time::Instant::now();
    let store = open(home.path()).await;
    let took = begun.elapsed();
    eprintln!(
        "start: {} events, open in {took:?}",
        store.last_gseq() - 1000
    );
    assert_eq!(store.last_gseq(), 1_001_000);
    assert!(took < Duration::from_secs(1), "{took:?}");
    store.close().await;
}
