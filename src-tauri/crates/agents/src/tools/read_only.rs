//! Commands that certainly change nothing: the first form of policy.
//!
//! An exact list, and everything unsure is off it. A command is on it only if the
//! shell would do nothing but run one program (no expansion, redirection or
//! second command), the program is known, every option is known to neither write,
//! run something nor read elsewhere, and no path leads out of the workspace.

/// The rule by which a command is read-only, if one says so.
pub fn read_only_command(command: &str) -> Option<&'static str> {
    if !is_plain(command) {
        return None;
    }
    let words = shlex::split(command)?;
    let (program, args) = words.split_first()?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match program.as_str() {
        "git" => git(&args),
        "find" => find(&args).then_some("read-only: find that only looks"),
        name => PROGRAMS
            .iter()
            .find(|program| program.name == name)?
            .allows(&args),
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

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

/// `5`, and `+5` and `-5` as head and tail know them.
fn is_number(text: &str) -> bool {
    is_digits(text.strip_prefix(['+', '-']).unwrap_or(text))
}

/// A subcommand of git.
struct Subcommand {
    name: &'static str,
    rule: &'static str,
    options: &'static [&'static str],
    /// Options given as `--name=TEXT`.
    valued: &'static [&'static str],
    words: Words,
}

/// None of these writes, runs a program or contacts a server. What they may run by
/// configuration (pagers, fsmonitor, textconv) is configured in `.git` or by the
/// user, and file tools cannot write in `.git`.
const SHOWING: &[&str] = &[
    "--stat",
    "--shortstat",
    "--numstat",
    "--summary",
    "--name-only",
    "--name-status",
    "--oneline",
    "--no-color",
    "--color=never",
    "--patch",
    "-p",
    "--no-patch",
    "-s",
    "--no-ext-diff",
    "--no-textconv",
    "-w",
    "-b",
    "--word-diff",
    "--cached",
    "--staged",
    "--graph",
    "--all",
    "--decorate",
    "--no-decorate",
    "--merges",
    "--no-merges",
    "--first-parent",
    "--reverse",
    "--follow",
    "--abbrev-commit",
    "--no-renames",
    "-M",
    "-C",
    "--exit-code",
    "--quiet",
    "-q",
    "--merge-base",
];

const SHOWING_VALUED: &[&str] = &[
    "--max-count",
    "--skip",
    "--since",
    "--until",
    "--after",
    "--before",
    "--author",
    "--committer",
    "--grep",
    "--format",
    "--pretty",
    "--date",
    "--unified",
    "--diff-filter",
    "--abbrev",
];

const SUBCOMMANDS: &[Subcommand] = &[
    Subcommand {
        name: "status",
        rule: "read-only: git status",
        options: &[
            "-s",
            "--short",
            "-b",
            "--branch",
            "--porcelain",
            "--porcelain=v1",
            "--porcelain=v2",
            "--long",
            "-uno",
            "-uall",
            "-unormal",
            "--ignored",
        ],
        valued: &[],
        words: Words::Paths,
    },
    Subcommand {
        name: "diff",
        rule: "read-only: git diff",
        options: SHOWING,
        valued: SHOWING_VALUED,
        words: Words::Paths,
    },
    Subcommand {
        name: "log",
        rule: "read-only: git log",
        options: SHOWING,
        valued: SHOWING_VALUED,
        words: Words::Paths,
    },
    Subcommand {
        name: "show",
        rule: "read-only: git show",
        options: SHOWING,
        valued: SHOWING_VALUED,
        words: Words::Paths,
    },
    Subcommand {
        name: "branch",
        rule: "read-only: git branch that only lists",
        options: &["--show-current", "-a", "-r", "-v", "-vv", "--list", "--all"],
        valued: &[],
        words: Words::None,
    },
    Subcommand {
        name: "rev-parse",
        rule: "read-only: git rev-parse",
        options: &[
            "--show-toplevel",
            "--show-prefix",
            "--abbrev-ref",
            "--short",
            "--verify",
            "--is-inside-work-tree",
        ],
        valued: &[],
        words: Words::Paths,
    },
    Subcommand {
        name: "ls-files",
        rule: "read-only: git ls-files",
        options: &[
            "-c",
            "--cached",
            "-m",
            "--modified",
            "-o",
            "--others",
            "-d",
            "--deleted",
            "-s",
            "--stage",
            "--exclude-standard",
        ],
        valued: &[],
        words: Words::Paths,
    },
];

