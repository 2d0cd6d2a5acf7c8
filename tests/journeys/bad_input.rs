//! Wrong and hostile input: a clear error or a sane result, and nothing hangs.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testkit::{
    Output,
    model_server::{Script, Turn},
};

use crate::support::{World, one_command, op};

fn error(out: &Output) -> Result<(i32, String, String)> {
    let error = &out.json()["error"];
    let field = |name: &str| {
        error[name]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("no {name}: {out:?}"))
    };
    ensure!(!field("hint")?.is_empty(), "no hint: {out:?}");
    ensure!(
        !field("message")?.contains('\n'),
        "one line what is wrong: {out:?}"
    );
    Ok((out.code, field("code")?, field("message")?))
}

#[tokio::test]
async fn wrong_commands_say_what_is_wrong_and_what_to_do() -> Result<()> {
    let world = World::new().await?;
    let project = world.project.path().display().to_string();
    let nowhere = world.daemon.home.place("nowhere").display().to_string();
    let file = format!("{project}/calc.sh");
    let run = ["run", "--project", &project];
    let unknown_run = "0000aaaa";
    let cases: Vec<(Vec<&str>, i32, &str)> = vec![
        (
            [&run[..], &["--colour", "red", "x"]].concat(),
            2,
            "--colour",
        ),
        (vec!["fly"], 2, "fly"),
        (
            [&run[..], &["--backend", "nobody", "x"]].concat(),
            6,
            "nobody",
        ),
        (
            [&run[..], &["--fallback", "nobody", "x"]].concat(),
            6,
            "nobody",
        ),
        (
            [&run[..], &["--after", unknown_run, "x"]].concat(),
            6,
            unknown_run,
        ),
        (vec!["run", "--project", &nowhere, "x"], 2, "nowhere"),
        (vec!["run", "--project", &file, "x"], 2, "calc.sh"),
        (
            [&run[..], &["--max-cost", "0", "x"]].concat(),
            2,
            "more than 0",
        ),
        ([&run[..], &["--max-cost", "-1", "x"]].concat(), 2, "-1"),
        ([&run[..], &["--max-cost", "much", "x"]].concat(), 2, "much"),
        (
            [&run[..], &["--max-tokens", "0", "x"]].concat(),
            2,
            "more than 0",
        ),
        (
            [&run[..], &["--max-tool-calls", "-3", "x"]].concat(),
            2,
            "more than 0",
        ),
        (
            [&run[..], &["--max-duration", "soon", "x"]].concat(),
            2,
            "soon",
        ),
        ([&run[..], &["   "]].concat(), 2, "empty"),
        (
            [&run[..], &["--workspace", "cloud", "x"]].concat(),
            2,
            "cloud",
        ),
        (vec!["show", unknown_run], 6, unknown_run),
        (vec!["cancel", unknown_run], 6, unknown_run),
        (vec!["approve", unknown_run], 6, unknown_run),
        (vec!["show", "not an id"], 6, "not an id"),
        (vec!["backend", "remove", "nobody"], 6, "nobody"),
        (
            vec!["backend", "add", "x", "--kind", "telepathy"],
            2,
            "telepathy",
        ),
        (
            vec![
                "backend",
                "add",
                "x",
                "--kind",
                "anthropic",
                "--base-url",
                "not a url",
                "--key-env",
                "A",
            ],
            2,
            "not a url",
        ),
    ];
    for (args, code, words) in cases {
        let said = world.cli(&[&args[..], &["--json"]].concat()).await?;
        let (got, _, message) = error(&said).with_context(|| format!("{args:?}"))?;
        assert_eq!(got, code, "{args:?}: {message}");
        ensure!(
            message.contains(words),
            "{args:?} does not name {words}: {message}"
        );
        // For people: on standard error, in two lines, with the same exit code.
        let told = world.cli(&args).await?;
        assert_eq!((told.code, told.stdout.as_str()), (code, ""), "{args:?}");
        ensure!(told.stderr.contains("error: "), "{told:?}");
    }
    ensure!(
        world.json(&["runs"]).await?["runs"] == serde_json::json!([]),
        "no run was made of any of it"
    );
    Ok(())
}

#[tokio::test]
async fn a_prefix_that_fits_several_runs_is_not_guessed() -> Result<()> {
    let world = World::new().await?;
    world
        .server
        .script("hi", Script::new().turn(Turn::text("Hello.")));
    let first = world.start("hi", &[]).await?;
    let second = world.start("hi", &[]).await?;
    let common: String = first
        .chars()
        .zip(second.chars())
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a)
        .collect();
    let both = world.cli(&["show", &common, "--json"]).await?;
    assert_eq!(
        (both.code, &both.json()["error"]["code"]),
        (2, &"ambiguous".into())
    );
    let one = &first[..=common.len()];
    assert_eq!(world.json(&["show", one]).await?["id"], first.as_str());
    Ok(())
}

