//! What belongs to the verify command: the files it runs and names, and those that say
//! what it does.

use super::patterns::{CI, CONFIGURATION, RUNNERS};

pub(super) fn file_name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.to_ascii_lowercase()
}

pub(super) fn is_ci(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    CI.iter().any(|begin| path.starts_with(begin))
}

pub(super) fn is_runner(path: &str) -> bool {
    let name = file_name(path);
    let is = |runner: &&str| match runner.strip_suffix('.') {
        Some(_) => name.starts_with(*runner),
        None => name == **runner || name.strip_suffix(".dist").is_some_and(|n| n == *runner),
    };
    RUNNERS.iter().any(is)
}

pub(super) fn configures(path: &str, command: &str) -> bool {
    let name = file_name(path);
    // Of the many config.toml only cargo's own.
    if name == "config.toml" && !path.contains(".cargo/") {
        return false;
    }
    CONFIGURATION.iter().any(|(programs, files)| {
        files.contains(&name.as_str())
            && words(command).any(|word| programs.contains(&file_name(word).as_str()))
    }) || (name.ends_with(".mk") && words(command).any(|word| file_name(word) == "make"))
}

/// How a command names a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// It runs it.
    Script,
    /// It is among what the command is given.
    File,
}

/// Programs that run the file they are given.
const INTERPRETERS: &[&str] = &[
    "sh", "bash", "zsh", "dash", "python", "python3", "node", "ruby", "perl", "php", "lua", "deno",
    "bun", "tsx", "ts-node", "source", ".", "bats",
];

pub(super) fn named(path: &str, command: &str) -> Option<Named> {
    let mut found = None;
    for part in command.split(['&', '|', ';', '\n', '(', ')', '{', '}']) {
        let (mut runs, mut first) = (true, true);
        for word in words(part) {
            let named = word.strip_prefix("./").unwrap_or(word);
            let is_it =
                named == path || (!named.is_empty() && path.ends_with(&format!("/{named}")));
            if is_it && runs {
                return Some(Named::Script);
            }
            if is_it && !is_source(path) {
                found = Some(Named::File);
            }
            let is_setting = word.contains('=') && first;
            if is_setting || word.starts_with('-') {
                // What `-c`, `-m` and the like are given is no file to run.
                runs = runs && !matches!(word, "-c" | "-m" | "-e");
                continue;
            }
            runs = runs && first && INTERPRETERS.contains(&file_name(word).as_str());
            first = false;
        }
    }
    found
}

/// Code that is compiled or read by what it is given to, and not data to compare with.
fn is_source(path: &str) -> bool {
    const ENDS: &[&str] = &[
        "c", "cc", "cpp", "h", "hpp", "rs", "go", "java", "kt", "swift", "py", "js", "ts", "tsx",
        "jsx", "rb", "php", "sh", "zig", "hs", "ml", "cs",
    ];
    path.rsplit_once('.')
        .is_some_and(|(_, end)| ENDS.contains(&end))
}

fn words(command: &str) -> impl Iterator<Item = &str> {
    let apart = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '\'' | '"' | '`' | '$' | '<' | '>' | '&' | '|' | ';' | '(' | ')'
            )
    };
    command.split(apart).filter(|word| !word.is_empty())
}

/// A line of a manifest that only says what is used, and in which version.
pub(super) fn is_only_dependency(line: &str) -> bool {
    let line = line.trim().trim_end_matches(',');
    if !line.chars().any(char::is_alphanumeric) || line.starts_with('#') {
        return true;
    }
    let quoted = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
    if line.starts_with('[') {
        return line.contains("dependencies");
    }
    if let Some((key, value)) = line.split_once([':', '=']) {
        let (key, value) = (quoted(key), value.trim().to_owned());
        if key.contains("version") || matches!(key.as_str(), "name" | "description" | "license") {
            return !value.contains("scripts");
        }
        if key.ends_with(".workspace") {
            return true;
        }
        // name = { version = "1", features = ["x"] }
        if let Some(table) = value.strip_prefix('{') {
            return ["version", "path", "git", "workspace"]
                .iter()
                .any(|word| table.contains(word));
        }
        // "dependencies": {
        if key.to_ascii_lowercase().ends_with("dependencies") {
            return true;
        }
        return is_version(&quoted(&value));
    }
    // "requests" of a list of requirements
    let whole = quoted(line);
    line.starts_with(['"', '\''])
        && whole
            .chars()
            .all(|c| c.is_alphanumeric() || "-_.[]".contains(c))
}

fn is_version(text: &str) -> bool {
    let text = text.trim_start_matches(['^', '~', '>', '<', '=', 'v', ' ', '"', '\'']);
    let known = ["workspace:", "file:", "npm:", "git", "http", "link:"];
    let number = text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('.');
    number || text == "*" || text == "latest" || known.iter().any(|begin| text.starts_with(begin))
}
