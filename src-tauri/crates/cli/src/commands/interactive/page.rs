//! One review as it is shown for a decision: asked, why, what happens with each answer.

use protocol::{ReviewDetail, ReviewView};

use super::numbered;
use crate::context::Context;
use crate::ids;
use crate::print::{Look, safe};
use crate::render;
use crate::times;

/// How much of what happened before is shown.
const BEFORE: usize = 3;

/// The whole page; the command in full, nobody should decide on less.
pub(super) fn page(context: &Context, detail: &ReviewDetail, left: usize) -> String {
    let (print, review) = (&context.print, &detail.review);
    let faint = |text: &str| print.look(text, Look::Faint);
    let asked = times::relative(review.requested_at.0, context.now());
    let left = match left {
        0 | 1 => "the last one".to_owned(),
        n => format!("{n} wait"),
    };
    let id = ids::short(&review.id, std::iter::once(review.id));
    let mut lines = vec![
        String::new(),
        faint(&"─".repeat(print.width.min(72))),
        format!(
            "{}  {}",
            print.look(&safe(&review.title), Look::Attention),
            faint(&format!("{id}, {}, {asked}, {left}", review.kind))
        ),
    ];
    let title = review.run_title.as_deref().unwrap_or_default();
    lines.push(format!(
        "  run   {}, ${} so far",
        safe(title),
        review.run_cost_usd
    ));
    if !review.why.is_empty() {
        lines.push(format!("  why   {}", safe(&review.why)));
    }
    let before = detail.before.iter().rev();
    let said = before.filter_map(|entry| render::entry(print, entry));
    let said: Vec<String> = said.take(BEFORE).collect();
    if !said.is_empty() {
        lines.push("  just before".to_owned());
    }
    for words in said.iter().rev() {
        let line = words.lines().next().unwrap_or_default();
        lines.push(format!("    {line}"));
    }
    lines.push(String::new());
    let detail = safe(&review.detail);
    lines.extend(detail.lines().map(|line| format!("    {line}")));
    lines.push(String::new());
    lines.extend(answers(context, review));
    lines.join("\n")
}

fn answers(context: &Context, review: &ReviewView) -> Vec<String> {
    let key = |key: &str| context.print.look(key, Look::Active);
    let mut lines = Vec::new();
    let mut numbers = 1..;
    for choice in &review.choices {
        let letter = match choice.id.as_str() {
            "approve" => "a".to_owned(),
            "reject" => "d".to_owned(),
            _ => numbers.next().unwrap_or(9).to_string(),
        };
        lines.push(format!(
            "  {}  {}: {}",
            key(&letter),
            safe(&choice.label),
            safe(&choice.effect)
        ));
    }
    if review.choices.is_empty() {
        lines.push(format!("  {}  answer in your own words", key("Enter")));
    }
    if review.editable {
        lines.push(format!("  {}  edit, then approve", key("e")));
    }
    lines.push(format!(
        "  {}  put off for 2 h   {}  next   {}  previous   {}  undo   {}  quit",
        key("s"),
        key("j"),
        key("k"),
        key("u"),
        key("q")
    ));
    lines
}

/// The keys once more.
pub(super) fn help(review: &ReviewView) -> String {
    let choices = numbered(review).count();
    let numbers = if choices > 0 {
        ", 1 to 9 the other choices"
    } else {
        ""
    };
    format!(
        "a approves, d (or r) denies with a note, e edits and approves{numbers}, s puts off, j and k move, u undoes \
         within 5 s, q quits. Keys count only half a second after a review appears."
    )
}
