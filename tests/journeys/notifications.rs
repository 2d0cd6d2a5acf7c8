//! What is told on the desktop, and what a click there does: with a real notification
//! daemon on a private desktop.

mod desktop;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use client::Client;
use protocol::{
    Notice, NoticeActRequest, NoticeAction, NoticeKind, Notices, NoticesRequest, VersionRequest,
};
use serde_json::Value;
use testkit::model_server::{Script, Turn};
use testkit::{ModelServer, SampleProject, TestDaemon, TestHome};

use self::desktop::Desktop;
use crate::support::{self, QUICK, SOON, World, one_command, text};

/// A daemon on a private desktop.
async fn on_a_desktop() -> Result<(Desktop, World)> {
    in_home(support::home(QUICK)?).await
}

async fn in_home(mut home: TestHome) -> Result<(Desktop, World)> {
    let desktop = Desktop::start(&home.place("desktop")).await?;
    for (name, value) in desktop.env() {
        home.set_env(name, value);
    }
    let server = ModelServer::start().await?;
    let project = SampleProject::calc(home.place("calc"))?;
    let daemon = TestDaemon::start(home).await?;
    let world = World {
        daemon,
        server,
        project,
    };
    world.add_backend("model", "LH_TEST_KEY").await?;
    Ok((desktop, world))
}

/// A model that only says something.
fn just_ends() -> Script {
    Script::new().turn(Turn::text("There is nothing to do."))
}

/// What stands in for the desktop application.
struct Application {
    client: Client,
}

impl Application {
    fn of(world: &World) -> Self {
        let home = &world.daemon.home;
        let runtime = home.place("run");
        let user = rustix::process::getuid().as_raw();
        let path = home.path().canonicalize().unwrap_or(home.path());
        let socket = client::paths::socket_of(&path, Some(&runtime), user);
        Self {
            client: Client::connect(socket),
        }
    }

    async fn call(&self, shown: &[String], wait_ms: u32) -> Result<Notices> {
        let request = NoticesRequest {
            holder: "stand-in".to_owned(),
            shown: shown.to_vec(),
            wait_ms,
            leaving: false,
        };
        Ok(self.client.notices(request).await?)
    }

    /// Waits for the next notice; shows nothing.
    async fn next(&self) -> Result<Notice> {
        let waiting = async {
            loop {
                let notices = self.call(&[], 20_000).await?;
                ensure!(notices.leased, "somebody else has the lease");
                if let Some(notice) = notices.show.into_iter().next() {
                    return Ok(notice);
                }
            }
        };
        tokio::time::timeout(SOON, waiting).await?
    }

    async fn click(&self, notice: &Notice, action: NoticeAction) -> Result<Option<String>> {
        let request = NoticeActRequest {
            action,
            notice: notice.clone(),
        };
        Ok(self.client.notice_act(request).await?.refused)
    }
}

/// The decision in a run's journal.
async fn decision(world: &World, run: &str) -> Result<Value> {
    let out = world.cli(&["logs", run, "--json"]).await?.ok()?;
    let mut lines = out.stdout.lines();
    let line = lines.find(|line| line.contains("review_decided"));
    Ok(serde_json::from_str(line.context("nothing was decided")?)?)
}

