//! Random legal journals, recorded in random batches: what is read back is what
//! was offered, however it was cut, and every row is what the journal says.

use std::collections::HashSet;

use bytes::Bytes;
use domain::{
    Answer, BlobRef, CheckpointId, Choice, Entry, Event, FailCause, InterruptCause, MessageOrigin,
    OpError, OpErrorKind, OpId, OpKind, OpOutcome, QueueReason, Review, ReviewId, ReviewKind,
    ReviewState, Run, RunId, Settlement, Timestamp, WaitCause,
};
use proptest::prelude::*;
use store::{Append, Store};
use uuid::Uuid;

use crate::home::{FRAME, charge, finished, intent, open, run_id, started_op, task};

const PROMPT: &[u8] = b"Mend the parser.";

fn review_id(run: RunId, n: u8) -> ReviewId {
    ReviewId(Uuid::from_u128(run.0.as_u128() ^ u128::from(n % 16)))
}

fn review(run: RunId, n: u8, op: OpId) -> Box<Review> {
    Box::new(Review {
        id: review_id(run, n),
        run,
        op: Some(op),
        kind: ReviewKind::ToolCall,
        title: "may it?".to_owned(),
        why: "the rule".to_owned(),
        detail: String::new(),
        rule_id: None,
        always: false,
        detail_blob: None,
        choices: vec![
            Choice::new("approve", "Approve", ""),
            Choice::new("reject", "Reject", ""),
        ],
        digest: None,
        subject: n.is_multiple_of(3).then(|| "key".to_owned()),
        requested_at: Timestamp(i64::from(n)),
        asked_again_at: None,
        snoozed_until: None,
        state: ReviewState::Open,
    })
}

/// What is offered, and the contents it names.
type Offer = (Event, Vec<Bytes>);

