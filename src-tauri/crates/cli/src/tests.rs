use std::path::Path;

use clap::{CommandFactory, Parser};
use domain::{NanoUsd, RunId, RunState, Timestamp};
use protocol::{ApiError, CostBy, CostReport, CostRow};
use unicode_width::UnicodeWidthStr;

use crate::args::Cli;
use crate::commands::{check, csv};
use crate::failure::{document, usage_of, words};
use crate::follow::{exit_code, settled};
use crate::print::{Look, Printer, safe};
use crate::service::{ServiceFacts, plist, task, unit};
use crate::table::{Align, Table, cell, shorten};
use crate::{ids, parse, times};

const PLAIN: Printer = Printer {
    json: false,
    colour: false,
    width: 40,
};

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn help_promises_only_what_there_is() {
    let help = Cli::command().render_long_help().to_string();
    assert!(!help.contains("keeper"));
    assert!(help.contains("rehearse"));
}

#[test]
fn a_states_exit_code_is_the_designs() {
    let of = |state, cause, open| exit_code(state, cause, open);
    assert_eq!(of(RunState::Completed, None, 0), 0);
    assert_eq!(of(RunState::Failed, Some("backend"), 0), 1);
    assert_eq!(of(RunState::Failed, Some("budget_ended"), 0), 5);
    assert_eq!(of(RunState::Waiting, Some("review"), 1), 3);
    for state in [RunState::Cancelled, RunState::Paused, RunState::Interrupted] {
        assert_eq!(of(state, None, 0), 8);
    }
}

#[test]
fn a_wait_that_ends_by_itself_is_not_rest() {
    assert!(!settled(RunState::Waiting, 0));
    assert!(settled(RunState::Waiting, 1));
    assert!(settled(RunState::Paused, 0));
    assert!(!settled(RunState::Running, 1));
}

#[test]
fn errors_are_two_lines_or_one_document() {
    let error = ApiError::not_found("no run begins with 'x'", "see `longhaul runs`");
    assert_eq!(
        words(&error),
        "error: no run begins with 'x'\nhint: see `longhaul runs`"
    );
    let value: serde_json::Value = serde_json::from_str(&document(&error)).expect("it is JSON");
    assert_eq!(value["error"]["code"], "not_found");
}

#[test]
fn a_wrong_command_line_is_one_line() {
    let error = Cli::try_parse_from(["longhaul", "run", "--bogus", "x"]).expect_err("no such flag");
    let error = usage_of(&error.render().to_string());
    assert!(error.message.contains("--bogus"), "{}", error.message);
    assert!(!error.message.contains('\n'));
}

#[test]
fn budgets_must_be_more_than_nothing() {
    for wrong in [
        "--max-cost=0",
        "--max-cost=-1",
        "--max-tokens=0",
        "--max-tool-calls=-3",
        "--max-duration=0s",
    ] {
        assert!(
            Cli::try_parse_from(["longhaul", "run", wrong, "x"]).is_err(),
            "{wrong}"
        );
    }
    assert!(Cli::try_parse_from(["longhaul", "run", "--max-cost", "-1", "x"]).is_err());
    assert_eq!(parse::dollars("0.5"), Ok(NanoUsd(500_000_000)));
}

