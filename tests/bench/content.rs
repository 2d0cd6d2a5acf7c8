//! What the benches record: the events of native runs as the engine records them, in the
//! engine's own commits, about source code that nobody has seen whole.

use bytes::Bytes;
use domain::{
    BackendKind, BlobRef, Budget, Charge, CheckpointId, Decision, Digest, Event, Figure,
    MessageOrigin, NanoUsd, OpClass, OpId, OpKind, OpMode, OpOutcome, Preset, QueueReason, Request,
    RunId, Task, Tokens, UsagePart, Verdict, WorkspaceMode,
};
use serde_json::json;
use store::Store;

const MODEL: &str = "claude-sonnet-5-5";

/// Where source code is that no dictionary was made from.
const UNSEEN: &str = "src-tauri/crates/store";

/// Bytes of the fixed part of a request: system prompt and tools.
const FRAME: usize = 6000;

/// Pieces of the store's own sources, in an order that is the same in every run. They are
/// the ones its dictionary of contents was not made from (`pack.rs` there), so what is
/// measured is source code it has never seen.
#[derive(Clone)]
pub(crate) struct Prose {
    state: u64,
    text: std::sync::Arc<str>,
}

impl Prose {
    /// A source of text of its own for every seed.
    pub(crate) fn new(seed: u64) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        sources(&crate::session::root().join(UNSEEN), &mut files)?;
        files.sort();
        let texts: std::io::Result<Vec<String>> =
            files.iter().map(std::fs::read_to_string).collect();
        let text = texts?.concat();
        anyhow::ensure!(text.len() > 100_000, "there are no sources to quote");
        Ok(Self {
            state: 0x9e37_79b9_7f4a_7c15 ^ seed.wrapping_mul(0x2545_f491_4f6c_dd1d),
            text: text.into(),
        })
    }

    /// The same text, in another order.
    pub(crate) fn reseeded(&self, seed: u64) -> Self {
        Self {
            state: 0x9e37_79b9_7f4a_7c15 ^ (seed + 1).wrapping_mul(0x2545_f491_4f6c_dd1d),
            text: self.text.clone(),
        }
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// About so many bytes that were not said before.
    pub(crate) fn say(&mut self, bytes: usize) -> String {
        let from = self.number() as usize % (self.text.len() - bytes - 8);
        let from = self.text.floor_char_boundary(from);
        let to = self
            .text
            .floor_char_boundary(from + bytes.saturating_sub(9));
        format!("{:08x} {}", self.number() as u32, &self.text[from..to])
    }
}

fn sources(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// How much is said in a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Bytes the model says beside its tool call.
    pub(crate) answer: usize,
    /// Bytes the tool answers.
    pub(crate) result: usize,
}

impl Sizes {
    /// What coding agents' transcripts have on average: 4.4 KB a step.
    pub(crate) const USUAL: Self = Self {
        answer: 900,
        result: 3300,
    };

    /// For journals whose number of events matters and not their contents.
    pub(crate) const SMALL: Self = Self {
        answer: 60,
        result: 90,
    };
}

/// What is recorded in one transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commit {
    pub(crate) events: Vec<Event>,
    pub(crate) blobs: Vec<Bytes>,
}

/// One step: a model call and the tool call it asks for.
pub(crate) struct Step {
    /// In the engine's own transactions.
    pub(crate) commits: Vec<Commit>,
    /// What the model said, what it asked for, what it was told.
    pub(crate) said: String,
    pub(crate) call_id: String,
    pub(crate) args: serde_json::Value,
    pub(crate) result: String,
    /// Bytes of the three together.
    pub(crate) content: usize,
}

impl Step {
    /// Everything of it at once.
    pub(crate) fn whole(self) -> Commit {
        let mut whole = Commit::default();
        for commit in self.commits {
            whole.events.extend(commit.events);
            whole.blobs.extend(commit.blobs);
        }
        whole
    }
}

/// A run's conversation, as long as one likes.
pub(crate) struct Conversation {
    pub(crate) run: RunId,
    prose: Prose,
    sizes: Sizes,
    frame: Bytes,
    steps: u32,
}

