//! `catch-up`, and the figures of `reviews --stats`.

use domain::RunState;
use protocol::{
    CatchUp, CatchUpRequest, CaughtUpRequest, IdleRule, Moment, ReviewFigures, ReviewFiguresRequest,
};

use crate::args::CatchUpArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::ids;
use crate::print::{Look, safe};
use crate::times;

/// So many decisions and rules are listed; the rest is counted.
const LISTED: usize = 10;

fn ago(context: &Context, seconds: u64) -> Moment {
    let ms = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
    context.now().plus_ms(-ms).into()
}

pub(super) async fn catch_up(context: &Context, args: CatchUpArgs) -> Result<u8, Failure> {
    let client = context.client().await?;
    let request = CatchUpRequest {
        since: args.since.map(|seconds| ago(context, seconds)),
    };
    let seen = client.catch_up(request).await?;
    context.print.either(&seen, || words(context, &seen))?;
    // Only now: what could not be printed has not been seen.
    if !args.keep && args.since.is_none() {
        let cursor = seen.cursor;
        client.caught_up(CaughtUpRequest { cursor }).await?;
    }
    Ok(0)
}

fn words(context: &Context, seen: &CatchUp) -> String {
    let print = &context.print;
    let ago = |at: Moment| times::relative(at.0, context.now());
    let since = match seen.looked_before {
        true => format!("since you last looked, {}", ago(seen.since)),
        false => format!("since {}", ago(seen.since)),
    };
    let mut lines = vec![print.look(&since, Look::Bold)];
    let all: Vec<_> = seen.runs.iter().map(|run| run.run).collect();
    for run in &seen.runs {
        let state = print.look(&run.state.to_string(), Look::of_state(run.state));
        let id = ids::short(&run.run, all.iter().copied());
        let cost = format!("${}", run.cost_usd);
        lines.push(format!(
            "  {id}  {state}  {}  {}",
            safe(&run.title),
            print.look(&format!("{cost}, {}", ago(run.at)), Look::Faint)
        ));
        if let Some(why) = &run.why {
            lines.push(format!("      {}", safe(why)));
        }
        if run.state == RunState::Interrupted {
            lines.push(format!("      `longhaul resume {id}` lets it go on"));
        }
    }
    for applied in &seen.applied {
        lines.push(format!(
            "  applied  {} → {}  {}",
            safe(&applied.title),
            safe(&applied.target),
            print.look(&ago(applied.at), Look::Faint)
        ));
    }
    for decision in seen.decisions.iter().take(LISTED) {
        lines.push(format!(
            "  {} by {}  {}  {}",
            safe(&decision.choice),
            safe(&decision.by),
            safe(&decision.title),
            print.look(&ago(decision.at), Look::Faint)
        ));
    }
    let rest = seen.decisions.len().saturating_sub(LISTED);
    if rest > 0 {
        lines.push(format!(
            "  and {rest} more decisions (`longhaul reviews --status decided`)"
        ));
    }
    if lines.len() == 1 {
        lines.push("  nothing ended and nothing was decided".to_owned());
    }
    if seen.more {
        lines.push("  and more, further back (`longhaul runs`)".to_owned());
    }
    lines.push(format!(
        "  rules let {} calls run and refused {}; ${} were spent",
        seen.allowed, seen.refused, seen.cost_usd
    ));
    let open = match seen.open_reviews {
        0 => "nothing needs a decision".to_owned(),
        n => print.look(
            &format!("{n} need a decision (`longhaul reviews -i`)"),
            Look::Attention,
        ),
    };
    lines.push(format!("  now: {} runs go on, {open}", seen.live));
    lines.join("\n")
}

pub(super) async fn figures(context: &Context, since: Option<u64>) -> Result<u8, Failure> {
    let request = ReviewFiguresRequest {
        since: since.map(|seconds| ago(context, seconds)),
    };
    let figures = context.client().await?.review_figures(request).await?;
    context
        .print
        .either(&figures, || figure_words(context, &figures))?;
    Ok(0)
}

fn percent(per_mille: Option<u32>) -> String {
    per_mille.map_or("-".to_owned(), |n| format!("{}.{} %", n / 10, n % 10))
}

fn figure_words(context: &Context, figures: &ReviewFigures) -> String {
    let median = figures.median_ms.map_or("-".to_owned(), |ms| match ms {
        ms if ms < 1000 => format!("{ms} ms"),
        ms => times::duration(ms / 1000),
    });
    let kinds = figures.kinds.iter();
    let kinds: Vec<String> = kinds.map(|k| format!("{} {}", k.count, k.kind)).collect();
    let mut lines = vec![
        format!("since {}", times::relative(figures.since.0, context.now())),
        format!("asked     {} reviews: {}", figures.asked, kinds.join(", ")),
        format!(
            "rate      {} of {} tool calls ({})",
            figures.calls_asked,
            figures.calls,
            percent(figures.asked_per_mille)
        ),
        format!(
            "decided   {}, half of them within {median}",
            figures.decided
        ),
        format!(
            "reverted  {} ({} undone at once, {} approved and rolled back later)",
            percent(figures.reverted_per_mille),
            figures.undone,
            figures.rolled_back
        ),
    ];
    for rule in figures.rules.iter().take(LISTED) {
        lines.push(format!(
            "  {:>6}  {}  {}",
            rule.calls,
            rule.verdict,
            safe(&rule.rule)
        ));
    }
    lines.extend(idle_words(context, figures));
    lines.join("\n")
}

/// Rules that decided nothing: the user's own by name, built-in ones by number.
fn idle_words(context: &Context, figures: &ReviewFigures) -> Vec<String> {
    let Some(since) = figures.idle_since else {
        return Vec::new();
    };
    let (own, built_in): (Vec<&IdleRule>, Vec<_>) = figures
        .idle_rules
        .iter()
        .partition(|rule| rule.file.is_some());
    let since = times::relative(since.0, context.now());
    let mut lines = vec![format!("rules that decided nothing since {since}:")];
    for rule in own.iter().take(LISTED) {
        let project = rule.project.as_deref().map(safe);
        let project = project.map(|p| format!("  for {p}")).unwrap_or_default();
        let (id, name) = (safe(&rule.rule_id), safe(&rule.name));
        lines.push(format!("          {}  {id}  {name}{project}", rule.outcome));
    }
    if own.len() > LISTED {
        lines.push(format!(
            "          and {} more of yours",
            own.len() - LISTED
        ));
    }
    if !built_in.is_empty() {
        lines.push(format!(
            "          {} built-in ones (`longhaul policy show` marks them)",
            built_in.len()
        ));
    }
    lines
}
