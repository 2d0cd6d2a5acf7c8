//! What the rules say of a command.

use std::path::PathBuf;

use engine::{Decided, Part};
use protocol::{ApiError, PolicyPart, PolicyTest, PolicyTestRequest};

use crate::api::Api;

pub(crate) async fn policy_test(
    api: &Api,
    request: PolicyTestRequest,
) -> Result<PolicyTest, ApiError> {
    let project = PathBuf::from(&request.project);
    if !project.is_absolute() {
        return Err(ApiError::usage(
            "the project must be an absolute path",
            "give --project a folder",
        ));
    }
    let engine = &api.working()?.engine;
    let decided = engine
        .explain(&request.command, &project, request.policy)
        .await;
    Ok(view(decided))
}

fn view(decided: Decided) -> PolicyTest {
    PolicyTest {
        verdict: decided.verdict,
        why: decided.why,
        parts: decided.parts.into_iter().map(part).collect(),
    }
}

fn part(part: Part) -> PolicyPart {
    let (effect, because) = match part.found {
        Some(found) => (found.effect.words().to_owned(), found.because),
        None => Default::default(),
    };
    PolicyPart {
        program: part.program,
        effect,
        because,
        verdict: part.verdict,
        rule: part.rule,
        source: part.source.map(|s| s.to_string()).unwrap_or_default(),
    }
}
