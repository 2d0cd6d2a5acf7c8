//! Programs that start programs, and what they would start.

use super::{Input, Invocation, Word};

/// What there is to see behind a program.
pub(super) enum Seen {
    /// It is itself what is to be looked at.
    Program,
    /// These instead.
    Other(Vec<Invocation>),
    /// A program text of its own.
    Script(String),
}

const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "ksh", "ash", "busybox"];

/// Looks behind `found`.
pub(super) fn see(found: &Invocation) -> Seen {
    let args = found.args();
    match found.program() {
        "command" | "builtin" | "exec" | "nohup" | "setsid" | "time" | "chronic" | "unbuffer" => {
            after_options(found, args, &["-a"])
        }
        "nice" => after_options(found, args, &["-n", "--adjustment"]),
        "ionice" => after_options(found, args, &["-c", "-n", "--class", "--classdata"]),
        "stdbuf" => after_options(found, args, &["-i", "-o", "-e"]),
        "timeout" => {
            match position_after_options(args, &["-s", "-k", "--signal", "--kill-after"]) {
                Some(at) => behind(found, &args[(at + 1).min(args.len())..]),
                None => Seen::Program,
            }
        }
        "env" => behind_env(found, args),
        "sudo" | "doas" | "pkexec" => raised(found, args),
        "su" | "runuser" => match after_option(args, "-c") {
            Some(script) => raised_script(found, script),
            None => Seen::Program,
        },
        "xargs" => behind_xargs(found, args),
        "find" => behind_find(found, args),
        "watch" => after_options(found, args, &["-n", "--interval"]),
        "eval" => match joined(args) {
            Some(script) => Seen::Script(script),
            None => Seen::Program,
        },
        "trap" => match args.first().and_then(Word::literal) {
            Some(script) if !script.starts_with('-') && args.len() > 1 => {
                Seen::Script(script.to_owned())
            }
            _ => Seen::Program,
        },
        shell if SHELLS.contains(&shell) => behind_shell(found, args),
        _ => Seen::Program,
    }
}

fn behind(found: &Invocation, words: &[Word]) -> Seen {
    if words.is_empty() {
        return Seen::Program;
    }
    Seen::Other(vec![Invocation {
        words: words.to_vec(),
        ..found.clone()
    }])
}

/// Where the words begin that are no options; `with` take a value.
fn position_after_options(args: &[Word], with: &[&str]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = args.get(at) {
        let text = word.text.as_str();
        if text == "--" {
            return Some(at + 1);
        }
        if !text.starts_with('-') || !word.known {
            return Some(at);
        }
        at += 1 + usize::from(with.contains(&text));
    }
    None
}

fn after_options(found: &Invocation, args: &[Word], with: &[&str]) -> Seen {
    match position_after_options(args, with) {
        Some(at) => behind(found, &args[at.min(args.len())..]),
        None => Seen::Program,
    }
}

fn after_option<'a>(args: &'a [Word], option: &str) -> Option<&'a Word> {
    let at = args.iter().position(|word| word.text == option)?;
    args.get(at + 1)
}

fn joined(args: &[Word]) -> Option<String> {
    let words: Option<Vec<_>> = args
        .iter()
        .map(|word| word.known.then_some(word.text.as_str()))
        .collect();
    words
        .filter(|words| !words.is_empty())
        .map(|words| words.join(" "))
}

fn behind_env(found: &Invocation, args: &[Word]) -> Seen {
    let mut at = 0;
    let mut sets = found.sets.clone();
    while let Some(word) = args.get(at) {
        let text = word.text.as_str();
        match text {
            "-u" | "--unset" | "-C" | "--chdir" => at += 2,
            // It splits the rest by rules of its own.
            "-S" | "--split-string" => return Seen::Program,
            _ if text.starts_with("-S") || text.starts_with("--split") => return Seen::Program,
            _ if text.starts_with('-') => at += 1,
            _ => match text.split_once('=') {
                Some((name, _)) => {
                    sets.push(name.to_owned());
                    at += 1;
                }
                None => break,
            },
        }
    }
    match args.get(at..) {
        Some(words) if !words.is_empty() => Seen::Other(vec![Invocation {
            words: words.to_vec(),
            sets,
            ..found.clone()
        }]),
        _ => Seen::Program,
    }
}

