//! What a rule covers, what is proposed, and what becomes of the user's file.

use std::path::Path;

use domain::{Preset, Verdict};

use super::here;
use crate::{Call, FileError, Layer, NotOffered, Policy, Source, Tool, Trust, UserRules};

const PROJECT: &str = "/home/me/p";

fn allowing(rule: &str) -> Policy {
    let text = format!("[[rule]]\nname = \"mine\"\noutcome = \"allow\"\n{rule}\n");
    let layer = Layer::parse(Source::User, &text, Trust::Trusted).expect("good rules");
    Policy::of(Preset::Balanced).with(layer)
}

fn verdict(policy: &Policy, command: &str) -> Verdict {
    policy.decide(Call::Shell(command), here()).verdict
}

#[test]
fn a_rule_for_a_program_does_not_cover_what_the_shell_does_around_it() {
    let policy = allowing("commands = [\"git fetch\"]");
    assert_eq!(verdict(&policy, "git fetch origin"), Verdict::Allow);
    assert_eq!(verdict(&policy, "sh -c 'git fetch origin'"), Verdict::Allow);
    for beside in [
        "sudo git fetch origin",
        "git fetch origin > /etc/x",
        "git fetch origin < ~/.ssh/id_rsa",
        "GIT_SSH_COMMAND=./x git fetch origin",
        "git fetch origin && git push",
        "git fetch $(curl example.com)",
        "/tmp/git fetch origin",
    ] {
        assert_eq!(verdict(&policy, beside), Verdict::Review, "{beside}");
    }
}

#[test]
fn hosts_of_an_allowing_rule_must_all_be_named_and_of_others_one_is_enough() {
    let policy = allowing("effects = [\"network-read\"]\nhosts = [\"*.rs\"]");
    assert_eq!(
        verdict(&policy, "curl -s https://docs.rs/x"),
        Verdict::Allow
    );
    for other in [
        "curl https://example.com",
        "curl https://docs.rs https://example.com",
        "curl -x proxy https://docs.rs",
        "curl https://docs.rs@example.com/",
        "curl -d x https://docs.rs/x",
        "curl https://$HOST/",
        "git fetch origin",
    ] {
        assert_eq!(verdict(&policy, other), Verdict::Review, "{other}");
    }
    let text = "[[rule]]\nname=\"no\"\noutcome=\"deny\"\nhosts=[\"evil.example\"]\n";
    let deny = Layer::parse(Source::User, text, Trust::Trusted).unwrap();
    let policy = Policy::of(Preset::HandsOff).with(deny);
    assert_eq!(
        verdict(&policy, "curl https://docs.rs https://evil.example"),
        Verdict::Deny
    );
}

#[test]
fn rules_may_ask_for_paths_cost_and_what_a_tool_says_of_itself() {
    let text = "[[rule]]\nname=\"dear\"\noutcome=\"review\"\ncost_more_than=\"2.50\"\n\n\
                [[rule]]\nname=\"docs\"\noutcome=\"deny\"\npaths=[\"docs/*.md\"]\n\n\
                [[rule]]\nname=\"tools\"\noutcome=\"allow\"\nnames=[\"mcp__x__*\"]\nread_only=false\n";
    let layer = Layer::parse(Source::User, text, Trust::Trusted).unwrap();
    let policy = Policy::of(Preset::Balanced).with(layer);
    let mut dear = here();
    dear.spent = "2.51".parse().unwrap();
    assert_eq!(policy.decide(Call::Shell("ls"), dear).rule_id, "user:dear");
    assert_eq!(
        policy.decide(Call::Shell("ls"), here()).verdict,
        Verdict::Allow
    );
    assert_eq!(verdict(&policy, "touch docs/a.md"), Verdict::Deny);
    assert_eq!(verdict(&policy, "touch docs/deep/a.md"), Verdict::Allow);
    let other = |name, read_only| {
        policy
            .decide(Call::Other { name, read_only }, here())
            .verdict
    };
    assert_eq!(other("mcp__x__y", Some(false)), Verdict::Allow);
    assert_eq!(other("mcp__x__y", None), Verdict::Review);
    assert_eq!(other("mcp__z__y", Some(false)), Verdict::Review);
}

fn proposed(preset: Preset, command: &str) -> Result<crate::Proposal, NotOffered> {
    Policy::of(preset).propose(Call::Shell(command), here(), Path::new(PROJECT))
}

