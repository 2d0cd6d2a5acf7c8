//! The states a user sees, from what is open.

use super::journals::*;
use crate::*;

fn run_after(events: Vec<(i64, Event)>) -> Run {
    let created = Event::RunCreated {
        run: run_id(),
        task: Box::new(task()),
    };
    let mut run = Run::begin(&Entry {
        seq: 1,
        at: Timestamp(0),
        event: created,
    })
    .unwrap();
    for (at, event) in events {
        run.apply(&Entry {
            seq: run.head + 1,
            at: Timestamp(at),
            event,
        })
        .unwrap();
    }
    run
}

fn started() -> Vec<(i64, Event)> {
    vec![
        (
            0,
            Event::Queued {
                reason: QueueReason::New,
            },
        ),
        (
            100,
            Event::Started {
                backend: "mine".to_owned(),
                model: None,
            },
        ),
    ]
}

#[test]
fn a_run_waits_only_when_nothing_of_it_goes_on() {
    let mut events = started();
    events.push((110, intent(OpId(1), OpKind::Tool, OpClass::AtMostOnce)));
    events.push((
        110,
        Event::ReviewRequested {
            review: review(1, Some(OpId(1))),
        },
    ));
    assert_eq!(run_after(events.clone()).state(), RunState::Waiting);
    events.push((120, intent(OpId(2), OpKind::Tool, OpClass::Pure)));
    events.push((
        120,
        Event::OpStarted {
            op: OpId(2),
            keeper: None,
            plan: None,
        },
    ));
    let run = run_after(events);
    assert_eq!(run.state(), RunState::Running);
    assert_eq!(
        run.causes(),
        [WaitCause::Review],
        "the open review is known all the same"
    );
}

#[test]
fn causes_are_listed_in_the_order_they_came_and_once() {
    let mut events = started();
    events.push((
        110,
        Event::WaitBegan {
            cause: WaitCause::Budget,
            until: None,
            detail: String::new(),
        },
    ));
    events.push((
        110,
        Event::ReviewRequested {
            review: review(1, None),
        },
    ));
    events.push((
        110,
        Event::ReviewRequested {
            review: review(2, None),
        },
    ));
    assert_eq!(
        run_after(events).causes(),
        [WaitCause::Budget, WaitCause::Review]
    );
}

#[test]
fn time_counts_while_working_and_not_while_waiting_or_dead() {
    let mut events = started();
    events.push((
        1_100,
        Event::WaitBegan {
            cause: WaitCause::RateLimit,
            until: None,
            detail: String::new(),
        },
    ));
    events.push((
        9_100,
        Event::WaitEnded {
            cause: WaitCause::RateLimit,
        },
    ));
    let interrupted = Event::Interrupted {
        cause: InterruptCause::DaemonDied,
        detail: String::new(),
        last_alive: Timestamp(9_600),
    };
    events.push((90_000, interrupted));
    assert_eq!(run_after(events).spent.active_ms, 1_000 + 500);
}

#[test]
fn a_reservation_counts_until_the_call_is_settled() {
    let mut events = started();
    events.push((110, intent(OpId(1), OpKind::Model, OpClass::Pure)));
    events.push((
        110,
        Event::OpStarted {
            op: OpId(1),
            keeper: None,
            plan: None,
        },
    ));
    assert_eq!(run_after(events.clone()).committed_cost(), NanoUsd(10));
    events.push((
        120,
        Event::OpFinished {
            op: OpId(1),
            outcome: OpOutcome::Ok,
            result: blob("[]"),
            full: None,
            summary: String::new(),
            charge: Some(charge(4, Figure::Priced)),
            stop: None,
        },
    ));
    assert_eq!(run_after(events).committed_cost(), NanoUsd(4));
}
