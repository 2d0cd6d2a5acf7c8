//! The task the campaign gives: every kind of operation, with effects that are counted
//! outside the database.

use serde_json::{Value, json};
use testkit::EffectLedger;
use testkit::model_server::{Fault, Script, Turn, Usage};

/// What `NOTES.md` holds in the end.
pub(crate) const NOTES: &str = "add was wrong: it subtracted.\n";

/// How much a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Length {
    /// Every kind of operation, most of them once.
    Short,
    /// And more than 200 events, so that the journal's fold is snapshotted.
    Long,
}

impl Length {
    pub(crate) const fn script(self) -> &'static str {
        match self {
            Self::Short => "campaign",
            Self::Long => "campaign-long",
        }
    }
}

/// The names of a task's effects, given the task's own name.
pub(crate) fn effects_of(task: &str) -> [String; 3] {
    ["mail", "pay", "big"].map(|effect| format!("{task}-{effect}"))
}

/// The effect a command line was to have.
pub(crate) fn effect_in(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("effect=")?;
    rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .next()
}

fn command(effects: &EffectLedger, effect: &str, then: &str) -> Value {
    let key = format!("{{{{task}}}}-{effect}");
    let shell = effects.shell(&key);
    json!({"command": format!(": effect={key}; {shell}; {then}")})
}

/// The script; its prompts name the task: `[[script:campaign task=NAME]]`.
pub(crate) fn script(effects: &EffectLedger, length: Length) -> Script {
    let edit = json!({
        "path": "calc.sh",
        "old_text": "add() {\n    echo $(($1 - $2))",
        "new_text": "add() {\n    echo $(($1 + $2))",
    });
    let plan = json!({"items": [
        {"text": "look", "state": "done"}, {"text": "mend", "state": "active"}, {"text": "tell", "state": "pending"},
    ]});
    let mut script = Script::new()
        .turn(
            Turn::text("I look first.")
                .think("What is wrong with add?")
                .tool("plan", plan)
                .tool("read", json!({"path": "calc.sh"}))
                .tool("list", json!({}))
                .usage(Usage::of(1_100, 120)),
        )
        .turn(
            Turn::text("It subtracts.")
                .tool("edit", edit)
                .tool("write", json!({"path": "NOTES.md", "content": NOTES}))
                .tool("search", json!({"pattern": "echo"}))
                .usage(Usage {
                    cache_read: 900,
                    cache_write_5m: 300,
                    ..Usage::of(40, 200)
                })
                .fault(Fault::ServerError, 1),
        )
        .turn(
            Turn::text("Two people must know.")
                .tool("shell", json!({"command": "git status --short"}))
                .tool("shell", command(effects, "mail", "sleep 0.3"))
                .tool("shell", command(effects, "pay", "sleep 0.1; echo paid"))
                .usage(Usage::of(1_900, 90)),
        )
        .turn(
            Turn::new()
                .tool(
                    "ask_user",
                    json!({"question": "Left or right?", "choices": ["left", "right"]}),
                )
                .usage(Usage::of(2_100, 30)),
        );
    if length == Length::Long {
        for part in 0..3 {
            script = script.turn((0..20).fold(Turn::text("I read on."), |turn, line| {
                turn.tool(
                    "read",
                    json!({"path": "calc.sh", "offset": 1 + line % 8, "limit": 1 + part}),
                )
            }));
        }
    }
    script
        .turn(
            Turn::new()
                .tool(
                    "shell",
                    command(effects, "big", "head -c 150000 /dev/urandom | base64"),
                )
                .usage(Usage::of(2_400, 70)),
        )
        .turn(Turn::text("Done: add adds.").usage(Usage::of(3_000, 25)))
        .after(Turn::text("Done, still.").usage(Usage::of(3_100, 15)))
}

#[test]
fn an_effect_is_found_in_its_command() {
    assert_eq!(
        effect_in("shell: : effect=r1-mail; printf x"),
        Some("r1-mail")
    );
    assert_eq!(effect_in("git status"), None);
}
