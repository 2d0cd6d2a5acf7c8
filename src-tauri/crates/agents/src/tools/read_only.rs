//! Commands that certainly change nothing: the first form of policy.
//!
//! An exact list, and everything unsure is off it. A command is on it only if the
//! shell would do nothing but run one program (no expansion, redirection or
//! second command), the program is known, every option is known to neither write,
//! run something nor read elsewhere, and no path leads out of the workspace.

mod find;
mod git;
mod programs;
#[cfg(test)]
mod tests;

/// The rule by which a command is read-only, if one says so.
pub fn read_only_command(command: &str) -> Option<&'static str> {
    if !is_plain(command) {
        return None;
    }
    let words = shlex::split(command)?;
    let (program, args) = words.split_first()?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match program.as_str() {
        "git" => git::allows(&args),
        "find" => find::allows(&args).then_some("read-only: find that only looks"),
        name => programs::allows(name, &args),
    }
}

/// Whether the shell takes every character for itself: quotes are fine, anything
/// it would act on is not. `~` means a home folder only where a word begins (or
/// after `=` and `:`), so `HEAD~1` is plain.
fn is_plain(command: &str) -> bool {
    enum Quote {
        None,
        Single,
        Double,
    }
    let mut quote = Quote::None;
    let mut before = ' ';
    for c in command.chars() {
        if c.is_control() {
            return false;
        }
        match quote {
            Quote::None => match c {
                '\'' => quote = Quote::Single,
                '"' => quote = Quote::Double,
                '~' if !before.is_alphanumeric() && before != '^' => return false,
                c if !is_inert(c) => return false,
                _ => {}
            },
            Quote::Single if c == '\'' => quote = Quote::None,
            Quote::Double if c == '"' => quote = Quote::None,
            Quote::Double if matches!(c, '$' | '`' | '\\' | '!') => return false,
            Quote::Single | Quote::Double => {}
        }
        before = c;
    }
    matches!(quote, Quote::None)
}

fn is_inert(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(
            c,
            ' ' | '-' | '_' | '.' | '/' | ',' | ':' | '=' | '+' | '@' | '%' | '^' | '~'
        )
}

/// Whether a word, taken as a path, stays in the workspace.
fn is_inside(word: &str) -> bool {
    !word.starts_with(['/', '~']) && !word.split('/').any(|part| part == "..")
}

/// What words that are no options mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    /// Only text.
    Text,
    /// Paths, all of them.
    Paths,
    /// A pattern (unless an option in `texts` gave one), then paths.
    PatternThenPaths,
    /// There may be none.
    None,
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}
