//! What the rules say of a command.

use domain::{Preset, ReviewId, Verdict};
use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// Asks what would be decided about a shell command. Runs nothing.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct PolicyTestRequest {
    /// The command.
    pub command: String,
    /// The project folder, whose rules count too.
    pub project: String,
    /// The preset; the user's default if absent.
    #[serde(default)]
    pub policy: Option<Preset>,
}

/// One part of a command, and what decides about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct PolicyPart {
    /// The program with its words, as it would be started; `>` for a redirection.
    pub program: String,
    /// What it does, in words.
    pub effect: String,
    /// What of it says so.
    pub because: String,
    /// What is decided.
    pub verdict: Verdict,
    /// The rule's whole id; `none` where no rule speaks of it.
    pub rule_id: String,
    /// The rule's name.
    pub rule: String,
    /// Where the rule comes from.
    pub source: String,
}

/// What would be decided, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct PolicyTest {
    /// What is decided: as its gravest part.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub why: String,
    /// The whole id of the rule that decides.
    pub rule_id: String,
    /// Its parts, in the order in which they stand.
    pub parts: Vec<PolicyPart>,
}

/// Asks for the rules in force.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct PolicyRequest {
    /// The project folder, whose rules count too; none if absent.
    #[serde(default)]
    pub project: Option<String>,
    /// The preset; the user's default if absent.
    #[serde(default)]
    pub policy: Option<Preset>,
}

/// The rules in force, in layers: a later one decides over an earlier, *deny* over all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct PolicyView {
    /// The project they are for.
    pub project: Option<String>,
    /// The preset below them.
    pub preset: Preset,
    /// Lowest first.
    pub layers: Vec<PolicyLayer>,
    /// Since when decisions are counted, where that is less than 30 days ago.
    #[serde(default)]
    pub counted_since: Option<Moment>,
}

/// How far rules of a source count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum LayerState {
    /// Part of the program.
    BuiltIn,
    /// There is no file.
    Absent,
    /// They count.
    Read,
    /// They only ask for more and refuse more: the user has not said that they are trusted
    /// as they are now.
    OnlyTightens,
    /// The file cannot be read: everything is reviewed.
    Broken,
}

/// Rules of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct PolicyLayer {
    /// `always`, a preset, `user`, `project` or `here`: the beginning of its rules' whole ids.
    pub source: String,
    /// The same in words.
    pub title: String,
    /// The file they are written in.
    pub file: Option<String>,
    /// How far they count.
    pub state: LayerState,
    /// What is wrong with the file, with line and column.
    pub trouble: Option<String>,
    /// Rules that would allow and do not count.
    pub left_out: u32,
    /// Those that count.
    pub rules: Vec<PolicyRule>,
    /// The project's: its file as it stands now, for somebody who is to trust it.
    #[serde(default)]
    pub written: Option<PolicyText>,
}

/// A project's own rules as they stand in its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct PolicyText {
    /// All of it.
    pub text: String,
    /// What this very text is known by when it is trusted.
    pub digest: String,
    /// Its rules that allow: what trusting it loosens.
    pub loosens: Vec<PolicyRule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct PolicyRule {
    /// Its id within its layer.
    pub id: String,
    /// What a person reads when it decides.
    pub name: String,
    /// What it decides.
    pub outcome: Verdict,
    /// About how many calls it decided in the last 30 days (for rules of one project: calls
    /// of that project's runs). Absent while no rule's decisions were counted.
    #[serde(default)]
    pub calls: Option<u32>,
}

/// Lets a project's own rules, as they are now, also allow; or no longer.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct PolicyTrustRequest {
    /// The project folder.
    pub project: String,
    /// Whether they are trusted.
    pub trusted: bool,
    /// Only if they are this text still; as they are now if absent.
    #[serde(default)]
    pub digest: Option<String>,
}

/// Takes one of the user's own rules back.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct PolicyRemoveRequest {
    /// The rule's id.
    pub id: String,
    /// Only where it is for this project.
    #[serde(default)]
    pub project: Option<String>,
}

/// Asks what "always allow this here" would do. Writes nothing.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct RulePreviewRequest {
    /// The review (id or unique prefix); an open one.
    pub review: String,
}

/// What "always allow this here" would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct RulePreview {
    /// The review.
    pub review: ReviewId,
    /// The rule as it would be written; give it back with `decide`. Null: none is offered.
    pub rule: Option<String>,
    /// Why none is offered.
    pub why_not: Option<String>,
    /// The file it would be written to.
    pub file: String,
    /// The project it would be for.
    pub project: String,
    /// Reviews of this project's calls in the last 30 days, besides this one.
    pub looked_at: u32,
    /// How many of them would not have been asked.
    pub spared: u32,
    /// The newest of those, at most 5.
    pub samples: Vec<RuleSample>,
}

/// A review that a rule would have made needless.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct RuleSample {
    /// The review.
    pub review: ReviewId,
    /// What was asked.
    pub title: String,
    /// When.
    pub at: Moment,
    /// What was decided, if somebody did.
    pub answer: Option<String>,
}
