//! The subcommands of git that only show.

use super::{Words, is_digits, is_inside};

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

/// The rule by which git with these arguments is read-only.
pub(super) fn allows(args: &[&str]) -> Option<&'static str> {
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
