//! Programs that read files and print.

use super::{Words, is_digits, is_inside};

/// The rule by which `program` with these arguments is read-only.
pub(super) fn allows(program: &str, args: &[&str]) -> Option<&'static str> {
    PROGRAMS
        .iter()
        .find(|known| known.name == program)?
        .allows(args)
}

/// What a program may be given.
struct Program {
    name: &'static str,
    rule: &'static str,
    /// Letters that may stand together after one dash.
    flags: &'static str,
    /// Letters that take a number: `-n 5` or `-n5`.
    numbers: &'static str,
    /// Whole options.
    options: &'static [&'static str],
    /// Options that take any text: `-e TEXT`, `--opt TEXT` or `--opt=TEXT`.
    texts: &'static [&'static str],
    words: Words,
}

const NOTHING: Program = Program {
    name: "",
    rule: "",
    flags: "",
    numbers: "",
    options: &[],
    texts: &[],
    words: Words::None,
};

const PROGRAMS: &[Program] = &[
    Program {
        name: "ls",
        rule: "read-only: ls",
        flags: "aAlhrtSR1dFpisn",
        options: &[
            "--all",
            "--almost-all",
            "--human-readable",
            "--recursive",
            "--reverse",
            "--color=never",
        ],
        words: Words::Paths,
        ..NOTHING
    },
    Program {
        name: "pwd",
        rule: "read-only: pwd",
        flags: "PL",
        ..NOTHING
    },
    Program {
        name: "true",
        rule: "read-only: true",
        ..NOTHING
    },
    Program {
        name: "cat",
        rule: "read-only: cat",
        flags: "nbAETsv",
        words: Words::Paths,
        ..NOTHING
    },
    Program {
        name: "head",
        rule: "read-only: head",
        flags: "qv",
        numbers: "nc",
        words: Words::Paths,
        ..NOTHING
    },
    Program {
        name: "tail",
        rule: "read-only: tail",
        flags: "qv",
        numbers: "nc",
        words: Words::Paths,
        ..NOTHING
    },
    Program {
        name: "wc",
        rule: "read-only: wc",
        flags: "lwcmL",
        words: Words::Paths,
        ..NOTHING
    },
    Program {
        name: "echo",
        rule: "read-only: echo",
        flags: "neE",
        words: Words::Text,
        ..NOTHING
    },
    Program {
        name: "grep",
        rule: "read-only: grep",
        flags: "rnilcvwxEFGHhoqsaI",
        numbers: "ABCm",
        options: &[
            "--color=never",
            "--ignore-case",
            "--line-number",
            "--recursive",
            "--files-with-matches",
            "--count",
        ],
        texts: &["-e", "--include", "--exclude", "--exclude-dir"],
        words: Words::PatternThenPaths,
    },
    Program {
        name: "rg",
        rule: "read-only: rg",
        flags: "nNilcvwxFHoSsI",
        numbers: "ABCm",
        options: &[
            "--hidden",
            "--no-heading",
            "--heading",
            "--line-number",
            "--ignore-case",
            "--files-with-matches",
            "--count",
            "--color=never",
        ],
        texts: &["-e", "-g", "--glob", "-t", "--type", "-T", "--type-not"],
        words: Words::PatternThenPaths,
    },
];

impl Program {
    fn allows(&self, args: &[&str]) -> Option<&'static str> {
        let mut left = args.iter().copied();
        let mut words = Vec::new();
        let mut pattern_given = false;
        while let Some(arg) = left.next() {
            match self.read(arg) {
                Read::Word => words.push(arg),
                Read::EndOfOptions => words.extend(left.by_ref()),
                Read::Option => {}
                Read::WantsNumber => is_number(left.next()?).then_some(())?,
                Read::WantsText => {
                    left.next()?;
                    pattern_given |= arg == "-e";
                }
                Read::Unknown => return None,
            }
        }
        let paths = match self.words {
            Words::None if !words.is_empty() => return None,
            Words::None | Words::Text => &[][..],
            Words::Paths => &words[..],
            Words::PatternThenPaths if pattern_given => &words[..],
            // Without a pattern the first path would be taken for one.
            Words::PatternThenPaths => words.get(1..)?,
        };
        paths
            .iter()
            .all(|path| is_inside(path))
            .then_some(self.rule)
    }

    fn read(&self, arg: &str) -> Read {
        if arg == "--" {
            return Read::EndOfOptions;
        }
        if !arg.starts_with('-') || arg == "-" {
            return Read::Word;
        }
        if self.options.contains(&arg) {
            return Read::Option;
        }
        if self.texts.contains(&arg) {
            return Read::WantsText;
        }
        if arg.starts_with("--") {
            let known = arg
                .split_once('=')
                .is_some_and(|(name, _)| self.texts.contains(&name));
            return if known { Read::Option } else { Read::Unknown };
        }
        let letters = &arg[1..];
        if letters.chars().all(|c| self.flags.contains(c)) {
            return Read::Option;
        }
        let mut rest = letters.chars();
        match rest
            .next()
            .filter(|c| self.numbers.contains(*c))
            .map(|_| rest.as_str())
        {
            Some("") => Read::WantsNumber,
            Some(number) if is_number(number) => Read::Option,
            // head -20
            None if self.numbers.contains('n') && is_digits(letters) => Read::Option,
            _ => Read::Unknown,
        }
    }
}

/// What an argument is.
enum Read {
    Word,
    EndOfOptions,
    Option,
    WantsNumber,
    WantsText,
    Unknown,
}

/// `5`, and `+5` and `-5` as head and tail know them.
fn is_number(text: &str) -> bool {
    is_digits(text.strip_prefix(['+', '-']).unwrap_or(text))
}
