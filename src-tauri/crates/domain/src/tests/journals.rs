//! Random legal journals. Each is grown by offering the fold many events and
//! keeping those it takes, so that the generator knows no rules of its own.

use proptest::prelude::*;
use uuid::Uuid;

use crate::*;

pub(super) fn blob(text: &str) -> BlobRef {
    BlobRef::of(text.as_bytes())
}

pub(super) fn task() -> Task {
    Task {
        title: "mend the test".to_owned(),
        prompt: blob("mend the test"),
        project: "/p".to_owned(),
        backend: "mine".to_owned(),
        kind: BackendKind::Anthropic,
        model: Some("claude-sonnet-5-5".to_owned()),
        workspace: WorkspaceMode::Clone,
        policy: Preset::Balanced,
        verify: None,
        budget: Budget::default(),
        fallback: Vec::new(),
        priority: 0,
        after: None,
        fork: None,
    }
}

pub(super) fn run_id() -> RunId {
    RunId(Uuid::from_u128(7))
}

pub(super) fn review_id(n: u8) -> ReviewId {
    ReviewId(Uuid::from_u128(100 + u128::from(n)))
}

pub(super) fn review(n: u8, op: Option<OpId>) -> Box<Review> {
    Box::new(Review {
        id: review_id(n),
        run: run_id(),
        op,
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
        digest: op.map(|_| Digest::of("shell", b"{}")),
        subject: None,
        requested_at: Timestamp(0),
        asked_again_at: None,
        snoozed_until: None,
        state: ReviewState::Open,
    })
}

pub(super) fn intent(op: OpId, kind: OpKind, class: OpClass) -> Event {
    Event::OpIntended {
        op,
        step: 1,
        op_kind: kind,
        name: "shell".to_owned(),
        class,
        mode: OpMode::Gated,
        call_id: Some(format!("toolu_{}", op.0)),
        args: blob("{}"),
        digest: Digest::of("shell", b"{}"),
        summary: "make".to_owned(),
        decision: Decision {
            verdict: Verdict::Allow,
            rule: "test".to_owned(),
            rule_id: None,
        },
        reserve: NanoUsd(10),
        request: None,
    }
}

pub(super) fn answer(choice: &str) -> Answer {
    Answer {
        choice: choice.to_owned(),
        note: None,
        by: "test".to_owned(),
        at: Timestamp(0),
        max_cost: None,
        effective_at: None,
        edit: None,
    }
}

pub(super) fn charge(nanos: i64, figure: Figure) -> Box<Charge> {
    Box::new(Charge {
        model: "claude-sonnet-5-5".to_owned(),
        tokens: Tokens {
            input: 3,
            output: 5,
            ..Tokens::default()
        },
        cost: Some(NanoUsd(nanos)),
        figure,
        request_id: None,
        price_book: None,
        parts: Vec::new(),
        raw: serde_json::Value::Null,
        requests: 1,
    })
}

/// An approval of `echo b` in the place of what was asked for.
pub(super) fn edit() -> Box<Edit> {
    Box::new(Edit {
        of: Digest::of("shell", b"{}"),
        args: blob("echo b"),
        digest: Digest::of("shell", b"echo b"),
        summary: "$ echo b".to_owned(),
        told: "echo b".to_owned(),
    })
}

/// One of few reviews, so that the dice meet the same one more than once.
fn some_review(n: u8) -> ReviewId {
    review_id(n % 4)
}

