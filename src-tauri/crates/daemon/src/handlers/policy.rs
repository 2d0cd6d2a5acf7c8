//! The rules that decide what is asked: what they say, whose count, and new ones.

use std::path::{Path, PathBuf};

use domain::{Preset, ReviewId};
use engine::{
    Decided, FileState, InForce, Layer, Part, ProjectRules, RuleFile, RulesError, Source, Trust,
};
use protocol::{
    ApiError, ErrorCode, LayerState, PolicyLayer, PolicyPart, PolicyRemoveRequest, PolicyRequest,
    PolicyRule, PolicyTest, PolicyTestRequest, PolicyText, PolicyTrustRequest, PolicyView,
    RulePreview, RulePreviewRequest, RuleSample,
};

use super::idle_rules::{Counted, LOOKED_BACK_MS};
use crate::api::Api;

pub(crate) async fn policy_test(
    api: &Api,
    request: PolicyTestRequest,
) -> Result<PolicyTest, ApiError> {
    let project = absolute(&request.project)?;
    let engine = &api.working()?.engine;
    let decided = engine
        .explain(&request.command, &project, request.policy)
        .await;
    Ok(test(decided))
}

pub(crate) async fn policy(api: &Api, request: PolicyRequest) -> Result<PolicyView, ApiError> {
    let project = request.project.as_deref().map(absolute).transpose()?;
    view(api, project, request.policy).await
}

pub(crate) async fn policy_trust(
    api: &Api,
    request: PolicyTrustRequest,
) -> Result<PolicyView, ApiError> {
    let project = absolute(&request.project)?;
    let trust = match request.trusted {
        true => Trust::Trusted,
        false => Trust::OnlyTightens,
    };
    let engine = &api.working()?.engine;
    let digest = request.digest.as_deref();
    let changed = engine.trust_rules(&project, trust, digest).await;
    changed.map_err(rules_error)?;
    view(api, Some(project), None).await
}

pub(crate) async fn policy_remove(
    api: &Api,
    request: PolicyRemoveRequest,
) -> Result<PolicyView, ApiError> {
    let project = request.project.as_deref().map(absolute).transpose()?;
    let engine = &api.working()?.engine;
    let removed = engine.remove_rule(&request.id, project.as_deref()).await;
    removed.map_err(rules_error)?;
    view(api, project, None).await
}

pub(crate) async fn rule_preview(
    api: &Api,
    request: RulePreviewRequest,
) -> Result<RulePreview, ApiError> {
    let review: ReviewId = api.review_id(&request.review).await?;
    let preview = api.working()?.engine.preview_rule(review).await;
    let preview = preview.map_err(super::reviews::decide_error)?;
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let samples = preview.samples.into_iter().map(|review| RuleSample {
        review: review.id,
        answer: review.answer().map(|answer| answer.choice.clone()),
        at: review.requested_at.into(),
        title: review.title,
    });
    let (rule, why_not) = match preview.rule {
        Ok(proposal) => (Some(proposal.text), None),
        Err(why) => (None, Some(why)),
    };
    Ok(RulePreview {
        review,
        rule,
        why_not,
        file: preview.file.display().to_string(),
        project: preview.project.display().to_string(),
        looked_at: count(preview.looked_at),
        spared: count(preview.spared),
        samples: samples.collect(),
    })
}

pub(crate) fn rules_error(error: RulesError) -> ApiError {
    let words = error.to_string();
    match error {
        RulesError::Bad { .. } => ApiError::new(
            ErrorCode::Conflict,
            words,
            "mend the file there, then try again",
        ),
        RulesError::Unknown(_) => {
            ApiError::not_found(words, "`longhaul policy show` lists rules and their files")
        }
        RulesError::Changed(_) => {
            ApiError::new(ErrorCode::Conflict, words, "read it again, then trust it")
        }
        RulesError::Unwritable { .. } => ApiError::new(
            ErrorCode::Conflict,
            words,
            "look at the file's permissions and the space on its disk",
        ),
    }
}

fn absolute(project: &str) -> Result<PathBuf, ApiError> {
    let path = Path::new(project);
    match path.is_absolute() {
        true => Ok(path.to_owned()),
        false => Err(ApiError::usage(
            "the project must be an absolute path",
            "give --project a folder",
        )),
    }
}

