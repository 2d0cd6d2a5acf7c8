//! `daemon …`

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use client::{Client, ClientError, start_daemon_if_absent};
use protocol::{
    ApiError, DaemonMode, DaemonStatus, ErrorCode, StatusRequest, StopHow, StopRequest,
    VersionRequest,
};
use serde_json::json;

use crate::args::DaemonCommand;
use crate::context::{Context, VERSION};
use crate::failure::Failure;
use crate::print::safe;
use crate::times;

/// How long a daemon may take to end: a drain waits for a whole model call.
const STOP_PATIENCE: Duration = Duration::from_secs(600);

/// Is the daemon until it is told to end.
pub(super) fn run(
    context: &Context,
    detached: bool,
    listen: Option<SocketAddr>,
) -> Result<u8, Failure> {
    if detached {
        // Away from the terminal and process group of whoever started us. It fails only
        // for a group leader, which then has nothing to get away from.
        let _ = rustix::process::setsid();
    }
    let options = daemon::Options {
        paths: context.launch.paths.clone(),
        program: context.launch.program.clone(),
        version: VERSION,
        listen,
        announce: if detached { |_| {} } else { announce },
    };
    daemon::run(options)?;
    Ok(0)
}

/// Once, to whoever started it in a terminal: what to open in a browser.
fn announce(url: &str) {
    // A terminal that is gone cannot be told; the file beside the socket says the same.
    let _ = writeln!(std::io::stdout(), "{url}");
}

pub(super) async fn control(context: &Context, command: DaemonCommand) -> Result<u8, Failure> {
    let client = context.client_as_is();
    let print = &context.print;
    match command {
        DaemonCommand::Run { .. } => {}
        DaemonCommand::Start => {
            let info = start_daemon_if_absent(&context.launch).await?;
            print.either(&info, || {
                format!("daemon {} runs (pid {})", info.version, info.pid)
            })?;
        }
        DaemonCommand::Stop { drain } => {
            let how = if drain { StopHow::Drain } else { StopHow::Now };
            match client.stop(StopRequest { how }).await {
                Ok(stopping) => {
                    until_gone(&client).await?;
                    print.either(&stopping, || "the daemon has ended".to_owned())?;
                }
                // What is wanted is so already.
                Err(ClientError::Unreachable { .. }) => {
                    print.either(&json!({"pid": null}), || "no daemon is running".to_owned())?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        DaemonCommand::Status => {
            let status = client.status(StatusRequest {}).await?;
            print.either(&status, || words(context, &status))?;
        }
    }
    Ok(0)
}

pub(super) async fn until_gone(client: &Client) -> Result<(), Failure> {
    let gone = async {
        while client.version(VersionRequest {}).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    tokio::time::timeout(STOP_PATIENCE, gone)
        .await
        .map_err(|_| {
            Failure::Told(ApiError::new(
                ErrorCode::Timeout,
                "the daemon still finishes what is under way",
                "see `longhaul runs`; `longhaul daemon stop` does not wait",
            ))
        })
}

fn words(context: &Context, status: &DaemonStatus) -> String {
    let mode = match status.mode {
        DaemonMode::Normal => "running",
        DaemonMode::Draining => "about to end",
        DaemonMode::Maintenance => "in maintenance mode: the stored state cannot be opened",
    };
    let mut lines = vec![
        format!(
            "daemon {} {mode}, pid {}, up {}",
            status.version,
            status.pid,
            times::duration(status.uptime_s)
        ),
        format!("home    {}", status.home),
        format!("socket  {}", status.socket),
        format!("slots   {} of {} used", status.slots_used, status.slots),
    ];
    if let Some(address) = &status.listen {
        let file = std::path::Path::new(&status.socket).with_extension("url");
        lines.push(format!(
            "browser http://{address} (with its token in {})",
            file.display()
        ));
    }
    if let Some(trouble) = &status.trouble {
        lines.push(format!("trouble {trouble}"));
    }
    if let Some(sandbox) = &status.sandbox {
        let word = if sandbox.used {
            "sandbox"
        } else {
            "sandbox NONE:"
        };
        lines.push(format!("{word} {}", sandbox.detail));
    }
    if let Some(trouble) = &status.rules_trouble {
        lines.push(format!("rules   {trouble}: everything is reviewed"));
    }
    let runs: Vec<String> = status
        .runs
        .iter()
        .map(|(state, n)| format!("{n} {state}"))
        .collect();
    if !runs.is_empty() {
        lines.push(format!("runs    {}", runs.join(", ")));
    }
    if status.open_reviews > 0 {
        lines.push(format!("reviews {} open", status.open_reviews));
    }
    if let Some(webhook) = &status.webhook {
        let word = if webhook.ok {
            "webhook"
        } else {
            "webhook FAILS:"
        };
        let words = super::webhook::delivery_words(context, webhook);
        lines.push(format!("{word} {}: {words}", safe(&webhook.host)));
    }
    for lock in &status.locks {
        let does = if lock.purpose == "apply" {
            "is put into it"
        } else {
            "works in it"
        };
        let waiting = match lock.waiting.len() {
            0 => String::new(),
            n => format!("; {n} waiting"),
        };
        lines.push(format!(
            "locked  {}: '{}' ({}) {does} since {}{waiting}",
            lock.scope, lock.title, lock.run, lock.since
        ));
    }
    lines.join("\n")
}
