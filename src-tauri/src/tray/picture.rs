//! What the tray shows, as a pure function of what is known.

use domain::{NanoUsd, RunId, RunState};
use protocol::{DaemonMode, DaemonStatus};

use crate::actions::Action;
use crate::daemon_link::LinkState;

/// More runs than this of a kind a menu does not list: the window does.
pub(crate) const MOST_RUNS: u32 = 8;

/// Longest title in a menu, in characters.
const LONGEST_TITLE: usize = 44;

/// What the icon says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Nothing runs, nothing is asked.
    Calm,
    /// Runs are at work.
    Working,
    /// Somebody must decide or resume.
    NeedsYou,
    /// The daemon is not there or cannot work.
    Trouble,
}

/// A run as the menu shows it.
#[derive(Clone, Debug)]
pub(crate) struct RunLine {
    pub(crate) id: RunId,
    pub(crate) title: String,
    pub(crate) state: RunState,
    pub(crate) cause: Option<String>,
    pub(crate) steps: u32,
    pub(crate) cost: NanoUsd,
    pub(crate) open_reviews: u32,
}

/// What is known.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) link: LinkState,
    pub(crate) status: Option<DaemonStatus>,
    /// The first few that go on or wait, in the order in which they are shown.
    pub(crate) live: Vec<RunLine>,
    /// The first few that can be resumed.
    pub(crate) interrupted: Vec<RunLine>,
}

impl Facts {
    pub(crate) fn new(link: LinkState) -> Self {
        Self {
            link,
            status: None,
            live: Vec::new(),
            interrupted: Vec::new(),
        }
    }

    /// How many runs there are in some states.
    fn count(&self, states: &[RunState]) -> u32 {
        let runs = self.status.as_ref().map(|status| &status.runs);
        let of = |state: &RunState| runs.and_then(|runs| runs.get(state.word())).copied();
        states.iter().filter_map(of).sum()
    }
}

/// The states of runs that go on, or would if nothing kept them: those the menu lists.
pub(crate) const LIVE: &[RunState] = &[RunState::Running, RunState::Verifying, RunState::Waiting];

/// A line of the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Says something, does nothing.
    Words(String),
    /// Does something.
    Do(Action, String),
    /// Opens further lines.
    More(String, Vec<Line>),
    /// A rule.
    Rule,
}

/// Icon and menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) mood: Mood,
    pub(crate) status: String,
    pub(crate) lines: Vec<Line>,
}

impl Picture {
    pub(crate) fn of(facts: &Facts) -> Self {
        let status = status_line(facts);
        let mut lines = vec![Line::Words(status.clone())];
        if matches!(facts.link, LinkState::Stopped | LinkState::Down(_)) {
            lines.push(plain(Action::StartDaemon));
        }
        let reviews = facts.status.as_ref().map_or(0, |s| s.open_reviews);
        if reviews > 0 {
            lines.push(Line::Do(Action::OpenInbox, waiting(reviews)));
        }
        lines.extend(interrupted(facts));
        if !facts.live.is_empty() {
            lines.push(Line::Rule);
            lines.extend(listed(&facts.live, facts.count(LIVE), |run| {
                Line::Do(Action::OpenRun(run.id), progress(run))
            }));
            lines.push(plain(Action::PauseAll));
        }
        lines.push(Line::Rule);
        lines.push(plain(Action::NewRun));
        lines.push(plain(Action::OpenWindow));
        lines.push(Line::Rule);
        lines.push(plain(Action::QuitWindow));
        if facts.status.is_some() {
            lines.push(plain(Action::StopEverything));
        }
        Self {
            mood: mood(facts),
            status,
            lines,
        }
    }
}

fn plain(action: Action) -> Line {
    let words = action.words().to_owned();
    Line::Do(action, words)
}

fn mood(facts: &Facts) -> Mood {
    if matches!(facts.link, LinkState::Stopped | LinkState::Down(_)) {
        return Mood::Trouble;
    }
    let Some(status) = &facts.status else {
        return Mood::Calm;
    };
    if status.trouble.is_some() || status.mode == DaemonMode::Maintenance {
        return Mood::Trouble;
    }
    if status.open_reviews > 0 || !facts.interrupted.is_empty() {
        return Mood::NeedsYou;
    }
    match facts.live.is_empty() {
        true => Mood::Calm,
        false => Mood::Working,
    }
}

