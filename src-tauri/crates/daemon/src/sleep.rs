//! The machine stays awake while runs work on mains power. A lid that is closed
//! all the same puts it to sleep: logind lets that pass, and the engine minds it.

mod power;
mod socket;
#[cfg(test)]
mod tests;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use zbus::connection::Builder;
use zbus::{Address, zvariant};

use self::socket::Childless;

/// How often the plug is looked at while runs work: a minute on battery is little.
const LOOK_AT_PLUG: Duration = Duration::from_secs(60);

/// A logind that takes longer is not there, for us.
const LIMIT: Duration = Duration::from_secs(5);

/// What is asked of logind, the most first: who has no session at the machine may
/// not keep it from sleep, but may keep it from idling into sleep.
const WISHES: [&str; 2] = ["sleep:idle", "idle"];

/// Keeps the machine awake whenever `working` says so, for as long as that is told.
pub(crate) async fn stay_awake(working: watch::Receiver<bool>) {
    let machine = Machine {
        bus: Bus::System,
        supplies: "/sys/class/power_supply".into(),
    };
    machine.stay_awake(working).await;
}

/// The machine, as far as its sleep goes.
struct Machine {
    bus: Bus,
    /// A folder for each power supply, with a file for each property.
    supplies: PathBuf,
}

/// Where logind is found.
enum Bus {
    System,
    #[cfg(test)]
    At(String),
}

impl Machine {
    async fn stay_awake(&self, mut working: watch::Receiver<bool>) {
        // logind lets the machine sleep again when this is closed.
        let mut held: Option<OwnedFd> = None;
        let mut complained = false;
        loop {
            if !*working.borrow_and_update() {
                held = None;
                // Nothing works: no reason to wake up before something does.
                if working.changed().await.is_err() {
                    return;
                }
                continue;
            }
            if !self.on_mains().await {
                held = None;
            } else if held.is_none() {
                match self.inhibit().await {
                    Ok(inhibitor) => held = Some(inhibitor),
                    Err(why) if !complained => {
                        tracing::info!(%why, "the machine cannot be kept awake while runs work");
                        complained = true;
                    }
                    Err(_) => {}
                }
            }
            tokio::select! {
                told = working.changed() => if told.is_err() { return },
                () = tokio::time::sleep(LOOK_AT_PLUG) => {}
            }
        }
    }

    async fn on_mains(&self) -> bool {
        let supplies = self.supplies.clone();
        // Some firmware takes its time to say how the battery is.
        tokio::task::spawn_blocking(move || power::on_mains(&power::supplies(&supplies)))
            .await
            .unwrap_or(false)
    }

    async fn inhibit(&self) -> Result<OwnedFd, String> {
        tokio::time::timeout(LIMIT, async {
            let mut refusal = String::new();
            for what in WISHES {
                match self.ask(what).await {
                    Ok(inhibitor) => return Ok(inhibitor),
                    Err(zbus::Error::MethodError(name, words, _)) => {
                        refusal = format!("{name}: {}", words.unwrap_or_default());
                    }
                    Err(error) => return Err(error.to_string()),
                }
            }
            Err(refusal)
        })
        .await
        .unwrap_or_else(|_| {
            Err(format!(
                "logind did not answer within {} s",
                LIMIT.as_secs()
            ))
        })
    }

    /// logind's manager says how at <https://systemd.io/INHIBITOR_LOCKS/>. What is
    /// got outlives the connection.
    async fn ask(&self, what: &str) -> zbus::Result<OwnedFd> {
        let address = match &self.bus {
            Bus::System => Address::system()?,
            #[cfg(test)]
            Bus::At(address) => address.parse()?,
        };
        let socket = Childless::connect(&address).await?;
        let connection = Builder::socket(socket).build().await?;
        let reply = connection
            .call_method(
                Some("org.freedesktop.login1"),
                "/org/freedesktop/login1",
                Some("org.freedesktop.login1.Manager"),
                "Inhibit",
                &(what, "Longhaul", "agent runs are active", "block"),
            )
            .await?;
        let inhibitor: zvariant::OwnedFd = reply.body().deserialize()?;
        Ok(inhibitor.into())
    }
}
