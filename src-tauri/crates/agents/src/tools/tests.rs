//! The tools: how calls are read, and what they do in real folders.

mod files;
mod looking;
mod shell;

use domain::{OpClass, OpOutcome, PlanItem, PlanState};
use serde_json::json;

use super::text::RESULT_LIMIT;
use super::*;

#[test]
fn calls_are_read_and_every_mistake_is_named() {
    let good = |name, input: &str| {
        Tool::parse(name, input).unwrap_or_else(|e| panic!("{name} {input}: {e}"))
    };
    assert_eq!(
        good("read", r#"{"path":"a","offset":3.0}"#),
        Tool::Read {
            path: "a".into(),
            offset: 3,
            limit: 2000
        }
    );
    assert_eq!(
        good("list", ""),
        Tool::List {
            path: ".".into(),
            depth: 2
        }
    );
    assert_eq!(
        good("search", r#"{"pattern":"x","glob":null}"#),
        Tool::Search {
            pattern: "x".into(),
            path: ".".into(),
            glob: None
        }
    );
    assert_eq!(
        good("shell", r#"{"command":"ls"}"#),
        Tool::Shell {
            command: "ls".into(),
            timeout_s: 120
        }
    );
    let items = vec![PlanItem {
        text: "a".into(),
        state: PlanState::Active,
    }];
    assert_eq!(
        good("plan", r#"{"items":[{"text":"a","state":"active"}]}"#),
        Tool::Plan { items }
    );
    let all = r#"{"path":"a","old_text":"x","new_text":"","replace_all":true}"#;
    assert!(matches!(
        good("edit", all),
        Tool::Edit {
            places: Places::All,
            ..
        }
    ));
    for (name, input, says) in [
        ("fly", "{}", "there is no tool \"fly\""),
        (
            "read",
            "[1]",
            "the input of read is not a JSON object: it is [1]",
        ),
        (
            "read",
            "{\"path\":",
            "the input of read is not a JSON object: EOF",
        ),
        (
            "read",
            "{}",
            "read: the field \"path\" is missing; it must be a path relative to the workspace",
        ),
        (
            "read",
            r#"{"path":""}"#,
            "the field \"path\" must be a path",
        ),
        (
            "read",
            r#"{"path":"a\u0000b"}"#,
            "the field \"path\" must be a path",
        ),
        (
            "read",
            r#"{"path":"a","offset":0}"#,
            "\"offset\" must be a whole number from 1, not 0",
        ),
        (
            "read",
            r#"{"path":"a","limit":"5"}"#,
            "\"limit\" must be a whole number from 1, not \"5\"",
        ),
        (
            "read",
            r#"{"path":"a","lines":5}"#,
            "read has no field \"lines\"",
        ),
        (
            "write",
            r#"{"path":"a"}"#,
            "\"content\" is missing; it must be a string",
        ),
        (
            "edit",
            r#"{"path":"a","old_text":"x","new_text":"y","replace_all":"yes"}"#,
            "must be true or false, not \"yes\"",
        ),
        (
            "shell",
            r#"{"command":" "}"#,
            "\"command\" must be a string that is not empty",
        ),
        (
            "shell",
            r#"{"command":"ls","timeout_s":3601}"#,
            "\"timeout_s\" must be a whole number from 1 to 3600, not 3601",
        ),
        (
            "shell",
            r#"{"command":["ls"]}"#,
            "must be a string that is not empty, not [\"ls\"]",
        ),
        (
            "plan",
            r#"{"items":[{"text":"a","state":"maybe"}]}"#,
            "\"items\" must be a list of {\"text\"",
        ),
        (
            "ask_user",
            r#"{"question":"q","choices":[1]}"#,
            "\"choices\" must be a list of strings",
        ),
        ("flag_uncertain", r#"{"what":"w"}"#, "\"why\" is missing"),
    ] {
        let error = Tool::parse(name, input).expect_err(input).to_string();
        assert!(error.contains(says), "{name} {input}: {error}");
    }
}

#[test]
fn specs_describe_exactly_the_tools_there_are() {
    let minimal = [
        ("read", json!({"path": "a"})),
        ("list", json!({})),
        ("search", json!({"pattern": "a"})),
        ("write", json!({"path": "a", "content": ""})),
        (
            "edit",
            json!({"path": "a", "old_text": "a", "new_text": "b"}),
        ),
        ("shell", json!({"command": "ls"})),
        ("plan", json!({"items": []})),
        ("ask_user", json!({"question": "q"})),
        ("flag_uncertain", json!({"what": "w", "why": ""})),
    ];
    let specs = specs();
    assert_eq!(
        specs.iter().map(|spec| spec.name).collect::<Vec<_>>(),
        minimal.each_ref().map(|(name, _)| *name)
    );
    for (spec, (name, input)) in specs.iter().zip(&minimal) {
        let tool = Tool::parse(name, &input.to_string()).expect("the required fields are enough");
        assert_eq!((tool.name(), tool.class()), (spec.name, spec.class));
        let required: Vec<&str> = spec.input_schema["required"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|f| f.as_str())
            .collect();
        assert_eq!(
            required,
            input
                .as_object()
                .expect("an object")
                .keys()
                .map(String::as_str)
                .collect::<Vec<_>>(),
            "{name}"
        );
    }
}

#[test]
fn people_see_what_a_call_really_does() {
    let command = format!("echo safe\u{202e}\n\u{1b}[2K rm -rf {}", "x".repeat(300));
    let tool = Tool::Shell {
        command,
        timeout_s: 5,
    };
    assert!(
        tool.summary()
            .starts_with("$ echo safe\\u{202e}␊␛[2K rm -rf"),
        "{}",
        tool.summary()
    );
    assert_eq!(tool.summary().chars().count(), 120);
    assert!(
        tool.detail().ends_with("x\n\n(stopped after 5 s)"),
        "the detail is whole"
    );
    assert!(!tool.detail().contains(['\u{202e}', '\u{1b}']));
    let edit = Tool::Edit {
        path: "a".into(),
        old_text: "one\ntwo\n".into(),
        new_text: "one\n2\n".into(),
        places: Places::Only,
    };
    assert!(edit.detail().contains("-two\n+2\n"), "{}", edit.detail());
    assert!(
        edit.changes_files()
            && tool.changes_files()
            && !Tool::Plan { items: vec![] }.changes_files()
    );
}