#[tokio::test]
async fn a_review_is_approved_on_its_notification() -> Result<()> {
    let (desktop, world) = on_a_desktop().await?;
    world.server.script("look", one_command("ls -la"));
    let run = world.start("look", &["--policy", "careful"]).await?;
    let told = desktop.shows("needs you").await?;
    ensure!(told.body.contains("ls -la"), "{told:?}");
    let menu = desktop.choose("Approve").await?;
    world.completed(&run).await?;
    ensure!(menu.contains("Reject") && menu.contains("Open"), "{menu}");
    let decided = decision(&world, &run).await?.to_string();
    ensure!(decided.contains(r#""by":"notification""#), "{decided}");
    ensure!(decided.contains(r#""choice":"approve""#), "{decided}");
    assert_eq!(desktop.told_of("needs you").len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_is_risky_is_only_opened_and_goes_away_when_it_is_decided() -> Result<()> {
    let (desktop, world) = on_a_desktop().await?;
    let command = "touch '<b>made.key'";
    world.server.script("deploy", one_command(command));
    let run = world.start("deploy", &[]).await?;
    let told = desktop.shows("needs you").await?;
    ensure!(told.body.contains("&lt;b&gt;made"), "as text: {told:?}");
    let menu = desktop.choose("no such action").await?;
    ensure!(menu.contains("Open") && !menu.contains("Approve"), "{menu}");
    assert_eq!(desktop.on_screen(), 1);
    let review = text(&world.review(&run, "tool_call").await?, "id")?;
    world.cli(&["approve", &review]).await?.ok()?;
    desktop.is_empty().await?;
    world.completed(&run).await?;
    Ok(())
}

#[tokio::test]
async fn the_application_shows_what_it_acknowledges_and_the_daemon_the_rest() -> Result<()> {
    let (desktop, world) = on_a_desktop().await?;
    let application = Application::of(&world);
    assert_eq!(application.call(&[], 0).await?.show, []);
    world.server.script("first", just_ends());
    world.server.script("second", just_ends());
    let first = world.start("first", &[]).await?;
    let notice = application.next().await?;
    assert_eq!(notice.kind, NoticeKind::Finished);
    assert_eq!(notice.runs[0].to_string(), first);
    let none = application
        .call(std::slice::from_ref(&notice.id), 0)
        .await?;
    assert_eq!(none.show, []);
    let second = world.start("second", &[]).await?;
    let notice = application.next().await?;
    let given = std::time::Instant::now();
    assert_eq!(notice.runs[0].to_string(), second);
    // It says nothing more. The daemon waits for 5 s, and then shows it.
    desktop.shows("finished").await?;
    ensure!(
        given.elapsed() >= Duration::from_millis(4_500),
        "{:?}",
        given.elapsed()
    );
    assert_eq!(desktop.told().len(), 1, "{:#?}", desktop.told());
    Ok(())
}

#[tokio::test]
async fn a_late_click_is_answered_in_words() -> Result<()> {
    let (_desktop, world) = on_a_desktop().await?;
    let application = Application::of(&world);
    application.call(&[], 0).await?;
    world.server.script("look", one_command("ls -la"));
    let run = world.start("look", &["--policy", "careful"]).await?;
    let notice = application.next().await?;
    ensure!(
        notice.actions.contains(&NoticeAction::Approve),
        "{notice:#?}"
    );
    application
        .call(std::slice::from_ref(&notice.id), 0)
        .await?;
    let review = notice.review.context("a review")?.to_string();
    // It keeps calling meanwhile: who is silent for 5 s is not told that a notice goes.
    let closed = async {
        while !application
            .call(&[], 20_000)
            .await?
            .close
            .contains(&notice.id)
        {}
        anyhow::Ok(())
    };
    let decided = async {
        world.cli(&["approve", &review]).await?.ok()?;
        world.completed(&run).await
    };
    let both = async { tokio::try_join!(closed, decided) };
    tokio::time::timeout(SOON, both).await??;

    let clicked = async {
        for action in [NoticeAction::Reject, NoticeAction::Approve] {
            let refused = application.click(&notice, action).await?;
            let words = refused.context("it is decided already")?;
            ensure!(words.contains("answered already, in a terminal"), "{words}");
        }
        anyhow::Ok(())
    };
    let answered = async {
        let (mut replies, mut shown) = (0, Vec::new());
        while replies < 2 {
            let told = application.call(&shown, 20_000).await?.show;
            replies += told.iter().filter(|n| n.kind == NoticeKind::Reply).count();
            shown = told.into_iter().map(|n| n.id).collect();
        }
        anyhow::Ok(())
    };
    let both = async { tokio::try_join!(clicked, answered) };
    tokio::time::timeout(SOON, both).await??;
    assert_eq!(
        decision(&world, &run).await?["event"]["answer"]["by"],
        "cli"
    );
    Ok(())
}

#[tokio::test]
async fn a_death_between_request_and_notice_loses_nothing_and_repeats_nothing() -> Result<()> {
    let (desktop, mut world) = on_a_desktop().await?;
    world.server.script("deploy", one_command("touch made.key"));
    world.server.script("later", just_ends());
    world.daemon.terminate().await?;
    world
        .daemon
        .env_once("LONGHAUL_CRASH_AT", "notices.before_shown");
    world.daemon.launch().await?;
    world.start("deploy", &[]).await?;
    world.daemon.wait_exit(SOON).await?;
    assert_eq!(desktop.told(), []);
    world.daemon.launch().await?;
    desktop.shows("needs you").await?;
    // Dead once more: what was told is not told again, what comes later is.
    world.daemon.restart().await?;
    world.start("later", &[]).await?;
    desktop.shows("finished").await?;
    assert_eq!(
        desktop.told_of("needs you").len(),
        1,
        "{:#?}",
        desktop.told()
    );
    assert_eq!(desktop.told().len(), 2, "{:#?}", desktop.told());
    Ok(())
}

#[tokio::test]
async fn what_was_interrupted_is_resumed_on_its_notification() -> Result<()> {
    let config = format!("{QUICK}on_restart = \"ask\"\n");
    let (desktop, mut world) = in_home(support::home(&config)?).await?;
    let slow = Script::new()
        .turn(support::shell("sleep 600"))
        .turn(Turn::text("Done."));
    world.server.script("slow", slow);
    let run = world.start("slow", &["--policy", "hands-off"]).await?;
    let begun = |run: &Value| support::op(run, "shell").is_ok_and(|op| op["state"] == "started");
    world.daemon.wait_shown(&run, SOON, begun).await?;
    world.daemon.kill9()?;
    world.daemon.launch().await?;
    let told = desktop.shows("was interrupted").await?;
    ensure!(
        told.body.contains("It waits for you to resume it"),
        "{told:?}"
    );
    desktop.choose("Resume").await?;
    let states = ["queued", "running", "waiting", "completed"];
    world.wait(&run, &states).await?;
    Ok(())
}

#[tokio::test]
async fn a_click_on_a_notification_opens_the_item() -> Result<()> {
    let folder = tempfile::Builder::new()
        .prefix("lhbin")
        .tempdir_in("/tmp")?;
    // Beside it stands what would be the application.
    let program = folder.path().join("longhaul");
    let built = env!("CARGO_BIN_EXE_longhaul");
    if fs::hard_link(built, &program).is_err() {
        fs::copy(built, &program)?;
    }
    let opened = folder.path().join("opened");
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >> {}\n", opened.display());
    let stand_in = folder.path().join("longhaul-desktop");
    fs::write(&stand_in, script)?;
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755))?;
    let mut home = TestHome::new(program)?;
    home.set_env("LH_TEST_KEY", support::KEY);
    home.configure(QUICK)?;

    let (desktop, world) = in_home(home).await?;
    world.server.script("deploy", one_command("touch made.key"));
    let run = world.start("deploy", &[]).await?;
    desktop.shows("needs you").await?;
    let review = text(&world.review(&run, "tool_call").await?, "id")?;
    desktop.click()?;
    let link = format!("longhaul://review/{review}\n");
    let until = tokio::time::Instant::now() + SOON;
    while fs::read_to_string(&opened).unwrap_or_default() != link {
        ensure!(tokio::time::Instant::now() < until, "nothing was opened");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_notification_server_that_hangs_holds_nothing_up() -> Result<()> {
    let (desktop, world) = on_a_desktop().await?;
    desktop.freeze()?;
    world.server.script("look", one_command("ls -la"));
    world.server.script("later", just_ends());
    let run = world.start("look", &["--policy", "careful"]).await?;
    let review = text(&world.review(&run, "tool_call").await?, "id")?;
    log_says(&world, "a notice was not shown").await?;
    let application = Application::of(&world);
    application.client.version(VersionRequest {}).await?;
    world.cli(&["approve", &review]).await?.ok()?;
    world.completed(&run).await?;
    let later = world.start("later", &[]).await?;
    world.completed(&later).await?;
    Ok(())
}

#[tokio::test]
async fn without_a_session_bus_that_is_said_once() -> Result<()> {
    let world = World::new().await?;
    world.server.script("first", just_ends());
    let first = world.start("first", &[]).await?;
    world.completed(&first).await?;
    let log = log_says(&world, "there is no session bus").await?;
    assert_eq!(log.matches("there is no session bus").count(), 1, "{log}");
    ensure!(!log.contains("a notice was not shown"), "{log}");
    Ok(())
}

/// Waits until the daemon's log has these words.
async fn log_says(world: &World, words: &str) -> Result<String> {
    let until = tokio::time::Instant::now() + SOON;
    loop {
        let mut log = String::new();
        for file in fs::read_dir(world.daemon.home.path().join("logs"))?.flatten() {
            log.push_str(&fs::read_to_string(file.path()).unwrap_or_default());
        }
        if log.contains(words) {
            return Ok(log);
        }
        ensure!(
            tokio::time::Instant::now() < until,
            "not in the log: {words}\n{log}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
