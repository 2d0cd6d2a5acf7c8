//! A throwaway home, and the shapes of runs that tests record.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use domain::{
    BackendKind, BlobRef, Budget, Charge, CheckpointId, Clock, Decision, Digest, Event, Figure,
    MessageOrigin, NanoUsd, OpClass, OpId, OpKind, OpMode, OpOutcome, Preset, Request, RunId, Task,
    Timestamp, Tokens, Verdict, WorkspaceMode,
};
use store::{Store, StoreConfig};
use uuid::Uuid;

/// A clock that moves only when asked.
#[derive(Debug)]
pub(crate) struct HandClock(pub(crate) AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

pub(crate) fn clock() -> Arc<HandClock> {
    Arc::new(HandClock(AtomicI64::new(1_764_000_000_000)))
}

pub(crate) fn config(home: &Path) -> StoreConfig {
    StoreConfig {
        home: home.to_owned(),
        clock: clock(),
    }
}

pub(crate) async fn open(home: &Path) -> Store {
    Store::open(config(home)).await.unwrap()
}

pub(crate) fn run_id() -> RunId {
    RunId(Uuid::new_v4())
}

pub(crate) fn task(prompt: &Bytes) -> Task {
    Task {
        title: "Mend the parser".to_owned(),
        prompt: BlobRef::of(prompt),
        project: "/home/someone/project".to_owned(),
        backend: "sonnet".to_owned(),
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

/// Makes a run that has a slot.
pub(crate) async fn started(store: &Store) -> RunId {
    let run = run_id();
    let prompt = Bytes::from_static(b"Mend the parser.");
    let events = vec![
        Event::Started {
            backend: "sonnet".to_owned(),
            model: None,
        },
        Event::MessageAdded {
            origin: MessageOrigin::Prompt,
            text: BlobRef::of(&prompt),
        },
    ];
    store
        .create(run, task(&prompt), events, vec![prompt])
        .await
        .unwrap();
    run
}

/// As long and as random as a provider's.
pub(crate) fn call_id(op: u32) -> String {
    format!(
        "toolu_01{}",
        &blake3::hash(&op.to_le_bytes()).to_hex()[..22]
    )
}

pub(crate) fn intent(op: u32, step: u32, kind: OpKind, args: &Bytes) -> Event {
    let is_model = kind == OpKind::Model;
    let name = if is_model {
        "claude-sonnet-5-5"
    } else {
        "read_file"
    };
    let frame = BlobRef::of(FRAME);
    Event::OpIntended {
        op: OpId(op),
        step,
        op_kind: kind,
        name: name.to_owned(),
        class: OpClass::Pure,
        mode: OpMode::Gated,
        call_id: (!is_model).then(|| call_id(op)),
        args: BlobRef::of(args),
        digest: Digest::of(name, args),
        summary: if is_model {
            "ask".to_owned()
        } else {
            format!("src/part_{op}.rs")
        },
        decision: Decision {
            verdict: Verdict::Allow,
            rule: "reading is allowed".to_owned(),
            rule_id: None,
        },
        reserve: if is_model {
            NanoUsd(51_200_000)
        } else {
            NanoUsd::ZERO
        },
        request: is_model.then(|| Request {
            backend: "sonnet".to_owned(),
            model: name.to_owned(),
            messages: step * 3,
            sent_from: 0,
            frame,
        }),
    }
}

pub(crate) const FRAME: &[u8] = b"You are a careful engineer. Tools: read_file, edit_file, shell.";

pub(crate) fn started_op(op: u32) -> Event {
    Event::OpStarted {
        op: OpId(op),
        keeper: None,
        plan: None,
    }
}

pub(crate) fn finished(op: u32, result: &Bytes, charge: Option<Charge>) -> Event {
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

pub(crate) fn charge(n: u64) -> Charge {
    let tokens = Tokens {
        input: 40 + n % 7,
        output: 500 + n % 100,
        cache_read: n * 1100,
        cache_write: 900,
        cache_write_long: 0,
    };
    Charge {
        model: "claude-sonnet-5-5-20261001".to_owned(),
        tokens,
        cost: Some(NanoUsd(10_500_000 + n as i64)),
        figure: Figure::Priced,
        request_id: Some(format!(
            "req_011CS{}",
            &blake3::hash(&n.to_le_bytes()).to_hex()[..19]
        )),
        price_book: Some("2026-11-01".to_owned()),
        parts: Vec::new(),
        raw: serde_json::json!({
            "input_tokens": tokens.input, "output_tokens": tokens.output,
            "cache_read_input_tokens": tokens.cache_read, "cache_creation_input_tokens": 900,
            "service_tier": "standard",
        }),
        requests: 1,
    }
}

pub(crate) fn checkpoint(step: u32) -> Event {
    Event::CheckpointTaken {
        checkpoint: CheckpointId(step),
        step,
        snapshot: blake3::hash(&step.to_le_bytes()).to_hex()[..40].to_owned(),
        messages: step * 3 + 1,
    }
}
