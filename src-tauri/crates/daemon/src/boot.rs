//! From nothing to a serving daemon, and back. Reads from top to bottom.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, InterruptCause, Timestamp};
use engine::{Engine, Parts};
use protocol::{ApiError, DaemonMode, ErrorCode, VersionRequest};
use secrets::{Credentials, Keychain, Redactor};
use store::{OwnedBy, Ownership, Store, StoreConfig};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::Options;
use crate::api::{Api, Ending, Trouble, Working};
use crate::buckets::Buckets;
use crate::clock::SystemClock;
use crate::listen::{Entrance, url_file};
use crate::notifier::{self, Notifier};
use crate::rehearsal::Stage;
use crate::server::{self, UserSocket};
use crate::settings::Config;
use crate::settings::live::Live;
use crate::{environment, gateway, logs, webhook};

/// How long a daemon waits for whoever has the home to let go of it. A client waits
/// 20 s for a new daemon.
const HANDOVER: Duration = Duration::from_secs(15);

/// How often it looks meanwhile whether it is a daemon that means to stay.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often the daemon shows that it lives while anything works.
const BEAT: Duration = Duration::from_secs(15);

/// How long after something was recorded the age of the newest backup is looked at.
const BACKUP_LOOK: Duration = Duration::from_secs(3600);

