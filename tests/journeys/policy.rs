//! The rules: whose count, what is said of them, and "always allow this here".

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use client::{Client, ClientError};
use protocol::{ErrorCode, LayerState, PolicyRequest, PolicyTrustRequest};
use serde_json::{Value, json};
use testkit::model_server::{Script, Turn};

use crate::support::{SOON, World, one_command, shell, text};

/// A command that is asked about under balanced, and works without a network.
const KNOWN: &str = "git ls-remote .";

fn rule_lines(text: &str) -> usize {
    text.matches("[[rule]]").count()
}

#[tokio::test]
async fn a_rule_says_why_and_which_it_is() -> Result<()> {
    let world = World::new().await?;
    let project = world.project.path().display().to_string();
    let test = async |command: &str, more: &[&str]| {
        let mut args = vec!["policy", "test", command, "--project", &project];
        args.extend(more);
        world.json(&args).await
    };
    let push = test("ls && sudo git push origin main", &[]).await?;
    assert_eq!(push["verdict"], "review");
    assert_eq!(push["rule_id"], "balanced:beyond");
    let parts = push["parts"].as_array().context("parts")?;
    let programs: Vec<&Value> = parts.iter().map(|part| &part["program"]).collect();
    assert_eq!(programs, ["ls", "sudo", "git push origin main"]);
    let why = text(&push, "why")?;
    ensure!(
        why.starts_with("It takes more rights") && why.contains("preset balanced"),
        "{why}"
    );
    let cut = test("echo 'unfinished", &["--preset", "hands-off"]).await?;
    assert_eq!(cut["verdict"], "allow", "{cut}");
    let cut = test("echo 'unfinished", &["--preset", "balanced"]).await?;
    assert_eq!(cut["verdict"], "review", "{cut}");
    assert_eq!(
        test("rm -rf /", &["--preset", "hands-off"]).await?["verdict"],
        "deny"
    );

    // A review carries the same sentence, and the rule's id.
    world
        .server
        .script("push", one_command("git push origin main"));
    let run = world.start("push", &[]).await?;
    let review = world.review(&run, "tool_call").await?;
    assert_eq!(review["rule_id"], "balanced:beyond");
    assert_eq!(review["always"], false, "a push is looked at each time");
    let why = text(&review, "why")?;
    ensure!(
        why.starts_with("It pushes to another repository (git push origin main); rule"),
        "{why}"
    );
    Ok(())
}

#[tokio::test]
async fn a_projects_own_rules_only_tighten_until_they_are_trusted_as_they_are() -> Result<()> {
    let world = World::new().await?;
    let project = world.project.path().display().to_string();
    let rules = |outcome: &str| {
        format!(
            "[[rule]]\nname = \"fetching\"\noutcome = \"{outcome}\"\ncommands = [\"git fetch\"]\n\n\
             [[rule]]\nname = \"listing\"\noutcome = \"deny\"\ncommands = [[\"ls\", \"secret\"]]\n"
        )
    };
    let verdict = async |command: &str| -> Result<String> {
        let args = ["policy", "test", command, "--project", &project];
        text(&world.json(&args).await?, "verdict")
    };
    let state = async |words: &[&str]| -> Result<String> {
        let mut args = words.to_vec();
        args.extend(["--project", &project]);
        let shown = world.json(&args).await?;
        let layers = shown["layers"].as_array().context("layers")?.clone();
        let own = layers.iter().find(|layer| layer["source"] == "project");
        text(own.context("the project's layer")?, "state")
    };
    assert_eq!(state(&["policy", "show"]).await?, "absent");
    world
        .project
        .write(".longhaul/policy.toml", &rules("allow"))?;
    assert_eq!(state(&["policy", "show"]).await?, "only_tightens");
    assert_eq!(verdict("git fetch").await?, "review");
    assert_eq!(verdict("ls secret").await?, "deny", "it refuses more");
    assert_eq!(state(&["policy", "trust"]).await?, "read");
    assert_eq!(verdict("git fetch").await?, "allow");
    // What is changed is not what was trusted.
    world.project.write(
        ".longhaul/policy.toml",
        &format!("{}# more\n", rules("allow")),
    )?;
    assert_eq!(state(&["policy", "show"]).await?, "only_tightens");
    assert_eq!(verdict("git fetch").await?, "review");
    assert_eq!(state(&["policy", "trust"]).await?, "read");
    assert_eq!(state(&["policy", "distrust"]).await?, "only_tightens");
    let shown = world
        .cli(&["policy", "show", "--project", &project])
        .await?
        .ok()?;
    ensure!(
        shown.stdout.contains("1 that would allow do not count"),
        "{}",
        shown.stdout
    );
    Ok(())
}

