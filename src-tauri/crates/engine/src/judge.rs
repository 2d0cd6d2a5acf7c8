//! Whether a change touches what judges it. A run that passes its verify command because
//! it took the command's teeth out must not pass unseen. Words only: what a line means is
//! not understood, so what cannot be told to be harmless is said.

mod patterns;
mod verifier;

use patterns::{CHECKS, EARLY_ENDS, RUST_TESTS, SKIPS, TEST_FILES, TEST_FOLDERS, TEST_NAMES};
use verifier::{Named, configures, is_ci, is_only_dependency, is_runner, named};

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Added,
    Modified,
    Deleted,
    Renamed,
    /// A file became a link, or the other way round.
    TypeChanged,
}

/// One changed file.
#[derive(Clone, Debug)]
pub(crate) struct Change<'a> {
    /// Its path afterwards, relative to the top of the files.
    pub(crate) path: &'a str,
    /// Its path before, when it was renamed.
    pub(crate) old_path: Option<&'a str>,
    pub(crate) status: Status,
    /// Lines it has no more. Empty for files that are no text.
    pub(crate) removed: &'a [&'a str],
    /// Lines it has now.
    pub(crate) added: &'a [&'a str],
}

/// What a change is to what judges it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It does not touch it.
    Fine,
    /// It only adds tests.
    Added,
    /// It may have taken teeth out, for this reason.
    Weakened(String),
}

/// Judges one changed file. `command` is what verifies the run.
pub(crate) fn judge(change: &Change<'_>, command: &str) -> Verdict {
    let before = change.old_path.unwrap_or(change.path);
    if let Some(verdict) = judge_configuration(change, before, command) {
        return verdict;
    }
    if is_test(before) || is_test(change.path) {
        return judge_test(change, before);
    }
    if change.path.ends_with(".rs") || before.ends_with(".rs") {
        return judge_rust(change);
    }
    Verdict::Fine
}

/// Whether anything about this path could be more than [`Verdict::Fine`]: what need not
/// be read otherwise.
pub(crate) fn concerns(path: &str, command: &str) -> bool {
    is_test(path)
        || path.ends_with(".rs")
        || is_ci(path)
        || is_runner(path)
        || configures(path, command)
        || named(path, command).is_some()
}

/// Whether the path is that of a test, or of something tests compare with.
pub(crate) fn is_test(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let in_tests = folders
        .split('/')
        .any(|folder| TEST_FOLDERS.contains(&folder.to_ascii_lowercase().as_str()));
    // app.test.ts, app.spec.tsx, app_spec.rb, app-spec.js
    let dotted = name.contains(".test.") || name.contains(".spec.") || name.contains("-spec.");
    let formed = |(begin, end): &(&str, &str)| {
        name.len() > begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end)
    };
    in_tests || dotted || TEST_FILES.contains(&name) || TEST_NAMES.iter().any(formed)
}

fn judge_configuration(change: &Change<'_>, before: &str, command: &str) -> Option<Verdict> {
    let either = |of: &dyn Fn(&str) -> bool| of(before) || of(change.path);
    if let Some(how) = named(before, command).or_else(|| named(change.path, command)) {
        let new = change.status == Status::Added;
        return match (how, new) {
            // What the command compares with or looks for may well be what is to be made.
            (Named::File, true) => None,
            (Named::File, false) if is_test(before) => None,
            (Named::File, false) => Some(weakened(change, "the verify command names this file")),
            (Named::Script, true) => Some(weakened(change, "the agent wrote what verifies it")),
            (Named::Script, false) => Some(weakened(change, "the verify command runs this file")),
        };
    }
    if either(&is_ci) {
        return Some(weakened(change, "it says what is checked elsewhere"));
    }
    if either(&is_runner) {
        return Some(weakened(change, "it says how tests are run"));
    }
    if !either(&|path| configures(path, command)) {
        return None;
    }
    let lines = || change.removed.iter().chain(change.added);
    let whole = change.removed.is_empty() && change.added.is_empty();
    let gone = !matches!(change.status, Status::Modified | Status::Added);
    if gone || whole || !lines().all(|line| is_only_dependency(line)) {
        return Some(weakened(change, "it says what the verify command does"));
    }
    None
}

/// Says the gravest thing a change has, else what it is about.
fn weakened(change: &Change<'_>, otherwise: &str) -> Verdict {
    let reason = match change.status {
        Status::Deleted => format!("{otherwise}, and it was deleted"),
        _ => added_teeth_out(change.added).map_or_else(
            || otherwise.to_owned(),
            |said| format!("{otherwise}: {said}"),
        ),
    };
    Verdict::Weakened(reason)
}