/// Serves until it is told to stop.
pub(crate) async fn serve(mut options: Options) -> Result<(), ApiError> {
    // For tests of what two versions do when they meet.
    for (switch, version) in [("older_version", "0.0.1"), ("newer_version", "999.0.0")] {
        if faults::sabotaged(switch) {
            options.version = version;
        }
    }
    let home = options.paths.home.clone();
    make_private(&home)?;
    make_private(&options.paths.logs())?;
    let config = Config::read(&options.paths.config())
        .map_err(|e| ApiError::usage(e.to_string(), "mend the file, or remove the line"))?;
    let (_logs, change_log) = logs::start(&options.paths.logs(), config.log())?;
    // From here on, so that none of them ends the daemon in the middle of something.
    let signals = Signals::new().map_err(ApiError::internal)?;
    let owned = Arc::new(own(&options.paths).await?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (store, mut trouble) = match open(&home, clock.clone()).await {
        Ok(store) => (Some(store), None),
        Err(trouble) => (None, Some(trouble)),
    };
    let shut = CancellationToken::new();
    let mut working = match store {
        Some(store) => {
            // Before anything goes on: agents that live are knocking already.
            let gateway = gateway::open(&home).await?;
            let working = work(
                &options,
                &config,
                clock.clone(),
                store,
                Some(gateway.door()),
            )?;
            gateway.serve(&working.engine, shut.clone());
            Some(working)
        }
        None => None,
    };
    let socket = UserSocket::bind(&options.paths.socket)?;
    let entrance = match options.listen {
        Some(wanted) => Some(Entrance::open(wanted, url_file(&options.paths.socket)).await?),
        None => None,
    };
    write_pid(&options)?;
    let stage = Stage::default();
    if let Some(parts) = &working
        && let Err(error) = stage.reopen(parts).await
    {
        tracing::warn!(%error, "the rehearsal's model does not answer");
    }
    if let Some(parts) = &working
        && let Err(why) = recover(parts, &home).await
    {
        tracing::error!(%why, "what was interrupted cannot be recovered: maintenance mode");
        parts.engine.leave(Duration::ZERO).await;
        parts.store.close().await;
        working = None;
        trouble = Some(Trouble::unrecoverable(&why));
    }
    let settings = Live::new(options.paths.config(), config, Some(change_log));
    let api = Api::new(
        options.clone(),
        clock,
        owned,
        working,
        trouble,
        settings,
        stage,
    );
    tracing::info!(
        version = options.version,
        pid = std::process::id(),
        mode = ?api.mode(),
        "the daemon serves"
    );
    if let Some(working) = &api.inner.working {
        start_chores(&api, working);
        api.inner.settings.apply(working);
    }
    let closing = api.inner.closing.clone();
    let url = entrance.as_ref().map(|entrance| entrance.file().to_owned());
    if let Some(entrance) = entrance {
        let (url, api, closing) = (entrance.url(), api.clone(), closing.clone());
        tokio::spawn(server::serve_browsers(entrance, api, closing));
        (options.announce)(&url);
    }
    let serving = tokio::spawn(server::serve(socket, api.clone(), closing.clone()));
    let how = wait_for_the_end(&api, signals).await?;
    leave(&api, how).await;
    shut.cancel();
    closing.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(5), serving).await;
    if let Some(working) = &api.inner.working {
        working.store.close().await;
    }
    let _ = std::fs::remove_file(options.paths.pid_file());
    let _ = std::fs::remove_file(&options.paths.socket);
    if let Some(url) = url {
        let _ = std::fs::remove_file(url);
    }
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

/// Takes the home. Whoever is leaving it, or a stranger, is waited for; a daemon that
/// answers and means to stay is not.
async fn own(paths: &client::Paths) -> Result<Ownership, ApiError> {
    let deadline = tokio::time::Instant::now() + HANDOVER;
    loop {
        let home = paths.home.clone();
        let owned = tokio::task::spawn_blocking(move || Ownership::acquire(&home, LOOK_EVERY))
            .await
            .map_err(ApiError::internal)?;
        let pid = match owned {
            Ok(owned) => return Ok(owned),
            Err(OwnedBy::Process { pid }) => pid,
            Err(other) => {
                return Err(ApiError::new(
                    ErrorCode::Unreachable,
                    other.to_string(),
                    "look at the home folder's permissions",
                ));
            }
        };
        let who = client::Client::connect(&paths.socket);
        let who = tokio::time::timeout(LOOK_EVERY, who.version(VersionRequest {})).await;
        if let Ok(Ok(who)) = who
            && who.mode != DaemonMode::Draining
        {
            return Err(taken(&paths.home, Some(who.pid)));
        }
        if tokio::time::Instant::now() >= deadline {
            // The lock's file keeps the number of a daemon that died.
            let lives = keeper::ProcessId::of(pid).is_some();
            return Err(taken(&paths.home, lives.then_some(pid)));
        }
    }
}

fn taken(home: &Path, by: Option<u32>) -> ApiError {
    let home = home.display();
    match by {
        Some(pid) => ApiError::new(
            ErrorCode::Conflict,
            format!("another Longhaul daemon (process {pid}) has {home}"),
            "use that one, or stop it with `longhaul daemon stop`",
        ),
        None => ApiError::new(
            ErrorCode::Conflict,
            format!("another program keeps {home}/daemon.lock locked"),
            "end that program (`fuser` or `lsof` name it), then try again",
        ),
    }
}

/// Opens the store, or says why it cannot be.
pub(crate) async fn open(home: &Path, clock: Arc<dyn Clock>) -> Result<Store, Trouble> {
    let config = StoreConfig {
        home: home.to_owned(),
        clock,
    };
    Store::open(config).await.map_err(|error| {
        tracing::error!(%error, "the store cannot be opened: maintenance mode");
        Trouble::of(&error)
    })
}

/// Settles what an earlier daemon left open.
async fn recover(working: &Working, home: &Path) -> Result<(), String> {
    let cause = if rebooted(home) {
        InterruptCause::Reboot
    } else {
        InterruptCause::DaemonDied
    };
    let recovered = working.engine.recover(last_beat(home), cause).await?;
    tracing::info!(?recovered, "recovered");
    Ok(())
}

/// Puts the parts together.
pub(crate) fn work(
    options: &Options,
    config: &Config,
    clock: Arc<dyn Clock>,
    store: Store,
    gateway: Option<::gateway::Door>,
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
        gateway,
    });
    Ok(Working {
        store,
        engine,
        credentials,
        redactor,
        notifier: Notifier::new(config.notices()),
        teller: Arc::default(),
        buckets: Buckets::default(),
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
    let engine = working.engine.clone();
    tokio::spawn(async move { engine.keep_tidy().await });
    let engine = working.engine.clone();
    tokio::spawn(async move { engine.mind_expiry().await });
    tokio::spawn(notifier::tell(api.clone()));
    tokio::spawn(webhook::deliver(api.clone()));
    let heard = api.inner.heard.clone();
    tokio::spawn(heard.listen(working.engine.clone(), api.inner.clock.clone()));
    let (engine, home) = (working.engine.clone(), api.home());
    tokio::spawn(async move {
        loop {
            // Only while something works: an idle daemon sleeps and leaves the disk alone.
            engine.until_working().await;
            if let Err(error) = std::fs::write(home.join("alive"), b"") {
                tracing::warn!(%error, "the heartbeat could not be written");
            }
            tokio::time::sleep(BEAT).await;
        }
    });
    let store = working.store.clone();
    tokio::spawn(async move {
        let mut grown = store.subscribe();
        loop {
            match store.backup_if_due().await {
                Ok(Some(made)) => tracing::info!(file = %made.file.display(), "backed up"),
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "the daily backup failed"),
            }
            // What has not changed needs no other copy, and an idle daemon no alarm clock.
            if grown.changed().await.is_err() {
                return;
            }
            tokio::time::sleep(BACKUP_LOOK).await;
        }
    });
}

/// The signals a daemon minds.
struct Signals {
    term: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Whether there is a terminal that could be closed.
    terminal: bool,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            terminal: std::fs::File::open("/dev/tty").is_ok(),
        })
    }

    /// Returns when one of them says that the daemon is to end.
    async fn end(&mut self) {
        loop {
            tokio::select! {
                _ = self.term.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    // Without a terminal of its own nothing was hung up that is its concern.
                    if self.terminal {
                        return;
                    }
                    tracing::info!("a hangup was ignored");
                }
            }
        }
    }
}

/// A signal, a request, or a store that can no longer be written.
async fn wait_for_the_end(api: &Api, mut signals: Signals) -> Result<Ending, ApiError> {
    let mut ending = api.inner.ending.subscribe();
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
        () = signals.end() => Ending::Now,
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
