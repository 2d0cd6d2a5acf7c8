//! What the rules say of a command.

use domain::Verdict;
use protocol::{PolicyPart, PolicyTestRequest};

use crate::args::PolicyCommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::print::{Look, safe};

pub(super) async fn policy(context: &Context, command: PolicyCommand) -> Result<u8, Failure> {
    let PolicyCommand::Test(args) = command;
    let project = super::input::folder(context, args.project.as_deref())?;
    let request = PolicyTestRequest {
        command: args.command,
        project,
        policy: args.policy,
    };
    let test = context.client().await?.policy_test(request).await?;
    context.print.either(&test, || {
        let mut lines = vec![format!(
            "{}  {}",
            word(context, test.verdict),
            safe(&test.why)
        )];
        lines.extend(test.parts.iter().map(|part| line(context, part)));
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

fn line(context: &Context, part: &PolicyPart) -> String {
    let program = if part.program.is_empty() {
        &part.because
    } else {
        &part.program
    };
    format!(
        "  {}  {}\n          {}; rule \"{}\" ({})",
        word(context, part.verdict),
        safe(program),
        safe(&part.effect),
        part.rule,
        part.source
    )
}