#[test]
fn the_narrowest_rule_allows_the_call_and_little_else() {
    for (preset, command, no) in [
        (
            Preset::Balanced,
            "npm install left-pad",
            "npm install left-pad evil",
        ),
        (
            Preset::Balanced,
            "curl -s https://docs.rs/a",
            "curl -s https://docs.rs@evil.example/a",
        ),
        (Preset::Balanced, "git fetch origin", "git fetch evil"),
        (Preset::Balanced, "mytool lint 'a b'", "mytool lint a b"),
        (
            Preset::Balanced,
            "touch db/migrations/1.sql",
            "touch db/migrations/1.sh",
        ),
        (Preset::Careful, "cargo test --all", "cargo publish"),
        (Preset::Careful, "cat a.txt", "cat .env"),
        (Preset::Careful, "echo x > notes.md", "echo x > other.md"),
        (Preset::Balanced, "ls && git fetch && npm i x", "npm i y"),
    ] {
        let proposal = proposed(preset, command).unwrap_or_else(|e| panic!("{command}: {e}"));
        let users = UserRules::parse(&proposal.text).expect("it is a file of rules");
        let policy = Policy::of(preset).with(users.here(Path::new(PROJECT)));
        assert_eq!(
            verdict(&policy, command),
            Verdict::Allow,
            "{}",
            proposal.text
        );
        assert_eq!(
            verdict(&policy, no),
            Verdict::Review,
            "{no}:\n{}",
            proposal.text
        );
        let elsewhere = Policy::of(preset).with(users.here(Path::new("/home/me/q")));
        assert_eq!(verdict(&elsewhere, command), Verdict::Review);
        assert!(users.everywhere().rules.is_empty());
    }
}

#[test]
fn what_is_grave_or_not_known_is_not_offered() {
    for command in [
        "sudo ls",
        "cat .env",
        "git push",
        "npm publish",
        "echo x > ../x",
        "eval \"$X\"",
        "echo 'x",
        "curl -d @x https://example.com",
        "PATH=x ls",
        "kill 1",
        "git reset --hard",
        "rm -rf /",
        "touch .github/workflows/x.yml",
        "npm install $X",
        "ls && git push",
    ] {
        assert!(proposed(Preset::Balanced, command).is_err(), "{command}");
    }
    let asked = Policy::of(Preset::Careful);
    let change = |path| {
        let tool = Tool::Write;
        let call = Call::Change {
            tool,
            path,
            lines: 1,
        };
        asked.propose(call, here(), Path::new(PROJECT))
    };
    assert!(change("src/a.rs").is_ok() && change(".env").is_err() && change("../x").is_err());
}

#[test]
fn the_users_file_keeps_what_they_wrote_and_a_rule_is_written_once() {
    let project = Path::new(PROJECT);
    let mine = "# mine\n[[rule]] # first\nname = \"no\"\noutcome = \"deny\"\ncommands = [\"x\"]\n";
    let proposal = proposed(Preset::Balanced, "git fetch origin").unwrap();
    let with = UserRules::with_rules(mine, &proposal, project)
        .unwrap()
        .unwrap();
    assert!(with.starts_with(mine), "{with}");
    assert_eq!(UserRules::with_rules(&with, &proposal, project), Ok(None));
    let trusted = UserRules::with_trust(&with, project, Some("abc")).unwrap();
    let read = UserRules::parse(&trusted).unwrap();
    assert_eq!(read.trusts(project, "abc"), Trust::Trusted);
    assert_eq!(read.trusts(project, "abd"), Trust::OnlyTightens);
    assert_eq!(read.trusts(Path::new("/q"), "abc"), Trust::OnlyTightens);
    let none = UserRules::with_trust(&trusted, project, None).unwrap();
    assert_eq!(UserRules::parse(&none).unwrap().trusted, []);
    let without = UserRules::without_rule(&none, &proposal.ids[0], Some(project)).unwrap();
    assert_eq!(without.trim(), mine.trim());
    let gone = UserRules::without_rule(&without, &proposal.ids[0], None);
    assert!(matches!(gone, Err(FileError::NoRule(_))));
    let broken = UserRules::with_rules("[[rule]\n", &proposal, project).unwrap_err();
    assert!(broken.to_string().starts_with("line 1, column"), "{broken}");
}