#[test]
fn durations_are_read_as_people_write_them() {
    assert_eq!(parse::seconds("90"), Ok(90));
    assert_eq!(parse::seconds("1h30m"), Ok(5_400));
    assert_eq!(parse::seconds("2d"), Ok(172_800));
    for wrong in ["", "h", "1x", "1h30", "-5m", "99999999999999999999s"] {
        assert!(parse::seconds(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn one_run_or_all_but_not_both() {
    assert!(Cli::try_parse_from(["longhaul", "resume"]).is_err());
    assert!(Cli::try_parse_from(["longhaul", "resume", "--all"]).is_ok());
    assert!(Cli::try_parse_from(["longhaul", "resume", "0199", "--all"]).is_err());
}

#[test]
fn json_may_stand_anywhere() {
    assert!(
        Cli::try_parse_from(["longhaul", "--json", "runs"])
            .expect("it is fine")
            .json
    );
    assert!(
        Cli::try_parse_from(["longhaul", "daemon", "status", "--json"])
            .expect("it is fine")
            .json
    );
}

#[test]
fn prompts_are_text_and_not_endless() {
    assert!(check(vec![b'x'; protocol::MAX_PROMPT_BYTES], "prompt").is_ok());
    assert!(check(vec![b'x'; protocol::MAX_PROMPT_BYTES + 1], "prompt").is_err());
    assert!(check(vec![b'a', 0xff], "prompt").is_err());
    assert!(check(b" \n".to_vec(), "prompt").is_err());
}

#[test]
fn columns_line_up_in_any_script() {
    let mut table = Table::new(&[
        ("NAME", Align::Left),
        ("N", Align::Right),
        ("TITLE", Align::Left),
    ]);
    table.row(vec![cell("plain"), cell("7"), cell("one")]);
    table.row(vec![cell("漢字"), cell("12"), cell("two\nlines")]);
    let shown = table.show(&PLAIN);
    let column = |line: &str, word: &str| line.find(word).map(|at| line[..at].width());
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(column(lines[0], "TITLE"), column(lines[1], "one"));
    assert_eq!(column(lines[0], "TITLE"), column(lines[2], "two lines"));
}

#[test]
fn the_last_column_fits_the_terminal() {
    let mut table = Table::new(&[("ID", Align::Left), ("TITLE", Align::Left)]);
    table.row(vec![cell("a"), cell("very ".repeat(40))]);
    assert!(
        table
            .show(&PLAIN)
            .lines()
            .all(|line| line.width() <= PLAIN.width)
    );
    assert_eq!(shorten("漢字漢字", 5), "漢字…");
}

#[test]
fn nothing_a_model_says_moves_the_cursor() {
    assert_eq!(safe("rm -rf /\r\x1b[2Kls"), "rm -rf /\u{fffd}\u{fffd}[2Kls");
    assert_eq!(safe("a\u{202e}b"), "a\u{fffd}b");
    assert_eq!(PLAIN.look("x", Look::Bad), "x");
}

#[test]
fn short_ids_tell_apart_what_is_shown() {
    let id = |text: &str| text.parse::<RunId>().expect("an id");
    let a = id("01990000-0001-7000-8000-000000000001");
    let b = id("01990000-0002-7000-8000-000000000001");
    let twin = id("01990000-0001-7000-8000-000000000002");
    assert_eq!(ids::short(&a, [a, b]), "01990000-0001");
    let long = ids::short(&a, [a, b, twin]);
    assert!(a.to_string().starts_with(&long) && !twin.to_string().starts_with(&long));
}

#[test]
fn times_are_said_shortly() {
    assert_eq!(times::duration(61), "1m 1s");
    assert_eq!(times::duration(5_400), "1h 30m");
    assert_eq!(times::relative(Timestamp(0), Timestamp(120_000)), "2m ago");
    assert_eq!(times::relative(Timestamp(7_200_000), Timestamp(0)), "in 2h");
}

#[test]
fn csv_quotes_what_needs_it() {
    let row = CostRow {
        key: "/a,\"b\"".into(),
        cost_usd: NanoUsd(10_500_000),
        ..Default::default()
    };
    let report = CostReport {
        by: CostBy::Project,
        since: None,
        rows: vec![row],
        total: CostRow::default(),
    };
    let text = csv(&report);
    assert_eq!(
        text.lines().nth(1),
        Some("\"/a,\"\"b\"\"\",0,0,0,0,0,0.0105,0,0,0,0")
    );
}

fn facts() -> ServiceFacts {
    ServiceFacts {
        program: "/opt/long haul/longhaul".into(),
        home: "/home/u/100%".into(),
        path: "/usr/bin:/home/u/\"x\" & y".into(),
    }
}

#[test]
fn the_unit_is_as_it_was() {
    let text = unit(&facts());
    assert!(text.contains("\nExecStart=\"/opt/long haul/longhaul\" daemon run\n"));
    assert!(text.contains("\nEnvironment=\"LONGHAUL_HOME=/home/u/100%%\"\n"));
    assert!(text.contains("\nEnvironment=\"PATH=/usr/bin:/home/u/\\\"x\\\" & y\"\n"));
    assert!(
        text.contains("\nKillMode=process\n"),
        "keepers must outlive the daemon"
    );
}

#[test]
fn systemd_accepts_the_unit() {
    if !Path::new("/usr/bin/systemd-analyze").exists() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("longhaul.service");
    let facts = ServiceFacts {
        program: "/bin/true".into(),
        ..facts()
    };
    std::fs::write(&file, unit(&facts)).expect("the folder is fresh");
    let output = std::process::Command::new("systemd-analyze")
        .args(["--user", "verify"])
        .arg(&file)
        // It looks for a session's runtime folder even where there is no session.
        .env("XDG_RUNTIME_DIR", folder.path())
        .output()
        .expect("it is there");
    // It exits with 0 for values it does not know; only silence is approval.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !said.contains("longhaul.service"),
        "{said}"
    );
}

#[test]
fn the_other_systems_files_escape_what_they_are_given() {
    let plist = plist(&facts());
    assert!(plist.contains("<string>/usr/bin:/home/u/&quot;x&quot; &amp; y</string>"));
    assert!(plist.contains("<key>AbandonProcessGroup</key><true/>"));
    assert!(task(&facts()).contains("LONGHAUL_HOME=/home/u/100%&quot; &amp;&amp; &quot;/opt"));
}

#[test]
fn hunks_are_named_by_their_file_and_number() {
    let named = |text: &str| crate::parse::hunks(text).map(|named| (named.path, named.hunks));
    let hunks = |all: &[(u32, &str)]| all.iter().map(|(n, d)| (*n, (*d).to_owned())).collect();
    assert_eq!(
        named("a:b.rs:2"),
        Ok(("a:b.rs".to_owned(), hunks(&[(2, "")])))
    );
    assert_eq!(
        named("a b:1,3@3FA2"),
        Ok(("a b".to_owned(), hunks(&[(1, ""), (3, "3fa2")])))
    );
    for wrong in ["a.rs", "a.rs:", ":1", "a.rs:0", "a.rs:x", "a.rs:1,"] {
        assert!(named(wrong).is_err(), "{wrong}");
    }
}
