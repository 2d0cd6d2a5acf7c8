//! Text as it is shown: to people with nothing hidden in it, to models not too
//! much of it.

use std::borrow::Cow;

/// The most a model is told of one result, in characters: about 10,000 tokens.
pub(super) const RESULT_LIMIT: usize = 30_000;

/// How much of a cut text is its beginning; the rest is its end, where commands
/// say what went wrong.
const HEAD: usize = 12_000;

/// The longest summary, in characters.
const LINE_LIMIT: usize = 120;

/// Characters that change how others are shown, or are not shown at all: a text
/// with them may read otherwise than it runs.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{E0000}'..='\u{E007F}')
}

fn push_visible(out: &mut String, c: char) {
    match c {
        '\u{0}'..='\u{1F}' => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{FFFD}')),
        '\u{7F}' => out.push('\u{2421}'),
        c if c.is_control() || is_deceptive(c) => out.extend(c.escape_unicode()),
        c => out.push(c),
    }
}

/// Several lines with every control and deceptive character made visible, line
/// ends and tabs aside.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c => push_visible(&mut out, c),
        }
    }
    out
}

/// One line of at most [`LINE_LIMIT`] characters; line ends are made visible too.
pub(super) fn one_line(text: &str) -> String {
    let mut out = String::new();
    for c in text.trim().chars().take(LINE_LIMIT + 1) {
        push_visible(&mut out, c);
    }
    cut(&out, LINE_LIMIT)
}

/// At most `most` characters, the last of them `…` if something is missing.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// Beginning and end of a text that is too long for a model, with a note between.
pub(super) fn capped<'a>(text: &'a str, whole_is: &str) -> Cow<'a, str> {
    let count = text.chars().count();
    if count <= RESULT_LIMIT {
        return Cow::Borrowed(text);
    }
    let at = |index: usize| {
        text.char_indices()
            .nth(index)
            .map_or(text.len(), |(at, _)| at)
    };
    let (head, tail) = (
        &text[..at(HEAD)],
        &text[at(count - (RESULT_LIMIT - HEAD))..],
    );
    let left_out = count - RESULT_LIMIT;
    Cow::Owned(format!(
        "{head}\n[… {left_out} characters left out; {whole_is} …]\n{tail}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_hidden_in_a_line() {
        let line = one_line("ls\u{1b}[2K\r\nrm -rf \u{202e}x\u{7f}\u{9b}");
        assert_eq!(line, "ls␛[2K␍␊rm -rf \\u{202e}x␡\\u{9b}");
        let long = one_line(&"\u{202e}".repeat(500));
        assert_eq!(long.chars().count(), 120);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn a_long_text_keeps_its_beginning_and_its_end() {
        let text = format!("begin{}end", "ü".repeat(RESULT_LIMIT));
        let shown = capped(&text, "see elsewhere");
        assert!(shown.starts_with("begin") && shown.ends_with("end"));
        assert!(
            shown.contains("8 characters left out; see elsewhere"),
            "{}",
            shown.len()
        );
        assert!(matches!(capped("short", ""), Cow::Borrowed("short")));
    }
}
