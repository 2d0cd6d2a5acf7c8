//! The daemon itself: status, doctor, backups, the end.

use std::collections::BTreeMap;
use std::path::PathBuf;

use protocol::{
    ApiError, BackupMade, BackupRequest, DaemonMode, DaemonStatus, DoctorReport, DoctorRequest,
    ErrorCode, Finding, FindingLevel, PROTOCOL, RestoreRequest, Restored, StatusRequest, StopHow,
    StopRequest, Stopping, VersionInfo, VersionRequest,
};

use crate::api::{Api, Ending};
use crate::peer::{Peer, must_be_outside};

pub(crate) async fn version(
    api: &Api,
    _peer: Peer,
    _request: VersionRequest,
) -> Result<VersionInfo, ApiError> {
    let store = api.inner.working.as_ref().map(|working| &working.store);
    Ok(VersionInfo {
        version: api.inner.options.version.to_owned(),
        protocol: PROTOCOL,
        pid: std::process::id(),
        mode: api.mode(),
        cursor: store.map(|store| store.cursor(store.last_gseq())),
    })
}

pub(crate) async fn status(
    api: &Api,
    _peer: Peer,
    _request: StatusRequest,
) -> Result<DaemonStatus, ApiError> {
    let paths = &api.inner.options.paths;
    let mut status = DaemonStatus {
        pid: std::process::id(),
        version: api.inner.options.version.to_owned(),
        home: paths.home.display().to_string(),
        socket: paths.socket.display().to_string(),
        uptime_s: u64::try_from(api.inner.clock.now().ms_since(api.inner.began) / 1000)
            .unwrap_or_default(),
        mode: api.mode(),
        trouble: api.inner.trouble.clone(),
        slots: 0,
        slots_used: 0,
        runs: BTreeMap::new(),
        open_reviews: 0,
    };
    if let Some(working) = &api.inner.working {
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
        let open = store::ReviewFilter {
            status: Some(store::ReviewStatus::Open),
            ..store::ReviewFilter::default()
        };
        let open = working
            .store
            .reviews(&open)
            .await
            .map_err(ApiError::internal)?;
        status.open_reviews = u32::try_from(open.len()).unwrap_or(u32::MAX);
    }
    Ok(status)
}

pub(crate) async fn doctor(
    api: &Api,
    _peer: Peer,
    _request: DoctorRequest,
) -> Result<DoctorReport, ApiError> {
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
    if let Some(trouble) = &api.inner.trouble {
        findings.push(Finding {
            level: FindingLevel::Problem,
            area: "store".to_owned(),
            what: trouble.clone(),
            advice: Some(
                "`longhaul restore FILE` brings a backup back; nothing is deleted by it".to_owned(),
            ),
        });
    }
    let ok = findings
        .iter()
        .all(|finding| finding.level != FindingLevel::Problem);
    Ok(DoctorReport { ok, findings })
}

pub(crate) async fn backup(
    api: &Api,
    _peer: Peer,
    request: BackupRequest,
) -> Result<BackupMade, ApiError> {
    let to = request.file.map(PathBuf::from);
    if to.as_ref().is_some_and(|file| !file.is_absolute()) {
        return Err(ApiError::usage(
            "the backup's path must be absolute",
            "give a full path",
        ));
    }
    let made = api.working()?.store.backup(to).await.map_err(|e| {
        ApiError::new(
            ErrorCode::Conflict,
            e.to_string(),
            "choose another file, or make room",
        )
    })?;
    Ok(BackupMade {
        file: made.file.display().to_string(),
        bytes: made.bytes,
    })
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

/// Puts a backup in the place of the damaged files. Only in maintenance mode: a
/// store that is open cannot be replaced under its writer.
pub(crate) async fn restore(
    api: &Api,
    peer: Peer,
    request: RestoreRequest,
) -> Result<Restored, ApiError> {
    must_be_outside(peer, api.home().join("keepers")).await?;
    if api.mode() != DaemonMode::Maintenance {
        return Err(ApiError::new(
            ErrorCode::Conflict,
            "the daemon works on the store that would be replaced",
            "stop it first (`longhaul daemon stop`), then restore",
        ));
    }
    let (home, file, now) = (
        api.home(),
        PathBuf::from(&request.file),
        api.inner.clock.now(),
    );
    let kept = apart(async move || store::restore(&home, &file, now).await)
        .await?
        .map_err(|e| {
            ApiError::new(
                ErrorCode::Conflict,
                e.to_string(),
                "is it a backup made by `longhaul backup`?",
            )
        })?;
    // The next start opens what was restored.
    api.end(Ending::Now);
    Ok(Restored {
        file: request.file,
        kept: Some(kept.display().to_string()),
    })
}

pub(crate) async fn stop(
    api: &Api,
    peer: Peer,
    request: StopRequest,
) -> Result<Stopping, ApiError> {
    must_be_outside(peer, api.home().join("keepers")).await?;
    api.end(match request.how {
        StopHow::Now => Ending::Now,
        StopHow::Drain => Ending::Drain,
    });
    Ok(Stopping {
        pid: std::process::id(),
    })
}