/// One offer to the fold at `at`, from two dice.
fn offer(run: &Run, kind: u8, n: u8, at: Timestamp) -> Event {
    let some_op = run
        .open_ops
        .keys()
        .nth(usize::from(n) % run.open_ops.len().max(1))
        .copied()
        .unwrap_or(OpId(n.into()));
    let error = OpError {
        kind: OpErrorKind::Cut,
        message: "cut".to_owned(),
        retry_at: None,
    };
    match kind % 34 {
        0 => Event::Queued {
            reason: QueueReason::Resumed,
        },
        1 => Event::Started {
            backend: "mine".to_owned(),
            model: None,
        },
        2 => Event::StepStarted { step: run.step + 1 },
        3 => Event::MessageAdded {
            origin: MessageOrigin::User,
            text: blob("go on"),
        },
        4 => intent(run.next_op(), OpKind::Model, OpClass::Pure),
        5 => intent(run.next_op(), OpKind::Tool, OpClass::AtMostOnce),
        6 | 7 => Event::OpStarted {
            op: some_op,
            keeper: None,
            plan: None,
        },
        8 => Event::OpRetried {
            op: some_op,
            error,
            next_at: Timestamp(9),
            charge: Some(charge(7, Figure::Unsettled)),
        },
        9 | 10 => Event::OpFinished {
            op: some_op,
            outcome: if n.is_multiple_of(2) {
                OpOutcome::Ok
            } else {
                OpOutcome::Error
            },
            result: blob("result"),
            full: None,
            summary: String::new(),
            charge: Some(charge(i64::from(n), Figure::Priced)),
            stop: None,
        },
        11 => Event::OpFailed {
            op: some_op,
            error,
            result: None,
            charge: None,
        },
        12 => Event::OpSettled {
            op: some_op,
            settlement: Settlement::Again,
            charge: None,
        },
        13 => Event::OpSettled {
            op: some_op,
            settlement: Settlement::InDoubt {
                evidence: "crash".to_owned(),
            },
            charge: None,
        },
        14 => Event::ReviewRequested {
            review: review(n % 4, Some(some_op)),
        },
        15 | 27 => Event::ReviewDecided {
            review: some_review(n),
            answer: Answer {
                effective_at: (kind % 32 == 27).then(|| at.plus_ms(i64::from(n))),
                edit: n.is_multiple_of(3).then(edit),
                ..answer("approve")
            },
        },
        16 | 28 => Event::ReviewUsed {
            review: some_review(n),
        },
        29 => Event::ReviewReopened {
            review: some_review(n),
            by: "test".to_owned(),
        },
        30 => Event::ReviewExpired {
            review: some_review(n),
            after_ms: i64::from(n),
        },
        31 => Event::ReviewAskedAgain {
            review: some_review(n),
        },
        17 if n < 64 => Event::ReviewWithdrawn {
            review: some_review(n),
            why: "over".to_owned(),
        },
        18 => Event::WaitBegan {
            cause: WaitCause::RateLimit,
            until: None,
            detail: "429".to_owned(),
        },
        19 => Event::WaitEnded {
            cause: WaitCause::RateLimit,
        },
        20 => Event::Paused {
            by: "test".to_owned(),
        },
        21 => Event::Interrupted {
            cause: InterruptCause::DaemonDied,
            detail: "gone".to_owned(),
            last_alive: Timestamp(i64::from(n)),
        },
        22 => Event::CheckpointTaken {
            checkpoint: CheckpointId(run.next_checkpoint()),
            step: run.step,
            snapshot: "abc".to_owned(),
            messages: run.messages,
        },
        23 => Event::VerifyStarted,
        24 => Event::VerifyEnded {
            passed: OpOutcome::Error,
        },
        25 if n > 200 => Event::Completed {
            result: blob("done"),
        },
        32 => Event::CallSent {
            op: OpId(1),
            call: run.calls_sent + u32::from(n % 3),
            api: "messages".to_owned(),
            model: "claude-sonnet-5-5".to_owned(),
            reserve: NanoUsd(i64::from(n)),
        },
        33 => Event::CallEnded {
            op: OpId(1),
            call: run.calls.keys().next().copied().unwrap_or(1),
            end: CallEnd::Answered,
            status: Some(200),
            detail: String::new(),
            charge: Some(charge(i64::from(n), Figure::Priced)),
        },
        26 if n > 220 => Event::Failed {
            cause: FailCause::Backend,
            message: "no".to_owned(),
            partial: None,
        },
        _ => Event::Noted {
            text: "…".to_owned(),
        },
    }
}

/// A journal grown from dice: what the fold took of what was offered.
pub(super) fn grow(dice: &[(u8, u8)]) -> Vec<Entry> {
    let created = Event::RunCreated {
        run: run_id(),
        task: Box::new(task()),
    };
    let mut entries = vec![Entry {
        seq: 1,
        at: Timestamp(0),
        event: created,
    }];
    let mut run = Run::begin(&entries[0]).unwrap();
    for (index, (kind, n)) in dice.iter().enumerate() {
        let at = Timestamp(i64::try_from(index).unwrap() * 10);
        let entry = Entry {
            seq: run.head + 1,
            at,
            event: offer(&run, *kind, *n, at),
        };
        if run.apply(&entry).is_ok() {
            entries.push(entry);
        }
    }
    entries
}

