//! Commands, tools and agents of a run do nothing outside its workspace, whatever they try.

mod attempts;
mod scene;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::model_server::{Script, Turn};

use crate::claude_code::{self, bash};
use crate::support::{World, one_command, op, shell, text};
use attempts::{ATTEMPTS, LEFT_BEHIND, Then};
use scene::{SECRET, Scene};

/// The tool calls of a run with this name, in order.
fn calls_of(run: &Value, name: &str) -> Result<Vec<Value>> {
    let ops = run["ops"].as_array().context("ops")?;
    Ok(ops
        .iter()
        .filter(|op| op["name"] == name)
        .cloned()
        .collect())
}

/// What the model was told of each of its calls, in order.
fn told(world: &World, script: &str) -> Result<Vec<String>> {
    let request = world.last_request(script)?;
    let messages = request.body["messages"].as_array().context("messages")?;
    let blocks = messages
        .iter()
        .filter_map(|message| message["content"].as_array())
        .flatten();
    let results = blocks.filter(|block| block["type"] == "tool_result");
    Ok(results.map(|block| block["content"].to_string()).collect())
}

/// Living processes with these words among their arguments.
fn living(words: &str) -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = processes.filter_map(|p| fs::read(p.path().join("cmdline")).ok());
    let is = |line: &Vec<u8>| {
        let line = String::from_utf8_lossy(line).replace('\0', " ");
        line.starts_with("sleep") && line.contains(words)
    };
    lines.filter(is).count()
}

#[tokio::test]
async fn every_way_out_that_was_thought_of_is_closed_and_on_record() -> Result<()> {
    let Some(scene) = Scene::new("").await? else {
        return Ok(());
    };
    let world = &scene.world;
    world.server.script("asks", one_command("touch asked.key"));
    let asks = world.start("asks", &[]).await?;
    let review = text(&world.review(&asks, "tool_call").await?, "id")?;
    let status = world.json(&["daemon", "status"]).await?;
    let filled = |command: &str| {
        let home = &world.daemon.home;
        let words = [
            ("{P}", world.project.path().display().to_string()),
            ("{H}", home.user_home().display().to_string()),
            ("{E}", scene.elsewhere.path().display().to_string()),
            ("{L}", home.path().display().to_string()),
            ("{R}", home.env()["XDG_RUNTIME_DIR"].clone()),
            ("{B}", home.binary().display().to_string()),
            ("{D}", status["pid"].to_string()),
            ("{V}", review.clone()),
        ];
        words.iter().fold(command.to_owned(), |c, (word, value)| {
            c.replace(word, value)
        })
    };
    let turns = ATTEMPTS
        .iter()
        .map(|attempt| shell(&filled(attempt.command)));
    let script = turns.fold(Script::new(), Script::turn);
    world
        .server
        .script("escape", script.turn(Turn::text("I give up.")));
    let id = world.start("escape", &["--policy", "hands-off"]).await?;
    let run = world
        .daemon
        .wait_state(
            &id,
            &["completed", "failed"],
            std::time::Duration::from_secs(150),
        )
        .await?;
    assert_eq!(run["state"], "completed", "{run:#}");

    // Each is on record, with its end.
    let (ops, told) = (calls_of(&run, "shell")?, told(world, "escape")?);
    assert_eq!((ops.len(), told.len()), (ATTEMPTS.len(), ATTEMPTS.len()));
    ensure!(ATTEMPTS.len() >= 25);
    let mut escaped = Vec::new();
    for ((attempt, op), told) in ATTEMPTS.iter().zip(&ops).zip(&told) {
        if attempt.then == Then::Refused && op["outcome"] != "error" {
            escaped.push(format!("{}: {told}", attempt.name));
        }
        assert_eq!(op["state"], "finished", "{}: {op:#}", attempt.name);
        ensure!(
            !told.contains("sandbox could not be set up"),
            "{}: {told}",
            attempt.name
        );
    }
    ensure!(escaped.is_empty(), "not refused: {escaped:#?}");
    ensure!(
        !world.said_to_model("escape").contains(SECRET),
        "a secret was read"
    );

    // Longhaul itself looks at what was left in the clone, and runs none of it.
    world.cli(&["diff", &id]).await?.ok()?;
    scene.is_untouched()?;
    for file in ["/etc", "/tmp", "/var/tmp", "/dev/shm"] {
        let file = Path::new(file).join("longhaul-escape");
        ensure!(!file.exists(), "{} is there", file.display());
    }
    assert_eq!(living(LEFT_BEHIND), 0, "something was left running");
    assert_eq!(
        world.json(&["daemon", "status"]).await?["pid"],
        status["pid"]
    );
    let review = world.review(&asks, "tool_call").await?;
    assert_eq!(review["state"], "open");
    assert_eq!(
        run["workspace"]["sandbox"],
        json!({"used": true, "why": null})
    );
    Ok(())
}

