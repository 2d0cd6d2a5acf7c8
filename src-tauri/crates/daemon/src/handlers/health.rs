//! The daemon itself: status, doctor, backups, the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::{
    ApiError, BackupMade, BackupRequest, DaemonMode, DaemonStatus, DoctorReport, DoctorRequest,
    ErrorCode, Finding, FindingLevel, LockView, PROTOCOL, RestoreRequest, Restored, SandboxState,
    StatusRequest, StopHow, StopRequest, Stopping, VersionInfo, VersionRequest,
};

use store::BackupError;

use crate::api::{Api, Ending, Working};

pub(crate) async fn version(api: &Api, _request: VersionRequest) -> Result<VersionInfo, ApiError> {
    let store = api.inner.working.as_ref().map(|working| &working.store);
    Ok(VersionInfo {
        version: api.inner.options.version.to_owned(),
        protocol: PROTOCOL,
        pid: std::process::id(),
        mode: api.mode(),
        cursor: store.map(|store| store.cursor(store.last_gseq())),
    })
}

pub(crate) async fn status(api: &Api, _request: StatusRequest) -> Result<DaemonStatus, ApiError> {
    let paths = &api.inner.options.paths;
    let mut status = DaemonStatus {
        pid: std::process::id(),
        version: api.inner.options.version.to_owned(),
        home: paths.home.display().to_string(),
        socket: paths.socket.display().to_string(),
        uptime_s: u64::try_from(api.inner.clock.now().ms_since(api.inner.began) / 1000)
            .unwrap_or_default(),
        mode: api.mode(),
        trouble: match &api.inner.trouble {
            Some(trouble) => Some(trouble.words()),
            None => no_space(&paths.home),
        },
        sandbox: None,
        rules_trouble: None,
        slots: 0,
        slots_used: 0,
        runs: BTreeMap::new(),
        open_reviews: 0,
        locks: Vec::new(),
        webhook: None,
        listen: api.inner.listens.get().map(ToString::to_string),
        protocol: PROTOCOL,
        cursor: None,
    };
    if let Some(working) = &api.inner.working {
        let store = &working.store;
        status.cursor = Some(store.cursor(store.last_gseq()));
        let sandbox = working.engine.sandbox().await;
        status.sandbox = Some(SandboxState {
            available: sandbox.available,
            used: sandbox.used,
            detail: sandbox.detail,
        });
        status.rules_trouble = working.engine.rules_trouble().await;
        let (slots, used) = working.engine.slots();
        status.slots = u32::try_from(slots).unwrap_or(u32::MAX);
        status.slots_used = u32::try_from(used).unwrap_or(u32::MAX);
        for (state, count) in working
            .store
            .run_counts()
            .await
            .map_err(ApiError::internal)?
        {
            status
                .runs
                .insert(state.to_string(), u32::try_from(count).unwrap_or(u32::MAX));
        }
        let open = working
            .store
            .count_open_reviews(api.inner.clock.now())
            .await
            .map_err(ApiError::internal)?;
        status.open_reviews = u32::try_from(open).unwrap_or(u32::MAX);
        status.locks = locks(working).await?;
        status.webhook = crate::webhook::state(working).await?;
    }
    Ok(status)
}

async fn locks(working: &Working) -> Result<Vec<LockView>, ApiError> {
    let mut views = Vec::new();
    for engine::Lock { lease, waiting } in
        working.engine.locks().await.map_err(ApiError::internal)?
    {
        let row = working.store.run_row(lease.run).await;
        let title = row.map_err(ApiError::internal)?.map(|row| row.title);
        views.push(LockView {
            scope: lease.scope,
            run: lease.run,
            title: title.unwrap_or_default(),
            purpose: lease.purpose.word().to_owned(),
            since: lease.taken_at.into(),
            beat: lease.beat_at.into(),
            waiting,
        });
    }
    Ok(views)
}

/// Less than this many bytes free is as good as a full disk: a commit with its log
/// and a file of contents may need as much.
const SPACE_NEEDED: u64 = 1 << 20;

/// Words about a disk without space for the home.
fn no_space(home: &Path) -> Option<String> {
    let disk = rustix::fs::statvfs(home).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    (free < SPACE_NEEDED).then(|| {
        format!(
            "the disk with {} is full ({free} bytes are free): runs wait until there is space. Free some; they go on by themselves",
            home.display()
        )
    })
}

pub(crate) async fn doctor(api: &Api, _request: DoctorRequest) -> Result<DoctorReport, ApiError> {
    let home = api.home();
    let report = apart(async move || store::doctor(&home).await).await?;
    let mut findings: Vec<Finding> = report
        .checks
        .into_iter()
        .map(|check| Finding {
            level: if check.ok {
                FindingLevel::Ok
            } else {
                FindingLevel::Problem
            },
            area: check.name.to_owned(),
            what: check.detail,
            advice: check.hint,
        })
        .collect();
    let mut problem = |area: &str, what: String, advice: &str| {
        findings.push(Finding {
            level: FindingLevel::Problem,
            area: area.to_owned(),
            what,
            advice: Some(advice.to_owned()),
        });
    };
    if let Some(trouble) = &api.inner.trouble {
        problem("start", trouble.what.clone(), &trouble.hint);
    }
    if let Some(words) = no_space(&api.inner.options.paths.home) {
        problem("space", words, "Free some space on that disk.");
    }
    if let Some(working) = &api.inner.working {
        for broken in super::idle_rules::broken(working).await? {
            let advice = "Everything is reviewed until the file can be read: mend it there.";
            findings.push(Finding {
                level: FindingLevel::Problem,
                area: "rules".to_owned(),
                what: format!("{}: {}", broken.file, broken.why),
                advice: Some(advice.to_owned()),
            });
        }
        findings.push(sandbox_finding(working.engine.sandbox().await));
    }
    let ok = findings
        .iter()
        .all(|finding| finding.level != FindingLevel::Problem);
    Ok(DoctorReport { ok, findings })
}

