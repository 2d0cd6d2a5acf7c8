//! Operations: one effect each, recorded as intent before and as outcome after.

use serde::{Deserialize, Serialize};

use crate::ids::{BlobRef, Digest, OpId, ReviewId};
use crate::money::NanoUsd;
use crate::review::{Answer, Edit};
use crate::task::word_enum;
use crate::time::Timestamp;

word_enum! {
    /// What kind of effect.
    OpKind {
        /// A request to a model, or an agent's turn.
        Model = "model",
        /// A tool call.
        Tool = "tool",
        /// The task's verify command.
        Verify = "verify",
        /// The project's setup command, in a new workspace.
        Setup = "setup",
    }
}

word_enum! {
    /// What may be done with an operation whose outcome is not known.
    OpClass {
        /// Changes nothing: run it again.
        Pure = "pure",
        /// The world tells whether it happened: look, then settle or run again.
        Reconcilable = "reconcilable",
        /// Never repeated by itself: a person decides. The default.
        AtMostOnce = "at-most-once",
    }
}

word_enum! {
    /// Whether we decide before it happens or are only told.
    OpMode {
        /// We decide before it happens.
        Gated = "gated",
        /// An agent only tells us.
        Observed = "observed",
    }
}

word_enum! {
    /// Where an operation is.
    OpState {
        /// Recorded; nothing has happened yet.
        Intended = "intended",
        /// Its effect may be happening.
        Started = "started",
        /// Over; the tool or model answered (perhaps with an error the model sees).
        Finished = "finished",
        /// Over without an answer.
        Failed = "failed",
        /// After a crash: open, and only a person can say what happened.
        InDoubt = "in_doubt",
        /// Over by decision: not done and not to be done.
        Skipped = "skipped",
    }
}

impl OpState {
    /// Whether nothing more will happen to it.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Skipped)
    }
}

word_enum! {
    /// What a policy says of an operation.
    Verdict {
        /// Go ahead.
        Allow = "allow",
        /// A person decides.
        Review = "review",
        /// Never.
        Deny = "deny",
    }
}

/// A policy's verdict and the rule that gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Decision {
    /// Allow, review or deny.
    pub verdict: Verdict,
    /// The rule in words, as shown to the user.
    pub rule: String,
    /// The rule's whole id (`balanced:beyond`), where one of the policy's decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<String>,
}

/// What a model request was made of: a prefix of the run's messages and the
/// blobs around it, so that requests cost no storage of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Request {
    /// The backend asked, by name (the task's own, or a named fallback).
    pub backend: String,
    /// The model asked for.
    pub model: String,
    /// How many of the run's messages there were: the last ones sent.
    pub messages: u32,
    /// Number (from 0) of the first message sent after the prompt, where earlier ones
    /// did not fit the model's context; 0 where all were sent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sent_from: u32,
    /// System prompt and tool definitions, as sent.
    pub frame: BlobRef,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

word_enum! {
    /// How an operation failed, by what may be done about it.
    OpErrorKind {
        /// 429: the whole credential waits.
        RateLimited = "rate_limited",
        /// 529 or 503: the whole credential waits.
        Overloaded = "overloaded",
        /// No connection could be made.
        Offline = "offline",
        /// 5xx: same backend again, a few times.
        Server = "server",
        /// The connection was cut before the answer was complete.
        Cut = "cut",
        /// No answer within the silence limit.
        Silent = "silent",
        /// 401 or 403: the credential must be mended.
        Auth = "auth",
        /// The provider's own spend limit: not retried.
        SpendLimit = "spend_limit",
        /// The request itself is wrong: not retried.
        BadRequest = "bad_request",
        /// The model declined.
        Refused = "refused",
        /// A tool could not be run as asked.
        Tool = "tool",
        /// Refused by policy or by a person.
        Denied = "denied",
        /// Cancelled by the user or at shutdown.
        Cancelled = "cancelled",
        /// An agent process ended or spoke nonsense.
        Agent = "agent",
    }
}

/// Why an operation failed, in words for the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct OpError {
    /// What may be done about it.
    pub kind: OpErrorKind,
    /// What happened, naming the runner (backend, tool, agent).
    pub message: String,
    /// When the provider said to come back, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

word_enum! {
    /// Whether an answered operation answered well.
    OpOutcome {
        /// It did what was asked.
        Ok = "ok",
        /// It answered with an error, which the model is told.
        Error = "error",
    }
}

/// How an operation that a crash left open was settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Settlement {
    /// It changes nothing (or has not happened): it will be run again.
    Again,
    /// The world, its keeper or a person shows that it happened.
    Happened {
        /// What the model is told as its result.
        result: BlobRef,
        /// How we know.
        evidence: String,
    },
    /// Only a person can say: a review asks.
    InDoubt {
        /// What is known.
        evidence: String,
    },
    /// A person said to leave it.
    Skipped {
        /// What the model is told as its result.
        result: BlobRef,
    },
}

/// An operation that is not over yet. Those that are over live in the store's
/// projection, so that a run's fold stays small however long it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    /// Number within the run.
    pub id: OpId,
    /// The step it belongs to.
    pub step: u32,
    /// Kind of effect.
    pub kind: OpKind,
    /// Tool name, model id or `verify`.
    pub name: String,
    /// What may be done when its outcome is unknown.
    pub class: OpClass,
    /// Gated or observed.
    pub mode: OpMode,
    /// Where it is.
    pub state: OpState,
    /// The model's id of the call (`toolu_…`), which its result must carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// The arguments it runs with: exactly as received, or as a person changed them
    /// before approving it.
    pub args: BlobRef,
    /// What a decision about it is bound to.
    pub digest: Digest,
    /// One line for people: the command, the path, the model.
    pub summary: String,
    /// Worst case cost set aside for it.
    #[serde(default)]
    pub reserve: NanoUsd,
    /// The open or decided review that gates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewId>,
    /// The keeper that runs it, by folder name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper: Option<String>,
    /// How often it has been tried.
    #[serde(default)]
    pub tries: u32,
    /// When it was recorded.
    pub intended_at: Timestamp,
    /// When its effect could first begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// What was known beforehand that lets the world be looked at afterwards
    /// (a planned write's before- and after-image), as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// What a person changed in it before approving it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<Box<Edit>>,
    /// What a person remarked when approving it; the model is told with the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Op {
    /// The operation as it goes on once `answer` is used: with the arguments a person put in
    /// the place of its own. Whatever happens to it from here on (a second try, a doubt
    /// after a crash) is about these.
    pub fn decided(mut self, answer: &Answer) -> Self {
        self.review = None;
        if let Some(edit) = &answer.edit {
            self.args = edit.args.clone();
            self.digest = edit.digest.clone();
            self.summary.clone_from(&edit.summary);
            self.edit = Some(edit.clone());
        }
        if answer.note.is_some() {
            self.note.clone_from(&answer.note);
        }
        self
    }

    /// What the model is told of a call: what a person changed in it or remarked, then `what`.
    pub fn told(&self, what: &str) -> String {
        let edit = self.edit.as_ref().map(|edit| edit.told.clone());
        let note = self.note.as_ref().map(|n| format!("The user's note: {n}"));
        let parts: Vec<String> = edit.into_iter().chain(note).collect();
        match parts.is_empty() {
            true => what.to_owned(),
            false => format!("{}\n\n{what}", parts.join("\n")),
        }
    }
}
