//! git, and what belongs to it.

use super::Look;
use crate::effect::{Effect, Found};
use crate::shell::{Invocation, Leads, Word};

const LOOKS: &[&str] = &[
    "status",
    "diff",
    "log",
    "show",
    "blame",
    "annotate",
    "grep",
    "ls-files",
    "ls-tree",
    "rev-parse",
    "rev-list",
    "describe",
    "shortlog",
    "cat-file",
    "name-rev",
    "merge-base",
    "for-each-ref",
    "show-ref",
    "count-objects",
    "check-ignore",
    "check-attr",
    "diff-tree",
    "diff-index",
    "diff-files",
    "whatchanged",
    "cherry",
    "var",
    "version",
    "help",
    "range-diff",
    "fsck",
    "verify-commit",
    "verify-tag",
    "show-branch",
    "symbolic-ref",
    "hash-object",
    "stripspace",
];

const RECORDS: &[&str] = &[
    "add",
    "commit",
    "switch",
    "merge",
    "cherry-pick",
    "revert",
    "rebase",
    "mv",
    "rm",
    "init",
    "apply",
    "am",
    "restore",
    "checkout",
    "stash",
    "tag",
    "branch",
    "notes",
    "bisect",
    "format-patch",
    "mergetool",
    "rerere",
    "stage",
    "unstage",
    "write-tree",
    "commit-tree",
    "read-tree",
    "update-index",
    "sparse-checkout",
    "bundle",
    "archive",
];

const FETCHES: &[&str] = &[
    "fetch",
    "pull",
    "clone",
    "ls-remote",
    "submodule",
    "lfs",
    "subtree",
];

