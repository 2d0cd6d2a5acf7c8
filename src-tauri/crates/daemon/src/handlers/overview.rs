//! How everything is that a user can do something about, and the daemon's own log.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use domain::{Run, Timestamp};
use protocol::{
    ApiError, BackupFile, DiskUse, Health, HealthRequest, LiveRun, LogLine, LogLines,
    LogLinesRequest, ServiceRequest, ServiceState, ServiceWish, StatusRequest, Working as Works,
    WorkspacesUse,
};
use secrets::KeychainError;
use serde_json::Value;

use crate::api::{Api, Working};
use crate::views;

/// Files and folders counted of one place; a place with more takes at least what these do.
const ENTRIES: usize = 200_000;

/// Most lines of the log in one answer.
const LINES: u32 = 500;

/// How much of the log's end is looked at.
const TAIL: u64 = 2 << 20;

/// Longest the OS supervisor is waited for.
const SUPERVISOR: Duration = Duration::from_secs(20);

pub(crate) async fn health(api: &Api, _request: HealthRequest) -> Result<Health, ApiError> {
    let working = api.working()?;
    let home = api.home();
    let measured = tokio::task::spawn_blocking(move || (disk(&home), backups(&home), free(&home)));
    let keychain = keychain(working);
    let service = service_state(api, ServiceWish::Status);
    let (measured, keychain, service) = tokio::join!(measured, keychain, service);
    let (disk, backups, free_bytes) = measured.map_err(ApiError::internal)?;
    let daemon = super::status(api, StatusRequest {}).await?;
    Ok(Health {
        locks: daemon.locks.clone(),
        sandbox: daemon.sandbox.clone(),
        daemon,
        disk,
        workspaces: working.engine.disk_care().map(workspaces_use),
        free_bytes,
        backups,
        live: live(api, working).await?,
        broken_rules: super::idle_rules::broken(working).await?,
        service: service.unwrap_or_else(|error| ServiceState {
            installed: false,
            running: None,
            offered: false,
            words: error.message,
        }),
        keychain,
    })
}

fn workspaces_use(care: engine::DiskCare) -> WorkspacesUse {
    let taken = care.work_bytes + care.snapshot_bytes;
    let (gib, budget) = (in_gib(taken), in_gib(care.budget_bytes));
    let mut words = format!(
        "{gib} of {budget} GiB are taken by {} workspaces.",
        care.workspaces
    );
    if care.freeable_runs > 0 {
        words.push_str(&format!(
            " {} GiB could be freed by discarding {} runs that are over: `longhaul discard RUN`.",
            in_gib(care.freeable_bytes),
            care.freeable_runs
        ));
    }
    if taken > care.budget_bytes {
        words.push_str(" That is too much; what is left is needed or not applied yet.");
    }
    WorkspacesUse {
        measured_at: care.at.into(),
        workspaces: care.workspaces,
        work_bytes: care.work_bytes,
        snapshot_bytes: care.snapshot_bytes,
        budget_bytes: care.budget_bytes,
        freeable_bytes: care.freeable_bytes,
        freeable_runs: care.freeable_runs,
        words,
    }
}

/// Gibibytes with one decimal.
fn in_gib(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 30;
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn disk(home: &Path) -> Vec<DiskUse> {
    let of = |what: &str, names: &[&str]| DiskUse {
        what: what.to_owned(),
        path: home.join(names[0]).display().to_string(),
        bytes: names.iter().map(|name| size(&home.join(name))).sum(),
    };
    vec![
        of("journal", &["state.db", "state.db-wal", "state.db-shm"]),
        of("large contents", &["blobs"]),
        of("workspaces", &["workspaces"]),
        of("output of commands and agents", &["keepers"]),
        of("backups", &["backups"]),
        of("logs", &["logs"]),
    ]
}

/// What a file or folder takes on the disk. Links are not followed.
fn size(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let (mut bytes, mut looked, mut front) = (0, 0, vec![path.to_owned()]);
    while let Some(path) = front.pop() {
        let Ok(meta) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        // The unit of st_blocks, whatever the file system's own (stat(2)).
        bytes += meta.blocks() * 512;
        looked += 1;
        if looked > ENTRIES {
            break;
        }
        if meta.is_dir() {
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            front.extend(entries.map(|entry| entry.path()));
        }
    }
    bytes
}

fn free(home: &Path) -> u64 {
    rustix::fs::statvfs(home).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// The home's backups, newest first. Each was opened and checked before it got its name.
fn backups(home: &Path) -> Vec<BackupFile> {
    let entries = std::fs::read_dir(home.join("backups"));
    let mut found: Vec<BackupFile> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|e| e == "db"))
        .filter_map(|entry| {
            let meta = entry.metadata().ok()?;
            let made = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            Some(BackupFile {
                file: entry.path().display().to_string(),
                at: Timestamp(i64::try_from(made.as_millis()).ok()?).into(),
                bytes: meta.len(),
                verified: true,
            })
        })
        .collect();
    found.sort_by_key(|backup| std::cmp::Reverse(backup.at));
    found
}

async fn live(api: &Api, working: &Working) -> Result<Vec<LiveRun>, ApiError> {
    let rows = working.store.unfinished_runs().await;
    let keepers = api.home().join("keepers");
    let mut live = Vec::new();
    for row in rows.map_err(ApiError::internal)? {
        let run = working.store.load(row.id).await;
        let Some(run) = run.map_err(ApiError::internal)? else {
            continue;
        };
        let heard = api.inner.heard.at(row.id).unwrap_or(row.updated_at);
        live.push(LiveRun {
            run: row.id,
            title: row.title,
            state: row.state,
            now: views::progress(&run).now.filter(|_| !row.state.at_rest()),
            heard_at: heard.max(row.updated_at).into(),
            memory_bytes: memory(&run, &keepers),
        });
    }
    Ok(live)
}

