//! What cannot follow.

use super::journals::*;
use crate::*;

fn started() -> Vec<Event> {
    vec![
        Event::RunCreated {
            run: run_id(),
            task: Box::new(task()),
        },
        Event::Queued {
            reason: QueueReason::New,
        },
        Event::Started {
            backend: "mine".to_owned(),
            model: None,
        },
    ]
}

fn fold(events: &[Event]) -> Result<Run, Illegal> {
    let entries: Vec<Entry> = (1..)
        .zip(events)
        .map(|(seq, event)| Entry {
            seq,
            at: Timestamp(i64::try_from(seq).unwrap()),
            event: event.clone(),
        })
        .collect();
    Ok(Run::fold(&entries)?.unwrap())
}

fn refused(before: &[Event], event: Event) -> bool {
    fold(before).expect("the beginning is legal");
    let mut events = before.to_vec();
    events.push(event);
    fold(&events).is_err()
}

#[test]
fn nothing_starts_twice_or_without_its_decision() {
    let mut events = started();
    events.push(intent(OpId(1), OpKind::Tool, OpClass::AtMostOnce));
    events.push(Event::ReviewRequested {
        review: review(1, Some(OpId(1))),
    });
    let start = Event::OpStarted {
        op: OpId(1),
        keeper: None,
        plan: None,
    };
    assert!(refused(&events, start.clone()), "nobody has decided");
    events.push(Event::ReviewDecided {
        review: review_id(1),
        answer: answer("approve"),
    });
    assert!(refused(&events, start.clone()), "the decision is not used");
    events.push(Event::ReviewUsed {
        review: review_id(1),
    });
    events.push(start.clone());
    assert!(refused(&events, start), "it has started");
}

#[test]
fn a_decision_is_made_once_used_once_and_one_of_the_choices() {
    let mut events = started();
    events.push(intent(OpId(1), OpKind::Tool, OpClass::AtMostOnce));
    events.push(Event::ReviewRequested {
        review: review(1, Some(OpId(1))),
    });
    let decide = |choice: &str| Event::ReviewDecided {
        review: review_id(1),
        answer: answer(choice),
    };
    assert!(refused(&events, decide("perhaps")));
    assert!(refused(
        &events,
        Event::ReviewUsed {
            review: review_id(1)
        }
    ));
    events.push(decide("reject"));
    assert!(refused(&events, decide("approve")));
    events.push(Event::ReviewUsed {
        review: review_id(1),
    });
    assert!(refused(
        &events,
        Event::ReviewUsed {
            review: review_id(1)
        }
    ));
}

/// A call that waits, and an approval that can be undone until 1000.
fn decided_with_grace() -> Vec<Event> {
    let mut events = started();
    events.push(intent(OpId(1), OpKind::Tool, OpClass::AtMostOnce));
    events.push(Event::ReviewRequested {
        review: review(1, Some(OpId(1))),
    });
    events.push(Event::ReviewDecided {
        review: review_id(1),
        answer: Answer {
            effective_at: Some(Timestamp(1000)),
            ..answer("approve")
        },
    });
    events
}

/// Whether `event` is refused at `at` after `before`.
fn refused_at(at: i64, before: &[Event], event: Event) -> bool {
    let mut run = fold(before).expect("the beginning is legal");
    let entry = Entry {
        seq: run.head + 1,
        at: Timestamp(at),
        event,
    };
    run.apply(&entry).is_err()
}

#[test]
fn a_decision_is_undone_before_its_time_and_used_from_then_on() {
    let events = decided_with_grace();
    let run = fold(&events).unwrap();
    assert_eq!(run.state(), RunState::Waiting, "nothing goes on meanwhile");
    assert_eq!(run.causes(), [WaitCause::Review]);
    let review = review_id(1);
    let by = "test".to_owned();
    let undo = Event::ReviewReopened { review, by };
    let used = Event::ReviewUsed { review };
    assert!(refused_at(999, &events, used.clone()));
    assert!(!refused_at(999, &events, undo.clone()));
    assert!(!refused_at(1000, &events, used));
    assert!(refused_at(1000, &events, undo.clone()));
    let mut undone = events.clone();
    undone.push(undo.clone());
    assert!(refused(&undone, undo), "undone once");
    let again = Event::ReviewDecided {
        review,
        answer: answer("reject"),
    };
    assert!(!refused(&undone, again), "and open again");
}

