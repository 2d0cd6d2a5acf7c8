//! What the server keeps in memory.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tokio::{sync::watch, time::Instant};

use super::{
    chat::Manner,
    fault::{ALWAYS, Fault, FaultScope},
    gate::Barrier,
    record::{Outcome, RequestRecord},
    script::{Script, Turn},
    validate::SentCalls,
    view::RequestView,
};

/// Models the server knows unless told otherwise: those on sale on 2026-11-21, by their ids' beginnings.
const MODELS: [&str; 16] = [
    "claude-fable-5-2",
    "claude-mythos-5-2",
    "claude-fable-5-1",
    "claude-mythos-5-1",
    "claude-fable-5",
    "claude-opus-5-5",
    "claude-opus-5",
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-opus-4-6",
    "claude-sonnet-5-5",
    "claude-sonnet-5",
    "claude-sonnet-4-6",
    "claude-sonnet-4-5",
    "claude-haiku-5-5",
    "claude-haiku-4-5",
];

/// The same of those that chat completions are asked for.
pub(crate) const CHAT_MODELS: [&str; 6] = [
    "gpt-6.1-sol",
    "gpt-6-luna",
    "gpt-5.5",
    "gpt-5.4-mini",
    "gpt-5.4-nano",
    "gpt-5.4",
];

/// What becomes of the requests' bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Bodies {
    /// They are recorded, for tests to look into.
    #[default]
    Kept,
    /// They are not: thousands of long conversations would fill the memory.
    Forgotten,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) bodies: Bodies,
    pub(crate) scripts: BTreeMap<String, Script>,
    pub(crate) default_script: Option<String>,
    pub(crate) valid_key: Option<String>,
    pub(crate) key_names: HashMap<String, String>,
    pub(crate) models: Vec<String>,
    pub(crate) records: Vec<RequestRecord>,
    pub(crate) barriers: Vec<Barrier>,
    pub(crate) sent: SentCalls,
    pub(crate) manner: Manner,
    injected: VecDeque<(Fault, u32)>,
    attempts: HashMap<(String, usize, String), u32>,
    used: HashMap<(String, usize, usize, Option<String>), u32>,
}

impl Inner {
    pub(crate) fn inject(&mut self, fault: Fault, times: u32) {
        self.injected.push_back((fault, times));
    }

    pub(crate) fn clear_injected(&mut self) {
        self.injected.clear();
    }

    pub(crate) fn take_injected(&mut self) -> Option<Fault> {
        self.injected.retain(|(_, left)| *left > 0);
        let (fault, left) = self.injected.front_mut()?;
        if *left != ALWAYS {
            *left -= 1;
        }
        Some(fault.clone())
    }

    /// Counts this request and says how many there were before it for the same turn.
    pub(crate) fn count_attempt(&mut self, view: &RequestView) -> u32 {
        let count = self
            .attempts
            .entry((view.script.clone(), view.turn, view.conversation.clone()))
            .or_default();
        *count += 1;
        *count - 1
    }

    /// The fault this request for `turn` meets, if any is left over.
    pub(crate) fn take_scripted(&mut self, view: &RequestView, turn: &Turn) -> Option<Fault> {
        for (i, rule) in turn.faults.iter().enumerate() {
            let whom = (rule.scope == FaultScope::Conversation).then(|| view.conversation.clone());
            let used = self
                .used
                .entry((view.script.clone(), view.turn, i, whom))
                .or_default();
            if *used < rule.times {
                *used += 1;
                return Some(rule.fault.clone());
            }
        }
        None
    }

    pub(crate) fn knows(&self, model: &str) -> bool {
        model.starts_with("scripted")
            || CHAT_MODELS.iter().any(|known| model.starts_with(known))
            || self
                .models
                .iter()
                .any(|known| model.starts_with(known.as_str()))
    }

    /// A name for a key that does not give it away.
    pub(crate) fn label(&self, key: Option<&str>) -> String {
        match key {
            None => "none".to_owned(),
            Some(key) => self
                .key_names
                .get(key)
                .cloned()
                .unwrap_or_else(|| format!("key-{}", &super::view::digest(key)[..8])),
        }
    }
}

pub(crate) struct Shared {
    inner: Mutex<Inner>,
    started: Instant,
    /// Grows with every change of a record.
    pub(crate) revision: watch::Sender<u64>,
    pub(crate) paused: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        let inner = Inner {
            models: MODELS.map(str::to_owned).to_vec(),
            ..Inner::default()
        };
        Self {
            inner: Mutex::new(inner),
            started: Instant::now(),
            revision: watch::Sender::new(0),
            paused: watch::Sender::new(false),
        }
    }

    /// A panic elsewhere must not turn into a second, misleading one here.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn elapsed_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) fn update(&self, seq: usize, change: impl FnOnce(&mut RequestRecord)) {
        if let Some(record) = self.lock().records.get_mut(seq) {
            change(record);
        }
        self.revision.send_modify(|n| *n += 1);
    }

    pub(crate) fn finish(&self, seq: usize, outcome: Outcome, bills: Option<(Value, Value)>) {
        let ended_us = self.elapsed_us();
        self.update(seq, |record| {
            record.outcome = outcome;
            record.ended_us = Some(ended_us);
            if let Some((billed, worst_case)) = bills {
                record.billed = Some(billed);
                record.worst_case = Some(worst_case);
            }
        });
    }
}