#[tokio::test]
async fn file_tools_do_not_leave_the_workspace_either() -> Result<()> {
    let Some(scene) = Scene::new("").await? else {
        return Ok(());
    };
    let world = &scene.world;
    let outside = scene.elsewhere.path().display();
    let project = world.project.path().display();
    // What a command prepares, tools must not follow.
    let prepare = format!(
        "ln -s {outside}/precious way; ln -s {outside} out; mkfifo pipe; ln -s /proc/self/cwd here; \
         ln -s nowhere dangling; ln -s loop loop; ln calc.sh twin"
    );
    let write = |path: &str| Turn::new().tool("write", json!({"path": path, "content": "evil\n"}));
    let read = |path: &str| Turn::new().tool("read", json!({"path": path}));
    let tries = [
        write("way"),
        write("out/new"),
        write(&format!("{outside}/new")),
        write(&format!("{project}/calc.sh")),
        write("../../../../state.db"),
        write("../evil"),
        write(".git/hooks/pre-commit"),
        write(".GIT/config"),
        write("pipe"),
        write("here/evil"),
        write("/proc/self/cwd/evil"),
        write("/dev/shm/longhaul-escape"),
        write("dangling"),
        write("loop"),
        read("way"),
        read("out/precious"),
        read("pipe"),
        read(&format!("{outside}/precious")),
        read("/proc/self/environ"),
        read("/etc/passwd"),
        Turn::new().tool(
            "edit",
            json!({"path": "way", "old_text": "mine", "new_text": "evil"}),
        ),
    ];
    let count = tries.len();
    let script = Script::new().turn(shell(&prepare));
    let script = tries.into_iter().fold(script, Script::turn);
    // A second name of a file of its own is no way out: one is replaced, the other stays.
    let script = script
        .turn(write("twin"))
        .turn(shell("cat calc.sh twin; stat -c %h calc.sh"));
    world
        .server
        .script("tools", script.turn(Turn::text("I give up.")));
    let id = world.start("tools", &["--policy", "hands-off"]).await?;
    let run = world.completed(&id).await?;
    let ops = run["ops"].as_array().context("ops")?;
    let of_tools = ["write", "read", "edit"];
    let tried: Vec<&Value> = ops
        .iter()
        .filter(|op| of_tools.iter().any(|name| op["name"] == *name))
        .collect();
    let told = told(world, "tools")?;
    assert_eq!(tried.len(), count + 1);
    for (op, told) in tried[..count].iter().zip(&told[1..]) {
        ensure!(op["outcome"] == "error", "not refused: {op:#}\n{told}");
    }
    let last = told.last().context("an answer")?;
    ensure!(
        last.contains("multiply") && last.contains("evil\\n1"),
        "{last}"
    );
    scene.is_untouched()
}

