//! The corpus: hundreds of commands, and what each preset decides about them.

mod always;

use std::path::Path;

use domain::{NanoUsd, Preset, Verdict};
use proptest::prelude::*;

use crate::{Around, At, Call, Layer, Policy, Source, Temp, Tool, Trust};

/// What a line of the corpus says of its command.
struct Line {
    class: &'static str,
    balanced: Verdict,
    command: String,
}

fn corpus() -> Vec<Line> {
    let text = include_str!("../tests/data/commands.tsv");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut fields = line.splitn(3, '\t');
            let mut next = || fields.next().expect("three fields");
            Line {
                class: next(),
                balanced: match next() {
                    "allow" => Verdict::Allow,
                    "deny" => Verdict::Deny,
                    _ => Verdict::Review,
                },
                command: next().replace("\\n", "\n"),
            }
        })
        .collect()
}

fn here() -> At<'static> {
    At {
        around: Around {
            workspace: Some(Path::new("/home/me/longhaul/workspaces/r/work/p")),
            temp: None,
        },
        spent: NanoUsd::ZERO,
    }
}

#[test]
fn every_preset_decides_as_the_corpus_says() {
    let mut wrong = Vec::new();
    for line in corpus() {
        for preset in [Preset::Careful, Preset::Balanced, Preset::HandsOff] {
            let expected = match (line.balanced, preset) {
                (Verdict::Deny, _) => Verdict::Deny,
                (_, Preset::Careful) => Verdict::Review,
                (_, Preset::HandsOff) => Verdict::Allow,
                (verdict, Preset::Balanced) => verdict,
            };
            let decided = Policy::of(preset).decide(Call::Shell(&line.command), here());
            if decided.verdict != expected {
                wrong.push(format!(
                    "{preset}: {} -> {} ({}), not {expected}",
                    line.command, decided.verdict, decided.why
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn nothing_dangerous_is_allowed_and_little_that_is_benign_is_asked_about() {
    let lines = corpus();
    assert!(lines.len() >= 300, "{}", lines.len());
    for preset in [Preset::Careful, Preset::Balanced] {
        let policy = Policy::of(preset);
        for line in lines.iter().filter(|line| line.class != "benign") {
            let decided = policy.decide(Call::Shell(&line.command), here());
            assert_ne!(
                decided.verdict,
                Verdict::Allow,
                "{preset}: {}",
                line.command
            );
        }
    }
    let policy = Policy::of(Preset::Balanced);
    let benign: Vec<_> = lines.iter().filter(|line| line.class == "benign").collect();
    let asked =
        |line: &&&Line| policy.decide(Call::Shell(&line.command), here()).verdict != Verdict::Allow;
    let asked = benign.iter().filter(asked).count();
    let rate = asked * 100 / benign.len();
    assert!(
        rate <= 15,
        "{asked} of {} benign commands are asked about",
        benign.len()
    );
}

#[test]
fn a_reason_names_the_rule_and_the_part() {
    let decided =
        Policy::of(Preset::Balanced).decide(Call::Shell("ls && git push origin main"), here());
    assert_eq!(decided.verdict, Verdict::Review);
    assert!(
        decided.why.contains("git push origin main") || decided.why.contains("push origin main"),
        "{}",
        decided.why
    );
    assert_eq!(decided.parts.len(), 2);
    assert_eq!(decided.parts[0].verdict, Verdict::Allow);
}

#[test]
fn later_layers_decide_over_earlier_and_deny_over_all() {
    let rules = |source, outcome: &str, command: &str, trust| {
        let text = format!(
            "[[rule]]\nname = \"mine\"\noutcome = \"{outcome}\"\ncommands = [\"{command}\"]\n"
        );
        Layer::parse(source, &text, trust).expect("good rules")
    };
    let decide = |policy: &Policy, command| policy.decide(Call::Shell(command), here()).verdict;
    let base = Policy::of(Preset::Balanced);
    let allowed = base.clone().with(rules(
        Source::User,
        "allow",
        "git fetch origin",
        Trust::Trusted,
    ));
    assert_eq!(decide(&base, "git fetch origin"), Verdict::Review);
    assert_eq!(decide(&allowed, "git fetch origin"), Verdict::Allow);
    assert_eq!(
        decide(&allowed, "git fetch evil"),
        Verdict::Review,
        "only what it names"
    );
    assert_eq!(
        decide(&allowed, "git fetch origin && git push"),
        Verdict::Review
    );
    let tightened = allowed.clone().with(rules(
        Source::Project,
        "review",
        "cargo test",
        Trust::OnlyTightens,
    ));
    assert_eq!(decide(&tightened, "cargo test"), Verdict::Review);
    let untrusted = base.clone().with(rules(
        Source::Project,
        "allow",
        "git push*",
        Trust::OnlyTightens,
    ));
    assert_eq!(
        decide(&untrusted, "git push"),
        Verdict::Review,
        "an untrusted project cannot loosen"
    );
    let denied = Policy::of(Preset::HandsOff).with(rules(
        Source::User,
        "deny",
        "npm publish",
        Trust::Trusted,
    ));
    let again = denied.with(rules(Source::Task, "allow", "npm publish", Trust::Trusted));
    assert_eq!(decide(&again, "npm publish"), Verdict::Deny);
}

#[test]
fn changes_are_told_apart_by_their_paths_and_sizes() {
    let change = |preset, path, lines| {
        let tool = Tool::Write;
        Policy::of(preset)
            .decide(Call::Change { tool, path, lines }, here())
            .verdict
    };
    assert_eq!(change(Preset::Balanced, "src/main.rs", 10), Verdict::Allow);
    assert_eq!(
        change(Preset::Balanced, "src/main.rs", 5000),
        Verdict::Review
    );
    assert_eq!(change(Preset::HandsOff, ".env", 1), Verdict::Allow);
    assert_eq!(change(Preset::Careful, "src/main.rs", 1), Verdict::Review);
    for path in [
        ".env",
        ".github/workflows/ci.yml",
        "./app/.env.local",
        "certs/server.PEM",
        "db/migrate/1.rb",
        "../x",
        "/etc/x",
        ".longhaul/policy.toml",
    ] {
        assert_eq!(change(Preset::Balanced, path, 1), Verdict::Review, "{path}");
    }
}

#[test]
fn a_folder_of_its_own_is_no_place_outside() {
    let temp = Temp {
        folders: vec!["/tmp".into(), "/var/tmp".into()],
        shared: vec!["/tmp/ours/home".into()],
    };
    let decide = |command: &str, temp| {
        let mut at = here();
        at.around.temp = temp;
        Policy::of(Preset::Balanced)
            .decide(Call::Shell(command), at)
            .verdict
    };
    for own in [
        "echo x > /tmp/x",
        "cd /tmp && touch a && rm a",
        "mkdir -p /tmp/a/b && cp src/x /tmp/a/b/x",
        "rm -rf /tmp/build",
        "touch $TMPDIR/x",
    ] {
        assert_eq!(decide(own, Some(&temp)), Verdict::Allow, "{own}");
        assert_eq!(decide(own, None), Verdict::Review, "{own}");
    }
    for not in [
        "echo x > /tmp/../etc/x",
        "rm -rf /tmp/ours",
        "touch /tmp/ours/home/x",
        "rm -rf /tmp",
        "cd /tmp && touch ../x",
        "cd /tmp && touch ../home/me/x",
        "touch /tmp/$X",
        "/tmp/built",
        "sh /tmp/x.sh",
    ] {
        assert_eq!(decide(not, Some(&temp)), Verdict::Review, "{not}");
    }
}

#[test]
fn what_a_tool_says_of_itself_counts_only_as_far_as_it_goes() {
    let other = |preset, read_only| {
        let call = Call::Other {
            name: "mcp__x__y",
            read_only: Some(read_only),
        };
        Policy::of(preset).decide(call, here()).verdict
    };
    assert_eq!(other(Preset::Balanced, true), Verdict::Allow);
    assert_eq!(other(Preset::Balanced, false), Verdict::Review);
    assert_eq!(other(Preset::Careful, true), Verdict::Review);
    assert_eq!(
        Policy::of(Preset::Careful)
            .decide(Call::Look, here())
            .verdict,
        Verdict::Allow
    );
}

#[test]
fn bad_rules_are_refused_in_words() {
    for text in [
        "[[rule]]\nname = \"x\"\n",
        "[[rule]]\nname=\"x\"\noutcome=\"maybe\"\n",
        "nonsense",
        "[[rule]]\nname=\"x\"\noutcome=\"allow\"\npaths=[\"[\"]\n",
        "[[rule]]\nname=\"x\"\noutcome=\"allow\"\nefects=[\"read\"]\n",
    ] {
        assert!(
            Layer::parse(Source::User, text, Trust::Trusted).is_err(),
            "{text}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is put around a command that is denied, it stays denied.
    #[test]
    fn wrapping_never_makes_a_command_more_harmless(wraps in prop::collection::vec(0_usize..12, 0..4)) {
        let mut command = "rm -rf /".to_owned();
        for wrap in wraps {
            let quoted = command.replace('\'', "'\\''");
            command = match wrap {
                0 => format!("ls && {command}"),
                1 => format!("{command}; ls"),
                2 => format!("sh -c '{quoted}'"),
                3 => format!("( {command} )"),
                4 => format!("if true; then {command}\nfi"),
                5 => format!("echo $( {command} )"),
                6 => format!("bash <<'END'\n{command}\nEND\n"),
                7 => format!("f() {{ {command}\n}}; f"),
                8 => format!("eval '{quoted}'"),
                9 => format!("for i in 1 2; do {command}\ndone"),
                10 => format!("cat x | xargs -0 sh -c '{quoted}'"),
                _ => format!("X=1 && {{ {command}\n}}"),
            };
        }
        let decided = Policy::of(Preset::HandsOff).decide(Call::Shell(&command), here());
        // Some nestings cannot be read any more; then it is asked about, never allowed.
        let balanced = Policy::of(Preset::Balanced).decide(Call::Shell(&command), here());
        prop_assert_ne!(balanced.verdict, Verdict::Allow, "{}", command);
        prop_assert!(decided.verdict == Verdict::Deny || balanced.why.contains("cannot be read"), "{}: {}", command, decided.why);
    }

    /// No text makes the reader panic.
    #[test]
    fn any_text_is_decided_about(command in "[ -~\\n]{0,60}") {
        let _ = Policy::of(Preset::Balanced).decide(Call::Shell(&command), here());
    }
}