fn dice() -> impl Strategy<Value = Vec<(u8, u8)>> {
    proptest::collection::vec((any::<u8>(), any::<u8>()), 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_prefix_of_a_legal_journal_folds_to_what_growing_it_gave(dice in dice()) {
        let entries = grow(&dice);
        let mut grown = Run::begin(&entries[0]).unwrap();
        for end in 1..=entries.len() {
            if end > 1 {
                grown.apply(&entries[end - 1]).unwrap();
            }
            if end % 17 == 0 || end == entries.len() {
                let folded = Run::fold(&entries[..end]).unwrap().unwrap();
                prop_assert_eq!(&folded, &grown);
            }
        }
    }

    #[test]
    fn a_fold_survives_being_stored_and_goes_on_from_there(dice in dice(), cut in any::<prop::sample::Index>()) {
        let entries = grow(&dice);
        let cut = cut.index(entries.len()) + 1;
        let first = Run::fold(&entries[..cut]).unwrap().unwrap();
        let text = serde_json::to_string(&first).unwrap();
        let mut resumed: Run = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&resumed, &first);
        for entry in &entries[cut..] {
            resumed.apply(entry).unwrap();
        }
        prop_assert_eq!(Some(resumed), Run::fold(&entries).unwrap());
    }

    #[test]
    fn every_event_reads_back_from_its_stored_parts(dice in dice()) {
        for entry in grow(&dice) {
            let (kind, payload) = entry.event.to_parts();
            prop_assert_eq!(Event::from_parts(&kind, &payload).unwrap(), entry.event);
        }
    }

    #[test]
    fn totals_are_the_sums_of_the_charges(dice in dice()) {
        let entries = grow(&dice);
        let run = Run::fold(&entries).unwrap().unwrap();
        let sum = |figure| entries.iter().filter_map(|e| e.event.charge()).filter(|c| c.figure == figure)
            .filter_map(|c| c.cost).sum::<NanoUsd>();
        prop_assert_eq!(run.spent.settled, sum(Figure::Priced));
        prop_assert_eq!(run.spent.unsettled, sum(Figure::Unsettled));
    }

    #[test]
    fn a_run_at_rest_or_over_never_has_active_time_counted(dice in dice(), later in 1_000_i64..1_000_000) {
        let entries = grow(&dice);
        let mut run = Run::fold(&entries).unwrap().unwrap();
        let before = run.spent.active_ms;
        let counted = matches!(run.state(), RunState::Running | RunState::Verifying);
        let at = run.last_at.plus_ms(later);
        run.apply(&Entry { seq: run.head + 1, at, event: Event::Noted { text: "later".to_owned() } }).unwrap();
        prop_assert_eq!(run.spent.active_ms - before, if counted { later } else { 0 });
    }

    #[test]
    fn a_decision_is_used_once_in_its_time_and_for_its_arguments(dice in dice()) {
        let mut decided = std::collections::BTreeMap::new();
        let entries = grow(&dice);
        let mut run = Run::begin(&entries[0]).unwrap();
        for entry in &entries[1..] {
            let before = run.clone();
            run.apply(entry).unwrap();
            match &entry.event {
                Event::ReviewDecided { review, answer } => {
                    prop_assert!(decided.insert(*review, answer.clone()).is_none(), "decided twice");
                }
                Event::ReviewReopened { review, .. } => {
                    let undone = decided.remove(review).expect("only a decision is undone");
                    prop_assert!(entry.at < undone.effective_at.expect("only with time to undo it"));
                    prop_assert!(run.reviews[review].is_open());
                }
                Event::ReviewUsed { review } => {
                    let used = decided.remove(review).expect("only a decision is used, and once");
                    prop_assert!(used.effective_at.is_none_or(|from| from <= entry.at));
                    let Some(op) = before.reviews[review].op else { continue };
                    let Some(was) = before.open_ops.get(&op) else { continue };
                    let now = &run.open_ops[&op];
                    prop_assert_eq!(Some(&was.digest), before.reviews[review].digest.as_ref());
                    prop_assert_eq!(&now.digest, used.edit.as_ref().map_or(&was.digest, |e| &e.digest));
                    prop_assert_eq!(&now.args, used.edit.as_ref().map_or(&was.args, |e| &e.args));
                }
                Event::ReviewWithdrawn { review, .. } => {
                    decided.remove(review);
                }
                Event::ReviewExpired { review, after_ms } => {
                    prop_assert!(!decided.contains_key(review), "what was decided does not expire");
                    let since = before.reviews[review].waits_since();
                    prop_assert!(since.plus_ms(*after_ms) <= entry.at, "not before its time");
                }
                Event::ReviewAskedAgain { review } => {
                    prop_assert!(run.reviews[review].is_open());
                    prop_assert_eq!(run.reviews[review].waits_since(), entry.at);
                }
                Event::Queued { .. } => {
                    let expired = |r: &crate::Review| r.state == crate::ReviewState::Expired;
                    prop_assert!(!run.reviews.values().any(expired), "goes on unasked");
                }
                Event::OpStarted { op, .. } => {
                    prop_assert!(before.review_of(*op).is_none(), "begun before its decision was used");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_refused_event_changes_nothing(dice in dice(), kind in any::<u8>(), n in any::<u8>()) {
        let entries = grow(&dice);
        let run = Run::fold(&entries).unwrap().unwrap();
        let mut offered = run.clone();
        let entry = Entry { seq: run.head + 1, at: run.last_at, event: offer(&run, kind, n, run.last_at) };
        if offered.apply(&entry).is_err() {
            prop_assert_eq!(offered, run);
        }
    }
}
