//! Programs that change files.

use super::Look;
use crate::effect::{Effect, Found};
use crate::paths::{self, Whole};
use crate::shell::Word;

impl Look<'_> {
    pub(super) fn files(&self, program: &str) -> Option<Vec<Found>> {
        Some(match program {
            "mkdir" | "touch" | "truncate" | "dos2unix" | "unix2dos" | "mktemp" | "mkfifo" => {
                self.all_written()
            }
            "tee" | "sponge" => self.all_written(),
            "rm" | "rmdir" | "unlink" | "shred" | "trash" => self.removing(program),
            "cp" | "install" | "ln" | "link" => self.copying(),
            "mv" | "rename" => self.moving(),
            "chmod" => self.modes(),
            "tar" | "bsdtar" => self.archive(),
            "unzip" | "7z" | "unrar" | "cpio" => self.unpacking(program),
            "zip" | "gzip" | "gunzip" | "bzip2" | "xz" | "zstd" | "split" | "csplit" | "patch" => {
                self.all_written()
            }
            "dd" => self.dd(),
            "find" => self.find(),
            "fd" | "fdfind" => match self.has(&["-x", "-X", "--exec", "--exec-batch"]) {
                true => vec![self.found(Effect::Unknown)],
                false => Vec::new(),
            },
            "tree" => self.option_written(&["-o"]),
            "sort" => self.with_reads(self.option_written(&["-o", "--output"])),
            "uniq" => self
                .plain_args()
                .nth(1)
                .and_then(|w| self.write(w))
                .into_iter()
                .collect(),
            "date" => match self.has(&["-s", "--set"]) {
                true => vec![self.found(Effect::Privilege)],
                false => Vec::new(),
            },
            "hostname" => match self.plain_args().next() {
                Some(_) => vec![self.found(Effect::Privilege)],
                None => Vec::new(),
            },
            "export" => self.exported(),
            "kill" => self.kill(),
            "pkill" | "killall" | "fuser" => vec![self.found(Effect::Kill)],
            "alias" | "unalias" | "enable" | "bind" | "complete" | "hash" => {
                match self.args().is_empty() {
                    true => Vec::new(),
                    false => vec![self.found(Effect::Environment)],
                }
            }
            "mknod" => vec![self.found(Effect::Privilege)],
            _ => return None,
        })
    }

    fn all_written(&self) -> Vec<Found> {
        self.plain_args()
            .filter_map(|word| self.write(word))
            .collect()
    }

    fn with_reads(&self, mut found: Vec<Found>) -> Vec<Found> {
        found.extend(self.plain_args().filter_map(|word| self.read(word)));
        found
    }

    /// The files that follow one of these options.
    fn option_written(&self, options: &[&str]) -> Vec<Found> {
        let args = self.args();
        let mut found = Vec::new();
        for (at, word) in args.iter().enumerate() {
            if options.contains(&word.text.as_str()) {
                found.extend(args.get(at + 1).and_then(|file| self.write(file)));
            }
            for option in options.iter().filter(|o| o.starts_with("--")) {
                if let Some(path) = word.text.strip_prefix(&format!("{option}=")) {
                    let file = Word {
                        text: path.to_owned(),
                        ..word.clone()
                    };
                    found.extend(self.write(&file));
                }
            }
        }
        found
    }

    fn removing(&self, program: &str) -> Vec<Found> {
        let whole = match self.has(&["-r", "-R", "--recursive", "--dir"]) && program != "rmdir" {
            true => Whole::Trees,
            false => Whole::Files,
        };
        if self.has(&["--no-preserve-root"]) {
            return vec![self.found(Effect::Ruin)];
        }
        let all: Vec<_> = self.plain_args().collect();
        let many = all.len() > 20;
        let each = all
            .iter()
            .map(|word| paths::delete(word, self.one, self.around, whole));
        let mut found: Vec<_> = each.collect();
        if many {
            found.push(self.found(Effect::DeleteBulk));
        }
        found
    }

    fn copying(&self) -> Vec<Found> {
        let words: Vec<_> = self.plain_args().collect();
        let Some((target, sources)) = words.split_last() else {
            return Vec::new();
        };
        let mut found: Vec<_> = sources.iter().filter_map(|word| self.read(word)).collect();
        found.extend(self.write(target));
        found
    }

    fn moving(&self) -> Vec<Found> {
        let words: Vec<_> = self.plain_args().collect();
        words
            .into_iter()
            .filter_map(|word| self.write(word))
            .collect()
    }

    fn modes(&self) -> Vec<Found> {
        let mut words = self.plain_args();
        let mode = words.next().map_or("", |word| word.text.as_str());
        let mut found: Vec<_> = words.filter_map(|word| self.write(word)).collect();
        // Set-uid and the like: whoever runs it then is somebody else.
        if mode.contains('s') || (mode.len() == 4 && !mode.starts_with('0')) {
            found.push(self.found(Effect::Privilege));
        }
        found
    }

    fn archive(&self) -> Vec<Found> {
        let first = self.args().first().map_or("", |word| word.text.as_str());
        let mode = |letter: char| {
            (!first.starts_with("--") && first.contains(letter))
                || self.has(&[&format!("-{letter}")])
        };
        let runs = [
            "--to-command",
            "--checkpoint-action",
            "--use-compress-program",
            "-I",
            "--rsh-command",
        ];
        if self.has(&runs) {
            return vec![self.found(Effect::Unknown)];
        }
        if mode('t') || self.has(&["--list"]) {
            return Vec::new();
        }
        let mut found = Vec::new();
        if mode('x') || self.has(&["--extract", "--get"]) {
            if mode('P') || self.has(&["--absolute-names"]) {
                found.push(self.found(Effect::Outside));
            }
            let into = self
                .after(&["-C", "--directory"])
                .unwrap_or_else(|| Word::plain("."));
            found.extend(self.write(&into));
        } else {
            found.extend(self.plain_args().filter_map(|word| self.read(word)));
            found.push(self.found(Effect::Write));
        }
        found
    }

    fn unpacking(&self, program: &str) -> Vec<Found> {
        if program == "unzip" && self.has(&["-l", "-t", "-v", "-p"]) {
            return Vec::new();
        }
        let into = self
            .after(&["-d", "-o"])
            .unwrap_or_else(|| Word::plain("."));
        self.write(&into).into_iter().collect()
    }

    /// The word that follows one of these options.
    pub(super) fn after(&self, options: &[&str]) -> Option<Word> {
        let args = self.args();
        let at = args
            .iter()
            .position(|word| options.contains(&word.text.as_str()))?;
        args.get(at + 1).cloned()
    }

    fn dd(&self) -> Vec<Found> {
        let part = |name: &str| {
            self.args().iter().find_map(|word| {
                let text = word.text.strip_prefix(name)?;
                Some(Word {
                    text: text.to_owned(),
                    ..word.clone()
                })
            })
        };
        let mut found: Vec<_> = part("if=")
            .iter()
            .filter_map(|word| self.read(word))
            .collect();
        found.extend(part("of=").iter().filter_map(|word| self.write(word)));
        found
    }

    fn find(&self) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        let roots = self
            .args()
            .iter()
            .take_while(|word| !word.text.starts_with(['-', '(', '!']));
        found.extend(roots.filter_map(|word| self.read(word)));
        if self.has_word("-delete") {
            found.push(self.found(Effect::DeleteBulk));
        }
        found.extend(self.option_written(&["-fprint", "-fprint0", "-fprintf", "-fls"]));
        found
    }

    pub(super) fn has_word(&self, wanted: &str) -> bool {
        self.args().iter().any(|word| word.text == wanted)
    }

    fn kill(&self) -> Vec<Found> {
        let own = |word: &Word| word.text.starts_with('%') || !word.known;
        let listed = self.has(&["-l", "-L"]);
        let targets: Vec<_> = self
            .args()
            .iter()
            .skip_while(|word| word.text.starts_with('-') && word.text != "-1")
            .collect();
        match listed || (!targets.is_empty() && targets.into_iter().all(own)) {
            // Its own children, as far as that can be told; in the sandbox there are no others.
            true => Vec::new(),
            false => vec![self.found(Effect::Kill)],
        }
    }
}
