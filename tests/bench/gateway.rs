//! An agent's way to its model through the gateway, beside the direct one: both to the same
//! server, in turns, so that what the machine does meanwhile meets both.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use testkit::processes::ProcessId;
use testkit::{SampleProject, TestDaemon};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::daemons::{self, KEY};
use crate::processes::Memory;
use crate::report::Target;
use crate::samples::Samples;
use crate::session::Session;

/// Streams at once.
const STREAMS: usize = 100;

/// Calls of each stream on each way.
const ROUNDS: usize = 20;

/// How long the model thinks. Real ones take ten times as long.
const THINKS: Duration = Duration::from_millis(30);

/// Events of a long answer, of about 1 KB each.
const LONG: usize = 50_000;

/// An agent that only holds its turn open.
const SILENT: &str =
    r#"sh -c 'case "$*" in *--version*) echo 1.0.0;; *) cat >/dev/null;; esac' agent"#;

const SOON: Duration = Duration::from_secs(30);

pub(crate) async fn measure(session: &mut Session) -> anyhow::Result<()> {
    let upstream = upstream().await?;
    let home = daemons::home(&session.home("gateway")?)?;
    let project = SampleProject::calc(home.place("calc"))?;
    let mut daemon = TestDaemon::stopped(home);
    daemons::start(&mut daemon, SOON).await?;
    let (gateway, token) = open_turn(&daemon, &project, upstream).await?;
    let before = Memory::of(daemon.pid())?;
    let (mut direct, mut through) = (Samples::default(), Samples::default());
    for _ in 0..ROUNDS {
        direct.extend(round(upstream, KEY).await?);
        through.extend(round(gateway, &token).await?);
    }
    for (percent, target) in [(50.0, 1.0), (99.0, 5.0)] {
        session.report.add(
            format!("gateway: added time to first byte, p{percent}"),
            (through.ms(percent) - direct.ms(percent), "ms"),
            Target::AtMost(target),
            format!(
                "{STREAMS} streams at once, the model thinks {THINKS:?}; direct {}, through {}",
                direct.words(),
                through.words()
            ),
        );
    }
    let (mut one, mut other) = (0.0, 0.0);
    for _ in 0..3 {
        one += speed(upstream, KEY).await?;
        other += speed(gateway, &token).await?;
    }
    session.report.add(
        "gateway: throughput lost in a long answer",
        ((1.0 - other / one) * 100.0, "%"),
        Target::AtMost(5.0),
        format!(
            "direct {:.0} MB/s, through {:.0} MB/s",
            one / 3.0,
            other / 3.0
        ),
    );
    let after = Memory::of(daemon.pid())?;
    session.report.add(
        "gateway: memory it grew by",
        ((after.resident as f64 - before.resident as f64) / 1e6, "MB"),
        Target::AtMost(20.0),
        format!(
            "{} calls and {} MB passed",
            STREAMS * ROUNDS + 3,
            3 * LONG / 1000
        ),
    );
    daemon.terminate().await?;
    Ok(())
}

