//! Leases: no two valid tokens on folders that overlap, whoever takes, beats, sleeps
//! or comes back when.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::{Clock, RunId, Timestamp};
use proptest::prelude::*;
use store::{Lease, LeasePurpose, LeaseToken, LeaseWish, Store, StoreConfig, Taken, overlaps};

use crate::home::{run_id, started};

/// Milliseconds after which a lease in these tests is stale.
const STALE: i64 = 1_000;

/// A clock that stands still until it is moved.
#[derive(Debug)]
struct Still(AtomicI64);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

async fn open(home: &std::path::Path) -> (Store, Arc<Still>) {
    let clock = Arc::new(Still(AtomicI64::new(1_764_000_000_000)));
    let config = StoreConfig {
        home: home.to_owned(),
        clock: clock.clone(),
    };
    (Store::open(config).await.unwrap(), clock)
}

async fn take(store: &Store, run: RunId, scope: &str) -> Taken {
    let wish = LeaseWish {
        scope: scope.to_owned(),
        run,
        purpose: LeasePurpose::InPlace,
        stale_after_ms: STALE,
    };
    store.take_lease(wish).await.unwrap()
}

async fn held(store: &Store, run: RunId, scope: &str) -> Lease {
    match take(store, run, scope).await {
        Taken::Held { lease, .. } => lease,
        Taken::Busy(holder) => panic!("{scope} is held: {holder:?}"),
    }
}

async fn holds(store: &Store, token: LeaseToken) -> bool {
    !store.beat_leases(vec![token]).await.unwrap().is_empty()
}

#[tokio::test]
async fn a_folder_is_one_runs_until_it_gives_it_back() {
    let home = tempfile::tempdir().unwrap();
    let (store, _) = open(home.path()).await;
    let (one, other) = (run_id(), run_id());
    let lease = held(&store, one, "/p/app").await;
    for scope in ["/p/app", "/p", "/", "/p/app/src"] {
        assert_eq!(take(&store, other, scope).await, Taken::Busy(lease.clone()));
    }
    held(&store, other, "/p/application").await;
    store.release_leases(vec![lease.token]).await.unwrap();
    assert!(!holds(&store, lease.token).await);
    let next = held(&store, other, "/p/app/src").await;
    assert!(next.token > lease.token);
}

#[tokio::test]
async fn a_stale_lease_is_taken_over_and_its_token_holds_no_more() {
    let home = tempfile::tempdir().unwrap();
    let (store, clock) = open(home.path()).await;
    let (one, other) = (run_id(), run_id());
    let old = held(&store, one, "/p").await;
    clock.0.fetch_add(STALE - 1, Ordering::SeqCst);
    assert!(matches!(take(&store, other, "/p/x").await, Taken::Busy(_)));
    clock.0.fetch_add(1, Ordering::SeqCst);
    let Taken::Held { fenced, .. } = take(&store, other, "/p/x").await else {
        panic!("it was not heard of for long enough")
    };
    assert_eq!(fenced, std::slice::from_ref(&old));
    assert!(!holds(&store, old.token).await, "it was fenced");
}

#[tokio::test]
async fn a_holder_that_wakes_and_beats_first_keeps_its_lease() {
    let home = tempfile::tempdir().unwrap();
    let (store, clock) = open(home.path()).await;
    let lease = held(&store, run_id(), "/p").await;
    clock.0.fetch_add(100 * STALE, Ordering::SeqCst);
    assert!(holds(&store, lease.token).await);
    assert!(matches!(take(&store, run_id(), "/p").await, Taken::Busy(_)));
    clock.0.fetch_sub(500 * STALE, Ordering::SeqCst);
    let back = take(&store, run_id(), "/p").await;
    assert!(matches!(back, Taken::Busy(_)), "a clock set back: {back:?}");
}

#[tokio::test]
async fn leases_and_their_numbers_outlive_the_daemon() {
    let home = tempfile::tempdir().unwrap();
    let (store, _) = open(home.path()).await;
    let (one, other) = (run_id(), run_id());
    let gone = held(&store, one, "/gone").await;
    store.release_leases(vec![gone.token]).await.unwrap();
    store.close().await;
    let (store, _) = open(home.path()).await;
    let mine = held(&store, one, "/p").await;
    assert!(mine.token > gone.token, "a token is never given twice");
    store.close().await;
    let (store, _) = open(home.path()).await;
    assert_eq!(store.leases().await.unwrap(), std::slice::from_ref(&mine));
    assert_eq!(take(&store, other, "/p").await, Taken::Busy(mine.clone()));
    let again = held(&store, one, "/p").await;
    assert!(again.token > mine.token);
    assert!(!holds(&store, mine.token).await, "one lease, one token");
}

