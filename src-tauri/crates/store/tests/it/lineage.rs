//! The conversation after going back, and of a fork: nothing is removed, nothing is
//! stored twice, and doctor finds every row where the journal says.

use bytes::Bytes;
use domain::{BlobRef, CheckpointId, Event, Fork, MessageOrigin, Run, RunId, Task};
use store::Store;

use crate::home::{open, run_id, started, task};

async fn say(store: &Store, run: RunId, text: &'static str) -> Run {
    let text = Bytes::from_static(text.as_bytes());
    let event = Event::MessageAdded {
        origin: MessageOrigin::User,
        text: BlobRef::of(&text),
    };
    append(store, run, vec![event], vec![text]).await
}

async fn append(store: &Store, run: RunId, events: Vec<Event>, blobs: Vec<Bytes>) -> Run {
    store.append(run, None, events, blobs).await.unwrap().run
}

async fn checkpoint(store: &Store, run: RunId) -> Run {
    let now = store.load(run).await.unwrap().unwrap();
    let event = Event::CheckpointTaken {
        checkpoint: CheckpointId(now.next_checkpoint()),
        step: now.step,
        snapshot: "a".repeat(40),
        messages: now.messages,
    };
    append(store, run, vec![event], Vec::new()).await
}

async fn back_to(store: &Store, run: RunId, number: usize) {
    let checkpoint = store.checkpoints(run).await.unwrap().remove(number - 1);
    let events = vec![
        Event::Paused {
            by: "test".to_owned(),
        },
        Event::RolledBack {
            to: checkpoint.id,
            seq: checkpoint.seq,
            snapshot: checkpoint.snapshot.clone(),
            messages: checkpoint.messages,
            by: "test".to_owned(),
        },
        Event::FilesRestored {
            snapshot: checkpoint.snapshot,
        },
    ];
    append(store, run, events, Vec::new()).await;
}

async fn texts(store: &Store, run: RunId) -> Vec<String> {
    let messages = store.messages(run, 0).await.unwrap();
    let names: Vec<_> = messages.into_iter().map(|m| m.text).collect();
    let texts = store.blobs(&names).await.unwrap();
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    texts.into_iter().map(text).collect()
}

async fn fork(store: &Store, parent: RunId, number: usize) -> RunId {
    let checkpoint = store.checkpoints(parent).await.unwrap().remove(number - 1);
    let prompt = Bytes::from_static(b"Mend the parser.");
    let task = Task {
        fork: Some(Box::new(Fork {
            run: parent,
            checkpoint: checkpoint.id,
            seq: checkpoint.seq,
            messages: checkpoint.messages,
            snapshot: checkpoint.snapshot,
        })),
        ..task(&prompt)
    };
    let run = run_id();
    let created = store.create(run, task, Vec::new(), vec![prompt]).await;
    created.unwrap();
    run
}

#[tokio::test]
async fn a_conversation_goes_back_and_forth() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let run = started(&store).await;
    say(&store, run, "one").await;
    checkpoint(&store, run).await;
    say(&store, run, "two").await;
    say(&store, run, "three").await;
    checkpoint(&store, run).await;

    back_to(&store, run, 1).await;
    assert_eq!(texts(&store, run).await, ["Mend the parser.", "one"]);
    say(&store, run, "another two").await;
    checkpoint(&store, run).await;
    let other = ["Mend the parser.", "one", "another two"];
    assert_eq!(texts(&store, run).await, other);

    back_to(&store, run, 2).await;
    let first = ["Mend the parser.", "one", "two", "three"];
    assert_eq!(texts(&store, run).await, first);
    let middle = store.messages_in(run, 1..3).await.unwrap();
    assert_eq!(middle.len(), 2, "a part of two stretches");
    back_to(&store, run, 3).await;
    assert_eq!(texts(&store, run).await, other);

    store.close().await;
    let store = open(home.path()).await;
    assert_eq!(texts(&store, run).await, other, "after a restart too");
    let report = store::doctor(home.path()).await;
    assert!(report.ok(), "{report:#?}");
}

#[tokio::test]
async fn a_fork_has_what_its_parent_had_said_then_and_only_that() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let parent = started(&store).await;
    say(&store, parent, "one").await;
    checkpoint(&store, parent).await;
    say(&store, parent, "two").await;
    checkpoint(&store, parent).await;
    back_to(&store, parent, 1).await;

    let child = fork(&store, parent, 2).await;
    say(&store, parent, "the parent goes on").await;
    say(&store, child, "so does the child").await;
    checkpoint(&store, child).await;
    let said = ["Mend the parser.", "one", "two", "so does the child"];
    assert_eq!(texts(&store, child).await, said);

    let grandchild = fork(&store, child, 1).await;
    say(&store, grandchild, "and its child").await;
    let messages = store.load(grandchild).await.unwrap().unwrap().messages;
    assert_eq!(messages, 5);
    assert_eq!(
        texts(&store, grandchild).await[3..],
        ["so does the child", "and its child"]
    );
    assert_eq!(
        texts(&store, parent).await,
        ["Mend the parser.", "one", "the parent goes on"]
    );
    let report = store::doctor(home.path()).await;
    assert!(report.ok(), "{report:#?}");
}
