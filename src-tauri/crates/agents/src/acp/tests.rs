//! Recordings of the real agents, replayed: each turn must end in a clear state, and be told
//! in the same events by every build.
#![allow(clippy::unwrap_used, reason = "tests")]

mod opening;
mod rules;

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::mapper::{Mapper, Task};
use super::protocol::{INITIALIZE, PROMPT, SESSION, survey};
use crate::driver::{Delta, Turn, TurnError};
use crate::supervised::child::Survey;
use crate::supervised::{Action, Dialect};

/// All recordings, told as events. `LONGHAUL_BLESS=1` writes it anew; then read the diff.
const EVENTS: &str = "events.txt";

fn task(session: Option<&str>) -> Task {
    Task {
        name: "rough",
        cwd: "/sample/work".to_owned(),
        model: String::new(),
        system: "Be brief.".to_owned(),
        prompt: "Do it.".to_owned(),
        session: session.map(str::to_owned),
        adopted: false,
        keyed: false,
    }
}

fn fixtures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/acp"))
}

fn recording(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(fixtures().join(format!("{name}.jsonl"))).unwrap();
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

/// The turns of a recording, each as if it had been its process's only one: what the agent
/// said to its session and to this one prompt. The session it was to go on with beside.
fn turns(lines: &[Value]) -> Vec<(Option<String>, Vec<Value>)> {
    let ours = |line: &&Value| line["dir"] == "in";
    let prompts = lines
        .iter()
        .filter(ours)
        .filter(|line| line["msg"]["method"] == "session/prompt");
    let count = prompts.count().max(1);
    (1..=count)
        .filter_map(|n| {
            let (session, said) = turn(lines, n);
            // One that was begun with nothing opened is told with the first.
            let whole = n == 1 || said.iter().any(|line| line["id"] == SESSION);
            whole.then_some((session, said))
        })
        .collect()
}

fn turn(lines: &[Value], n: usize) -> (Option<String>, Vec<Value>) {
    let (mut said, mut ids): (Vec<Value>, Vec<(u64, u64)>) = (Vec::new(), Vec::new());
    let (mut prompts, mut session) = (0, None);
    for line in lines {
        let mut message = line["msg"].clone();
        if line["dir"] == "in" {
            let id = message["id"].as_u64().unwrap_or_default();
            match message["method"].as_str() {
                Some("initialize") => ids.push((id, INITIALIZE)),
                // The last one that is opened before the prompt counts.
                Some(opens @ ("session/new" | "session/load" | "session/resume"))
                    if prompts < n =>
                {
                    ids.retain(|(_, ours)| *ours != SESSION);
                    said.retain(|line: &Value| line["id"] != SESSION);
                    ids.push((id, SESSION));
                    let known = message["params"]["sessionId"].as_str();
                    session = known.filter(|_| opens != "session/new").map(str::to_owned);
                }
                Some("session/prompt") => {
                    prompts += 1;
                    if prompts == n {
                        ids.push((id, PROMPT));
                        said.push(Value::Null);
                    }
                }
                _ => {}
            }
            continue;
        }
        let answers = message.get("method").is_none();
        if answers {
            let theirs = message["id"].as_u64().unwrap_or_default();
            let Some((_, ours)) = ids.iter().find(|(id, _)| *id == theirs) else {
                continue;
            };
            message["id"] = json!(ours);
            said.push(message);
        } else if prompts == 0 || prompts == n {
            said.push(message);
        }
    }
    (session, said)
}

struct Replay {
    mapper: Mapper,
    actions: Vec<Action>,
}

impl Replay {
    fn new(task: Task) -> Self {
        Self {
            mapper: Mapper::new(task),
            actions: Vec::new(),
        }
    }

    /// Up to where its process would be let go.
    fn of(task: Task, lines: &[Value]) -> Self {
        let mut replay = Self::new(task);
        for line in lines {
            replay.hear(line);
            if replay.is_over() {
                break;
            }
        }
        replay
    }

    /// `null` stands for the time at which the recorder sent its prompt.
    fn hear(&mut self, line: &Value) {
        let prompts = |action: &Action| told(action) == "send session/prompt";
        let said = match line.is_null() {
            true if self.actions.iter().any(prompts) => Vec::new(),
            true => self.mapper.release_calls(),
            false => self.mapper.line(line.to_string().as_bytes()),
        };
        self.actions.extend(said);
    }

    fn is_over(&self) -> bool {
        self.actions.iter().any(|action| {
            matches!(
                action,
                Action::Finished(_) | Action::UnknownSession(_) | Action::GaveUp(_)
            )
        })
    }

    fn end(&self) -> &Result<Turn, TurnError> {
        let mut actions = self.actions.iter();
        match actions.rfind(|action| matches!(action, Action::Finished(_))) {
            Some(Action::Finished(turn)) => turn,
            _ => panic!("the turn did not end: {}", self.story()),
        }
    }

    /// The actions as words; what is streamed as its sum.
    fn story(&self) -> String {
        let mut story = String::new();
        let mut shown = (0, 0);
        for action in &self.actions {
            if let Action::Delta(delta) = action {
                match delta {
                    Delta::Text(text) => shown.0 += text.len(),
                    Delta::Thinking(text) => shown.1 += text.len(),
                    other => writeln!(story, "  {other:?}").unwrap(),
                }
                continue;
            }
            if shown != (0, 0) {
                writeln!(
                    story,
                    "  shown: {} of text, {} of thoughts",
                    shown.0, shown.1
                )
                .unwrap();
                shown = (0, 0);
            }
            writeln!(story, "  {}", told(action)).unwrap();
        }
        if !self.is_over() {
            let open = self.mapper.open_calls();
            writeln!(story, "  (killed here, with {open} calls open)").unwrap();
        }
        story
    }
}

fn told(action: &Action) -> String {
    match action {
        Action::Session(id) => format!("session {id}"),
        Action::Send(line) => {
            let line: Value = serde_json::from_slice(line).unwrap();
            format!("send {}", line["method"].as_str().unwrap_or("?"))
        }
        Action::Started(call) => {
            format!("started {} ({:?}): {}", call.name, call.class, call.summary)
        }
        Action::Ended {
            outcome, result, ..
        } => {
            let line: String = result
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(80)
                .collect();
            format!("ended {outcome:?}: {line}")
        }
        Action::Permit { call, .. } => {
            format!("permit {} ({:?}): {}", call.name, call.class, call.summary)
        }
        Action::Note(note) => format!("note: {note}"),
        Action::Plan(items) => format!("plan of {}", items.len()),
        Action::Used(usage) => format!("used so far: {:?}", usage.cost),
        Action::Unsupported { what, .. } => format!("unsupported: {what}"),
        Action::UnknownSession(why) => format!("unknown session: {why}"),
        Action::GaveUp(error) => format!("gave up {:?}: {}", error.kind, error.message),
        Action::Finished(turn) => match &**turn {
            Ok(turn) => {
                let usage = turn.usage.as_ref().unwrap();
                let tokens: Vec<_> = usage
                    .parts
                    .iter()
                    .map(|part| {
                        let tokens = &part.tokens;
                        let (read, written) = (tokens.cache_read, tokens.cache_write);
                        format!(
                            "{} {}+{read}+{written} in, {} out",
                            part.model, tokens.input, tokens.output
                        )
                    })
                    .collect();
                format!(
                    "finished {} by '{}': {:?}; {}; {:?} {:?}",
                    turn.stop.word(),
                    turn.model,
                    turn.text,
                    tokens.join(", "),
                    usage.counted,
                    usage.cost
                )
            }
            Err(error) => format!(
                "failed {:?} ({:?}, retry after {:?}): {}",
                error.kind, error.answered, error.retry_after_ms, error.message
            ),
        },
        other => format!("{other:?}"),
    }
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "only the environment says whether to bless"
)]
fn every_recording_is_told_in_the_same_events() {
    let mut names: Vec<String> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| Some(name.strip_suffix(".jsonl")?.to_owned()))
        .collect();
    names.sort();
    assert_eq!(names.len(), 31, "recordings: {names:?}");
    let mut all = String::new();
    for name in names {
        for (n, (session, lines)) in turns(&recording(&name)).into_iter().enumerate() {
            let replay = Replay::of(task(session.as_deref()), &lines);
            let killed = name.contains("kill");
            assert!(
                replay.is_over() || killed,
                "{name} {n} has no end: {}",
                replay.story()
            );
            writeln!(all, "{name}, turn {}", n + 1).unwrap();
            all.push_str(&replay.story());
        }
    }
    let file = fixtures().join(EVENTS);
    if std::env::var_os("LONGHAUL_BLESS").is_some() {
        std::fs::write(&file, &all).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    for (line, (told, known)) in all.lines().zip(known.lines()).enumerate() {
        assert_eq!(told, known, "line {} of {EVENTS}", line + 1);
    }
    assert_eq!(all.lines().count(), known.lines().count(), "{EVENTS}");
}

#[test]
fn an_earlier_daemons_process_is_known_by_what_it_said() {
    let (_, lines) = turn(&recording("opencode-load"), 1);
    let opened = lines.iter().position(|line| line["id"] == SESSION).unwrap();
    let survey_of = |lines: &[Value]| {
        let mut seen = Survey::default();
        let said = lines.iter().filter(|line| !line.is_null());
        said.for_each(|line| survey(&mut seen, line.to_string().as_bytes()));
        seen
    };
    let before = survey_of(&lines[..=opened]);
    assert!(!before.begun, "what it told again is of another process");
    assert!(survey_of(&lines).begun);
    let (_, lines) = turn(&recording("opencode-main"), 1);
    let seen = survey_of(&lines);
    assert!(seen.begun);
    assert_eq!(seen.settled.len(), 3, "{:?}", seen.settled);
}
