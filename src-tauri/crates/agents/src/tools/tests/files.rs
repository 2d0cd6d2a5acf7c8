//! Changing files.

use std::path::{Path, PathBuf};

use workspace::{Mode, Workspace, Workspaces};

use super::*;

/// A workspace on a folder with these files, in place.
pub(super) struct Place {
    pub(super) workspace: Workspace,
    pub(super) dir: PathBuf,
    _keep: tempfile::TempDir,
}

pub(super) async fn place(files: &[(&str, &str)]) -> Place {
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

pub(super) fn put(dir: &Path, path: &str, contents: &[u8]) {
    let path = dir.join(path);
    std::fs::create_dir_all(path.parent().expect("below")).expect("folders");
    std::fs::write(path, contents).expect("a file");
}

impl Place {
    pub(super) async fn run(&self, name: &str, input: serde_json::Value) -> ToolResult {
        let tool = Tool::parse(name, &input.to_string()).expect("a good call");
        if tool.class() == OpClass::Pure {
            return run_pure(&tool, &self.workspace).await;
        }
        match plan_edit(&tool, &self.workspace).await {
            Ok(planned) => perform(planned, &self.workspace).await,
            Err(result) => result,
        }
    }

    pub(super) async fn good(&self, name: &str, input: serde_json::Value) -> String {
        let result = self.run(name, input).await;
        assert_eq!(result.outcome, OpOutcome::Ok, "{}", result.text);
        result.text
    }

    pub(super) async fn bad(&self, name: &str, input: serde_json::Value) -> String {
        let result = self.run(name, input).await;
        assert_eq!(result.outcome, OpOutcome::Error, "{}", result.text);
        result.text
    }

    pub(super) fn contents(&self, path: &str) -> String {
        std::fs::read_to_string(self.dir.join(path)).expect("a file")
    }
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
        boundaries: Some("only in the workspace"),
        instructions: Some("be kind"),
    };
    let prompt = system_prompt(&facts);
    assert!(
        [
            "make test",
            "be kind",
            "flag_uncertain",
            "only in the workspace"
        ]
        .iter()
        .all(|part| prompt.contains(part))
    );
}