/// In the window one trusts the text one was shown, and no other.
#[tokio::test]
async fn what_was_read_is_trusted_and_not_what_took_its_place() -> Result<()> {
    let world = World::new().await?;
    let home = &world.daemon.home;
    let runtime = home.place("run");
    let window = Client::connect(client::paths::socket_of(&home.path(), Some(&runtime), 0));
    let project = world.project.path().display().to_string();
    let read = "[[rule]]\nname = \"fetching\"\noutcome = \"allow\"\ncommands = [\"git fetch\"]\n";
    world.project.write(".longhaul/policy.toml", read)?;
    let request = PolicyRequest {
        project: Some(project.clone()),
        policy: None,
    };
    let shown = window.policy(request).await?;
    let own = shown.layers.iter().find(|layer| layer.source == "project");
    let written = own.and_then(|layer| layer.written.clone());
    let written = written.context("the project's text")?;
    assert_eq!(written.text, read);
    let loosens: Vec<&str> = written.loosens.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(loosens, ["fetching"]);

    let trust = PolicyTrustRequest {
        project,
        trusted: true,
        digest: Some(written.digest),
    };
    let worse = read.replace("git fetch", "git push");
    world.project.write(".longhaul/policy.toml", &worse)?;
    match window.policy_trust(trust.clone()).await {
        Err(ClientError::Refused(error)) => assert_eq!(error.code, ErrorCode::Conflict),
        other => bail!("{other:?}"),
    }
    world.project.write(".longhaul/policy.toml", read)?;
    let trusted = window.policy_trust(trust).await?;
    let own = trusted
        .layers
        .iter()
        .find(|layer| layer.source == "project");
    assert_eq!(own.map(|layer| layer.state), Some(LayerState::Read));
    Ok(())
}

#[tokio::test]
async fn rules_that_cannot_be_read_ask_about_everything_and_say_where() -> Result<()> {
    let world = World::new().await?;
    let project = world.project.path().display().to_string();
    let file = world.daemon.home.path().join("policy.toml");
    let mine = "# mine\n[[rule]]\nname = \"x\"\noutcome = \"deny\"\ncommands = [\"npm publish\"\n";
    fs::write(&file, mine)?;
    world.server.script("look", one_command("ls"));
    let run = world.start("look", &["--policy", "hands-off"]).await?;
    let review = world.review(&run, "tool_call").await?;
    let why = text(&review, "why")?;
    ensure!(why.contains("line 5, column"), "{why}");
    let status = world.cli(&["daemon", "status"]).await?.ok()?;
    ensure!(
        status.stdout.contains("policy.toml: line 5, column"),
        "{}",
        status.stdout
    );
    let doctor = world.cli(&["doctor"]).await?;
    ensure!(doctor.stdout.contains("policy.toml: line 5"), "{doctor:?}");
    // Nothing is written into a file that cannot be read.
    world.project.write(".longhaul/policy.toml", "")?;
    let trusted = world
        .cli(&["policy", "trust", "--project", &project])
        .await?;
    ensure!(trusted.code == 1 || trusted.code == 2, "{trusted:?}");
    assert_eq!(fs::read_to_string(&file)?, mine);
    // Mended, it is in force at once.
    fs::write(&file, format!("{}]\n", mine.trim_end()))?;
    let deny = ["policy", "test", "npm publish", "--project", &project];
    assert_eq!(world.json(&deny).await?["rule_id"], "user:x");
    ensure!(world.json(&["daemon", "status"]).await?["rules_trouble"].is_null());
    Ok(())
}

