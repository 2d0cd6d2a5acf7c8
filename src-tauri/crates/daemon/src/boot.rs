//! From nothing to a serving daemon, and back. Reads from top to bottom.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, InterruptCause, Timestamp};
use engine::{Engine, Parts};
use protocol::{ApiError, ErrorCode};
use secrets::{Credentials, Keychain, Redactor};
use store::{OwnedBy, Ownership, Store, StoreConfig};
use tokio::signal::unix::{SignalKind, signal};

use crate::Options;
use crate::api::{Api, Ending, Working};
use crate::clock::SystemClock;
use crate::server::{self, UserSocket};
use crate::settings::Config;
use crate::{environment, logs};

/// How long a daemon waits for its predecessor to let go of the home.
const HANDOVER: Duration = Duration::from_secs(10);

/// How often the daemon shows that it lives while anything works.
const BEAT: Duration = Duration::from_secs(15);

/// Serves until it is told to stop.
pub(crate) async fn serve(options: Options) -> Result<(), ApiError> {
    let home = options.paths.home.clone();
    make_private(&home)?;
    make_private(&options.paths.logs())?;
    let config = Config::read(&options.paths.config())
        .map_err(|e| ApiError::usage(e.to_string(), "mend the file, or remove the line"))?;
    let _logs = logs::start(
        &options.paths.logs(),
        config.log.as_deref().unwrap_or("info"),
    )?;
    let _owned = own(&home).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let last_alive = last_beat(&home);

    let (working, trouble) = match Store::open(StoreConfig {
        home: home.clone(),
        clock: clock.clone(),
    })
    .await
    {
        Ok(store) => (Some(work(&options, &config, clock.clone(), store)?), None),
        Err(error) => {
            tracing::error!(%error, "the store cannot be opened: maintenance mode");
            (None, Some(format!("{error}. {}", error.hint())))
        }
    };
    let socket = UserSocket::bind(&options.paths.socket)?;
    let api = Api::new(options.clone(), clock, working, trouble);
    write_pid(&options)?;
    tracing::info!(
        version = options.version,
        pid = std::process::id(),
        "the daemon serves"
    );

    if let Some(working) = &api.inner.working {
        let cause = if rebooted(&home) {
            InterruptCause::Reboot
        } else {
            InterruptCause::DaemonDied
        };
        let recovered = working
            .engine
            .recover(last_alive, cause)
            .await
            .map_err(ApiError::internal)?;
        tracing::info!(?recovered, "recovered");
        start_chores(&api, working);
    }
    let closing = api.inner.closing.clone();
    let serving = tokio::spawn(server::serve(socket, api.clone(), closing.clone()));
    let how = wait_for_the_end(&api).await?;
    leave(&api, how).await;
    closing.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(5), serving).await;
    if let Some(working) = &api.inner.working {
        working.store.close().await;
    }
    let _ = std::fs::remove_file(options.paths.pid_file());
    let _ = std::fs::remove_file(&options.paths.socket);
    tracing::info!("the daemon ended");
    Ok(())
}

fn make_private(folder: &Path) -> Result<(), ApiError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|e| {
            let words = format!("{} cannot be made: {e}", folder.display());
            ApiError::new(
                ErrorCode::Unreachable,
                words,
                "set LONGHAUL_HOME to a folder you can write to",
            )
        })
}

async fn own(home: &Path) -> Result<Ownership, ApiError> {
    let folder = home.to_owned();
    let owned = tokio::task::spawn_blocking(move || Ownership::acquire(&folder, HANDOVER))
        .await
        .map_err(ApiError::internal)?;
    owned.map_err(|by| match by {
        OwnedBy::Process { pid } => ApiError::new(
            ErrorCode::Conflict,
            format!(
                "another Longhaul daemon (process {pid}) has {}",
                home.display()
            ),
            "use that one, or stop it with `longhaul daemon stop`",
        ),
        other => ApiError::new(
            ErrorCode::Unreachable,
            other.to_string(),
            "look at the home folder's permissions",
        ),
    })
}

