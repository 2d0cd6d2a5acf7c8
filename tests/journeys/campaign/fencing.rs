//! Two daemons on one home, the lock between them circumvented: the older one must
//! notice by itself, before it acknowledges anything.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use client::Client;
use domain::{Event, Preset, ReviewKind};
use protocol::{DecideRequest, ReviewsRequest, VersionRequest};
use tokio::time::Instant;

use super::boundaries::{PATIENCE, gone, until_seen};
use super::invariants;
use super::script::Length;
use super::world::{DEADLINE, Ended, Task, World};

/// A second daemon with a socket of its own; killed when dropped.
struct Usurper {
    child: Child,
    client: Client,
}

impl Drop for Usurper {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Usurper {
    async fn start(world: &World) -> anyhow::Result<Self> {
        let home = &world.daemon.home;
        std::fs::remove_file(home.path().join("daemon.lock"))?;
        let runtime = home.place("run2");
        std::fs::create_dir(&runtime)?;
        std::fs::set_permissions(&runtime, std::fs::Permissions::from_mode(0o700))?;
        let child = Command::new(home.binary())
            .args(["daemon", "run"])
            .env_clear()
            .envs(home.env())
            .env("XDG_RUNTIME_DIR", &runtime)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let client = Client::connect(client::paths::socket_of(&home.path(), Some(&runtime), 0));
        let usurper = Self { child, client };
        let until = Instant::now() + DEADLINE;
        while usurper.client.version(VersionRequest {}).await.is_err() {
            anyhow::ensure!(Instant::now() < until, "the second daemon does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(usurper)
    }
}

/// What is wrong when a home is taken from a living daemon whose run waits for a person.
pub(crate) async fn usurped(sabotage: Option<&str>) -> anyhow::Result<Vec<String>> {
    let mut world = World::with_task(Task::new("t1", Length::Short, Preset::HandsOff)).await?;
    world.left_open = Some(ReviewKind::Question);
    if let Some(switch) = sabotage {
        world.daemon.home.set_env("LONGHAUL_SABOTAGE", switch);
    }
    world.daemon.spawn()?;
    let asked = |event: &Event| matches!(event, Event::ReviewRequested { review } if review.kind == ReviewKind::Question);
    until_seen(&mut world, asked).await?;
    let usurper = Usurper::start(&world).await?;
    let open = world
        .client
        .reviews(ReviewsRequest::default())
        .await?
        .reviews;
    let request = DecideRequest {
        review: open
            .first()
            .map(|review| review.id.to_string())
            .unwrap_or_default(),
        choice: "left".to_owned(),
        by: "cli".to_owned(),
        ..DecideRequest::default()
    };
    let mut complaints = Vec::new();
    if world.client.decide(request).await.is_ok() {
        complaints.push("a daemon that had lost its home acknowledged a decision".to_owned());
    }
    if !gone(&mut world, Duration::from_secs(10)).await {
        complaints.push("a daemon that had lost its home lives on".to_owned());
        world.kill_daemon()?;
    }
    drop(usurper);
    world.deaths = 2;
    world.left_open = None;
    world.daemon.spawn()?;
    match world.drive(PATIENCE).await? {
        Ended::Completed => complaints.extend(invariants::check(&world).await?),
        Ended::DaemonGone => complaints.push("the rightful daemon cannot go on".to_owned()),
    }
    Ok(complaints)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_lost_its_home_acknowledges_nothing() {
    let complaints = usurped(None).await.expect("the scenario runs");
    assert!(complaints.is_empty(), "{complaints:#?}");
}
