//! A home as it looks after a month of use: runs in every state, reviews, costs, and
//! one very long run. Made through the store, so that it is a home like any other.
//!
//! Shared with `examples/seed-home.rs`, which makes one on disk for tests of the UI.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::{
    BackendKind, BlobRef, Budget, Charge, CheckpointId, Choice, Clock, Decision, Digest, Event,
    FailCause, Figure, InterruptCause, MessageOrigin, NanoUsd, OpClass, OpId, OpKind, OpMode,
    OpOutcome, Preset, QueueReason, Request, Review, ReviewId, ReviewKind, ReviewState, RunId,
    Task, Timestamp, Tokens, Verdict, WaitCause, WorkspaceMode,
};
use store::Store;

/// Runs recorded in one transaction's worth of work.
const AT_ONCE: u32 = 200;

const DAY_MS: i64 = 86_400_000;
const MODELS: [&str; 3] = ["claude-sonnet-5-5", "claude-opus-5", "claude-haiku-5"];
const PROJECTS: [&str; 4] = ["shop", "parser", "website", "firmware"];
const TASKS: [&str; 6] = [
    "Mend the failing date test",
    "Add pagination to the order list",
    "Explain why the build takes nine minutes",
    "Port the parser to the new lexer",
    "Write release notes for 2.4",
    "Find the memory leak in the watcher",
];

/// What the home is to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Runs, newest in the most interesting states.
    pub(crate) runs: u32,
    /// Events of the one very long run; 0 for none.
    pub(crate) long: u32,
    /// Reviews that wait.
    pub(crate) reviews: u32,
    /// Calls each of those runs asks about; 0 for one doubt each.
    pub(crate) calls: u32,
    /// Days over which the runs are spread, up to now.
    pub(crate) days: u32,
}

/// A clock that is set.
pub(crate) struct SetClock(AtomicI64);

impl SetClock {
    /// One that shows this time.
    pub(crate) fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(now.0)))
    }

    fn set(&self, now: i64) {
        self.0.store(now, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Makes it all. `clock` is the store's own; it shows `now` again at the end.
pub(crate) async fn seed(store: &Store, clock: &SetClock, now: Timestamp, plan: Plan) {
    let span = i64::from(plan.days.max(1)) * DAY_MS;
    for n in 0..plan.runs {
        let left = i64::from(plan.runs - n);
        let at = now.0 - span * left / i64::from(plan.runs.max(1));
        clock.set(at);
        let state = state_of(plan, plan.runs - n);
        make(store, clock, n, (state, plan.calls)).await;
        if n % AT_ONCE == 0 {
            tokio::task::yield_now().await;
        }
    }
    clock.set(now.0 - 3_600_000);
    if plan.long > 0 {
        long_run(store, clock, plan.long).await;
    }
    clock.set(now.0);
}

/// Where a run has got to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Completed,
    Failed,
    Cancelled,
    Interrupted,
    Paused,
    Review,
    Limited,
}

/// The newest ask, the next few were interrupted or paused, most of the rest are done.
fn state_of(plan: Plan, age: u32) -> State {
    if age <= plan.reviews {
        return State::Review;
    }
    match age - plan.reviews {
        1 | 2 => State::Interrupted,
        3 => State::Paused,
        4 => State::Limited,
        n if n % 17 == 0 => State::Failed,
        n if n % 29 == 0 => State::Cancelled,
        _ => State::Completed,
    }
}

fn run_id(n: u32) -> RunId {
    let text = format!(
        "0199{:04x}-{:04x}-7000-8000-{:012x}",
        n >> 16,
        n & 0xffff,
        n
    );
    text.parse().expect("it is the form of an id")
}

fn blob(text: &str) -> (BlobRef, bytes::Bytes) {
    let bytes = bytes::Bytes::from(text.to_owned());
    (BlobRef::of(&bytes), bytes)
}

async fn create(store: &Store, n: u32, title: &str) -> RunId {
    let run = run_id(n);
    let prompt = format!("{title}.\n\nLook at what is there first. This is task {n} of this home.");
    let (prompt, bytes) = blob(&prompt);
    let model = MODELS[n as usize % MODELS.len()];
    let task = Task {
        title: format!("{title} ({n})"),
        prompt: prompt.clone(),
        project: format!("/home/you/code/{}", PROJECTS[n as usize % PROJECTS.len()]),
        backend: "main".to_owned(),
        kind: BackendKind::Anthropic,
        model: Some(model.to_owned()),
        workspace: WorkspaceMode::Clone,
        policy: Preset::Balanced,
        verify: Some("cargo test".to_owned()),
        budget: Budget::default(),
        fallback: Vec::new(),
        priority: 0,
        after: None,
        fork: None,
    };
    let begun = vec![
        Event::Queued {
            reason: QueueReason::New,
        },
        Event::Started {
            backend: "main".to_owned(),
            model: Some(model.to_owned()),
        },
        Event::MessageAdded {
            origin: MessageOrigin::Prompt,
            text: prompt,
        },
    ];
    let created = store.create(run, task, begun, vec![bytes]).await;
    created.expect("the run is new");
    run
}

/// Everything of one event's worth of blobs, gathered for one append.
#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    blobs: Vec<bytes::Bytes>,
}

