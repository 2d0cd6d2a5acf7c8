//! Which operations run, which a person decides, which are refused: the first,
//! fixed form of the policy. The layered rules come later.

use std::path::{Component, Path};

use agents::tools::{Tool, read_only_command};
use domain::{Decision, OpClass, Preset, Task, Verdict};

/// Files whose change reaches beyond the task: secrets, CI, and our own rules.
const SENSITIVE: &[&str] = &[
    ".env",
    ".github/",
    ".gitlab-ci",
    ".circleci/",
    ".longhaul/",
    ".ssh/",
    ".npmrc",
    ".pypirc",
];

/// What the preset says of a tool call. `verify` is the task's verify command,
/// which the user has allowed by naming it.
pub(crate) fn decide(preset: Preset, tool: &Tool, verify: Option<&str>) -> Decision {
    match tool {
        Tool::Shell { command, .. } => command_decision(preset, command, verify),
        Tool::Write { path, .. } | Tool::Edit { path, .. } => change_decision(preset, path),
        _ => allow("it changes nothing"),
    }
}

/// The verdict on a shell command.
pub(crate) fn command_decision(preset: Preset, command: &str, verify: Option<&str>) -> Decision {
    if preset == Preset::HandsOff {
        return allow("hands-off: no tool approvals");
    }
    if preset == Preset::Careful {
        return review("careful: every command is reviewed");
    }
    if verify.is_some_and(|verify| verify.trim() == command.trim()) {
        return allow("it is the task's verify command");
    }
    match read_only_command(command) {
        Some(rule) => allow(rule),
        None => review("balanced: commands outside the read-only list are reviewed"),
    }
}

/// The verdict on writing a file.
pub(crate) fn change_decision(preset: Preset, path: &str) -> Decision {
    match preset {
        Preset::HandsOff => allow("hands-off: no tool approvals"),
        Preset::Careful => review("careful: every change is reviewed"),
        Preset::Balanced if is_sensitive(path) => {
            review("balanced: secrets and CI files are sensitive")
        }
        Preset::Balanced => allow("balanced: changes inside the workspace"),
    }
}

/// Whether a path (as the agent wrote it) names something sensitive.
pub(crate) fn is_sensitive(path: &str) -> bool {
    let path = path.trim_start_matches("./").to_ascii_lowercase();
    SENSITIVE
        .iter()
        .any(|part| path.starts_with(part) || path.contains(&format!("/{part}")))
        || [".pem", ".key", ".p12"]
            .iter()
            .any(|end| path.ends_with(end))
}

/// A call that cannot be understood is never run; the model is told why.
pub(crate) fn malformed() -> Decision {
    Decision {
        verdict: Verdict::Deny,
        rule: "the call is malformed".to_owned(),
    }
}

/// Asking the model is what a run is for; its budget is its policy.
pub(crate) fn model_call() -> Decision {
    allow("model calls are bounded by the budget")
}

/// A command the user wrote into the task.
pub(crate) fn users_own_command() -> Decision {
    allow("it is the task's verify command")
}

pub(crate) fn project_setup() -> Decision {
    allow("it is the project's setup command")
}

/// What an agent does without asking, by its own rules.
pub(crate) fn agents_own_rules() -> Decision {
    allow("the agent's own rules: it did not ask")
}

/// Whether an agent's path leads out of the folder it is to work in. Words only: what
/// a link in the folder leads to is not looked at here.
fn leads_out(path: &str, workspace: Option<&str>) -> bool {
    let path = Path::new(path);
    let climbs = path.components().any(|part| part == Component::ParentDir);
    climbs || (path.is_absolute() && !workspace.is_some_and(|folder| path.starts_with(folder)))
}

/// What the preset says of a call an agent asks permission for. `workspace` is the
/// folder it is to work in.
pub(crate) fn decide_agent_call(
    task: &Task,
    call: &agents::ObservedCall,
    workspace: Option<&str>,
) -> Decision {
    let (preset, verify) = (task.policy, task.verify.as_deref());
    let input: serde_json::Value = serde_json::from_str(&call.input).unwrap_or_default();
    let text = |key: &str| input.get(key).and_then(serde_json::Value::as_str);
    match (
        call.class,
        text("command"),
        text("file_path").or_else(|| text("path")),
    ) {
        (OpClass::Pure, _, _) => allow("it changes nothing"),
        (_, Some(command), _) => command_decision(preset, command, verify),
        (_, None, Some(path)) if preset == Preset::Balanced && leads_out(path, workspace) => {
            review("balanced: changes outside the workspace are reviewed")
        }
        (_, None, Some(path)) => change_decision(preset, path),
        _ if preset == Preset::HandsOff => allow("hands-off: no tool approvals"),
        _ => review("a tool whose effect is not known is reviewed"),
    }
}

fn allow(rule: &str) -> Decision {
    Decision {
        verdict: Verdict::Allow,
        rule: rule.to_owned(),
    }
}

fn review(rule: &str) -> Decision {
    Decision {
        verdict: Verdict::Review,
        rule: rule.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_lets_reading_and_the_verify_command_through_and_nothing_else() {
        let verdict =
            |command| command_decision(Preset::Balanced, command, Some("make test")).verdict;
        assert_eq!(verdict("ls -la"), Verdict::Allow);
        assert_eq!(verdict("make test"), Verdict::Allow);
        assert_eq!(verdict("make test && rm -rf x"), Verdict::Review);
        assert_eq!(verdict("curl http://example.invalid"), Verdict::Review);
    }

    #[test]
    fn careful_asks_about_everything_that_acts_and_hands_off_about_nothing() {
        assert_eq!(
            command_decision(Preset::Careful, "ls", None).verdict,
            Verdict::Review
        );
        assert_eq!(
            change_decision(Preset::Careful, "a.txt").verdict,
            Verdict::Review
        );
        assert_eq!(
            command_decision(Preset::HandsOff, "rm -rf build", None).verdict,
            Verdict::Allow
        );
    }

    #[test]
    fn an_agents_change_outside_its_folder_is_seen() {
        for (path, out) in [
            ("notes.txt", false),
            ("/w/run/notes.txt", false),
            ("/w/run/../other", true),
            ("../other", true),
            ("/w/runs/other", true),
            ("/etc/passwd", true),
        ] {
            assert_eq!(leads_out(path, Some("/w/run")), out, "{path}");
        }
    }

    #[test]
    fn sensitive_files_are_seen_wherever_they_lie() {
        for path in [
            ".env",
            "app/.env.local",
            "./.github/workflows/ci.yml",
            "certs/server.PEM",
        ] {
            assert!(is_sensitive(path), "{path}");
        }
        assert!(!is_sensitive("src/environment.rs"));
    }
}