fn git(args: &[&str]) -> Option<&'static str> {
    let args = args.strip_prefix(&["--no-pager"]).unwrap_or(args);
    let (name, args) = args.split_first()?;
    let subcommand = SUBCOMMANDS
        .iter()
        .find(|subcommand| subcommand.name == *name)?;
    let mut left = args.iter().copied();
    while let Some(arg) = left.next() {
        let fine = match arg {
            "--" => left
                .by_ref()
                .all(|word| subcommand.words != Words::None && is_inside(word)),
            "-n" if !subcommand.valued.is_empty() => is_digits(left.next()?),
            arg if arg.starts_with('-') => subcommand.allows(arg),
            word => subcommand.words != Words::None && is_inside(word),
        };
        if !fine {
            return None;
        }
    }
    Some(subcommand.rule)
}

impl Subcommand {
    fn allows(&self, option: &str) -> bool {
        if self.options.contains(&option) {
            return true;
        }
        if self.valued.is_empty() {
            return false;
        }
        if let Some((name, _)) = option.split_once('=') {
            return self.valued.contains(&name);
        }
        // -5, -n5, -U3
        let rest = option.trim_start_matches('-');
        !option.starts_with("--") && is_digits(rest.strip_prefix(['n', 'U']).unwrap_or(rest))
    }
}