/// A run whose agent's calls can be made by somebody else: the gateway and the token.
async fn open_turn(
    daemon: &TestDaemon,
    project: &SampleProject,
    upstream: SocketAddr,
) -> anyhow::Result<(SocketAddr, String)> {
    let url = format!("http://{upstream}");
    let add = [
        "backend",
        "add",
        "agent",
        "--kind",
        "claude-code",
        "--command",
        SILENT,
        "--base-url",
        &url,
        "--key-env",
        "LH_BENCH_KEY",
    ];
    daemon.cli(&add).await?.ok()?;
    let project = project.path().display().to_string();
    let run = [
        "run",
        "--project",
        &project,
        "--backend",
        "agent",
        "--max-cost",
        "100000",
        "--max-tokens",
        "1000000000",
        "--detach",
        "--json",
        "wait",
    ];
    daemon.cli(&run).await?.ok()?;
    let until = Instant::now() + SOON;
    loop {
        for process in daemon.home.processes() {
            let variable = |name: &str| variable(process, name);
            if let (Some(token), Some(url)) = (
                variable("ANTHROPIC_API_KEY"),
                variable("ANTHROPIC_BASE_URL"),
            ) {
                let address = url.strip_prefix("http://").context("an address")?;
                return Ok((address.parse()?, token));
            }
        }
        ensure!(
            Instant::now() < until,
            "the agent does not start:\n{}",
            daemon.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn variable(process: ProcessId, name: &str) -> Option<String> {
    let bytes = fs::read(format!("/proc/{}/environ", process.pid)).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    let value = pairs.find(|(found, _)| *found == name)?.1;
    Some(value.to_owned())
}

/// One call of each stream, all at once; the times to their first bytes.
async fn round(at: SocketAddr, key: &str) -> anyhow::Result<Samples> {
    let mut calls = JoinSet::new();
    for _ in 0..STREAMS {
        let key = key.to_owned();
        calls.spawn(async move { call(at, &key, 20).await });
    }
    let mut samples = Samples::default();
    while let Some(done) = calls.join_next().await {
        samples.push(done??.0);
    }
    Ok(samples)
}

/// Megabytes a second of a long answer.
async fn speed(at: SocketAddr, key: &str) -> anyhow::Result<f64> {
    let began = Instant::now();
    let (first, bytes) = call(at, key, LONG).await?;
    Ok(bytes as f64 / 1e6 / (began.elapsed() - first).as_secs_f64())
}

/// A call: how long its first byte took, and how many bytes came.
async fn call(at: SocketAddr, key: &str, events: usize) -> anyhow::Result<(Duration, usize)> {
    let body = format!(
        r#"{{"model":"claude-sonnet-5-5","max_tokens":100,"stream":true,"events":{events},"messages":[]}}"#
    );
    let mut stream = TcpStream::connect(at).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {at}\r\nx-api-key: {key}\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let began = Instant::now();
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = vec![0; 64 * 1024];
    let (mut first, mut bytes, mut head) = (None, 0, Vec::new());
    loop {
        let n = stream.read(&mut buffer).await?;
        first.get_or_insert_with(|| began.elapsed());
        if head.len() < 64 {
            head.extend_from_slice(&buffer[..n.min(64)]);
        }
        bytes += n;
        if n == 0 {
            break;
        }
    }
    ensure!(
        head.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&head)
    );
    Ok((first.unwrap_or_default(), bytes))
}

/// A server that answers every request with as many events as it asks for.
async fn upstream() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    Ok(address)
}

/// Requests of one connection, one after the other.
async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut came = Vec::new();
    loop {
        let Some(end) = came.windows(4).position(|w| w == b"\r\n\r\n") else {
            if stream.read_buf(&mut came).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let head = String::from_utf8_lossy(&came[..end]).to_ascii_lowercase();
        let number = |text: &str, after: &str| {
            let rest = text.split(after).nth(1)?;
            let digits: String = rest
                .trim_start()
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            digits.parse::<usize>().ok()
        };
        let length = number(&head, "content-length:").unwrap_or(0);
        while came.len() < end + 4 + length {
            if stream.read_buf(&mut came).await? == 0 {
                return Ok(());
            }
        }
        let body = String::from_utf8_lossy(&came[end + 4..end + 4 + length]).into_owned();
        came.drain(..end + 4 + length);
        tokio::time::sleep(THINKS).await;
        answer(&mut stream, number(&body, "\"events\":").unwrap_or(0)).await?;
        if head.contains("connection: close") {
            return stream.shutdown().await;
        }
    }
}

async fn answer(stream: &mut TcpStream, events: usize) -> std::io::Result<()> {
    let chunk = |data: &str| {
        let text = format!("data: {data}\n\n");
        format!("{:x}\r\n{text}\r\n", text.len())
    };
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let start = r#"{"type":"message_start","message":{"model":"claude-sonnet-5-5","usage":{"input_tokens":9,"output_tokens":1}}}"#;
    stream
        .write_all(format!("{head}{}", chunk(start)).as_bytes())
        .await?;
    let piece = format!(
        r#"{{"type":"content_block_delta","index":0,"delta":{{"text":"{}"}}}}"#,
        "x".repeat(940)
    );
    let many = chunk(&piece).repeat(20);
    for _ in 0..events / 20 {
        stream.write_all(many.as_bytes()).await?;
    }
    let end = [
        r#"{"type":"message_delta","usage":{"output_tokens":7}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let end: String = end.iter().map(|data| chunk(data)).collect();
    stream.write_all(format!("{end}0\r\n\r\n").as_bytes()).await
}
