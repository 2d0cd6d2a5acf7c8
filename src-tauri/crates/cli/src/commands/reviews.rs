//! The review queue.

use domain::ReviewId;
use protocol::{
    DecideRequest, Decided, ReviewRequest, ReviewStatus, ReviewView, ReviewsRequest, ReviewsStatus,
    RulePreview, RulePreviewRequest, SnoozeRequest, UndoRequest,
};

use crate::args::{
    AnswerArgs, ApproveArgs, Group, RejectArgs, ReviewsArgs, SnoozeArgs, UndoArgs, Which,
};
use crate::context::Context;
use crate::failure::Failure;
use crate::ids;
use crate::print::{Look, safe};
use crate::times;

pub(super) async fn list(context: &Context, args: ReviewsArgs) -> Result<u8, Failure> {
    let request = ReviewsRequest {
        run: args.run,
        status: match args.status {
            Which::Open => ReviewsStatus::Open,
            Which::Snoozed => ReviewsStatus::Snoozed,
            Which::Decided => ReviewsStatus::Decided,
            Which::All => ReviewsStatus::All,
        },
        before: None,
        limit: args.limit,
    };
    let list = context.client().await?.reviews(request).await?;
    context.print.either(&list, || {
        if list.reviews.is_empty() {
            return nothing(args.status, list.snoozed);
        }
        let all = &list.reviews;
        all.iter()
            .map(|review| words(context, review, all))
            .collect::<Vec<_>>()
            .join("\n\n")
    })?;
    Ok(0)
}

/// Why there is nothing to see.
fn nothing(which: Which, snoozed: u32) -> String {
    match (which, snoozed) {
        (Which::Open, 0) => "nothing needs a decision".to_owned(),
        (Which::Open, n) => {
            format!(
                "nothing needs a decision now; {n} put off (`longhaul reviews --status snoozed`)"
            )
        }
        (Which::Snoozed, _) => "nothing is put off".to_owned(),
        (Which::Decided | Which::All, _) => "nothing has been decided".to_owned(),
    }
}