/// Every word of a find command must be known: its expressions run and delete.
fn find(args: &[&str]) -> bool {
    const ALONE: &[&str] = &[
        "-print", "-empty", "-not", "-o", "-or", "-a", "-and", "-prune", "-true", "-false",
    ];
    const WITH_TEXT: &[&str] = &[
        "-name",
        "-iname",
        "-path",
        "-ipath",
        "-regex",
        "-iregex",
        "-type",
        "-size",
        "-mtime",
        "-mmin",
        "-maxdepth",
        "-mindepth",
    ];
    let mut left = args.iter().copied();
    let mut expression = false;
    while let Some(arg) = left.next() {
        let fine = if !arg.starts_with('-') {
            // Starting points come first; afterwards a bare word is something unknown.
            !expression && is_inside(arg) && !matches!(arg, "(" | ")" | "!" | ",")
        } else if arg == "-newer" {
            expression = true;
            left.next().is_some_and(is_inside)
        } else {
            expression = true;
            ALONE.contains(&arg) || (WITH_TEXT.contains(&arg) && left.next().is_some())
        };
        if !fine {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::read_only_command;

    #[test]
    fn looking_around_is_read_only() {
        for command in [
            "ls",
            "ls -la src",
            "ls -- -x",
            "pwd",
            "cat README.md",
            "cat -n 'a b.txt'",
            "head -20 a",
            "head -n 5 a b",
            "tail -n +5 a",
            "tail -c100 a",
            "wc -l src/main.rs",
            "true",
            "echo hello world",
            "echo \"it's fine\"",
            "grep -rn TODO src",
            "grep -rn 'a|b' .",
            "grep -e x -e y a.txt",
            "grep -n /api/ src",
            "grep -A 3 x f",
            "rg -n 'fn main' src",
            "rg -g '*.rs' foo",
            "grep -rn --include='*.rs' foo .",
            "rg -e /etc src",
            "find . -name '*.rs' -type f",
            "find src -maxdepth 2 -not -empty",
            "find",
            "find . -newer a.txt -print",
            "git status",
            "git status -s",
            "git diff",
            "git diff --stat HEAD~1 -- src",
            "git log --oneline -5",
            "git log -n 3 --format=%H",
            "git show HEAD:src/main.rs",
            "git show HEAD^",
            "git diff main..topic",
            "git branch",
            "git branch --show-current",
            "git --no-pager log -3",
            "git rev-parse --abbrev-ref HEAD",
            "git ls-files",
            "git log --since='2 days ago' -U5 -p",
            "  ls  ",
        ] {
            assert!(read_only_command(command).is_some(), "{command}");
        }
    }

    #[test]
    fn whatever_could_do_more_is_not() {
        for command in [
            "",
            "   ",
            "ls; rm -rf x",
            "ls && x",
            "ls & x",
            "ls | sh",
            "ls > out",
            "ls >> out",
            "cat < in",
            "cat <(ls)",
            "ls\nrm x",
            "ls\rrm x",
            "echo $(id)",
            "echo `id`",
            "echo \"$(id)\"",
            "echo \"`id`\"",
            "echo $HOME",
            "echo \"$HOME\"",
            "echo \"a\\\"; id\"",
            "echo a\\;b",
            "{ ls; }",
            "(ls)",
            "!ls",
            "ls #x",
            "ls *",
            "ls a?",
            "cat [ab]",
            "cat {a,b}",
            "echo 'unfinished",
            "echo \"unfinished",
            "ls ~",
            "cat ~/.ssh/id_rsa",
            "cat --x=~/a",
            "echo \u{0}x",
            "cat /etc/passwd",
            "ls /",
            "head ../secret",
            "cat a/../../b",
            "grep x /etc/passwd",
            "grep -e x /etc/passwd",
            "grep -r x ..",
            "grep -R x .",
            "grep -f /etc/passwd x",
            "grep -f pats x",
            "grep --file=x y",
            "grep -P x y",
            "rg --pre=sh x",
            "rg --pre sh x",
            "rg -z x",
            "rg --hostname-bin=x y",
            "rg -f x y",
            "rg x /etc",
            "rg -L x .",
            "grep",
            "rg",
            "tail -f log",
            "tail --follow log",
            "tail -F log",
            "tail --pid=1 x",
            "wc --files0-from=x",
            "cat - /etc/passwd",
            "ls --color=always",
            "ls --time-style=+x",
            "sort a -o b",
            "sort -o b a",
            "sort a",
            "tee x",
            "xargs ls",
            "env ls",
            "sh -c ls",
            "command ls",
            "exec ls",
            "eval ls",
            "X=1 ls",
            "LD_PRELOAD=x ls",
            "/bin/ls",
            "./ls",
            "bin/ls",
            "\\ls",
            "ls\u{a0}x; y",
            "find . -delete",
            "find . -exec rm {} +",
            "find . -execdir x",
            "find . -ok x",
            "find . -okdir x",
            "find . -fprint x",
            "find . -fprintf x y",
            "find . -fls x",
            "find . -fprint0 x",
            "find / -name x",
            "find .. -name x",
            "find -L .",
            "find . -files0-from x",
            "find . '(' -delete ')'",
            "find . -newer /etc/passwd",
            "find . -name",
            "find -f x",
            "git",
            "git -C /tmp status",
            "git -c core.pager=x log",
            "git --git-dir=x log",
            "git --exec-path=x log",
            "git --work-tree=/ status",
            "git diff --output=x",
            "git diff --output x",
            "git diff -o x",
            "git log --ext-diff -p",
            "git diff --ext-diff",
            "git show --ext-diff",
            "git diff --no-index /etc/passwd x",
            "git diff --no-index a b",
            "git diff /etc/passwd x",
            "git log --textconv",
            "git log --output=x",
            "git show ../x",
            "git diff -O/etc/passwd",
            "git diff -Oorder",
            "git grep -O x",
            "git grep x",
            "git log -L1,2:a",
            "git branch x",
            "git branch -D x",
            "git branch -a x",
            "git branch -d",
            "git branch --edit-description",
            "git branch -- x",
            "git commit -m x",
            "git checkout .",
            "git reset",
            "git stash",
            "git clean -f",
            "git push",
            "git fetch",
            "git apply x",
            "git add .",
            "git config x y",
            "git status --foo",
            "git log --show-signature",
            "git rev-parse --git-path x",
            "git rev-parse --parseopt",
            "git archive",
            "git --paginate log",
            "git -p log",
            "git ls-files -X/etc/passwd",
            "git ls-files --exclude-from=x",
            "git log -n",
            "git log -n x",
            "git log --stdin",
            "true x",
            "pwd x",
            "pwd --help",
            "whoami",
            "curl x",
            "python -c x",
            "awk 1",
            "sed -i x y",
            "sed -n 1p x",
            "dd",
            "cp a b",
            "printf x",
            "date -s x",
        ] {
            assert_eq!(read_only_command(command), None, "{command}");
        }
    }

    #[test]
    fn nothing_a_shell_acts_on_passes_unquoted() {
        for c in (0u8..128).map(char::from) {
            let acted_on = c.is_ascii_control() || ";&|<>()$`\\!*?[]{}#".contains(c);
            if acted_on {
                for command in [
                    format!("ls a{c}b"),
                    format!("ls {c}b"),
                    format!("ls{c}b"),
                    format!("echo x {c}"),
                ] {
                    assert_eq!(read_only_command(&command), None, "{command:?}");
                }
            }
        }
    }
}