/// What the run's processes take, those of its commands and of its agent.
fn memory(run: &Run, keepers: &Path) -> Option<u64> {
    let commands = run.open_ops.values().filter_map(|op| op.keeper.as_deref());
    let agent = run.session.as_ref().map(|session| session.keeper.as_str());
    let mut names: Vec<&str> = commands.chain(agent).collect();
    names.sort_unstable();
    names.dedup();
    let taken: Vec<u64> = names
        .iter()
        .filter_map(|name| keeper::memory_of(&keepers.join(name)))
        .collect();
    (!taken.is_empty()).then(|| taken.iter().sum())
}

/// Asks for a key that is not there: who answers that could keep one.
async fn keychain(working: &Working) -> Works {
    let asked = working.credentials.keychain().get("no such key").await;
    match asked {
        Ok(_) | Err(KeychainError::NotFound(_)) => Works {
            ok: true,
            words: "The keychain answers.".to_owned(),
        },
        Err(error) => Works {
            ok: false,
            words: error.to_string(),
        },
    }
}

pub(crate) async fn service(api: &Api, request: ServiceRequest) -> Result<ServiceState, ApiError> {
    service_state(api, request.wish).await
}

/// The command line does it: it is where the service's file is written.
async fn service_state(api: &Api, wish: ServiceWish) -> Result<ServiceState, ApiError> {
    let word = match wish {
        ServiceWish::Install => "install",
        ServiceWish::Uninstall => "uninstall",
        ServiceWish::Status => "status",
    };
    let options = &api.inner.options;
    let mut command = tokio::process::Command::new(&options.program);
    command
        .args(["service", word, "--json"])
        .env("LONGHAUL_HOME", &options.paths.home)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(SUPERVISOR, command.output()).await;
    let failed =
        |why: String| ApiError::internal(format!("`longhaul service {word}` did not work: {why}"));
    let output = output
        .map_err(|_| failed("it does not end".to_owned()))?
        .map_err(|e| failed(e.to_string()))?;
    let said: Value = serde_json::from_slice(&output.stdout).map_err(|e| failed(e.to_string()))?;
    if let Some(error) = said.get("error") {
        return Err(serde_json::from_value(error.clone()).map_err(ApiError::internal)?);
    }
    if wish == ServiceWish::Status {
        return Ok(state_of(&said));
    }
    Box::pin(service_state(api, ServiceWish::Status)).await
}

fn state_of(said: &Value) -> ServiceState {
    let is = |field: &str| said.get(field).and_then(Value::as_bool);
    let installed = is("installed").unwrap_or(false);
    let running = is("active").filter(|_| installed);
    let words = match (installed, running, is("manager")) {
        (false, _, Some(false)) => {
            "Not installed, and no user service manager answers here: the daemon is started when it is needed."
        }
        (false, ..) => "Not installed: the daemon is started when it is needed.",
        (true, Some(true), _) => "The system keeps the daemon running.",
        (true, ..) => "Installed: the system starts the daemon at your next login.",
    };
    ServiceState {
        installed,
        running,
        offered: !installed && is("manager") == Some(true),
        words: words.to_owned(),
    }
}

pub(crate) async fn log_lines(api: &Api, request: LogLinesRequest) -> Result<LogLines, ApiError> {
    const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
    let wanted = request.level.as_deref().unwrap_or("trace").to_lowercase();
    let Some(least) = LEVELS.iter().position(|level| *level == wanted) else {
        return Err(ApiError::usage(
            format!("'{wanted}' is no level of the log"),
            format!("use one of: {}", LEVELS.join(", ")),
        ));
    };
    let folder = api.inner.options.paths.logs();
    let limit = request.limit.clamp(1, LINES) as usize;
    let text = tokio::task::spawn_blocking(move || newest_log(&folder))
        .await
        .map_err(ApiError::internal)?
        .map_err(|e| ApiError::internal(format!("the log cannot be read: {e}")))?;
    let mut lines: Vec<LogLine> = text
        .lines()
        .rev()
        .filter_map(parse_line)
        .filter(|line| LEVELS.iter().position(|l| *l == line.level) <= Some(least))
        .take(limit)
        .collect();
    lines.reverse();
    Ok(LogLines { lines })
}

/// The end of the newest log.
fn newest_log(folder: &Path) -> std::io::Result<String> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect();
    // Their names carry the day.
    files.sort();
    let Some(newest) = files.pop() else {
        return Ok(String::new());
    };
    let mut file = std::fs::File::open(newest)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A line as tracing's JSON has it; the first of a tail may be cut and is none.
fn parse_line(line: &str) -> Option<LogLine> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |field: &str| line.get(field)?.as_str().map(str::to_owned);
    let fields = line.get("fields")?.as_object()?;
    let mut message = fields
        .get("message")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    for (name, value) in fields.iter().filter(|(name, _)| *name != "message") {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        message.push_str(&format!(" {name}={value}"));
    }
    Some(LogLine {
        at: text("timestamp")?,
        level: text("level")?.to_lowercase(),
        target: text("target").unwrap_or_default(),
        message: message.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_reads_as_a_sentence() {
        let line = r#"{"timestamp":"2026-11-21T07:00:00.000000Z","level":"WARN","fields":{"message":"it failed","error":"no space","n":3},"target":"daemon::boot"}"#;
        let line = parse_line(line).expect("it is a line");
        assert_eq!(line.message, "it failed error=no space n=3");
        assert_eq!(
            (line.level.as_str(), line.target.as_str()),
            ("warn", "daemon::boot")
        );
        assert_eq!(parse_line("stamp\":\"2026"), None);
    }
}