fn raised(found: &Invocation, args: &[Word]) -> Seen {
    let with = [
        "-u", "-g", "-h", "-p", "-C", "-r", "-t", "-U", "-D", "-T", "--user", "--group",
    ];
    let by = Some(found.program().to_owned());
    match position_after_options(args, &with) {
        Some(at) if at < args.len() => Seen::Other(vec![Invocation {
            words: args[at..].to_vec(),
            raised_by: by,
            ..found.clone()
        }]),
        _ => Seen::Program,
    }
}

fn raised_script(found: &Invocation, script: &Word) -> Seen {
    let shell = [Word::plain("sh"), Word::plain("-c"), script.clone()];
    Seen::Other(vec![Invocation {
        words: shell.to_vec(),
        raised_by: Some(found.program().to_owned()),
        ..found.clone()
    }])
}

fn behind_xargs(found: &Invocation, args: &[Word]) -> Seen {
    let with = [
        "-n",
        "-P",
        "-I",
        "-i",
        "-L",
        "-l",
        "-s",
        "-d",
        "-a",
        "-E",
        "--max-args",
        "--max-procs",
    ];
    let at = position_after_options(args, &with).unwrap_or(args.len());
    let mut words = args.get(at..).unwrap_or_default().to_vec();
    if words.is_empty() {
        words.push(Word::plain("echo"));
    }
    // What it is given is read from its input: nobody knows it here.
    words.push(Word {
        text: "…".to_owned(),
        known: false,
        glob: false,
    });
    Seen::Other(vec![Invocation {
        words,
        input: Input::None,
        ..found.clone()
    }])
}

/// `find` itself, without the actions that start something, and what they start.
fn behind_find(found: &Invocation, args: &[Word]) -> Seen {
    let starts =
        |word: &Word| matches!(word.text.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir");
    if !args.iter().any(starts) {
        return Seen::Program;
    }
    let mut others = Vec::new();
    let mut own = vec![Word::plain("find")];
    let mut at = 0;
    while let Some(word) = args.get(at) {
        if !starts(word) {
            own.push(word.clone());
            at += 1;
            continue;
        }
        let rest = &args[at + 1..];
        let ends = |word: &Word| matches!(word.text.as_str(), ";" | "+");
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        let mut words: Vec<Word> = rest[..length].to_vec();
        for word in words.iter_mut().filter(|word| word.text.contains("{}")) {
            word.known = false;
        }
        if !words.is_empty() {
            others.push(Invocation {
                words,
                ..found.clone()
            });
        }
        at += length + 2;
    }
    others.push(Invocation {
        words: own,
        ..found.clone()
    });
    Seen::Other(others)
}

fn behind_shell(found: &Invocation, args: &[Word]) -> Seen {
    let args = match found.program() {
        "busybox" => {
            let inner = args.first().and_then(Word::literal).unwrap_or_default();
            if !SHELLS.contains(&inner) {
                return behind(found, args);
            }
            &args[1..]
        }
        _ => args,
    };
    let mut at = 0;
    while let Some(word) = args.get(at) {
        let text = word.text.as_str();
        let short = text.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
        match short {
            Some(letters) if letters.contains('c') => {
                return match args.get(at + 1) {
                    Some(script) if script.known => Seen::Script(script.text.clone()),
                    _ => Seen::Program,
                };
            }
            Some("o" | "O") => at += 2,
            Some("s") => break,
            Some(_) => at += 1,
            None if text.starts_with("--") => at += 1,
            // A file: the project's own script, or not.
            None => return Seen::Program,
        }
    }
    match &found.input {
        Input::Text(script) => Seen::Script(script.clone()),
        _ => Seen::Program,
    }
}