#[tokio::test]
async fn what_work_needs_is_there() -> Result<()> {
    let Some(scene) = Scene::new("").await? else {
        return Ok(());
    };
    let world = &scene.world;
    let steps = [
        // Its own files, history and branch.
        "sed -i 's/\\$1 - \\$2/$1 + $2/' calc.sh && sh test.sh && git commit -qam mended && git log --oneline",
        // Temporary files, from one command to the next.
        "test \"$TMPDIR\" = /tmp && f=$(mktemp) && echo kept > /tmp/kept",
        "cat /tmp/kept && cat /var/tmp/kept",
        // A home, with the user's programs in it and a cache that is kept.
        "cd && touch x && users-tool || ~/.cargo/bin/users-tool",
        "echo cached > ~/.npm/cached",
        // The system.
        "ls /etc/passwd && test -c /dev/null && echo x > /dev/null && test -r /proc/self/status",
    ];
    world.project.git(&["worktree", "add", "-q", "../linked"])?;
    let script = steps
        .iter()
        .map(|step| shell(step))
        .fold(Script::new(), Script::turn);
    world
        .server
        .script("work", script.turn(Turn::text("Done.")));
    let flags = [
        "--policy",
        "hands-off",
        "--verify",
        "sh test.sh && test ! -e ~/.ssh && cat /tmp/kept",
    ];
    let id = world.start("work", &flags).await?;
    let run = world.completed(&id).await?;
    let told = told(world, "work")?;
    for (op, told) in calls_of(&run, "shell")?.iter().zip(&told) {
        ensure!(op["outcome"] == "ok", "{op:#}\n{told}");
    }
    assert_eq!(op(&run, "verify")?["outcome"], "ok");
    let cached = world.daemon.home.user_home().join(".npm/cached");
    assert_eq!(fs::read_to_string(cached)?, "cached\n");
    let request = world.last_request("work")?;
    ensure!(
        request.body["system"]
            .to_string()
            .contains("run in a sandbox")
    );
    // Temporary files end with the run's.
    let folder = PathBuf::from(text(&run["workspace"], "path")?);
    let temp = folder
        .parent()
        .and_then(Path::parent)
        .context("a run's folder")?
        .join("tmp");
    ensure!(temp.join("kept").exists());
    world.json(&["discard", &id]).await?;
    ensure!(!temp.exists(), "{} is there", temp.display());
    Ok(())
}

#[tokio::test]
async fn in_place_the_project_is_writable_and_what_git_runs_of_it_is_not() -> Result<()> {
    let Some(scene) = Scene::new("").await? else {
        return Ok(());
    };
    let world = &scene.world;
    let steps = [
        ("echo more >> README.md", "ok"),
        (
            "git -c user.name=a -c user.email=a@b commit -qam more",
            "ok",
        ),
        ("echo evil > .git/hooks/post-checkout", "error"),
        ("git config core.fsmonitor evil", "error"),
        ("mv .git .moved", "error"),
        ("rm -rf .git/hooks .git/config", "error"),
        // What git would take its settings and hooks from, if it were there.
        (
            "mkdir .git/e && cp .git/HEAD .git/e && echo e > .git/commondir",
            "error",
        ),
        ("rm -f .git/commondir && echo e > .git/commondir", "error"),
        ("mv .git/e .git/commondir", "error"),
        (
            "git config -f .git/config.worktree core.fsmonitor evil",
            "error",
        ),
        ("echo ../e > .git/worktrees/linked/commondir", "error"),
        ("mv .git/worktrees .git/moved", "error"),
        ("git status && git log -1 && git stash list", "ok"),
        ("echo evil > ../precious", "error"),
    ];
    let script = steps
        .iter()
        .map(|(step, _)| shell(step))
        .fold(Script::new(), Script::turn);
    world
        .server
        .script("here", script.turn(Turn::text("Done.")));
    let flags = ["--policy", "hands-off", "--workspace", "in-place"];
    let id = world.start("here", &flags).await?;
    let run = world.completed(&id).await?;
    let told = told(world, "here")?;
    for ((op, told), (step, outcome)) in calls_of(&run, "shell")?.iter().zip(&told).zip(steps) {
        ensure!(op["outcome"] == outcome, "{step}: {told}");
    }
    ensure!(world.project.read("README.md")?.ends_with("more\n"));
    ensure!(
        world
            .project
            .git(&["log", "--format=%s", "-1"])?
            .contains("more")
    );
    ensure!(world.project.path().join(".git/config").is_file());
    let hook = world.project.path().join(".git/hooks/post-checkout");
    ensure!(!hook.exists(), "a hook was planted");
    // Nothing of the guard is left, and what git goes by is the user's.
    for made in ["commondir", "config.worktree"] {
        let made = world.project.path().join(".git").join(made);
        ensure!(!made.exists(), "{} is left", made.display());
    }
    world.project.git(&["fsck", "--strict"])?;
    world.project.git(&["status"])?;
    Ok(())
}

