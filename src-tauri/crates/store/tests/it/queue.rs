//! The review queue and its history, as lists.

use domain::{Answer, Choice, Event, Review, ReviewId, ReviewKind, ReviewState, RunId, Timestamp};
use store::{PutOff, ReviewFilter, ReviewOrder, ReviewStatus, Snoozed, Store};
use uuid::Uuid;

use crate::home::{open, run_id, started};

fn id(n: u8) -> ReviewId {
    ReviewId(Uuid::from_u128(u128::from(n)))
}

fn asked(run: RunId, n: u8, at: i64) -> Event {
    Event::ReviewRequested {
        review: Box::new(Review {
            id: id(n),
            run,
            op: None,
            kind: ReviewKind::Doubt,
            title: "shall it?".to_owned(),
            why: String::new(),
            detail: String::new(),
            rule_id: None,
            always: false,
            detail_blob: None,
            choices: vec![
                Choice::new("approve", "", ""),
                Choice::new("reject", "", ""),
            ],
            digest: None,
            subject: Some(format!("subject {n}")),
            requested_at: Timestamp(at),
            asked_again_at: None,
            snoozed_until: None,
            state: ReviewState::Open,
        }),
    }
}

fn decided(n: u8, effective_at: i64) -> Event {
    Event::ReviewDecided {
        review: id(n),
        answer: Answer {
            choice: "approve".to_owned(),
            note: None,
            by: "test".to_owned(),
            at: Timestamp(0),
            max_cost: None,
            effective_at: Some(Timestamp(effective_at)),
            edit: None,
        },
    }
}

async fn listed(store: &Store, filter: &ReviewFilter) -> Vec<ReviewId> {
    let rows = store.reviews(filter).await.unwrap();
    rows.into_iter().map(|row| row.review.id).collect()
}

async fn record(store: &Store, run: RunId, events: Vec<Event>) {
    store.append(run, None, events, Vec::new()).await.unwrap();
}

#[tokio::test]
async fn a_history_is_paged_by_time_and_nothing_falls_between_two_pages() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let run = started(&store).await;
    // Calls of one step are asked about in the same millisecond.
    let times = [(1, 10), (2, 20), (3, 20), (4, 20), (5, 30), (6, 40)];
    let events = times.map(|(n, at)| asked(run, n, at)).to_vec();
    record(&store, run, events).await;
    let mut page = ReviewFilter {
        order: ReviewOrder::NewestFirst,
        limit: Some(3),
        ..ReviewFilter::default()
    };
    let first = listed(&store, &page).await;
    assert_eq!(first, [6, 5, 4, 3, 2].map(id), "the tied come along");
    page.before = Some(Timestamp(20));
    assert_eq!(listed(&store, &page).await, [id(1)]);
    let oldest = ReviewFilter {
        limit: Some(2),
        ..ReviewFilter::default()
    };
    assert_eq!(listed(&store, &oldest).await, [1, 2, 3, 4].map(id));
}

#[tokio::test]
async fn what_is_put_off_leaves_the_queue_and_comes_back_with_time() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let run = started(&store).await;
    let events = vec![
        asked(run, 1, 10),
        asked(run, 2, 20),
        Event::ReviewSnoozed {
            review: id(1),
            until: Timestamp(1000),
        },
    ];
    record(&store, run, events).await;
    let open_at = |snoozed| ReviewFilter {
        states: vec![ReviewStatus::Open],
        snoozed,
        ..ReviewFilter::default()
    };
    for (now, back, away) in [
        (999, vec![id(2)], vec![id(1)]),
        (1000, vec![id(1), id(2)], vec![]),
    ] {
        let now = Timestamp(now);
        assert_eq!(listed(&store, &open_at(Snoozed::Back(now))).await, back);
        assert_eq!(listed(&store, &open_at(Snoozed::Away(now))).await, away);
        let count = store.count_open_reviews(now).await.unwrap();
        assert_eq!(count, back.len() as u64);
    }
    let off = store.reviews_put_off(Some(run), Timestamp(999)).await;
    let next = Some(Timestamp(1000));
    assert_eq!(off.unwrap(), PutOff { count: 1, next });
    let off = store.reviews_put_off(Some(run_id()), Timestamp(999)).await;
    assert_eq!(
        off.unwrap(),
        PutOff::default(),
        "another run's are not meant"
    );
}

#[tokio::test]
async fn an_undone_decision_is_open_in_the_queue_again() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).await;
    let run = started(&store).await;
    let events = vec![asked(run, 1, 10), decided(1, i64::MAX)];
    record(&store, run, events).await;
    let row = store.review(id(1)).await.unwrap().unwrap();
    assert_eq!(row.status, ReviewStatus::Decided);
    assert_eq!(row.review.effective_at(), Some(Timestamp(i64::MAX)));
    let now = Timestamp(0);
    assert_eq!(store.count_open_reviews(now).await.unwrap(), 0);
    assert!(
        store.is_asked_about("subject 1").await.unwrap(),
        "not twice"
    );
    let undone = Event::ReviewReopened {
        review: id(1),
        by: "test".to_owned(),
    };
    record(&store, run, vec![undone]).await;
    let row = store.review(id(1)).await.unwrap().unwrap();
    assert_eq!(
        (row.status, row.review.is_open()),
        (ReviewStatus::Open, true)
    );
    assert_eq!(store.count_open_reviews(now).await.unwrap(), 1);
}