impl Batch {
    fn text(&mut self, text: &str) -> BlobRef {
        let (name, bytes) = blob(text);
        self.blobs.push(bytes);
        name
    }

    async fn append(&mut self, store: &Store, run: RunId) {
        let (events, blobs) = (
            std::mem::take(&mut self.events),
            std::mem::take(&mut self.blobs),
        );
        let appended = store.append(run, None, events, blobs).await;
        appended.expect("the events follow from each other");
    }

    /// A step: an answer that asks for tools, and their results.
    fn step(&mut self, step: u32, first_op: u32, tools: u32, model: &str) {
        self.events.push(Event::StepStarted { step });
        let said = format!("Step {step}: I look at part {step} of the code and go on from there.");
        let calls = (0..tools).map(|n| {
            let op = first_op + 1 + n;
            serde_json::json!({"type": "tool_use", "id": format!("toolu_{op}"), "name": "read",
                "input": {"path": format!("src/part_{op}.rs")}})
        });
        let said = serde_json::json!({"type": "text", "text": said});
        let answer = serde_json::Value::Array([said].into_iter().chain(calls).collect());
        let frame = self.text("You are a careful engineer. Tools: read, edit, shell.");
        self.intend(
            first_op,
            step,
            OpKind::Model,
            model,
            frame.clone(),
            Some(frame),
        );
        self.events.push(started(first_op));
        let answer = self.text(&answer.to_string());
        self.finish(first_op, answer, Some(charge(step, model)));
        for op in first_op + 1..=first_op + tools {
            let args = self.text(&format!("{{\"path\":\"src/part_{op}.rs\"}}"));
            self.intend(op, step, OpKind::Tool, "read", args, None);
            self.events.push(started(op));
            let result = self.text(&format!("pub fn part_{op}() -> u32 {{\n    {op}\n}}\n"));
            self.finish(op, result, None);
        }
    }

    fn intend(
        &mut self,
        op: u32,
        step: u32,
        kind: OpKind,
        name: &str,
        args: BlobRef,
        frame: Option<BlobRef>,
    ) {
        let is_model = kind == OpKind::Model;
        self.events.push(Event::OpIntended {
            op: OpId(op),
            step,
            op_kind: kind,
            name: name.to_owned(),
            class: OpClass::Pure,
            mode: OpMode::Gated,
            call_id: (!is_model).then(|| format!("toolu_{op}")),
            digest: Digest::of(name, args.0.as_bytes()),
            args,
            summary: if is_model {
                name.to_owned()
            } else {
                format!("src/part_{op}.rs")
            },
            decision: Decision {
                verdict: Verdict::Allow,
                rule: "reading is allowed".to_owned(),
                rule_id: None,
            },
            reserve: NanoUsd::ZERO,
            request: frame.map(|frame| Request {
                backend: "main".to_owned(),
                model: name.to_owned(),
                messages: 1,
                sent_from: 0,
                frame,
            }),
        });
    }

    fn finish(&mut self, op: u32, result: BlobRef, charge: Option<Charge>) {
        self.events.push(Event::OpFinished {
            op: OpId(op),
            outcome: OpOutcome::Ok,
            result,
            full: None,
            summary: "3 lines".to_owned(),
            stop: charge.as_ref().map(|_| "tool_use".to_owned()),
            charge: charge.map(Box::new),
        });
    }
}

fn started(op: u32) -> Event {
    Event::OpStarted {
        op: OpId(op),
        keeper: None,
        plan: None,
    }
}

fn charge(n: u32, model: &str) -> Charge {
    let tokens = Tokens {
        input: 40 + u64::from(n % 7),
        output: 300 + u64::from(n % 211),
        cache_read: 9_000 + u64::from(n % 3_001),
        cache_write: 700,
        cache_write_long: 0,
    };
    Charge {
        model: model.to_owned(),
        tokens,
        cost: Some(NanoUsd(10_500_000 + i64::from(n % 977) * 31_000)),
        figure: if n % 41 == 7 {
            Figure::Unsettled
        } else {
            Figure::Priced
        },
        request_id: None,
        price_book: None,
        parts: Vec::new(),
        raw: serde_json::Value::Null,
        requests: 1,
    }
}

async fn make(store: &Store, clock: &SetClock, n: u32, (state, calls): (State, u32)) {
    let run = create(store, n, TASKS[n as usize % TASKS.len()]).await;
    let model = MODELS[n as usize % MODELS.len()];
    let mut batch = Batch::default();
    clock.set(clock.now().0 + 60_000);
    batch.step(1, 1, 2, model);
    batch.events.push(Event::CheckpointTaken {
        checkpoint: CheckpointId(1),
        step: 1,
        snapshot: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        messages: 4,
    });
    match (state, calls) {
        (State::Review, 1..) => ask_about_calls(&mut batch, run, clock.now(), n, calls),
        _ => end(&mut batch, run, clock.now(), n, state),
    }
    batch.append(store, run).await;
}

