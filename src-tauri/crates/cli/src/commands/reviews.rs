//! The review queue.

use protocol::{DecideRequest, Decided, ReviewView, ReviewsRequest, SnoozeRequest};

use crate::args::{AnswerArgs, SnoozeArgs, VerdictArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::ids;
use crate::print::{Look, safe};
use crate::times;

pub(super) async fn list(context: &Context) -> Result<u8, Failure> {
    let list = context
        .client()
        .await?
        .reviews(ReviewsRequest::default())
        .await?;
    context.print.either(&list, || {
        if list.reviews.is_empty() {
            return "nothing needs a decision".to_owned();
        }
        let all = &list.reviews;
        all.iter()
            .map(|review| words(context, review, all))
            .collect::<Vec<_>>()
            .join("\n\n")
    })?;
    Ok(0)
}

/// Everything about it, the command in full: nobody should decide on less.
fn words(context: &Context, review: &ReviewView, all: &[ReviewView]) -> String {
    let print = &context.print;
    let id = ids::short(&review.id, all.iter().map(|r| r.id));
    let asked = times::relative(review.requested_at.0, context.now());
    let mut lines = vec![format!(
        "{}  {}  {}",
        print.look(&id, Look::Bold),
        print.look(&safe(&review.title), Look::Attention),
        print.look(&asked, Look::Faint)
    )];
    let title = review.run_title.as_deref().unwrap_or_default();
    let run = ids::short(&review.run, all.iter().map(|r| r.run));
    lines.push(format!("  run {run}  {}", safe(title)));
    if !review.why.is_empty() {
        lines.push(format!("  why: {}", safe(&review.why)));
    }
    lines.extend(
        safe(&review.detail)
            .lines()
            .map(|line| format!("    {line}")),
    );
    for choice in &review.choices {
        lines.push(format!(
            "  {}: {}",
            print.look(&choice.id, Look::Active),
            choice.effect
        ));
    }
    if review.choices.is_empty() {
        lines.push(format!("  answer it: longhaul answer {id} TEXT"));
    }
    lines.join("\n")
}

/// `approve` and `reject`: the daemon refuses them where they are no choices.
pub(super) async fn verdict(
    context: &Context,
    args: VerdictArgs,
    choice: &str,
) -> Result<u8, Failure> {
    let request = DecideRequest {
        review: args.review,
        choice: choice.to_owned(),
        note: args.note,
        max_cost_usd: None,
        by: "cli".to_owned(),
    };
    decide(context, request).await
}

pub(super) async fn answer(context: &Context, args: AnswerArgs) -> Result<u8, Failure> {
    let request = DecideRequest {
        review: args.review,
        choice: args.choice,
        note: args.note,
        max_cost_usd: args.max_cost,
        by: "cli".to_owned(),
    };
    decide(context, request).await
}

async fn decide(context: &Context, request: DecideRequest) -> Result<u8, Failure> {
    let decided: Decided = context.client().await?.decide(request).await?;
    context.print.either(&decided, || {
        format!("{}  {}", decided.review, safe(&decided.choice))
    })?;
    Ok(0)
}

pub(super) async fn snooze(context: &Context, args: SnoozeArgs) -> Result<u8, Failure> {
    let request = SnoozeRequest {
        review: args.review,
        seconds: args.time,
    };
    let review = context.client().await?.snooze(request).await?;
    context.print.either(&review, || {
        let until = review
            .snoozed_until
            .map(|t| times::relative(t.0, context.now()));
        format!(
            "{}  back {}",
            review.id,
            until.unwrap_or_else(|| "now".to_owned())
        )
    })?;
    Ok(0)
}