fn status_line(facts: &Facts) -> String {
    let status = match (&facts.link, &facts.status) {
        (LinkState::Connecting, _) => return "Longhaul is starting…".to_owned(),
        (LinkState::Stopped, _) => return "Stopped: nothing runs".to_owned(),
        (LinkState::Down(error), _) => return shortened(&error.message),
        (LinkState::Up, None) => return "Longhaul is there".to_owned(),
        (LinkState::Up, Some(status)) => status,
    };
    if let Some(trouble) = &status.trouble {
        return shortened(trouble);
    }
    match status.mode {
        DaemonMode::Maintenance => return "The store cannot be opened".to_owned(),
        DaemonMode::Draining => return "Stopping at the runs' next safe points…".to_owned(),
        DaemonMode::Normal => {}
    }
    let parts: Vec<String> = [
        (&[RunState::Running, RunState::Verifying][..], "running"),
        (&[RunState::Waiting], "waiting"),
        (&[RunState::Queued], "queued"),
        (&[RunState::Paused], "paused"),
        (&[RunState::Interrupted], "interrupted"),
    ]
    .into_iter()
    .map(|(states, what)| (facts.count(states), what))
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    match parts.is_empty() {
        true => "All quiet".to_owned(),
        false => parts.join(" · "),
    }
}

fn waiting(reviews: u32) -> String {
    match reviews {
        1 => "1 review is waiting…".to_owned(),
        many => format!("{many} reviews are waiting…"),
    }
}

fn interrupted(facts: &Facts) -> Option<Line> {
    if facts.interrupted.is_empty() {
        return None;
    }
    let all = facts.count(&[RunState::Interrupted]);
    let mut lines = listed(&facts.interrupted, all, |run| {
        let why = run.cause.as_deref().map(said);
        let why = why.map_or_else(String::new, |cause| format!(" ({cause})"));
        let words = format!("Resume “{}”{why}", shortened(&run.title));
        Line::Do(Action::ResumeRun(run.id), words)
    });
    lines.push(Line::Rule);
    lines.push(plain(Action::ResumeInterrupted));
    Some(Line::More(format!("Interrupted ({all})"), lines))
}

/// The first few runs, and how many more there are of `all`.
fn listed(runs: &[RunLine], all: u32, line: impl Fn(&RunLine) -> Line) -> Vec<Line> {
    let mut lines: Vec<Line> = runs.iter().take(MOST_RUNS as usize).map(line).collect();
    if all > MOST_RUNS {
        let words = format!("{} more…", all - MOST_RUNS);
        lines.push(Line::Do(Action::OpenWindow, words));
    }
    lines
}

fn progress(run: &RunLine) -> String {
    let doing = match (run.state, run.open_reviews, run.cause.as_deref()) {
        (_, 1.., _) => "asks you".to_owned(),
        (RunState::Waiting, 0, Some(cause)) => format!("waits: {}", said(cause)),
        (RunState::Waiting, 0, None) => "waits".to_owned(),
        (RunState::Verifying, ..) => "verifies".to_owned(),
        _ => format!("step {}", run.steps),
    };
    format!("{} — {doing}, ${}", shortened(&run.title), cents(run.cost))
}

/// A cause as words: `rate_limit` → `rate limit`.
fn said(cause: &str) -> String {
    cause.replace('_', " ")
}

/// Dollars to the cent, and never 0.00 for what cost something.
fn cents(cost: NanoUsd) -> String {
    const CENT: i64 = 10_000_000;
    match cost.0 {
        1..CENT => "0.01".to_owned(),
        nano => format!("{}.{:02}", nano / (100 * CENT), nano / CENT % 100),
    }
}

/// One short line without what would confuse a menu.
fn shortened(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .filter(|c| !is_invisible(*c))
        .collect();
    let line = line.trim();
    if line.chars().count() <= LONGEST_TITLE {
        return line.to_owned();
    }
    let start: String = line.chars().take(LONGEST_TITLE - 1).collect();
    format!("{}…", start.trim_end())
}

/// Characters that reorder or hide others.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
