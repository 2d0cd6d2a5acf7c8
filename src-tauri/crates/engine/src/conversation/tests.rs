//! Over a real journal: how much of it is read.

use std::sync::Arc;

use agents::ChatMessage;
use domain::{
    BlobRef, Clock, Event, MessageOrigin, QueueReason, Run, Task, Timestamp, WorkspaceMode,
};
use store::{Store, StoreConfig};

use super::{Conversation, PAGE, Room};
use crate::journal::Journal;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(1_800_000_000_000)
    }
}

fn task() -> Task {
    let task = serde_json::json!({
        "title": "Long.", "prompt": BlobRef::of(b"prompt"), "project": "/p", "backend": "mine", "kind": "anthropic",
        "workspace": WorkspaceMode::Copy, "policy": "balanced", "budget": {},
    });
    serde_json::from_value(task).unwrap()
}

/// A run with so many messages of so many bytes, numbered.
async fn run_of(messages: u32, bytes: usize) -> (tempfile::TempDir, Journal, Run) {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(StoreConfig {
        home: home.path().to_owned(),
        clock: Arc::new(Still),
    })
    .await
    .unwrap();
    let id = crate::ids::new_run_id();
    let mut events = vec![
        Event::RunCreated {
            run: id,
            task: Box::new(task()),
        },
        Event::Queued {
            reason: QueueReason::New,
        },
    ];
    let mut blobs = vec![bytes::Bytes::from_static(b"prompt")];
    for n in 0..messages {
        let text = format!("{n:>bytes$}");
        events.push(Event::MessageAdded {
            origin: MessageOrigin::User,
            text: BlobRef::of(text.as_bytes()),
        });
        blobs.push(text.into());
    }
    let run = store.append(id, None, events, blobs).await.unwrap().run;
    (home, Journal::new(store, id), run)
}

fn numbers(messages: &[ChatMessage]) -> Vec<u32> {
    let text = |message: &ChatMessage| match message {
        ChatMessage::User { text, .. } => text.trim().parse().unwrap(),
        other => panic!("{other:?}"),
    };
    messages.iter().map(text).collect()
}

#[tokio::test]
async fn only_the_end_is_read_to_see_what_is_next() {
    let (_home, journal, run) = run_of(5 * PAGE, 10).await;
    let mut conversation = Conversation::default();
    conversation.catch_up(&journal, &run).await.unwrap();
    assert_eq!(conversation.newest.len(), PAGE as usize);
    let unheard = conversation.unheard(5 * PAGE - 2);
    assert_eq!(numbers(&unheard), [5 * PAGE - 2, 5 * PAGE - 1]);
    conversation.reach(&journal, 100).await.unwrap();
    assert_eq!(numbers(&conversation.unheard(0))[0], 100);
    assert_eq!(conversation.unheard(101).len() as u32, 5 * PAGE - 101);
}

#[tokio::test]
async fn nothing_is_left_out_as_long_as_there_is_room() {
    let (_home, journal, run) = run_of(3 * PAGE + 7, 100).await;
    let mut conversation = Conversation::default();
    let room = Room(100 * (3 * PAGE as usize + 8));
    conversation.fit(&journal, &run, room).await.unwrap();
    assert_eq!(conversation.sent_from(), 0);
    let sent = numbers(&conversation.to_send());
    assert_eq!(sent, (0..3 * PAGE + 7).collect::<Vec<_>>());
    conversation.catch_up(&journal, &run).await.unwrap();
    assert_eq!(conversation.to_send().len(), sent.len(), "read once");
}

#[tokio::test]
async fn what_does_not_fit_is_not_read_either() {
    let (_home, journal, run) = run_of(40 * PAGE, 100).await;
    let mut conversation = Conversation {
        newest: [ChatMessage::Model {
            content: "[]".to_owned(),
        }]
        .into(),
        from: 40 * PAGE - 1,
        to: 40 * PAGE,
        ..Conversation::default()
    };
    let room = Room(100 * PAGE as usize);
    conversation.fit(&journal, &run, room).await.unwrap();
    assert!(conversation.from >= 38 * PAGE, "{}", conversation.from);
    let sent = conversation.to_send();
    assert_eq!(numbers(&sent[..1]), [0], "the prompt");
    assert!(matches!(&sent[1], ChatMessage::User { text, .. } if text.contains("left out")));
}
