//! Shell commands: how they are started, and what is told of their output. The
//! keeper runs them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::OpOutcome;
use keeper::{Ending, Exit, Limits, Orphan, Spec, Stdin, StopCause, Streams};

use super::{ToolResult, text};

/// Seconds a command may take unless it asks for more.
pub const DEFAULT_TIMEOUT_S: u64 = 120;

/// The most seconds a command may ask for.
pub const MAX_TIMEOUT_S: u64 = 3600;

/// Output kept of one command: 8 MiB, and its end.
const SPOOL_LIMIT: u64 = 8 * 1024 * 1024;

/// One command, and where it runs.
#[derive(Clone)]
pub struct ShellCommand {
    /// Unique among all keepers, forever.
    pub id: String,
    /// The command line.
    pub command: String,
    /// The folder it runs in, absolute.
    pub cwd: PathBuf,
    /// Its whole environment; what keeps programs from asking questions is added.
    pub env: Vec<(String, String)>,
    /// Milliseconds after which it is stopped.
    pub timeout_ms: u64,
    /// Where its keeper listens.
    pub socket: PathBuf,
}

/// What a keeper is given to run a command.
pub fn shell_spec(command: ShellCommand) -> Spec {
    let mut env: BTreeMap<String, String> = command.env.into_iter().collect();
    for (name, value) in QUIET {
        env.insert((*name).to_owned(), (*value).to_owned());
    }
    only_explicit_bare_repositories(&mut env);
    Spec {
        id: command.id,
        argv: vec![shell().to_owned(), "-c".to_owned(), command.command],
        wrapper: Vec::new(),
        cwd: command.cwd,
        env,
        stdin: Stdin::Closed,
        streams: Streams::Merged,
        timeout_ms: Some(command.timeout_ms),
        orphan: Orphan::Finish,
        max_spool_bytes: SPOOL_LIMIT,
        limits: Limits::default(),
        socket: command.socket,
    }
}

/// Nobody is there to answer a prompt or to leave a pager.
const QUIET: &[(&str, &str)] = &[
    ("GIT_EDITOR", "false"),
    ("GIT_PAGER", "cat"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("PAGER", "cat"),
    ("TERM", "dumb"),
];

/// A folder that merely looks like a bare repository (an agent can write one with
/// plain file writes) must not be taken for one: its configuration names commands
/// that even `git status` runs. See `safe.bareRepository` in git-config(1).
fn only_explicit_bare_repositories(env: &mut BTreeMap<String, String>) {
    let count: u32 = env
        .get("GIT_CONFIG_COUNT")
        .and_then(|count| count.parse().ok())
        .unwrap_or(0);
    env.insert(
        format!("GIT_CONFIG_KEY_{count}"),
        "safe.bareRepository".to_owned(),
    );
    env.insert(format!("GIT_CONFIG_VALUE_{count}"), "explicit".to_owned());
    env.insert("GIT_CONFIG_COUNT".to_owned(), (count + 1).to_string());
}

/// Models write bash; where there is none, sh has to do.
fn shell() -> &'static str {
    const BASH: &str = "/bin/bash";
    if Path::new(BASH).exists() {
        BASH
    } else {
        "/bin/sh"
    }
}

/// What is told of a command that is over.
pub fn shell_result(exit: &Exit, output: Vec<u8>) -> ToolResult {
    let status = status_line(exit);
    let cleaned = clean(&output);
    let shown = text::capped(&cleaned, "the whole output is in the run's journal");
    let mut told = format!("{status}\n{shown}");
    if exit.truncated() {
        let dropped =
            (exit.out.written + exit.err.written).saturating_sub(exit.out.kept + exit.err.kept);
        told.push_str(&format!(
            "\n[{dropped} bytes of output were not kept: it was too long]"
        ));
    }
    if exit.leftovers > 0 {
        told.push_str(&format!(
            "\n[{} processes it left running were stopped]",
            exit.leftovers
        ));
    }
    let outcome = if exit.succeeded() {
        OpOutcome::Ok
    } else {
        OpOutcome::Error
    };
    let full = matches!(shown, std::borrow::Cow::Owned(_)).then_some(output);
    ToolResult {
        outcome,
        text: told,
        full,
        summary: text::one_line(&status),
    }
}

fn status_line(exit: &Exit) -> String {
    let took = (exit.ended_at_ms - exit.started_at_ms).max(0) as u64 / 1000;
    match (&exit.ending, exit.stopped_by) {
        (Ending::NotStarted(failure), _) => format!("could not be started: {failure}"),
        (_, Some(StopCause::Timeout)) => format!("timed out: stopped after {took} s"),
        (_, Some(StopCause::Memory)) => format!(
            "stopped after {took} s: it and what it started took more memory than a command \
             may (the setting memory_limit_mb)"
        ),
        (_, Some(StopCause::Processes)) => format!(
            "stopped after {took} s: it had started more processes than a command may (the \
             setting process_limit)"
        ),
        (_, Some(StopCause::Orphaned | StopCause::Request)) => {
            format!("stopped from outside after {took} s")
        }
        (Ending::Code(code), None) => format!("exit status {code}"),
        (Ending::Signal(signal), None) => format!("killed by signal {signal}"),
    }
}

/// Output as plain text: terminal sequences removed, lines that were drawn over
/// shown as they last were, other control characters visible.
fn clean(output: &[u8]) -> String {
    let decoded = String::from_utf8_lossy(output);
    let plain = without_sequences(&decoded);
    let mut lines = Vec::new();
    for line in plain.split('\n') {
        let line = line.trim_end_matches('\r');
        let last = line.rsplit('\r').next().unwrap_or(line);
        lines.push(text::visible(last));
    }
    lines.join("\n").trim_end_matches('\n').to_owned()
}

/// Removes ECMA-48 escape sequences: CSI, and the strings (OSC, DCS, …).
fn without_sequences(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        match chars.peek().copied() {
            Some('[') => {
                chars.next();
                // Parameters and intermediates, then one final byte.
                while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
                chars.next_if(|c| matches!(c, '@'..='~'));
            }
            Some(']' | 'P' | 'X' | '^' | '_') => skip_string(&mut chars),
            Some(' '..='/') => {
                while chars.next_if(|c| matches!(c, ' '..='/')).is_some() {}
                chars.next_if(|c| matches!(c, '0'..='~'));
            }
            Some('0'..='~') => {
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

/// A string ends with BEL or ESC \; one that never ends hides nothing past its line.
fn skip_string(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(&c) = chars.peek() {
        if c == '\n' {
            return;
        }
        chars.next();
        if c == '\u{7}' {
            return;
        }
        if c == '\u{1b}' {
            chars.next_if_eq(&'\\');
            return;
        }
    }
}
