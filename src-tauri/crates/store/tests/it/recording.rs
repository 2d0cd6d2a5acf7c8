//! What is recorded, what is refused, and what is read back.

use bytes::Bytes;
use domain::{
    BlobRef, Choice, Event, OpId, OpKind, OpState, Review, ReviewId, ReviewKind, ReviewState,
    RunState, Timestamp,
};
use store::{Append, AppendError, Store, WriteError};

use crate::home::{FRAME, charge, finished, intent, open, run_id, started, started_op};

fn must_be_send<T: Send>(value: T) -> T {
    value
}

async fn model_call(store: &Store, run: domain::RunId) {
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
    must_be_send(store.append(run, None, events, vec![frame, answer]))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_recorded_reads_back_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let run = started(&store).await;
    model_call(&store, run).await;
    let before = must_be_send(store.load(run)).await.unwrap().unwrap();
    store.close().await;

    let store = open(home.path()).await;
    assert_eq!(store.load(run).await.unwrap().unwrap(), before);
    assert_eq!(before.state(), RunState::Running);
    let ops = store.ops(run, OpId(1), 10).await.unwrap();
    assert_eq!(ops[0].state, OpState::Finished);
    assert_eq!(ops[0].reasoning.as_deref(), Some("I look."));
    assert_eq!(ops[0].cost, before.spent.settled.into());
    assert_eq!(store.messages(run, 1).await.unwrap().len(), 1);
    let stretch = store.messages_in(run, 1..9).await.unwrap();
    let names: Vec<_> = stretch.into_iter().map(|m| m.text).collect();
    let contents = store.blobs(&names).await.unwrap();
    assert_eq!(contents.len(), 1);
    assert_eq!(contents[0], store.blob(&names[0]).await.unwrap());
    assert!(store.messages_in(run, 0..0).await.unwrap().is_empty());
    let events = must_be_send(store.events_after(0, 100, None))
        .await
        .unwrap();
    assert_eq!(events.len() as u64, store.last_gseq());
    let prefix = &run.to_string()[..13];
    assert_eq!(store.find_runs(prefix, 2).await.unwrap(), vec![run]);
}

#[tokio::test]
async fn a_refused_request_hurts_no_other_in_its_batch() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let runs = [
        started(&store).await,
        started(&store).await,
        started(&store).await,
    ];
    let good = |run| store.append(run, None, vec![Event::StepStarted { step: 1 }], Vec::new());
    let bad = store.append(
        runs[1],
        None,
        vec![
            Event::StepStarted { step: 1 },
            Event::StepStarted { step: 7 },
        ],
        Vec::new(),
    );
    let (first, refused, last) = tokio::join!(good(runs[0]), bad, good(runs[2]));
    assert!(matches!(refused, Err(AppendError::Illegal(_))));
    assert_eq!(first.unwrap().run.step, 1);
    assert_eq!(last.unwrap().run.step, 1);
    assert_eq!(store.load(runs[1]).await.unwrap().unwrap().step, 0);
    assert_eq!(good(runs[1]).await.unwrap().run.step, 1);
}

#[tokio::test]
async fn several_runs_are_recorded_together_or_not_at_all() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let (one, other) = (started(&store).await, started(&store).await);
    let step = |run, step| Append {
        run,
        expect_head: None,
        events: vec![Event::StepStarted { step }],
    };
    let refused = store
        .append_many(vec![step(one, 1), step(other, 9)], Vec::new())
        .await;
    assert!(matches!(refused, Err(AppendError::Illegal(_))));
    assert_eq!(store.load(one).await.unwrap().unwrap().step, 0);
}

#[tokio::test]
async fn stale_views_unknown_runs_and_missing_contents_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let run = started(&store).await;
    let step = || vec![Event::StepStarted { step: 1 }];
    let stale = store.append(run, Some(1), step(), Vec::new()).await;
    assert!(matches!(stale, Err(AppendError::Conflict { head: 3 })));
    let unknown = store.append(run_id(), None, step(), Vec::new()).await;
    assert!(matches!(unknown, Err(AppendError::Unknown(_))));
    let missing = vec![Event::Briefed {
        text: BlobRef::of(b"never stored"),
    }];
    let missing = store.append(run, None, missing, Vec::new()).await;
    assert!(matches!(missing, Err(AppendError::MissingBlob(_))));
}

#[tokio::test]
async fn a_superseded_owner_cannot_write_and_says_so() {
    let home = tempfile::tempdir().unwrap();
    let old = open(home.path()).await;
    let run = started(&old).await;
    let new = open(home.path()).await;
    let step = || vec![Event::StepStarted { step: 1 }];
    let fenced = old.append(run, None, step(), Vec::new()).await;
    assert!(matches!(
        fenced,
        Err(AppendError::Write(WriteError::Fenced))
    ));
    assert_eq!(old.broken().await, store::Broken::Fenced);
    assert_eq!(new.load(run).await.unwrap().unwrap().step, 0);
    assert_eq!(
        new.append(run, None, step(), Vec::new())
            .await
            .unwrap()
            .run
            .step,
        1
    );
}

#[tokio::test]
async fn a_review_is_requested_once() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let (run, other) = (started(&store).await, started(&store).await);
    let id = ReviewId(uuid::Uuid::new_v4());
    let ask = || Event::ReviewRequested {
        review: Box::new(question(run, id)),
    };
    let withdraw = Event::ReviewWithdrawn {
        review: id,
        why: "over".to_owned(),
    };
    store
        .append(run, None, vec![ask(), withdraw], Vec::new())
        .await
        .unwrap();
    let step = store.append(
        other,
        None,
        vec![Event::StepStarted { step: 1 }],
        Vec::new(),
    );
    let (refused, recorded) = tokio::join!(store.append(run, None, vec![ask()], Vec::new()), step);
    assert!(matches!(refused, Err(AppendError::Repeated(found)) if found == id));
    recorded.unwrap();
}

fn question(run: domain::RunId, id: ReviewId) -> Review {
    Review {
        id,
        run,
        op: None,
        kind: ReviewKind::Question,
        title: "which one?".to_owned(),
        why: String::new(),
        detail: String::new(),
        rule_id: None,
        always: false,
        detail_blob: None,
        choices: vec![Choice::new("this", "This", "")],
        digest: None,
        subject: None,
        requested_at: Timestamp(0),
        asked_again_at: None,
        snoozed_until: None,
        state: ReviewState::Open,
    }
}
