//! What any reader of the file sees without us: plain columns.

use std::path::Path;

use bytes::Bytes;
use domain::{BlobRef, Event, OpId, OpKind};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use store::ReadError;

use crate::damage::{home_with_a_run, say};
use crate::home::{FRAME, charge, finished, intent, open, started, started_op};

async fn plain(home: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(home.join("state.db"));
    options.connect().await.unwrap()
}

#[tokio::test]
async fn decisions_are_plain_columns() {
    let (home, _) = home_with_a_run().await;
    let mut conn = plain(home.path()).await;
    type Decision = (
        String,
        String,
        i64,
        String,
        String,
        String,
        String,
        i64,
        i64,
        String,
    );
    let rows: Vec<Decision> = sqlx::query_as(
        "SELECT time, run, step, action, reasoning, parameters, result, duration_ms, tokens, cost_usd FROM decision",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].3, "ask claude-sonnet-5-5");
    assert_eq!(rows[0].4, "I look.");
    assert_eq!(rows[0].9, "0.010500001");
}

/// An answer that asks for a long edit, and the edit's arguments.
fn long_edit() -> (Bytes, Bytes) {
    let text: String = (0..300).map(|n| format!("line {n} of it\\n")).collect();
    let input = serde_json::json!({"path": "src/a.rs", "content": text});
    let answer = serde_json::json!([
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "I write it anew."},
        {"type": "tool_use", "id": "toolu_1", "name": "write_file", "input": input},
    ]);
    (answer.to_string().into(), input.to_string().into())
}

#[tokio::test]
async fn a_call_is_shown_with_its_arguments_and_the_words_before_it() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let run = started(&store).await;
    let (answer, args) = long_edit();
    let frame = Bytes::from_static(FRAME);
    let short = Bytes::from_static(br#"{"path":"src/b.rs"}"#);
    // Known as a mere content first: it gets its words when it is asked with.
    say(&store, run, args.clone()).await.unwrap();
    let ask = vec![
        Event::StepStarted { step: 1 },
        intent(1, 1, OpKind::Model, &frame),
        started_op(1),
    ];
    store.append(run, None, ask, vec![frame]).await.unwrap();
    let answered = vec![
        finished(1, &answer, Some(charge(1))),
        intent(2, 1, OpKind::Tool, &args),
        intent(3, 1, OpKind::Tool, &short),
    ];
    let blobs = vec![answer.clone(), args.clone(), short.clone()];
    store.append(run, None, answered, blobs).await.unwrap();
    for bytes in [&answer, &args, &short] {
        assert_eq!(store.blob(&BlobRef::of(bytes)).await.unwrap(), *bytes);
    }
    let several = [&answer, &args, &answer].map(|bytes| BlobRef::of(bytes));
    let read = store.blobs(&several).await.unwrap();
    assert_eq!(read, [answer.clone(), args.clone(), answer.clone()]);
    let strange = BlobRef::of(b"never stored");
    let missing = store.blobs(&[several[0].clone(), strange.clone()]).await;
    assert!(matches!(missing, Err(ReadError::NoBlob(name)) if name == strange));
    assert!(store.blobs(&[]).await.unwrap().is_empty());
    let ops = store.ops(run, OpId(1), 3).await.unwrap();
    assert_eq!(ops[0].reasoning.as_deref(), Some("I write it anew."));
    assert_eq!(ops[1].reasoning, None);
    store.close().await;

    let mut conn = plain(home.path()).await;
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT reasoning, parameters, result FROM decision")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    assert!(
        rows.iter()
            .all(|(reasoning, ..)| reasoning == "I write it anew.")
    );
    let beginning = std::str::from_utf8(&args[..500]).unwrap();
    assert!(rows[1].1.starts_with(beginning) && rows[1].1.ends_with('…'));
    assert_eq!(rows[2].1.as_bytes(), short);
    assert_eq!(rows[2].2, "intended");
    let stored: Vec<i64> = sqlx::query_scalar(
        "SELECT length(data) FROM blob WHERE raw_len > 1000 ORDER BY raw_len DESC",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(
        stored[0] < 200,
        "the answer repeats its arguments: {stored:?}"
    );
    sqlx::Connection::close(conn).await.unwrap();
    let report = store::doctor(home.path()).await;
    assert!(report.ok(), "{report:#?}");
}

#[tokio::test]
async fn words_are_kept_when_the_call_was_made_before_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let run = started(&store).await;
    let frame = Bytes::from_static(FRAME);
    let ask = vec![
        Event::StepStarted { step: 1 },
        intent(1, 1, OpKind::Model, &frame),
        started_op(1),
    ];
    store.append(run, None, ask, vec![frame]).await.unwrap();
    store.close().await;
    let store = open(home.path()).await;
    let (answer, _) = long_edit();
    let answered = vec![finished(1, &answer, None)];
    store
        .append(run, None, answered, vec![answer])
        .await
        .unwrap();
    let ops = store.ops(run, OpId(1), 1).await.unwrap();
    assert_eq!(ops[0].reasoning.as_deref(), Some("I write it anew."));
    store.close().await;
}

#[tokio::test]
async fn the_journal_is_shown_with_its_words_and_its_chain() {
    let (home, _) = home_with_a_run().await;
    let mut conn = plain(home.path()).await;
    let rows: Vec<(String, Vec<u8>, Vec<u8>)> =
        sqlx::query_as("SELECT kind, prev_hash, hash FROM journal ORDER BY seq")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    assert_eq!(rows[0].0, "run_created");
    assert_eq!(rows[0].1, [0; 32]);
    assert!(rows.windows(2).all(|pair| pair[0].2 == pair[1].1));
    assert_eq!(rows.last().unwrap().0, "message_added");
}
