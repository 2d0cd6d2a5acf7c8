//! What is said to a run, and how much of it the model has been sent.

use super::journals::*;
use crate::*;

fn run_of(events: &[Event]) -> Run {
    let entries: Vec<Entry> = (1..)
        .zip(events)
        .map(|(seq, event)| Entry {
            seq,
            at: Timestamp(i64::try_from(seq).unwrap()),
            event: event.clone(),
        })
        .collect();
    Run::fold(&entries).unwrap().unwrap()
}

fn working() -> Vec<Event> {
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

fn said() -> Event {
    Event::MessageAdded {
        origin: MessageOrigin::User,
        text: blob("one more thing"),
    }
}

fn offered(events: &[Event], event: Event) -> Result<(), Illegal> {
    let mut run = run_of(events);
    run.apply(&Entry {
        seq: run.head + 1,
        at: run.last_at,
        event,
    })
}

#[test]
fn a_failed_run_hears_what_is_said_before_it_is_resumed() {
    let mut events = working();
    events.push(Event::Failed {
        cause: FailCause::Backend,
        message: "it kept failing".to_owned(),
        partial: None,
    });
    assert!(offered(&events, said()).is_ok());
    events.push(said());
    events.push(Event::Queued {
        reason: QueueReason::Resumed,
    });
    assert_eq!(run_of(&events).messages, 1);
    for end in [
        Event::Cancelled {
            by: "test".to_owned(),
        },
        Event::Completed {
            result: blob("done"),
        },
    ] {
        let mut events = working();
        events.push(end);
        assert!(offered(&events, said()).is_err(), "nobody hears this");
    }
}

#[test]
fn a_further_try_sends_what_was_said_since_the_first() {
    let mut events = working();
    events.push(said());
    events.push(intent(OpId(1), OpKind::Model, OpClass::Pure));
    let start = Event::OpStarted {
        op: OpId(1),
        keeper: None,
        plan: None,
    };
    events.push(start.clone());
    assert_eq!(run_of(&events).heard, 1);
    events.push(said());
    assert_eq!(run_of(&events).heard, 1, "it came while the call was made");
    events.push(Event::OpRetried {
        op: OpId(1),
        error: OpError {
            kind: OpErrorKind::Cut,
            message: "cut".to_owned(),
            retry_at: None,
        },
        next_at: Timestamp(9),
        charge: None,
    });
    events.push(start);
    assert_eq!(run_of(&events).heard, 2);
}