#[tokio::test]
async fn doctor_names_a_lease_nobody_will_use() {
    let home = tempfile::tempdir().unwrap();
    let (store, _) = open(home.path()).await;
    let run = started(&store).await;
    held(&store, run, "/p").await;
    let locks = |report: store::Report| {
        let found = report.checks.into_iter().find(|c| c.name == "locks");
        found.unwrap()
    };
    assert!(locks(store::doctor(home.path()).await).ok);
    let over = domain::Event::Cancelled {
        by: "test".to_owned(),
    };
    store
        .append(run, None, vec![over], Vec::new())
        .await
        .unwrap();
    let check = locks(store::doctor(home.path()).await);
    assert!(
        !check.ok && check.detail.contains("/p is held"),
        "{check:?}"
    );
}

#[derive(Clone, Debug)]
enum Act {
    Take { run: usize, scope: usize },
    Beat { token: usize },
    Release { token: usize },
    Pass { ms: i64 },
}

const SCOPES: [&str; 7] = ["/", "/a", "/a/b", "/a/bc", "/a/b/c", "/d", "/d/e"];

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..4_usize, 0..SCOPES.len()).prop_map(|(run, scope)| Act::Take { run, scope }),
        3 => (0..40_usize).prop_map(|token| Act::Beat { token }),
        1 => (0..40_usize).prop_map(|token| Act::Release { token }),
        3 => (1..STALE * 2).prop_map(|ms| Act::Pass { ms }),
    ];
    prop::collection::vec(act, 1..60)
}

/// What must hold, written down a second time.
#[derive(Default)]
struct Model {
    leases: Vec<(usize, usize, i64, LeaseToken)>,
    given: Vec<LeaseToken>,
}

impl Model {
    /// Whether the wish is granted.
    fn takes(&mut self, run: usize, scope: usize, now: i64) -> bool {
        let meets = |other: usize| overlaps(SCOPES[scope], SCOPES[other]);
        let blocks = self
            .leases
            .iter()
            .any(|(r, s, beat, _)| meets(*s) && *r != run && now - beat < STALE);
        if !blocks {
            self.leases.retain(|(_, s, ..)| !meets(*s));
        }
        !blocks
    }
}

async fn play(acts: Vec<Act>) {
    let home = tempfile::tempdir().unwrap();
    let (store, clock) = open(home.path()).await;
    let runs: Vec<RunId> = (0..4).map(|_| run_id()).collect();
    let mut model = Model::default();
    for act in acts {
        let now = clock.now().0;
        match act {
            Act::Take { run, scope } => {
                let granted = model.takes(run, scope, now);
                match take(&store, runs[run], SCOPES[scope]).await {
                    Taken::Held { lease, .. } => {
                        assert!(granted, "two hold {}", SCOPES[scope]);
                        assert!(model.given.iter().all(|before| *before < lease.token));
                        model.given.push(lease.token);
                        model.leases.push((run, scope, now, lease.token));
                    }
                    Taken::Busy(holder) => assert!(!granted, "free, but {holder:?}"),
                }
            }
            Act::Beat { token } => {
                let Some(token) = model.given.get(token).copied() else {
                    continue;
                };
                let lease = model.leases.iter_mut().find(|(.., t)| *t == token);
                let expected = lease.map(|(_, _, beat, _)| *beat = now).is_some();
                assert_eq!(holds(&store, token).await, expected, "{token:?}");
            }
            Act::Release { token } => {
                if let Some(token) = model.given.get(token).copied() {
                    store.release_leases(vec![token]).await.unwrap();
                    model.leases.retain(|(.., t)| *t != token);
                }
            }
            Act::Pass { ms } => {
                clock.0.fetch_add(ms, Ordering::SeqCst);
            }
        }
        let listed = store.leases().await.unwrap();
        let tokens: Vec<_> = listed.iter().map(|lease| lease.token).collect();
        let expected: Vec<_> = model.leases.iter().map(|(.., token)| *token).collect();
        assert_eq!(tokens, expected);
        for (n, one) in listed.iter().enumerate() {
            for other in &listed[n + 1..] {
                assert!(!overlaps(&one.scope, &other.scope), "{listed:#?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_two_valid_tokens_on_folders_that_overlap(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(acts));
    }
}
