//! What happened since somebody last looked, and figures about decisions.

use domain::{NanoUsd, ReviewId, RunId, RunState, Verdict};
use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// Asks what happened since the user last looked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct CatchUpRequest {
    /// Since this moment, instead of since the last look.
    #[serde(default)]
    pub since: Option<Moment>,
}

/// A run that came to an end, or was interrupted and is so still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct CaughtRun {
    /// The run.
    pub run: RunId,
    /// Its title.
    pub title: String,
    /// Absolute path of its project.
    pub project: String,
    /// How it is now.
    pub state: RunState,
    /// Why it failed or stopped, in words.
    pub why: Option<String>,
    /// When that was.
    pub at: Moment,
    /// What it has cost in all, as far as that is known.
    pub cost_usd: NanoUsd,
}

/// A result that was put into a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct CaughtApply {
    /// The run.
    pub run: RunId,
    /// Its title.
    pub title: String,
    /// The branch, or the folder.
    pub target: String,
    /// When.
    pub at: Moment,
}

/// A decision that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct CaughtDecision {
    /// The review.
    pub review: ReviewId,
    /// Whose.
    pub run: RunId,
    /// What was asked.
    pub title: String,
    /// What was decided.
    pub choice: String,
    /// Through what.
    pub by: String,
    /// When.
    pub at: Moment,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct CatchUp {
    /// Since then.
    pub since: Moment,
    /// Whether that is when the user last looked; otherwise nobody ever has.
    pub looked_before: bool,
    /// As of this place in the journal: `caught_up` takes it.
    pub cursor: String,
    /// Runs that ended or stopped, newest first.
    pub runs: Vec<CaughtRun>,
    /// Results that were applied, newest first.
    pub applied: Vec<CaughtApply>,
    /// Decisions, newest first.
    pub decisions: Vec<CaughtDecision>,
    /// Tool calls that rules let run.
    pub allowed: u32,
    /// Tool calls that rules refused.
    pub refused: u32,
    /// Reviews that wait for somebody now.
    pub open_reviews: u32,
    /// Runs that go on now.
    pub live: u32,
    /// What was spent, as far as that is known.
    pub cost_usd: NanoUsd,
    /// Whether more happened than is listed.
    pub more: bool,
}

/// The user has looked: from here on only what comes later is told.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct CaughtUpRequest {
    /// The cursor of what was looked at.
    pub cursor: String,
}

/// It is remembered, over restarts and for every window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct CaughtUp {
    /// When the user looked.
    pub at: Moment,
}

/// Asks for figures about reviews.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct ReviewFiguresRequest {
    /// Since this moment; the last 30 days when absent.
    #[serde(default)]
    pub since: Option<Moment>,
}

/// How often a kind was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct KindCount {
    /// The kind.
    pub kind: String,
    /// How often.
    pub count: u32,
}

/// How often a rule spoke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct RuleFigure {
    /// The rule.
    pub rule: String,
    /// What it says: allow, review or deny.
    pub verdict: String,
    /// About how many calls.
    pub calls: u32,
}

/// A rule that is in force and decided nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct IdleRule {
    /// Its whole id, such as `user:no-npm`.
    pub rule_id: String,
    /// What a person reads when it decides.
    pub name: String,
    /// What it would decide.
    pub outcome: Verdict,
    /// Where it comes from, in words.
    pub source: String,
    /// The project it is for, where it is for one; an absolute path.
    pub project: Option<String>,
    /// The file it is written in; none for one that is built in.
    pub file: Option<String>,
}

/// Figures about reviews of some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ReviewFigures {
    /// Since then.
    pub since: Moment,
    /// Reviews that were asked for.
    pub asked: u32,
    /// By kind, most often first.
    pub kinds: Vec<KindCount>,
    /// Tool calls there were.
    pub calls: u32,
    /// Tool calls a person was asked about.
    pub calls_asked: u32,
    /// Those in a thousand calls; absent where there were none.
    pub asked_per_mille: Option<u32>,
    /// Reviews that were decided.
    pub decided: u32,
    /// Half of the decisions took no longer than this, in milliseconds.
    #[specta(type = Option<u32>)]
    pub median_ms: Option<u64>,
    /// Decisions taken back before they took effect.
    pub undone: u32,
    /// Approvals whose effect was taken back by a rollback.
    pub rolled_back: u32,
    /// Both, in a thousand decisions; absent where there were none.
    pub reverted_per_mille: Option<u32>,
    /// Rules that spoke, those that did most often first.
    pub rules: Vec<RuleFigure>,
    /// Rules in force that decided nothing, the user's own first. Built-in ones of presets
    /// that nobody works under are left out. Empty while no rule decided anything.
    #[serde(default)]
    pub idle_rules: Vec<IdleRule>,
    /// Since when that is known: decisions are counted from the version on that began to.
    #[serde(default)]
    pub idle_since: Option<Moment>,
}