async fn view(
    api: &Api,
    project: Option<PathBuf>,
    preset: Option<Preset>,
) -> Result<PolicyView, ApiError> {
    let working = api.working()?;
    let folder = project.clone().unwrap_or_default();
    let in_force = working.engine.rules_in_force(preset, &folder).await;
    let since = api.inner.clock.now().plus_ms(-LOOKED_BACK_MS);
    let counted = Counted::since(&working.store, since).await?;
    let named = project.as_ref().map(|path| path.display().to_string());
    let mut layers = shown(&in_force);
    let sources = in_force.policy.layers().iter().map(|layer| layer.source);
    for source in sources {
        let of = layers.iter_mut().filter(|l| l.source == source.word());
        for rule in of.flat_map(|layer| &mut layer.rules) {
            rule.calls = counted.calls(source, &rule.id, named.as_deref());
        }
    }
    let projects = Source::Project.word();
    if let Some(layer) = layers.iter_mut().find(|layer| layer.source == projects)
        && project.is_some()
    {
        layer.written = working.engine.project_rules(&folder).await.map(written);
    }
    Ok(PolicyView {
        project: named,
        preset: in_force.preset,
        layers,
        counted_since: counted.began_later().map(Into::into),
    })
}

fn written(rules: ProjectRules) -> PolicyText {
    PolicyText {
        text: rules.text,
        digest: rules.digest,
        loosens: rules.loosens.iter().map(rule).collect(),
    }
}

fn rule(rule: &engine::Rule) -> PolicyRule {
    PolicyRule {
        id: rule.id.clone(),
        name: rule.name.clone(),
        outcome: rule.outcome,
        calls: None,
    }
}

/// Every layer, and files that are not there in the place of the layers they would be.
fn shown(in_force: &InForce) -> Vec<PolicyLayer> {
    let layers = in_force.policy.layers();
    let layer_of = |source| layers.iter().find(|layer| layer.source == source);
    let is_built_in = |layer: &&Layer| matches!(layer.source, Source::Always | Source::Preset(_));
    let built_in = layers.iter().filter(is_built_in);
    let built_in = built_in.map(|layer| layer_view(layer.source, None, Some(layer)));
    let files = in_force.files.iter();
    let files = files.map(|file| layer_view(file.source, Some(file), layer_of(file.source)));
    let users = in_force
        .files
        .iter()
        .find(|file| file.source == Source::User);
    let here = layer_of(Source::Here).filter(|layer| !layer.rules.is_empty());
    let here = here.map(|layer| layer_view(Source::Here, users, Some(layer)));
    built_in.chain(files).chain(here).collect()
}

fn layer_view(source: Source, file: Option<&RuleFile>, layer: Option<&Layer>) -> PolicyLayer {
    let (state, trouble) = match file.map(|file| &file.state) {
        None => (LayerState::BuiltIn, None),
        Some(FileState::Absent) => (LayerState::Absent, None),
        Some(FileState::Read(Trust::Trusted)) => (LayerState::Read, None),
        Some(FileState::Read(Trust::OnlyTightens)) => (LayerState::OnlyTightens, None),
        Some(FileState::Broken(why)) => (LayerState::Broken, Some(why.clone())),
    };
    let rules = layer
        .map(|layer| layer.rules.as_slice())
        .unwrap_or_default();
    PolicyLayer {
        source: source.word().to_owned(),
        title: source.to_string(),
        file: file.map(|file| file.path.display().to_string()),
        state,
        trouble,
        left_out: layer.map_or(0, |l| u32::try_from(l.left_out).unwrap_or(u32::MAX)),
        rules: rules.iter().map(rule).collect(),
        written: None,
    }
}

fn test(decided: Decided) -> PolicyTest {
    PolicyTest {
        verdict: decided.verdict,
        why: decided.why,
        rule_id: decided.rule_id,
        parts: decided.parts.into_iter().map(part).collect(),
    }
}

fn part(part: Part) -> PolicyPart {
    PolicyPart {
        program: part.words.join(" "),
        effect: part.found.effect.words().to_owned(),
        because: part.found.because,
        verdict: part.verdict,
        rule_id: part.rule_id,
        rule: part.rule,
        source: part.source.map(|s| s.to_string()).unwrap_or_default(),
    }
}