/// What became of it, where something did.
fn outcome(context: &Context, review: &ReviewView) -> Option<String> {
    let ago = |at: protocol::Moment| times::relative(at.0, context.now());
    let decided = review.answer.as_ref().map(|answer| {
        let note = answer.note.as_deref().map(safe);
        let note = note.map(|note| format!(": {note}")).unwrap_or_default();
        let (choice, by) = (safe(&answer.choice), safe(&answer.by));
        let edited = answer
            .edited
            .as_ref()
            .map_or("", |_| ", with other arguments");
        format!("{choice}{edited} by {by} {}{note}", ago(answer.at))
    });
    let end = match (review.state, &review.withdrawn) {
        (ReviewStatus::Used, _) => Some("acted on".to_owned()),
        (ReviewStatus::Withdrawn, Some(why)) => Some(format!("withdrawn: {}", safe(why))),
        (ReviewStatus::Withdrawn, None) => Some("withdrawn".to_owned()),
        (ReviewStatus::Expired, _) => {
            let when = review.ended_at.map(ago).unwrap_or_default();
            Some(format!(
                "expired {when}: nobody answered, so nothing was approved or refused (`longhaul resume` asks again)"
            ))
        }
        (ReviewStatus::Decided, _) => review
            .effective_at
            .map(|at| format!("takes effect {}", ago(at))),
        (ReviewStatus::Open, _) => None,
    };
    let parts: Vec<String> = decided.into_iter().chain(end).collect();
    (!parts.is_empty()).then(|| format!("  {}", parts.join("; ")))
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
    let alike = all
        .iter()
        .filter(|r| review.same.is_some() && r.same == review.same);
    let alike = alike.count();
    if alike > 1 && review.state == ReviewStatus::Open {
        lines.push(format!(
            "  {alike} ask for this very call; `--group` answers them all"
        ));
    }
    if !review.why.is_empty() {
        lines.push(format!("  why: {}", safe(&review.why)));
    }
    if let Some(at) = review.expires_at {
        let at = times::relative(at.0, context.now());
        lines.push(format!(
            "  expires {at} if nobody answers: its run stops then, and asks again when resumed"
        ));
    }
    lines.extend(
        safe(&review.detail)
            .lines()
            .map(|line| format!("    {line}")),
    );
    lines.extend(outcome(context, review));
    if review.state != ReviewStatus::Open {
        return lines.join("\n");
    }
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

/// The daemon refuses it where it is no choice.
pub(super) async fn approve(context: &Context, args: ApproveArgs) -> Result<u8, Failure> {
    let arguments = match &args.arguments {
        None => None,
        Some(text) => match serde_json::from_str(text) {
            Ok(serde_json::Value::Object(arguments)) => Some(arguments),
            _ => {
                return Err(Failure::usage(
                    "the arguments are not a JSON object",
                    "`longhaul reviews --json` shows those it asks about",
                ));
            }
        },
    };
    let mut rule = None;
    if args.always {
        let preview = rule_for(context, &args.review).await?;
        let shown = || super::policy::preview(context, &preview);
        if args.dry_run {
            context.print.either(&preview, shown)?;
            return Ok(0);
        }
        if preview.rule.is_none() {
            let why = preview.why_not.unwrap_or_default();
            return Err(Failure::usage(
                format!("this cannot always be allowed: {why}"),
                "approve it once, without --always",
            ));
        }
        if !context.print.json {
            context.print.line(&shown())?;
        }
        rule = preview.rule;
    }
    let request = DecideRequest {
        review: args.review,
        rule,
        choice: "approve".to_owned(),
        note: args.note,
        by: "cli".to_owned(),
        arguments,
        ..DecideRequest::default()
    };
    if let Some(group) = args.group {
        return decide_all(context, request, (group, args.dry_run)).await;
    }
    if args.dry_run && !args.always {
        return Err(Failure::usage(
            "--dry-run says what a rule or a group would allow",
            "give --always or --group with it",
        ));
    }
    decide(context, request).await
}

async fn rule_for(context: &Context, review: &str) -> Result<RulePreview, Failure> {
    let request = RulePreviewRequest {
        review: review.to_owned(),
    };
    Ok(context.client().await?.rule_preview(request).await?)
}

/// The same for `reject`.
pub(super) async fn reject(context: &Context, args: RejectArgs) -> Result<u8, Failure> {
    let request = DecideRequest {
        review: args.review,
        choice: "reject".to_owned(),
        note: args.note,
        by: "cli".to_owned(),
        ..DecideRequest::default()
    };
    if let Some(group) = args.group {
        return decide_all(context, request, (group, args.dry_run)).await;
    }
    decide(context, request).await
}

/// Whether a review is one of `named`'s group.
fn belongs(review: &ReviewView, named: &ReviewView, group: Group) -> bool {
    match group {
        Group::Call => review.same.is_some() && review.same == named.same,
        Group::Rule => {
            // Rules of a single project are different ones in each.
            let of_project = |id: &str| id.starts_with("project:") || id.starts_with("here:");
            let rule = review.rule_id.as_deref();
            rule.is_some_and(|id| !of_project(id) || review.run_project == named.run_project)
                && review.rule_id == named.rule_id
        }
    }
}

/// One decision for all of a group: each is decided by itself and holds for its own arguments
/// only. One that somebody else decided meanwhile stays as it is.
async fn decide_all(
    context: &Context,
    request: DecideRequest,
    (group, dry_run): (Group, bool),
) -> Result<u8, Failure> {
    let client = context.client().await?;
    let review = request.review.clone();
    let named = client.review(ReviewRequest { review }).await?.review;
    let open = ReviewsRequest {
        status: ReviewsStatus::Open,
        ..ReviewsRequest::default()
    };
    let queue = client.reviews(open).await?.reviews;
    if group == Group::Rule && named.rule_id.is_none() {
        return Err(Failure::usage(
            "no rule asked about this one",
            "answer it by itself, without --group=rule",
        ));
    }
    let in_group = |r: &&ReviewView| r.id != named.id && belongs(r, &named, group);
    let others = queue.iter().filter(in_group);
    let all: Vec<&ReviewView> = std::iter::once(&named).chain(others).collect();
    let titles = |ids: &[ReviewId], word: &str| {
        let told = all.iter().filter(|review| ids.contains(&review.id));
        let line = |r: &&ReviewView| format!("{}  {word}  {}", r.id, safe(&r.title));
        told.map(line).collect::<Vec<_>>().join("\n")
    };
    if dry_run {
        let ids: Vec<ReviewId> = all.iter().map(|review| review.id).collect();
        let shown = serde_json::json!({ "would_decide": ids });
        let word = format!("would {}", request.choice);
        context.print.either(&shown, || titles(&ids, &word))?;
        return Ok(0);
    }
    let mut done: Vec<Decided> = Vec::new();
    for review in &all {
        let request = DecideRequest {
            review: review.id.to_string(),
            ..request.clone()
        };
        match client.decide(request).await {
            Ok(decided) => done.push(decided),
            // The one that was named is what the command is about.
            Err(error) if review.id == named.id => return Err(error.into()),
            Err(client::ClientError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    context
        .print
        .either(&serde_json::json!({ "decided": done }), || {
            let ids: Vec<ReviewId> = done.iter().map(|decided| decided.review).collect();
            titles(&ids, &safe(&request.choice))
        })?;
    Ok(0)
}

pub(super) async fn answer(context: &Context, args: AnswerArgs) -> Result<u8, Failure> {
    let request = DecideRequest {
        review: args.review,
        choice: args.choice,
        note: args.note,
        max_cost_usd: args.max_cost,
        by: "cli".to_owned(),
        ..DecideRequest::default()
    };
    decide(context, request).await
}

pub(super) async fn undo(context: &Context, args: UndoArgs) -> Result<u8, Failure> {
    let request = UndoRequest {
        review: args.review,
        effective_at: None,
        by: Some("cli".to_owned()),
    };
    let undone = context.client().await?.undo(request).await?;
    context
        .print
        .either(&undone, || format!("{}  open again", undone.review))?;
    Ok(0)
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
