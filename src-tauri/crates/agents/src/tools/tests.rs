//! The tools in real folders.

use std::path::{Path, PathBuf};

use domain::{OpClass, OpOutcome, PlanItem, PlanState};
use keeper::{Ending, Exit, StopCause, StreamEnd};
use workspace::{Mode, Workspace, Workspaces};

use super::text::RESULT_LIMIT;
use super::*;

/// A workspace on a folder with these files, in place.
struct Place {
    workspace: Workspace,
    dir: PathBuf,
    _keep: tempfile::TempDir,
}

async fn place(files: &[(&str, &str)]) -> Place {
    let keep = tempfile::tempdir().expect("a folder");
    let dir = keep.path().join("project");
    std::fs::create_dir(&dir).expect("a folder");
    for (path, contents) in files {
        put(&dir, path, contents.as_bytes());
    }
    let workspaces = Workspaces::new(keep.path().join("home"));
    let workspace = workspaces
        .prepare("run-1", &dir, Mode::InPlace)
        .await
        .expect("a workspace");
    Place {
        workspace,
        dir,
        _keep: keep,
    }
}

fn put(dir: &Path, path: &str, contents: &[u8]) {
    let path = dir.join(path);
    std::fs::create_dir_all(path.parent().expect("below")).expect("folders");
    std::fs::write(path, contents).expect("a file");
}

impl Place {
    async fn run(&self, name: &str, input: serde_json::Value) -> ToolResult {
        let tool = Tool::parse(name, &input.to_string()).expect("a good call");
        if tool.class() == OpClass::Pure {
            return run_pure(&tool, &self.workspace).await;
        }
        match plan_edit(&tool, &self.workspace).await {
            Ok(planned) => perform(planned, &self.workspace).await,
            Err(result) => result,
        }
    }

    async fn good(&self, name: &str, input: serde_json::Value) -> String {
        let result = self.run(name, input).await;
        assert_eq!(result.outcome, OpOutcome::Ok, "{}", result.text);
        result.text
    }

    async fn bad(&self, name: &str, input: serde_json::Value) -> String {
        let result = self.run(name, input).await;
        assert_eq!(result.outcome, OpOutcome::Error, "{}", result.text);
        result.text
    }

    fn contents(&self, path: &str) -> String {
        std::fs::read_to_string(self.dir.join(path)).expect("a file")
    }
}

use serde_json::json;

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

#[tokio::test]
async fn reading_shows_numbered_lines_and_says_what_is_missing() {
    let long: String = (1..=5000).map(|n| format!("line {n}\n")).collect();
    let place = place(&[
        ("a.txt", "one\ntwo\nthree"),
        ("long.txt", &long),
        ("empty", ""),
        ("crlf", "x\r\ny\r\n"),
    ])
    .await;
    put(&place.dir, "bin", b"ab\0cd");
    put(&place.dir, "latin", b"caf\xe9\n");
    put(&place.dir, "wide", "ä".repeat(100_000).as_bytes());
    assert_eq!(
        place.good("read", json!({"path": "a.txt"})).await,
        "     1\tone\n     2\ttwo\n     3\tthree\n"
    );
    let part = place
        .good("read", json!({"path": "a.txt", "offset": 2, "limit": 1}))
        .await;
    assert_eq!(
        part,
        "     2\ttwo\n[lines 2 to 2 of 3; go on with offset 3]\n"
    );
    let page = place.good("read", json!({"path": "long.txt"})).await;
    assert!(page.chars().count() < RESULT_LIMIT + 200, "{}", page.len());
    assert!(
        page.contains("of 5000; go on with offset "),
        "{}",
        &page[page.len() - 80..]
    );
    assert!(
        place
            .good("read", json!({"path": "long.txt", "offset": 5000}))
            .await
            .ends_with("line 5000\n")
    );
    assert!(
        place
            .bad("read", json!({"path": "a.txt", "offset": 4}))
            .await
            .contains("has 3 lines; there is no line 4")
    );
    assert!(
        place
            .good("read", json!({"path": "wide"}))
            .await
            .chars()
            .count()
            < 2_100
    );
    assert_eq!(
        place.good("read", json!({"path": "empty"})).await,
        "empty is empty."
    );
    assert!(
        place
            .good("read", json!({"path": "bin"}))
            .await
            .contains("binary file of 5 bytes")
    );
    assert!(
        place
            .good("read", json!({"path": "latin"}))
            .await
            .contains("caf\u{FFFD}\n[not valid UTF-8")
    );
    assert!(
        place
            .good("read", json!({"path": "crlf"}))
            .await
            .contains("[lines end with CR LF]")
    );
    assert!(
        place
            .bad("read", json!({"path": "nothing"}))
            .await
            .contains("does not exist")
    );
    assert!(
        place
            .bad("read", json!({"path": "/etc/passwd"}))
            .await
            .contains("outside the workspace")
    );
    assert!(
        place
            .bad("read", json!({"path": "../home"}))
            .await
            .contains("outside the workspace")
    );
}