impl Conversation {
    /// Makes a run that works.
    pub(crate) async fn begin(store: &Store, prose: &Prose, sizes: Sizes) -> anyhow::Result<Self> {
        #[allow(
            clippy::disallowed_methods,
            reason = "there is no engine here to make it"
        )]
        let run = RunId(uuid::Uuid::now_v7());
        let mut prose = prose.clone();
        let frame = Bytes::from(prose.reseeded(0).say(FRAME));
        let prompt = Bytes::from(format!("Mend the parser. {}", prose.number()));
        let text = BlobRef::of(&prompt);
        let events = vec![
            Event::Queued {
                reason: QueueReason::New,
            },
            Event::Started {
                backend: "sonnet".to_owned(),
                model: Some(MODEL.to_owned()),
            },
            Event::MessageAdded {
                origin: MessageOrigin::Prompt,
                text,
            },
        ];
        store
            .create(run, task(&prompt), events, vec![prompt])
            .await?;
        Ok(Self {
            run,
            prose,
            sizes,
            frame,
            steps: 0,
        })
    }

    /// How many steps there were.
    pub(crate) fn steps(&self) -> u32 {
        self.steps
    }

    /// The next step: five transactions, as the engine makes them.
    pub(crate) fn step(&mut self) -> Step {
        self.steps += 1;
        let (n, ask, tool) = (self.steps, self.steps * 2 - 1, self.steps * 2);
        let said = self.prose.say(self.sizes.answer);
        let call_id = format!("toolu_01{:016x}{:06x}", self.prose.number(), n);
        let args = json!({"path": format!("src/part_{}.rs", n % 97), "offset": n});
        let answer = json!([
            {"type": "text", "text": said},
            {"type": "tool_use", "id": call_id, "name": "read", "input": args},
        ]);
        let answer = Bytes::from(answer.to_string());
        let input = Bytes::from(args.to_string());
        let result = self.prose.say(self.sizes.result);
        let told = Bytes::from(result.clone());
        let content = answer.len() + told.len();
        let commits = vec![
            Commit {
                events: vec![Event::StepStarted { step: n }, self.ask(ask), started(ask)],
                blobs: vec![self.frame.clone()],
            },
            Commit {
                events: vec![
                    finished(ask, &answer, Some(self.charge())),
                    intent(tool, n, &call_id, &input),
                ],
                blobs: vec![answer, input],
            },
            Commit {
                events: vec![started(tool)],
                blobs: Vec::new(),
            },
            Commit {
                events: vec![finished(tool, &told, None)],
                blobs: vec![told],
            },
            Commit {
                events: vec![self.checkpoint()],
                blobs: Vec::new(),
            },
        ];
        Step {
            commits,
            said,
            call_id,
            args,
            result,
            content,
        }
    }

    fn ask(&self, op: u32) -> Event {
        let request = Request {
            backend: "sonnet".to_owned(),
            model: MODEL.to_owned(),
            messages: self.steps * 2 - 1,
            sent_from: 0,
            frame: BlobRef::of(&self.frame),
        };
        Event::OpIntended {
            op: OpId(op),
            step: self.steps,
            op_kind: OpKind::Model,
            name: MODEL.to_owned(),
            class: OpClass::Pure,
            mode: OpMode::Gated,
            call_id: None,
            args: BlobRef::of(&self.frame),
            digest: Digest::of("sonnet", &self.steps.to_le_bytes()),
            summary: format!("{MODEL} (sonnet)"),
            decision: allowed("a model call within the budget"),
            reserve: NanoUsd(481_200_000),
            request: Some(request),
        }
    }

    fn charge(&mut self) -> Charge {
        let tokens = Tokens {
            input: 40 + self.prose.number() % 50,
            output: 200 + self.prose.number() % 300,
            cache_read: 2_000 + u64::from(self.steps % 150) * 1_100,
            cache_write: 900 + self.prose.number() % 400,
            cache_write_long: 0,
        };
        let model = format!("{MODEL}-20261001");
        let part = UsagePart {
            model: model.clone(),
            tokens,
            tier: Some("standard".to_owned()),
            ..UsagePart::default()
        };
        Charge {
            model,
            tokens,
            cost: Some(NanoUsd(10_500_000 + self.prose.number() as i64 % 1_000_000)),
            figure: Figure::Priced,
            request_id: Some(format!("req_011CS{:020x}", self.prose.number())),
            price_book: Some("2026-11-01".to_owned()),
            parts: vec![part],
            raw: json!({
                "input_tokens": tokens.input, "output_tokens": tokens.output,
                "cache_read_input_tokens": tokens.cache_read,
                "cache_creation_input_tokens": tokens.cache_write,
                "cache_creation": {"ephemeral_5m_input_tokens": tokens.cache_write, "ephemeral_1h_input_tokens": 0},
                "service_tier": "standard",
            }),
            requests: 1,
        }
    }

    fn checkpoint(&self) -> Event {
        // Most steps read; the files are another every few steps.
        let files = blake3::hash(&(self.steps / 5).to_le_bytes()).to_hex();
        Event::CheckpointTaken {
            checkpoint: CheckpointId(self.steps),
            step: self.steps,
            snapshot: files[..40].to_owned(),
            messages: self.steps * 2 + 1,
        }
    }
}

fn task(prompt: &Bytes) -> Task {
    Task {
        title: "Mend the parser".to_owned(),
        prompt: BlobRef::of(prompt),
        project: "/home/someone/project".to_owned(),
        backend: "sonnet".to_owned(),
        kind: BackendKind::Anthropic,
        model: Some(MODEL.to_owned()),
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

fn allowed(rule: &str) -> Decision {
    Decision {
        verdict: Verdict::Allow,
        rule: rule.to_owned(),
        rule_id: None,
    }
}

fn intent(op: u32, step: u32, call_id: &str, input: &Bytes) -> Event {
    Event::OpIntended {
        op: OpId(op),
        step,
        op_kind: OpKind::Tool,
        name: "read".to_owned(),
        class: OpClass::Pure,
        mode: OpMode::Gated,
        call_id: Some(call_id.to_owned()),
        args: BlobRef::of(input),
        digest: Digest::of("read", input),
        summary: format!("src/part_{}.rs", step % 97),
        decision: allowed("reading is allowed"),
        reserve: NanoUsd::ZERO,
        request: None,
    }
}

fn started(op: u32) -> Event {
    Event::OpStarted {
        op: OpId(op),
        keeper: None,
        plan: None,
    }
}

fn finished(op: u32, result: &Bytes, charge: Option<Charge>) -> Event {
    Event::OpFinished {
        op: OpId(op),
        outcome: OpOutcome::Ok,
        result: BlobRef::of(result),
        full: None,
        summary: "120 lines".to_owned(),
        stop: charge.as_ref().map(|_| "tool_use".to_owned()),
        charge: charge.map(Box::new),
    }
}
