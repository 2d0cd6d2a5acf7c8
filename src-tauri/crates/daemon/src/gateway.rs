//! Opening the gateway for agents: always at the same place of this home, so that an agent
//! that outlives the daemon finds the next one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use engine::Engine;
use gateway::Door;
use secrets::Secret;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::listen::{random_hex, write_private};

/// What of it is kept. Only the user can read it: who knows the secret can make tokens.
#[derive(Serialize, Deserialize)]
struct Kept {
    port: u16,
    secret: String,
}

/// The gateway, listening.
pub(crate) struct Gateway {
    listener: TcpListener,
    door: Door,
}

impl Gateway {
    /// Listens where it did before, or at any free port if that one is another's now.
    pub(crate) async fn open(home: &Path) -> io::Result<Self> {
        let file = file(home);
        let kept = read(&file);
        let listener = listen(kept.as_ref().map(|kept| kept.port)).await?;
        let port = listener.local_addr()?.port();
        let secret = match &kept {
            Some(kept) => kept.secret.clone(),
            None => random_hex()?,
        };
        if kept.is_none_or(|kept| kept.port != port) {
            keep(
                &file,
                &Kept {
                    port,
                    secret: secret.clone(),
                },
            )?;
        }
        let door = Door::new(port, Secret::new(secret));
        Ok(Self { listener, door })
    }

    /// Its address, and what makes its tokens.
    pub(crate) fn door(&self) -> Door {
        self.door.clone()
    }

    /// Lets agents in until `stop`.
    pub(crate) fn serve(self, engine: &Engine, stop: CancellationToken) {
        let desk = engine.desk();
        tracing::info!(address = %self.door.address(), "agents are let through");
        tokio::spawn(gateway::serve(self.listener, self.door, desk, stop));
    }
}

async fn listen(port: Option<u16>) -> io::Result<TcpListener> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if let Some(port) = port {
        match TcpListener::bind(at(port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                tracing::warn!(port, %error, "the gateway's port is taken: agents of earlier runs that still live cannot reach their models");
            }
        }
    }
    TcpListener::bind(at(0)).await
}

fn file(home: &Path) -> PathBuf {
    home.join("gateway.json")
}

/// What was kept. A file that cannot be read is as good as none: agents that know the old
/// address end with an error, and go on in another attempt.
fn read(file: &Path) -> Option<Kept> {
    let text = std::fs::read_to_string(file).ok()?;
    let kept: Kept = serde_json::from_str(&text).ok()?;
    (kept.secret.len() >= 32).then_some(kept)
}

fn keep(file: &Path, kept: &Kept) -> io::Result<()> {
    let new = file.with_extension("new");
    write_private(&new, &serde_json::to_string(kept)?)?;
    std::fs::File::open(&new)?.sync_all()?;
    std::fs::rename(&new, file)
}

/// Opens it, or says in the daemon's own words why not.
pub(crate) async fn open(home: &Path) -> Result<Gateway, protocol::ApiError> {
    Gateway::open(home).await.map_err(|error| {
        protocol::ApiError::new(
            protocol::ErrorCode::Unreachable,
            format!("the gateway for agents cannot be opened on 127.0.0.1: {error}"),
            "see whether the loopback interface is up and the home folder can be written",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use domain::{OpId, RunId};

    use super::*;

    fn token(gateway: &Gateway) -> String {
        let token = gateway.door().token(
            "00000000-0000-7000-8000-000000000001"
                .parse::<RunId>()
                .unwrap(),
            OpId(1),
        );
        token.expose().to_owned()
    }

    #[tokio::test]
    async fn a_restart_opens_the_same_door() {
        let home = tempfile::tempdir().unwrap();
        let first = Gateway::open(home.path()).await.unwrap();
        let (url, had) = (first.door().url(), token(&first));
        let mode = std::fs::metadata(file(home.path()))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(first);
        let again = Gateway::open(home.path()).await.unwrap();
        assert_eq!(
            (again.door().url(), token(&again)),
            (url.clone(), had.clone())
        );
        // Its port is somebody else's: another one, and the tokens stay good.
        let beside = Gateway::open(home.path()).await.unwrap();
        assert_ne!(beside.door().url(), url);
        assert_eq!(token(&beside), had);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(token(&Gateway::open(other.path()).await.unwrap()), had);
    }

    #[tokio::test]
    async fn a_file_that_is_damaged_is_made_again() {
        let home = tempfile::tempdir().unwrap();
        for text in ["", "{\"port\": 1", "{\"port\": 1, \"secret\": \"\"}"] {
            std::fs::write(file(home.path()), text).unwrap();
            let gateway = Gateway::open(home.path()).await.unwrap();
            let had = token(&gateway);
            drop(gateway);
            assert_eq!(
                token(&Gateway::open(home.path()).await.unwrap()),
                had,
                "{text}"
            );
        }
    }
}