impl Look<'_> {
    pub(super) fn git(&self, program: &str) -> Option<Vec<Found>> {
        match program {
            "git" => Some(self.git_command()),
            "gh" | "glab" | "hub" => Some(self.forge()),
            "pre-commit" | "husky" | "lint-staged" => Some(vec![self.found(Effect::Build)]),
            _ => None,
        }
    }

    fn git_command(&self) -> Vec<Found> {
        let args = self.args();
        let mut at = 0;
        while let Some(word) = args.get(at) {
            match word.text.as_str() {
                "-C" => {
                    let folder = args.get(at + 1);
                    let outside = folder.is_none_or(|folder| {
                        !folder.known
                            || !matches!(
                                self.one.place.leads(&folder.text, self.around),
                                Leads::Inside(_)
                            )
                    });
                    if outside {
                        return vec![self.found(Effect::Outside)];
                    }
                    at += 2;
                }
                "--no-pager" | "-P" | "--no-optional-locks" | "--literal-pathspecs" => at += 1,
                "--version" | "--help" => return Vec::new(),
                // `-c core.hooksPath=…`, `--git-dir`, `--exec-path`: another git than it seems.
                text if text.starts_with('-') => return vec![self.found(Effect::Sensitive)],
                _ => break,
            }
        }
        let rest = Invocation {
            words: args.get(at..).unwrap_or_default().to_vec(),
            ..self.one.clone()
        };
        let Some(sub) = rest
            .words
            .first()
            .and_then(Word::literal)
            .map(str::to_owned)
        else {
            return match args.is_empty() {
                true => Vec::new(),
                false => vec![self.found(Effect::Unknown)],
            };
        };
        let look = Look {
            one: &rest,
            around: self.around,
        };
        look.git_sub(&sub, self)
    }

    /// `self` is the subcommand with its words, `whole` the call as it was typed.
    fn git_sub(&self, sub: &str, whole: &Look<'_>) -> Vec<Found> {
        let of = |effect| vec![whole.found(effect)];
        let runs = [
            "--upload-pack",
            "--receive-pack",
            "--exec",
            "-x",
            "--extcmd",
            "--open-files-in-pager",
            "-O",
        ];
        let rebase_runs = sub == "rebase" && self.has(&["-x", "--exec"]);
        if rebase_runs
            || (matches!(
                sub,
                "fetch" | "pull" | "clone" | "ls-remote" | "difftool" | "grep" | "push"
            ) && self.has(&runs))
        {
            return of(Effect::Code);
        }
        match sub {
            "log" | "diff" | "show" | "format-patch" | "archive" | "bundle"
                if self.has(&["-o", "--output"]) && !self.has(&["--oneline"]) =>
            {
                let to = self
                    .args()
                    .iter()
                    .find_map(|word| word.text.strip_prefix("--output="));
                let to = to
                    .map(Word::plain)
                    .or_else(|| self.after(&["-o", "--output"]));
                to.and_then(|file| self.write(&file)).into_iter().collect()
            }
            "difftool" | "ext-diff" | "instaweb" | "daemon" | "send-email" | "imap-send"
            | "gui" | "web--browse" => of(Effect::Unknown),
            "config" => self.git_config(whole),
            "remote" => match self.sub(0) {
                "" | "show" | "get-url" => Vec::new(),
                _ => of(Effect::Sensitive),
            },
            "push" => of(Effect::Push),
            "reset" if self.has(&["--hard", "--merge", "--keep"]) => of(Effect::DropChanges),
            "reset" => of(Effect::Commit),
            "clean" => match self.has(&["-n", "--dry-run"]) {
                true => Vec::new(),
                false => of(Effect::DeleteBulk),
            },
            "checkout" | "restore" if self.drops_changes(sub) => of(Effect::DropChanges),
            "switch" if self.has(&["-f", "--force", "--discard-changes"]) => {
                of(Effect::DropChanges)
            }
            "stash" => match self.sub(0) {
                "list" | "show" => Vec::new(),
                "drop" | "clear" => of(Effect::DropChanges),
                _ => of(Effect::Commit),
            },
            "branch" | "tag" if self.has(&["-D", "-d", "--delete", "-f", "--force", "-M"]) => {
                of(Effect::DropChanges)
            }
            "reflog" => match self.sub(0) {
                "" | "show" | "exists" => Vec::new(),
                _ => of(Effect::DropChanges),
            },
            "worktree" => match self.sub(0) {
                "list" => Vec::new(),
                _ => of(Effect::Outside),
            },
            "filter-branch" | "filter-repo" | "update-ref" | "replace" | "prune" | "gc"
            | "repack" | "hook" | "update-server-info" | "credential" | "credential-store"
            | "maintenance" | "fast-import" => of(Effect::Sensitive),
            "submodule" if matches!(self.sub(0), "" | "status" | "summary") => Vec::new(),
            "lfs" if matches!(self.sub(0), "ls-files" | "status" | "env") => Vec::new(),
            _ if LOOKS.contains(&sub) => Vec::new(),
            _ if RECORDS.contains(&sub) => of(Effect::Commit),
            _ if FETCHES.contains(&sub) => of(Effect::NetworkRead),
            // An alias, perhaps: it may be anything.
            _ => of(Effect::Unknown),
        }
    }

    fn drops_changes(&self, sub: &str) -> bool {
        let paths = self.has_word("--") || self.has_word(".");
        match sub {
            "checkout" => paths || self.has(&["-f", "--force"]),
            // Without `--staged` it is the files that are put back.
            _ => !self.has(&["--staged", "-S"]) && (paths || self.plain_args().count() > 0),
        }
    }

    fn git_config(&self, whole: &Look<'_>) -> Vec<Found> {
        let looks = [
            "--get",
            "--get-all",
            "--list",
            "-l",
            "--get-regexp",
            "--show-origin",
            "--show-scope",
        ];
        let reads = self.has(&looks) || matches!(self.sub(0), "get" | "list");
        let identity = matches!(self.sub(0), "user.name" | "user.email");
        let own = !self.has(&["--global", "--system", "--file", "-f"]);
        if reads || (own && (identity || self.plain_args().count() == 1)) {
            return Vec::new();
        }
        vec![whole.found(if own {
            Effect::Sensitive
        } else {
            Effect::Outside
        })]
    }

    /// The command lines of forges.
    fn forge(&self) -> Vec<Found> {
        let (what, how) = (self.sub(0), self.sub(1));
        let looks = [
            "list", "view", "status", "diff", "checks", "watch", "download",
        ];
        match (what, how) {
            ("auth" | "secret" | "ssh-key" | "gpg-key" | "config", _) => {
                vec![self.found(Effect::Secrets)]
            }
            ("release" | "workflow" | "deploy-key", how) if !looks.contains(&how) => {
                vec![self.found(Effect::Publish)]
            }
            ("api", _) => vec![self.found(Effect::NetworkWrite)],
            (_, how) if looks.contains(&how) => vec![self.found(Effect::NetworkRead)],
            _ => vec![self.found(Effect::NetworkWrite)],
        }
    }
}