/// Puts the parts together.
fn work(
    options: &Options,
    config: &Config,
    clock: Arc<dyn Clock>,
    store: Store,
) -> Result<Working, ApiError> {
    let home_id = store.home_id().to_string();
    let credentials = Credentials::new(&home_id, Keychain::new(&home_id), environment::for_keys());
    let redactor = Redactor::new();
    let overrides = options.paths.home.join("prices.json");
    let engine = Engine::new(Parts {
        store: store.clone(),
        clock: clock.clone(),
        settings: config.engine(),
        home: options.paths.home.clone(),
        runtime_dir: options
            .paths
            .socket
            .parent()
            .unwrap_or(Path::new("/tmp"))
            .to_owned(),
        longhaul: options.program.clone(),
        base_env: environment::for_children(),
        limiter: limiter::Limiter::new(clock, config.limiter()),
        credentials: credentials.clone(),
        redactor: redactor.clone(),
        prices: prices(&overrides)?,
        http: agents::anthropic::Http::new().map_err(ApiError::internal)?,
    });
    Ok(Working {
        store,
        engine,
        credentials,
        redactor,
    })
}

/// The bundled price book, with the user's own `prices.json` over it.
fn prices(overrides: &Path) -> Result<pricing::PriceBook, ApiError> {
    let book = pricing::PriceBook::bundled();
    match std::fs::read_to_string(overrides) {
        Ok(text) => book.with_overrides(&text).map_err(|e| {
            ApiError::usage(
                format!("{}: {e}", overrides.display()),
                "mend the file, or remove it",
            )
        }),
        Err(_) => Ok(book),
    }
}

/// When an earlier daemon last showed that it lived.
fn last_beat(home: &Path) -> Option<Timestamp> {
    let modified = std::fs::metadata(home.join("alive"))
        .ok()?
        .modified()
        .ok()?;
    let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp(i64::try_from(since.as_millis()).ok()?))
}

/// Whether the machine was started since the home was last used; remembers this start.
fn rebooted(home: &Path) -> bool {
    let now = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let file = home.join("boot");
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    let _ = std::fs::write(&file, &now);
    !before.is_empty() && before != now
}

fn write_pid(options: &Options) -> Result<(), ApiError> {
    std::fs::write(options.paths.pid_file(), std::process::id().to_string())
        .map_err(ApiError::internal)
}

/// Heartbeat, sleep watch, daily backups.
fn start_chores(api: &Api, working: &Working) {
    let engine = working.engine.clone();
    tokio::spawn(async move { engine.watch_for_sleep().await });
    let (engine, home) = (working.engine.clone(), api.home());
    tokio::spawn(async move {
        loop {
            // Written only while something works: an idle daemon leaves the disk alone.
            if engine.slots().1 > 0
                && let Err(error) = std::fs::write(home.join("alive"), b"")
            {
                tracing::warn!(%error, "the heartbeat could not be written");
            }
            tokio::time::sleep(BEAT).await;
        }
    });
    let store = working.store.clone();
    tokio::spawn(async move {
        loop {
            match store.backup_if_due().await {
                Ok(Some(made)) => tracing::info!(file = %made.file.display(), "backed up"),
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "the daily backup failed"),
            }
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
    });
}

/// A signal, a request, or a store that can no longer be written.
async fn wait_for_the_end(api: &Api) -> Result<Ending, ApiError> {
    let mut ending = api.inner.ending.subscribe();
    let mut term = signal(SignalKind::terminate()).map_err(ApiError::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ApiError::internal)?;
    let store = api
        .inner
        .working
        .as_ref()
        .map(|working| working.store.clone());
    let broken = async {
        match store {
            Some(store) => store.broken().await.to_string(),
            None => std::future::pending().await,
        }
    };
    let how = tokio::select! {
        // An OS shutdown gives little time: as a stop without draining.
        _ = term.recv() => Ending::Now,
        _ = interrupt.recv() => Ending::Now,
        how = ending.wait_for(|how| *how != Ending::No) => how.map(|how| *how).unwrap_or(Ending::Now),
        why = broken => {
            // Guessing on would be worse than stopping: what was acknowledged is safe.
            tracing::error!(%why, "the store can no longer be written: the daemon ends");
            return Err(ApiError::internal(why));
        }
    };
    Ok(how)
}

async fn leave(api: &Api, how: Ending) {
    tracing::info!(?how, "the daemon leaves");
    if let Some(working) = &api.inner.working {
        let grace = if how == Ending::Drain {
            Duration::from_secs(30)
        } else {
            Duration::from_millis(500)
        };
        working.engine.leave(grace).await;
    }
}
