//! Words with their quotes, escapes and expansions resolved as far as that is possible
//! without running anything.

use brush_parser::ParserOptions;
use brush_parser::ast;
use brush_parser::word::{Parameter, ParameterExpr, TildeExpr, WordPiece, WordPieceWithSource};

use super::Word;
use super::read::{Reader, Unreadable};

/// Stands for what is not known.
pub(crate) const UNKNOWN: char = '…';

/// Most words a brace expansion is followed into.
const EXPANDED: usize = 64;

impl Reader<'_> {
    /// A word of the program text; more than one where braces make several of it.
    pub(super) fn words(&mut self, word: &ast::Word) -> Result<Vec<Word>, Unreadable> {
        let resolved = self.word(word)?;
        let bare = !word.value.contains(['\'', '"', '\\', '$', '`']);
        match (bare && resolved.known).then(|| braces(&resolved.text)) {
            Some(Some(texts)) => Ok(texts
                .into_iter()
                .map(|text| Word {
                    text,
                    ..resolved.clone()
                })
                .collect()),
            // Braces around quotes or expansions: their product is not followed.
            _ if !bare && looks_like_braces(&word.value) => Ok(vec![Word {
                known: false,
                ..resolved
            }]),
            _ => Ok(vec![resolved]),
        }
    }

    pub(super) fn word(&mut self, word: &ast::Word) -> Result<Word, Unreadable> {
        self.text(&word.value)
    }

    pub(super) fn text(&mut self, source: &str) -> Result<Word, Unreadable> {
        let pieces = brush_parser::word::parse(source, &ParserOptions::default())
            .map_err(|e| Unreadable(format!("{source}: {e}")))?;
        let mut word = Word::plain("");
        self.pieces(&pieces, Quoted::No, &mut word)?;
        Ok(word)
    }

    /// A here-document's text, with the commands in it noticed.
    pub(super) fn document(&mut self, source: &str) -> Result<Word, Unreadable> {
        let pieces = brush_parser::word::parse_heredoc(source, &ParserOptions::default())
            .map_err(|e| Unreadable(format!("a here-document: {e}")))?;
        let mut word = Word::plain("");
        self.pieces(&pieces, Quoted::Yes, &mut word)?;
        Ok(word)
    }

    fn pieces(
        &mut self,
        pieces: &[WordPieceWithSource],
        quoted: Quoted,
        word: &mut Word,
    ) -> Result<(), Unreadable> {
        for piece in pieces {
            match &piece.piece {
                WordPiece::Text(text) => {
                    word.glob |= quoted == Quoted::No && is_glob(text);
                    word.text.push_str(text);
                }
                WordPiece::SingleQuotedText(text) => word.text.push_str(text),
                WordPiece::AnsiCQuotedText(text) => match ansi_c(text) {
                    Some(text) => word.text.push_str(&text),
                    None => unknown(word),
                },
                WordPiece::EscapeSequence(text) => {
                    word.text.push_str(text.strip_prefix('\\').unwrap_or(text));
                }
                WordPiece::DoubleQuotedSequence(inner)
                | WordPiece::GettextDoubleQuotedSequence(inner) => {
                    self.pieces(inner, Quoted::Yes, word)?;
                }
                WordPiece::TildeExpansion(TildeExpr::Home) => word.text.push('~'),
                WordPiece::TildeExpansion(TildeExpr::UserHome(name)) => {
                    word.text.push('~');
                    word.text.push_str(name);
                }
                WordPiece::TildeExpansion(TildeExpr::WorkingDir) => word.text.push('.'),
                WordPiece::TildeExpansion(_) => unknown(word),
                WordPiece::ParameterExpansion(expr) => self.parameter(expr, word)?,
                WordPiece::CommandSubstitution(script) => {
                    self.inner(script)?;
                    unknown(word);
                }
                WordPiece::BackquotedCommandSubstitution(script) => {
                    self.inner(&script.replace("\\`", "`").replace("\\$", "$"))?;
                    unknown(word);
                }
                WordPiece::ArithmeticExpression(expr) => {
                    self.no_commands_in(&expr.value)?;
                    unknown(word);
                }
            }
        }
        Ok(())
    }

    fn parameter(&mut self, expr: &ParameterExpr, word: &mut Word) -> Result<(), Unreadable> {
        let plain = match expr {
            ParameterExpr::Parameter {
                parameter: Parameter::Named(name),
                indirect: false,
            } => Some(name),
            _ => None,
        };
        let Some(name) = plain else {
            // Defaults and patterns may hold commands of their own.
            self.no_commands_in(&format!("{expr:?}"))?;
            unknown(word);
            return Ok(());
        };
        match (self.variable(name), name.as_str()) {
            (Some(Some(value)), _) => {
                word.glob |= is_glob(&value);
                word.text.push_str(&value);
            }
            (Some(None), _) => unknown(word),
            (None, "HOME") => word.text.push('~'),
            (None, "PWD") => word.text.push('.'),
            (None, "TMPDIR") => word.text.push_str("/tmp"),
            (None, _) => unknown(word),
        }
        Ok(())
    }

    /// Where a command could hide that this reader does not follow.
    fn no_commands_in(&self, text: &str) -> Result<(), Unreadable> {
        if text.contains("$(") || text.contains('`') {
            return Err(Unreadable("a command inside an expansion".to_owned()));
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoted {
    Yes,
    No,
}

/// `[` alone is the program of that name.
fn is_glob(text: &str) -> bool {
    text.contains(['*', '?']) || (text.contains('[') && text.contains(']'))
}

fn unknown(word: &mut Word) {
    word.known = false;
    word.text.push(UNKNOWN);
}

/// `$'…'`; `None` for an escape that is not one of the plain ones.
fn ansi_c(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.peek()? {
            '0'..='7' => number(&mut chars, 3, 8)?,
            _ => match chars.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'a' => '\u{7}',
                'b' => '\u{8}',
                'e' | 'E' => '\u{1b}',
                'f' => '\u{c}',
                'v' => '\u{b}',
                'x' => number(&mut chars, 2, 16)?,
                'u' => number(&mut chars, 4, 16)?,
                'U' => number(&mut chars, 8, 16)?,
                same @ ('\\' | '\'' | '"' | '?') => same,
                _ => return None,
            },
        });
    }
    Some(out)
}

