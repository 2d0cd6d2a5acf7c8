//! Journals as the daemon shows them, and what they say about operations.

use std::collections::BTreeMap;

use client::Client;
use domain::{Event, OpId, OpOutcome, RunId, Settlement};
use protocol::{LogEntry, LogsRequest};

use super::script::effect_in;

/// A run's whole journal.
pub(crate) async fn journal(client: &Client, run: RunId) -> anyhow::Result<Vec<LogEntry>> {
    let (mut entries, mut after) = (Vec::new(), 0);
    loop {
        let request = LogsRequest {
            run: run.to_string(),
            after,
            limit: None,
        };
        let page = client.logs(request).await?;
        entries.extend(page.entries);
        match page.next {
            Some(next) => after = next,
            None => return Ok(entries),
        }
    }
}

/// How an operation ended, as its run's journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Open,
    Answered {
        outcome: OpOutcome,
        stop: Option<String>,
    },
    /// A person or the world said that it happened.
    Happened,
    Skipped,
    Failed(String),
}

/// What a journal says of one tool call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) run: RunId,
    pub(crate) op: OpId,
    pub(crate) summary: String,
    pub(crate) keepers: Vec<String>,
    /// The keeper an outcome or a settlement belongs to, and whether it was adopted.
    pub(crate) ended_by: Option<String>,
    pub(crate) in_doubt: u32,
    pub(crate) ending: Ending,
    /// What the model was told, shortened.
    pub(crate) told: String,
}

impl Call {
    /// The counted effect it was to have.
    pub(crate) fn effect(&self) -> Option<&str> {
        effect_in(&self.summary)
    }
}

/// Every operation of a journal.
pub(crate) fn calls(run: RunId, entries: &[LogEntry]) -> Vec<Call> {
    let mut calls: BTreeMap<OpId, Call> = BTreeMap::new();
    for entry in entries {
        if let Event::OpIntended { op, summary, .. } = &entry.event {
            let call = Call {
                run,
                op: *op,
                summary: summary.clone(),
                keepers: Vec::new(),
                ended_by: None,
                in_doubt: 0,
                ending: Ending::Open,
                told: String::new(),
            };
            calls.insert(*op, call);
        }
        if let Some(call) = entry.event.op().and_then(|op| calls.get_mut(&op)) {
            follow(call, &entry.event);
            if let (Event::OpFinished { .. }, Some(text)) = (&entry.event, &entry.text) {
                call.told = text.chars().take(200).collect();
            }
        }
    }
    calls.into_values().collect()
}

fn follow(call: &mut Call, event: &Event) {
    match event {
        Event::OpStarted {
            keeper: Some(keeper),
            ..
        } => call.keepers.push(keeper.clone()),
        Event::OpFinished { outcome, stop, .. } => {
            call.ended_by = call.keepers.last().cloned();
            call.ending = Ending::Answered {
                outcome: *outcome,
                stop: stop.clone(),
            };
        }
        Event::OpFailed { error, .. } => call.ending = Ending::Failed(error.message.clone()),
        Event::OpSettled { settlement, .. } => match settlement {
            Settlement::Again => call.ending = Ending::Open,
            Settlement::InDoubt { .. } => call.in_doubt += 1,
            Settlement::Happened { .. } => call.ending = Ending::Happened,
            Settlement::Skipped { .. } => call.ending = Ending::Skipped,
        },
        _ => {}
    }
}
