//! Going back: what counts as the conversation afterwards, and who may go back.

use proptest::prelude::*;

use super::journals::*;
use crate::*;

struct Journal {
    run: Run,
    /// The conversation as a model: the positions of its messages.
    said: Vec<u64>,
    /// What it was at each checkpoint, with the checkpoint's position.
    then: Vec<(u64, Vec<u64>)>,
}

impl Journal {
    fn new(fork: Option<Fork>) -> Self {
        let task = Task {
            fork: fork.map(Box::new),
            ..task()
        };
        let created = Entry {
            seq: 1,
            at: Timestamp(1),
            event: Event::RunCreated {
                run: run_id(),
                task: Box::new(task),
            },
        };
        let run = Run::begin(&created).expect("a first event");
        let mut journal = Self {
            said: vec![0; run.messages as usize],
            run,
            then: Vec::new(),
        };
        journal.work();
        journal
    }

    fn add(&mut self, event: Event) -> Result<u64, Illegal> {
        let seq = self.run.head + 1;
        let at = Timestamp(i64::try_from(seq).expect("few"));
        self.run.apply(&Entry { seq, at, event })?;
        Ok(seq)
    }

    fn work(&mut self) {
        let queued = Event::Queued {
            reason: QueueReason::New,
        };
        self.add(queued).expect("it can be queued");
        let started = Event::Started {
            backend: "mine".to_owned(),
            model: None,
        };
        self.add(started).expect("it can start");
    }

    fn say(&mut self) {
        let said = Event::MessageAdded {
            origin: MessageOrigin::User,
            text: blob("more"),
        };
        let seq = self.add(said).expect("it hears");
        self.said.push(seq);
    }

    fn checkpoint(&mut self) {
        let taken = Event::CheckpointTaken {
            checkpoint: CheckpointId(self.run.next_checkpoint()),
            step: self.run.step,
            snapshot: format!("s{}", self.run.head),
            messages: self.run.messages,
        };
        let seq = self.add(taken).expect("numbered in order");
        self.then.push((seq, self.said.clone()));
    }

    fn back_to(&self, n: usize) -> Event {
        Event::RolledBack {
            to: CheckpointId(u32::try_from(n).expect("few") + 1),
            seq: self.then[n].0,
            snapshot: "s".to_owned(),
            messages: u32::try_from(self.then[n].1.len()).expect("few"),
            by: "test".to_owned(),
        }
    }

    fn pause(&mut self) {
        let by = "test".to_owned();
        self.add(Event::Paused { by }).expect("it can be paused");
    }

    fn go_back(&mut self, n: usize) {
        self.pause();
        self.add(self.back_to(n)).expect("a paused run goes back");
        self.said = self.then[n].1.clone();
        let restored = Event::FilesRestored {
            snapshot: "s".to_owned(),
        };
        self.add(restored).expect("the files follow");
        self.work();
    }

    /// The positions of the messages the run's stretches have, in order.
    fn by_stretches(&self, recorded: &[(u32, u64)]) -> Vec<u64> {
        let within = |part: &Stretch, (n, seq): (u32, u64)| {
            (part.from..part.to).contains(&n) && part.after < seq && seq <= part.upto
        };
        let parts = self.run.stretches_at(self.run.head);
        let of = |part: &Stretch| -> Vec<u64> {
            let mut rows: Vec<_> = recorded.iter().filter(|row| within(part, **row)).collect();
            rows.sort();
            rows.into_iter().map(|row| row.1).collect()
        };
        parts.iter().flat_map(of).collect()
    }
}

proptest! {
    #[test]
    fn the_stretches_are_the_conversation(
        moves in prop::collection::vec((0_u8..4, any::<prop::sample::Index>()), 1..60),
        inherited in 0_u32..3,
    ) {
        let fork = (inherited > 0).then(|| Fork {
            run: run_id(),
            checkpoint: CheckpointId(1),
            seq: 9,
            messages: inherited,
            snapshot: "p".to_owned(),
        });
        let mut journal = Journal::new(fork);
        // Every message there ever was, with the number it was given.
        let mut recorded = Vec::new();
        for (what, which) in moves {
            match what {
                0 | 1 => {
                    let number = journal.run.messages;
                    journal.say();
                    recorded.push((number, journal.run.head));
                }
                2 => journal.checkpoint(),
                _ if !journal.then.is_empty() => journal.go_back(which.index(journal.then.len())),
                _ => {}
            }
            let own: Vec<u64> = journal.said.iter().copied().filter(|seq| *seq > 0).collect();
            prop_assert_eq!(journal.by_stretches(&recorded), own);
            prop_assert_eq!(journal.run.messages as usize, journal.said.len());
        }
    }
}

#[test]
fn only_a_run_at_rest_with_nothing_open_goes_back() {
    let mut journal = Journal::new(None);
    journal.checkpoint();
    assert!(journal.add(journal.back_to(0)).is_err(), "it works");
    let asked = Event::ReviewRequested {
        review: review(1, None),
    };
    journal.add(asked).expect("it asks");
    journal.pause();
    assert!(journal.add(journal.back_to(0)).is_err(), "a review is open");
    let review = review_id(1);
    let why = "rolled back".to_owned();
    journal
        .add(Event::ReviewWithdrawn { review, why })
        .expect("withdrawn");
    journal.add(journal.back_to(0)).expect("now it can");
    assert_eq!(journal.run.state(), RunState::Paused);
    assert!(journal.run.restoring.is_some());
}

#[test]
fn it_does_not_start_before_its_files_are_back() {
    let mut journal = Journal::new(None);
    journal.checkpoint();
    journal.pause();
    journal.add(journal.back_to(0)).expect("it goes back");
    let queued = Event::Queued {
        reason: QueueReason::Resumed,
    };
    journal.add(queued).expect("it may be queued");
    let started = Event::Started {
        backend: "mine".to_owned(),
        model: None,
    };
    assert!(journal.add(started.clone()).is_err());
    let other = Event::FilesRestored {
        snapshot: "another".to_owned(),
    };
    assert!(journal.add(other).is_err(), "not the files it goes back to");
    let snapshot = "s".to_owned();
    journal
        .add(Event::FilesRestored { snapshot })
        .expect("the files are back");
    journal.add(started).expect("now it starts");
}

#[test]
fn a_completed_run_that_goes_back_can_work_again_and_numbers_on() {
    let mut journal = Journal::new(None);
    journal.checkpoint();
    journal.checkpoint();
    let result = blob("done");
    journal.add(Event::Completed { result }).expect("completes");
    journal.add(journal.back_to(0)).expect("goes back");
    assert_eq!(journal.run.state(), RunState::Paused);
    assert_eq!((&journal.run.result, journal.run.ended_at), (&None, None));
    assert_eq!(journal.run.next_checkpoint(), 3, "no number is given twice");
}

#[test]
fn what_was_undone_does_not_count_until_that_is_undone_too() {
    let mut journal = Journal::new(None);
    journal.checkpoint();
    journal.say();
    let said = journal.run.head;
    journal.checkpoint();
    assert!(journal.run.counts(said));
    journal.go_back(0);
    assert!(!journal.run.counts(said));
    journal.go_back(1);
    assert!(journal.run.counts(said));
}