fn sandbox_finding(sandbox: engine::SandboxReport) -> Finding {
    let advice = "Without one, commands of runs can do whatever you can: install bubblewrap, or \
                  set `sandbox` to auto.";
    Finding {
        level: if sandbox.used {
            FindingLevel::Ok
        } else {
            FindingLevel::Warning
        },
        area: "sandbox".to_owned(),
        what: sandbox.detail,
        advice: (!sandbox.used).then(|| advice.to_owned()),
    }
}

pub(crate) async fn backup(api: &Api, request: BackupRequest) -> Result<BackupMade, ApiError> {
    let to = request.file.map(PathBuf::from);
    if to.as_ref().is_some_and(|file| !file.is_absolute()) {
        return Err(not_absolute());
    }
    let refused = |e: BackupError| {
        ApiError::new(
            ErrorCode::Conflict,
            e.to_string(),
            "choose another file, or make room",
        )
    };
    if let Some(there) = to.as_ref().filter(|to| to.exists()) {
        return Err(ApiError::new(
            ErrorCode::Conflict,
            format!("{} exists already", there.display()),
            "choose another name: nothing is written over",
        ));
    }
    if let Some(working) = &api.inner.working {
        let made = working.store.backup(to).await.map_err(refused)?;
        return Ok(BackupMade {
            file: made.file.display().to_string(),
            bytes: made.bytes,
            warning: None,
        });
    }
    let copied = store::copy_damaged(&api.home(), to, api.inner.clock.now())
        .await
        .map_err(refused)?;
    Ok(BackupMade {
        file: copied.folder.display().to_string(),
        bytes: copied.bytes,
        warning: Some(
            "the store cannot be opened: this is a folder with its files as they are, not a backup that can be restored"
                .to_owned(),
        ),
    })
}

fn not_absolute() -> ApiError {
    ApiError::usage("the backup's path must be absolute", "give a full path")
}

/// Work that reads a whole store: on a thread of its own, so that nobody waits behind it.
async fn apart<T, F>(work: impl FnOnce() -> F + Send + 'static) -> Result<T, ApiError>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(work()))
        .await
        .map_err(ApiError::internal)
}

/// How long workers that wait for something may take to let go of the store.
const LET_GO: Duration = Duration::from_secs(5);

/// Puts a backup in the place of the store's files, damaged or not. A store that is
/// open is closed first: it cannot be replaced under its writer. The daemon ends then,
/// and the next one opens what is there.
pub(crate) async fn restore(api: &Api, request: RestoreRequest) -> Result<Restored, ApiError> {
    let file = PathBuf::from(&request.file);
    if !file.is_absolute() {
        return Err(not_absolute());
    }
    // Looked at before anything is stopped for it.
    let candidate = file.clone();
    apart(async move || store::check_backup(&candidate).await)
        .await?
        .map_err(unusable)?;
    if api.mode() == DaemonMode::Draining {
        return Err(ApiError::new(
            ErrorCode::Conflict,
            "the daemon is about to end",
            "try again in a moment",
        ));
    }
    if let Some(working) = &api.inner.working {
        let (_, busy) = working.engine.slots();
        if busy > 0 {
            return Err(ApiError::new(
                ErrorCode::Conflict,
                format!("{busy} run(s) work on the store that would be replaced"),
                "pause them first (`longhaul pause --all`), then restore",
            ));
        }
        working.engine.leave(LET_GO).await;
        working.store.close().await;
    }
    let (home, owned, now) = (api.home(), api.inner.owned.clone(), api.inner.clock.now());
    let restored = apart(async move || store::restore_owned(&owned, &home, &file, now).await).await;
    // The next start opens what is there now, restored or as it was.
    api.end(Ending::Now);
    let kept = restored?.map_err(unusable)?;
    tracing::warn!(file = %request.file, kept = %kept.display(), "restored");
    Ok(Restored {
        file: request.file,
        kept: Some(kept.display().to_string()),
    })
}

fn unusable(error: BackupError) -> ApiError {
    let hint = match &error {
        BackupError::Newer { .. } => "install the newer Longhaul again",
        BackupError::Failed(_) => "make room, or look at the home folder's permissions",
        _ => "is it a backup made by `longhaul backup`? The home's own are in its backups folder",
    };
    ApiError::new(ErrorCode::Conflict, error.to_string(), hint)
}

pub(crate) async fn stop(api: &Api, request: StopRequest) -> Result<Stopping, ApiError> {
    api.end(match request.how {
        StopHow::Now => Ending::Now,
        StopHow::Drain => Ending::Drain,
    });
    Ok(Stopping {
        pid: std::process::id(),
    })
}
