//! How the rules in force do: how often they decided, which of them never did, and whose file
//! cannot be read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use domain::{Preset, Timestamp};
use engine::{Engine, FileState, InForce, Layer, Source};
use protocol::{ApiError, BrokenRules, IdleRule};
use store::{RuleCounts, Store};

use crate::api::Working;

/// How far back is looked.
pub(super) const LOOKED_BACK_MS: i64 = 30 * 24 * 3_600_000;

/// Projects whose rules are looked at for those that never decide.
const PROJECTS: u32 = 100;

/// The files of rules that cannot be read: the user's, and those of projects worked on last.
pub(super) async fn broken(working: &Working) -> Result<Vec<BrokenRules>, ApiError> {
    let projects = working.store.projects(PROJECTS).await;
    let projects = projects.map_err(ApiError::internal)?.into_iter();
    let projects: Vec<PathBuf> = projects.map(|p| p.path.into()).collect();
    let broken = working.engine.broken_rules(&projects).await;
    let shown = broken.into_iter().map(|(file, why)| {
        let of = |project: &&PathBuf| file.path.starts_with(project);
        let own = file.source == Source::Project;
        let project = projects.iter().filter(|_| own).find(of);
        BrokenRules {
            project: project.map(|project| project.display().to_string()),
            file: file.path.display().to_string(),
            why,
        }
    });
    Ok(shown.collect())
}

/// What was counted of rules' decisions since some moment.
pub(super) struct Counted {
    since: Timestamp,
    counts: RuleCounts,
}

impl Counted {
    pub(super) async fn since(store: &Store, since: Timestamp) -> Result<Self, ApiError> {
        let counts = store.rule_counts(since).await;
        let counts = counts.map_err(ApiError::internal)?;
        Ok(Self { since, counts })
    }

    /// Since when there are counts, where that is later than what was asked for.
    pub(super) fn began_later(&self) -> Option<Timestamp> {
        self.counts.began.filter(|began| *began > self.since)
    }

    /// About how many calls a rule decided: of one project, where the rule is for that one
    /// alone. `None` while nothing was counted.
    pub(super) fn calls(&self, source: Source, id: &str, project: Option<&str>) -> Option<u32> {
        self.counts.began?;
        let whole = format!("{}:{id}", source.word());
        let of_one = matches!(source, Source::Project | Source::Here);
        let counts = self.counts.uses.iter().filter(|used| {
            used.rule_id == whole && (!of_one || project == Some(used.project.as_str()))
        });
        let calls = counts.map(|used| used.calls).sum::<u64>();
        Some(u32::try_from(calls).unwrap_or(u32::MAX))
    }

    /// Rules in force that decided nothing: the user's, those of every project something was
    /// decided in, then the built-in ones of presets that are in use.
    pub(super) async fn idle(&self, engine: &Engine) -> Vec<IdleRule> {
        let uses = &self.counts.uses;
        let projects: BTreeSet<&str> = uses.iter().map(|used| used.project.as_str()).collect();
        let mut idle = Vec::new();
        for (n, project) in projects.into_iter().take(PROJECTS as usize).enumerate() {
            let in_force = engine.rules_in_force(None, Path::new(project)).await;
            if n == 0 {
                self.add(&in_force, Source::User, None, &mut idle);
            }
            for source in [Source::Here, Source::Project] {
                self.add(&in_force, source, Some(project), &mut idle);
            }
        }
        let presets = uses.iter().filter_map(|used| used.rule_id.split_once(':'));
        let presets: BTreeSet<&str> = presets.map(|(source, _)| source).collect();
        let presets = presets.into_iter().filter_map(|word| word.parse().ok());
        for (n, preset) in presets.enumerate() {
            let preset: Preset = preset;
            let in_force = engine.rules_in_force(Some(preset), Path::new("")).await;
            if n == 0 {
                self.add(&in_force, Source::Always, None, &mut idle);
            }
            self.add(&in_force, Source::Preset(preset), None, &mut idle);
        }
        idle
    }

    fn add(
        &self,
        in_force: &InForce,
        source: Source,
        project: Option<&str>,
        idle: &mut Vec<IdleRule>,
    ) {
        // What stands for a file that cannot be read is no rule of anybody's.
        let written_in = match source {
            Source::Here => Source::User,
            source => source,
        };
        let file = in_force.files.iter().find(|file| file.source == written_in);
        if file.is_some_and(|file| matches!(file.state, FileState::Broken(_))) {
            return;
        }
        let is = |layer: &&Layer| layer.source == source;
        for layer in in_force.policy.layers().iter().filter(is) {
            let never = layer
                .rules
                .iter()
                .filter(|rule| self.calls(source, &rule.id, project) == Some(0));
            idle.extend(never.map(|rule| IdleRule {
                rule_id: format!("{}:{}", source.word(), rule.id),
                name: rule.name.clone(),
                outcome: rule.outcome,
                source: source.to_string(),
                project: project.map(str::to_owned),
                file: file.map(|file| file.path.display().to_string()),
            }));
        }
    }
}
