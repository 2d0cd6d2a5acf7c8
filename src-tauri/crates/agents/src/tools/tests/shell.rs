//! What is told of commands.

use keeper::{Ending, Exit, StopCause, StreamEnd};

use super::*;

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
