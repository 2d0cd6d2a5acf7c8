//! Programs that take a program of their own: sed, awk, interpreters.

use super::Look;
use crate::effect::{Effect, Found};
use crate::shell::{Input, Leads, Word};

const INTERPRETERS: &[&str] = &[
    "python",
    "python2",
    "python3",
    "pypy",
    "pypy3",
    "node",
    "nodejs",
    "deno",
    "bun",
    "ruby",
    "perl",
    "php",
    "lua",
    "Rscript",
    "julia",
    "ts-node",
    "tsx",
    "osascript",
    "tclsh",
    "guile",
    "elixir",
    "groovy",
    "scala",
    "swift",
    "sh",
    "bash",
    "dash",
    "zsh",
    "ksh",
    "ash",
    "busybox",
    "fish",
    "pwsh",
    "iex",
    "irb",
    "ghci",
];

impl Look<'_> {
    pub(super) fn texts(&self, program: &str) -> Option<Vec<Found>> {
        Some(match program {
            "sed" | "gsed" => self.sed(),
            "awk" | "gawk" | "mawk" | "nawk" => self.awk(),
            "rg" | "ripgrep" => match self.has(&["--pre", "--hostname-bin"]) {
                true => vec![self.found(Effect::Unknown)],
                false => self
                    .plain_args()
                    .skip(1)
                    .filter_map(|word| self.read(word))
                    .collect(),
            },
            "yq" => match self.has(&["-i", "--inplace", "--in-place"]) {
                true => self
                    .plain_args()
                    .skip(1)
                    .filter_map(|word| self.write(word))
                    .collect(),
                false => self
                    .plain_args()
                    .skip(1)
                    .filter_map(|word| self.read(word))
                    .collect(),
            },
            "source" | "." => self.script(0),
            _ if is_interpreter(program) => self.interpreter(program),
            _ => return None,
        })
    }

    fn interpreter(&self, program: &str) -> Vec<Found> {
        if self.has(&["--version", "-V", "--help", "-h"]) && self.args().len() == 1 {
            return Vec::new();
        }
        let shell = matches!(
            program,
            "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "busybox" | "fish" | "pwsh"
        );
        let inline = match program {
            _ if shell => self.has(&["-c"]),
            "php" => self.has(&["-r"]),
            "node" | "nodejs" | "ruby" | "perl" | "lua" | "Rscript" | "julia" | "bun"
            | "elixir" | "groovy" => self.has(&["-e", "-E", "-p", "--eval", "--print"]),
            "deno" => self.sub(0) == "eval",
            "osascript" => true,
            _ => self.has(&["-c"]),
        };
        if inline {
            return vec![self.found(Effect::Code)];
        }
        let python = program.starts_with("python") || program.starts_with("pypy");
        if python && let Some(module) = self.after(&["-m"]) {
            return match module.text.as_str() {
                "pip" => self.build("pip").unwrap_or_default(),
                // An installed tool, or a module of the project's own.
                _ => vec![self.found(Effect::Build)],
            };
        }
        if (program == "deno" || program == "bun")
            && let Some(found) = self.build(program)
        {
            return found;
        }
        match (self.plain_args().next(), &self.one.input) {
            (Some(_), _) => self.script(0),
            (None, Input::None) => vec![self.found(Effect::Build)],
            // `curl … | sh`: nobody has read what it is fed.
            (None, _) => vec![self.found(Effect::Code)],
        }
    }

    /// A file of program text: the project's own, or one from elsewhere.
    fn script(&self, n: usize) -> Vec<Found> {
        let Some(file) = self.plain_args().nth(n) else {
            return vec![self.found(Effect::Code)];
        };
        if file.text == "-" || !file.known {
            return vec![self.found(Effect::Code)];
        }
        if file.text.ends_with("manage.py") && self.sub(n + 1).contains("migrate") {
            return vec![self.found(Effect::Migrate)];
        }
        match self.one.place.leads(&file.text, self.around) {
            Leads::Inside(_) => vec![self.of_project(&file.text)],
            _ => vec![self.found(Effect::Code)],
        }
    }

    /// sed's scripts can write files and start programs (GNU's `w`, `e`).
    fn sed(&self) -> Vec<Found> {
        let in_place = self.args().iter().any(|word| {
            let text = word.text.as_str();
            text.starts_with("--in-place")
                || (text.starts_with("-i"))
                || (text.starts_with('-') && !text.starts_with("--") && text.contains('i'))
        });
        if self.has(&["-f", "--file"]) {
            return vec![self.found(Effect::Code)];
        }
        let mut scripts = Vec::new();
        let mut files: Vec<&Word> = Vec::new();
        let args = self.args();
        let mut at = 0;
        while let Some(word) = args.get(at) {
            match word.text.as_str() {
                "-e" | "--expression" => {
                    scripts.extend(args.get(at + 1));
                    at += 2;
                    continue;
                }
                text if text.starts_with('-') && text.len() > 1 => {}
                _ => files.push(word),
            }
            at += 1;
        }
        if scripts.is_empty() && !files.is_empty() {
            scripts.push(files.remove(0));
        }
        // BSD's `-i ''` leaves an empty word where a file could stand.
        files.retain(|word| !word.text.is_empty());
        if !scripts
            .iter()
            .all(|script| script.known && plain_sed(&script.text))
        {
            return vec![self.found(Effect::Code)];
        }
        match in_place {
            true => files
                .into_iter()
                .filter_map(|word| self.write(word))
                .collect(),
            false => files
                .into_iter()
                .filter_map(|word| self.read(word))
                .collect(),
        }
    }

    /// awk's programs can start others and write files.
    fn awk(&self) -> Vec<Found> {
        if self.has(&["-f", "--file", "-i", "--include", "-l", "--load"]) {
            return vec![self.found(Effect::Code)];
        }
        let mut plain = self
            .plain_args()
            .filter(|word| !is_awk_value(self.args(), word));
        let Some(program) = plain.next() else {
            return Vec::new();
        };
        let text = &program.text;
        let acts = ["system", "|", "getline", "ENVIRON", "fflush", "close("];
        let writes = text.contains('>') && !only_compares(text);
        if !program.known || acts.iter().any(|word| text.contains(word)) || writes {
            return vec![self.found(Effect::Code)];
        }
        plain.filter_map(|word| self.read(word)).collect()
    }
}