/// One offer to the fold, from two dice.
fn offer(run: &Run, kind: u8, n: u8) -> Offer {
    let some_op = run
        .open_ops
        .keys()
        .nth(usize::from(n) % run.open_ops.len().max(1))
        .copied()
        .unwrap_or(OpId(n.into()));
    let said = Bytes::from(format!(
        r#"[{{"type":"text","text":"said {n}"}},{{"type":"tool_use","input":{{"path":"part {n}"}}}}]"#
    ));
    let args = Bytes::from(format!(r#"{{"path":"part {n}"}}"#));
    let frame = Bytes::from_static(FRAME);
    let text = BlobRef::of(&said);
    let error = OpError {
        kind: OpErrorKind::Cut,
        message: "cut".to_owned(),
        retry_at: None,
    };
    let charged = || Some(charge(u64::from(n)));
    let plain = |event| (event, Vec::new());
    match kind % 26 {
        0 => plain(Event::Queued {
            reason: QueueReason::Resumed,
        }),
        1 => plain(Event::Started {
            backend: format!("mine {}", n % 3),
            model: None,
        }),
        2 => plain(Event::StepStarted { step: run.step + 1 }),
        3 => (
            Event::MessageAdded {
                origin: MessageOrigin::User,
                text,
            },
            vec![said],
        ),
        4 => (
            intent(run.next_op().0, run.step, OpKind::Model, &frame),
            vec![frame],
        ),
        5 | 6 => (
            intent(run.next_op().0, run.step, OpKind::Tool, &args),
            vec![args],
        ),
        7 | 8 => plain(started_op(some_op.0)),
        9 => plain(Event::OpRetried {
            op: some_op,
            error,
            next_at: Timestamp(9),
            charge: charged().map(Box::new),
        }),
        10..=12 => (finished(some_op.0, &said, charged()), vec![said]),
        13 => (
            Event::OpFailed {
                op: some_op,
                error,
                result: n.is_multiple_of(2).then_some(text),
                charge: None,
            },
            vec![said],
        ),
        14 => plain(Event::OpSettled {
            op: some_op,
            settlement: Settlement::Again,
            charge: None,
        }),
        15 => plain(Event::OpSettled {
            op: some_op,
            settlement: Settlement::InDoubt {
                evidence: "crash".to_owned(),
            },
            charge: None,
        }),
        16 => plain(Event::ReviewRequested {
            review: review(run.id, n % 16, some_op),
        }),
        17 => plain(Event::ReviewDecided {
            review: review_id(run.id, n),
            answer: Answer {
                choice: "approve".to_owned(),
                note: None,
                by: "test".to_owned(),
                at: Timestamp(0),
                max_cost: None,
                effective_at: n.is_multiple_of(2).then_some(Timestamp(i64::MAX)),
                edit: None,
            },
        }),
        25 if n.is_multiple_of(2) => plain(Event::ReviewReopened {
            review: review_id(run.id, n),
            by: "test".to_owned(),
        }),
        18 => plain(Event::ReviewUsed {
            review: review_id(run.id, n),
        }),
        19 => plain(Event::ReviewWithdrawn {
            review: review_id(run.id, n),
            why: "over".to_owned(),
        }),
        20 => plain(match n % 2 {
            0 => Event::WaitBegan {
                cause: WaitCause::RateLimit,
                until: Some(Timestamp(n.into())),
                detail: "429".to_owned(),
            },
            _ => Event::WaitEnded {
                cause: WaitCause::RateLimit,
            },
        }),
        21 => plain(match n % 2 {
            0 => Event::Paused {
                by: "test".to_owned(),
            },
            _ => Event::Interrupted {
                cause: InterruptCause::DaemonDied,
                detail: "gone".to_owned(),
                last_alive: run.last_at,
            },
        }),
        22 => plain(Event::CheckpointTaken {
            checkpoint: CheckpointId(run.next_checkpoint()),
            step: run.step,
            snapshot: "00ff".repeat(10),
            messages: run.messages,
        }),
        23 => plain(match n % 2 {
            0 => Event::VerifyStarted,
            _ => Event::VerifyEnded {
                passed: OpOutcome::Error,
            },
        }),
        24 if n > 220 => plain(Event::Failed {
            cause: FailCause::Backend,
            message: "no".to_owned(),
            partial: None,
        }),
        _ => plain(Event::Noted {
            text: format!("note {n} é"),
        }),
    }
}

/// What the fold took of what was offered.
fn grow(id: RunId, dice: &[(u8, u8)]) -> Vec<Offer> {
    let prompt = Bytes::from_static(PROMPT);
    let created = Event::RunCreated {
        run: id,
        task: Box::new(task(&prompt)),
    };
    let entry = |seq, event| Entry {
        seq,
        at: Timestamp(0),
        event,
    };
    let mut run = Run::begin(&entry(1, created.clone())).unwrap();
    let mut taken = vec![(created, vec![prompt])];
    let mut requested = HashSet::new();
    for (kind, n) in dice {
        let (event, blobs) = offer(&run, *kind, *n);
        if let Event::ReviewRequested { review } = &event
            && !requested.insert(review.id)
        {
            continue;
        }
        if run.apply(&entry(run.head + 1, event.clone())).is_ok() {
            taken.push((event, blobs));
        }
    }
    taken
}

/// Records two journals side by side, cut as the dice say, restarting in between.
async fn record(runs: [(RunId, Vec<Offer>); 2], cuts: &[u8]) {
    let home = tempfile::tempdir().unwrap();
    let mut store = open(home.path()).await;
    let mut rest = runs.clone();
    let mut cuts = cuts.iter().cycle();
    while rest.iter().any(|(_, offers)| !offers.is_empty()) {
        let mut next = || usize::from(*cuts.next().unwrap());
        let (mut appends, mut blobs) = (Vec::new(), Vec::new());
        for (run, offers) in &mut rest {
            let end = (next() % 9).min(offers.len());
            let part: Vec<Offer> = offers.drain(..end).collect();
            let (events, contents): (Vec<_>, Vec<_>) = part.into_iter().unzip();
            blobs.extend(contents.concat());
            if !events.is_empty() {
                appends.push(Append {
                    run: *run,
                    expect_head: None,
                    events,
                });
            }
        }
        if !appends.is_empty() {
            store.append_many(appends, blobs).await.unwrap();
        }
        if next() > 240 {
            store.close().await;
            store = open(home.path()).await;
        }
    }
    for (run, offers) in &runs {
        reads_back(&store, *run, offers).await;
    }
    let warm = store.load(runs[0].0).await.unwrap();
    store.close().await;
    let store = open(home.path()).await;
    assert_eq!(store.load(runs[0].0).await.unwrap(), warm);
    store.close().await;
    let report = store::doctor(home.path()).await;
    assert!(report.ok(), "{report:#?}");
}

async fn reads_back(store: &Store, run: RunId, offers: &[Offer]) {
    let stored = store.journal(run, 1, 10_000).await.unwrap();
    let entries: Vec<Entry> = stored.into_iter().map(|stored| stored.entry).collect();
    let events: Vec<&Event> = entries.iter().map(|entry| &entry.event).collect();
    let offered: Vec<&Event> = offers.iter().map(|(event, _)| event).collect();
    assert_eq!(events, offered);
    let folded = Run::fold(&entries).unwrap();
    assert_eq!(store.load(run).await.unwrap(), folded);
    for (_, blobs) in offers {
        for bytes in blobs {
            assert_eq!(store.blob(&BlobRef::of(bytes)).await.unwrap(), *bytes);
        }
    }
    let messages = store.messages(run, 0).await.unwrap();
    assert_eq!(messages.len() as u32, folded.map_or(0, |run| run.messages));
}

fn dice() -> impl Strategy<Value = Vec<(u8, u8)>> {
    proptest::collection::vec((any::<u8>(), any::<u8>()), 0..500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_reads_back_however_it_was_cut(one in dice(), other in dice(), cuts in proptest::collection::vec(any::<u8>(), 1..60)) {
        // A cut of nothing but zeros would never end.
        let cuts = [cuts, vec![8, 7, 1]].concat();
        let ids = [run_id(), run_id()];
        let runs = [(ids[0], grow(ids[0], &one)), (ids[1], grow(ids[1], &other))];
        tokio::runtime::Runtime::new().unwrap().block_on(record(runs, &cuts));
    }
}