#[tokio::test]
async fn the_network_and_the_sandbox_are_switched_by_settings() -> Result<()> {
    for (settings, reached, used) in [
        ("", true, true),
        ("sandbox_network = \"off\"\n", false, true),
        ("sandbox = \"off\"\n", true, false),
    ] {
        let Some(scene) = Scene::new(settings).await? else {
            return Ok(());
        };
        let world = &scene.world;
        let address = world.server.url();
        let address = address.trim_start_matches("http://").replace(':', "/");
        let call = format!("exec 3<>/dev/tcp/{}", address.trim_end_matches('/'));
        world.server.script("call", one_command(&call));
        let id = world.start("call", &["--policy", "hands-off"]).await?;
        let run = world.completed(&id).await?;
        let outcome = if reached { "ok" } else { "error" };
        assert_eq!(op(&run, "shell")?["outcome"], outcome, "{settings}");
        let sandbox = &run["workspace"]["sandbox"];
        assert_eq!(sandbox["used"], used, "{settings}");
        assert_eq!(sandbox["why"].is_string(), !used, "{sandbox}");
        let log = world.cli(&["logs", &id]).await?.ok()?.stdout;
        assert_eq!(log.contains("not sandboxed"), !used, "{log}");
        let status = world.cli(&["daemon", "status"]).await?.ok()?.stdout;
        assert_eq!(status.contains("rights of the user"), !used, "{status}");
    }
    Ok(())
}

#[tokio::test]
async fn an_agent_is_kept_in_like_its_commands() -> Result<()> {
    let Some(scene) = Scene::new("").await? else {
        return Ok(());
    };
    let world = &scene.world;
    let home = world.daemon.home.user_home();
    let (outside, project) = (
        scene.elsewhere.path().display(),
        world.project.path().display(),
    );
    let steps = [
        (format!("echo evil > {outside}/new"), "error"),
        (format!("echo evil >> {project}/calc.sh"), "error"),
        (format!("cat {}/.ssh/id_test", home.display()), "error"),
        ("echo evil > ~/.claude/settings.json".to_owned(), "error"),
        ("echo evil > /etc/longhaul-escape".to_owned(), "error"),
        (
            "(setsid sleep 97532 >/dev/null 2>&1 &) ; echo evil >> ~/.bashrc".to_owned(),
            "ok",
        ),
        ("echo evil > ~/.claude.json".to_owned(), "ok"),
        (
            "echo more >> README.md && git commit -qam more".to_owned(),
            "ok",
        ),
        ("echo kept > ~/.claude/kept".to_owned(), "ok"),
    ];
    let calls: Vec<Value> = steps.iter().map(|(step, _)| bash(step)).collect();
    let id = claude_code::start(world, json!(calls), &["--policy", "hands-off"]).await?;
    let run = world.completed(&id).await?;
    let done = calls_of(&run, "Bash")?;
    assert_eq!(done.len(), steps.len(), "{run:#}");
    for (op, (step, outcome)) in done.iter().zip(&steps) {
        ensure!(op["outcome"] == *outcome, "{step}: {op:#}");
    }
    assert_eq!(run["workspace"]["sandbox"]["used"], true);
    assert_eq!(living("97532"), 0, "something was left running");
    // Its own folder is its own: sessions have to be there for the next process.
    let kept = home.join(".claude/kept");
    assert_eq!(fs::read_to_string(&kept)?, "kept\n");
    fs::remove_file(&kept)?;
    fs::remove_dir_all(home.join(".claude/scripted"))?;
    scene.is_untouched()
}