fn number(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    most: usize,
    radix: u32,
) -> Option<char> {
    let mut value = 0;
    let mut seen = 0;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix))
        && seen < most
    {
        value = value * radix + digit;
        seen += 1;
        chars.next();
    }
    (seen > 0).then(|| char::from_u32(value)).flatten()
}

fn looks_like_braces(text: &str) -> bool {
    let open = text.find('{');
    // `${x}` is an expansion of another kind, and resolved by then.
    let own = open.is_some_and(|at| at == 0 || text.as_bytes()[at - 1] != b'$');
    own && text.contains('}') && (text.contains(',') || text.contains(".."))
}

/// The words that braces make of a plain one; `None` when there are none.
fn braces(text: &str) -> Option<Vec<String>> {
    let open = text.find('{')?;
    let close = open + matching(&text[open..])?;
    let (before, inner, after) = (&text[..open], &text[open + 1..close], &text[close + 1..]);
    let parts = if inner.contains(',') {
        split(inner)
    } else {
        range(inner)?
    };
    let mut all = Vec::new();
    for part in parts {
        for middle in braces(&part).unwrap_or_else(|| vec![part.clone()]) {
            for end in braces(after).unwrap_or_else(|| vec![after.to_owned()]) {
                all.push(format!("{before}{middle}{end}"));
            }
        }
    }
    (all.len() <= EXPANDED).then_some(all)
}

/// Where the brace that `text` begins with is closed.
fn matching(text: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The parts between commas that are in no inner braces.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0_i32);
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match (c, depth) {
            (',', 0) => parts.push(String::new()),
            _ => parts.last_mut().expect("it begins with one").push(c),
        }
    }
    parts
}

/// `1..9`
fn range(text: &str) -> Option<Vec<String>> {
    let (from, to) = text.split_once("..")?;
    let (from, to): (i64, i64) = (from.parse().ok()?, to.parse().ok()?);
    let few = usize::try_from((to - from).abs()).ok()? < EXPANDED;
    few.then(|| {
        (from.min(to)..=from.max(to))
            .map(|n| n.to_string())
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_make_words() {
        let of = |text| braces(text).unwrap_or_default();
        assert_eq!(of("src/{a,b}.rs"), ["src/a.rs", "src/b.rs"]);
        assert_eq!(of("{a,b{1,2}}"), ["a", "b1", "b2"]);
        assert_eq!(of("f{1..3}"), ["f1", "f2", "f3"]);
        assert_eq!(braces("{}"), None);
        assert_eq!(braces("plain"), None);
    }

    #[test]
    fn escapes_of_ansi_quotes_are_resolved() {
        assert_eq!(ansi_c("\\x72m").as_deref(), Some("rm"));
        assert_eq!(ansi_c("\\162\\155").as_deref(), Some("rm"));
        assert_eq!(ansi_c("a\\tb").as_deref(), Some("a\tb"));
        assert_eq!(ansi_c("\\cx"), None);
    }
}