#[tokio::test]
async fn listing_leaves_out_what_is_ignored_and_follows_no_links() {
    let files = [
        (".gitignore", "target/\n*.log\n"),
        ("src/main.rs", ""),
        ("src/deep/er/x.rs", ""),
        ("target/out", ""),
        ("a.log", ""),
        ("docs/a.md", ""),
        ("docs/b.log", ""),
    ];
    let place = place(&files).await;
    put(&place.dir, ".git/config", b"");
    std::os::unix::fs::symlink("/etc", place.dir.join("away")).expect("a link");
    let listed = place.good("list", json!({})).await;
    assert_eq!(
        listed,
        ".gitignore\naway (link)\ndocs/\ndocs/a.md\nsrc/\nsrc/deep/\nsrc/main.rs\n"
    );
    assert_eq!(
        place.good("list", json!({"path": "docs"})).await,
        "docs/a.md\n"
    );
    assert!(
        place
            .good("list", json!({"path": "src", "depth": 3}))
            .await
            .contains("src/deep/er/x.rs")
    );
    assert_eq!(
        place.good("list", json!({"path": "target"})).await,
        "target/out\n[this folder is ignored by .gitignore]\n"
    );
    assert!(
        place
            .bad("list", json!({"path": "away"}))
            .await
            .contains("outside the workspace")
    );
    assert!(
        place
            .bad("list", json!({"path": "src/main.rs"}))
            .await
            .contains("not a folder")
    );
    for n in 0..600 {
        put(&place.dir, &format!("many/{n}"), b"");
    }
    assert!(
        place
            .good("list", json!({"path": "many"}))
            .await
            .ends_with("[100 more; list a folder below, or search]\n")
    );
}

#[tokio::test]
async fn searching_finds_lines_in_files_that_matter() {
    let many = "needle in a line\n".repeat(500);
    let files = [
        (".gitignore", "target/\n"),
        ("a.rs", "fn x() {}\n// Needle\n"),
        ("sub/b.rs", "needle(1)\nNEEDLE\n"),
        ("c.txt", "needle\r\n"),
        ("target/d.rs", "needle"),
        ("hay/many.txt", &many),
    ];
    let place = place(&files).await;
    put(&place.dir, "bin.rs", b"needle\0needle");
    let found = place
        .good("search", json!({"pattern": "needle", "glob": "*.rs"}))
        .await;
    assert_eq!(found, "sub/b.rs:1: needle(1)\n");
    let found = place
        .good("search", json!({"pattern": "(?i)^needle", "path": "sub"}))
        .await;
    assert_eq!(found, "sub/b.rs:1: needle(1)\nsub/b.rs:2: NEEDLE\n");
    assert_eq!(
        place
            .good("search", json!({"pattern": "needle", "path": "c.txt"}))
            .await,
        "c.txt:1: needle\n"
    );
    assert_eq!(
        place
            .good("search", json!({"pattern": "needle", "glob": "sub/*.rs"}))
            .await,
        "sub/b.rs:1: needle(1)\n"
    );
    assert_eq!(
        place
            .good("search", json!({"pattern": "needle", "path": "target"}))
            .await,
        "target/d.rs:1: needle\n"
    );
    assert!(
        place
            .good("search", json!({"pattern": "absent"}))
            .await
            .starts_with("No line matches absent")
    );
    let found = place
        .good("search", json!({"pattern": "needle", "path": "hay"}))
        .await;
    assert_eq!(found.lines().count(), 201);
    assert!(found.contains("there are more matches"));
    assert!(
        place
            .bad("search", json!({"pattern": "("}))
            .await
            .contains("the pattern cannot be used")
    );
    assert!(
        place
            .bad("search", json!({"pattern": "x", "glob": "["}))
            .await
            .contains("the glob cannot be used")
    );
    assert!(
        place
            .bad("search", json!({"pattern": "x", "path": "nowhere"}))
            .await
            .contains("does not exist")
    );
}