#[tokio::test]
async fn always_allow_here_writes_the_narrowest_rule_and_is_taken_back() -> Result<()> {
    let world = World::new().await?;
    let file = world.daemon.home.path().join("policy.toml");
    let mine =
        "# mine stays\n[[rule]]\nname = \"no\"\noutcome = \"deny\"\ncommands = [\"npm publish\"]\n";
    fs::write(&file, mine)?;
    for _ in 0..2 {
        world.server.script("look", one_command(KNOWN));
    }
    // One that was asked before, and one of another project's.
    let before = world.start("look", &[]).await?;
    let old = text(&world.review(&before, "tool_call").await?, "id")?;
    world.cli(&["approve", &old]).await?.ok()?;
    world.completed(&before).await?;
    let run = world.start("look", &[]).await?;
    let review = world.review(&run, "tool_call").await?;
    assert_eq!(review["always"], true, "{review:#}");
    let id = text(&review, "id")?;

    let preview = world
        .json(&["approve", &id, "--always", "--dry-run"])
        .await?;
    let rule = text(&preview, "rule")?;
    ensure!(
        rule.contains(r#"whole_commands = [["git", "ls-remote", "."]]"#),
        "{rule}"
    );
    ensure!(rule.contains(r#"effects = ["network-read"]"#), "{rule}");
    assert_eq!(
        (&preview["looked_at"], &preview["spared"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(preview["samples"][0]["review"], old.as_str());
    assert_eq!(preview["samples"][0]["answer"], "approve");
    assert_eq!(fs::read_to_string(&file)?, mine, "looking writes nothing");

    let told = world.cli(&["approve", &id, "--always"]).await?.ok()?;
    ensure!(
        told.stdout.contains("it would have spared 1"),
        "{}",
        told.stdout
    );
    world.completed(&run).await?;
    let written = fs::read_to_string(&file)?;
    ensure!(
        written.starts_with(mine) && rule_lines(&written) == 2,
        "{written}"
    );
    let log = world.cli(&["logs", &run]).await?.ok()?;
    ensure!(
        log.stdout.contains("Always allowed here from now on"),
        "{}",
        log.stdout
    );

    // Not asked again here; everything beside it still is.
    let again = world.start("look", &[]).await?;
    world.completed(&again).await?;
    let project = world.project.path().display().to_string();
    let test = async |command: &str, project: &str| {
        let args = ["policy", "test", command, "--project", project];
        world.json(&args).await
    };
    let allowed = test(KNOWN, &project).await?;
    assert_eq!(allowed["verdict"], "allow");
    let rule_id = text(&allowed, "rule_id")?;
    let short = rule_id.strip_prefix("here:").context("its layer")?;
    let elsewhere = world.daemon.home.root().display().to_string();
    for (command, project) in [
        (KNOWN, &elsewhere),
        ("git ls-remote . main", &project),
        ("sudo git ls-remote .", &project),
        ("git ls-remote . > /etc/x", &project),
        ("GIT_SSH=x git ls-remote .", &project),
        ("git ls-remote . && git push", &project),
    ] {
        let other = test(command, project).await?;
        assert_eq!(other["verdict"], "review", "{command} in {project}");
    }
    world.cli(&["policy", "remove", short]).await?.ok()?;
    assert_eq!(test(KNOWN, &project).await?["verdict"], "review");
    ensure!(fs::read_to_string(&file)?.starts_with(mine));
    let gone = world.cli(&["policy", "remove", short]).await?;
    assert_eq!(gone.code, 6, "{gone:?}");
    Ok(())
}

#[tokio::test]
async fn a_rule_and_its_approval_survive_a_death_at_each_boundary() -> Result<()> {
    for point in [
        "engine.rule_half_written",
        "engine.rule_written",
        "engine.before_decision",
        "engine.decided",
    ] {
        let mut world = World::new().await?;
        world.server.script("look", one_command(KNOWN));
        world.daemon.terminate().await?;
        world.daemon.env_once("LONGHAUL_CRASH_AT", point);
        world.daemon.launch().await?;
        let run = world.start("look", &[]).await?;
        let id = text(&world.review(&run, "tool_call").await?, "id")?;
        // It dies before it can answer.
        let _ = world.cli(&["approve", &id, "--always"]).await;
        world.daemon.wait_exit(SOON).await?;
        world.daemon.launch().await?;
        if point != "engine.decided" {
            let open = world.review(&run, "tool_call").await?;
            assert_eq!(open["id"], id.as_str(), "{point}: still asked");
            // The rule may be there already; it is not written twice.
            world.cli(&["approve", &id, "--always"]).await?.ok()?;
        }
        world.completed(&run).await.context(point)?;
        let folder = world.daemon.home.path();
        let rules = fs::read_to_string(folder.join("policy.toml"))?;
        assert_eq!(rule_lines(&rules), 1, "{point}: {rules}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_grave_is_never_offered() -> Result<()> {
    let world = World::new().await?;
    for (name, command) in [
        ("push", "git push origin main"),
        ("sudo", "sudo ls"),
        ("secret", "cat .env"),
        ("publish", "npm publish"),
        ("outside", "echo x > ../x"),
        ("unread", "eval \"$(cat x)\""),
    ] {
        let script = Script::new().turn(shell(command)).turn(Turn::text("Done."));
        world.server.script(name, script);
        let run = world.start(name, &[]).await?;
        let review = world.review(&run, "tool_call").await?;
        assert_eq!(review["always"], false, "{command}");
        let id = text(&review, "id")?;
        let always = world.cli(&["approve", &id, "--always"]).await?;
        ensure!(
            always.code == 2 && always.stderr.contains("looked at each time"),
            "{command}: {always:?}"
        );
        let open = world.review(&run, "tool_call").await?;
        assert_eq!(open["id"], id.as_str(), "nothing was decided");
    }
    ensure!(!world.daemon.home.path().join("policy.toml").exists());
    Ok(())
}

#[tokio::test]
async fn a_rule_that_never_decides_is_named() -> Result<()> {
    let world = World::new().await?;
    let project = world.project.path().display().to_string();
    let file = world.daemon.home.path().join("policy.toml");
    fs::write(
        &file,
        "[[rule]]\nname = \"listing\"\noutcome = \"allow\"\ncommands = [\"git ls-remote\"]\n\n\
         [[rule]]\nname = \"publishing\"\noutcome = \"deny\"\ncommands = [\"npm publish\"]\n\n\
         [[rule]]\nname = \"elsewhere\"\noutcome = \"deny\"\ncommands = [\"make\"]\nprojects = [\"/elsewhere\"]\n",
    )?;
    let calls = async |id: &str| -> Result<Value> {
        let shown = world
            .json(&["policy", "show", "--project", &project])
            .await?;
        let layers = shown["layers"].as_array().context("layers")?.clone();
        let rules = layers.iter().filter_map(|layer| layer["rules"].as_array());
        let rule = rules.flatten().find(|rule| rule["id"] == id).cloned();
        Ok(rule.context("the rule")?["calls"].clone())
    };
    let stats = async || world.json(&["reviews", "--stats"]).await;
    // Where nothing was decided yet, no rule is blamed for it.
    assert_eq!(calls("publishing").await?, Value::Null);
    assert_eq!(stats().await?["idle_rules"], json!([]));

    world.server.script("list", one_command(KNOWN));
    let run = world.start("list", &[]).await?;
    world.completed(&run).await?;
    assert_eq!(calls("listing").await?, json!(1));
    assert_eq!(calls("publishing").await?, json!(0));
    let idle = stats().await?;
    let idle = idle["idle_rules"].as_array().context("idle rules")?;
    let own: Vec<&Value> = idle
        .iter()
        .filter(|rule| rule["file"] == json!(file.display().to_string()))
        .map(|rule| &rule["rule_id"])
        .collect();
    assert_eq!(own, ["user:publishing"], "not those of other projects");
    ensure!(idle.iter().all(|rule| rule["rule_id"] != "user:listing"));
    let said = world.cli(&["reviews", "--stats"]).await?.ok()?.stdout;
    ensure!(
        said.contains("rules that decided nothing since") && said.contains("user:publishing"),
        "{said}"
    );
    let args = ["policy", "show", "--project", &project];
    let shown = world.cli(&args).await?.ok()?.stdout;
    ensure!(shown.contains("deny     never  publishing"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn broken_rules_of_a_project_are_named_in_health_until_they_are_mended() -> Result<()> {
    let world = World::new().await?;
    world.server.script("list", one_command("ls"));
    let run = world.start("list", &[]).await?;
    world.completed(&run).await?;
    let doctor = async || -> Result<Vec<Value>> {
        let report = world.cli(&["doctor", "--json"]).await?;
        let report: Value = serde_json::from_str(&report.stdout)?;
        let findings = report["findings"].as_array().context("findings")?.clone();
        let rules = findings.into_iter().filter(|f| f["area"] == "rules");
        Ok(rules.collect())
    };
    assert_eq!(doctor().await?, Vec::<Value>::new());
    world
        .project
        .write(".longhaul/policy.toml", "[[rule]]\nname = 3\n")?;
    let found = doctor().await?;
    ensure!(
        found.len() == 1 && text(&found[0], "what")?.contains("line 2, column 8"),
        "{found:?}"
    );
    world.project.write(".longhaul/policy.toml", "")?;
    assert_eq!(doctor().await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn a_home_among_temporary_files_is_no_temporary_file() -> Result<()> {
    let world = World::new().await?;
    let project = world.project.path().display().to_string();
    let home = world.daemon.home.place("user").display().to_string();
    ensure!(
        home.starts_with("/tmp/"),
        "this test is about such a home: {home}"
    );
    let verdict = async |command: &str| -> Result<String> {
        let args = ["policy", "test", command, "--project", &project];
        text(&world.json(&args).await?, "verdict")
    };
    assert_eq!(verdict(&format!("touch {home}/.cache/x")).await?, "review");
    assert_eq!(verdict(&format!("rm -rf {home}")).await?, "review");
    let status = world.json(&["daemon", "status"]).await?;
    if status["sandbox"]["used"] == true {
        assert_eq!(verdict("touch /tmp/elsewhere").await?, "allow");
    }
    Ok(())
}
