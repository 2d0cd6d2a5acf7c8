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
