//! A program of the user's is told, over real HTTP: signed, at least once, and without any run
//! waiting for it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use ring::hmac;
use serde_json::{Value, json};
use testkit::model_server::{Script, Turn};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{QUICK, SOON, World, home, one_command, text};

/// Obviously no secret.
const SECRET: &str = "test-secret-not-real";

/// What a call to the receiver said.
#[derive(Clone, Debug)]
struct Call {
    path: String,
    head: String,
    body: String,
}

impl Call {
    fn header(&self, name: &str) -> Result<&str> {
        let mut lines = self.head.lines();
        let found = lines.find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        found.with_context(|| format!("no {name} in {}", self.head))
    }

    fn json(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.body)?)
    }

    fn is_signed(&self) -> Result<()> {
        let given = self.header("longhaul-signature")?;
        let hex = given.strip_prefix("v1=").context("v1")?;
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16);
        let tag: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(byte)
            .collect::<Result<_, _>>()?;
        let text = format!("{}.{}", self.header("longhaul-timestamp")?, self.body);
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let right = hmac::verify(&key, text.as_bytes(), &tag);
        right.map_err(|_| anyhow::anyhow!("a wrong signature: {self:?}"))
    }
}

/// A program that is told: it keeps what it hears and answers what it was told to answer.
struct Receiver {
    at: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    answer: Arc<Mutex<&'static str>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    async fn start() -> Result<Self> {
        Self::on(TcpListener::bind("127.0.0.1:0").await?)
    }

    fn on(listener: TcpListener) -> Result<Self> {
        let at = listener.local_addr()?;
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let answer = Arc::new(Mutex::new("204 No Content\r\n"));
        let (kept, says) = (calls.clone(), answer.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = *says.lock().expect("nobody panics with it");
                if let Ok(call) = hear(stream, answer).await {
                    kept.lock().expect("nobody panics with it").push(call);
                }
            }
        });
        Ok(Self {
            at,
            calls,
            answer,
            task,
        })
    }

    fn says(&self, answer: &'static str) {
        *self.answer.lock().expect("nobody panics with it") = answer;
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("nobody panics with it").clone()
    }

    /// Waits for a delivery of this event.
    async fn heard(&self, event: &str) -> Result<Call> {
        let deadline = Instant::now() + SOON;
        loop {
            let is_it = |call: &Call| call.header("longhaul-event").is_ok_and(|e| e == event);
            if let Some(call) = self.calls().into_iter().rev().find(is_it) {
                return Ok(call);
            }
            ensure!(Instant::now() < deadline, "no {event}: {:#?}", self.calls());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

async fn hear(mut stream: TcpStream, answer: &str) -> Result<Call> {
    let mut all = Vec::new();
    let (head, body) = loop {
        let mut part = [0; 4096];
        let n = stream.read(&mut part).await?;
        ensure!(n > 0, "cut off");
        all.extend_from_slice(&part[..n]);
        let text = String::from_utf8_lossy(&all).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            let is_it = key.eq_ignore_ascii_case("content-length");
            is_it.then(|| value.trim().parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            break (head.to_owned(), body.to_owned());
        }
    };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let answer = format!("HTTP/1.1 {answer}Content-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(Call { path, head, body })
}

async fn world() -> Result<World> {
    let mut home = home(&format!("{QUICK}webhook_retry_ms = 50\n"))?;
    home.set_env("LH_HOOK_SECRET", SECRET);
    World::at(home).await
}

async fn tell(world: &World, at: SocketAddr, more: &[&str]) -> Result<()> {
    let url = format!("http://{at}/hook?token=test-token-not-real");
    let args = [
        &["webhook", "set", &url, "--key-env", "LH_HOOK_SECRET"],
        more,
    ]
    .concat();
    world.cli(&args).await?.ok().map(|_| ())
}

/// Waits until `daemon status` says of the webhook what is wanted.
async fn status(world: &World, is_it: impl Fn(&Value) -> bool) -> Result<Value> {
    let deadline = Instant::now() + SOON;
    loop {
        let webhook = world.json(&["daemon", "status"]).await?["webhook"].clone();
        if is_it(&webhook) {
            return Ok(webhook);
        }
        ensure!(Instant::now() < deadline, "never so: {webhook:#}");
    }
}

#[tokio::test]
async fn reviews_and_ends_are_told_signed_and_say_no_more_than_a_notification() -> Result<()> {
    let world = world().await?;
    let receiver = Receiver::start().await?;
    let unkeyed = ["webhook", "set", "https://example.invalid/"];
    assert_eq!(world.cli(&unkeyed).await?.code, 2, "nothing to sign with");
    let plain = ["webhook", "set", "http://192.0.2.1/", "--key-env", "X"];
    assert_eq!(world.cli(&plain).await?.code, 2, "read by everybody");
    tell(&world, receiver.at, &[]).await?;

    let command = "git push origin main # test-argument-not-real".to_owned();
    let long = format!("{command} {}", "x".repeat(400));
    world.server.script("push", one_command(&long));
    let run = world.start("push", &[]).await?;
    let review = text(&world.review(&run, "tool_call").await?, "id")?;
    let asked = receiver.heard("review.requested").await?;
    asked.is_signed()?;
    let body = asked.json()?;
    assert_eq!(
        (&body["review"]["id"], &body["run"]["id"]),
        (&json!(review), &json!(run))
    );
    assert_eq!(body["delivery"], asked.header("longhaul-delivery")?);
    ensure!(
        body["run"]["project"] == "calc" && body["at"].is_string(),
        "{body:#}"
    );
    let title = text(&body["review"], "title")?;
    ensure!(
        title.contains("git push") && title.chars().count() < 200,
        "{title}"
    );
    ensure!(
        asked.body.len() < 1000 && !asked.body.contains("/calc"),
        "{asked:?}"
    );

    world.json(&["reject", &review]).await?;
    world.completed(&run).await?;
    let ended = receiver.heard("run.completed").await?;
    ended.is_signed()?;
    let body = ended.json()?;
    ensure!(body["run"]["state"] == "completed" && body["run"]["cost_usd"].is_string());

    let test = world.json(&["webhook", "test"]).await?;
    let heard = receiver.heard("test").await?;
    ensure!(test["ok"] == true && test["delivery"] == heard.header("longhaul-delivery")?);
    let shown = world.json(&["webhook", "show"]).await?.to_string();
    ensure!(
        !shown.contains("test-token-not-real") && shown.contains("127.0.0.1"),
        "an address may be a secret: {shown}"
    );

    // Only what is wanted, and nothing once nobody wants it.
    tell(&world, receiver.at, &["--events", "runs"]).await?;
    world
        .server
        .script("again", one_command("git push origin other"));
    let run = world.start("again", &[]).await?;
    world.review(&run, "tool_call").await?;
    let before = receiver.calls().len();
    world.json(&["cancel", &run]).await?;
    receiver.heard("run.cancelled").await?;
    assert_eq!(receiver.calls().len(), before + 1);
    world.json(&["webhook", "remove"]).await?;
    assert_eq!(world.cli(&["webhook", "test"]).await?.code, 2);
    Ok(())
}

#[tokio::test]
async fn a_delivery_is_made_over_kills_and_always_the_same() -> Result<()> {
    for point in ["webhook.before_sent", "webhook.sent"] {
        let mut world = world().await?;
        let receiver = Receiver::start().await?;
        tell(&world, receiver.at, &[]).await?;
        world.daemon.terminate().await?;
        world.daemon.env_once("LONGHAUL_CRASH_AT", point);
        world.daemon.launch().await?;
        world
            .server
            .script("done", Script::new().turn(Turn::text("Done.")));
        let run = world.start("done", &[]).await?;
        world.daemon.wait_exit(SOON).await?;
        let before = receiver.calls();
        assert_eq!(
            before.len(),
            usize::from(point == "webhook.sent"),
            "{before:#?}"
        );
        world.daemon.launch().await?;
        world.completed(&run).await?;
        status(&world, |w| {
            w["waiting"] == 0 && w["delivered_at"].is_string()
        })
        .await?;
        let after = receiver.calls();
        assert_eq!(after.len(), before.len() + 1, "{after:#?}");
        for call in &after {
            call.is_signed()?;
            assert_eq!(call.body, after[0].body, "the same at every try");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_webhook_that_is_down_holds_up_nobody_and_hears_it_all_later() -> Result<()> {
    let mut world = world().await?;
    // Nobody listens there: the port was free a moment ago.
    let at = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    tell(&world, at, &["--events", "runs"]).await?;
    let done = Script::new().turn(Turn::text("Done."));
    world.server.script("one", done.clone());
    world.server.script("two", done);
    let one = world.start("one", &[]).await?;
    world.completed(&one).await?;
    let two = world.start("two", &[]).await?;
    world.completed(&two).await?;
    let fails = |w: &Value| w["ok"] == false && w["waiting"] == 2 && w["next_at"].is_string();
    let webhook = status(&world, fails).await?;
    ensure!(
        text(&webhook, "words")?.contains("cannot be reached"),
        "{webhook:#}"
    );
    let shown = world.cli(&["daemon", "status"]).await?.ok()?.stdout;
    ensure!(shown.contains("webhook FAILS"), "{shown}");
    assert_eq!(world.cli(&["webhook", "test"]).await?.code, 1);

    world.daemon.kill9()?;
    let receiver = Receiver::on(TcpListener::bind(at).await?)?;
    // A redirect takes a delivery nowhere else.
    receiver.says("302 Found\r\nLocation: /elsewhere\r\n");
    world.daemon.launch().await?;
    let redirected = |w: &Value| w["words"].as_str().is_some_and(|t| t.contains("redirect"));
    status(&world, redirected).await?;
    ensure!(
        receiver
            .calls()
            .iter()
            .all(|call| call.path.starts_with("/hook"))
    );
    receiver.says("200 OK\r\n");
    status(&world, |w| w["ok"] == true && w["waiting"] == 0).await?;
    let taken: Vec<String> = receiver.calls().into_iter().map(|call| call.body).collect();
    for run in [&one, &two] {
        ensure!(
            taken.iter().any(|body| body.contains(run.as_str())),
            "{taken:#?}"
        );
    }
    Ok(())
}