fn end(batch: &mut Batch, run: RunId, now: Timestamp, n: u32, state: State) {
    match state {
        State::Completed => {
            let result = batch.text(&format!("Done: all of it works now ({n})."));
            batch.events.push(Event::Completed { result });
        }
        State::Failed => batch.events.push(Event::Failed {
            cause: FailCause::Verify,
            message: "verify command: `cargo test` still fails after 3 tries".to_owned(),
            partial: None,
        }),
        State::Cancelled => batch.events.push(Event::Cancelled {
            by: "user".to_owned(),
        }),
        State::Interrupted => batch.events.push(Event::Interrupted {
            cause: InterruptCause::Reboot,
            detail: "the machine was restarted".to_owned(),
            last_alive: now,
        }),
        State::Paused => batch.events.push(Event::Paused {
            by: "user".to_owned(),
        }),
        State::Limited => batch.events.push(Event::WaitBegan {
            cause: WaitCause::RateLimit,
            until: Some(now.plus_ms(40 * 60_000)),
            detail: "main: the API's limit is reached".to_owned(),
        }),
        State::Review => batch.events.push(Event::ReviewRequested {
            review: Box::new(question(run, now, n)),
        }),
    }
}

/// Flagged commands of one step; every fifth is one that all runs ask about.
fn ask_about_calls(batch: &mut Batch, run: RunId, now: Timestamp, n: u32, calls: u32) {
    for call in 0..calls {
        let op = 4 + call;
        let command = match call % 5 {
            0 => "git push origin main".to_owned(),
            _ => format!("npm publish ./packages/part-{n}-{call} --access public"),
        };
        let args = batch.text(&serde_json::json!({ "command": command }).to_string());
        let digest = Digest::of("shell", command.as_bytes());
        batch.events.push(Event::OpIntended {
            op: OpId(op),
            step: 1,
            op_kind: OpKind::Tool,
            name: "shell".to_owned(),
            class: OpClass::AtMostOnce,
            mode: OpMode::Gated,
            call_id: Some(format!("toolu_{op}")),
            digest: digest.clone(),
            args,
            summary: format!("$ {command}"),
            decision: Decision {
                verdict: Verdict::Review,
                rule: "commands that reach other machines".to_owned(),
                rule_id: None,
            },
            reserve: NanoUsd::ZERO,
            request: None,
        });
        let id = format!("0199fffe-{:04x}-7000-8000-{:012x}", n & 0xffff, call);
        let mut review = question(run, now, n);
        review.id = id.parse().expect("it is the form of an id");
        review.op = Some(OpId(op));
        review.kind = ReviewKind::ToolCall;
        review.title = format!("$ {command}");
        review.why = "commands that reach other machines".to_owned();
        review.detail = command;
        review.digest = Some(digest);
        review.choices = vec![
            Choice::new("approve", "Approve", "It runs once, exactly as shown."),
            Choice::new("reject", "Reject", "It does not run; the agent is told."),
        ];
        let review = Box::new(review);
        batch.events.push(Event::ReviewRequested { review });
    }
    // A daemon that comes upon these runs would look for their files, which nobody made.
    batch.events.push(Event::Paused {
        by: "user".to_owned(),
    });
}

fn question(run: RunId, now: Timestamp, n: u32) -> Review {
    let id = format!("0199ffff-{:04x}-7000-8000-{:012x}", n & 0xffff, n);
    Review {
        id: id.parse::<ReviewId>().expect("it is the form of an id"),
        run,
        op: None,
        kind: ReviewKind::Doubt,
        title: "Delete the old migration files?".to_owned(),
        why: "They look unused, but a deployment might still read them.".to_owned(),
        detail: "db/migrate/2019_*.sql (14 files)".to_owned(),
        rule_id: None,
        always: false,
        detail_blob: None,
        choices: vec![
            Choice::new(
                "approve",
                "Delete them",
                "They are removed in the workspace.",
            ),
            Choice::new("reject", "Keep them", "The agent is told to leave them."),
        ],
        digest: None,
        subject: None,
        requested_at: now,
        asked_again_at: None,
        snoozed_until: None,
        state: ReviewState::Open,
    }
}

/// Events of a step with two tools: it begins, one answer, two calls, a checkpoint.
const PER_STEP: u32 = 11;

async fn long_run(store: &Store, clock: &SetClock, events: u32) {
    const TOGETHER: u32 = 100;
    let run = create(store, u32::MAX, "Migrate everything to the new API").await;
    let mut batch = Batch::default();
    for n in 0..events / PER_STEP {
        batch.step(n + 1, n * 3 + 1, 2, MODELS[0]);
        batch.events.push(Event::CheckpointTaken {
            checkpoint: CheckpointId(n + 1),
            step: n + 1,
            snapshot: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            messages: n * 3 + 4,
        });
        if n % TOGETHER == 0 {
            clock.set(clock.now().0 + 2_000);
            batch.append(store, run).await;
        }
    }
    batch.events.push(Event::Paused {
        by: "user".to_owned(),
    });
    batch.append(store, run).await;
}

/// The id of the very long run.
pub(crate) fn long_run_id() -> RunId {
    run_id(u32::MAX)
}