#[tokio::test]
async fn an_unreadable_project_is_refused() -> Result<()> {
    let world = World::new().await?;
    let locked = world.daemon.home.place("locked");
    fs::create_dir(&locked)?;
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000))?;
    // Root reads everything.
    if fs::read_dir(&locked).is_err() {
        let path = locked.display().to_string();
        let said = world
            .cli(&["run", "--project", &path, "x", "--json"])
            .await?;
        let (code, _, message) = error(&said)?;
        ensure!(code == 2 && message.contains("locked"), "{said:?}");
    }
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700))?;
    Ok(())
}

#[tokio::test]
async fn a_prompt_of_ten_megabytes_is_refused_with_words() -> Result<()> {
    let world = World::new().await?;
    let project = world.project.path().display().to_string();
    let prompt = "word ".repeat(2 * 1024 * 1024);
    let args = ["run", "--project", &project, "--detach", "--json", "-"];
    let said = world.daemon.home.cli_with_input(&args, &prompt).await?;
    let (code, _, message) = error(&said)?;
    assert_eq!(code, 2, "{message}");
    ensure!(message.contains("prompt"), "{message}");
    // One that is merely long works, and reaches the model whole.
    world
        .server
        .script("hi", Script::new().turn(Turn::text("Hello.")));
    let prompt = format!("[[script:hi]]{}the end", "word ".repeat(100_000));
    let said = world
        .daemon
        .home
        .cli_with_input(&args, &prompt)
        .await?
        .ok()?;
    world
        .completed(said.json()["id"].as_str().context("an id")?)
        .await?;
    ensure!(world.said_to_model("hi").contains("the end"));
    Ok(())
}

#[tokio::test]
async fn a_hundred_megabytes_of_output_are_capped() -> Result<()> {
    let world = World::new().await?;
    let flood = "echo the-beginning; head -c 104857600 /dev/zero | tr '\\0' 'x' | fold -w 100; echo the-very-end";
    world.server.script("flood", one_command(flood));
    let id = world.start("flood", &["--policy", "hands-off"]).await?;
    let run = world
        .daemon
        .wait_state(&id, &["completed", "failed"], Duration::from_secs(90))
        .await?;
    assert_eq!(
        (&run["state"], &op(&run, "shell")?["outcome"]),
        (&"completed".into(), &"ok".into())
    );
    let told = world.said_to_model("flood");
    ensure!(
        told.len() < 100_000,
        "the model was sent {} bytes",
        told.len()
    );
    ensure!(
        told.contains("the-beginning") && told.contains("the-very-end"),
        "both ends are there"
    );
    Ok(())
}

#[tokio::test]
async fn output_that_is_no_text_is_shown_as_well_as_can_be() -> Result<()> {
    let world = World::new().await?;
    let odd = "printf 'before\\377\\376\\000\\033[31mred\\033[0m after\\n'";
    world.server.script("odd", one_command(odd));
    world.project.write("odd.bin", "placeholder")?;
    fs::write(world.project.path().join("odd.bin"), [0xff, 0xfe, 0, 1, 2])?;
    world.project.commit("Add a file that is no text")?;
    world.server.script(
        "read",
        Script::new().turn(Turn::new().tool("read", serde_json::json!({"path": "odd.bin"}))),
    );
    for script in ["odd", "read"] {
        let id = world.start(script, &["--policy", "hands-off"]).await?;
        world.completed(&id).await?;
    }
    let told = world.said_to_model("odd");
    ensure!(
        told.contains("before") && told.contains("red after"),
        "{told}"
    );
    ensure!(!told.contains("\\u001b"), "{told}");
    Ok(())
}

#[tokio::test]
async fn calls_the_model_gets_wrong_go_back_to_it() -> Result<()> {
    let world = World::new().await?;
    let wrong = Turn::new()
        .tool("teleport", serde_json::json!({"to": "moon"}))
        .tool("read", serde_json::json!({"path": "../../../etc/passwd"}))
        .tool(
            "write",
            serde_json::json!({"path": "/etc/longhaul-was-here", "content": "x"}),
        )
        .tool("edit", serde_json::json!({"path": "calc.sh"}))
        .tool("read", serde_json::json!({"path": "no/such/file"}));
    world.server.script(
        "wrong",
        Script::new().turn(wrong).turn(Turn::text("I see.")),
    );
    let id = world.start("wrong", &["--policy", "hands-off"]).await?;
    world.completed(&id).await?;
    let last = world.last_request("wrong")?;
    let messages = last.body["messages"].as_array().context("messages")?;
    let results: Vec<&Value> = messages.last().context("results")?["content"]
        .as_array()
        .context("blocks")?
        .iter()
        .filter(|b| b["type"] == "tool_result")
        .collect();
    assert_eq!(results.len(), 5);
    for result in results {
        assert_eq!(result["is_error"], true, "{result:#}");
        ensure!(!result.to_string().contains("root:"), "{result:#}");
    }
    ensure!(!fs::exists("/etc/longhaul-was-here")?);
    Ok(())
}