#[test]
fn a_decision_that_took_effect_at_once_is_not_undone() {
    let mut events = started();
    events.push(Event::ReviewRequested {
        review: review(1, None),
    });
    events.push(Event::ReviewDecided {
        review: review_id(1),
        answer: answer("approve"),
    });
    let undo = Event::ReviewReopened {
        review: review_id(1),
        by: "test".to_owned(),
    };
    assert!(refused(&events, undo));
}

#[test]
fn an_edit_is_an_approval_and_holds_for_the_arguments_it_replaces() {
    let mut events = started();
    events.push(intent(OpId(1), OpKind::Tool, OpClass::AtMostOnce));
    events.push(Event::ReviewRequested {
        review: review(1, Some(OpId(1))),
    });
    let decide = |choice: &str, edit: Box<Edit>| Event::ReviewDecided {
        review: review_id(1),
        answer: Answer {
            edit: Some(edit),
            ..answer(choice)
        },
    };
    let mut other = edit();
    other.of = Digest::of("shell", b"something else");
    assert!(refused(&events, decide("approve", other)));
    assert!(refused(&events, decide("reject", edit())));
    events.push(decide("approve", edit()));
    events.push(Event::ReviewUsed {
        review: review_id(1),
    });
    let run = fold(&events).unwrap();
    let op = &run.open_ops[&OpId(1)];
    assert_eq!((&op.args, &op.digest), (&edit().args, &edit().digest));
    assert_eq!(
        op.summary, "$ echo b",
        "a second try and a doubt are about it"
    );
}

#[test]
fn a_run_that_is_over_does_nothing_more_and_a_failed_one_can_be_resumed() {
    let mut completed = started();
    completed.push(Event::Completed {
        result: blob("done"),
    });
    assert!(refused(
        &completed,
        Event::Queued {
            reason: QueueReason::Resumed
        }
    ));
    assert!(refused(
        &completed,
        Event::Paused {
            by: "test".to_owned()
        }
    ));
    assert!(refused(&completed, Event::StepStarted { step: 1 }));
    let mut failed = started();
    failed.push(Event::Failed {
        cause: FailCause::Backend,
        message: "no".to_owned(),
        partial: None,
    });
    assert!(!refused(
        &failed,
        Event::Queued {
            reason: QueueReason::Resumed
        }
    ));
}

#[test]
fn a_run_does_not_complete_with_operations_open() {
    let mut events = started();
    events.push(intent(OpId(1), OpKind::Tool, OpClass::Pure));
    assert!(refused(
        &events,
        Event::Completed {
            result: blob("done")
        }
    ));
}

#[test]
fn a_paused_run_begins_nothing_but_records_what_was_under_way() {
    let mut events = started();
    events.push(intent(OpId(1), OpKind::Model, OpClass::Pure));
    events.push(Event::OpStarted {
        op: OpId(1),
        keeper: None,
        plan: None,
    });
    events.push(Event::Paused {
        by: "test".to_owned(),
    });
    events.push(Event::OpFinished {
        op: OpId(1),
        outcome: OpOutcome::Ok,
        result: blob("[]"),
        full: None,
        summary: String::new(),
        charge: None,
        stop: None,
    });
    events.push(intent(OpId(2), OpKind::Tool, OpClass::AtMostOnce));
    assert_eq!(fold(&events).unwrap().state(), RunState::Paused);
    assert!(refused(
        &events,
        Event::OpStarted {
            op: OpId(2),
            keeper: None,
            plan: None
        }
    ));
}

#[test]
fn numbers_leave_no_gaps() {
    let events = started();
    assert!(refused(
        &events,
        intent(OpId(2), OpKind::Tool, OpClass::Pure)
    ));
    assert!(refused(&events, Event::StepStarted { step: 2 }));
    let checkpoint = Event::CheckpointTaken {
        checkpoint: CheckpointId(2),
        step: 0,
        snapshot: String::new(),
        messages: 0,
    };
    assert!(refused(&events, checkpoint));
}

#[test]
fn what_has_not_begun_cannot_be_in_doubt() {
    let mut events = started();
    events.push(intent(OpId(1), OpKind::Tool, OpClass::AtMostOnce));
    let doubt = Event::OpSettled {
        op: OpId(1),
        settlement: Settlement::InDoubt {
            evidence: String::new(),
        },
        charge: None,
    };
    assert!(refused(&events, doubt.clone()));
    events.push(Event::OpStarted {
        op: OpId(1),
        keeper: None,
        plan: None,
    });
    assert!(!refused(&events, doubt));
}