#[tokio::test]
async fn writing_makes_files_but_not_outside_nor_with_redacted_secrets() {
    let place = place(&[("a.txt", "old")]).await;
    put(&place.dir, ".git/config", b"");
    place
        .good(
            "write",
            json!({"path": "new/deep/b.txt", "content": "hello\n"}),
        )
        .await;
    assert_eq!(place.contents("new/deep/b.txt"), "hello\n");
    place
        .good("write", json!({"path": "a.txt", "content": ""}))
        .await;
    assert_eq!(place.contents("a.txt"), "");
    assert!(
        place
            .bad("write", json!({"path": "../x", "content": "x"}))
            .await
            .contains("outside")
    );
    assert!(
        place
            .bad("write", json!({"path": ".git/config", "content": "x"}))
            .await
            .contains(".git")
    );
    let marked = format!("key = {}", secrets::MARKER);
    let why = place
        .bad("write", json!({"path": "a.txt", "content": marked}))
        .await;
    assert!(
        why.contains("in place of secrets") && place.contents("a.txt").is_empty(),
        "{why}"
    );
}

#[tokio::test]
async fn edits_hit_exactly_what_was_meant() {
    let place = place(&[
        ("a.rs", "fn a() {\n    one();\n    one();\n}\n"),
        ("dos.txt", "x\r\ny\r\nz\r\n"),
    ])
    .await;
    let edit = |old: &str, new: &str| json!({"path": "a.rs", "old_text": old, "new_text": new});
    assert!(
        place
            .bad("edit", edit("one();", "two();"))
            .await
            .contains("2 times (lines 2, 3)")
    );
    assert!(
        place
            .bad("edit", edit("fn a()  {\n  one();", "x"))
            .await
            .contains("Line 1 differs only in whitespace")
    );
    assert!(
        place
            .bad("edit", edit("nowhere", "x"))
            .await
            .contains("old_text is not in a.rs; read the file again")
    );
    assert!(
        place
            .bad("edit", edit("never", "one"))
            .await
            .contains("was it edited already?")
    );
    assert!(
        place
            .bad("edit", edit("", "x"))
            .await
            .contains("old_text is empty")
    );
    assert!(
        place
            .bad("edit", edit("one", "one"))
            .await
            .contains("the same")
    );
    assert!(
        place
            .bad("edit", edit("fn a", secrets::MARKER))
            .await
            .contains("in place of secrets")
    );
    assert_eq!(
        place
            .good("edit", edit("fn a() {\n    one", "fn b() {\n    two"))
            .await,
        "a.rs: replaced at line 1."
    );
    let all = json!({"path": "a.rs", "old_text": "();", "new_text": "(1);", "replace_all": true});
    assert_eq!(place.good("edit", all).await, "a.rs: replaced 2 matches.");
    assert_eq!(
        place.contents("a.rs"),
        "fn b() {\n    two(1);\n    one(1);\n}\n"
    );
    place
        .good(
            "edit",
            json!({"path": "dos.txt", "old_text": "x\ny", "new_text": "a\nb\nc"}),
        )
        .await;
    assert_eq!(place.contents("dos.txt"), "a\r\nb\r\nc\r\nz\r\n");
    put(&place.dir, "latin", b"caf\xe9");
    assert!(
        place
            .bad(
                "edit",
                json!({"path": "latin", "old_text": "a", "new_text": "b"})
            )
            .await
            .contains("not valid UTF-8")
    );
}

#[tokio::test]
async fn a_file_changed_in_between_is_not_overwritten() {
    let place = place(&[("a.txt", "one")]).await;
    let tool = Tool::parse(
        "edit",
        r#"{"path":"a.txt","old_text":"one","new_text":"two"}"#,
    )
    .expect("a call");
    let planned = plan_edit(&tool, &place.workspace).await.expect("a plan");
    put(&place.dir, "a.txt", b"somebody else");
    let result = perform(planned, &place.workspace).await;
    assert_eq!(result.outcome, OpOutcome::Error);
    assert!(
        result.text.contains("changed by somebody else"),
        "{}",
        result.text
    );
    assert_eq!(place.contents("a.txt"), "somebody else");
}

fn exit(ending: Ending, stopped_by: Option<StopCause>) -> Exit {
    let none = StreamEnd {
        written: 0,
        kept: 0,
        tail: 0,
        error: None,
    };
    Exit {
        ending,
        stopped_by,
        started_at_ms: 1_000,
        ended_at_ms: 4_500,
        out: none.clone(),
        err: none,
        leftovers: 0,
        cpu_user_ms: 0,
        cpu_system_ms: 0,
        max_rss_kib: 0,
    }
}