fn is_interpreter(program: &str) -> bool {
    let base = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    INTERPRETERS.contains(&program) || INTERPRETERS.contains(&base)
}

fn is_awk_value(args: &[Word], word: &Word) -> bool {
    let at = args.iter().position(|other| std::ptr::eq(other, word));
    let before = at
        .and_then(|at| at.checked_sub(1))
        .and_then(|at| args.get(at));
    before.is_some_and(|before| {
        matches!(
            before.text.as_str(),
            "-F" | "-v" | "--assign" | "--field-separator"
        )
    })
}

/// `$3 > 10` compares; `print > "file"` writes. Only what cannot be a write passes.
fn only_compares(text: &str) -> bool {
    !text.contains("print")
        || text.find('>') < text.find("print")
            && !text[text.find("print").unwrap_or(0)..].contains('>')
}

/// Whether a sed script only substitutes, deletes, prints and the like. Conservative:
/// what is not recognised is not plain.
fn plain_sed(script: &str) -> bool {
    script
        .split([';', '\n'])
        .all(|part| plain_sed_command(part.trim()))
}

fn plain_sed_command(part: &str) -> bool {
    let part = part.trim_matches(['{', '}', ' ']);
    let rest = after_addresses(part).trim_start_matches(['!', ' ', '{']);
    let Some(command) = rest.chars().next() else {
        return true;
    };
    match command {
        'p' | 'd' | 'q' | '=' | 'n' | 'N' | 'D' | 'P' | 'h' | 'H' | 'g' | 'G' | 'x' | 'l' => {
            rest[1..].chars().all(|c| c.is_ascii_digit() || c == ' ')
        }
        'a' | 'i' | 'c' => true,
        's' | 'y' => {
            let Some(mark) = rest[1..].chars().next() else {
                return false;
            };
            let Some(flags) = after_marks(&rest[1 + mark.len_utf8()..], mark, 2) else {
                // A part with the separator in it was cut here: not recognised.
                return false;
            };
            flags
                .chars()
                .all(|c| matches!(c, 'g' | 'p' | 'i' | 'I' | 'm' | 'M') || c.is_ascii_digit())
        }
        _ => false,
    }
}

fn after_addresses(part: &str) -> &str {
    let mut rest = part;
    loop {
        rest = rest.trim_start_matches([' ', ',', '+', '~']);
        let trimmed = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '$');
        if trimmed.len() != rest.len() {
            rest = trimmed;
        } else if let Some(pattern) = rest.strip_prefix('/') {
            match after_marks(pattern, '/', 1) {
                Some(after) => rest = after.trim_start_matches('I'),
                None => return rest,
            }
        } else {
            return rest;
        }
    }
}

/// What stands after the `n`-th unescaped `mark`.
fn after_marks(text: &str, mark: char, n: usize) -> Option<&str> {
    let (mut seen, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == mark {
            seen += 1;
            if seen == n {
                return Some(&text[at + c.len_utf8()..]);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sed_scripts_that_only_edit_are_told_from_those_that_act() {
        for plain in [
            "s/a/b/",
            "s/a/b/g",
            "1,5p",
            "/x/d",
            "$d",
            "s|a/b|c|gI",
            "5q",
            "/^#/!s/a/b/2",
            "2{p}",
            "y/abc/xyz/",
        ] {
            assert!(plain_sed(plain), "{plain}");
        }
        for acts in [
            "s/a/b/e",
            "w /etc/passwd",
            "1e rm -rf x",
            "s/a/b/w out",
            "r /etc/shadow",
            "e",
        ] {
            assert!(!plain_sed(acts), "{acts}");
        }
    }

    #[test]
    fn awk_that_compares_does_not_write() {
        assert!(only_compares("$3 > 10"));
        assert!(only_compares("$3 > 10 { print $1 }"));
        assert!(!only_compares("{ print $1 > \"out\" }"));
    }
}
