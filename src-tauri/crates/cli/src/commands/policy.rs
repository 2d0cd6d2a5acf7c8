//! The rules that decide what is asked: what they say, and whose count.

use domain::Verdict;
use protocol::{
    LayerState, PolicyLayer, PolicyPart, PolicyRemoveRequest, PolicyRequest, PolicyTestRequest,
    PolicyTrustRequest, PolicyView, RulePreview,
};

use crate::args::{PolicyCommand, PolicyTestArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::print::{Look, safe};
use crate::times;

pub(super) async fn policy(context: &Context, command: PolicyCommand) -> Result<u8, Failure> {
    let folder = |given: Option<&std::path::Path>| super::input::folder(context, given);
    let trust = |project: String, trusted| PolicyTrustRequest {
        project,
        trusted,
        digest: None,
    };
    let view = match command {
        PolicyCommand::Test(args) => return test(context, args).await,
        PolicyCommand::Show(args) => {
            let request = PolicyRequest {
                project: Some(folder(args.project.as_deref())?),
                policy: args.preset,
            };
            context.client().await?.policy(request).await?
        }
        PolicyCommand::Trust(args) => {
            let request = trust(folder(args.project.as_deref())?, true);
            context.client().await?.policy_trust(request).await?
        }
        PolicyCommand::Distrust(args) => {
            let request = trust(folder(args.project.as_deref())?, false);
            context.client().await?.policy_trust(request).await?
        }
        PolicyCommand::Remove(args) => {
            let project = match &args.project {
                Some(given) => Some(folder(Some(given))?),
                None => None,
            };
            let id = args.rule;
            let request = PolicyRemoveRequest { id, project };
            context.client().await?.policy_remove(request).await?
        }
    };
    context.print.either(&view, || shown(context, &view))?;
    Ok(0)
}

async fn test(context: &Context, args: PolicyTestArgs) -> Result<u8, Failure> {
    let request = PolicyTestRequest {
        command: args.command,
        project: super::input::folder(context, args.project.as_deref())?,
        policy: args.preset,
    };
    let test = context.client().await?.policy_test(request).await?;
    context.print.either(&test, || {
        let mut lines = vec![format!(
            "{}  {}",
            word(context, test.verdict),
            safe(&test.why)
        )];
        lines.extend(test.parts.iter().map(|one| part(context, one)));
        lines.join("\n")
    })?;
    Ok(0)
}

fn word(context: &Context, verdict: Verdict) -> String {
    let (text, look) = match verdict {
        Verdict::Allow => ("allow ", Look::Good),
        Verdict::Review => ("review", Look::Attention),
        Verdict::Deny => ("deny  ", Look::Bad),
    };
    context.print.look(text, look)
}

fn part(context: &Context, part: &PolicyPart) -> String {
    let program = match part.program.as_str() {
        "" => &part.because,
        program => program,
    };
    format!(
        "  {}  {}\n          {}; rule {}: {}",
        word(context, part.verdict),
        safe(program),
        safe(&part.effect),
        safe(&part.rule_id),
        safe(&part.rule)
    )
}

fn shown(context: &Context, view: &PolicyView) -> String {
    let mut lines =
        vec!["The last layer that speaks of a call decides; deny wins over all.".to_owned()];
    let rules = view.layers.iter().flat_map(|layer| &layer.rules);
    if rules.clone().any(|rule| rule.calls.is_some()) {
        let since = match view.counted_since {
            Some(at) => format!("since {}", times::relative(at.0, context.now())),
            None => "in the last 30 days".to_owned(),
        };
        lines.push(format!(
            "The number is how many calls a rule decided {since}."
        ));
    }
    for layer in &view.layers {
        lines.push(String::new());
        lines.push(heading(context, layer));
        for rule in &layer.rules {
            let (id, name) = (safe(&rule.id), safe(&rule.name));
            lines.push(format!(
                "  {}  {}  {id:<20} {name}",
                word(context, rule.outcome),
                calls(context, rule.calls)
            ));
        }
    }
    lines.join("\n")
}

/// How often it decided; one that never did stands out.
fn calls(context: &Context, calls: Option<u32>) -> String {
    match calls {
        None => " ".repeat(6),
        Some(0) => context.print.look(" never", Look::Faint),
        Some(n) => format!("{n:>6}"),
    }
}

fn heading(context: &Context, layer: &PolicyLayer) -> String {
    let file = layer.file.as_deref().map(safe).unwrap_or_default();
    let title = context.print.look(&layer.title, Look::Bold);
    let left_out = match layer.left_out {
        0 => String::new(),
        n => format!("; {n} that would allow do not count"),
    };
    let state = match layer.state {
        LayerState::BuiltIn => "built in".to_owned(),
        LayerState::Absent => format!("{file}: no such file"),
        LayerState::Read => file.to_string(),
        LayerState::OnlyTightens => format!(
            "{file}: not trusted as it is now, so it only tightens{left_out} (`longhaul policy trust`)"
        ),
        LayerState::Broken => {
            let trouble = layer.trouble.as_deref().map(safe).unwrap_or_default();
            let words = format!("{file}: {trouble}: everything is reviewed");
            context.print.look(&words, Look::Bad)
        }
    };
    format!("{title}  ({}:)  {state}", layer.source)
}

/// What "always allow this here" would do.
pub(super) fn preview(context: &Context, preview: &RulePreview) -> String {
    let Some(rule) = &preview.rule else {
        let why = preview.why_not.as_deref().unwrap_or_default();
        return format!("no rule is offered: {}", safe(why));
    };
    let mut lines = vec![
        format!(
            "for {}, in {}:",
            safe(&preview.project),
            safe(&preview.file)
        ),
        String::new(),
    ];
    lines.extend(rule.trim().lines().map(|line| format!("  {}", safe(line))));
    lines.push(String::new());
    lines.push(format!(
        "of {} other reviews here in the last 30 days it would have spared {}",
        preview.looked_at, preview.spared
    ));
    for sample in &preview.samples {
        let answer = sample.answer.as_deref().unwrap_or("not decided");
        let at = times::relative(sample.at.0, context.now());
        lines.push(format!(
            "  {}  ({}, {at})",
            safe(&sample.title),
            safe(answer)
        ));
    }
    lines.join("\n")
}