fn judge_test(change: &Change<'_>, before: &str) -> Verdict {
    let weak = |reason: String| Verdict::Weakened(reason);
    match change.status {
        Status::Deleted => return weak("a test was deleted".to_owned()),
        Status::TypeChanged => return weak("a test became another kind of file".to_owned()),
        Status::Renamed if !is_test(change.path) => {
            return weak(format!("a test was renamed to {}", change.path));
        }
        Status::Added => {
            // What is new weakens only if it works on other tests.
            let reaches_far = before.ends_with("conftest.py");
            return match added_teeth_out(change.added).filter(|_| reaches_far) {
                Some(said) => weak(said),
                None => Verdict::Added,
            };
        }
        Status::Modified | Status::Renamed => {}
    }
    if change.removed.is_empty() && change.added.is_empty() {
        return match change.status {
            Status::Renamed => Verdict::Fine,
            _ => weak("a test's contents or permissions were changed".to_owned()),
        };
    }
    if let Some(said) = added_teeth_out(change.added) {
        return weak(said);
    }
    let lost: Vec<&str> = lost_lines(change).collect();
    if let Some(line) = lost.iter().find(|line| checks_something(line)) {
        return weak(format!("a check was removed or changed: `{}`", shown(line)));
    }
    if let Some(line) = lost.first() {
        return weak(format!("a test was changed: `{}`", shown(line)));
    }
    if change.added.iter().any(|line| says_something(line)) {
        Verdict::Added
    } else {
        Verdict::Fine
    }
}

fn judge_rust(change: &Change<'_>) -> Verdict {
    let is_mark = |line: &&str| RUST_TESTS.iter().any(|mark| line.contains(mark));
    if let Some(line) = lost_lines(change).find(is_mark) {
        return Verdict::Weakened(format!("a check was removed or changed: `{}`", shown(line)));
    }
    let ignored = |line: &&&str| {
        let line = line.trim();
        line.starts_with("#[ignore") || line == "#[cfg(any())]" || line == "#[cfg(not(test))]"
    };
    if change.status != Status::Added && change.added.iter().any(|line| ignored(&line)) {
        return Verdict::Weakened("a test is ignored or not compiled".to_owned());
    }
    let adds = change.added.iter().any(|line| line.contains("#[test]"));
    if adds { Verdict::Added } else { Verdict::Fine }
}

/// Lines that say something and are not there any more, also not elsewhere in the file.
fn lost_lines<'a>(change: &'a Change<'a>) -> impl Iterator<Item = &'a str> {
    let still_there = |line: &str| {
        let line = line.trim();
        let ends = [",", ";"];
        // A list's last item gets its comma with the next one.
        let bare = |line: &str| {
            ends.iter()
                .fold(line.to_owned(), |l, e| l.trim_end_matches(e).to_owned())
        };
        change
            .added
            .iter()
            .any(|other| bare(other.trim()) == bare(line))
    };
    change
        .removed
        .iter()
        .copied()
        .filter(|line| says_something(line))
        .filter(move |line| !still_there(line))
}

/// Neither empty, nor a remark, nor an import, nor only brackets.
fn says_something(line: &str) -> bool {
    let line = line.trim();
    let remark = ["//", "#!", "/*", "* ", "*/", "--", "\"\"\""];
    // `#[…]` is an attribute in Rust and `#` a remark elsewhere.
    let hash = line.starts_with('#') && !line.starts_with("#[");
    let import = ["import ", "from ", "use ", "require ", "using ", "#include"];
    let starts = |begins: &[&str]| begins.iter().any(|begin| line.starts_with(begin));
    line.chars().any(char::is_alphanumeric) && !hash && !starts(&remark) && !starts(&import)
}

fn checks_something(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    CHECKS.iter().any(|check| line.contains(check))
}

/// The first thing among new lines that takes teeth out.
fn added_teeth_out(added: &[&str]) -> Option<String> {
    added.iter().find_map(|line| {
        let small = line.trim().to_ascii_lowercase();
        let skip = SKIPS.iter().find(|(mark, _)| has(&small, mark));
        if let Some((_, words)) = skip {
            return Some(format!("{words}: `{}`", shown(line)));
        }
        EARLY_ENDS
            .contains(&small.as_str())
            .then(|| format!("a test ends early: `{}`", shown(line)))
    })
}

/// Whether a line has a mark, and not in the middle of a longer word.
fn has(line: &str, mark: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let begins_word = mark.starts_with(word);
    line.match_indices(mark)
        .any(|(at, _)| !begins_word || !line[..at].chars().next_back().is_some_and(word))
}

fn shown(line: &str) -> String {
    let line = line.trim();
    match line.char_indices().nth(100) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests;