#[test]
fn what_a_command_said_is_told_without_tricks() {
    let output = b"\x1b[31mred\x1b[0m \x1b]0;title\x07ok\r\n10%\r50%\r100%\nbell\x07 \xff\n\x1b]8;;never ended\nseen\n\n".to_vec();
    let result = shell_result(&exit(Ending::Code(0), None), output);
    assert_eq!(
        result.text,
        "exit status 0\nred ok\n100%\nbell␇ \u{FFFD}\n\nseen"
    );
    assert_eq!(
        (result.outcome, result.full, result.summary.as_str()),
        (OpOutcome::Ok, None, "exit status 0")
    );
    for (ending, by, says) in [
        (Ending::Code(2), None, "exit status 2"),
        (Ending::Signal(9), None, "killed by signal 9"),
        (
            Ending::Signal(15),
            Some(StopCause::Timeout),
            "timed out: stopped after 3 s",
        ),
        (
            Ending::Code(0),
            Some(StopCause::Request),
            "stopped from outside after 3 s",
        ),
    ] {
        let result = shell_result(&exit(ending, by), Vec::new());
        assert_eq!(
            (result.outcome, result.text.lines().next()),
            (OpOutcome::Error, Some(says))
        );
    }
}

#[test]
fn long_output_is_kept_whole_but_told_in_part() {
    let output: Vec<u8> = (0..20_000)
        .flat_map(|n| format!("{n}\n").into_bytes())
        .collect();
    let result = shell_result(&exit(Ending::Code(1), None), output.clone());
    assert!(result.text.starts_with("exit status 1\n0\n1\n") && result.text.ends_with("\n19999"));
    assert!(
        result
            .text
            .contains("characters left out; the whole output is in the run's journal")
    );
    assert!(result.text.chars().count() < RESULT_LIMIT + 200);
    assert_eq!(result.full, Some(output));
}

#[test]
fn commands_run_without_prompts_and_keep_the_users_git_settings() {
    let env = [
        ("PATH", "/bin"),
        ("PAGER", "less"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "a.b"),
        ("GIT_CONFIG_VALUE_0", "c"),
    ];
    let spec = shell_spec(ShellCommand {
        id: "k".into(),
        command: "echo 'a b'".into(),
        cwd: "/w".into(),
        env: env
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        timeout_ms: 5_000,
        socket: "/run/k.sock".into(),
    });
    assert_eq!(spec.argv[1..], ["-c", "echo 'a b'"]);
    assert_eq!(spec.timeout_ms, Some(5_000));
    let value = |name: &str| spec.env.get(name).map(String::as_str);
    assert_eq!(
        (value("PATH"), value("PAGER"), value("GIT_CONFIG_COUNT")),
        (Some("/bin"), Some("cat"), Some("2"))
    );
    assert_eq!(
        (value("GIT_CONFIG_KEY_0"), value("GIT_CONFIG_VALUE_1")),
        (Some("a.b"), Some("explicit"))
    );
}

#[test]
fn instructions_come_from_the_project_and_nowhere_else() {
    let keep = tempfile::tempdir().expect("a folder");
    let (dir, outside) = (keep.path().join("p"), keep.path().join("private"));
    std::fs::create_dir(&dir).expect("a folder");
    std::fs::write(&outside, "private").expect("a file");
    assert_eq!(project_instructions(&dir), None);
    std::os::unix::fs::symlink(&outside, dir.join("AGENTS.md")).expect("a link");
    assert_eq!(
        project_instructions(&dir),
        None,
        "a link out of the project is not followed"
    );
    put(&dir, "CLAUDE.md", b"be kind\n");
    assert_eq!(project_instructions(&dir).as_deref(), Some("be kind\n"));
    std::fs::remove_file(dir.join("AGENTS.md")).expect("the link");
    put(&dir, "AGENTS.md", b"be kind");
    assert_eq!(
        project_instructions(&dir).as_deref(),
        Some("be kind"),
        "the same twice is told once"
    );
    put(&dir, "AGENTS.md", "ü".repeat(50_000).as_bytes());
    let both = project_instructions(&dir).expect("both");
    assert!(both.contains("be kind") && both.contains("[cut off here"));
    assert!(both.len() < 66 * 1024);
    let facts = PromptFacts {
        workspace: &dir,
        verify: Some("make test"),
        instructions: Some("be kind"),
    };
    let prompt = system_prompt(&facts);
    assert!(
        ["make test", "be kind", "flag_uncertain"]
            .iter()
            .all(|part| prompt.contains(part))
    );
}
