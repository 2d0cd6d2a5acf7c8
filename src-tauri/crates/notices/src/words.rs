//! What notices say. Most of it was written by agents or comes out of prompts: nothing of
//! it may look like more than text.

use domain::{ReviewId, RunId, Timestamp};
use protocol::{Notice, NoticeAction, NoticeKind};

/// Longest title of a run in a notice, in characters.
const NAME: usize = 48;

/// Longest body, in characters. With the first line a notice stays near 200.
pub(crate) const BODY: usize = 140;

/// A text made fit for showing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clean {
    /// One line without anything invisible.
    pub(crate) text: String,
    /// Nothing of it was left out.
    pub(crate) whole: bool,
}

/// One line of at most `longest` characters. Line ends are made visible; controls, and
/// what hides or reorders text, are left out.
pub(crate) fn clean(text: &str, longest: usize) -> Clean {
    let mut line = String::new();
    let mut whole = true;
    for c in text.trim().chars() {
        match c {
            '\n' if line.ends_with(" ⏎ ") => {}
            '\n' => {
                let end = line.trim_end().len();
                line.truncate(end);
                line.push_str(" ⏎ ");
            }
            c if c.is_whitespace() => {
                if !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            c if invisible(c) => whole = false,
            c => line.push(c),
        }
    }
    match line.char_indices().nth(longest) {
        Some(_) => {
            let kept: String = line.chars().take(longest.saturating_sub(1)).collect();
            Clean {
                text: format!("{}…", kept.trim_end()),
                whole: false,
            }
        }
        None => Clean { text: line, whole },
    }
}

/// Controls, characters of no width, and those that change the direction of text.
fn invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffc}' | '\u{e0000}'..='\u{e0fff}')
}

/// A run's title in a sentence.
pub(crate) fn name(title: &str) -> String {
    let title = clean(title, NAME).text;
    if title.is_empty() {
        "A run".to_owned()
    } else {
        format!("“{title}”")
    }
}

/// `“A”, “B” and 2 more`.
pub(crate) fn names(titles: &[&str]) -> String {
    let shown: Vec<String> = titles
        .iter()
        .take(2)
        .map(|title| format!("“{}”", clean(title, 36).text))
        .collect();
    match (shown.as_slice(), titles.len()) {
        ([one], _) => one.clone(),
        ([a, b], 2) => format!("{a} and {b}"),
        ([a, b], all) => format!("{a}, {b} and {} more", all - 2),
        _ => String::new(),
    }
}

/// `3 h 5 min`, for a wait.
pub(crate) fn span(ms: i64) -> String {
    let minutes = (ms.max(0) + 59_999) / 60_000;
    match (minutes / 60, minutes % 60) {
        (0, m) => format!("{m} min"),
        (h, 0) => format!("{h} h"),
        (h, m) => format!("{h} h {m} min"),
    }
}

/// Opens the queue of reviews.
pub(crate) const INBOX: &str = "longhaul://inbox";

/// Opens a review.
pub(crate) fn review_link(review: ReviewId) -> String {
    format!("longhaul://review/{review}")
}

/// Opens a run.
pub(crate) fn run_link(run: RunId) -> String {
    format!("longhaul://run/{run}")
}

/// The answer to a click on `notice` that could not be done. It takes the notice's place.
pub fn reply(notice: &Notice, words: &str, now: Timestamp) -> Notice {
    Notice {
        id: format!("{}-reply-{}", notice.id, now.0),
        slot: notice.slot.clone(),
        kind: NoticeKind::Reply,
        title: "Nothing was changed".to_owned(),
        body: clean(words, BODY).text,
        actions: vec![NoticeAction::Open],
        review: notice.review,
        runs: notice.runs.clone(),
        link: notice.link.clone(),
        at: now.into(),
    }
}
