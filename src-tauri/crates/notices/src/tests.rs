//! What is told, with simulated time.

mod asking;
mod lease;
mod restart;
mod telling;

use domain::{
    BlobRef, Choice, Event, InterruptCause, QueueReason, Review, ReviewId, ReviewKind, ReviewState,
    RunId, Timestamp, WaitCause,
};
use protocol::Notice;
use uuid::Uuid;

use crate::{Board, Changes, Happened, Memory, Subject, Wishes};

const START: Timestamp = Timestamp(1_795_219_200_000);

/// A board with a clock and a journal.
struct Stage {
    board: Board,
    now: Timestamp,
    gseq: u64,
    journal: Vec<(RunId, Timestamp, Event)>,
    wishes: Wishes,
}

impl Stage {
    fn new() -> Self {
        Self {
            board: Board::new(Memory::default()),
            now: START,
            gseq: 0,
            journal: Vec::new(),
            wishes: Wishes::all(),
        }
    }

    fn happens(&mut self, run: u128, event: Event) {
        self.gseq += 1;
        self.journal.push((run_id(run), self.now, event));
        self.hear(self.gseq);
    }

    fn hear(&mut self, gseq: u64) {
        let (run, at, event) = &self.journal[usize::try_from(gseq).unwrap() - 1];
        let happened = Happened {
            gseq,
            run: *run,
            at: *at,
            event,
        };
        let subject = Subject {
            title: format!("Task {}", run.0.as_u128()),
            low_risk: true,
        };
        self.board.hear(happened, &subject, self.now);
    }

    /// What is told in the next `seconds`, each thing at its time.
    fn after(&mut self, seconds: i64) -> Changes {
        let end = self.now.plus_ms(seconds * 1000);
        let mut all = Changes::default();
        loop {
            let at = self.board.next().filter(|at| *at <= end);
            self.now = at.unwrap_or(end).max(self.now);
            let changes = self.board.due(self.now, &self.wishes);
            for notice in &changes.show {
                self.board.delivered(&notice.id);
            }
            all.show.extend(changes.show);
            all.close.extend(changes.close);
            if at.is_none() {
                return all;
            }
        }
    }

    fn told(&mut self, seconds: i64) -> Vec<Notice> {
        self.after(seconds).show
    }

    /// The daemon dies and another one reads on from what was kept.
    fn restart(&mut self) {
        let memory = self.board.memory(self.now).clone();
        let kept = serde_json::to_string(&memory).unwrap();
        self.restart_with(serde_json::from_str(&kept).unwrap());
    }

    fn restart_with(&mut self, memory: Memory) {
        let mark = memory.mark;
        self.board = Board::new(memory);
        for gseq in mark + 1..=self.gseq {
            self.hear(gseq);
        }
    }
}

fn run_id(n: u128) -> RunId {
    RunId(Uuid::from_u128(n))
}

fn review_id(n: u128) -> ReviewId {
    ReviewId(Uuid::from_u128(n))
}

fn review(run: u128, id: u128, detail: &str) -> Review {
    Review {
        id: review_id(id),
        run: run_id(run),
        op: None,
        kind: ReviewKind::ToolCall,
        title: "shell: touch made".to_owned(),
        why: "it changes files".to_owned(),
        detail: detail.to_owned(),
        rule_id: None,
        always: false,
        detail_blob: None,
        choices: vec![
            Choice::new("approve", "Approve", ""),
            Choice::new("reject", "Reject", ""),
        ],
        digest: None,
        subject: None,
        requested_at: START,
        asked_again_at: None,
        snoozed_until: None,
        state: ReviewState::Open,
    }
}

fn asks(run: u128, id: u128) -> Event {
    Event::ReviewRequested {
        review: Box::new(review(run, id, "touch made")),
    }
}

fn decided(id: u128) -> Event {
    Event::ReviewWithdrawn {
        review: review_id(id),
        why: "test".to_owned(),
    }
}

fn finished() -> Event {
    Event::Completed {
        result: BlobRef("r".to_owned()),
    }
}

fn failed(message: &str) -> Event {
    Event::Failed {
        cause: domain::FailCause::Backend,
        message: message.to_owned(),
        partial: None,
    }
}

fn interrupted() -> Event {
    Event::Interrupted {
        cause: InterruptCause::DaemonDied,
        detail: "Longhaul's background service died while it worked".to_owned(),
        last_alive: START,
    }
}

fn queued(reason: QueueReason) -> Event {
    Event::Queued { reason }
}

fn limited(until: Option<Timestamp>) -> Event {
    Event::WaitBegan {
        cause: WaitCause::RateLimit,
        until,
        detail: "the provider's limit is reached".to_owned(),
    }
}

fn unlimited() -> Event {
    Event::WaitEnded {
        cause: WaitCause::RateLimit,
    }
}
