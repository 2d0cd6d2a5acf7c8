use super::*;
use protocol::{ApiError, ErrorCode};

fn run(n: u32, state: RunState) -> RunLine {
    let id = format!("01990000-0000-7000-8000-{n:012}");
    RunLine {
        id: id.parse().expect("an id"),
        title: format!("Task {n}"),
        state,
        cause: None,
        steps: 3,
        cost: NanoUsd(420_000_000),
        open_reviews: 0,
    }
}

fn status(runs: &[(RunState, u32)], open_reviews: u32) -> DaemonStatus {
    let counts: std::collections::BTreeMap<&str, u32> = runs
        .iter()
        .map(|(state, count)| (state.word(), *count))
        .collect();
    let document = serde_json::json!({
        "pid": 1, "version": "0.1.0", "home": "/h", "socket": "/s", "uptime_s": 1,
        "mode": "normal", "trouble": null, "slots": 4, "slots_used": 0,
        "runs": counts, "open_reviews": open_reviews, "protocol": 1,
    });
    serde_json::from_value(document).expect("a status")
}

fn facts(status: DaemonStatus) -> Facts {
    Facts {
        status: Some(status),
        ..Facts::new(LinkState::Up)
    }
}

fn words(lines: &[Line]) -> Vec<&str> {
    lines
        .iter()
        .filter_map(|line| match line {
            Line::Words(words) | Line::Do(_, words) | Line::More(words, _) => Some(words.as_str()),
            Line::Rule => None,
        })
        .collect()
}

#[test]
fn a_quiet_menu_is_short() {
    let picture = Picture::of(&facts(status(&[], 0)));
    assert_eq!(picture.mood, Mood::Calm);
    assert_eq!(
        words(&picture.lines),
        [
            "All quiet",
            "New run…",
            "Open Longhaul",
            "Quit window (runs go on)",
            "Stop everything…"
        ]
    );
}

#[test]
fn an_interrupted_run_can_be_resumed_by_its_name() {
    let mut known = facts(status(&[(RunState::Interrupted, 1)], 0));
    let mut stopped = run(1, RunState::Interrupted);
    stopped.cause = Some("daemon_died".into());
    known.interrupted = vec![stopped.clone()];
    let picture = Picture::of(&known);
    assert_eq!(picture.mood, Mood::NeedsYou);
    let inside = picture
        .lines
        .iter()
        .find_map(|line| match line {
            Line::More(words, inside) if words == "Interrupted (1)" => Some(inside),
            _ => None,
        })
        .expect("there is a submenu");
    assert_eq!(
        inside[0],
        Line::Do(
            Action::ResumeRun(stopped.id),
            "Resume “Task 1” (daemon died)".into()
        )
    );
    assert_eq!(inside.last(), Some(&plain(Action::ResumeInterrupted)));
}

#[test]
fn runs_are_listed_with_what_they_do_and_cost() {
    let mut known = facts(status(&[(RunState::Running, 1), (RunState::Waiting, 2)], 1));
    let mut asks = run(2, RunState::Waiting);
    asks.open_reviews = 1;
    let mut limited = run(3, RunState::Waiting);
    limited.cause = Some("rate_limit".into());
    limited.cost = NanoUsd(1);
    known.live = vec![run(1, RunState::Running), asks, limited];
    let picture = Picture::of(&known);
    assert_eq!(picture.mood, Mood::NeedsYou);
    assert_eq!(
        words(&picture.lines)[..6],
        [
            "1 running · 2 waiting",
            "1 review is waiting…",
            "Task 1 — step 3, $0.42",
            "Task 2 — asks you, $0.42",
            "Task 3 — waits: rate limit, $0.01",
            "Pause all"
        ]
    );
}

#[test]
fn work_that_asks_nothing_is_just_work() {
    let mut known = facts(status(&[(RunState::Running, 1)], 0));
    known.live = vec![run(1, RunState::Running)];
    assert_eq!(Picture::of(&known).mood, Mood::Working);
}

#[test]
fn a_hundred_runs_do_not_fill_the_screen() {
    let mut known = facts(status(&[(RunState::Running, 100)], 0));
    known.live = (0..100).map(|n| run(n, RunState::Running)).collect();
    let lines = Picture::of(&known).lines;
    assert!(lines.len() < 20, "{} lines", lines.len());
    assert!(lines.contains(&Line::Do(Action::OpenWindow, "92 more…".into())));
}

#[test]
fn a_stopped_daemon_can_be_started_and_not_stopped_again() {
    let lines = Picture::of(&Facts::new(LinkState::Stopped)).lines;
    assert!(lines.contains(&plain(Action::StartDaemon)));
    assert!(!lines.contains(&plain(Action::StopEverything)));
    let why = ApiError::new(ErrorCode::Unreachable, "the disk is full", "make room");
    let picture = Picture::of(&Facts::new(LinkState::Down(why)));
    assert_eq!(picture.mood, Mood::Trouble);
    assert_eq!(picture.status, "the disk is full");
}

#[test]
fn trouble_comes_first() {
    let mut broken = status(&[(RunState::Running, 1)], 3);
    broken.trouble = Some("the disk is full".into());
    let picture = Picture::of(&facts(broken));
    assert_eq!(picture.mood, Mood::Trouble);
    assert_eq!(picture.status, "the disk is full");
}

#[test]
fn a_title_cannot_play_tricks() {
    assert_eq!(shortened("a\u{202e}b\nc"), "ab c");
    assert_eq!(shortened(&"x".repeat(80)).chars().count(), LONGEST_TITLE);
}
